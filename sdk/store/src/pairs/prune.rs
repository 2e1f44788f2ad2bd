//! Old operations. What may go is found on a reading connection, so that a large ledger holds up no write.

use pairline_sdk::Timestamp;
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::reads::Reads;
use crate::row;
use crate::work::Work;
use crate::writer::{Command, Writer};

/// How far the ledger was read: many old operations stay for good, as the newest on their record, and are not read
/// again for each batch. After the end it starts over.
#[derive(Default)]
pub(super) struct Place(Mutex<(i64, i64)>);

const START: (i64, i64) = (0, 0);

impl Place {
    pub(super) async fn prune(
        &self,
        reads: &Reads,
        writer: &Writer,
        ended_before: Timestamp,
        limit: usize,
    ) -> Result<u64, Failure> {
        let mut place = self.0.lock().await;
        let began_at = *place;
        let mut found = reads.prunable(*place, ended_before, limit).await?;
        *place = found.last().copied().filter(|_| found.len() >= limit).unwrap_or(START);
        // What became old before the place would else be missed by a caller that stops at the first empty batch.
        if found.is_empty() && began_at != START && limit > 0 {
            found = reads.prunable(START, ended_before, limit).await?;
        }
        if found.is_empty() {
            return Ok(0);
        }
        writer.ask(Delete(found.into_iter().map(|(_, row)| row).collect())).await
    }
}

struct Delete(Vec<i64>);

impl Command for Delete {
    type Answer = u64;

    fn run(&self, work: &mut Work<'_>) -> Result<u64, Failure> {
        // An ended operation never becomes the newest on its record again, so what was found may still go; only a late
        // answer can have reopened the question which of them ended when.
        let done = work.run(
            "DELETE FROM operation WHERE rowid IN (SELECT value FROM json_each(?1)) \
             AND state NOT IN ('pending', 'unknown') \
             AND NOT EXISTS (SELECT 1 FROM reservation r WHERE r.operation = operation.id)",
            [row::json(&self.0)?],
        )?;
        Ok(u64::try_from(done).unwrap_or(u64::MAX))
    }
}
