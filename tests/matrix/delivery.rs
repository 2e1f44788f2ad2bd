//! Announcements: doubled, late, lost, out of order, and such as cannot be worked on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pairline_fakes::Faults;
use pairline_sdk::testing::TestRandom;
use pairline_sdk::{Delivery, ListQuery, Outcome, Random, System, Unreadable};
use serde_json::{Value, json};

use super::storage::database;
use super::world::World;
use crate::bad_input::http::Lie;
use crate::bad_input::stage::{Stage, there};
use crate::bad_input::wait::until;

fn silent() -> Faults {
    Faults { delivery_dropped_rate: 1.0, ..Faults::default() }
}

/// An event of the ERP that tells that a customer was saved.
fn save(event: &str, customer: &str) -> Value {
    json!({
        "event_id": event, "type": "customer.updated", "customer_id": customer,
        "occurred_at": "2026-11-21T00:00:00.000Z", "changed_fields": ["billing_email"], "origin": null,
    })
}

#[test]
fn fm_001_an_event_that_comes_a_hundred_times_at_once_is_taken_once() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(crate::bad_input::stage::pairline());
    let customer = stage.erp.person_creates(json!({ "name": "Ada Lovelace", "email": "ada@example.org" })).unwrap();
    let body = save("e1", &customer).to_string();
    let signature = pairline_fakes::erp_signature(crate::bad_input::stage::CANARIES[3].1, body.as_bytes());
    let port = stage.port;

    let answers: Vec<Value> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let send = |_| {
                        let headers = [("x-signature", signature.as_str())];
                        let answer =
                            crate::bad_input::http::call(port, "POST", "/webhooks/erp", &headers, body.as_bytes());
                        assert_eq!(answer.status, 202, "{answer:?}");
                        serde_json::from_str::<Value>(&answer.body).unwrap()
                    };
                    (0..5).map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });

    let sum = |name: &str| answers.iter().map(|answer| answer[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("duplicates")), (1, 99));
    stage.agrees_on(1);
    until("nothing is left to be done", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));
    assert_eq!(stage.crm.calls().of("POST", "contacts"), 1);
    runner.stop();
}

/// The same announcement under another name each time, of a new record and of an edit.
#[test]
fn fm_002_an_announcement_that_comes_again_under_another_name_has_no_effect() {
    let mut world = World::new();
    world.tamper = Box::new(|events| events.into_iter().flat_map(|event| vec![event; 4]).collect());
    let (contact, customer) = world.pair(&json!({ "email": "a@example.org" }));
    world.holds(1);
    assert_eq!(world.erp().saved().writes, 1);
    let writes = world.writes();

    world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
    world.rest();
    world.erp().person_edits(&customer, &json!({ "vat_id": "V" }));
    world.rest();

    assert_eq!(world.writes() - writes, 2, "one write for each edit");
    world.holds(1);
}

#[test]
fn fm_003_announcements_out_of_order_end_with_the_owners_last_value() {
    for seed in 0..60 {
        let mut world = World::new();
        let random = TestRandom::new(seed);
        let held = Arc::new(std::sync::Mutex::new(Vec::new()));
        let dice = TestRandom::new(seed + 1_000);
        world.tamper = Box::new(move |mut events| {
            let mut held = held.lock().unwrap();
            held.append(&mut events);
            let mut now = Vec::new();
            while !held.is_empty() && dice.below(100) < 60 {
                let at = usize::try_from(dice.below(held.len() as u64)).unwrap();
                now.push(held.swap_remove(at));
            }
            now
        });
        let contact = world.crm().person_creates(&json!({ "email": "first" })).id;
        for edit in 0..10 {
            world.crm().person_edits(&contact, &json!({ "email": format!("{edit}@example.org") }));
            if random.below(2) == 0 {
                world.work_once();
            }
            let customer = world.erp().saved().records.into_keys().next();
            if let Some(customer) = customer {
                world.erp().person_edits(&customer, &json!({ "vat_id": edit.to_string() }));
            }
        }
        // What is held back comes in the end.
        for _ in 0..200 {
            world.work_once();
        }

        world.settle();

        world.holds(1);
        let customer = world.erp().saved().records.into_keys().next().unwrap();
        assert_eq!(world.of_customer(&customer, "email"), "9@example.org", "seed {seed}");
        assert_eq!(world.of_contact(&contact, "vat_id"), world.of_customer(&customer, "vat_id"), "seed {seed}");
    }
}

#[test]
fn fm_004_what_no_webhook_has_told_is_found_by_the_poll() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run(&["--poll-ms", "200"]);
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    stage.erp.person_creates(json!({ "name": "Grace Hopper", "email": "grace@example.org" })).unwrap();
    stage.agrees_on(2);

    stage.crm.person_edits(&contact, json!({ "email": "new@example.org" })).unwrap();
    until("the edit is carried over", || {
        there(stage.erp.snapshot()).values().any(|customer| customer["email"] == "new@example.org").then_some(())
    });
    stage.agrees_on(2);
    assert_eq!(stage.crm.deliveries().acknowledged + stage.erp.deliveries().acknowledged, 0);
    runner.stop();
}

#[test]
fn fm_007_what_was_acknowledged_is_known_after_a_kill_in_the_same_moment() {
    let stage = Stage::with_faults(silent());
    let customer = stage.erp.person_creates(json!({ "name": "Ada Lovelace", "email": "ada@example.org" })).unwrap();
    stage.run(&[]).stop();
    for round in 0..4 {
        let mut runner = stage.run(&["--poll-ms", "600000"]);
        let events: Vec<String> =
            (0..10).map(|event| save(&format!("e{round}-{event}"), &customer).to_string()).collect();
        for event in &events {
            assert_eq!(stage.erp_webhook(event.as_bytes()).status, 202);
        }
        runner.child.kill().unwrap();
        runner.ended("it is dead");
        drop(runner);

        let runner = stage.run(&["--poll-ms", "600000"]);
        for event in &events {
            let answer: Value = serde_json::from_str(&stage.erp_webhook(event.as_bytes()).body).unwrap();
            assert_eq!(answer["duplicates"], 1, "round {round}: an acknowledged event was forgotten: {answer}");
        }
        stage.agrees_on(1);
        runner.stop();
    }
    assert_eq!(stage.crm.calls().of("POST", "contacts"), 1);
}

#[test]
fn fm_008_an_item_of_the_trash_that_is_approved_late_writes_nothing_old() {
    let stage = Stage::new();
    let erp = stage.between("erp");
    let runner = stage.run(&["--poll-ms", "600000"]);
    let contact = stage.crm.person_creates(json!({ "email": "one@example.org" })).unwrap();
    stage.agrees_on(1);
    erp.tells(Lie::TellsAll);
    stage.crm.person_edits(&contact, json!({ "email": "two@example.org" })).unwrap();
    until("the edit is refused for good", || (stage.asked(&["status"])["trash"] == 1).then_some(()));
    erp.tells(Lie::Truth);
    stage.crm.person_edits(&contact, json!({ "email": "three@example.org" })).unwrap();
    stage.agrees_on(1);
    let email = || there(stage.erp.snapshot()).into_values().next().unwrap()["email"].clone();
    assert_eq!(email(), "three@example.org");
    until("nothing is left to be done", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));
    let (writes, reads) = (stage.writes(), stage.crm.calls().of("GET", "contact"));

    assert_eq!(stage.cli(&["trash", "approve", "1"]).code, 0);
    until("the record is looked at again", || (stage.crm.calls().of("GET", "contact") > reads).then_some(()));
    until("nothing is left to be done", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));

    assert_eq!((stage.writes(), email()), (writes, json!("three@example.org")));
    runner.stop();
}

/// One record is refused for ever; a hundred others are worked on as if it were not there.
#[test]
fn fm_009_a_record_that_is_always_refused_goes_to_the_trash_and_holds_nobody_up() {
    let mut world = World::new();
    let poison = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&poison);
    world.hooks().before_send = Some(Box::new(move |intent| {
        let poisonous = intent.operation().request.body.contains("poison") && refuses.load(Ordering::SeqCst);
        poisonous.then(|| Outcome::Failed { reason: "refused with status 422 (POISON)".to_owned() })
    }));
    let bad = world.crm().person_creates(&json!({ "email": "poison@example.org" }));
    for person in 0..100 {
        world.crm().person_creates(&json!({ "email": format!("{person}@example.org") }));
    }
    world.rest();

    assert_eq!(world.erp().saved().records.len(), 100);
    assert_eq!(world.trash, [(bad.clone(), "refused with status 422 (POISON)".to_owned())]);
    // News of the same record is tried and fails for the same reason, and not in silence.
    world.crm().person_edits(&bad.id, &json!({ "phone": "2" }));
    world.rest();
    assert_eq!(world.trash.len(), 2);
    // Once it is good, it goes over whole.
    poison.store(false, Ordering::SeqCst);
    world.settle();
    world.holds(101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fm_010_what_cannot_be_read_is_kept_whole_however_much_of_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path(), Duration::from_secs(5)).await;
    let engine = database.engine();
    for batch in 0..20 {
        let unreadable = (0..100).map(|number| Unreadable {
            system: System::new("crm"),
            reason: "expected an event, found something else".to_owned(),
            body: format!("{{\"odd\":{number},\"of\":{batch}}}"),
        });
        engine.enqueue(Delivery { unreadable: unreadable.collect(), ..Delivery::default() }).await.unwrap();
    }

    let items = engine.list(ListQuery::Trash, 10_000).await.unwrap().into_trash().unwrap();
    let bodies: BTreeSet<String> = items.into_iter().filter_map(|item| item.body).collect();
    assert_eq!(bodies.len(), 2_000, "a body was dropped");
    assert_eq!(engine.health().await.unwrap().trash, 2_000);
    database.close().await;
}

#[test]
fn fm_012_texts_no_machine_should_send_are_refused_or_kept_as_they_are() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(crate::bad_input::stage::pairline());
    let customer = stage.erp.person_creates(json!({ "name": "Ada Lovelace", "email": "ada@example.org" })).unwrap();
    let good = save("good", &customer).to_string();
    let with = |from: &str, to: &str| good.replace(from, to).into_bytes();
    for (name, body) in [
        ("a number that is none", with("\"good\"", "NaN")),
        ("infinity", with("\"good\"", "Infinity")),
        ("half a surrogate pair", with("\"good\"", "\"\\ud800\"")),
        (
            "a byte that is no text",
            good.replace("good", "\u{7f}").into_bytes().iter().map(|b| if *b == 0x7f { 0xff } else { *b }).collect(),
        ),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a key twice", with("\"event_id\"", "\"event_id\":\"x\",\"event_id\"")),
    ] {
        let answer = stage.erp_webhook(&body);
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    assert_eq!(stage.asked(&["status"])["waiting"], 0);
    // Two spellings of one letter are two ids, and neither is changed.
    for id in ["caf\u{e9}", "cafe\u{301}"] {
        let answer: Value =
            serde_json::from_str(&stage.erp_webhook(save(id, &customer).to_string().as_bytes()).body).unwrap();
        assert_eq!(answer["accepted"], 1, "{id}: {answer}");
    }
    stage.agrees_on(1);
    runner.stop();
}
