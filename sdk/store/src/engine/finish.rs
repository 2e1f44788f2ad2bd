//! Hints on their way out: done, to be looked at again, or trash.

use pairline_sdk::{Disposition, RecordId, Timestamp};
use rusqlite::params;

use super::Lanes;
use super::lanes::AtWork;
use crate::failure::Failure;
use crate::row;
use crate::work::Work;
use crate::writer::Finished;

/// Only a row that is as it was handed out is over; news that came meanwhile stays waiting.
const DELETE: &str = "DELETE FROM hint WHERE id = ?1 AND revision = ?2";

/// What came meanwhile stands for itself from now on.
const LEAVE_NEWS: &str = "UPDATE hint SET unfinished = NULL WHERE id = ?1";

/// The row stands for what was given to its worker, a crash's share included, and for news that came meanwhile.
const AGAIN: &str = "\
    UPDATE hint SET facts = NULL, reason = ?2, ready_at = max(ready_at, ?3), hops = max(hops, ?4), \
        since = min(since, ?5), received = json_patch(?6, received), unfinished = NULL, revision = ?7 \
    WHERE id = ?1";

const TRASH: &str = "\
    INSERT INTO trash (system, record_id, topology, node, reason, count, at) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6) \
    ON CONFLICT (system, record_id, topology, node, reason) WHERE state = 'open' \
    DO UPDATE SET count = count + 1, at = excluded.at";

/// Writes what became of a hint.
pub(crate) fn finish(work: &mut Work<'_>, lanes: &mut Lanes, finished: &Finished) -> Result<(), Failure> {
    let Finished { hint, disposition } = finished;
    let revision = lanes.next_revision();
    // Else its worker belongs to a run that was given up; the hint is another's now.
    let Some(at_work) = lanes.at_work(*hint) else { return Ok(()) };
    match disposition {
        Disposition::Done => end(work, at_work),
        Disposition::Trash { reason, topology, node } => {
            add_to_trash(work, &at_work.hint.record, topology, node, reason)?;
            end(work, at_work)
        }
        Disposition::Again { at, reason, counted } => {
            let hops = at_work.hint.hops + u32::from(*counted);
            let at = lanes.not_before(&at_work.hint.record, *at);
            again(work, at_work, at, reason, hops, revision)
        }
    }
}

fn end(work: &Work<'_>, at_work: &AtWork) -> Result<(), Failure> {
    if work.run(DELETE, (at_work.hint.id, at_work.revision))? == 0 {
        work.run(LEAVE_NEWS, [at_work.hint.id])?;
    }
    Ok(())
}

fn again(
    work: &Work<'_>,
    at_work: &AtWork,
    at: Timestamp,
    reason: &str,
    hops: u32,
    revision: i64,
) -> Result<(), Failure> {
    let hint = &at_work.hint;
    let (since, received) = (hint.since.as_millis(), row::json(&hint.received)?);
    work.run(AGAIN, params![hint.id, reason, at.as_millis(), hops, since, received, revision])?;
    Ok(())
}

fn add_to_trash(work: &Work<'_>, record: &RecordId, topology: &str, node: &str, reason: &str) -> Result<(), Failure> {
    let now = work.now.as_millis();
    work.run(TRASH, params![record.system.as_str(), record.id, topology, node, reason, now])?;
    Ok(())
}
