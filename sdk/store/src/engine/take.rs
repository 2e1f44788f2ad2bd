//! Deliveries on their way in: event keys into the inbox, hints beside them, in one transaction.

use std::collections::{BTreeMap, HashSet};

use pairline_sdk::{Arrival, Delivery, EventFacts, EventKind, Taken, Timestamp, time_ordered_id};
use serde_json::{Value, json};

use super::Lanes;
use crate::failure::Failure;
use crate::row;
use crate::work::Work;

/// Event keys into the inbox, and those that were not there back. `$1`: the keys, `$2`: now.
macro_rules! inbox_insert {
    () => {
        "INSERT INTO inbox (application, event_key, record_id, kind, received_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, $2 FROM json_each($1) WHERE true \
         ON CONFLICT DO NOTHING RETURNING application, event_key"
    };
}

/// A hint that waits takes the news in and stands for several events from then on. It keeps its place: a record with
/// much news does not wait longer for it, and a repeat is not hurried. `$1`: the hints, `$2`: now.
macro_rules! hint_upsert {
    () => {
        "INSERT INTO hint (system, record_id, facts, received, since, ready_at, hops, correlation_id, revision) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, $2, value ->> 4, 0, value ->> 5, value ->> 6 \
         FROM json_each($1) WHERE true \
         ON CONFLICT (system, record_id) DO UPDATE SET \
             facts = NULL, received = json_patch(received, excluded.received), revision = excluded.revision"
    };
}

pub(crate) use {hint_upsert, inbox_insert};

/// The same for a record that is at work, with the revision its row was handed out with: as long as the row is as it
/// was, the first news replaces what is being done, and stands for itself.
const HINTS_AT_WORK: &str = "\
    INSERT INTO hint (system, record_id, facts, received, since, ready_at, hops, correlation_id, revision) \
    SELECT $1, $2, $3, $4, $5, $6, 0, $7, $8 WHERE true \
    ON CONFLICT (system, record_id) DO UPDATE SET \
        facts = iif(revision = $9, excluded.facts, NULL), \
        received = iif(revision = $9, excluded.received, json_patch(received, excluded.received)), \
        since = iif(revision = $9, excluded.since, since), \
        hops = iif(revision = $9, 0, hops), \
        reason = iif(revision = $9, NULL, reason), \
        correlation_id = iif(revision = $9, excluded.correlation_id, correlation_id), \
        ready_at = max(ready_at, excluded.ready_at), revision = excluded.revision";

/// What deliveries are made of, once their new event keys are known.
#[derive(Default)]
pub(crate) struct Sorted {
    /// What was taken of each delivery.
    pub(crate) taken: Vec<Taken>,
    /// Rows for [`hint_upsert`].
    pub(crate) hints: Vec<Value>,
}

/// The keys deliveries bring, as rows for [`inbox_insert`].
pub(crate) fn keys(deliveries: &[&Delivery]) -> Vec<Value> {
    let arrivals = deliveries.iter().flat_map(|delivery| &delivery.arrivals);
    arrivals
        .filter_map(|arrival| {
            let key = arrival.event_key.as_ref()?;
            let kind = arrival.facts.as_ref().map(|facts| kind_name(facts.kind));
            Some(json!([arrival.record.system, key, arrival.record.id, kind]))
        })
        .collect()
}

/// Sorts deliveries into hints, and writes what is not a hint for a record at rest.
pub(crate) async fn take(
    work: &mut Work<'_>,
    lanes: &mut Lanes,
    deliveries: &[&Delivery],
    mut fresh: HashSet<(String, String)>,
) -> Result<Sorted, Failure> {
    let mut sorted = Sorted::default();
    for delivery in deliveries {
        let mut count = Taken::default();
        for arrival in &delivery.arrivals {
            // The first that brought a key is the one that was taken.
            let known = arrival
                .event_key
                .as_ref()
                .is_some_and(|key| !fresh.remove(&(arrival.record.system.as_str().to_owned(), key.clone())));
            if known {
                count.duplicates += 1;
            } else {
                count.accepted += 1;
                lanes.knows(&arrival.record.system);
                match lanes.revision_at_work(&arrival.record) {
                    Some(at_work) => add_at_work(work, lanes, arrival, at_work).await?,
                    None => sorted.hints.push(hint(work, lanes, arrival)?),
                }
            }
        }
        sorted.taken.push(count);
        add_beside(work, delivery).await?;
    }
    Ok(sorted)
}

fn hint(work: &Work<'_>, lanes: &mut Lanes, arrival: &Arrival) -> Result<Value, Failure> {
    Ok(json!([
        arrival.record.system,
        arrival.record.id,
        arrival.facts.as_ref().map(row::json).transpose()?,
        row::json(&received(arrival.facts.as_ref(), work.now))?,
        lanes.not_before(&arrival.record, work.now).as_millis(),
        time_ordered_id(work.now, work.random),
        lanes.next_revision(),
    ]))
}

async fn add_at_work(work: &mut Work<'_>, lanes: &mut Lanes, arrival: &Arrival, revision: i64) -> Result<(), Failure> {
    sqlx::query(HINTS_AT_WORK)
        .bind(arrival.record.system.as_str())
        .bind(arrival.record.id.as_str())
        .bind(arrival.facts.as_ref().map(row::json).transpose()?)
        .bind(row::json(&received(arrival.facts.as_ref(), work.now))?)
        .bind(work.now.as_millis())
        .bind(lanes.not_before(&arrival.record, work.now).as_millis())
        .bind(time_ordered_id(work.now, work.random))
        .bind(lanes.next_revision())
        .bind(revision)
        .execute(&mut *work.connection)
        .await?;
    Ok(())
}

/// What comes with a delivery beside its arrivals.
async fn add_beside(work: &mut Work<'_>, delivery: &Delivery) -> Result<(), Failure> {
    if let Some((system, value)) = &delivery.cursor {
        sqlx::query("INSERT INTO cursor VALUES ($1, $2) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(system.as_str())
            .bind(row::json(value)?)
            .execute(&mut *work.connection)
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
        .execute(&mut *work.connection)
        .await?;
    }
    Ok(())
}

/// Of which fields an event brings news; `*` when it does not say.
fn received(facts: Option<&EventFacts>, now: Timestamp) -> BTreeMap<&str, Timestamp> {
    let updated = facts.filter(|facts| facts.kind == EventKind::Updated);
    let mut names: BTreeMap<&str, Timestamp> = updated
        .into_iter()
        .flat_map(|facts| {
            let valued = facts.values.iter().flat_map(|values| values.keys());
            facts.fields.iter().chain(valued).map(|name| (name.as_str(), now))
        })
        .collect();
    if names.is_empty() {
        names.insert("*", now);
    }
    names
}

fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Created => "created",
        EventKind::Updated => "updated",
        EventKind::Deleted => "deleted",
    }
}
