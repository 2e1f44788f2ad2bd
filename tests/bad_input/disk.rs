//! A full disk: senders are asked to come back, nothing is written that is not in the ledger, and room is all it takes.
//! And one that is slow: whoever stops the program does not wait for it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_fakes::Faults;
use pairline_runner::application::Environment;
use pairline_runner::composition::{OpenDatabase, Stores};
use pairline_runner::system::{Ground, RunningSystem, Settings};
use pairline_sdk::testing::{MemoryEngine, MemoryStore, TestClock, TestRandom};
use pairline_sdk::{Clock, Random};
use serde_json::json;

use super::http::Answer;
use super::runner::Runner;
use super::stage::Stage;
use super::wait::until;
use crate::support::{project, registry};

/// The program, in a shell that lets a write beyond the limit on a file's size fail instead of killing the writer.
fn careful() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_pairline")]);
    command
}

/// The system refuses what makes a file of the program longer than this. Needs no privileges: it is the soft limit.
fn limited(runner: &Runner, bytes: &str) {
    let pid = runner.child.id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
    let limited = limited.expect("prlimit (util-linux) is needed to play a full disk");
    assert!(limited.success(), "prlimit cannot limit a process of its own user");
}

/// As full as a disk can be: part of a page still fits.
fn fill(stage: &Stage, runner: &Runner) {
    let log = fs::metadata(stage.path("data").join("pairline.db-wal")).unwrap().len();
    limited(runner, &(log + 1_000).to_string());
}

fn room(runner: &Runner) {
    limited(runner, "unlimited");
}

fn save(stage: &Stage, event: usize, customer: &str) -> Answer {
    let event = json!({
        "event_id": format!("e{event}"), "type": "customer.updated", "customer_id": customer,
        "occurred_at": "2026-11-21T00:00:00.000Z", "changed_fields": ["billing_email"], "origin": null,
    });
    stage.erp_webhook(event.to_string().as_bytes())
}

#[test]
fn fm_074_a_delivery_that_cannot_be_kept_is_sent_back_and_taken_once_there_is_room() {
    let stage = Stage::with_faults(Faults { delivery_dropped_rate: 1.0, ..Faults::default() });
    let runner = stage.run_on_webhooks_only(careful());
    let customer = stage.erp.person_creates(json!({ "name": "Ada Lovelace", "email": "ada@example.org" })).unwrap();
    assert_eq!(save(&stage, 0, &customer).status, 202);
    stage.agrees_on(1);
    // The create and the inverse id; a call is counted once it is answered, a moment after its record has changed.
    until("both writes are counted", || (stage.writes() >= 2).then_some(()));
    let mut writes = stage.writes();

    fill(&stage, &runner);
    stage.erp.person_edits(&customer, json!({ "billing_email": "bills@example.org" })).unwrap();
    let mut sent = 0;
    let refused = until("the disk is full", || {
        sent += 1;
        let answer = save(&stage, sent, &customer);
        (answer.status != 202).then_some(answer)
    });

    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "1", "{refused:?}");
    assert!(refused.body.contains("the inbox cannot take anything now"), "{refused:?}");
    assert_eq!(save(&stage, sent + 1, &customer).status, 503, "it stays full");
    // What it is told besides is told as ever, and it does not pretend to be well.
    assert_eq!(stage.get("/livez").status, 200);
    let ready = stage.get("/readyz");
    assert!(ready.status == 503 && ready.body.contains("disk"), "{ready:?}");
    runner.says("did not take");
    if sent == 1 {
        // Nothing was taken, so nothing may be written.
        assert_eq!(stage.writes(), writes);
    }

    room(&runner);
    let again =
        until("the delivery is taken", || Some(save(&stage, sent, &customer)).filter(|answer| answer.status == 202));
    assert!(again.body.contains(r#""accepted":1"#), "{again:?}");
    assert_eq!(stage.get("/readyz").status, 200);
    stage.agrees_on(1);
    writes += 1;
    until("the write is counted", || (stage.writes() >= writes).then_some(()));
    assert_eq!(stage.writes(), writes, "one edit is one write");
    runner.stop();
}

#[test]
fn fm_074_no_call_is_made_whose_intent_could_not_be_kept() {
    let stage = Stage::with_faults(Faults { delivery_dropped_rate: 1.0, ..Faults::default() });
    stage.run(&[]).stop();
    assert_eq!(stage.cli(&["pause"]).code, 0);
    let runner = stage.run_on_webhooks_only(careful());
    let customer = stage.erp.person_creates(json!({ "name": "Ada Lovelace", "email": "ada@example.org" })).unwrap();
    assert_eq!(save(&stage, 0, &customer).status, 202);

    // The intent of a create does not fit any more; the hint that leads to it is there already.
    fill(&stage, &runner);
    let reads = stage.erp.calls().reads();
    assert_eq!(stage.cli(&["resume"]).code, 0, "another process has room");
    // What that has appended does not count as room of the runner's.
    fill(&stage, &runner);
    until("the record is looked at", || (stage.erp.calls().reads() > reads).then_some(()));
    runner.says("the database did not take a write");
    assert_eq!(stage.writes(), 0, "a call without an intent");

    room(&runner);
    stage.agrees_on(1);
    // One create, and the two inverse ids.
    assert_eq!(stage.crm.calls().of("POST", "contacts"), 1);
    runner.stop();
}

/// A database whose file is on a disk that does not answer.
struct Stuck;

#[async_trait]
impl OpenDatabase for Stuck {
    async fn close(&self) {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_disk_that_does_not_answer() {
    let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
    let random: Arc<dyn Random> = Arc::new(TestRandom::default());
    let pairs = Arc::new(MemoryStore::new(Arc::clone(&clock)));
    let engine = Arc::new(MemoryEngine::new(Arc::clone(&pairs), Arc::clone(&clock), Arc::clone(&random)));
    let stores = Stores { pairs, engine, handle: Arc::new(Stuck) };
    let ground = Ground { stores, wall: Arc::clone(&clock), clock, random, transport: None, components: None };
    let secrets = ["CRM_TOKEN", "CRM_CLIENT_SECRET", "ERP_TOKEN", "ERP_WEBHOOK_SECRET"];
    let secrets: BTreeMap<_, _> = secrets.map(|name| (name.to_owned(), "secret".to_owned())).into();
    let (environment, registry, settings) = (Environment::of_map(secrets), registry(), Settings::default());
    let embedded = RunningSystem::embed(project(), &registry, &environment, &settings, ground);
    let (system, _router) = embedded.await.unwrap();

    let stopped = tokio::time::timeout(Duration::from_secs(3), system.stop()).await;

    assert!(stopped.is_ok(), "it waits for the disk");
}
