//! A create that is sent a second time.

use std::time::Duration;

use futures_util::future::join_all;

use super::StoreUnderTest;
use super::samples::{committed, unknown};
use super::story::Story;
use crate::{Clock, OperationState, Resend};

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
