//! What an operator asks of the engine. Each is one small transaction, so another process may write it too.

use async_trait::async_trait;
use pairline_sdk::{EngineError, RecordId, System, Timestamp, TrashId, time_ordered_id};

use crate::failure::Failure;
use crate::row;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Pause {
    pub(super) systems: Vec<System>,
    pub(super) reason: String,
}

#[async_trait]
impl Command for Pause {
    type Answer = ();
    const TOUCHES_HINTS: bool = true;

    async fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        for system in &self.systems {
            sqlx::query("INSERT INTO paused VALUES ($1, $2, $3) ON CONFLICT DO UPDATE SET reason = excluded.reason")
                .bind(system.as_str())
                .bind(self.reason.as_str())
                .bind(work.now.as_millis())
                .execute(work.connection().await?)
                .await?;
        }
        Ok(())
    }
}

pub(super) struct Resume {
    pub(super) systems: Vec<System>,
}

#[async_trait]
impl Command for Resume {
    type Answer = ();
    const TOUCHES_HINTS: bool = true;

    async fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        for system in &self.systems {
            sqlx::query("DELETE FROM paused WHERE system = $1")
                .bind(system.as_str())
                .execute(work.connection().await?)
                .await?;
        }
        Ok(())
    }
}

pub(super) struct Approve(pub(super) TrashId);

#[async_trait]
impl Command for Approve {
    type Answer = Result<(), EngineError>;
    const TOUCHES_HINTS: bool = true;

    async fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure> {
        let found: Option<(String, Option<String>)> =
            sqlx::query_as("SELECT system, record_id FROM trash WHERE id = $1 AND state = 'open'")
                .bind(self.0.0)
                .fetch_optional(work.connection().await?)
                .await?;
        let Some((system, id)) = found else { return Ok(Err(no_such(self.0))) };
        let Some(id) = id else {
            let text = format!("trash item {} names no record to look at: it can only be rejected", self.0.0);
            return Ok(Err(EngineError::NotFound(text)));
        };
        decide(work, self.0, "approved").await?;
        add_hint(work, &RecordId::new(&System::new(&system), id)).await?;
        Ok(Ok(()))
    }
}

pub(super) struct Reject(pub(super) TrashId);

#[async_trait]
impl Command for Reject {
    type Answer = Result<(), EngineError>;

    async fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure> {
        Ok(if decide(work, self.0, "rejected").await? { Ok(()) } else { Err(no_such(self.0)) })
    }
}

fn no_such(item: TrashId) -> EngineError {
    EngineError::NotFound(format!("nothing in the trash has the number {}", item.0))
}

async fn decide(work: &mut Work<'_>, item: TrashId, state: &'static str) -> Result<bool, Failure> {
    let done = sqlx::query("UPDATE trash SET state = $2, decided_at = $3 WHERE id = $1 AND state = 'open'")
        .bind(item.0)
        .bind(state)
        .bind(work.now.as_millis())
        .execute(work.connection().await?)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A hint that comes from no event. Its revision is negative, and further from zero each time: the owner counts
/// upwards, so this is none that it has handed out.
async fn add_hint(work: &mut Work<'_>, record: &RecordId) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO hint (system, record_id, received, since, ready_at, hops, correlation_id, revision) \
         VALUES ($1, $2, '{}', $3, $3, 0, $4, -1) \
         ON CONFLICT (system, record_id) DO UPDATE SET \
             facts = NULL, hops = 0, ready_at = min(ready_at, excluded.ready_at), revision = -abs(revision) - 1",
    )
    .bind(record.system.as_str())
    .bind(record.id.as_str())
    .bind(work.now.as_millis())
    .bind(time_ordered_id(work.now, work.random))
    .execute(work.connection().await?)
    .await?;
    Ok(())
}

pub(super) struct Rewind;

#[async_trait]
impl Command for Rewind {
    type Answer = ();

    async fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        sqlx::query("DELETE FROM cursor").execute(work.connection().await?).await?;
        Ok(())
    }
}

pub(super) struct Probe;

#[async_trait]
impl Command for Probe {
    type Answer = ();

    async fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        let now = work.now.as_millis().to_string();
        sqlx::query("INSERT INTO meta VALUES ('probe', $1) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(now)
            .execute(work.connection().await?)
            .await?;
        Ok(())
    }
}

pub(super) struct Prune {
    pub(super) received_before: Timestamp,
    pub(super) limit: usize,
}

#[async_trait]
impl Command for Prune {
    type Answer = u64;

    async fn run(&self, work: &mut Work<'_>) -> Result<u64, Failure> {
        // The lowest numbers came first, so this reads no more rows than it may delete.
        let done = sqlx::query(
            "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox ORDER BY id LIMIT $2) AND received_at < $1",
        )
        .bind(self.received_before.as_millis())
        .bind(row::limit(self.limit))
        .execute(work.connection().await?)
        .await?;
        Ok(done.rows_affected())
    }
}
