//! A create that is sent a second time.

use std::time::Duration;

use futures_util::future::join_all;

use serde_json::json;

use super::StoreUnderTest;
use super::samples::{again, committed, failed, fields, not_sent, unknown};
use super::story::Story;
use crate::testing::contact::erp;
use crate::{Clock, OperationState, Outcome, Persisted, Record, Resend, SendAgain};

pub async fn a_create_is_sent_again_with_the_same_bytes_and_key(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;
    test.clock().advance(Duration::from_secs(5));

    let Resend::Won(again) = story.0.resend(&intent.operation().id, again(1)).await.unwrap() else {
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

    let answers = join_all((0..8).map(|_| story.0.resend(&intent.operation().id, again(1)))).await;

    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Resend::Won(_)))).count(), 1);
    story.settle(&intent, unknown()).await;
    assert_eq!(
        story.0.resend(&intent.operation().id, again(1)).await.unwrap(),
        Resend::Moved,
        "it was sent twice by now"
    );
}

pub async fn a_create_whose_answer_may_still_come_is_not_sent_again(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    let operation = &intent.operation().id;

    assert_eq!(story.0.resend(operation, again(1)).await.unwrap(), Resend::Moved);
    test.clock().advance(Duration::from_secs(30));
    assert!(matches!(story.0.resend(operation, again(1)).await.unwrap(), Resend::Won(_)), "its deadline is over");
    story.settle(&intent, committed("9")).await;
    assert_eq!(story.0.resend(operation, again(2)).await.unwrap(), Resend::Moved, "it has its answer");
}

pub async fn a_refused_repeat_says_nothing_of_the_attempt_before_it(test: impl StoreUnderTest) {
    for refused in [failed(), not_sent(), Outcome::Gone, Outcome::Duplicate { id: None }] {
        let story = Story::begin(&test).await;
        let id = format!("{refused:?}");
        let intent = story.reserve(&id).await;
        story.settle(&intent, unknown()).await;
        let Resend::Won(repeat) = story.0.resend(&intent.operation().id, again(1)).await.unwrap() else {
            panic!("expected that it may be sent again");
        };

        let after = story.settle(&repeat, refused).await;

        assert_eq!((after.state, after.in_doubt), (OperationState::Unknown, true), "{id}");
        assert_eq!(story.pending(&id).await.id, intent.operation().id, "it keeps its reservation");
    }
}

pub async fn a_refused_repeat_ends_a_create_of_which_nothing_was_found(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;
    let looked = SendAgain { nothing_was_made: true, ..again(1) };
    let Resend::Won(repeat) = story.0.resend(&intent.operation().id, looked).await.unwrap() else {
        panic!("expected that it may be sent again");
    };

    let after = story.settle(&repeat, failed()).await;

    assert_eq!((after.state, after.in_doubt), (OperationState::Failed, false));
}

pub async fn a_late_word_of_an_earlier_attempt_is_heard_only_if_it_has_made_the_record(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let first = story.reserve("1").await;
    test.clock().advance(Duration::from_secs(30));
    let Resend::Won(second) = story.0.resend(&first.operation().id, again(1)).await.unwrap() else {
        panic!("expected that it may be sent again");
    };

    for guess in [not_sent(), failed(), unknown()] {
        let row = story.settle(&first, guess).await;
        assert_eq!((row.state, row.attempts), (OperationState::Pending, 2), "the second is on its way");
    }
    assert_eq!(story.settle(&first, committed("9")).await.state, OperationState::Committed);
    assert_eq!(story.settle(&second, committed("9")).await.target_id.as_deref(), Some("9"));
}

pub async fn a_create_is_not_sent_again_later_than_its_key_is_good_for(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;
    let before = Some(test.clock().now().plus(Duration::from_secs(60)));
    test.clock().advance(Duration::from_secs(60));

    let answer = story.0.resend(&intent.operation().id, SendAgain { before, ..again(1) }).await.unwrap();

    assert_eq!(answer, Resend::Moved);
}

pub async fn what_a_repeat_is_answered_may_be_newer_than_what_was_agreed(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, unknown()).await;
    let Resend::Won(repeat) = story.0.resend(&intent.operation().id, again(1)).await.unwrap() else {
        panic!("expected that it may be sent again");
    };
    let edited = Record::new("9", fields(json!({ "name": "Ada, edited since" })));

    story.settle(&repeat, Outcome::Committed { record: edited }).await;

    let Persisted::Recorded(pair) = story.0.persist(&repeat.operation().id).await.unwrap() else {
        panic!("expected a new pair");
    };
    assert_eq!(*pair.side(&erp()).base, fields(json!({ "name": "Ada" })));
}
