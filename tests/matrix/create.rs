//! Making a record's counterpart, once.

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

use pairline_sdk::testing::{Fate, NodeTester, Step, run_now};
use pairline_sdk::{
    CapabilityClass, CaseKind, OperationKind, OperationState, Outcome, PairStore, Record, RecordId, System,
};
use serde_json::{Value, json};

use super::world::{Work, World, step, steps};

fn ada() -> Value {
    json!({ "email": "ada@example.org", "phone": "1", "vat_id": "V" })
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// The keys under which creates were sent, and how often each operation was.
fn creates_sent(world: &World) -> Vec<(String, u32)> {
    let operations = world.bench.store.saved().operations.into_values();
    let creates = operations.filter(|operation| operation.kind == OperationKind::Create);
    creates.map(|create| (create.key.unwrap_or_default(), create.attempts)).collect()
}

/// A person is made in one of the systems, and the answer to the create in the other is lost.
fn answer_lost(from_crm: bool, fate: Fate) -> World {
    let mut world = World::new();
    world.fate(World::send_to(if from_crm { "erp" } else { "crm" }), fate);
    if from_crm {
        world.crm().person_creates(&ada())
    } else {
        world.erp().person_creates(&ada())
    };
    world.rest();
    assert_eq!(world.fates_left(), 0, "the answer was not lost: this test sees nothing");
    world
}

#[test]
fn fm_013_a_create_that_was_applied_and_not_answered_is_not_made_again() {
    for from_crm in [true, false] {
        let mut world = answer_lost(from_crm, Fate::LostBack);
        world.settle();
        world.holds(1);
        assert!(world.trash.is_empty(), "{:?}", world.trash);
    }
}

#[test]
fn fm_014_a_request_that_lands_after_it_was_given_up_and_looked_for_is_the_only_one() {
    let mut world = World::new();
    world.fate(World::send_to("crm"), Fate::Late);
    let customer = world.erp().person_creates(&ada());
    world.hear();
    // It is given up, and looked for in vain while it may still land.
    for _ in 0..4 {
        world.work_once();
    }
    assert!(world.reads() >= 4, "nobody has looked for it");
    assert_eq!(world.crm().saved().late.len(), 1);
    assert_eq!(creates_sent(&world), [(format!("pairline:erp:{}:crm:1", customer.id), 1)].to_vec(), "sent again");

    assert!(world.crm().land());
    world.settle();

    world.holds(1);
    assert_eq!(creates_sent(&world)[0].1, 1, "it was sent again");
}

/// Kills the program at each call of a create in turn, from the side it begins on; answers how many calls there were.
fn killed_at_every_call(from_crm: bool, check: impl Fn(&World, &RecordId, usize)) -> usize {
    for calls in 1.. {
        let mut world = World::new();
        let record = if from_crm { world.crm().person_creates(&ada()) } else { world.erp().person_creates(&ada()) };
        world.crm().take_events();
        world.erp().take_events();
        let mut work = world.begin(&record, None, 0);
        if !steps(&mut work, calls) {
            return calls;
        }
        world.dies_at([(record.clone(), work)]);
        check(&world, &record, calls);
        world.settle();
        world.holds(1);
        assert!(world.trash.is_empty(), "killed at call {calls}: {:?}", world.trash);
    }
    unreachable!("a walk ends")
}

#[test]
fn fm_015_a_kill_between_the_create_and_its_mapping_makes_no_second_record() {
    for from_crm in [true, false] {
        let between = std::cell::Cell::new(0);
        killed_at_every_call(from_crm, |world, record, _| {
            let made = if from_crm { world.erp().saved().records.len() } else { world.crm().saved().records.len() };
            if made == 1 && world.pair_of(record).is_none() {
                between.set(between.get() + 1);
            }
        });
        assert!(between.get() >= 2, "killed {} times between the create and its mapping", between.get());
    }
}

#[test]
fn fm_016_a_kill_before_the_inverse_id_is_written_leaves_it_to_be_written_and_counted() {
    for from_crm in [true, false] {
        let pending = std::cell::Cell::new(0);
        killed_at_every_call(from_crm, |world, record, calls| {
            let counts = run_now(world.bench.store.counts()).unwrap();
            let Some(pair) = world.pair_of(record) else { return };
            let signed = match from_crm {
                true => world.crm().saved().records[&record.id].contains_key("erp_id"),
                false => world.erp().saved().records[&record.id].contains_key("custom_fields.crm_id"),
            };
            if !signed {
                assert_eq!(counts.inverse_pending, 1, "killed at call {calls}: {pair:?}");
                pending.set(pending.get() + 1);
            }
        });
        assert!(pending.get() >= 1, "no kill left an inverse id to be written");
    }
}

/// Runs two works side by side: the first for so many calls, then the other one, then the first again, and so on.
fn side_by_side(world: &mut World, works: [(RecordId, Work); 2], turns: &[usize]) {
    let mut works = works.map(Some);
    let mut turns = turns.iter().copied().chain(std::iter::repeat(1));
    let mut at = 0;
    while works.iter().any(Option::is_some) {
        let calls = turns.next().unwrap_or(1);
        for _ in 0..calls {
            let Some((record, work)) = works[at].as_mut() else { break };
            if let Poll::Ready(disposition) = step(work) {
                world.ended(&record.clone(), disposition, 0);
                works[at] = None;
            }
        }
        at = 1 - at;
    }
}

/// Every way in which two workers can stand in each other's way, with up to three changes from one to the other; after
/// that they take turns call by call. Answers how many there were.
fn every_way(prepare: impl Fn() -> (World, [(RecordId, Work); 2]), check: impl Fn(World)) -> usize {
    let mut ways = 0;
    for first in 0..14 {
        for second in 1..14 {
            for third in [1, 2, 4, 14] {
                let (mut world, works) = prepare();
                side_by_side(&mut world, works, &[first, second, third]);
                world.settle();
                check(world);
                ways += 1;
            }
        }
    }
    ways
}

#[test]
fn fm_005_news_of_a_create_and_of_an_edit_at_once_make_one_record() {
    let ways = every_way(
        || {
            let world = World::new();
            let contact = world.crm().person_creates(&ada());
            world.crm().person_edits(&contact.id, &json!({ "email": "new@example.org" }));
            let works = world.crm().take_events().into_iter().map(|(record, facts)| {
                let work = world.begin(&record, Some(facts), 0);
                (record, work)
            });
            let works: [(RecordId, Work); 2] = works.collect::<Vec<_>>().try_into().ok().unwrap();
            (world, works)
        },
        |world| {
            world.holds(1);
            let customer = world.erp().saved().records.into_keys().next().unwrap();
            assert_eq!(world.of_customer(&customer, "email"), "new@example.org");
        },
    );
    assert!(ways > 500);
}

#[test]
fn fm_017_of_two_workers_with_one_new_record_one_creates_and_the_other_finds_that_out() {
    for from_crm in [true, false] {
        every_way(
            || {
                let world = World::new();
                let record =
                    if from_crm { world.crm().person_creates(&ada()) } else { world.erp().person_creates(&ada()) };
                let works = [0, 1].map(|_| (record.clone(), world.begin(&record, None, 0)));
                (world, works)
            },
            |world| {
                world.holds(1);
                assert_eq!(creates_sent(&world).len(), 1, "a second create was reserved");
            },
        );
    }
}

/// The ERP keeps a key for a day; an hour before that it is not trusted any more.
#[test]
fn fm_020_a_key_is_not_used_any_more_an_hour_before_it_expires() {
    for (age, looked_up) in [(DAY - HOUR - Duration::from_secs(1), false), (DAY - HOUR, true), (2 * DAY, true)] {
        let tester = NodeTester::new(pairline_nodes::register);
        let contact = tester.crm.person_creates(&ada()).id;
        let create = || tester.run("create", json!({ "application": "erp" }), tester.seen("crm", &contact));
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        create().unwrap_err();
        // By then the ERP has forgotten the key: whoever sent it would make a second customer.
        if looked_up {
            let mut forgetful = tester.erp.saved();
            forgetful.keys.clear();
            tester.erp.restore(forgetful);
        }
        tester.pass(age);
        let reads = tester.erp.saved().reads;
        // While the key counts, nothing is seen at a glance.
        if !looked_up {
            tester.fate(Step::Read(System::new("erp")), Fate::LostThere);
        }

        let ended = create().unwrap();

        assert_eq!(ended.route(), Some(if looked_up { "mapped" } else { "created" }), "after {age:?}");
        assert_eq!(tester.erp.saved().reads > reads, looked_up, "after {age:?}");
        assert_eq!(tester.erp.saved().records.len(), 1, "after {age:?}");
    }
}

#[test]
fn fm_021_a_create_is_sent_again_with_the_same_bytes_though_its_record_has_changed() {
    let mut world = World::new();
    let contact = world.crm().person_creates(&ada());
    world.fate(World::send_to("erp"), Fate::LostThere);
    world.work_once();
    let sent = |world: &World| {
        let operations = world.bench.store.saved().operations;
        let create = operations.into_values().find(|operation| operation.kind == OperationKind::Create).unwrap();
        (create.attempts, create.request.body.clone(), create.key)
    };
    let (attempts, body, key) = sent(&world);
    assert_eq!(attempts, 1);
    world.crm().person_edits(&contact.id, &json!({ "email": "new@example.org", "phone": "2" }));

    world.settle();

    assert_eq!(sent(&world), (2, body, key));
    world.holds(1);
    let customer = world.erp().saved().records.into_keys().next().unwrap();
    assert_eq!(world.of_customer(&customer, "email"), "new@example.org", "the edit goes over by itself");
}

#[test]
fn fm_023_a_system_without_keys_is_fenced_by_a_unique_field_or_looked_up_or_left_to_a_person() {
    let lost = |class, fate| {
        let tester = NodeTester::with_erp_class(pairline_nodes::register, class);
        let contact = tester.crm.person_creates(&ada()).id;
        tester.fate(Step::Send(System::new("erp")), fate);
        let create =
            |tester: &NodeTester| tester.run("create", json!({ "application": "erp" }), tester.seen("crm", &contact));
        create(&tester).unwrap_err();
        tester.pass(Duration::from_secs(60));
        let again = create(&tester);
        (tester, again)
    };
    // It says itself which records are one: sent again when a glance shows none.
    let (tester, again) = lost(CapabilityClass::A, Fate::LostThere);
    assert_eq!(again.unwrap().route(), Some("created"));
    assert_eq!((tester.erp.saved().records.len(), tester.erp.saved().reads), (1, 1));
    // It can only be searched: found, and not sent again.
    let (tester, again) = lost(CapabilityClass::C, Fate::LostBack);
    assert_eq!(again.unwrap().route(), Some("mapped"));
    assert_eq!(tester.erp.saved().records.len(), 1);
    // It can do nothing: a person decides, however often it is asked.
    let (tester, again) = lost(CapabilityClass::D, Fate::LostBack);
    assert_eq!(again.unwrap().route(), None);
    assert_eq!((tester.erp.saved().records.len(), tester.open_cases()), (1, 1));
    let state = tester.store.saved();
    assert_eq!(state.cases[0].0.kind, CaseKind::UnknownCreate);
    assert!(state.operations.values().all(|operation| operation.state == OperationState::Unknown));
}

/// The search shows a contact so long after it was made; what it shows before that is nothing.
#[test]
fn fm_024_a_search_that_lags_is_not_believed_when_it_finds_nothing() {
    for lag in [0, 1, 2, 3] {
        let mut world = World::new();
        let made = std::sync::Arc::new(std::sync::Mutex::new(None));
        let (clock, since) = (std::sync::Arc::clone(&world.bench.clock), std::sync::Arc::clone(&made));
        world.hooks().after_send = Some(Box::new(move |intent, outcome| {
            if intent.operation().kind == OperationKind::Create {
                since.lock().unwrap().get_or_insert(pairline_sdk::Clock::now(&*clock));
            }
            outcome
        }));
        let clock = std::sync::Arc::clone(&world.bench.clock);
        world.hooks().found = Some(Box::new(move |_, hits| {
            let shown = made.lock().unwrap().map(|made| made.plus(Duration::from_secs(lag)));
            if shown.is_some_and(|shown| pairline_sdk::Clock::now(&*clock) < shown) { vec![] } else { hits }
        }));
        // Nor does it announce itself: only the search can tell.
        world.tamper =
            Box::new(|events| events.into_iter().filter(|(record, _)| record.system.as_str() == "erp").collect());
        world.fate(World::send_to("crm"), Fate::LostBack);
        world.erp().person_creates(&ada());

        world.settle();

        world.holds(1);
        assert_eq!(creates_sent(&world)[0].1, 1, "with a lag of {lag} s it was sent again");
    }
}

/// A system that refuses each create, because a record that nobody can read stands in the way.
#[test]
fn fm_026_a_record_in_the_way_that_cannot_be_read_is_asked_about_once_and_not_fought() {
    let mut world = World::new();
    world.hooks().before_send = Some(Box::new(|intent| {
        let creates = intent.operation().kind == OperationKind::Create;
        creates.then(|| Outcome::Duplicate { id: Some("archived-1".to_owned()) })
    }));
    let customer = world.erp().person_creates(&ada());
    world.rest();
    let sent = creates_sent(&world).len();
    assert_eq!(sent, 1, "it was tried again by itself");

    // Whatever it is looked at for, the question stays one.
    for _ in 0..3 {
        world.look_at_everything();
        world.rest();
    }

    let cases = world.bench.store.saved().cases;
    assert_eq!(cases.len(), 1, "{cases:?}");
    assert_eq!(cases[0].0.kind, CaseKind::Duplicate);
    assert_eq!(cases[0].0.records, [RecordId::new(world.crm().system(), "archived-1"), customer]);
    assert_eq!(world.writes(), 0);
}

#[test]
fn fm_029_a_reservation_that_a_kill_left_is_named_at_the_start_and_ended() {
    let mut left = BTreeSet::new();
    for from_crm in [true, false] {
        for calls in 1.. {
            let mut world = World::new();
            let record = if from_crm { world.crm().person_creates(&ada()) } else { world.erp().person_creates(&ada()) };
            world.crm().take_events();
            world.erp().take_events();
            let mut work = world.begin(&record, None, 0);
            if !steps(&mut work, calls) {
                break;
            }
            // The hint is lost, too: recovery alone has to find what is open.
            world.dies_at([]);
            let counts = run_now(world.bench.store.counts()).unwrap();
            if counts.reservations_open == 0 {
                continue;
            }
            left.insert((from_crm, calls));
            assert!(counts.reservation_oldest.is_some());
            assert!(world.waiting() > 0, "killed at call {calls}: nobody looks at the reservation again");

            world.settle();

            let counts = run_now(world.bench.store.counts()).unwrap();
            assert_eq!((counts.reservations_open, counts.reservation_oldest), (0, None), "killed at call {calls}");
            world.holds(1);
        }
    }
    assert!(left.len() >= 4, "only {left:?} left a reservation");
}

#[test]
fn fm_018_a_create_under_way_in_other_hands_is_left_alone_until_it_can_no_longer_land() {
    // The worker is stopped in the midst of its send, for longer than any lease would last.
    let mut world = World::new();
    let customer = world.erp().person_creates(&ada());
    world.erp().take_events();
    let mut paused = world.begin(&customer, None, 0);
    let mut sending = 0;
    while world.bench.store.saved().operations.is_empty() {
        assert!(step(&mut paused).is_pending());
        sending += 1;
        assert!(sending < 20);
    }
    world.announce(&customer, None);
    for _ in 0..5 {
        world.work_once();
    }
    assert_eq!(world.crm().saved().records.len(), 0);

    // It wakes up and goes on where it was: only now its request leaves.
    let disposition = run_now(paused);
    world.ended(&customer, disposition, 0);
    world.settle();

    world.holds(1);
}

fn record(id: &str) -> Record {
    Record::new(id, json!({ "email": "ada@example.org" }).as_object().unwrap().clone())
}

#[test]
fn fm_025_a_record_in_the_way_is_adopted_only_when_it_names_the_one_it_is_made_for() {
    let named = [(Some("erp-1"), true), (Some("erp-9"), false), (None, false)];
    // Some refusals tell what stands in the way, and some do not.
    for ((names, adopted), is_told) in named.into_iter().flat_map(|named| [(named, true), (named, false)]) {
        let mut world = World::new();
        // It was there before, and nobody has announced it.
        let mut old = record("crm-77").fields;
        old.extend(names.map(|id| ("erp_id".to_owned(), json!(id))));
        let existing = world.crm().person_creates(&Value::Object(old));
        world.crm().take_events();
        let id = existing.id.clone();
        world.hooks().before_send = Some(Box::new(move |intent| {
            let creates = intent.operation().kind == OperationKind::Create;
            creates.then(|| Outcome::Duplicate { id: is_told.then(|| id.clone()) })
        }));
        let customer = world.erp().person_creates(&json!({ "email": "ada@example.org" }));
        assert_eq!(customer.id, "erp-1");
        world.rest();

        let paired = world.pair_of(&customer).map(|pair| pair.other(&customer.system).record.clone());
        assert_eq!(paired, adopted.then(|| existing.clone()), "the contact names {names:?}");
        let cases: Vec<CaseKind> = world.bench.store.saved().cases.iter().map(|(case, _)| case.kind).collect();
        assert_eq!(cases, if adopted { vec![] } else { vec![CaseKind::Duplicate] }, "the contact names {names:?}");
        assert_eq!(world.crm().saved().records.len(), 1);
        let untouched = world.of_contact(&existing.id, "erp_id") == names.map(Value::from).unwrap_or_default();
        assert!(untouched, "the contact that names {names:?} was written");
    }
}
