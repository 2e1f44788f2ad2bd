//! Which events are our own writes coming back.

use serde_json::json;

use super::StoreUnderTest;
use super::samples::{facts, fields, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, customer, erp};
use crate::{Echo, EventFacts, EventKind};

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
