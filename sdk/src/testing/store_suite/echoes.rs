//! Which events are our own writes coming back.

use serde_json::json;

use super::StoreUnderTest;
use super::samples::{committed, facts, fields, unknown, update};
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

    // It may overtake the answer. If we die now, it alone can tell that the update has arrived.
    let newest = echo(Some(intent.operation().id.clone()));
    assert_eq!(story.0.echo(&customer("9"), &newest).await.unwrap(), Echo::UnderWay);
    story.settle(&intent, committed("9")).await;
    assert_eq!(story.0.echo(&customer("9"), &newest).await.unwrap(), Echo::Own);
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

pub async fn an_event_that_names_an_update_of_unknown_outcome_settles_it(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&intent, unknown()).await;
    let event = EventFacts { operation: Some(intent.operation().id.clone()), ..facts(EventKind::Updated) };

    let Echo::Arrived(update) = story.0.echo(&customer("9"), &event).await.unwrap() else {
        panic!("expected a proof that it has arrived")
    };
    assert_eq!(update.id, intent.operation().id);
    story.0.arrived(&update).await.unwrap();

    let after = story.found("1").await;
    assert!(after.open.is_none(), "nothing is waited for any more");
    assert_eq!(after.side(&erp()).base["name"], json!("Grace"));
    assert!(after.revision > pair.revision, "a decision made before is stale");
    assert_eq!(story.0.echo(&customer("9"), &event).await.unwrap(), Echo::Own, "once more");
    story.0.arrived(&update).await.unwrap();
    assert_eq!(story.found("1").await.revision, after.revision, "its outcome is known by now");
}

pub async fn an_event_of_a_create_under_way_waits_for_its_answer(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    let event = EventFacts { operation: Some(intent.operation().id.clone()), ..facts(EventKind::Created) };

    assert_eq!(story.0.echo(&customer("9"), &event).await.unwrap(), Echo::UnderWay);
    story.settle(&intent, unknown()).await;
    assert_eq!(story.0.echo(&customer("9"), &event).await.unwrap(), Echo::Foreign, "nobody waits for it any more");
}
