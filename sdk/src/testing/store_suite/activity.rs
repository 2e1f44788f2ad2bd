//! A record that is gone, and one that comes back.

use std::sync::Arc;
use std::time::Duration;

use super::StoreUnderTest;
use super::samples::{adoption, committed, create, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Adopted, Agreement, Begin, Clock, Look, PairState, Persisted, Reserve};

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
    assert_eq!(back.agreement, Agreement::Interrupted, "nobody has listened to the other one meanwhile");
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
