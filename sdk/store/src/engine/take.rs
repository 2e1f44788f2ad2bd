//! Deliveries on their way in: event keys into the inbox, hints beside them, in one transaction.

use pairline_sdk::{Arrival, Delivery, Taken, time_ordered_id};
use rusqlite::params;

use super::Lanes;
use crate::failure::Failure;
use crate::row;
use crate::work::Work;

/// Changes no row if the event was taken before.
const INSERT_KEY: &str = "\
    INSERT INTO inbox (application, event_key, record_id, kind, received_at) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (application, event_key, record_id) DO NOTHING";

/// The first news of a record that is at work. Its row is as it was handed out and has nothing of its own any more: its
/// worker has it in hand. So the news stands for itself; only a crash looks at `unfinished` again.
const REPLACE: &str = "\
    UPDATE hint SET facts = ?3, unfinished = json_patch(coalesce(unfinished, '{}'), received), received = ?4, \
        since = ?5, ready_at = max(ready_at, ?6), hops = 0, reason = NULL, correlation_id = ?7, revision = ?8 \
    WHERE id = ?1 AND revision = ?2";

/// A hint that waits takes the news in and stands for several events from then on. It keeps its place: a record with
/// much news does not wait longer for it, and a repeat is not hurried.
const ADD: &str = "\
    INSERT INTO hint (system, record_id, facts, received, since, ready_at, hops, correlation_id, revision) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8) \
    ON CONFLICT (system, record_id) DO UPDATE SET \
        facts = NULL, received = json_patch(received, excluded.received), revision = excluded.revision";

/// Keeps a delivery and what comes beside it.
pub(crate) fn take(work: &mut Work<'_>, lanes: &mut Lanes, delivery: &Delivery) -> Result<Taken, Failure> {
    let mut taken = Taken::default();
    for arrival in &delivery.arrivals {
        if !is_new(work, arrival)? {
            taken.duplicates += 1;
            continue;
        }
        taken.accepted += 1;
        if !arrival.settled {
            add_news(work, lanes, arrival)?;
        }
    }
    add_beside(work, delivery)?;
    Ok(taken)
}

/// Keeps the key of an event, if it has one. The first that brings a key is the one that is taken.
fn is_new(work: &Work<'_>, arrival: &Arrival) -> Result<bool, Failure> {
    let Some(key) = &arrival.event_key else { return Ok(true) };
    let record = &arrival.record;
    let kind = arrival.facts.as_ref().map(|facts| facts.kind.name());
    let row = params![record.system.as_str(), key, record.id, kind, work.now.as_millis()];
    Ok(work.run(INSERT_KEY, row)? > 0)
}

fn add_news(work: &Work<'_>, lanes: &mut Lanes, arrival: &Arrival) -> Result<(), Failure> {
    let Arrival { record, facts, .. } = arrival;
    lanes.knows(&record.system);
    let facts = facts.as_ref().map(row::json).transpose()?;
    let received = row::json(&arrival.received(work.now))?;
    let since = work.now.as_millis();
    let ready_at = lanes.not_before(record, work.now).as_millis();
    let correlation_id = time_ordered_id(work.now, work.random);
    let revision = lanes.next_revision();
    if let Some((hint, given)) = lanes.in_hand(record) {
        let row = params![hint, given, facts, received, since, ready_at, correlation_id, revision];
        if work.run(REPLACE, row)? > 0 {
            return Ok(());
        }
    }
    let row = params![record.system.as_str(), record.id, facts, received, since, ready_at, correlation_id, revision];
    work.run(ADD, row)?;
    Ok(())
}

/// What comes with a delivery beside its arrivals.
fn add_beside(work: &Work<'_>, delivery: &Delivery) -> Result<(), Failure> {
    if let Some((system, value)) = &delivery.cursor {
        let statement = "INSERT INTO cursor VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        work.run(statement, (system.as_str(), row::json(value)?))?;
    }
    for unreadable in &delivery.unreadable {
        work.run(
            "INSERT INTO trash (system, topology, node, reason, body, count, at) VALUES (?1, '', '', ?2, ?3, 1, ?4)",
            params![unreadable.system.as_str(), unreadable.reason, unreadable.body, work.now.as_millis()],
        )?;
    }
    Ok(())
}
