//! What an engine takes and keeps: an event once, a cursor with what it found, and what it can tell of both.

use std::time::Duration;

use serde_json::{Value, json};

use super::EngineUnderTest;
use super::desk::play;
use super::news::{arrival, delivery, events_of, tell, updated, waiting_in};
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Arrival, Clock, Delivery, EventFacts, EventKind, Health, InboxEvent, ListQuery, Taken};

pub async fn an_event_key_is_taken_once(test: impl EngineUnderTest) {
    let engine = test.engine();
    let events = || {
        delivery(vec![
            arrival(&contact("1"), "e-1", updated("phone", "1")),
            arrival(&contact("2"), "e-2", updated("phone", "2")),
        ])
    };
    assert_eq!(engine.enqueue(events()).await.unwrap(), Taken { accepted: 2, duplicates: 0 });
    assert_eq!(engine.enqueue(events()).await.unwrap(), Taken { accepted: 0, duplicates: 2 });
    drop(engine);

    let test = test.restart().await;
    let engine = test.engine();
    assert_eq!(engine.enqueue(events()).await.unwrap(), Taken { accepted: 0, duplicates: 2 });

    // Not even within one delivery; and a redelivery does not merge into the hint it once made.
    let twice = vec![
        arrival(&contact("3"), "e-3", updated("phone", "3")),
        arrival(&contact("3"), "e-3", updated("phone", "3")),
    ];
    assert_eq!(engine.enqueue(delivery(twice)).await.unwrap(), Taken { accepted: 1, duplicates: 1 });
    play(&engine, 4, async |desk| {
        for _ in 0..3 {
            assert!(desk.next().await.facts.is_some());
        }
    })
    .await;
}

pub async fn what_is_settled_at_the_door_is_taken_once_and_makes_no_hint(test: impl EngineUnderTest) {
    let engine = test.engine();
    let record = contact("1");
    let settled = || delivery(vec![Arrival { settled: true, ..arrival(&record, "e-1", updated("phone", "1")) }]);

    assert_eq!(engine.enqueue(settled()).await.unwrap(), Taken { accepted: 1, duplicates: 0 });
    assert_eq!(engine.enqueue(settled()).await.unwrap(), Taken { accepted: 0, duplicates: 1 });

    assert_eq!(waiting_in(&engine).await, []);
    assert_eq!(events_of(&engine, &record).await.len(), 1, "whoever asks for the record's story sees it");
}

pub async fn a_key_belongs_to_its_application(test: impl EngineUnderTest) {
    let engine = test.engine();

    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &customer("1"), "e-1").await;

    assert_eq!(engine.health().await.unwrap().waiting, 2);
}

pub async fn a_delivery_taken_many_times_at_once_is_taken_once(test: impl EngineUnderTest) {
    let engine = test.engine();
    let events = || delivery(vec![arrival(&contact("1"), "e-1", updated("phone", "1"))]);

    let taken = futures_util::future::join_all((0..16).map(|_| engine.enqueue(events()))).await;

    assert_eq!(taken.iter().map(|taken| taken.as_ref().unwrap().accepted).sum::<u64>(), 1);
    assert_eq!(taken.iter().map(|taken| taken.as_ref().unwrap().duplicates).sum::<u64>(), 15);
}

pub async fn a_cursor_is_kept_with_what_it_found(test: impl EngineUnderTest) {
    let engine = test.engine();
    assert_eq!(engine.cursor(&crm()).await.unwrap(), Value::Null);
    let page = |cursor: Value| Delivery {
        arrivals: vec![Arrival::look_at(contact("1"))],
        cursor: Some((crm(), cursor)),
        unreadable: Vec::new(),
    };
    engine.enqueue(page(json!({ "after": "1" }))).await.unwrap();
    engine.enqueue(page(json!({ "after": "2" }))).await.unwrap();
    drop(engine);

    let test = test.restart().await;
    let engine = test.engine();
    assert_eq!(engine.cursor(&crm()).await.unwrap(), json!({ "after": "2" }));
    assert_eq!(engine.cursor(&erp()).await.unwrap(), Value::Null);
    assert_eq!(engine.health().await.unwrap().waiting, 1);
    engine.rewind().await.unwrap();
    assert_eq!(engine.cursor(&crm()).await.unwrap(), Value::Null);
}

pub async fn old_event_keys_are_forgotten_in_batches(test: impl EngineUnderTest) {
    let engine = test.engine();
    for key in ["e-1", "e-2", "e-3"] {
        tell(&engine, &contact(key), key).await;
    }
    test.clock().advance(Duration::from_secs(60));
    let cutoff = test.clock().now();
    tell(&engine, &contact("e-4"), "e-4").await;

    assert_eq!(engine.prune(cutoff, 2).await.unwrap(), 2);
    assert_eq!(engine.prune(cutoff, 2).await.unwrap(), 1);
    assert_eq!(engine.prune(cutoff, 2).await.unwrap(), 0);

    tell(&engine, &contact("e-1"), "e-1").await;
    let known = delivery(vec![arrival(&contact("e-4"), "e-4", updated("phone", "4"))]);
    assert_eq!(engine.enqueue(known).await.unwrap(), Taken { accepted: 0, duplicates: 1 });
    assert_eq!(engine.health().await.unwrap().waiting, 4, "hints are not forgotten");
}

pub async fn events_are_listed_by_record(test: impl EngineUnderTest) {
    let engine = test.engine();
    let first = test.clock().now();
    tell(&engine, &contact("1"), "b").await;
    test.clock().advance(Duration::from_secs(1));
    let gone = EventFacts { kind: EventKind::Deleted, ..updated("", "") };
    engine.enqueue(delivery(vec![arrival(&contact("1"), "a", gone)])).await.unwrap();
    tell(&engine, &contact("2"), "c").await;

    let event = |key: &str, kind, received_at| InboxEvent { key: key.to_owned(), kind: Some(kind), received_at };
    assert_eq!(
        events_of(&engine, &contact("1")).await,
        [event("b", EventKind::Updated, first), event("a", EventKind::Deleted, test.clock().now()),]
    );
    assert_eq!(events_of(&engine, &customer("1")).await, []);
}

pub async fn of_many_events_the_newest_are_listed(test: impl EngineUnderTest) {
    let engine = test.engine();
    for key in ["c", "b", "a"] {
        tell(&engine, &contact("1"), key).await;
        tell(&engine, &contact("2"), key).await;
    }

    let events = engine.list(ListQuery::Events(contact("1")), 2).await.unwrap().into_events().unwrap();

    let keys: Vec<&str> = events.iter().map(|event| event.key.as_str()).collect();
    assert_eq!(keys, ["b", "a"], "oldest first");
}

pub async fn an_idle_engine_is_healthy_and_empty(test: impl EngineUnderTest) {
    let engine = test.engine();
    assert_eq!(engine.health().await.unwrap(), Health::default());
    let since = test.clock().now();
    tell(&engine, &contact("1"), "e-1").await;
    test.clock().advance(Duration::from_secs(5));
    tell(&engine, &contact("2"), "e-2").await;

    let health = engine.health().await.unwrap();

    assert_eq!((health.waiting, health.oldest), (2, Some(since)));
    let waiting: Vec<_> = waiting_in(&engine).await.into_iter().map(|hint| hint.record).collect();
    assert_eq!(waiting, [contact("1"), contact("2")]);
    assert_eq!(engine.enqueue(Delivery::default()).await.unwrap(), Taken::default());
}
