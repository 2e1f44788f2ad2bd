//! A record that names another one as its counterpart.

use std::sync::Arc;

use serde_json::json;

use super::StoreUnderTest;
use super::samples::{adoption, committed, failed, fields, not_sent, unknown};
use super::story::Story;
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Adopted, Agreement, Look, OperationState, Outcome, Persisted};

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
        assert!(pair.side(&erp()).created_by_us && pair.agreement == Agreement::Known);
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
    assert_eq!(pair.agreement, Agreement::Unknown, "nothing is known of what the sides agreed on");
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
