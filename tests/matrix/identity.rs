//! Which record is whose counterpart, for as long as both live.

use std::time::Duration;

use pairline_sdk::testing::{MemoryState, run_now};
use pairline_sdk::{CaseKind, Pair, PairStore};
use serde_json::{Value, json};

use super::world::World;

fn ada() -> Value {
    json!({ "email": "ada@example.org", "vat_id": "V" })
}

/// Brings a contact back as it was.
fn restore_contact(world: &World, id: &str, fields: &pairline_sdk::Fields) {
    let mut saved = world.crm().saved();
    saved.deleted.remove(id);
    saved.records.insert(id.to_owned(), fields.clone());
    world.crm().restore(saved);
}

fn cases(world: &World) -> Vec<CaseKind> {
    world.bench.store.saved().cases.iter().filter(|(_, closed)| !closed).map(|(case, _)| case.kind).collect()
}

/// What a split leaves: the record that was there before, and one beside it that holds the same inverse id.
#[test]
fn fm_035_an_inverse_id_that_a_split_has_copied_moves_no_pair() {
    for edited_first in [true, false] {
        let mut world = World::new();
        let (kept, customer) = world.pair(&ada());
        let pair = world.pair_of(&world.contact(&kept)).unwrap();
        let split = world.crm().person_creates(&json!({ "email": "split@example.org", "erp_id": customer }));
        if edited_first {
            world.crm().person_edits(&kept, &json!({ "email": "kept@example.org" }));
        }

        world.settle();

        let now = world.pair_of(&world.contact(&kept)).unwrap();
        assert_eq!((now.id, &now.sides[1].record), (pair.id, &pair.sides[1].record));
        assert_eq!(world.pair_of(&split), None);
        let email = if edited_first { "kept@example.org" } else { "ada@example.org" };
        assert_eq!(world.of_customer(&customer, "email"), email, "the split record has written the customer");
        assert_eq!(world.of_customer(&customer, "custom_fields.crm_id"), json!(kept));
    }
}

#[test]
fn fm_036_a_clone_with_the_originals_inverse_id_is_a_case_and_without_it_a_person_of_its_own() {
    let mut world = World::new();
    let (original, customer) = world.pair(&ada());
    let clone = world.crm().person_creates(&json!({ "email": "ada@example.org", "erp_id": customer }));
    world.settle();
    assert_eq!(cases(&world), [CaseKind::Copy]);
    assert_eq!((world.pair_of(&clone), world.erp().saved().records.len()), (None, 1));
    // Edits of the clone do not reach the original's customer.
    world.crm().person_edits(&clone.id, &json!({ "email": "clone@example.org" }));
    world.settle();
    assert_eq!(world.of_customer(&customer, "email"), "ada@example.org");
    assert_eq!(cases(&world), [CaseKind::Copy], "asked twice");

    world.crm().person_edits(&clone.id, &json!({ "erp_id": "" }));
    world.settle();

    world.holds(2);
    assert_ne!(world.pair_of(&world.contact(&original)).unwrap().id, world.pair_of(&clone).unwrap().id);
}

#[test]
fn fm_037_a_record_that_is_deleted_and_restored_has_its_old_counterpart_again() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    let before = world.pair_of(&world.contact(&contact)).unwrap();
    let fields = world.crm().saved().records[&contact].clone();
    world.crm().person_deletes(&contact);
    world.rest();
    assert!(!world.pair_of(&world.contact(&contact)).unwrap().is_active());
    // Whatever happens to the other one meanwhile is not carried anywhere, and makes nothing.
    world.erp().person_edits(&customer, &json!({ "vat_id": "W" }));
    world.settle();
    assert_eq!(world.crm().saved().records.len(), 0);

    restore_contact(&world, &contact, &fields);
    world.announce(&world.contact(&contact), None);
    world.settle();

    world.holds(1);
    assert_eq!(world.pair_of(&world.contact(&contact)).unwrap().id, before.id);
    assert_eq!(world.of_contact(&contact, "vat_id"), "W", "what its owner has done meanwhile comes over");
}

#[test]
fn fm_038_a_deletion_is_never_mirrored() {
    for in_crm in [true, false] {
        let mut world = World::new();
        let pairs: Vec<(String, String)> = (0..20).map(|_| world.pair(&ada())).collect();
        let writes = world.writes();
        for (contact, customer) in &pairs {
            if in_crm {
                world.crm().person_deletes(contact)
            } else {
                world.erp().person_deletes(customer)
            };
        }

        world.settle();

        let (contacts, customers) = (world.crm().saved().records.len(), world.erp().saved().records.len());
        assert_eq!((contacts, customers), if in_crm { (0, 20) } else { (20, 0) });
        assert_eq!(world.writes(), writes);
        assert!(world.bench.store.saved().pairs.values().all(|pair: &Pair| !pair.is_active()));
    }
}

#[test]
fn fm_039_a_counterpart_that_is_gone_when_it_is_to_be_written_is_not_made_again() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    world.erp().person_deletes(&customer);
    // Nobody has announced it.
    world.erp().take_events();

    for edit in 0..5 {
        world.crm().person_edits(&contact, &json!({ "email": format!("{edit}@example.org") }));
        world.settle();
    }

    assert_eq!(world.erp().saved().records.len(), 0);
    assert!(!world.pair_of(&world.contact(&contact)).unwrap().is_active());
    assert!(world.trash.is_empty(), "{:?}", world.trash);
}

#[test]
fn fm_041_a_new_e_mail_address_is_an_edit_of_the_same_person() {
    let mut world = World::new();
    let (ada_id, customer) = world.pair(&ada());
    let (grace, other) = world.pair(&json!({ "email": "grace@example.org" }));

    // They even change addresses with each other.
    world.crm().person_edits(&ada_id, &json!({ "email": "grace@example.org" }));
    world.crm().person_edits(&grace, &json!({ "email": "ada@example.org" }));
    world.settle();

    world.holds(2);
    assert_eq!(world.of_customer(&customer, "email"), "grace@example.org");
    assert_eq!(world.of_customer(&other, "email"), "ada@example.org");
    assert_eq!(world.pair_of(&world.contact(&ada_id)).unwrap().sides[1].record.id, customer);
}

#[test]
fn fm_042_two_contacts_that_name_one_customer_are_a_case_and_no_guess() {
    let mut world = World::new();
    let customer = world.erp().person_creates(&json!({ "email": "ada@example.org" }));
    world.erp().take_events();
    let contacts = ["a@example.org", "b@example.org"]
        .map(|email| world.crm().person_creates(&json!({ "email": email, "erp_id": customer.id })));

    world.rest();

    assert!(!cases(&world).is_empty() && cases(&world).iter().all(|kind| *kind == CaseKind::Ambiguous));
    for contact in contacts {
        assert_eq!(world.pair_of(&contact), None);
    }
    assert_eq!((world.writes(), world.erp().saved().records.len()), (0, 1));
}

#[test]
fn fm_043_a_record_has_one_counterpart_whoever_else_claims_it() {
    let mut world = World::new();
    let (contact, customer) = world.pair(&ada());
    // Another contact claims the customer, and the customer is pointed at another contact by hand.
    let other = world.crm().person_creates(&json!({ "email": "other@example.org", "erp_id": customer }));
    world.erp().person_edits(&customer, &json!({ "custom_fields.crm_id": other.id }));
    let writes = world.writes();

    for round in 0..5 {
        world.crm().person_edits(&contact, &json!({ "phone": round.to_string() }));
        world.crm().person_edits(&other.id, &json!({ "phone": format!("other {round}") }));
        world.settle();
        assert_eq!(world.of_customer(&customer, "phone"), json!(round.to_string()));
    }

    let pairs = run_now(world.bench.store.pairs(None, 10)).unwrap();
    assert_eq!(pairs.len(), 1);
    assert_eq!(world.of_customer(&customer, "custom_fields.crm_id"), json!(contact), "its own id is put back");
    assert!(world.writes() - writes <= 6, "{} writes for five edits and one inverse id", world.writes() - writes);
}

/// Everything the program knows is gone; both systems still name each other's records.
#[test]
fn fm_078_a_mapping_that_was_lost_is_rebuilt_from_what_the_records_say() {
    let mut world = World::new();
    for person in 0..10 {
        let fields = json!({ "email": format!("{person}@example.org"), "phone": person.to_string() });
        if person % 2 == 0 {
            world.crm().person_creates(&fields)
        } else {
            world.erp().person_creates(&fields)
        };
    }
    world.settle();
    world.holds(10);
    let truth = |world: &World| {
        let pairs = world.bench.store.saved().pairs.into_values();
        let mut pairs: Vec<_> = pairs
            .map(|pair| [world.crm(), world.erp()].map(|system| pair.side(system.system()).record.id.clone()))
            .collect();
        pairs.sort();
        pairs
    };
    let (before, records) = (truth(&world), (world.crm().saved().records, world.erp().saved().records));

    world.bench.store.restore(MemoryState::default());
    world.pass(Duration::from_secs(3600));
    world.look_at_everything();
    world.rest();

    assert_eq!(truth(&world), before);
    assert_eq!((world.crm().saved().records, world.erp().saved().records), records, "something was written");
    world.holds(10);
}
