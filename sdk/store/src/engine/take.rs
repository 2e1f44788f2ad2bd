//! Deliveries on their way in: event keys into the inbox, hints beside them, in one transaction.

use std::collections::HashSet;

use pairline_sdk::{Arrival, Delivery, EventKind, RecordId, Taken, Timestamp, time_ordered_id};
use serde_json::{Value, json};

use super::Lanes;
use crate::batch::Batch;
use crate::failure::Failure;
use crate::row;
use crate::work::Work;

const INSERT_KEYS: &str = "\
    INSERT OR ROLLBACK INTO inbox (application, event_key, record_id, kind, received_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ? FROM json_each(?)";

/// A row that is at work and as it was handed out has no news of its own any more: its worker has it in hand. `?`: its
/// number and revision. Only [`ADD_NEWS`] in the same transaction sees the mark.
const MARK_IN_HAND: &str = "\
    UPDATE OR ROLLBACK hint SET hops = -1 FROM json_each(?) \
    WHERE hint.id = value ->> 0 AND hint.revision = value ->> 1";

/// A hint that waits takes the news in and stands for several events from then on. It keeps its place: a record with
/// much news does not wait longer for it, and a repeat is not hurried. The first news of one in hand replaces what is
/// being done, and stands for itself; only a crash looks at `unfinished` again.
const ADD_NEWS: &str = "\
    INSERT OR ROLLBACK INTO hint (system, record_id, facts, received, since, ready_at, hops, correlation_id, revision) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?, value ->> 4, 0, value ->> 5, value ->> 6 \
    FROM json_each(?) WHERE true \
    ON CONFLICT (system, record_id) DO UPDATE SET \
        facts = iif(hops < 0, excluded.facts, NULL), \
        unfinished = iif(hops < 0, json_patch(coalesce(unfinished, '{}'), received), unfinished), \
        received = iif(hops < 0, excluded.received, json_patch(received, excluded.received)), \
        since = iif(hops < 0, excluded.since, since), \
        reason = iif(hops < 0, NULL, reason), \
        correlation_id = iif(hops < 0, excluded.correlation_id, correlation_id), \
        ready_at = iif(hops < 0, max(ready_at, excluded.ready_at), ready_at), \
        hops = max(hops, 0), revision = excluded.revision";

/// What deliveries are made of, once it is known which of their events are new.
#[derive(Default)]
pub(crate) struct Sorted {
    /// What was taken of each delivery.
    pub(crate) taken: Vec<Taken>,
    keys: Vec<Value>,
    in_hand: Vec<(i64, i64)>,
    news: Vec<Value>,
}

impl Sorted {
    /// Adds the statements that write it.
    pub(crate) fn write(&self, batch: &mut Batch, now: Timestamp) -> Result<(), Failure> {
        if !self.keys.is_empty() {
            batch.add(INSERT_KEYS).bind(now.as_millis())?.bind(row::json(&self.keys)?)?;
        }
        if !self.in_hand.is_empty() {
            batch.add(MARK_IN_HAND).bind(row::json(&self.in_hand)?)?;
        }
        if !self.news.is_empty() {
            batch.add(ADD_NEWS).bind(now.as_millis())?.bind(row::json(&self.news)?)?;
        }
        Ok(())
    }
}

/// The event keys of deliveries, each with its record first, to ask which of them were taken before.
pub(crate) fn keys(deliveries: &[&Delivery]) -> Result<String, Failure> {
    let arrivals = deliveries.iter().flat_map(|delivery| &delivery.arrivals);
    let keys =
        arrivals.filter_map(|arrival| Some((&arrival.record.system, &arrival.record.id, arrival.event_key.as_ref()?)));
    row::json(&keys.collect::<Vec<_>>())
}

/// Sorts deliveries into keys and hints, and writes what comes beside them. `taken`: of the [`keys`], by their place,
/// those that were there before.
pub(crate) async fn take(
    work: &mut Work<'_>,
    lanes: &mut Lanes,
    deliveries: &[&Delivery],
    taken: &HashSet<usize>,
) -> Result<Sorted, Failure> {
    let mut sorted = Sorted::default();
    let mut place = 0..;
    // The first that brings a key is the one that is taken.
    let mut brought: HashSet<(&RecordId, &str)> = HashSet::new();
    for delivery in deliveries {
        let mut count = Taken::default();
        for arrival in &delivery.arrivals {
            if let Some(key) = &arrival.event_key {
                let before = place.next().is_some_and(|place| taken.contains(&place));
                if before || !brought.insert((&arrival.record, key)) {
                    count.duplicates += 1;
                    continue;
                }
                let kind = arrival.facts.as_ref().map(|facts| kind_name(facts.kind));
                sorted.keys.push(json!([arrival.record.system, key, arrival.record.id, kind]));
            }
            count.accepted += 1;
            if arrival.settled {
                continue;
            }
            lanes.knows(&arrival.record.system);
            sorted.in_hand.extend(lanes.news_of(&arrival.record));
            sorted.news.push(news(work, lanes, arrival)?);
        }
        sorted.taken.push(count);
        add_beside(work, delivery).await?;
    }
    Ok(sorted)
}

fn news(work: &Work<'_>, lanes: &mut Lanes, arrival: &Arrival) -> Result<Value, Failure> {
    Ok(json!([
        arrival.record.system,
        arrival.record.id,
        arrival.facts.as_ref().map(row::json).transpose()?,
        row::json(&arrival.received(work.now))?,
        lanes.not_before(&arrival.record, work.now).as_millis(),
        time_ordered_id(work.now, work.random),
        lanes.next_revision(),
    ]))
}

/// What comes with a delivery beside its arrivals.
async fn add_beside(work: &mut Work<'_>, delivery: &Delivery) -> Result<(), Failure> {
    if let Some((system, value)) = &delivery.cursor {
        sqlx::query("INSERT INTO cursor VALUES ($1, $2) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(system.as_str())
            .bind(row::json(value)?)
            .execute(work.connection().await?)
            .await?;
    }
    for unreadable in &delivery.unreadable {
        sqlx::query(
            "INSERT INTO trash (system, topology, node, reason, body, count, at) VALUES ($1, '', '', $2, $3, 1, $4)",
        )
        .bind(unreadable.system.as_str())
        .bind(unreadable.reason.as_str())
        .bind(unreadable.body.as_str())
        .bind(work.now.as_millis())
        .execute(work.connection().await?)
        .await?;
    }
    Ok(())
}

fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Created => "created",
        EventKind::Updated => "updated",
        EventKind::Deleted => "deleted",
    }
}
