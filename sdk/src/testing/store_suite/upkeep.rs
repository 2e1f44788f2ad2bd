//! What a start finds open, and what the ledger forgets.

use std::time::Duration;

use super::StoreUnderTest;
use super::samples::{committed, failed, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, erp};
use crate::{Clock, OperationState, Persisted};

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
