//! Our own storage and process: locks, kills, restarts, and what was in work meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pairline_fakes::{Faults, Port};
use pairline_sdk::testing::{Fate, TestClock, TestRandom, run_now};
use pairline_sdk::{
    Arrival, Clock, Control, Creates, Delivery, Disposition, EngineError, Hint, ListQuery, OperationKind,
    OperationState, PairStore, RecordId, System, Worker,
};
use pairline_store::{Database, Options};
use serde_json::{Value, json};

use super::world::{World, steps};
use crate::bad_input::runner::Runner;
use crate::bad_input::stage::{Stage, copied, there};
use crate::bad_input::wait::until;
use crate::tidy::rust_files;

fn ada() -> Value {
    json!({ "email": "ada@example.org", "phone": "1", "vat_id": "V" })
}

fn signal(runner: &Runner, name: &str) {
    let pid = runner.child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

/// A runner that stands still for longer than any lease has still got its database; a dead one has not.
#[test]
fn fm_018_a_database_is_free_when_its_owner_is_dead_and_not_when_it_is_slow() {
    let stage = Stage::new();
    let first = stage.run(&[]);
    signal(&first, "STOP");
    let port = stage.port;
    let another = Port::free().unwrap();
    stage.set("PORT", another.number().to_string());

    let refused = stage.refused(&[]);

    refused.fails_with(75, &["in use by another runner"]);
    signal(&first, "CONT");
    stage.crm.person_creates(ada()).unwrap();
    stage.agrees_on(1);
    signal(&first, "KILL");
    let mut first = first;
    first.ended("it is dead");
    drop(first);
    stage.set("PORT", port.to_string());
    let second = stage.run(&[]);
    stage.crm.person_creates(json!({ "email": "grace@example.org" })).unwrap();
    stage.agrees_on(2);
    second.stop();
}

pub(super) async fn database(folder: &Path, busy: Duration) -> Database {
    let options = Options::new(Arc::new(pairline_runner::machine::SystemClock), Arc::new(TestRandom::default()));
    let database = Database::open(folder, Options { busy, settle: Duration::ZERO, ..options }).await.unwrap();
    database.pairs().set_creates(&Creates::Allowed).await.unwrap();
    database
}

fn look_at(id: &str) -> Delivery {
    let record = RecordId::new(&System::new("crm"), id);
    Delivery { arrivals: vec![Arrival::look_at(record)], ..Delivery::default() }
}

/// Another program holds the database's lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fm_075_a_locked_database_is_waited_for_so_long_and_then_nothing_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path(), Duration::from_millis(400)).await;
    let other = rusqlite::Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let began = Instant::now();
    let refused = database.engine().enqueue(look_at("1")).await;
    let took = began.elapsed();
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "refused after {took:?}");
    assert!(database.pairs().set_creates(&Creates::Undecided).await.is_err(), "a write was confirmed");

    // Whoever only waits a moment for it gets through.
    let engine = database.engine();
    let taken = tokio::spawn(async move { engine.enqueue(look_at("2")).await });
    until("the write waits", || (!taken.is_finished()).then_some(()));
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(taken.await.unwrap().unwrap().accepted, 1);
    assert_eq!(database.engine().health().await.unwrap().waiting, 1, "what was refused is there");
    assert_eq!(database.pairs().creates().await.unwrap(), Creates::Allowed);
    database.close().await;
}

/// The database is put back to what it was before three people came.
#[test]
fn fm_079_a_restored_backup_does_not_make_anybody_twice_who_is_linked() {
    let stage = Stage::new();
    stage.run(&[]).stop();
    copied(&stage.path("data"), &stage.path("backup"));
    let runner = stage.run(&["--poll-ms", "200"]);
    for person in 0..3 {
        stage.crm.person_creates(json!({ "email": format!("{person}@example.org") })).unwrap();
        stage.erp.person_creates(json!({ "name": "Grace", "email": format!("erp-{person}@example.org") })).unwrap();
    }
    stage.agrees_on(6);
    runner.stop();
    fs::remove_dir_all(stage.path("data")).unwrap();
    copied(&stage.path("backup"), &stage.path("data"));
    let contact = there(stage.crm.snapshot()).into_keys().next().unwrap();

    let runner = stage.run(&["--poll-ms", "200"]);
    stage.crm.person_edits(&contact, json!({ "phone": "2" })).unwrap();

    until("all of them are pairs again", || (stage.asked(&["status"])["pairs"]["active"] == 6).then_some(()));
    stage.agrees_on(6);
    assert_eq!((stage.crm.snapshot().len(), stage.erp.snapshot().len()), (6, 6));
    runner.stop();
}

#[test]
fn fm_079_a_restored_backup_makes_no_second_counterpart_of_one_that_only_one_side_knows() {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "200"]);
    stage.erp.person_creates(json!({ "name": "Ada", "email": "ada@example.org" })).unwrap();
    stage.agrees_on(1);
    runner.stop();
    copied(&stage.path("data"), &stage.path("backup"));
    // The contact is made, and its customer is not told of it.
    let mut runner = stage.run(&["--poll-ms", "200", "--kill-at", "create-answered:1"]);
    stage.erp.person_creates(json!({ "name": "Grace", "email": "grace@example.org" })).unwrap();
    runner.ended("the create was answered");
    fs::remove_dir_all(stage.path("data")).unwrap();
    copied(&stage.path("backup"), &stage.path("data"));

    let runner = stage.run(&["--poll-ms", "200"]);

    stage.agrees_on(2);
    assert_eq!((stage.crm.snapshot().len(), stage.erp.snapshot().len()), (2, 2));
    runner.stop();
}

/// Kills the program at each call of each of these walks, once and twice, and looks at what comes of it.
#[test]
fn fm_082_a_kill_at_any_call_loses_no_edit_and_makes_nothing_twice() {
    type Deed = fn(&World, &str, &str);
    let deeds: [(&str, Deed); 4] = [
        ("an edit of the CRM's", |world, contact, _| world.crm().person_edits(contact, &json!({ "email": "b" }))),
        ("an edit of the ERP's", |world, _, customer| world.erp().person_edits(customer, &json!({ "vat_id": "W" }))),
        ("an edit on the wrong side", |world, contact, customer| {
            world.crm().person_edits(contact, &json!({ "vat_id": "wrong", "email": "b" }));
            world.erp().person_edits(customer, &json!({ "email": "wrong", "vat_id": "W" }));
        }),
        ("edits of a shared field", |world, contact, customer| {
            world.crm().person_edits(contact, &json!({ "phone": "2" }));
            world.erp().person_edits(customer, &json!({ "phone": "3" }));
        }),
    ];
    for (name, deed) in deeds {
        let mut kills = 0;
        for first in 1.. {
            let mut over = false;
            for second in 0..12 {
                let mut world = World::new();
                let (contact, customer) = world.pair(&ada());
                deed(&world, &contact, &customer);
                let events = [world.crm().take_events(), world.erp().take_events()].concat();
                let record = events[0].0.clone();
                let mut work = world.begin(&record, None, 0);
                over = !steps(&mut work, first);
                if over {
                    break;
                }
                world.dies_at(events.iter().map(|(record, _)| record.clone()).zip([work]));
                kills += 1;
                if second > 0 {
                    let mut again = world.begin(&record, None, 0);
                    if steps(&mut again, second) {
                        world.dies_at([(record.clone(), again)]);
                        kills += 1;
                    }
                }
                for (record, _) in &events {
                    world.announce(record, None);
                }
                world.settle();
                world.holds(1);
                assert!(world.trash.is_empty(), "{name}: {:?}", world.trash);
                let (email, vat) = (world.of_customer(&customer, "email"), world.of_contact(&contact, "vat_id"));
                assert!(email == "b" || email == "ada@example.org" && !name.contains("CRM"), "{name}: {email}");
                assert!(vat == "W" || vat == "V" && !name.contains("the ERP"), "{name}: {vat}");
            }
            if over {
                break;
            }
        }
        assert!(kills > 20, "{name}: {kills} kills");
    }
}

/// What is in work when the program is stopped goes on under the topology the next start reads.
#[test]
fn fm_084_a_record_that_waits_over_a_restart_walks_the_topology_as_it_is_then() {
    let stage = Stage::new();
    stage.run(&[]).stop();
    assert_eq!(stage.cli(&["pause"]).code, 0);
    let runner = stage.run(&["--poll-ms", "600000"]);
    stage.crm.person_creates(ada()).unwrap();
    until("the delivery is taken", || (stage.asked(&["status"])["waiting"] == 1).then_some(()));
    runner.stop();
    let folder = stage.path("project");
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies"), &folder);
    let path = folder.join("crm-to-erp.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("\n  fetch:\n", "\n  read-it:\n").replace("foreign: fetch", "foreign: read-it");
    assert!(text.matches("read-it").count() >= 2, "{text}");
    fs::write(&path, text).unwrap();

    let runner = stage.run(&["--config", &folder.display().to_string(), "--poll-ms", "600000"]);
    assert_eq!(stage.cli(&["resume"]).code, 0);

    stage.agrees_on(1);
    assert!(stage.get("/metrics").body.contains("node=\"read-it\""));
    assert_eq!(stage.asked(&["status"])["trash"], 0);
    runner.stop();
}

/// Works on what a test lets it, and keeps who was at work beside whom.
#[derive(Default)]
struct Watched {
    at_work: Mutex<BTreeMap<RecordId, usize>>,
    most: Mutex<BTreeMap<RecordId, usize>>,
    done: Mutex<usize>,
    held: Mutex<Option<RecordId>>,
}

#[async_trait]
impl Worker for Watched {
    async fn work(&self, hint: Hint) -> Disposition {
        assert!(hint.record.id != "poison", "a worker that cannot go on");
        let now = {
            let mut at_work = self.at_work.lock().unwrap();
            let count = at_work.entry(hint.record.clone()).or_default();
            *count += 1;
            *count
        };
        let before = self.most.lock().unwrap().get(&hint.record).copied().unwrap_or_default();
        self.most.lock().unwrap().insert(hint.record.clone(), before.max(now));
        while self.held.lock().unwrap().as_ref() == Some(&hint.record) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        *self.at_work.lock().unwrap().get_mut(&hint.record).unwrap() -= 1;
        *self.done.lock().unwrap() += 1;
        Disposition::Done
    }
}

async fn comes(what: &str, look: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fm_085_a_node_that_panics_stops_its_own_record_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path(), Duration::from_secs(5)).await;
    let (engine, worker) = (database.engine(), Arc::new(Watched::default()));
    let lanes = {
        let (engine, worker) = (Arc::clone(&engine), Arc::clone(&worker) as Arc<dyn Worker>);
        tokio::spawn(async move { engine.run(worker, 4).await })
    };
    for id in ["1", "poison", "2", "3", "4", "5"] {
        engine.enqueue(look_at(id)).await.unwrap();
    }

    comes("the others are done", async || {
        let health = engine.health().await.unwrap();
        *worker.done.lock().unwrap() == 5 && health.waiting == 0
    })
    .await;

    let items = engine.list(ListQuery::Trash, 10).await.unwrap().into_trash().unwrap();
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0].record, Some(RecordId::new(&System::new("crm"), "poison")));
    assert!(items[0].reason.contains("a worker that cannot go on"), "{}", items[0].reason);
    engine.control(Control::Stop).await.unwrap();
    lanes.await.unwrap().unwrap();
    database.close().await;
}

/// The record is held at work while everything around it is committed, its own news included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fm_087_a_record_at_work_stays_in_one_hand_whatever_is_committed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path(), Duration::from_secs(5)).await;
    let (engine, worker) = (database.engine(), Arc::new(Watched::default()));
    let held = RecordId::new(&System::new("crm"), "held");
    *worker.held.lock().unwrap() = Some(held.clone());
    let lanes = {
        let (engine, worker) = (Arc::clone(&engine), Arc::clone(&worker) as Arc<dyn Worker>);
        tokio::spawn(async move { engine.run(worker, 8).await })
    };
    engine.enqueue(look_at("held")).await.unwrap();
    comes("it is at work", async || worker.at_work.lock().unwrap().get(&held) == Some(&1)).await;
    for round in 0..50 {
        engine.enqueue(look_at("held")).await.unwrap();
        engine.enqueue(look_at(&round.to_string())).await.unwrap();
    }
    comes("all others are done", async || *worker.done.lock().unwrap() == 50).await;
    // The end of the last of them is durable a moment later.
    comes("its own news waits, as one", async || engine.health().await.unwrap().waiting == 1).await;

    *worker.held.lock().unwrap() = None;
    comes("nothing waits", async || engine.health().await.unwrap().waiting == 0).await;

    assert_eq!(worker.most.lock().unwrap()[&held], 1, "it was in two hands");
    assert_eq!(*worker.done.lock().unwrap(), 52);
    engine.control(Control::Stop).await.unwrap();
    lanes.await.unwrap().unwrap();
    database.close().await;
}

/// Two runs of one story, and what they leave: everything that is decided comes from the ports.
#[test]
fn fm_086_one_story_told_twice_leaves_the_same_ledger_to_the_letter() {
    let told = || {
        let mut world = World::new();
        let (contact, customer) = world.pair(&ada());
        world.fate(World::send_to("erp"), Fate::LostBack);
        world.crm().person_edits(&contact, &json!({ "email": "b", "phone": "2" }));
        world.erp().person_edits(&customer, &json!({ "vat_id": "W", "phone": "3" }));
        world.erp().person_creates(&json!({ "name": "Grace Hopper" }));
        world.fate(World::send_to("crm"), Fate::LostThere);
        world.settle();
        world.holds(2);
        (world.bench.store.saved(), world.crm().saved(), world.erp().saved(), world.bench.clock.now())
    };
    let (first, second) = (told(), told());
    assert!(first == second, "{first:#?}\n{second:#?}");

    for (file, text) in rust_files() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let own = ["SystemTime", "Instant::", "rand::", "Uuid::", "RandomState"];
        let found = own.iter().find(|word| file.starts_with("nodes/src/") && code.contains(**word));
        assert_eq!(found, None, "{file} has time or chance of its own");
    }
}

#[test]
fn fm_088_a_start_takes_up_what_the_ledger_has_open_and_leaves_alone_what_it_has_done() {
    let (mut finished, mut open) = (0, 0);
    for calls in 1.. {
        let mut world = World::new();
        let contact = world.crm().person_creates(&ada());
        world.crm().take_events();
        let mut work = world.begin(&contact, None, 0);
        let over = !steps(&mut work, calls);
        let before = world.bench.store.saved().operations;
        world.dies_at([]);
        let after = world.bench.store.saved().operations;
        for (id, operation) in &before {
            let now = &after[id];
            if operation.state == OperationState::Committed {
                assert_eq!(now, operation, "killed at call {calls}: recovery has changed what was done");
                finished += 1;
            } else {
                assert_eq!(now.state, OperationState::Unknown, "killed at call {calls}");
                open += 1;
            }
        }
        world.announce(&contact, None);
        world.settle();
        world.holds(1);
        let creates = world.bench.store.saved().operations;
        let sent: u32 = creates.values().filter(|op| op.kind == OperationKind::Create).map(|op| op.attempts).sum();
        assert!(sent <= 2, "killed at call {calls}: sent {sent} times");
        if over {
            // Everything was done before the kill: nothing is named.
            world.bench.store.restart();
            assert_eq!(run_now(world.bench.store.recover()).unwrap(), []);
            break;
        }
    }
    assert!(finished >= 3 && open >= 2, "{finished} finished and {open} open operations were seen");
}

/// Both clocks are a test's: what a folder holds is the same whoever opens it next.
#[tokio::test]
async fn fm_083_what_waits_in_a_database_is_there_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let options = || {
        let clock = Arc::new(TestClock::default()) as Arc<dyn Clock>;
        Options::new(clock, Arc::new(TestRandom::default()))
    };
    let first = Database::open(folder.path(), options()).await.unwrap();
    for id in 0..20 {
        first.engine().enqueue(look_at(&id.to_string())).await.unwrap();
    }
    first.close().await;

    let second = Database::open(folder.path(), options()).await.unwrap();

    assert_eq!(second.engine().health().await.unwrap().waiting, 20);
    second.close().await;
}

/// The systems are quiet about it: neither tells the program anything.
#[test]
fn fm_078_a_program_that_has_lost_its_database_finds_every_pair_again() {
    let stage = Stage::with_faults(Faults { delivery_dropped_rate: 1.0, ..Faults::default() });
    let runner = stage.run(&["--poll-ms", "200"]);
    for person in 0..4 {
        stage.crm.person_creates(json!({ "email": format!("{person}@example.org") })).unwrap();
    }
    stage.agrees_on(4);
    until("nothing is left to be done", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));
    let pairs = || {
        let listed = stage.asked(&["ids", "list"])["pairs"].as_array().unwrap().clone();
        let mut pairs: Vec<String> = listed.iter().map(|pair| pair["records"].to_string()).collect();
        pairs.sort();
        pairs
    };
    let (before, writes) = (pairs(), stage.writes());
    runner.stop();
    fs::remove_dir_all(stage.path("data")).unwrap();

    let runner = stage.run(&["--poll-ms", "200"]);

    until("all of them are pairs again", || (stage.asked(&["status"])["pairs"]["active"] == 4).then_some(()));
    let ids = |pairs: &[String]| {
        let mut ids: Vec<Vec<String>> = pairs
            .iter()
            .map(|pair| {
                let mut ids: Vec<String> = serde_json::from_str::<Vec<Value>>(pair)
                    .unwrap()
                    .iter()
                    .map(std::string::ToString::to_string)
                    .collect();
                ids.sort();
                ids
            })
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&pairs()), ids(&before));
    assert_eq!(stage.writes(), writes, "something was written");
    runner.stop();
}
