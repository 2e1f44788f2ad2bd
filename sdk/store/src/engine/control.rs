//! What an operator asks of the engine. Each is one small transaction, so another process may write it too.

use pairline_sdk::{EngineError, RecordId, System, Timestamp, TrashId, TrashState, time_ordered_id};
use rusqlite::params;

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;
use crate::{row, sql};

pub(super) struct Pause {
    pub(super) systems: Vec<System>,
    pub(super) reason: String,
}

impl Command for Pause {
    type Answer = ();
    const TOUCHES_HINTS: bool = true;

    fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        for system in &self.systems {
            work.run(
                "INSERT INTO paused VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET reason = excluded.reason",
                params![system.as_str(), self.reason, work.now.as_millis()],
            )?;
        }
        Ok(())
    }
}

pub(super) struct Resume {
    pub(super) systems: Vec<System>,
}

impl Command for Resume {
    type Answer = ();
    const TOUCHES_HINTS: bool = true;

    fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        for system in &self.systems {
            work.run("DELETE FROM paused WHERE system = ?1", [system.as_str()])?;
        }
        Ok(())
    }
}

pub(super) struct Approve(pub(super) TrashId);

impl Command for Approve {
    type Answer = Result<(), EngineError>;
    const TOUCHES_HINTS: bool = true;

    fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure> {
        let found: Option<(System, Option<String>)> = sql::one(
            work.connection(),
            "SELECT system, record_id FROM trash WHERE id = ?1 AND state = 'open'",
            [self.0.0],
            |row| Ok((row.system()?, row.get()?)),
        )?;
        let Some((system, id)) = found else { return Ok(Err(not_open(work, self.0)?)) };
        let Some(id) = id else {
            let text = format!("trash item {} names no record to look at: it can only be rejected", self.0.0);
            return Ok(Err(EngineError::NotFound(text)));
        };
        decide(work, self.0, TrashState::Approved)?;
        add_hint(work, &RecordId::new(&system, id))?;
        Ok(Ok(()))
    }
}

pub(super) struct Reject(pub(super) TrashId);

impl Command for Reject {
    type Answer = Result<(), EngineError>;

    fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure> {
        if decide(work, self.0, TrashState::Rejected)? {
            return Ok(Ok(()));
        }
        Ok(Err(not_open(work, self.0)?))
    }
}

fn not_open(work: &Work<'_>, item: TrashId) -> Result<EngineError, Failure> {
    let statement = "SELECT state FROM trash WHERE id = ?1";
    let decided = sql::one(work.connection(), statement, [item.0], |row| row::trash_state(row.get()?))?;
    Ok(EngineError::not_in_the_trash(item, decided))
}

fn decide(work: &mut Work<'_>, item: TrashId, state: TrashState) -> Result<bool, Failure> {
    let statement = "UPDATE trash SET state = ?2, decided_at = ?3 WHERE id = ?1 AND state = 'open'";
    Ok(work.run(statement, (item.0, state.name(), work.now.as_millis()))? > 0)
}

/// A hint that comes from no event. Its revision is negative, and further from zero each time: the owner counts
/// upwards, so this is none that it has handed out.
fn add_hint(work: &mut Work<'_>, record: &RecordId) -> Result<(), Failure> {
    work.run(
        "INSERT INTO hint (system, record_id, received, since, ready_at, hops, correlation_id, revision) \
         VALUES (?1, ?2, '{}', ?3, ?3, 0, ?4, -1) \
         ON CONFLICT (system, record_id) DO UPDATE SET \
             facts = NULL, hops = 0, ready_at = min(ready_at, excluded.ready_at), revision = -abs(revision) - 1",
        params![record.system.as_str(), record.id, work.now.as_millis(), time_ordered_id(work.now, work.random)],
    )?;
    Ok(())
}

pub(super) struct Rewind;

impl Command for Rewind {
    type Answer = ();

    fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        work.run("DELETE FROM cursor", [])?;
        Ok(())
    }
}

pub(super) struct Probe;

impl Command for Probe {
    type Answer = ();

    fn run(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        let statement = "INSERT INTO meta VALUES ('probe', ?1) ON CONFLICT DO UPDATE SET value = excluded.value";
        work.run(statement, [work.now.as_millis().to_string()])?;
        Ok(())
    }
}

pub(super) struct Prune {
    pub(super) received_before: Timestamp,
    pub(super) limit: usize,
}

impl Command for Prune {
    type Answer = u64;

    fn run(&self, work: &mut Work<'_>) -> Result<u64, Failure> {
        // The lowest numbers came first, so this reads no more rows than it may delete.
        let done = work.run(
            "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox ORDER BY id LIMIT ?2) AND received_at < ?1",
            (self.received_before.as_millis(), row::limit(self.limit)),
        )?;
        Ok(u64::try_from(done).unwrap_or(u64::MAX))
    }
}
