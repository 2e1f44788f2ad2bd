//! What a hint says: of its one event everything, of several nothing but when they came.

use std::collections::BTreeMap;
use std::time::Duration;

use super::desk::{play, until};
use super::news::{again, arrival, delivery, events_of, tell, updated};
use super::{EngineUnderTest, SETTLE};
use crate::testing::contact::contact;
use crate::{Arrival, Clock, EventFacts, EventKind, Taken};

pub async fn a_hint_carries_what_its_one_event_claims(test: impl EngineUnderTest) {
    let engine = test.engine();
    let now = test.clock().now();
    let mut claims = updated("phone", "1");
    claims.fields = vec!["email".to_owned()];
    claims.ours = true;
    engine.enqueue(delivery(vec![arrival(&contact("1"), "e-1", claims.clone())])).await.unwrap();
    let gone = EventFacts { kind: EventKind::Deleted, values: None, ..updated("", "") };
    engine.enqueue(delivery(vec![arrival(&contact("2"), "e-2", gone)])).await.unwrap();

    play(&engine, 4, async |desk| {
        let hint = desk.one(&contact("1")).await;
        assert_eq!(hint.facts, Some(claims));
        assert_eq!(hint.received, BTreeMap::from([("email".to_owned(), now), ("phone".to_owned(), now)]));
        assert_eq!((hint.since, hint.hops, hint.others.len()), (now, 0, 0));
        assert!(!hint.correlation_id.is_empty());
        // An event that does not speak of fields may be about any of them.
        let other = desk.one(&contact("2")).await;
        assert_eq!(other.received, BTreeMap::from([("*".to_owned(), now)]));
        assert_ne!(other.correlation_id, hint.correlation_id);
    })
    .await;
}

pub async fn a_hint_merged_from_several_events_claims_nothing(test: impl EngineUnderTest) {
    let engine = test.engine();
    let first = test.clock().now();
    let phone = arrival(&contact("1"), "e-1", updated("phone", "1"));
    let email = arrival(&contact("1"), "e-2", updated("email", "1"));
    engine.enqueue(delivery(vec![phone, email])).await.unwrap();
    test.clock().advance(Duration::from_secs(1));
    let later = test.clock().now();
    engine.enqueue(delivery(vec![arrival(&contact("1"), "e-3", updated("email", "2"))])).await.unwrap();

    assert_eq!(engine.health().await.unwrap().waiting, 1);
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        assert_eq!(hint.facts, None);
        assert_eq!(hint.received, BTreeMap::from([("email".to_owned(), later), ("phone".to_owned(), first)]));
        assert_eq!(hint.since, first);
    })
    .await;
}

pub async fn a_hint_of_our_own_claims_nothing(test: impl EngineUnderTest) {
    let engine = test.engine();
    let ours = Arrival::look_at(contact("1"));
    let taken = engine.enqueue(delivery(vec![ours.clone()])).await.unwrap();
    assert_eq!(taken, Taken { accepted: 1, duplicates: 0 });
    assert_eq!(engine.enqueue(delivery(vec![ours])).await.unwrap(), taken, "without a key nothing is a duplicate");

    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        assert_eq!(hint.facts, None);
        assert_eq!(hint.received, BTreeMap::from([("*".to_owned(), test.clock().now())]));
    })
    .await;
    assert_eq!(events_of(&engine, &contact("1")).await, Vec::new());
}

pub async fn news_during_work_stays_waiting_and_stands_for_itself(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        test.clock().advance(Duration::from_millis(50));
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-2", updated("email", "2"))])).await.unwrap();
        desk.done(&first);
        test.clock().advance(SETTLE);

        let second = desk.next_is(&contact("1")).await;

        // The echo filter may judge it by the one event it stands for.
        assert_eq!(second.facts, Some(updated("email", "2")));
        assert_eq!(second.received.keys().collect::<Vec<_>>(), ["email"]);
        assert_eq!(second.since, first.since.plus(Duration::from_millis(50)));
        assert_ne!(second.correlation_id, first.correlation_id);
        desk.done(&second);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
}

pub async fn more_news_during_work_is_merged(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-2", updated("email", "2"))])).await.unwrap();
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-3", updated("name", "3"))])).await.unwrap();
        desk.done(&first);
        test.clock().advance(SETTLE);

        let second = desk.next_is(&contact("1")).await;

        assert_eq!(second.facts, None);
        assert_eq!(second.received.keys().collect::<Vec<_>>(), ["email", "name"]);
    })
    .await;
}

pub async fn news_during_work_that_is_to_be_repeated_joins_what_was_not_finished(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        test.clock().advance(Duration::from_millis(50));
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-2", updated("email", "2"))])).await.unwrap();
        desk.end(&first, again(test.clock().now(), true));
        test.clock().advance(SETTLE);

        let second = desk.next_is(&contact("1")).await;

        // It stands for both events now.
        assert_eq!(second.facts, None);
        assert_eq!(second.received.keys().collect::<Vec<_>>(), ["email", "phone"]);
        assert_eq!((second.since, second.hops), (first.since, 1));
    })
    .await;
}

pub async fn a_burst_of_events_becomes_two_looks(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-0").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        for number in 1..50 {
            tell(&engine, &contact("1"), &format!("e-{number}")).await;
        }
        desk.done(&first);
        test.clock().advance(SETTLE);
        let second = desk.next_is(&contact("1")).await;
        desk.done(&second);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
}
