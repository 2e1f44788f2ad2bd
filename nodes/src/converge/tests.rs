mod newer;

use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::testing::{contact_contract, contact_document};
use pairline_sdk::{FieldDocument, FieldKind, OperationId, PairId, Policy, Provenance, RecordId, Request, Update};
use serde_json::json;

use super::*;

/// A contact of the CRM and its customer in the ERP.
#[derive(Clone)]
struct Scene {
    contract: SyncContract,
    pair: Pair,
    near: System,
    crm: Record,
    erp: Record,
    far_is_read: bool,
    received: BTreeMap<System, Receipts>,
    operations: Vec<Operation>,
    now: Timestamp,
}

/// Both have agreed on this and still hold it. The contact is looked at, and its customer has been read too.
fn agreed(crm: Value, erp: Value) -> Scene {
    let records = [RecordId::new(&System::new("crm"), "1"), RecordId::new(&System::new("erp"), "2")];
    let mut pair = Pair::found(PairId(1), "contact", records, "test", Timestamp::default());
    pair.agreement = Agreement::Known;
    pair.sides[0].base = Arc::new(fields(&crm));
    pair.sides[1].base = Arc::new(fields(&erp));
    Scene {
        contract: contact_contract(),
        pair,
        near: System::new("crm"),
        crm: Record::new("1", fields(&crm)),
        erp: Record::new("2", fields(&erp)),
        far_is_read: true,
        received: BTreeMap::new(),
        operations: Vec::new(),
        now: Timestamp::default(),
    }
}

fn fields(value: &Value) -> Fields {
    value.as_object().unwrap().clone()
}

impl Scene {
    fn now(mut self, system: &str, held: Value) -> Self {
        let record = if system == "crm" { &mut self.crm } else { &mut self.erp };
        record.fields = fields(&held);
        self
    }

    /// The two were found to name each other; nothing is known of what they agreed on.
    fn fresh(mut self) -> Self {
        self.pair.agreement = Agreement::Unknown;
        self
    }

    fn seen_from(mut self, system: &str) -> Self {
        self.near = System::new(system);
        self
    }

    fn far_unread(self) -> Self {
        Self { far_is_read: false, ..self }
    }

    fn far_read(self) -> Self {
        Self { far_is_read: true, ..self }
    }

    fn news(mut self, system: &str, name: &str, millis: i64) -> Self {
        let received = self.received.entry(System::new(system)).or_default();
        received.insert(name.to_owned(), Timestamp::from_millis(millis));
        self
    }

    fn changed_at(mut self, system: &str, millis: i64) -> Self {
        let record = if system == "crm" { &mut self.crm } else { &mut self.erp };
        record.changed_at = Some(Timestamp::from_millis(millis));
        self
    }

    fn with_field(self, name: &str, change: impl FnOnce(&mut FieldDocument)) -> Self {
        let mut document = contact_document();
        change(document.fields.get_mut(name).unwrap());
        Self { contract: SyncContract::check(&document).unwrap(), ..self }
    }

    /// What is to be written to a system has been sent, and nobody knows what became of it.
    fn sent_to(mut self, target: &str) -> Self {
        let operation = self.operation(target, self.writes_to(target), Timestamp::default());
        self.pair.opened(operation.into());
        self
    }

    fn operation(&self, target: &str, writes: Vec<FieldWrite>, sent_at: Timestamp) -> Operation {
        let update = Update {
            pair: self.pair.id,
            target: System::new(target),
            request: Request { method: "PATCH".into(), path: String::new(), body: String::new(), precondition: None }
                .into(),
            writes: writes.into(),
            inverse: None,
            rebase: vec![],
            supersedes: None,
            notes: vec![],
            deadline: Duration::ZERO,
            request_life: Duration::ZERO,
            provenance: Provenance::default(),
        };
        update.operation(OperationId("op".to_owned()), &self.pair, sent_at, 1)
    }

    fn look<T>(&self, judge: impl Fn(&Sight<'_>) -> T) -> T {
        let far = self.contract.other(&self.near);
        let (near_record, far_record) =
            if self.near.as_str() == "crm" { (&self.crm, &self.erp) } else { (&self.erp, &self.crm) };
        judge(&Sight {
            contract: &self.contract,
            pair: &self.pair,
            near: &self.near,
            near_record,
            near_received: self.received.get(&self.near).unwrap_or(&Receipts::new()),
            far_record: self.far_is_read.then_some(far_record),
            far_received: self.received.get(far),
            operations: Some(&self.operations),
            now: self.now,
        })
    }

    fn decision(&self) -> Result<Plan, Need> {
        self.look(decide)
    }

    fn plan(&self) -> Plan {
        self.decision().unwrap()
    }

    fn writes_to(&self, system: &str) -> Vec<FieldWrite> {
        let plan = self.plan();
        if self.near.as_str() == system { plan.to_near } else { plan.to_far }
    }

    fn goes_to(&self, system: &str) -> Vec<(Value, WriteReason)> {
        self.writes_to(system).into_iter().map(|write| (write.value.into(), write.reason)).collect()
    }

    fn stand_ins(&self) -> Vec<(System, Fields)> {
        let rebase = self.plan().rebase;
        self.look(|sight| stand_ins(sight, &rebase))
    }
}

fn phone(number: &str) -> Value {
    json!({ "phone": number })
}

fn bases<const N: usize>(of: [(&str, Value); N]) -> Vec<(System, Fields)> {
    of.into_iter().map(|(system, held)| (System::new(system), fields(&held))).collect()
}

#[test]
fn an_owner_edit_goes_over_without_a_read_of_the_other_side() {
    let scene = agreed(json!({}), json!({})).now("crm", json!({ "email": "a" })).far_unread();

    assert_eq!(scene.goes_to("erp"), [(json!({ "email": "a" }), WriteReason::OwnerEdit)]);
}

#[test]
fn an_owner_edit_is_one_whoever_is_looked_at_and_speaks_against_nobody() {
    let scene = agreed(json!({ "vat_id": "V" }), json!({ "vat_id": "V" })).now("erp", json!({ "vat_id": "W" }));

    for near in ["crm", "erp"] {
        let scene = scene.clone().seen_from(near);

        assert_eq!(scene.goes_to("crm"), [(json!({ "vat_id": "W" }), WriteReason::OwnerEdit)], "seen from {near}");
        assert_eq!(scene.goes_to("erp"), [], "seen from {near}");
        assert_eq!(scene.plan().notes, [], "seen from {near}");
    }
}

#[test]
fn nothing_changed_is_nothing_to_write() {
    let scene = agreed(json!({ "email": "a" }), json!({ "email": "a" }));

    assert_eq!(scene.plan(), Plan::default());
    assert_eq!(scene.far_unread().plan(), Plan::default());
}

#[test]
fn what_has_long_differed_is_left_alone_when_another_field_is_edited() {
    let scene = agreed(json!({ "phone": "1", "email": "a" }), json!({ "phone": "2", "email": "a" }))
        .now("crm", json!({ "phone": "1", "email": "b" }));

    assert_eq!(scene.goes_to("erp"), [(json!({ "email": "b" }), WriteReason::OwnerEdit)]);
    assert_eq!(scene.goes_to("crm"), []);
}

#[test]
fn a_write_remembers_what_both_sides_held_and_where_one_held_nothing() {
    let scene = agreed(json!({}), json!({})).now("crm", json!({ "phone": "1", "firstname": "Ada" }));

    let writes = scene.writes_to("erp");
    let of = |field: &str| writes.iter().find(|write| write.field == field).unwrap();

    assert_eq!(of("phone").seen_source, fields(&phone("1")));
    assert_eq!(of("phone").seen_target, Some(fields(&json!({ "phone": null }))));
    assert_eq!(of("name").seen_source, fields(&json!({ "firstname": "Ada", "lastname": null })));
    assert_eq!(of("name").seen_target, Some(fields(&json!({ "name": null }))));
}

#[test]
fn an_edit_on_the_side_that_does_not_own_the_field_asks_for_the_other_side_and_is_written_back() {
    let scene = agreed(json!({ "vat_id": "V" }), json!({ "vat_id": "V" })).now("crm", json!({ "vat_id": "X" }));
    assert_eq!(scene.clone().far_unread().decision(), Err(Need::FarRecord));

    let plan = scene.plan();

    assert_eq!(scene.goes_to("crm"), [(json!({ "vat_id": "V" }), WriteReason::Violation)]);
    assert_eq!(plan.notes[0].lost["vat_id"], "X");
    assert_eq!(plan.notes[0].kept, "V");
    assert!(plan.to_far.is_empty());
}

#[test]
fn an_edit_that_may_stay_is_noted_and_taken_as_it_is_and_asked_about_if_that_is_wished() {
    for (violation, asks) in [(Violation::Ignore, vec![]), (Violation::Ask, vec!["vat_id"])] {
        let plan = agreed(json!({ "vat_id": "V" }), json!({ "vat_id": "V" }))
            .now("crm", json!({ "vat_id": "X" }))
            .with_field("vat_id", |vat_id| vat_id.violation = violation)
            .plan();

        assert!(plan.to_far.is_empty() && plan.to_near.is_empty(), "{violation:?}");
        assert_eq!(plan.rebase, bases([("crm", json!({ "vat_id": "X" })), ("erp", json!({ "vat_id": "V" }))]));
        assert_eq!(plan.notes[0].lost["vat_id"], "X");
        assert_eq!(plan.asks, asks, "{violation:?}");
    }
}

#[test]
fn an_edit_that_may_stay_gives_way_to_the_owners_next_one_also_when_both_come_at_once() {
    let base = json!({ "vat_id": "V" });
    for violation in [Violation::Ignore, Violation::Ask] {
        let owner_alone =
            agreed(base.clone(), base.clone()).with_field("vat_id", |vat_id| vat_id.violation = violation);
        let owner_alone = owner_alone.now("erp", json!({ "vat_id": "W" }));
        let both = owner_alone.clone().now("crm", json!({ "vat_id": "X" }));

        let written = [(json!({ "vat_id": "W" }), WriteReason::OwnerEdit)];
        assert_eq!(owner_alone.goes_to("crm"), written);
        assert_eq!(owner_alone.plan().notes, []);
        assert_eq!(both.goes_to("crm"), written);
        assert_eq!(both.plan().notes[0].lost["vat_id"], "X");
        assert!(both.plan().asks.is_empty());
    }
}

#[test]
fn an_edit_that_may_stay_does_not_stop_the_owners_edit_that_is_on_its_way_to_it() {
    let scene = agreed(json!({ "vat_id": "V" }), json!({ "vat_id": "V" }))
        .with_field("vat_id", |vat_id| vat_id.violation = Violation::Ignore)
        .now("erp", json!({ "vat_id": "W" }))
        .sent_to("crm")
        .now("crm", json!({ "vat_id": "X" }));

    assert_eq!(scene.goes_to("crm"), [(json!({ "vat_id": "W" }), WriteReason::Violation)]);
}

#[test]
fn an_emptied_field_of_the_owner_empties_the_other_side() {
    let scene = agreed(json!({ "email": "a" }), json!({ "email": "a" })).now("crm", json!({})).far_unread();

    assert_eq!(scene.goes_to("erp"), [(json!({ "email": null }), WriteReason::OwnerEdit)]);
}

#[test]
fn a_pair_that_was_found_gets_the_owners_values_and_nobody_is_blamed() {
    let scene = agreed(json!({}), json!({}))
        .fresh()
        .now("crm", json!({ "email": "a", "vat_id": "X" }))
        .now("erp", json!({ "email": "b", "vat_id": "V" }));
    assert_eq!(scene.clone().far_unread().decision(), Err(Need::FarRecord));

    for near in ["crm", "erp"] {
        let scene = scene.clone().seen_from(near);

        assert_eq!(scene.goes_to("erp"), [(json!({ "email": "a" }), WriteReason::FirstCheck)], "seen from {near}");
        assert_eq!(scene.goes_to("crm"), [(json!({ "vat_id": "V" }), WriteReason::FirstCheck)], "seen from {near}");
        assert_eq!(scene.plan().notes, [], "seen from {near}");
    }
}

#[test]
fn after_a_record_was_gone_the_other_one_is_read_and_its_edit_comes_over() {
    let mut scene = agreed(json!({ "vat_id": "old" }), json!({ "vat_id": "old" })).now("erp", json!({ "vat_id": "V" }));
    assert_eq!(scene.clone().far_unread().decision(), Ok(Plan::default()), "it would have been announced");

    scene.pair.agreement = Agreement::Interrupted;

    assert_eq!(scene.clone().far_unread().decision(), Err(Need::FarRecord));
    assert_eq!(scene.goes_to("crm"), [(json!({ "vat_id": "V" }), WriteReason::OwnerEdit)]);
}

#[test]
fn one_edit_of_a_shared_field_goes_over_whichever_side_it_was_made_on() {
    for (edited, other) in [("crm", "erp"), ("erp", "crm")] {
        let scene = agreed(phone("0"), phone("0")).now(edited, phone("1"));

        for near in ["crm", "erp"] {
            let scene = scene.clone().seen_from(near);

            assert_eq!(scene.goes_to(other), [(phone("1"), WriteReason::SharedEdit)], "seen from {near}");
            assert_eq!(scene.goes_to(edited), [], "seen from {near}");
            assert_eq!(scene.plan().notes, [], "seen from {near}");
        }
    }
}

/// Both sides edit the phone; `crm` is the contact's, `erp` the customer's.
fn both_edit_the_phone() -> Scene {
    agreed(phone("0"), phone("0")).now("crm", phone("crm")).now("erp", phone("erp"))
}

#[test]
fn two_edits_that_are_to_be_united_are_written_to_both_sides_and_both_losers_are_kept() {
    let scene = both_edit_the_phone().with_field("phone", |phone| {
        phone.kind = FieldKind::Set;
        phone.policy = Some(Policy::SetUnion);
    });

    let plan = scene.plan();

    let united = [(json!({ "phone": ["crm", "erp"] }), WriteReason::Merge)];
    assert_eq!(scene.goes_to("crm"), united);
    assert_eq!(scene.goes_to("erp"), united);
    let lost: Vec<&Value> = plan.notes.iter().map(|note| &note.lost["phone"]).collect();
    assert_eq!(lost, ["crm", "erp"]);
    assert!(plan.notes.iter().all(|note| note.kind == NoteKind::Conflict));
}

#[test]
fn a_union_that_only_one_side_was_given_is_given_to_the_other_one_too() {
    let scene = agreed(json!({ "phone": ["crm"] }), json!({ "phone": ["crm", "erp"] })).with_field("phone", |phone| {
        phone.kind = FieldKind::Set;
        phone.policy = Some(Policy::SetUnion);
    });

    assert_eq!(scene.clone().far_unread().decision(), Err(Need::FarRecord));
    for near in ["crm", "erp"] {
        let scene = scene.clone().seen_from(near);
        assert_eq!(scene.goes_to("crm"), [(json!({ "phone": ["crm", "erp"] }), WriteReason::Merge)]);
        assert_eq!(scene.goes_to("erp"), []);
    }
}

#[test]
fn two_edits_that_a_person_is_to_decide_on_stay_as_they_are() {
    let plan = both_edit_the_phone().with_field("phone", |phone| phone.policy = Some(Policy::Ask)).plan();

    assert_eq!(plan, Plan { asks: vec!["phone".to_owned()], ..Plan::default() });
}

#[test]
fn an_answer_that_was_rounded_is_not_sent_again() {
    let scene = agreed(json!({ "credit_limit": "10" }), json!({ "credit_limit": 10.004 }));

    assert_eq!(scene.plan(), Plan::default());
}

#[test]
fn equal_edits_on_both_sides_agree_without_a_write() {
    let scene = agreed(json!({ "phone": "0", "email": "a" }), json!({ "phone": "0", "email": "a" }))
        .now("crm", json!({ "phone": "1", "email": "b" }))
        .now("erp", json!({ "phone": "1", "email": "b" }));

    let plan = scene.plan();

    assert!(plan.to_far.is_empty() && plan.to_near.is_empty());
    let both = json!({ "email": "b", "phone": "1" });
    assert_eq!(plan.rebase, bases([("crm", both.clone()), ("erp", both)]));
}

#[test]
fn as_long_as_a_write_is_open_both_sides_are_read() {
    let scene = agreed(json!({ "email": "a" }), json!({ "email": "a" })).now("crm", json!({ "email": "b" }));

    assert_eq!(scene.sent_to("erp").far_unread().decision(), Err(Need::FarRecord));
}

#[test]
fn a_write_that_did_not_arrive_goes_the_same_way_once_more() {
    for (edited, other) in [("crm", "erp"), ("erp", "crm")] {
        let scene = agreed(phone("0"), phone("0")).now(edited, phone("1")).sent_to(other);

        for near in ["crm", "erp"] {
            let scene = scene.clone().seen_from(near);

            assert_eq!(scene.goes_to(other), [(phone("1"), WriteReason::Redo)], "{edited}, seen from {near}");
            assert_eq!(scene.goes_to(edited), [], "{edited}, seen from {near}");
            assert_eq!(scene.plan().notes, [], "{edited}, seen from {near}");
        }
    }
}

#[test]
fn an_owners_value_that_was_sent_unseen_and_did_not_arrive_goes_over_once_more() {
    let scene = agreed(json!({ "firstname": "Ada" }), json!({ "name": "Ada" }))
        .now("crm", json!({ "firstname": "Ada", "lastname": "King" }))
        .far_unread()
        .sent_to("erp");

    let scene = scene.far_read();

    assert_eq!(scene.goes_to("erp"), [(json!({ "name": "Ada King" }), WriteReason::Redo)]);
    assert_eq!(scene.plan().notes, []);
}

#[test]
fn a_write_that_arrived_is_agreed_on_and_nobody_has_made_an_edit() {
    let scene = agreed(phone("0"), phone("0")).now("crm", phone("1"));

    let plan = scene.sent_to("erp").now("erp", phone("1")).plan();

    let both = phone("1");
    assert_eq!(plan, Plan { rebase: bases([("crm", both.clone()), ("erp", both)]), ..Plan::default() });
}

#[test]
fn an_edit_made_while_a_write_is_open_goes_over_whether_the_write_arrived_or_not() {
    let open = agreed(phone("0"), phone("0")).now("crm", phone("1")).sent_to("erp");

    for arrived in [phone("0"), phone("1")] {
        let edited = open.clone().now("erp", arrived).now("crm", phone("2"));

        assert_eq!(edited.goes_to("erp"), [(phone("2"), WriteReason::SharedEdit)]);
        assert_eq!(edited.goes_to("crm"), []);
        assert_eq!(edited.plan().notes, []);
    }
    let taken_back = open.now("erp", phone("1")).now("crm", phone("0"));
    assert_eq!(taken_back.goes_to("erp"), [(phone("0"), WriteReason::SharedEdit)]);
}

#[test]
fn an_edit_of_the_target_made_while_a_write_is_open_is_neither_the_old_value_nor_ours() {
    let open = agreed(phone("0"), phone("0")).now("crm", phone("1")).sent_to("erp");

    let edited = open.now("erp", phone("5"));

    assert_eq!(edited.goes_to("crm"), [(phone("5"), WriteReason::SharedEdit)]);
    assert_eq!(edited.goes_to("erp"), []);
}

#[test]
fn a_field_the_open_write_does_not_speak_of_is_compared_with_what_was_agreed() {
    let scene = agreed(json!({ "phone": "0", "vat_id": "V" }), json!({ "phone": "0", "vat_id": "V" }))
        .now("crm", json!({ "phone": "1", "vat_id": "V" }))
        .sent_to("erp")
        .now("erp", json!({ "phone": "1", "vat_id": "W" }));

    assert_eq!(scene.goes_to("crm"), [(json!({ "vat_id": "W" }), WriteReason::OwnerEdit)]);
    assert_eq!(scene.goes_to("erp"), []);
}

#[test]
fn a_value_that_has_arrived_and_was_edited_since_counts_as_agreed_when_another_write_takes_its_place() {
    for (edited, other) in [("crm", "erp"), ("erp", "crm")] {
        let open = agreed(phone("0"), phone("0")).now(edited, phone("1")).sent_to(other);
        let arrived = open.now(other, phone("1")).now(edited, phone("2"));

        for near in ["crm", "erp"] {
            let stand_ins = arrived.clone().seen_from(near).stand_ins();

            assert_eq!(stand_ins, bases([(edited, phone("1")), (other, phone("1"))]), "seen from {near}");
        }
    }
}

#[test]
fn a_value_sent_unseen_that_has_arrived_and_was_edited_since_counts_as_agreed_too() {
    let email = |email: &str| json!({ "email": email });
    let open = agreed(email("a"), email("a")).now("crm", email("b")).far_unread().sent_to("erp");

    let arrived = open.far_read().now("erp", email("b")).now("crm", email("c"));

    assert_eq!(arrived.stand_ins(), bases([("crm", email("b")), ("erp", email("b"))]));
}

#[test]
fn a_value_that_has_not_arrived_is_still_to_go_over_when_another_write_takes_its_place() {
    let both = |email: &str, phone: &str| json!({ "email": email, "phone": phone });
    let edited = agreed(both("a", "0"), both("a", "0")).now("crm", both("b", "1"));
    let seen = edited.clone().sent_to("erp");
    let unseen = agreed(both("a", "0"), both("a", "0")).now("crm", both("b", "0")).far_unread().sent_to("erp");

    assert_eq!(seen.stand_ins(), []);
    assert_eq!(unseen.far_read().stand_ins(), []);
}

#[test]
fn an_edit_of_the_target_wins_over_the_value_that_was_on_its_way_also_when_another_write_takes_its_place() {
    let open = agreed(phone("0"), phone("0")).now("crm", phone("1")).sent_to("erp");

    let edited = open.now("erp", phone("5"));

    assert_eq!(edited.stand_ins(), bases([("crm", phone("1")), ("erp", phone("1"))]));
}

#[test]
fn what_is_taken_as_agreed_needs_nothing_to_stand_in_for_it() {
    let open =
        agreed(json!({}), json!({})).now("crm", json!({ "firstname": "Ada", "lastname": "King" })).sent_to("erp");

    let arrived = open.now("erp", json!({ "name": "Ada King" }));

    assert_eq!(arrived.stand_ins(), []);
}

#[test]
fn only_a_record_that_holds_something_else_than_was_agreed_differs() {
    let scene = agreed(json!({ "credit_limit": "10", "phone": "0" }), json!({}));
    let differs = |held: Value| differs(&scene.contract, &scene.pair.sides[0], &fields(&held));

    assert!(!differs(json!({ "credit_limit": 10.0, "phone": "0" })));
    assert!(!differs(json!({ "credit_limit": "10", "phone": "0", "shoe_size": "38" })));
    assert!(differs(json!({ "credit_limit": "10", "phone": "1" })));
    assert!(differs(json!({ "credit_limit": "10" })));
}
