//! Of two edits of a shared field, which is the newer one.

use pairline_sdk::OperationState;

use super::*;

/// Both sides edited the phone. The contact's edit was announced after 30 s, the customer's after 20 s; but the customer
/// was changed once more after 40 s, and nobody has told of that.
fn one_was_changed_unheard() -> Scene {
    let told = both_edit_the_phone().news("crm", "phone", 30_000).news("erp", "phone", 20_000);
    Scene { now: Timestamp::from_millis(41_000), ..told.changed_at("crm", 30_000).changed_at("erp", 40_000) }
}

impl Scene {
    fn with_another_vat_id(self) -> Self {
        self.now("erp", json!({ "phone": "erp", "vat_id": "V" }))
    }

    fn at(self, millis: i64) -> Self {
        Self { now: Timestamp::from_millis(millis), ..self }
    }

    /// The sync wrote one field of the customer, or tried to.
    fn wrote_to_the_erp(mut self, field: &str, seen: Value, sent: Value, sent_at: i64, ended: OperationState) -> Self {
        let write = FieldWrite {
            field: field.to_owned(),
            seen_source: Fields::new(),
            seen_target: Some(fields(&seen)),
            value: fields(&sent),
            reason: WriteReason::OwnerEdit,
        };
        let sent_at = Timestamp::from_millis(sent_at);
        let mut operation = self.operation("erp", vec![write], sent_at);
        (operation.state, operation.ended_at) = (ended, Some(sent_at));
        self.operations.push(operation);
        self
    }

    /// Whose phone stands in the end, whoever is looked at.
    fn winner(&self) -> Result<&'static str, Need> {
        let [of_crm, of_erp] = ["crm", "erp"].map(|near| {
            let plan = self.clone().seen_from(near).decision()?;
            let [to_near, to_far] = [&plan.to_near, &plan.to_far].map(|writes| {
                let write = writes.iter().find(|write| write.field == "phone");
                write.map(|write| (write.value["phone"].clone(), write.reason))
            });
            let (to_crm, to_erp) = if near == "crm" { (to_near, to_far) } else { (to_far, to_near) };
            match (to_crm, to_erp) {
                (Some((value, WriteReason::Merge)), None) if value == "erp" => Ok("erp"),
                (None, Some((value, WriteReason::Merge))) if value == "crm" => Ok("crm"),
                other => panic!("expected one of the two edits to go over, found {other:?}"),
            }
        });
        assert_eq!(of_crm, of_erp, "it does not matter who is looked at");
        of_crm
    }
}

#[test]
fn of_two_edits_of_a_shared_field_the_one_that_reached_us_last_wins_and_the_loser_is_kept() {
    let scene = both_edit_the_phone().news("crm", "*", 10);

    let far_wins = scene.clone().news("erp", "*", 20).plan();
    let near_wins = scene.news("erp", "*", 5).plan();

    assert_eq!(far_wins.to_near[0].value["phone"], "erp");
    assert_eq!(far_wins.notes[0].lost["phone"], "crm");
    assert!(far_wins.to_far.is_empty());
    assert_eq!(near_wins.to_far[0].value["phone"], "crm");
    assert_eq!(near_wins.notes[0].lost["phone"], "erp");
    assert!(near_wins.to_near.is_empty());
}

#[test]
fn an_edit_that_nobody_has_announced_yet_will_have_been_the_last() {
    let announced_in_the_crm = both_edit_the_phone().news("crm", "phone", 10);
    let announced_in_the_erp = both_edit_the_phone().news("erp", "phone", 10);

    for near in ["crm", "erp"] {
        let won_by = |scene: &Scene, loser: &str| scene.clone().seen_from(near).goes_to(loser);

        assert_eq!(won_by(&announced_in_the_crm, "crm"), [(phone("erp"), WriteReason::Merge)]);
        assert_eq!(won_by(&announced_in_the_erp, "erp"), [(phone("crm"), WriteReason::Merge)]);
    }
}

#[test]
fn of_two_edits_that_nobody_has_announced_the_same_one_wins_whoever_is_looked_at() {
    for near in ["crm", "erp"] {
        let scene = both_edit_the_phone().seen_from(near);

        assert_eq!(scene.goes_to("erp"), [(phone("crm"), WriteReason::Merge)], "seen from {near}");
        assert_eq!(scene.goes_to("crm"), [], "seen from {near}");
    }
}

#[test]
fn of_two_edits_announced_in_the_same_moment_the_one_whose_news_still_waits_wins() {
    let scene = both_edit_the_phone().news("crm", "phone", 10).news("erp", "phone", 10);

    assert_eq!(scene.clone().seen_from("crm").goes_to("crm"), [(phone("erp"), WriteReason::Merge)]);
    assert_eq!(scene.seen_from("erp").goes_to("erp"), [(phone("crm"), WriteReason::Merge)]);
}

#[test]
fn news_that_names_no_field_does_not_make_an_edit_newer_that_was_announced_before() {
    let scene = both_edit_the_phone().news("crm", "phone", 10).news("crm", "*", 40).news("erp", "phone", 30);

    assert_eq!(scene.goes_to("crm"), [(phone("erp"), WriteReason::Merge)]);
    assert_eq!(scene.goes_to("erp"), []);
}

#[test]
fn an_edit_is_no_newer_than_the_last_change_of_its_record_however_late_it_is_heard() {
    let announced_in_the_crm = both_edit_the_phone().news("crm", "phone", 30);
    let unheard = announced_in_the_crm.clone().changed_at("erp", 20);
    let polled = announced_in_the_crm.clone().news("erp", "*", 50).changed_at("erp", 20);
    let announced_late = announced_in_the_crm.clone().news("erp", "phone", 50).changed_at("erp", 20);
    let both_late = announced_late.clone().changed_at("crm", 10);
    let newer = announced_in_the_crm.news("erp", "*", 50).changed_at("erp", 40);

    for near in ["crm", "erp"] {
        for older in [&unheard, &polled, &announced_late] {
            assert_eq!(older.clone().seen_from(near).goes_to("erp"), [(phone("crm"), WriteReason::Merge)], "{near}");
        }
        for newer in [&both_late, &newer] {
            assert_eq!(newer.clone().seen_from(near).goes_to("crm"), [(phone("erp"), WriteReason::Merge)], "{near}");
        }
    }
}

#[test]
fn a_change_nobody_has_told_of_is_one_of_the_only_field_that_differs() {
    assert_eq!(one_was_changed_unheard().winner(), Ok("erp"));
    assert_eq!(one_was_changed_unheard().news("erp", "*", 41_000).winner(), Ok("erp"), "a poll names no field");
    let told_late = one_was_changed_unheard().news("crm", "phone", 20_500).changed_at("crm", 20_500);
    let just_told = |changed_at| told_late.clone().changed_at("erp", changed_at);
    assert_eq!(just_told(21_500).winner(), Ok("crm"), "stamps of whole seconds prove nothing within one");
    assert_eq!(just_told(21_501).winner(), Ok("erp"));
}

#[test]
fn while_it_may_have_been_another_field_its_news_is_waited_for_and_then_what_was_told_counts() {
    let unclear = one_was_changed_unheard().with_another_vat_id();

    assert_eq!(unclear.winner(), Err(Need::News(Timestamp::from_millis(45_000))));
    assert_eq!(unclear.clone().news("erp", "phone", 43_000).winner(), Ok("erp"));
    assert_eq!(unclear.clone().news("erp", "vat_id", 43_000).winner(), Ok("crm"));
    assert_eq!(unclear.clone().at(45_000).winner(), Ok("crm"));
    let newer_anyway = unclear.news("erp", "phone", 31_000);
    assert_eq!(newer_anyway.winner(), Ok("erp"), "nothing is waited for that would change nothing");
}

#[test]
fn an_edit_of_one_side_alone_waits_for_no_news_of_another_field() {
    let unclear = one_was_changed_unheard().with_another_vat_id();
    for (held, edited, other) in [("crm", "erp", "crm"), ("erp", "crm", "erp")] {
        for near in ["crm", "erp"] {
            let vat_id = if held == "erp" { json!({ "phone": "0", "vat_id": "V" }) } else { phone("0") };
            let scene = unclear.clone().now(held, vat_id).seen_from(near);
            assert!(scene.goes_to(other).contains(&(phone(edited), WriteReason::SharedEdit)), "{edited}, from {near}");
        }
    }
}

#[test]
fn what_a_write_of_our_own_has_changed_is_not_waited_for_and_makes_no_edit_newer() {
    let name = json!({ "name": "Ada" });
    let wrote = |held: &Value, state| {
        let scene = one_was_changed_unheard();
        let mut held = held.clone();
        held["phone"] = "erp".into();
        scene.now("erp", held).wrote_to_the_erp("name", json!({}), name.clone(), 39_900, state)
    };

    for state in [OperationState::Committed, OperationState::Unknown, OperationState::Superseded] {
        assert_eq!(wrote(&name, state).winner(), Ok("crm"), "{state:?}");
    }
    for state in [OperationState::Unknown, OperationState::Superseded, OperationState::NotSent] {
        assert_eq!(wrote(&json!({}), state).winner(), Ok("erp"), "{state:?}, and it did not arrive");
    }
}

#[test]
fn news_of_a_value_that_was_seen_since_and_is_there_no_more_is_spent() {
    let unclear = one_was_changed_unheard().with_another_vat_id().news("erp", "vat_id", 41_000);
    let seen = |phone: &str, at| {
        let tried = json!({ "phone": "crm" });
        unclear.clone().wrote_to_the_erp("phone", json!({ "phone": phone }), tried, at, OperationState::NotSent)
    };

    assert_eq!(unclear.winner(), Ok("crm"), "all that is known of the customer's phone is older");
    assert_eq!(seen("before", 35_000).winner(), Ok("erp"));
    assert_eq!(seen("erp", 35_000).winner(), Ok("crm"), "it is there still");
    assert_eq!(seen("before", 20_000).winner(), Ok("crm"), "the news came no earlier than that");
}

#[test]
fn what_was_decided_between_two_edits_stays_decided_when_the_write_is_never_made() {
    for near in ["crm", "erp"] {
        let mut scene = both_edit_the_phone().news("crm", "phone", 10).news("erp", "phone", 20).seen_from(near);
        assert_eq!(scene.winner(), Ok("erp"));
        scene.pair.rebased(&scene.plan().rebase, Timestamp::default());

        let again = scene.clone().news("crm", "phone", 30);
        assert_eq!(again.goes_to("crm"), [(phone("erp"), WriteReason::SharedEdit)], "late news of the loser");
        let edited_again = scene.clone().now("erp", phone("erp 2"));
        assert_eq!(edited_again.goes_to("crm"), [(phone("erp 2"), WriteReason::SharedEdit)]);
        let taken_back = scene.now("erp", phone("0"));
        assert_eq!(taken_back.goes_to("crm"), [(phone("0"), WriteReason::SharedEdit)], "it is not forgotten either");
    }
}

#[test]
fn an_edit_that_was_taken_back_is_no_edit() {
    let scene = both_edit_the_phone().now("erp", phone("0")).news("crm", "phone", 10).news("erp", "phone", 20);

    assert_eq!(scene.goes_to("erp"), [(phone("crm"), WriteReason::SharedEdit)]);
    assert_eq!(scene.goes_to("crm"), []);
}
