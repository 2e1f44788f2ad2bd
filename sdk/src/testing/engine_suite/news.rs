//! What a test tells an engine, and asks it.

use std::sync::Arc;

use serde_json::json;

use crate::{
    Arrival, Delivery, Disposition, Engine, EventFacts, EventKind, Fields, InboxEvent, ListQuery, RecordId, Taken,
    Timestamp, TrashItem, WaitingHint,
};

pub(super) fn updated(field: &str, value: &str) -> EventFacts {
    let values: Fields = [(field.to_owned(), json!(value))].into_iter().collect();
    EventFacts { values: Some(values), ..EventFacts::of(EventKind::Updated) }
}

pub(super) fn arrival(record: &RecordId, key: &str, facts: EventFacts) -> Arrival {
    Arrival::event(record.clone(), key, facts)
}

pub(super) fn delivery(arrivals: Vec<Arrival>) -> Delivery {
    Delivery { arrivals, ..Delivery::default() }
}

/// Sends one event about a record.
pub(super) async fn tell(engine: &Arc<dyn Engine>, record: &RecordId, key: &str) {
    let arrival = arrival(record, key, updated("phone", key));
    let taken = engine.enqueue(delivery(vec![arrival])).await.unwrap();
    assert_eq!(taken, Taken { accepted: 1, duplicates: 0 });
}

pub(super) fn again(at: Timestamp, counted: bool) -> Disposition {
    Disposition::Again { at, reason: "the ERP is paused".to_owned(), counted }
}

pub(super) async fn trash_of(engine: &Arc<dyn Engine>) -> Vec<TrashItem> {
    engine.list(ListQuery::Trash, 100).await.unwrap().into_trash().unwrap()
}

pub(super) async fn waiting_in(engine: &Arc<dyn Engine>) -> Vec<WaitingHint> {
    engine.list(ListQuery::Waiting, 100).await.unwrap().into_waiting().unwrap()
}

pub(super) async fn events_of(engine: &Arc<dyn Engine>, record: &RecordId) -> Vec<InboxEvent> {
    engine.list(ListQuery::Events(record.clone()), 100).await.unwrap().into_events().unwrap()
}
