//! Tokens and secrets given by environment are in nothing the program says or keeps. Every other test here looks, too:
//! at what each command prints, at the log, the metrics, the trash and the database. This one tempts it.

use std::fs;

use serde_json::json;

use super::http::Lie;
use super::stage::{CANARIES, CrmSigner, Stage, keeps_secrets, pairline};
use super::wait::until;

#[test]
fn fm_094_a_system_that_sends_back_all_it_was_sent_does_not_bring_a_token_into_the_log_or_the_trash() {
    let stage = Stage::new();
    // The noisiest log there is: also of the libraries.
    stage.set("PAIRLINE_LOG", "trace");
    let erp = stage.between("erp");
    let runner = stage.run_on_webhooks_only(pairline());
    erp.tells(Lie::TellsAll);

    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();

    until("the create is refused for good", || (stage.asked(&["status"])["trash"] == 1).then_some(()));
    assert!(erp.sent().contains(CANARIES[1].1), "the token is not even sent: this test sees nothing");
    // Whatever a sender with a wrong secret sends is not kept either.
    CrmSigner { secret: "a-guess", beside_now_ms: 0 }.post(stage.port, CANARIES[2].1.as_bytes());
    for args in [
        vec!["status"],
        vec!["trash", "list"],
        vec!["trash", "show", "1"],
        vec!["explain", &format!("crm:{contact}")],
        vec!["ids", "history", &format!("crm:{contact}")],
    ] {
        // `cli` looks at what it says.
        stage.cli(&args);
        stage.cli(&[&["--json"], args.as_slice()].concat());
    }
    let shown = stage.cli(&["trash", "show", "1"]);
    assert!(shown.stdout.contains("422"), "{shown:?}");
    keeps_secrets("the metrics", &stage.get("/metrics").body);
    keeps_secrets("the readiness", &stage.get("/readyz").body);
    // And once the system is itself again, the item is delivered as the record is now.
    erp.tells(Lie::Truth);
    stage.crm.set_webhook_url("http://127.0.0.1:9/");
    stage.crm.person_edits(&contact, json!({ "email": "ada@example.com" })).unwrap();
    assert_eq!(stage.cli(&["trash", "approve", "1"]).code, 0);
    stage.agrees_on(1);
    assert_eq!(stage.cli(&["trash", "list"]).stdout, "the trash is empty\n");
    runner.stop();
}

#[test]
fn a_start_that_fails_tells_no_secret() {
    let stage = Stage::new();
    stage.set("CRM_BASE_URL", CANARIES[0].1);
    let said = stage.refused(&[]);
    said.fails_with(78, &["applications/crm.yaml", "base_url"]);
    keeps_secrets("the refusal", &said.stderr);
    stage.set("CRM_BASE_URL", stage.crm.base_url());
    // A password in an address: nobody would send it.
    stage.set("ERP_BASE_URL", format!("http://user:{}@127.0.0.1:9", CANARIES[1].1));
    let said = stage.refused(&[]);
    said.fails_with(78, &["applications/erp.yaml", "one with a user or a password; it comes from ERP_BASE_URL"]);
    keeps_secrets("the refusal", &said.stderr);
    stage.set("ERP_BASE_URL", stage.erp.base_url());
    // A token with a line break cannot be sent, and is not shown instead.
    stage.set("CRM_TOKEN", "canary-crm-token-6b1f\nx-evil: 1");
    let said = stage.refused(&[]);
    said.fails_with(78, &["applications/crm.yaml", "bearer"]);
    keeps_secrets("the refusal", &said.stderr);
}

#[test]
fn a_secret_can_be_handed_over_in_a_file() {
    let stage = Stage::new();
    for (name, secret) in CANARIES {
        let file = stage.path(name);
        fs::write(&file, format!("{secret}\n")).unwrap();
        stage.set(name, "");
        stage.set(&format!("{name}_FILE"), file.display().to_string());
    }
    let runner = stage.run(&[]);
    stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    stage.agrees_on(1);
    runner.stop();
}
