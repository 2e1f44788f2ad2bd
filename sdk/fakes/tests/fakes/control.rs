//! Driving the servers from another process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use pairline_fakes::{CrmConfig, ErpConfig};
use serde_json::{Value, json};

use crate::caller::{CONTACTS, crm, erp};
use crate::receiver::Receiver;

#[tokio::test]
async fn a_harness_plays_the_people_and_reads_the_audit() {
    let receiver = Receiver::good().await;
    let (crm, mut caller) = crm(CrmConfig { control: true, ..CrmConfig::default() }).await;
    caller.token.clear();

    let moved = caller.put("/_control/webhook-url", json!({"url": receiver.url})).await;
    assert_eq!(moved.status, 200);
    let people = "/_control/people";
    let create = json!({"do": "create", "fields": {"email": "a"}, "times": 2});
    let id = caller.post(people, create).await.id();
    for action in [
        json!({"do": "edit", "id": id, "fields": {"phone": "1"}}),
        json!({"do": "edit", "id": id, "fields": {"phone": "2"}, "tool": "9001"}),
        json!({"do": "clone", "id": id}),
        json!({"do": "announce", "id": id, "times": 1}),
        json!({"do": "delete", "id": id}),
        json!({"do": "restore", "id": id}),
    ] {
        let answer = caller.post(people, action).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    receiver.wait_for(7).await;

    let snapshot = caller.get("/_control/snapshot").await.json();
    assert_eq!(snapshot.as_array().unwrap().len(), 2);
    assert_eq!(snapshot[0]["fields"]["phone"], "2");
    let history = caller.get(&format!("/_control/history/{id}")).await.json();
    assert_eq!(history[2]["writer"], json!({"by": "tool", "name": "9001"}));
    assert_eq!(history[2]["fields"], json!({"phone": "2"}));
    let audit = caller.get("/_control/audit").await.json();
    assert_eq!(audit["deliveries"]["announced"], 7);
    assert_eq!(audit["calls"], json!([]));
    let faults = json!({"error_500_rate": 1.0});
    assert_eq!(caller.put("/_control/faults", faults).await.status, 200);
    assert_eq!(crm.faults().error_500_rate, 1.0);
    assert_eq!(caller.put("/_control/lag", json!({"ms": 100})).await.status, 200);
    for (answer, status) in [
        (caller.put("/_control/faults", json!({"typo": 1})).await, 400),
        (caller.put("/_control/faults", json!({"error_500_rate": 5.0})).await, 400),
        (caller.post(people, json!({"do": "dance"})).await, 400),
        (caller.post(people, json!({"do": "delete", "id": "9"})).await, 404),
        (caller.get("/_control/history/9").await, 404),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[tokio::test]
async fn the_erp_is_driven_the_same_way() {
    let (erp, caller) = erp(ErpConfig { control: true, ..ErpConfig::default() }).await;

    let create = json!({"do": "create", "fields": {"name": "Ada"}, "tool": "shop"});
    let id = caller.post("/_control/people", create).await.id();

    assert_eq!(id, "WHS-000001");
    assert_eq!(erp.history(&id).len(), 1);
    assert_eq!(caller.get(&format!("/customers/{id}")).await.status, 200);
}

#[tokio::test]
async fn there_is_no_control_unless_asked_for() {
    let (_crm, caller) = crm(CrmConfig::default()).await;

    assert_eq!(caller.get("/_control/snapshot").await.status, 404);
}

#[test]
fn the_program_says_what_it_is_to_whoever_types_more_than_its_name() {
    for (argument, succeeds) in [("--help", true), ("--list", false)] {
        let said = Command::new(env!("CARGO_BIN_EXE_pairline-fakes")).arg(argument).output().unwrap();
        let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        assert!(said.status.success() == succeeds && text.contains("takes no arguments"), "{argument}: {text}");
    }
}

#[tokio::test]
async fn the_program_runs_both_by_environment_alone_and_stops_when_told() {
    struct Ended(std::process::Child);
    impl Drop for Ended {
        fn drop(&mut self) {
            // A test that fails must not leave a program behind; one that has ended cannot be killed.
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }
    let program = Command::new(env!("CARGO_BIN_EXE_pairline-fakes"))
        .envs([("CRM_PORT", "0"), ("ERP_PORT", "0")])
        .envs([("CRM_TOKEN", "t1"), ("FAKES_UNIQUE", "email")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ended = Ended(program);
    let program = &mut ended.0;
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut base_url = |of: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(of).unwrap().to_owned()
    };
    let (crm_url, erp_url) = (base_url("crm "), base_url("erp "));

    let http = pairline_fakes::loopback_client().build().unwrap();
    let url = format!("{crm_url}{CONTACTS}");
    let create = || {
        let request = http.post(&url).bearer_auth("t1");
        request.json(&json!({"properties": {"email": "a"}})).send()
    };
    assert_eq!(create().await.unwrap().status(), 201);
    assert_eq!(create().await.unwrap().status(), 409);
    let snapshot = http.get(format!("{erp_url}/_control/snapshot")).send();
    let snapshot: Value = snapshot.await.unwrap().json().await.unwrap();
    assert_eq!(snapshot, json!([]));

    let id = program.id().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(told.success());
    assert!(program.wait().unwrap().success());
}
