//! What an operator sees of the engine.

use pairline_sdk::{EventKind, Health, InboxEvent, RecordId, System, Timestamp, TrashId, TrashItem, WaitingHint};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::failure::Failure;
use crate::reads::Reads;
use crate::row::{self, Reader, limit};

/// The oldest hint is among this many with the lowest numbers: one that was replaced while it was at work keeps its
/// number, and no more than this are at work.
const NEAR_THE_FRONT: i64 = 256;

/// Items of the trash, from here on by what the rest of the statement says.
macro_rules! trash {
    () => {
        "SELECT id, system, record_id, topology, node, reason, count, at, body, state, decided_at FROM trash"
    };
}

/// Waiting hints, from here on by what the rest of the statement says.
macro_rules! waiting {
    () => {
        "SELECT system, record_id, ready_at, since, hops, reason FROM hint"
    };
}

impl Reads {
    pub(super) async fn cursor(&self, system: &System) -> Result<Value, Failure> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM cursor WHERE system = $1")
            .bind(system.as_str())
            .fetch_optional(self.pool())
            .await?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or(Value::Null))
    }

    /// What is open in the trash, newest first.
    pub(super) async fn trash(&self, most: usize) -> Result<Vec<TrashItem>, Failure> {
        let query = concat!(trash!(), " WHERE state = 'open' ORDER BY at DESC, id DESC LIMIT $1");
        let rows = sqlx::query(query).bind(limit(most)).fetch_all(self.pool()).await?;
        rows.iter().map(trash_item).collect()
    }

    /// One item, decided or not.
    pub(super) async fn trash_item(&self, item: TrashId) -> Result<Vec<TrashItem>, Failure> {
        let rows = sqlx::query(concat!(trash!(), " WHERE id = $1")).bind(item.0).fetch_all(self.pool()).await?;
        rows.iter().map(trash_item).collect()
    }

    /// The items of one record, decided or not, newest first. Reads the trash through, which is seldom asked for.
    pub(super) async fn trash_of(&self, record: &RecordId, most: usize) -> Result<Vec<TrashItem>, Failure> {
        let query = concat!(trash!(), " WHERE system = $1 AND record_id = $2 ORDER BY at DESC, id DESC LIMIT $3");
        let query = sqlx::query(query).bind(record.system.as_str()).bind(record.id.as_str()).bind(limit(most));
        query.fetch_all(self.pool()).await?.iter().map(trash_item).collect()
    }

    pub(super) async fn waiting(&self, most: usize) -> Result<Vec<WaitingHint>, Failure> {
        let rows = sqlx::query(concat!(waiting!(), " ORDER BY id LIMIT $1")).bind(limit(most));
        rows.fetch_all(self.pool()).await?.iter().map(waiting_hint).collect()
    }

    pub(super) async fn waiting_of(&self, record: &RecordId) -> Result<Vec<WaitingHint>, Failure> {
        let rows = sqlx::query(concat!(waiting!(), " WHERE system = $1 AND record_id = $2"))
            .bind(record.system.as_str())
            .bind(record.id.as_str());
        rows.fetch_all(self.pool()).await?.iter().map(waiting_hint).collect()
    }

    /// The events of one record, oldest first; of more than the limit, the newest.
    pub(super) async fn events(&self, record: &RecordId, most: usize) -> Result<Vec<InboxEvent>, Failure> {
        let rows = sqlx::query(
            "SELECT event_key, kind, received_at FROM inbox WHERE application = $1 AND record_id = $2 \
             ORDER BY id DESC LIMIT $3",
        )
        .bind(record.system.as_str())
        .bind(record.id.as_str())
        .bind(limit(most))
        .fetch_all(self.pool())
        .await?;
        rows.iter()
            .rev()
            .map(|row| {
                let mut columns = Reader::at(row, 0);
                Ok(InboxEvent {
                    key: columns.get()?,
                    kind: columns.get::<Option<&str>>()?.and_then(event_kind),
                    received_at: columns.time()?,
                })
            })
            .collect()
    }

    pub(super) async fn health(&self) -> Result<Health, Failure> {
        let (waiting, oldest, trash): (i64, Option<i64>, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM hint), \
                    (SELECT min(since) FROM (SELECT since FROM hint ORDER BY id LIMIT $1)), \
                    (SELECT count(*) FROM trash WHERE state = 'open')",
        )
        .bind(NEAR_THE_FRONT)
        .fetch_one(self.pool())
        .await?;
        let paused: Vec<(String, String)> =
            sqlx::query_as("SELECT system, reason FROM paused ORDER BY system").fetch_all(self.pool()).await?;
        Ok(Health {
            waiting: waiting.unsigned_abs(),
            oldest: oldest.map(Timestamp::from_millis),
            trash: trash.unsigned_abs(),
            paused: paused.into_iter().map(|(system, reason)| (System::new(&system), reason)).collect(),
        })
    }
}

fn trash_item(row: &SqliteRow) -> Result<TrashItem, Failure> {
    let mut columns = Reader::at(row, 0);
    let id = TrashId(columns.get()?);
    let system = columns.system()?;
    let record = columns.get::<Option<String>>()?.map(|id| RecordId::new(&system, id));
    Ok(TrashItem {
        id,
        record,
        system,
        topology: columns.get()?,
        node: columns.get()?,
        reason: columns.get()?,
        count: columns.count()?,
        at: columns.time()?,
        body: columns.get()?,
        state: row::trash_state(columns.get()?)?,
        decided_at: columns.time_if_any()?,
    })
}

fn waiting_hint(row: &SqliteRow) -> Result<WaitingHint, Failure> {
    let mut columns = Reader::at(row, 0);
    Ok(WaitingHint {
        record: columns.record()?,
        ready_at: columns.time()?,
        since: columns.time()?,
        hops: columns.count()?,
        reason: columns.get()?,
    })
}

fn event_kind(name: &str) -> Option<EventKind> {
    EventKind::ALL.into_iter().find(|kind| kind.name() == name)
}
