//! Hints on their way out: done, to be looked at again, or trash.

use pairline_sdk::{Disposition, RecordId};
use serde::Serialize;

use super::Lanes;
use crate::batch::Batch;
use crate::failure::Failure;
use crate::row;
use crate::work::Work;
use crate::writer::Finished;

/// Only a row that is as it was handed out is finished; news that came meanwhile stays waiting. `?`: numbers and
/// revisions, twice.
const DELETE: &str = "\
    DELETE FROM hint WHERE id IN (SELECT value ->> 0 FROM json_each(?)) \
    AND (id, revision) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))";

/// What came meanwhile stands for itself from now on. `?`: numbers.
const FINISH: &str = "UPDATE OR ROLLBACK hint SET unfinished = NULL WHERE id IN (SELECT value FROM json_each(?))";

/// If news came meanwhile, the row stands for it and for what was not finished.
const AGAIN: &str = "\
    UPDATE OR ROLLBACK hint SET facts = NULL, reason = value ->> 'reason', ready_at = max(ready_at, value ->> 'ready_at'), \
        hops = max(hops, value ->> 'hops'), since = min(since, value ->> 'since'), \
        received = iif(revision = value ->> 'given', received, json_patch(value ->> 'received', received)), \
        unfinished = NULL, \
        revision = value ->> 'revision' \
    FROM json_each(?) WHERE hint.id = value ->> 'hint'";

const TRASH: &str = "\
    INSERT INTO trash (system, record_id, topology, node, reason, count, at) VALUES ($1, $2, $3, $4, $5, 1, $6) \
    ON CONFLICT (system, record_id, topology, node, reason) WHERE state = 'open' \
    DO UPDATE SET count = count + 1, at = excluded.at";

/// What became of hints.
#[derive(Default)]
pub(crate) struct Ended {
    over: Vec<(i64, i64)>,
    /// Those of them that news has come for.
    left: Vec<i64>,
    again: Vec<Again>,
}

/// A hint to be looked at again, in the words of [`AGAIN`].
#[derive(Serialize)]
struct Again {
    hint: i64,
    given: i64,
    revision: i64,
    reason: String,
    ready_at: i64,
    hops: u32,
    since: i64,
    received: String,
}

impl Ended {
    /// Adds the statements that write it. News of the same transaction is to be written before.
    pub(crate) fn write(&self, batch: &mut Batch) -> Result<(), Failure> {
        if !self.again.is_empty() {
            batch.add(AGAIN).bind(row::json(&self.again)?)?;
        }
        if !self.over.is_empty() {
            let over = row::json(&self.over)?;
            batch.add(DELETE).bind(over.clone())?.bind(over)?;
        }
        if !self.left.is_empty() {
            batch.add(FINISH).bind(row::json(&self.left)?)?;
        }
        Ok(())
    }
}

/// Sorts what became of hints, and writes what is trash.
pub(crate) async fn finish(work: &mut Work<'_>, lanes: &mut Lanes, finished: &[&Finished]) -> Result<Ended, Failure> {
    let mut ended = Ended::default();
    for Finished { hint, disposition } in finished {
        // Its worker belongs to a run that was given up; the hint is another's now.
        let Some(at_work) = lanes.at_work(*hint) else { continue };
        if !matches!(disposition, Disposition::Again { .. }) {
            ended.over.push((*hint, at_work.revision));
            ended.left.extend(at_work.has_news.then_some(*hint));
        }
        match disposition {
            Disposition::Done => {}
            Disposition::Trash { reason, topology, node } => {
                add_to_trash(work, &at_work.hint.record, topology, node, reason).await?;
            }
            Disposition::Again { at, reason, counted } => {
                let again = Again {
                    hint: *hint,
                    given: at_work.revision,
                    revision: 0,
                    reason: reason.clone(),
                    ready_at: lanes.not_before(&at_work.hint.record, *at).as_millis(),
                    hops: at_work.hint.hops + u32::from(*counted),
                    since: at_work.hint.since.as_millis(),
                    received: row::json(&at_work.hint.received)?,
                };
                ended.again.push(Again { revision: lanes.next_revision(), ..again });
            }
        }
    }
    Ok(ended)
}

async fn add_to_trash(
    work: &mut Work<'_>,
    record: &RecordId,
    topology: &str,
    node: &str,
    reason: &str,
) -> Result<(), Failure> {
    let now = work.now.as_millis();
    sqlx::query(TRASH)
        .bind(record.system.as_str())
        .bind(record.id.as_str())
        .bind(topology)
        .bind(node)
        .bind(reason)
        .bind(now)
        .execute(work.connection().await?)
        .await?;
    Ok(())
}
