//! Which value of a field goes where, and what is nobody's edit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairline_sdk::testing::{Fate, MemoryApplication, TestRandom, contact_document};
use pairline_sdk::{
    ContractDocument, EventFacts, EventKind, FieldKind, Fields, NoteKind, OperationId, Outcome, Random, Record,
    SyncContract, System, Violation,
};
use serde_json::{Value, json};

use super::world::{World, step};

fn ada() -> Value {
    json!({ "email": "ada@example.org", "phone": "1", "vat_id": "V" })
}

fn contract(change: impl FnOnce(&mut ContractDocument)) -> SyncContract {
    let mut document = contact_document();
    change(&mut document);
    SyncContract::check(&document).unwrap()
}

/// The last writes that people made, and how many there were at most for each.
fn notes(world: &World) -> Vec<(NoteKind, String)> {
    world.bench.store.saved().notes.into_iter().map(|(_, _, note)| (note.kind, note.field)).collect()
}

#[test]
fn fm_044_our_own_write_coming_back_costs_neither_a_write_nor_a_read() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    let (writes, reads) = (world.writes(), world.reads());

    world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
    world.rest();
    world.erp().person_edits(&customer, &json!({ "vat_id": "W" }));
    world.rest();

    assert_eq!(world.writes() - writes, 2, "one write for each edit");
    assert_eq!(world.reads() - reads, 2, "one read for each edit");
    world.holds(1);
}

/// The news of our write is heard, and worked on, while its answer is still on its way.
#[test]
fn fm_045_our_own_write_that_is_announced_before_it_is_answered_is_nobodys_edit() {
    for creates in [true, false] {
        for from_crm in [true, false] {
            let mut world = World::new();
            let edited = if creates {
                if from_crm { world.crm().person_creates(&ada()) } else { world.erp().person_creates(&ada()) }
            } else {
                let (contact, customer) = world.pair(&ada());
                if from_crm {
                    world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
                    world.contact(&contact)
                } else {
                    world.erp().person_edits(&customer, &json!({ "vat_id": "W" }));
                    world.customer(&customer)
                }
            };
            world.crm().take_events();
            world.erp().take_events();
            let (writes, records) = (world.writes(), world.crm().saved().records.len());
            let mut work = world.begin(&edited, None, 0);
            while world.writes() == writes {
                assert!(step(&mut work).is_pending());
            }
            // It is applied and not answered; its news comes, and all that can be done about it is done.
            for _ in 0..6 {
                world.work_once();
            }
            assert_eq!(world.writes(), writes + 1, "its news made a write");
            let disposition = pairline_sdk::testing::run_now(work);
            world.ended(&edited, disposition, 0);
            world.settle();

            world.holds(1);
            assert!(notes(&world).is_empty(), "{:?}", notes(&world));
            let inverse = u64::from(creates);
            assert_eq!(world.writes() - writes, 1 + inverse, "{records} records before");
        }
    }
}

/// A third tool carries what it sees in one system into the other, in its own words.
#[test]
fn fm_046_a_third_tool_that_carries_values_round_makes_no_loop() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    let writes = world.writes();
    let mut rounds = 0_u64;
    for edit in 0..5 {
        world.crm().person_edits(&contact, &json!({ "email": format!("{edit}@example.org") }));
        for _ in 0..20 {
            world.rest();
            // It writes what it has seen a round ago into fields that neither it nor that side owns.
            let seen = world.of_customer(&customer, "email");
            let shouted = json!(seen.as_str().unwrap_or_default().to_uppercase());
            if rounds.is_multiple_of(3) {
                world.erp().person_edits(&customer, &json!({ "email": shouted }));
            }
            world.crm().person_edits(&contact, &json!({ "vat_id": "carried" }));
            rounds += 1;
        }
    }
    world.settle();

    world.holds(1);
    assert_eq!(world.of_contact(&contact, "email"), "4@example.org", "the owner's value stands");
    assert_eq!(world.of_contact(&contact, "vat_id"), "V");
    // Each of its edits costs at most the one write that takes it back.
    assert!(world.writes() - writes <= 5 + rounds + rounds.div_ceil(3), "{} writes", world.writes() - writes);
}

#[test]
fn fm_047_without_any_origin_marker_nothing_goes_round() {
    let mut world = World::new();
    world.tamper = Box::new(|events| {
        let stripped = |facts: EventFacts| EventFacts { operation: None, ours: false, ..facts };
        events.into_iter().map(|(record, facts)| (record, stripped(facts))).collect()
    });
    let (contact, customer) = world.pair(&ada());
    let writes = world.writes();

    world.crm().person_edits(&contact, &json!({ "email": "b@example.org", "phone": "2" }));
    world.rest();
    world.erp().person_edits(&customer, &json!({ "vat_id": "W", "phone": "3" }));
    world.rest();

    assert_eq!(world.writes() - writes, 2, "one write for each edit");
    world.holds(1);
}

/// A person's edit that carries the marker of a write of ours, because the marker has stayed on the record.
#[test]
fn fm_048_an_edit_that_carries_our_old_marker_goes_over() {
    let old = Arc::new(Mutex::new(None::<OperationId>));
    let mut world = World::new();
    let marker = Arc::clone(&old);
    world.tamper = Box::new(move |events| {
        let Some(operation) = marker.lock().unwrap().clone() else { return events };
        let marked = |facts: EventFacts| EventFacts {
            ours: facts.values.is_some(),
            operation: facts.values.is_none().then(|| operation.clone()),
            ..facts
        };
        events.into_iter().map(|(record, facts)| (record, marked(facts))).collect()
    });
    let (contact, customer) = world.pair(&ada());
    let first = world.bench.store.saved().operations.into_keys().next().unwrap();
    world.crm().person_edits(&contact, &json!({ "phone": "2" }));
    world.rest();
    *old.lock().unwrap() = Some(first);

    world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
    world.rest();
    world.erp().person_edits(&customer, &json!({ "vat_id": "W" }));
    world.rest();

    assert_eq!(world.of_customer(&customer, "email"), "b@example.org");
    assert_eq!(world.of_contact(&contact, "vat_id"), "W");
    world.holds(1);
}

/// A value that comes back to what it was: before, while and after the first edit is carried over.
#[test]
fn fm_049_a_value_that_returns_to_what_it_was_is_an_edit_like_any_other() {
    for steps_between in 0..12 {
        for lost in [None, Some(Fate::LostBack), Some(Fate::LostThere)] {
            let mut world = World::new();
            let (contact, customer) = world.pair(&ada());
            world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
            world.crm().take_events();
            if let Some(fate) = lost {
                world.fate(World::send_to("erp"), fate);
            }
            let record = world.contact(&contact);
            let mut work = world.begin(&record, None, 0);
            let over = !super::world::steps(&mut work, steps_between);
            world.crm().person_edits(&contact, &json!({ "email": "ada@example.org" }));
            if !over {
                let disposition = pairline_sdk::testing::run_now(work);
                world.ended(&record, disposition, 0);
            }
            world.rest();

            assert_eq!(world.of_customer(&customer, "email"), "ada@example.org", "after {steps_between} calls");
            world.holds(1);
        }
    }
}

/// Our own hand and a person's in one breath: what the person did is not taken for ours.
#[test]
fn fm_050_an_edit_beside_our_own_write_goes_over_and_so_does_our_write_back() {
    let mut world = World::new();
    let contact = world.crm().person_creates(&ada());
    while world.pair_of(&contact).is_none() {
        assert!(world.work_once());
    }
    // The inverse id is written back to the record whose news started all this.
    let customer = world.pair_of(&contact).unwrap().sides[1].record.id.clone();
    assert_eq!(world.of_contact(&contact.id, "erp_id"), json!(customer));
    // One event, as if by our hand: our inverse id, and a phone number that is not ours.
    world.crm().take_events();
    world.crm().person_edits(&contact.id, &json!({ "phone": "2" }));
    world.crm().take_events();
    let values: Fields = json!({ "erp_id": customer, "phone": "2" }).as_object().unwrap().clone();
    let facts = EventFacts {
        kind: EventKind::Updated,
        operation: None,
        ours: true,
        values: Some(values),
        fields: vec![],
        of_several: false,
    };
    world.announce(&contact, Some(facts));

    world.rest();

    assert_eq!(world.of_customer(&customer, "phone"), "2");
    world.holds(1);
}

/// The ERP keeps what it likes of a value: no spaces around, a small e-mail address, two decimals.
fn tidied(fields: &mut Fields) {
    for (name, value) in fields.iter_mut() {
        match (name.as_str(), &*value) {
            ("email", Value::String(text)) => *value = json!(text.trim().to_lowercase()),
            ("phone", Value::String(text)) => *value = json!(text.replace(' ', "")),
            ("credit_limit", Value::Number(number)) => {
                *value = json!((number.as_f64().unwrap_or_default() * 100.0).round() / 100.0);
            }
            _ => {}
        }
    }
}

fn tidies(erp: &Arc<MemoryApplication>) -> impl Fn(&pairline_sdk::Intent, Outcome) -> Outcome + Send + 'static {
    let erp = Arc::clone(erp);
    move |intent, outcome| {
        if intent.operation().target != *erp.system() {
            return outcome;
        }
        let mut saved = erp.saved();
        saved.records.values_mut().for_each(tidied);
        erp.restore(saved.clone());
        match outcome {
            Outcome::Committed { record } => {
                let fields = saved.records[&record.id].clone();
                Outcome::Committed { record: Record { fields, ..record } }
            }
            other => other,
        }
    }
}

#[test]
fn fm_051_a_system_that_writes_values_its_own_way_is_not_written_again_and_again() {
    let mut world = World::new();
    let hook = tidies(&world.bench.erp);
    world.hooks().after_send = Some(Box::new(hook));
    let contact = world
        .crm()
        .person_creates(&json!({ "email": " Ada@Example.ORG ", "phone": "+420 123 456", "credit_limit": "10.006" }));
    world.settle();
    let customer = world.pair_of(&contact).unwrap().sides[1].record.id.clone();
    assert_eq!(
        world.of_customer(&customer, "email"),
        "ada@example.org",
        "the ERP does not tidy: this test sees nothing"
    );
    let (writes, found) = (world.writes(), notes(&world));
    assert!(found.is_empty(), "taken for somebody's edit: {found:?}");

    for _ in 0..5 {
        world.look_at_everything();
        world.rest();
    }
    assert_eq!(world.writes(), writes, "it is written again and again");

    // An edit of one value leaves the others alone, and later edits go on as ever.
    world.crm().person_edits(&contact.id, &json!({ "phone": "+420 777" }));
    world.settle();
    assert_eq!(world.of_customer(&customer, "phone"), "+420777");
    assert_eq!(world.of_contact(&contact.id, "email"), " Ada@Example.ORG ", "the owner's own words are left to it");
    assert_eq!(world.writes(), writes + 1);
}

/// A workflow of the target changes other fields each time it is written.
#[test]
fn fm_052_what_a_workflow_changes_after_our_write_is_that_sides_edit() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    let erp = Arc::clone(&world.bench.erp);
    let runs = Arc::new(Mutex::new(0));
    let ran = Arc::clone(&runs);
    world.hooks().after_send = Some(Box::new(move |intent, outcome| {
        if intent.operation().target == *erp.system() && *ran.lock().unwrap() == 0 {
            *ran.lock().unwrap() += 1;
            let id = intent.operation().target_id.clone().unwrap();
            // One value is the ERP's own, the other one the CRM's.
            erp.person_edits(&id, &json!({ "vat_id": "by workflow", "name": "By Workflow" }));
        }
        outcome
    }));
    world.crm().person_edits(&contact, &json!({ "phone": "2" }));

    world.settle();

    assert_eq!(*runs.lock().unwrap(), 1);
    assert_eq!(world.of_contact(&contact, "vat_id"), "by workflow");
    assert_eq!(world.of_customer(&customer, "name"), Value::Null, "the CRM owns the name");
    assert_eq!(world.of_customer(&customer, "phone"), "2");
    world.holds(1);
}

/// Both sides change two fields, one owned and one shared; whichever news is worked on first.
#[test]
fn fm_053_of_two_edits_at_once_one_stands_on_both_sides_and_a_shared_loser_is_kept() {
    for crm_first in [true, false] {
        let mut world = World::new();
        let (contact, customer) = world.pair(&ada());
        world.crm().person_edits(&contact, &json!({ "email": "crm@example.org", "phone": "2" }));
        world.erp().person_edits(&customer, &json!({ "email": "erp@example.org", "phone": "3" }));
        world.tamper = Box::new(move |mut events| {
            if !crm_first {
                events.reverse();
            }
            events
        });

        world.settle();

        assert_eq!(world.of_customer(&customer, "email"), "crm@example.org");
        world.holds(1);
        let phone = world.of_customer(&customer, "phone");
        let kept = world.bench.store.saved().notes.into_iter().map(|(_, _, note)| note);
        let kept: Vec<Fields> = kept.filter(|note| note.kind == NoteKind::Conflict).map(|note| note.lost).collect();
        let loser = if phone == "2" { "3" } else { "2" };
        assert_eq!(kept, [json!({ "phone": loser }).as_object().unwrap().clone()], "the CRM first: {crm_first}");
    }
}

#[test]
fn fm_053_a_merge_is_the_same_whoever_is_looked_at_first() {
    let random = TestRandom::new(53);
    let (crm, erp) = (System::new("crm"), System::new("erp"));
    for policy in ["newest", "prefer crm", "prefer erp", "max", "set-union"] {
        let contract = contract(|document| {
            let phone = document.fields.get_mut("phone").unwrap();
            phone.policy = Some(serde_json::from_value(json!(policy)).unwrap());
            phone.kind = if policy == "set-union" { FieldKind::Set } else { FieldKind::Text };
        });
        let field = contract.field("phone").unwrap();
        for _ in 0..500 {
            let value = |system: &System| {
                let text: Vec<String> = (0..=random.below(3)).map(|_| random.below(20).to_string()).collect();
                let fields = json!({ "phone": text.join(";") }).as_object().unwrap().clone();
                field.canonical(&contract, system, &fields)
            };
            let (one, two, newer) = (value(&crm), value(&erp), random.below(2) == 0);
            let merged = field.merge((&crm, &one), (&erp, &two), newer);
            assert_eq!(merged, field.merge((&erp, &two), (&crm, &one), !newer), "{policy}: {one:?} and {two:?}");
            let merged = merged.unwrap();
            assert!(policy == "set-union" || merged == one || merged == two, "{policy} made up {merged:?}");
        }
    }
}

#[test]
fn fm_054_an_edit_of_what_the_other_side_owns_is_taken_back_or_left_or_asked_about_and_told() {
    for violation in [Violation::Revert, Violation::Ignore, Violation::Ask] {
        let mut world = World::under(contract(|document| {
            document.fields.get_mut("vat_id").unwrap().violation = violation;
        }));
        let (contact, customer) = world.pair(&ada());
        let writes = world.writes();
        world.crm().person_edits(&contact, &json!({ "vat_id": "typed" }));

        world.settle();

        let stands = if violation == Violation::Revert { "V" } else { "typed" };
        assert_eq!(world.of_contact(&contact, "vat_id"), stands, "{violation:?}");
        assert_eq!(world.of_customer(&customer, "vat_id"), "V", "{violation:?}: the owner was written");
        assert_eq!(world.writes() - writes, u64::from(violation == Violation::Revert), "{violation:?}");
        assert_eq!(notes(&world), [(NoteKind::Violation, "vat_id".to_owned())], "{violation:?}");
        let asked = world.bench.store.saved().cases.len();
        assert_eq!(asked, usize::from(violation == Violation::Ask), "{violation:?}");
        // The owner's next word counts whatever was decided.
        world.erp().person_edits(&customer, &json!({ "vat_id": "W" }));
        world.settle();
        assert_eq!(world.of_contact(&contact, "vat_id"), "W", "{violation:?}");
    }
}

/// The clocks of both systems are in nothing that is decided; ours goes back by a day between any two calls.
#[test]
fn fm_055_a_clock_that_goes_back_decides_nothing() {
    let day = Duration::from_secs(24 * 3600);
    for at in 0..14 {
        let mut world = World::new();
        let (contact, customer) = world.pair(&ada());
        world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
        world.erp().person_edits(&customer, &json!({ "vat_id": "W" }));
        world.erp().person_creates(&json!({ "email": "grace@example.org" }));
        let events = [world.crm().take_events(), world.erp().take_events()].concat();
        for (record, facts) in events {
            let mut work = world.begin(&record, Some(facts), 0);
            if super::world::steps(&mut work, at) {
                let now = pairline_sdk::Clock::now(&*world.bench.clock);
                world.bench.clock.set(now.minus(day));
                let disposition = pairline_sdk::testing::run_now(work);
                world.ended(&record, disposition, 0);
            }
        }
        world.settle();

        world.holds(2);
        assert_eq!(world.of_customer(&customer, "email"), "b@example.org", "set back at call {at}");
        assert_eq!(world.of_contact(&contact, "vat_id"), "W", "set back at call {at}");
    }
}

/// Every value comes back from the other side as what it was, and what it was is said in one way.
#[test]
fn fm_057_a_value_that_goes_over_and_comes_back_is_the_same_value() {
    let random = TestRandom::new(57);
    let (crm, erp) = (System::new("crm"), System::new("erp"));
    let mut carried = 0;
    for kind in ["text", "email", "phone", "decimal", "boolean", "set"] {
        for written in ["text", "natural"] {
            let contract = contract(|document| {
                let field = document.fields.get_mut("vat_id").unwrap();
                let mut raw = serde_json::to_value(&*field).unwrap();
                raw["type"] = json!(kind);
                if written == "text" {
                    raw["as"] = json!({ "crm": "text" });
                }
                *field = serde_json::from_value(raw).unwrap();
            });
            let field = contract.field("vat_id").unwrap();
            for _ in 0..4_000 {
                let value = some_value(kind, &random);
                let here = json!({ "vat_id": value }).as_object().unwrap().clone();
                let known = field.canonical(&contract, &erp, &here);
                let over = field.render(&contract, &crm, &known);
                let there = field.canonical(&contract, &crm, &over);
                let back = field.render(&contract, &erp, &there);
                assert_eq!(there, known, "{kind}: {value} became {over:?}");
                assert_eq!(field.canonical(&contract, &erp, &back), known, "{kind}: {value} came back as {back:?}");
                carried += 1;
            }
        }
    }
    assert_eq!(carried, 48_000);
}

fn some_value(kind: &str, random: &dyn Random) -> Value {
    let pick = |texts: &[&str]| texts[usize::try_from(random.below(texts.len() as u64)).unwrap()].to_owned();
    let word = || {
        let parts = ["a", "B", "ß", "é", "e\u{301}", " ", "0", "-", "+", ".", "@", ";", "\"", "<", "\u{200b}", "日"];
        (0..random.below(8)).map(|_| pick(&parts)).collect::<String>()
    };
    match (kind, random.below(6)) {
        (_, 0) => json!(word()),
        ("email", _) => json!(format!("{}@{}", word(), pick(&["Example.ORG", "example.org", "ÉXAMPLE.org"]))),
        ("phone", _) => {
            json!(format!("{}{} ({})", pick(&["+", "", "00"]), random.below(1_000_000), random.below(1000)))
        }
        ("decimal", 1) => json!(random.below(u64::MAX)),
        ("decimal", 2) => json!(f64::from(u32::try_from(random.below(1 << 32)).unwrap()) / 1000.0),
        ("decimal", _) => {
            let (whole, part) = (random.below(u64::MAX), random.below(1_000_000));
            json!(format!("{}{whole}.{part}{}", pick(&["", "-", "+", "000"]), pick(&["", "0", "000"])))
        }
        ("boolean", 1) => json!(random.below(2) == 0),
        ("boolean", _) => json!(pick(&["true", "FALSE", "1", "0", "yes", "no", "maybe"])),
        ("set", 1..=3) => json!([word(), word(), word()]),
        ("set", _) => json!(format!("{};{} ; {}", word(), word(), word())),
        _ => json!(word()),
    }
}

#[test]
fn fm_056_the_owner_empties_a_field_and_a_field_without_a_value_empties_nothing_that_was_not_there() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    // An explicit null of the owner clears.
    world.crm().person_edits(&contact, &json!({ "email": null }));
    world.settle();
    assert_eq!(world.of_customer(&customer, "email"), Value::Null);
    // Null, empty and missing are one: nothing is written to make one of another.
    let writes = world.writes();
    for nothing in [json!(""), Value::Null] {
        let mut saved = world.erp().saved();
        saved.records.get_mut(&customer).unwrap().insert("email".to_owned(), nothing);
        world.erp().restore(saved);
        world.look_at_everything();
        world.rest();
        assert_eq!(world.writes(), writes);
    }
    // Nor does the side that does not own a field clear it: what was emptied there is filled again.
    world.erp().person_edits(&customer, &json!({ "email": null }));
    world.crm().person_edits(&contact, &json!({ "vat_id": null, "email": "c@example.org" }));
    world.settle();
    assert_eq!(world.of_contact(&contact, "vat_id"), "V");
    assert_eq!(world.of_customer(&customer, "email"), "c@example.org");
    world.holds(1);
}

/// Between our read and our write a person edits the same record.
#[test]
fn fm_060_an_edit_between_our_read_and_our_write_is_not_overwritten() {
    let mut between = 0;
    for at in 0..10 {
        let mut world = World::new();
        let (contact, customer) = world.pair(&ada());
        world.crm().person_edits(&contact, &json!({ "email": "b@example.org" }));
        world.crm().take_events();
        let (record, writes) = (world.contact(&contact), world.writes());
        let mut work = world.begin(&record, None, 0);
        if !super::world::steps(&mut work, at) || world.writes() > writes {
            continue;
        }
        between += 1;
        world.erp().person_edits(&customer, &json!({ "vat_id": "W", "phone": "9" }));
        let disposition = pairline_sdk::testing::run_now(work);
        world.ended(&record, disposition, 0);
        assert_eq!(world.of_customer(&customer, "phone"), "9", "overwritten at call {at}");
        assert_eq!(world.of_customer(&customer, "vat_id"), "W", "overwritten at call {at}");

        world.settle();

        assert_eq!(world.of_contact(&contact, "phone"), "9");
        assert_eq!(world.of_customer(&customer, "email"), "b@example.org");
        world.holds(1);
    }
    assert!(between >= 4, "{between} edits came between the read and the write");
}

#[test]
fn fm_061_the_order_of_a_set_is_no_edit_and_a_new_member_is() {
    let mut world = World::under(contract(|document| {
        let phone = document.fields.get_mut("phone").unwrap();
        phone.kind = FieldKind::Set;
        phone.policy = Some(serde_json::from_value(json!("set-union")).unwrap());
    }));
    let contact = world.crm().person_creates(&json!({ "email": "a", "phone": "b;a;c" }));
    world.settle();
    let customer = world.pair_of(&contact).unwrap().sides[1].record.id.clone();
    let writes = world.writes();
    world.erp().person_edits(&customer, &json!({ "phone": ["c", "b", "a", "b"] }));
    world.crm().person_edits(&contact.id, &json!({ "phone": "c; a;b" }));
    world.settle();
    assert_eq!(world.writes(), writes, "an order was taken for an edit");

    // Both sides add a member at once: both stay.
    world.erp().person_edits(&customer, &json!({ "phone": ["a", "b", "c", "erp"] }));
    world.crm().person_edits(&contact.id, &json!({ "phone": "a;b;c;crm" }));
    world.settle();

    world.holds(1);
    let members = world.bench.contract.field("phone").unwrap();
    let of_customer =
        members.canonical(&world.bench.contract, world.erp().system(), &world.erp().saved().records[&customer]);
    assert_eq!(*of_customer.as_value(), json!(["a", "b", "c", "crm", "erp"]));
}
