//! Hints on their way out: done, to be looked at again, or trash.

use pairline_sdk::{Disposition, RecordId};
use serde_json::{Value, json};

use super::Lanes;
use crate::failure::Failure;
use crate::row;
use crate::work::Work;
use crate::writer::Finished;

/// Only a row that is as it was handed out is finished; news that came meanwhile stays waiting. `$3`: numbers and
/// revisions.
macro_rules! hint_delete {
    () => {
        "DELETE FROM hint WHERE id IN (SELECT value ->> 0 FROM json_each($3)) \
         AND (id, revision) IN (SELECT value ->> 0, value ->> 1 FROM json_each($3))"
    };
}

pub(crate) use hint_delete;

/// If news came meanwhile, the row stands for it and for what was not finished.
const AGAIN: &str = "\
    UPDATE hint SET facts = NULL, reason = $4, ready_at = max(ready_at, $3), \
        hops = max(hops, $5), since = min(since, $6), \
        received = iif(revision = $2, received, json_patch($7, received)), revision = $8 \
    WHERE id = $1";

const TRASH: &str = "\
    INSERT INTO trash (system, record_id, topology, node, reason, count, at) VALUES ($1, $2, $3, $4, $5, 1, $6) \
    ON CONFLICT (system, record_id, topology, node, reason) WHERE state = 'open' \
    DO UPDATE SET count = count + 1, at = excluded.at";

/// Writes what became of hints. Answers the rows of [`hint_delete`] for those that are over.
pub(crate) async fn finish(
    work: &mut Work<'_>,
    lanes: &mut Lanes,
    finished: &[&Finished],
) -> Result<Vec<Value>, Failure> {
    let mut done: Vec<Value> = Vec::new();
    for Finished { hint, disposition } in finished {
        // Its worker belongs to a run that was given up; the hint is another's now.
        let Some(at_work) = lanes.at_work(*hint) else { continue };
        let handed_out = json!([hint, at_work.revision]);
        match disposition {
            Disposition::Done => done.push(handed_out),
            Disposition::Trash { reason, topology, node } => {
                add_to_trash(work, &at_work.hint.record, topology, node, reason).await?;
                done.push(handed_out);
            }
            Disposition::Again { at, reason, counted } => {
                let at = lanes.not_before(&at_work.hint.record, *at);
                let hops = at_work.hint.hops + u32::from(*counted);
                let since = at_work.hint.since;
                let received = row::json(&at_work.hint.received)?;
                let (given, next) = (at_work.revision, lanes.next_revision());
                sqlx::query(AGAIN)
                    .bind(hint)
                    .bind(given)
                    .bind(at.as_millis())
                    .bind(reason.as_str())
                    .bind(i64::from(hops))
                    .bind(since.as_millis())
                    .bind(received)
                    .bind(next)
                    .execute(&mut *work.connection)
                    .await?;
            }
        }
    }
    Ok(done)
}

async fn add_to_trash(
    work: &mut Work<'_>,
    record: &RecordId,
    topology: &str,
    node: &str,
    reason: &str,
) -> Result<(), Failure> {
    sqlx::query(TRASH)
        .bind(record.system.as_str())
        .bind(record.id.as_str())
        .bind(topology)
        .bind(node)
        .bind(reason)
        .bind(work.now.as_millis())
        .execute(&mut *work.connection)
        .await?;
    Ok(())
}
