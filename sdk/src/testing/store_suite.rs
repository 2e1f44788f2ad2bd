//! What every [`PairStore`] must do. A store that passes is safe under the shipped nodes.
//!
//! A new store writes a [`StoreUnderTest`] and one line:
//!
//! ```ignore
//! pairline_sdk::store_suite!(block_on, MyStoreUnderTest::make());
//! ```

#![expect(missing_docs, reason = "the name of a test is its sentence")]
#![expect(clippy::unwrap_used, reason = "these are tests, in a library for the sake of those who run them")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::TestClock;
use crate::{
    Adopted, Adoption, Begin, Case, CaseId, CaseKind, Clock, Create, Creates, Echo, EventFacts, EventKind, FieldWrite,
    Fields, Intent, InverseWrite, Look, Note, NoteKind, Operation, OperationState, Outcome, Pair, PairState, PairStore,
    Persisted, Provenance, Rebase, Record, RecordId, Request, Resend, Reserve, Revision, System, Timestamp, Update,
    WriteReason,
};

/// A store, and what a test does to it.
pub trait StoreUnderTest: Sized + Send {
    /// The store.
    fn store(&self) -> Arc<dyn PairStore>;

    /// The clock it reads.
    fn clock(&self) -> &TestClock;

    /// The program dies here, without a goodbye, and starts again on what is durable. Nobody else holds the store.
    fn restart(self) -> impl Future<Output = Self> + Send;
}

/// Makes a module of tests of everything in [`store_suite`](self): one test per behaviour.
///
/// `$block_on` runs a future to its end on the runtime the store needs; `$make` is a future of an empty store.
#[macro_export]
macro_rules! store_suite {
    ($block_on:expr, $make:expr) => {
        $crate::store_suite!(@tests $block_on, $make;
            a_record_nobody_has_seen_is_missing
            a_reserved_create_is_pending_for_everybody_else
            a_record_that_stood_nowhere_is_found_once_it_stands_somewhere
            of_many_reservations_at_once_exactly_one_wins
            nothing_is_reserved_until_creates_are_allowed
            a_known_answer_survives_a_crash_before_persist
            persist_maps_both_directions
            what_a_create_made_is_the_base_of_both_sides
            persisting_twice_finds_the_pair
            there_is_nothing_to_persist_without_an_answer
            a_refused_create_makes_room_for_a_new_incarnation_with_a_new_key
            a_create_that_was_not_sent_keeps_its_reservation
            a_create_is_sent_again_with_the_same_bytes_and_key
            of_two_who_send_a_create_again_one_is_late
            a_create_whose_answer_may_still_come_is_not_sent_again
            an_outcome_that_is_known_is_not_changed_by_a_later_guess
            an_unknown_outcome_becomes_known_when_the_answer_comes_late
            one_create_with_two_answers_opens_a_case_and_keeps_the_first
            a_record_that_names_an_open_create_is_its_outcome
            the_answer_of_an_adopted_create_agrees_when_it_comes
            another_record_than_the_create_answered_is_a_copy
            a_record_that_names_a_paired_record_is_a_copy
            a_paired_record_that_names_another_one_is_a_copy
            a_record_that_names_its_own_counterpart_is_paired
            a_record_that_names_a_stranger_is_verified_first
            a_record_that_names_one_that_is_gone_stays_alone
            of_many_updates_at_once_exactly_one_begins
            an_update_of_an_older_revision_is_stale
            a_committed_update_moves_the_base_of_its_own_fields_alone
            an_update_that_failed_leaves_the_base_and_frees_the_pair
            settling_twice_changes_nothing
            an_update_of_unknown_outcome_holds_its_pair_until_it_is_superseded
            what_agreed_is_taken_into_the_base_once
            nothing_is_taken_as_agreed_over_an_open_operation
            a_pair_with_a_record_gone_is_inactive_from_both_sides
            a_pair_comes_back_only_with_the_record_that_was_gone
            nothing_is_created_for_a_record_that_is_gone
            a_create_that_ends_after_its_source_is_gone_makes_an_inactive_pair
            an_event_that_names_the_newest_operation_is_an_echo
            an_event_with_the_values_we_left_is_an_echo_of_our_own_hand_alone
            an_event_of_a_create_under_way_waits_for_its_answer
            recovery_marks_what_an_earlier_start_left_and_names_its_records
            the_same_question_is_open_once
            pairs_are_listed_in_the_order_they_were_made
            many_records_are_looked_up_in_their_order
            a_record_has_its_whole_story
            what_the_store_holds_is_counted
            pruning_keeps_what_is_open_reserved_or_newest
        );
    };
    (@tests $block_on:expr, $make:expr; $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $block_on(async { $crate::testing::store_suite::$name($make.await).await });
            }
        )*
    };
}

fn crm() -> System {
    System::new("crm")
}

fn erp() -> System {
    System::new("erp")
}

fn contact(id: &str) -> RecordId {
    RecordId::new(&crm(), id)
}

fn customer(id: &str) -> RecordId {
    RecordId::new(&erp(), id)
}

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        other => panic!("expected an object, found {other}"),
    }
}

fn request(body: &str) -> Request {
    Request { method: "POST".into(), path: "/customers".into(), body: body.into() }
}

fn write(field: &str, seen: Value, sent: Value) -> FieldWrite {
    FieldWrite {
        field: field.into(),
        seen_source: fields(seen),
        seen_target: None,
        value: fields(sent),
        reason: WriteReason::OwnerEdit,
    }
}

fn provenance() -> Provenance {
    Provenance { correlation_id: "c-1".into(), topology: "crm-to-erp".into(), node: "create".into() }
}

fn create(id: &str) -> Create {
    Create {
        source: contact(id),
        target: erp(),
        contract: "contact".into(),
        request: request(r#"{"name":"Ada"}"#).into(),
        writes: vec![write("name", json!({ "firstname": "Ada", "lastname": "" }), json!({ "name": "Ada" }))].into(),
        inverse: Some(InverseWrite { field: "crm_id".into(), id: id.into() }),
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: provenance(),
    }
}

fn update(pair: &Pair, name: &str) -> Update {
    Update {
        pair: pair.id,
        target: erp(),
        request: request(&format!(r#"{{"name":"{name}"}}"#)).into(),
        writes: vec![write("name", json!({ "firstname": name }), json!({ "name": name }))].into(),
        inverse: None,
        rebase: Vec::new(),
        supersedes: None,
        notes: Vec::new(),
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: provenance(),
    }
}

fn note() -> Note {
    Note {
        kind: NoteKind::Violation,
        field: "name".into(),
        system: erp(),
        lost: fields(json!({ "name": "Eve" })),
        kept: json!("Ada"),
    }
}

fn committed(id: &str) -> Outcome {
    Outcome::Committed { record: Record::new(id, fields(json!({ "name": "Ada", "grade": "by somebody else" }))) }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: "name: too long".into() }
}

fn unknown() -> Outcome {
    Outcome::Unknown { reason: "no answer".into() }
}

fn not_sent() -> Outcome {
    Outcome::NotSent { reason: "connection refused".into(), after: None }
}

fn adoption(id: &str, names: &str, verified: bool) -> Adoption {
    Adoption {
        record: Record::new(id, fields(json!({ "name": "Ada, edited since" }))),
        system: erp(),
        names: contact(names),
        contract: "contact".into(),
        verified,
        topology: "erp-to-crm".into(),
    }
}

fn facts(kind: EventKind) -> EventFacts {
    EventFacts { kind, operation: None, ours: false, values: None, fields: Vec::new() }
}

/// A store that allows creates, and short words for what a test does with it.
struct Story(Arc<dyn PairStore>);

impl Story {
    async fn begin(store: &impl StoreUnderTest) -> Self {
        let story = Self(store.store());
        story.0.set_creates(&Creates::Allowed).await.unwrap();
        story
    }

    async fn reserve(&self, id: &str) -> Intent {
        match self.0.reserve(&create(id)).await.unwrap() {
            Reserve::Won(intent) => intent,
            other => panic!("expected a reservation, found {other:?}"),
        }
    }

    async fn settle(&self, intent: &Intent, outcome: Outcome) -> Operation {
        Arc::unwrap_or_clone(self.0.settle(intent, &outcome).await.unwrap().operation)
    }

    async fn pair(&self, id: &str, made: &str) -> Pair {
        let intent = self.reserve(id).await;
        self.settle(&intent, committed(made)).await;
        match self.0.persist(&intent.operation().id).await.unwrap() {
            Persisted::Recorded(pair) => Pair::clone(&pair),
            other => panic!("expected a new pair, found {other:?}"),
        }
    }

    async fn found(&self, id: &str) -> Pair {
        match self.0.look(&contact(id), &erp()).await.unwrap() {
            Look::Found(pair) => Pair::clone(&pair),
            other => panic!("expected a pair of {id}, found {other:?}"),
        }
    }

    async fn pending(&self, id: &str) -> Operation {
        match self.0.look(&contact(id), &erp()).await.unwrap() {
            Look::Pending(reservation) => reservation.operation,
            other => panic!("expected a pending create of {id}, found {other:?}"),
        }
    }

    async fn update(&self, update: &Update, revision: Revision) -> Intent {
        match self.0.begin(update, revision).await.unwrap() {
            Begin::Won(intent) => intent,
            other => panic!("expected a begun update, found {other:?}"),
        }
    }

    async fn open_cases(&self) -> Vec<Case> {
        self.0.cases(100).await.unwrap()
    }
}

pub async fn a_record_nobody_has_seen_is_missing(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;

    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);
}

pub async fn a_reserved_create_is_pending_for_everybody_else(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;

    assert_eq!(story.pending("1").await, *intent.operation());
    let Reserve::Taken(Look::Pending(reservation)) = story.0.reserve(&create("1")).await.unwrap() else {
        panic!("expected that the reservation is taken");
    };
    assert_eq!(reservation.operation, *intent.operation());
    assert_eq!(reservation.incarnation, 1);
    // Another record is another reservation.
    story.reserve("2").await;
}

/// Whoever remembers that a record has no pair must notice when it gets one, or a reservation.
pub async fn a_record_that_stood_nowhere_is_found_once_it_stands_somewhere(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let (source, made) = (contact("1"), customer("9"));
    let missing = async || {
        for (record, target) in [(&source, erp()), (&made, crm())] {
            assert_eq!(story.0.echo(record, &facts(EventKind::Updated)).await.unwrap(), Echo::Foreign);
            assert_eq!(story.0.look(record, &target).await.unwrap(), Look::Missing);
        }
    };
    missing().await;
    missing().await;

    let intent = story.reserve("1").await;
    assert_eq!(story.pending("1").await, *intent.operation());
    assert_eq!(story.0.look(&made, &crm()).await.unwrap(), Look::Missing);

    story.settle(&intent, committed("9")).await;
    story.0.persist(&intent.operation().id).await.unwrap();
    let pair = story.found("1").await;
    assert!(matches!(story.0.look(&made, &crm()).await.unwrap(), Look::Found(same) if *same == pair));
}

pub async fn of_many_reservations_at_once_exactly_one_wins(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let wanted = create("1");

    let answers = join_all((0..16).map(|_| story.0.reserve(&wanted))).await;

    let won = answers.iter().filter(|answer| matches!(answer, Ok(Reserve::Won(_)))).count();
    let taken = answers.iter().filter(|answer| matches!(answer, Ok(Reserve::Taken(Look::Pending(_))))).count();
    assert_eq!((won, taken), (1, 15));
}

pub async fn nothing_is_reserved_until_creates_are_allowed(test: impl StoreUnderTest) {
    let store = test.store();
    for creates in [Creates::Undecided, Creates::Held("both sides have unlinked records".into())] {
        store.set_creates(&creates).await.unwrap();
        assert_eq!(store.creates().await.unwrap(), creates);
        assert!(matches!(store.reserve(&create("1")).await.unwrap(), Reserve::Held(_)));
        assert_eq!(store.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);
    }
    store.set_creates(&Creates::Allowed).await.unwrap();
    drop(store);
    let test = test.restart().await;
    assert_eq!(test.store().creates().await.unwrap(), Creates::Allowed);
    assert!(matches!(test.store().reserve(&create("1")).await.unwrap(), Reserve::Won(_)));
}

pub async fn a_known_answer_survives_a_crash_before_persist(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;
    drop(story);

    let test = test.restart().await;
    let story = Story(test.store());

    let operation = story.pending("1").await;
    assert_eq!((operation.state, operation.target_id.as_deref()), (OperationState::Committed, Some("9")));
    assert!(matches!(story.0.persist(&operation.id).await.unwrap(), Persisted::Recorded(_)));
}

pub async fn persist_maps_both_directions(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;

    assert_eq!(story.found("1").await, pair);
    let Look::Found(back) = story.0.look(&customer("9"), &crm()).await.unwrap() else {
        panic!("expected that the mapping is found from the other side");
    };
    assert_eq!(*back, pair);
    let Reserve::Taken(Look::Found(taken)) = story.0.reserve(&create("1")).await.unwrap() else {
        panic!("expected that a mapped record needs no create");
    };
    assert_eq!(taken.id, pair.id);
}

pub async fn what_a_create_made_is_the_base_of_both_sides(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;

    let (source, made) = (pair.side(&crm()), pair.side(&erp()));
    // Empty is nothing, and what was not in the body is not ours to know.
    assert_eq!(*source.base, fields(json!({ "firstname": "Ada" })));
    assert_eq!(*made.base, fields(json!({ "name": "Ada" })));
    assert_eq!((source.created_by_us, made.created_by_us), (false, true));
    assert_eq!((source.inverse_written, made.inverse_written), (false, true));
    assert!(source.newest.is_none() && made.newest.is_some());
    assert_eq!((pair.created_by.as_str(), pair.contract.as_str()), ("crm-to-erp", "contact"));
    assert_eq!((pair.fresh, pair.open.is_none(), pair.is_active()), (false, true, true));
}

pub async fn persisting_twice_finds_the_pair(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;

    let answers = join_all((0..4).map(|_| story.0.persist(&intent.operation().id))).await;

    let recorded = answers.iter().filter(|answer| matches!(answer, Ok(Persisted::Recorded(_)))).count();
    let already = answers.iter().filter(|answer| matches!(answer, Ok(Persisted::Already(_)))).count();
    assert_eq!((recorded, already), (1, 3));
    assert_eq!(story.0.pairs(None, 10).await.unwrap().len(), 1);
}

pub async fn there_is_nothing_to_persist_without_an_answer(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    let operation = &intent.operation().id;

    assert_eq!(story.0.persist(operation).await.unwrap(), Persisted::Nothing);
    story.settle(&intent, unknown()).await;
    assert_eq!(story.0.persist(operation).await.unwrap(), Persisted::Nothing);
    assert_eq!(story.0.pairs(None, 10).await.unwrap(), Vec::new());
}

pub async fn a_refused_create_makes_room_for_a_new_incarnation_with_a_new_key(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let first = story.reserve("1").await;
    story.settle(&first, failed()).await;
    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);

    let second = story.reserve("1").await;

    assert_ne!(second.operation().id, first.operation().id);
    assert_eq!(first.operation().key.as_deref(), Some("pairline:crm:1:erp:1"));
    assert_eq!(second.operation().key.as_deref(), Some("pairline:crm:1:erp:2"));
    // The one that was refused cannot come back to take the place of the second.
    assert_eq!(story.0.resend(&first.operation().id, 1).await.unwrap(), Resend::Moved);
    assert_eq!(story.pending("1").await.id, second.operation().id);
}

pub async fn a_create_that_was_not_sent_keeps_its_reservation(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, not_sent()).await;

    assert_eq!(story.pending("1").await.state, OperationState::NotSent);
    assert!(matches!(story.0.reserve(&create("1")).await.unwrap(), Reserve::Taken(Look::Pending(_))));
}

pub async fn a_create_is_sent_again_with_the_same_bytes_and_key(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;
    test.clock().advance(Duration::from_secs(5));

    let Resend::Won(again) = story.0.resend(&intent.operation().id, 1).await.unwrap() else {
        panic!("expected that it may be sent again");
    };

    let (before, after) = (intent.operation(), again.operation());
    assert_eq!((&after.request, &after.key), (&before.request, &before.key));
    assert_eq!((after.state, after.attempts), (OperationState::Pending, 2));
    // The key ages from the first time, the request's life is counted from the last.
    assert_eq!(after.first_sent_at, before.first_sent_at);
    assert_eq!(after.sent_at, test.clock().now());
    assert_eq!(story.pending("1").await, *after);
}

pub async fn of_two_who_send_a_create_again_one_is_late(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;

    let answers = join_all((0..8).map(|_| story.0.resend(&intent.operation().id, 1))).await;

    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Resend::Won(_)))).count(), 1);
    story.settle(&intent, unknown()).await;
    assert_eq!(story.0.resend(&intent.operation().id, 1).await.unwrap(), Resend::Moved, "it was sent twice by now");
}

pub async fn a_create_whose_answer_may_still_come_is_not_sent_again(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    let operation = &intent.operation().id;

    assert_eq!(story.0.resend(operation, 1).await.unwrap(), Resend::Moved);
    test.clock().advance(Duration::from_secs(30));
    assert!(matches!(story.0.resend(operation, 1).await.unwrap(), Resend::Won(_)), "its deadline is over");
    story.settle(&intent, committed("9")).await;
    assert_eq!(story.0.resend(operation, 2).await.unwrap(), Resend::Moved, "it has its answer");
}

pub async fn an_outcome_that_is_known_is_not_changed_by_a_later_guess(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;

    for guess in [unknown(), failed(), not_sent(), Outcome::Gone, Outcome::Duplicate { id: Some("8".into()) }] {
        let operation = story.settle(&intent, guess).await;
        assert_eq!((operation.state, operation.target_id.as_deref()), (OperationState::Committed, Some("9")));
    }
    assert_eq!(story.pending("1").await.state, OperationState::Committed);
}

pub async fn an_unknown_outcome_becomes_known_when_the_answer_comes_late(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;

    let operation = story.settle(&intent, committed("9")).await;

    assert_eq!((operation.state, operation.target_id.as_deref()), (OperationState::Committed, Some("9")));
    assert!(matches!(story.0.persist(&operation.id).await.unwrap(), Persisted::Recorded(_)));
}

pub async fn one_create_with_two_answers_opens_a_case_and_keeps_the_first(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;

    let operation = story.settle(&intent, committed("8")).await;

    assert_eq!(operation.target_id.as_deref(), Some("9"));
    let cases = story.open_cases().await;
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].kind, CaseKind::Copy);
    assert!([customer("8"), customer("9"), contact("1")].iter().all(|record| cases[0].records.contains(record)));
}

pub async fn a_record_that_names_an_open_create_is_its_outcome(test: impl StoreUnderTest) {
    for outcome in [None, Some(unknown()), Some(not_sent()), Some(committed("9"))] {
        let (id, made) = (format!("{outcome:?}").len().to_string(), "9".to_owned() + &format!("{outcome:?}"));
        let story = Story::begin(&test).await;
        let intent = story.reserve(&id).await;
        if let Some(outcome) = outcome.clone() {
            let outcome = if matches!(outcome, Outcome::Committed { .. }) { committed(&made) } else { outcome };
            story.settle(&intent, outcome).await;
        }

        let adopted = story.0.adopt(&adoption(&made, &id, false)).await.unwrap();

        let Adopted::Paired(pair) = adopted else { panic!("expected a pair after {outcome:?}, found {adopted:?}") };
        assert_eq!(story.found(&id).await, *pair);
        // The record was edited since: what was agreed is what we sent.
        assert_eq!(*pair.side(&erp()).base, fields(json!({ "name": "Ada" })));
        assert!(pair.side(&erp()).created_by_us && !pair.fresh);
    }
}

pub async fn the_answer_of_an_adopted_create_agrees_when_it_comes(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.0.adopt(&adoption("9", "1", false)).await.unwrap();

    let operation = story.settle(&intent, committed("9")).await;

    assert_eq!(operation.state, OperationState::Committed);
    assert!(matches!(story.0.persist(&operation.id).await.unwrap(), Persisted::Already(_)));
    assert_eq!(story.open_cases().await, Vec::new());
    // And an answer that names another record does not pass unseen.
    story.settle(&intent, committed("8")).await;
    assert_eq!(story.open_cases().await.len(), 1);
}

pub async fn another_record_than_the_create_answered_is_a_copy(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;

    assert!(matches!(story.0.adopt(&adoption("8", "1", true)).await.unwrap(), Adopted::Copy(_)));

    assert_eq!(story.open_cases().await.len(), 1);
    assert!(matches!(story.0.persist(&intent.operation().id).await.unwrap(), Persisted::Recorded(_)));
}

pub async fn a_record_that_names_a_paired_record_is_a_copy(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    story.pair("1", "9").await;

    let first = story.0.adopt(&adoption("8", "1", true)).await.unwrap();
    let second = story.0.adopt(&adoption("8", "1", false)).await.unwrap();

    let Adopted::Copy(case) = first else { panic!("expected a copy, found {first:?}") };
    assert_eq!(second, Adopted::Copy(case), "the same copy is one case");
    assert_eq!(story.found("1").await.side(&erp()).record, customer("9"));
    assert_eq!(story.0.look(&customer("8"), &crm()).await.unwrap(), Look::Missing);
}

pub async fn a_paired_record_that_names_another_one_is_a_copy(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;

    assert!(matches!(story.0.adopt(&adoption("9", "2", true)).await.unwrap(), Adopted::Copy(_)));

    assert_eq!(story.found("1").await, pair);
    assert_eq!(story.0.look(&contact("2"), &erp()).await.unwrap(), Look::Missing);
}

pub async fn a_record_that_names_its_own_counterpart_is_paired(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;

    assert_eq!(story.0.adopt(&adoption("9", "1", false)).await.unwrap(), Adopted::Paired(Arc::new(pair)));
    assert_eq!(story.open_cases().await, Vec::new());
}

pub async fn a_record_that_names_a_stranger_is_verified_first(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    assert_eq!(story.0.adopt(&adoption("9", "1", false)).await.unwrap(), Adopted::Unverified);
    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Missing);

    let Adopted::Paired(pair) = story.0.adopt(&adoption("9", "1", true)).await.unwrap() else {
        panic!("expected that a verified record is adopted");
    };

    assert_eq!(story.found("1").await, *pair);
    assert!(pair.fresh, "nothing is known of what the sides agreed on");
    assert!(pair.sides.iter().all(|side| side.base.is_empty() && !side.created_by_us));
    // A create that was refused before does not stand in the way.
    let refused = story.reserve("2").await;
    story.settle(&refused, failed()).await;
    assert_eq!(story.0.adopt(&adoption("10", "2", false)).await.unwrap(), Adopted::Unverified);
    assert!(matches!(story.0.adopt(&adoption("10", "2", true)).await.unwrap(), Adopted::Paired(_)));
}

pub async fn a_record_that_names_one_that_is_gone_stays_alone(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    story.pair("1", "9").await;
    story.0.deactivate(&contact("1")).await.unwrap();
    assert_eq!(story.0.adopt(&adoption("9", "1", true)).await.unwrap(), Adopted::Inactive);

    let refused = story.reserve("2").await;
    story.settle(&refused, failed()).await;
    story.0.deactivate(&contact("2")).await.unwrap();
    assert_eq!(story.0.adopt(&adoption("10", "2", true)).await.unwrap(), Adopted::Inactive);
}

pub async fn of_many_updates_at_once_exactly_one_begins(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let wanted = update(&pair, "Grace");

    let answers = join_all((0..16).map(|_| story.0.begin(&wanted, pair.revision))).await;

    let won: Vec<_> = answers
        .iter()
        .filter_map(|answer| match answer {
            Ok(Begin::Won(intent)) => Some(intent.operation()),
            Ok(Begin::Busy(_) | Begin::Stale) => None,
            Err(error) => panic!("expected an answer, found {error}"),
        })
        .collect();
    assert_eq!(won.len(), 1);
    let found = story.found("1").await;
    assert_eq!(found.open.as_deref(), Some(won[0]));
    assert_eq!(found.side(&erp()).newest.as_ref(), Some(&won[0].id));
    assert_eq!((&won[0].source, won[0].target_record()), (&contact("1"), Some(customer("9"))));
    assert_eq!(story.0.begin(&wanted, found.revision).await.unwrap(), Begin::Busy(won[0].id.clone()));
}

pub async fn an_update_of_an_older_revision_is_stale(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&intent, committed("9")).await;

    assert_eq!(story.0.begin(&update(&pair, "Eve"), pair.revision).await.unwrap(), Begin::Stale);
    let now = story.found("1").await;
    assert!(now.revision > pair.revision);
    story.update(&update(&now, "Eve"), now.revision).await;
}

pub async fn a_committed_update_moves_the_base_of_its_own_fields_alone(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let mut wanted = update(&pair, "Grace Brewster Murray Hopper");
    wanted.inverse = Some(InverseWrite { field: "crm_id".into(), id: "1".into() });
    wanted.rebase = vec![(crm(), fields(json!({ "phone": "+1" })))];
    wanted.notes = vec![note()];
    let intent = story.update(&wanted, pair.revision).await;

    // The target cut the name, and carries a field that somebody else has changed.
    let answer = Record::new("9", fields(json!({ "name": "Grace Brewster", "grade": "A" })));
    story.settle(&intent, Outcome::Committed { record: answer }).await;

    let found = story.found("1").await;
    assert_eq!(*found.side(&erp()).base, fields(json!({ "name": "Grace Brewster" })));
    let seen = json!({ "firstname": "Grace Brewster Murray Hopper", "phone": "+1" });
    assert_eq!(Value::Object((*found.side(&crm()).base).clone()), seen);
    assert!(found.open.is_none() && found.side(&erp()).inverse_written);
    assert_eq!(story.0.history(&contact("1")).await.unwrap().notes, vec![(test.clock().now(), note())]);
}

pub async fn an_update_that_failed_leaves_the_base_and_frees_the_pair(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    for outcome in [failed(), not_sent(), Outcome::Gone] {
        let found = story.found("1").await;
        let intent = story.update(&update(&pair, "Grace"), found.revision).await;
        story.settle(&intent, outcome).await;
        let found = story.found("1").await;
        assert_eq!(found.side(&erp()).base, pair.side(&erp()).base);
        assert_eq!(found.open, None);
    }
}

pub async fn settling_twice_changes_nothing(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&intent, committed("9")).await;
    let once = story.found("1").await;
    test.clock().advance(Duration::from_secs(1));

    story.settle(&intent, committed("9")).await;
    story.settle(&intent, unknown()).await;

    assert_eq!(story.found("1").await, once);
}

pub async fn an_update_of_unknown_outcome_holds_its_pair_until_it_is_superseded(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let lost = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&lost, unknown()).await;
    let held = story.found("1").await;
    assert_eq!(held.open.as_ref().map(|open| open.state), Some(OperationState::Unknown));
    assert!(matches!(story.0.begin(&update(&held, "Eve"), held.revision).await.unwrap(), Begin::Busy(_)));
    assert_eq!(story.0.resend(&lost.operation().id, 1).await.unwrap(), Resend::Moved, "only creates are sent again");

    let mut redo = update(&held, "Grace");
    redo.supersedes = Some(lost.operation().id.clone());
    let again = story.update(&redo, held.revision).await;

    assert_eq!(story.found("1").await.open.as_deref(), Some(again.operation()));
    // Its answer comes after all: what was read since has replaced it.
    assert_eq!(story.settle(&lost, committed("9")).await.state, OperationState::Superseded);
    assert_eq!(story.found("1").await.side(&erp()).base, pair.side(&erp()).base);
}

pub async fn what_agreed_is_taken_into_the_base_once(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let Adopted::Paired(pair) = story.0.adopt(&adoption("9", "1", true)).await.unwrap() else {
        panic!("expected a pair");
    };
    let rebase = Rebase {
        pair: pair.id,
        revision: pair.revision,
        changes: vec![
            (crm(), fields(json!({ "firstname": "Ada" }))),
            (erp(), fields(json!({ "name": "Ada", "phone": null }))),
        ],
        inverse_seen: vec![erp()],
        supersedes: None,
        notes: vec![note()],
    };

    assert!(story.0.rebase(&rebase).await.unwrap());
    assert!(!story.0.rebase(&rebase).await.unwrap(), "the pair has changed since it was read");

    let found = story.found("1").await;
    assert_eq!(*found.side(&crm()).base, fields(json!({ "firstname": "Ada" })));
    assert_eq!(*found.side(&erp()).base, fields(json!({ "name": "Ada" })));
    assert_eq!((found.side(&erp()).inverse_written, found.side(&crm()).inverse_written), (true, false));
    assert!(!found.fresh && found.revision > pair.revision);
    assert_eq!(story.0.history(&contact("1")).await.unwrap().notes.len(), 1);
}

pub async fn nothing_is_taken_as_agreed_over_an_open_operation(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    let read = story.found("1").await;
    let mut rebase = Rebase {
        pair: pair.id,
        revision: read.revision,
        changes: vec![(erp(), fields(json!({ "name": "Eve" })))],
        inverse_seen: Vec::new(),
        supersedes: None,
        notes: Vec::new(),
    };
    assert!(!story.0.rebase(&rebase).await.unwrap());

    rebase.supersedes = Some(intent.operation().id.clone());
    assert!(story.0.rebase(&rebase).await.unwrap());

    let found = story.found("1").await;
    assert_eq!((found.open.is_none(), &*found.side(&erp()).base), (true, &fields(json!({ "name": "Eve" }))));
}

pub async fn a_pair_with_a_record_gone_is_inactive_from_both_sides(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    story.update(&update(&pair, "Grace"), pair.revision).await;

    let gone = story.0.deactivate(&customer("9")).await.unwrap().expect("the record has a pair");

    assert_eq!(gone.state, PairState::Inactive { gone: erp(), since: test.clock().now() });
    assert_eq!(gone.open, None, "there is nothing left to write to");
    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Inactive(Some(Arc::new(gone.clone()))));
    assert_eq!(story.0.look(&customer("9"), &crm()).await.unwrap(), Look::Inactive(Some(Arc::new(gone.clone()))));
    assert!(matches!(story.0.reserve(&create("1")).await.unwrap(), Reserve::Taken(Look::Inactive(Some(_)))));
    assert_eq!(story.0.begin(&update(&gone, "Eve"), gone.revision).await.unwrap(), Begin::Stale);
    // Again changes nothing.
    test.clock().advance(Duration::from_secs(1));
    assert_eq!(story.0.deactivate(&customer("9")).await.unwrap(), Some(gone));
    assert_eq!(story.0.deactivate(&customer("10")).await.unwrap(), None);
}

pub async fn a_pair_comes_back_only_with_the_record_that_was_gone(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    story.pair("1", "9").await;
    story.0.deactivate(&customer("9")).await.unwrap();

    let still = story.0.reactivate(&contact("1")).await.unwrap().expect("the record has a pair");
    assert!(!still.is_active(), "the other record is still gone");
    let back = story.0.reactivate(&customer("9")).await.unwrap().expect("the record has a pair");

    assert!(back.is_active());
    assert_eq!(story.found("1").await, back);
    assert_eq!(story.0.reactivate(&customer("10")).await.unwrap(), None);
}

pub async fn nothing_is_created_for_a_record_that_is_gone(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;

    assert_eq!(story.0.deactivate(&contact("1")).await.unwrap(), None);

    assert_eq!(story.0.look(&contact("1"), &erp()).await.unwrap(), Look::Inactive(None));
    assert_eq!(story.0.reserve(&create("1")).await.unwrap(), Reserve::Taken(Look::Inactive(None)));
}

pub async fn a_create_that_ends_after_its_source_is_gone_makes_an_inactive_pair(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let first = story.reserve("1").await;
    let second = story.reserve("2").await;
    story.0.deactivate(&contact("1")).await.unwrap();
    story.0.deactivate(&contact("2")).await.unwrap();

    story.settle(&first, committed("9")).await;
    let Persisted::Recorded(pair) = story.0.persist(&first.operation().id).await.unwrap() else {
        panic!("expected that the record that was made is remembered");
    };
    assert!(!pair.is_active());
    assert_eq!(story.0.adopt(&adoption("10", "2", false)).await.unwrap(), Adopted::Inactive);

    assert!(matches!(story.0.look(&customer("9"), &crm()).await.unwrap(), Look::Inactive(Some(_))));
    assert!(matches!(story.0.look(&customer("10"), &crm()).await.unwrap(), Look::Inactive(Some(_))));
    assert_eq!(second.operation().source, contact("2"));
}

pub async fn an_event_that_names_the_newest_operation_is_an_echo(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let first = pair.side(&erp()).newest.clone();
    let echo = |operation| EventFacts { operation, ..facts(EventKind::Updated) };
    assert_eq!(story.0.echo(&customer("9"), &echo(first.clone())).await.unwrap(), Echo::Own);

    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;

    // While it is open, too: the event may overtake the answer.
    assert_eq!(story.0.echo(&customer("9"), &echo(Some(intent.operation().id.clone()))).await.unwrap(), Echo::Own);
    assert_eq!(story.0.echo(&customer("9"), &echo(first)).await.unwrap(), Echo::Foreign);
    assert_eq!(story.0.echo(&customer("9"), &facts(EventKind::Updated)).await.unwrap(), Echo::Foreign);
    assert_eq!(story.0.echo(&customer("10"), &facts(EventKind::Updated)).await.unwrap(), Echo::Foreign);
}

pub async fn an_event_with_the_values_we_left_is_an_echo_of_our_own_hand_alone(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let left = |ours, name: &str| EventFacts {
        ours,
        values: Some(fields(json!({ "name": name }))),
        ..facts(EventKind::Updated)
    };
    let record = customer("9");
    assert_eq!(story.0.echo(&record, &left(true, "Ada")).await.unwrap(), Echo::Own);
    assert_eq!(story.0.echo(&record, &left(false, "Ada")).await.unwrap(), Echo::Foreign);
    assert_eq!(story.0.echo(&record, &left(true, "Eve")).await.unwrap(), Echo::Foreign);
    let born = |ours| EventFacts { ours, ..facts(EventKind::Created) };
    assert_eq!(story.0.echo(&record, &born(true)).await.unwrap(), Echo::Own);
    assert_eq!(story.0.echo(&contact("1"), &born(true)).await.unwrap(), Echo::Foreign, "we did not create that one");

    story.update(&update(&pair, "Grace"), pair.revision).await;

    assert_eq!(story.0.echo(&record, &left(true, "Ada")).await.unwrap(), Echo::Foreign, "an operation is open");
}

pub async fn an_event_of_a_create_under_way_waits_for_its_answer(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    let event = EventFacts { operation: Some(intent.operation().id.clone()), ..facts(EventKind::Created) };

    assert_eq!(story.0.echo(&customer("9"), &event).await.unwrap(), Echo::UnderWay);
    story.settle(&intent, unknown()).await;
    assert_eq!(story.0.echo(&customer("9"), &event).await.unwrap(), Echo::Foreign, "nobody waits for it any more");
}

pub async fn recovery_marks_what_an_earlier_start_left_and_names_its_records(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let updated = story.pair("1", "9").await;
    let quiet = story.pair("2", "10").await;
    story.update(&update(&updated, "Grace"), updated.revision).await;
    story.reserve("3").await;
    let answered = story.reserve("4").await;
    story.settle(&answered, committed("12")).await;
    let refused = story.reserve("5").await;
    story.settle(&refused, failed()).await;
    drop(story);

    let test = test.restart().await;
    let story = Story(test.store());
    let mine = story.reserve("6").await;
    let mut records = story.0.recover().await.unwrap();

    records.sort();
    records.dedup();
    assert_eq!(records, [contact("1"), contact("3"), contact("4"), contact("6")]);
    assert_eq!(story.found("1").await.open.map(|open| open.state), Some(OperationState::Unknown));
    assert_eq!(story.pending("3").await.state, OperationState::Unknown);
    assert_eq!(story.pending("4").await.state, OperationState::Committed);
    assert_eq!(story.pending("6").await, *mine.operation(), "what this start has sent may still be answered");
    assert_eq!(story.found("2").await, quiet);
    // It was sent at a known time, and its request may live until then.
    assert_eq!(story.pending("3").await.quiet_at(), test.clock().now().plus(Duration::from_secs(70)));
}

pub async fn the_same_question_is_open_once(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let question = |kind, record: &str| Case {
        id: CaseId(0),
        kind,
        records: vec![contact(record), customer("9")],
        detail: "look for it".into(),
        opened_at: Timestamp::default(),
    };
    let first = story.0.open_case(&question(CaseKind::Ambiguous, "1")).await.unwrap();

    assert_eq!(story.0.open_case(&question(CaseKind::Ambiguous, "1")).await.unwrap(), first);
    let other_kind = story.0.open_case(&question(CaseKind::Field, "1")).await.unwrap();
    let other_record = story.0.open_case(&question(CaseKind::Ambiguous, "2")).await.unwrap();
    let open: Vec<CaseId> = story.open_cases().await.iter().map(|case| case.id).collect();
    assert_eq!(open, [first, other_kind, other_record]);
    assert_eq!(
        story.open_cases().await[0],
        Case { id: first, opened_at: test.clock().now(), ..question(CaseKind::Ambiguous, "1") }
    );
    assert_eq!(story.0.cases(1).await.unwrap().len(), 1);

    assert!(story.0.close_case(first).await.unwrap());
    assert!(!story.0.close_case(first).await.unwrap());
    assert_ne!(story.0.open_case(&question(CaseKind::Ambiguous, "1")).await.unwrap(), first);
}

pub async fn pairs_are_listed_in_the_order_they_were_made(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let mut made = Vec::new();
    for id in ["3", "1", "2"] {
        made.push(story.pair(id, id).await);
    }

    assert_eq!(story.0.pairs(None, 10).await.unwrap(), made);
    assert_eq!(story.0.pairs(None, 2).await.unwrap(), made[..2]);
    assert_eq!(story.0.pairs(Some(made[1].id), 2).await.unwrap(), made[2..]);
}

pub async fn many_records_are_looked_up_in_their_order(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    story.reserve("2").await;

    let looks = story.0.look_many(&[contact("2"), contact("3"), contact("1"), contact("1")], &erp()).await.unwrap();

    assert_eq!(looks.len(), 4);
    assert!(matches!(&looks[0], Look::Pending(_)));
    assert_eq!(looks[1], Look::Missing);
    assert_eq!(looks[2], Look::Found(Arc::new(pair)));
    assert_eq!(looks[3], looks[2]);
    assert_eq!(story.0.look_many(&[], &erp()).await.unwrap(), Vec::new());
}

pub async fn a_record_has_its_whole_story(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let refused = story.reserve("1").await;
    story.settle(&refused, failed()).await;
    test.clock().advance(Duration::from_secs(1));
    let pair = story.pair("1", "9").await;
    test.clock().advance(Duration::from_secs(1));
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.0.adopt(&adoption("8", "1", true)).await.unwrap();
    story.pair("2", "10").await;

    let history = story.0.history(&contact("1")).await.unwrap();

    assert_eq!(history.pair, Some(story.found("1").await));
    let ids: Vec<_> = history.operations.iter().map(|operation| &operation.id).collect();
    let born = pair.side(&erp()).newest.as_ref().expect("it was created by an operation");
    assert_eq!(ids, [&refused.operation().id, born, &intent.operation().id]);
    assert_eq!(history.cases.len(), 1);
    let other = story.0.history(&customer("9")).await.unwrap();
    assert_eq!(other.pair, history.pair);
    assert!(other.operations.contains(intent.operation()));
    // A create that nobody has mapped belongs to both of its ends.
    let lonely = story.reserve("3").await;
    story.settle(&lonely, committed("11")).await;
    let of_source = story.0.history(&contact("3")).await.unwrap();
    assert_eq!(of_source.reservation.map(|reservation| reservation.operation.id), Some(lonely.operation().id.clone()));
    assert_eq!(story.0.history(&customer("11")).await.unwrap().operations, of_source.operations);
}

pub async fn what_the_store_holds_is_counted(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let oldest = test.clock().now();
    let lost = story.reserve("3").await;
    story.settle(&lost, unknown()).await;
    test.clock().advance(Duration::from_secs(1));
    let pair = story.pair("1", "9").await;
    story.pair("2", "10").await;
    story.0.deactivate(&contact("2")).await.unwrap();
    story.adopt_copy().await;
    let refused = story.reserve("4").await;
    story.settle(&refused, failed()).await;

    let counts = story.0.counts().await.unwrap();

    assert_eq!((counts.pairs_active, counts.pairs_inactive, counts.inverse_pending), (1, 1, 1));
    assert_eq!((counts.reservations_open, counts.reservation_oldest), (1, Some(oldest)));
    assert_eq!((counts.operations_unknown, counts.cases_open), (1, 1));
    let seen = Rebase {
        pair: pair.id,
        revision: pair.revision,
        changes: Vec::new(),
        inverse_seen: vec![crm()],
        supersedes: None,
        notes: Vec::new(),
    };
    assert!(story.0.rebase(&seen).await.unwrap());
    assert_eq!(story.0.counts().await.unwrap().inverse_pending, 0);
}

impl Story {
    async fn adopt_copy(&self) {
        assert!(matches!(self.0.adopt(&adoption("8", "1", true)).await.unwrap(), Adopted::Copy(_)));
    }
}

pub async fn pruning_keeps_what_is_open_reserved_or_newest(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let first = story.pair("1", "9").await;
    let mut old = vec![first.side(&erp()).newest.clone().expect("it was created by an operation")];
    for name in ["Grace", "Eve", "Joan"] {
        let pair = story.found("1").await;
        let intent = story.update(&update(&pair, name), pair.revision).await;
        story.settle(&intent, committed("9")).await;
        old.push(intent.operation().id.clone());
    }
    let newest = old.pop().expect("four were written");
    let reserved = story.reserve("2").await;
    story.settle(&reserved, committed("10")).await;
    let lost = story.reserve("3").await;
    story.settle(&lost, unknown()).await;
    let cutoff = test.clock().now().plus(Duration::from_millis(1));
    test.clock().advance(Duration::from_secs(1));

    assert_eq!(story.0.prune(test.clock().now().minus(Duration::from_secs(9)), 10).await.unwrap(), 0);
    let mut pruned = 0;
    loop {
        match story.0.prune(cutoff, 2).await.unwrap() {
            0 => break,
            some => {
                assert!(some <= 2, "a batch has a limit");
                pruned += some;
            }
        }
    }

    assert_eq!(pruned, 3);
    let left = story.0.history(&contact("1")).await.unwrap().operations;
    assert_eq!(left.iter().map(|operation| &operation.id).collect::<Vec<_>>(), [&newest]);
    assert!(matches!(story.0.persist(&reserved.operation().id).await.unwrap(), Persisted::Recorded(_)));
    assert_eq!(story.pending("3").await.state, OperationState::Unknown);
}
