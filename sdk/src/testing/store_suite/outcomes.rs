//! What became of an operation, told early, late or twice.

use std::time::Duration;

use super::StoreUnderTest;
use super::samples::{committed, failed, not_sent, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, customer};
use crate::{CaseKind, OperationState, Outcome, Persisted};

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
