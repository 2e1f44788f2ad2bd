//! Reads, on connections of their own: they wait for no write, and see everything that was answered as durable.

use std::sync::Arc;

use pairline_sdk::{
    Case, EventFacts, History, Look, Note, Operation, OperationId, OperationKind, OperationState, Pair, PairId,
    RecordId, StoreCounts, System, Timestamp,
};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteRow;

use crate::cache::{Cache, Known};
use crate::columns::Columns;
use crate::failure::Failure;
use crate::glance::Glance;
use crate::row::{
    OPERATION_COLUMNS, PAIR_COLUMNS, Reader, json, limit, note_kind, operation_columns, pair_columns, pairs_with_open,
    reservation_columns,
};
use crate::standing::{Standing, standing_columns, standing_joins};

/// Connections to read with, and what need not be read.
#[derive(Clone)]
pub(crate) struct Reads {
    pool: SqlitePool,
    glance: Arc<Glance>,
    cache: Cache,
}

const LOOK: &str = concat!("SELECT ", standing_columns!(), " FROM (SELECT 1)", standing_joins!("$1", "$2", "$3"));

const LOOK_MANY: &str = concat!(
    "SELECT ",
    standing_columns!(),
    " FROM json_each($1) j",
    standing_joins!("j.value ->> 0", "j.value ->> 1", "$2"),
    " ORDER BY j.key"
);

/// The first pair of a record, and whether the record has a reservation.
const FIRST: &str = pairs_with_open!(
    ", EXISTS (SELECT 1 FROM reservation WHERE source_system = $1 AND source_id = $2) FROM (SELECT 1) LEFT JOIN pair p \
     ON p.id = (SELECT min(pair) FROM mapping WHERE source_system = $1 AND source_id = $2)",
    ""
);

/// The pairs of a record, whichever system the other side lives in.
const PAIRS_OF: &str = pairs_with_open!(
    " FROM mapping m JOIN pair p ON p.id = m.pair",
    " WHERE m.source_system = $1 AND m.source_id = $2 ORDER BY p.id"
);

const PAIRS_AFTER: &str = pairs_with_open!(" FROM pair p", " WHERE p.id > $1 ORDER BY p.id LIMIT $2");

const OPERATION: &str = concat!("SELECT ", operation_columns!(), " FROM operation o WHERE o.id = $1");

/// Every operation of a pair has one of its records as its source; a create that was never mapped also belongs to the
/// record it made.
const STORY: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operation o WHERE o.rowid IN (",
    "SELECT rowid FROM operation WHERE source_system = $1 AND source_id = $2 ",
    "UNION SELECT rowid FROM operation WHERE source_system = $3 AND source_id = $4 AND pair = $5 ",
    "UNION SELECT rowid FROM operation WHERE target_system = $1 AND target_id = $2 AND pair IS NULL) ORDER BY o.id"
);

/// Rows of one source stand in its index in the order they were made, so the newest cost no more than their number.
const RECENT: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operation o WHERE o.rowid IN (",
    "SELECT * FROM (SELECT rowid FROM operation WHERE source_system = $1 AND source_id = $2 AND pair = $5 \
     ORDER BY rowid DESC LIMIT $6) ",
    "UNION ALL SELECT * FROM (SELECT rowid FROM operation WHERE source_system = $3 AND source_id = $4 AND pair = $5 \
     ORDER BY rowid DESC LIMIT $6)) ORDER BY o.rowid DESC"
);

const RESERVATION_OF: &str = concat!(
    "SELECT ",
    reservation_columns!(),
    ", ",
    operation_columns!(),
    " FROM reservation r JOIN operation o ON o.id = r.operation WHERE r.source_system = $1 AND r.source_id = $2"
);

/// Whether counterparts may be created, as it is kept.
pub(crate) const CREATES: &str = "SELECT value FROM meta WHERE key = 'creates'";

impl Reads {
    pub(crate) fn new(pool: SqlitePool, glance: Glance, cache: Cache) -> Self {
        Self { pool, glance: Arc::new(glance), cache }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) async fn close(&self) {
        self.glance.close();
        self.pool.close().await;
    }

    pub(crate) async fn look(&self, record: &RecordId, target: &System) -> Result<Look, Failure> {
        // Nearly every record has one pair or stands nowhere; the others are asked about with all there is to know.
        if let Some(look) = self.known(record).await?.and_then(|known| known.look(record, target)) {
            return Ok(look);
        }
        let row = sqlx::query(LOOK)
            .bind(record.system.as_str())
            .bind(record.id.as_str())
            .bind(target.as_str())
            .fetch_one(&self.pool)
            .await?;
        Ok(Standing::read(&row, 0)?.look())
    }

    pub(crate) async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, Failure> {
        let mut looks: Vec<Option<Look>> = records.iter().map(|record| self.cached(record, target)).collect();
        let missing: Vec<usize> = (0..records.len()).filter(|index| looks[*index].is_none()).collect();
        if !missing.is_empty() {
            let key = |index: &usize| [records[*index].system.as_str(), &records[*index].id];
            let keys: Vec<[&str; 2]> = missing.iter().map(key).collect();
            let rows = sqlx::query(LOOK_MANY).bind(json(&keys)?).bind(target.as_str()).fetch_all(&self.pool).await?;
            for (index, row) in missing.into_iter().zip(&rows) {
                looks[index] = Some(Standing::read(row, 0)?.look());
            }
        }
        Ok(looks.into_iter().map(|look| look.unwrap_or(Look::Missing)).collect())
    }

    /// What stands for a record and a system, if that is in memory.
    fn cached(&self, record: &RecordId, target: &System) -> Option<Look> {
        self.cache.record(record)?.look(record, target)
    }

    /// What the echo filter judges by: the record's pair, else the create that an event names.
    pub(crate) async fn evidence(
        &self,
        record: &RecordId,
        facts: &EventFacts,
    ) -> Result<(Look, Option<Operation>), Failure> {
        if let Some(Known::First(pair)) = self.known(record).await? {
            return Ok((Standing::of(pair).look(), None));
        }
        let create = match &facts.operation {
            Some(id) => self.operation(id).await?,
            None => None,
        };
        Ok((Look::Missing, create.filter(|create| create.kind == OperationKind::Create && create.pair.is_none())))
    }

    /// What stands for a record; `None` for a reservation.
    async fn known(&self, record: &RecordId) -> Result<Option<Known>, Failure> {
        if let Some(known) = self.cache.record(record) {
            return Ok(Some(known));
        }
        let before = self.cache.moment();
        let key = (record.system.as_str(), record.id.as_str());
        let known = match self.glance.at(FIRST, key, |row| row.known()) {
            Some(known) => known,
            None => {
                let row = sqlx::query(FIRST).bind(key.0).bind(key.1).fetch_one(&self.pool).await?;
                Reader::at(&row, 0).known()?
            }
        };
        if let Some(known) = &known {
            self.cache.was_read(before, record, known);
        }
        Ok(known)
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<Operation>, Failure> {
        if let Some(operation) = self.cache.create(id) {
            return Ok(Some(Arc::unwrap_or_clone(operation)));
        }
        let row = sqlx::query(OPERATION).bind(id.0.as_str()).fetch_optional(&self.pool).await?;
        row.map(|row| Reader::at(&row, 0).operation()).transpose()
    }

    async fn pairs_of(&self, record: &RecordId) -> Result<Vec<Pair>, Failure> {
        let query = sqlx::query(PAIRS_OF).bind(record.system.as_str()).bind(record.id.as_str());
        query.fetch_all(&self.pool).await?.iter().map(|row| Reader::at(row, 0).pair_with_open()).collect()
    }

    pub(crate) async fn pairs(&self, after: Option<PairId>, most: usize) -> Result<Vec<Pair>, Failure> {
        let query = sqlx::query(PAIRS_AFTER).bind(after.map_or(i64::MIN, |after| after.0)).bind(limit(most));
        query.fetch_all(&self.pool).await?.iter().map(|row| Reader::at(row, 0).pair_with_open()).collect()
    }

    pub(crate) async fn cases(&self, most: usize) -> Result<Vec<Case>, Failure> {
        let query = sqlx::query(
            "SELECT id, kind, records, detail, opened_at FROM cases WHERE closed_at IS NULL ORDER BY id LIMIT $1",
        );
        query.bind(limit(most)).fetch_all(&self.pool).await?.iter().map(|row| Reader::at(row, 0).case()).collect()
    }

    pub(crate) async fn history(&self, record: &RecordId) -> Result<History, Failure> {
        let pair = self.pairs_of(record).await?.into_iter().next();
        let reservation = sqlx::query(RESERVATION_OF)
            .bind(record.system.as_str())
            .bind(record.id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| Reader::at(&row, 0).reservation())
            .transpose()?;
        let other = pair.as_ref().map(|pair| &pair.other(&record.system).record);
        let number = pair.as_ref().map(|pair| pair.id.0);
        let operations = sqlx::query(STORY)
            .bind(record.system.as_str())
            .bind(record.id.as_str())
            .bind(other.map(|other| other.system.as_str()))
            .bind(other.map(|other| other.id.as_str()))
            .bind(number)
            .fetch_all(&self.pool)
            .await?;
        let notes = sqlx::query("SELECT at, kind, field, system, lost, kept FROM note WHERE pair = $1 ORDER BY id")
            .bind(number)
            .fetch_all(&self.pool)
            .await?;
        let cases = sqlx::query(
            "SELECT id, kind, records, detail, opened_at FROM cases \
             WHERE EXISTS (SELECT 1 FROM json_each(records) WHERE value = $1) ORDER BY id",
        )
        .bind(record.to_string())
        .fetch_all(&self.pool)
        .await?;
        Ok(History {
            pair,
            reservation,
            operations: operations.iter().map(|row| Reader::at(row, 0).operation()).collect::<Result<_, _>>()?,
            notes: notes.iter().map(note).collect::<Result<_, _>>()?,
            cases: cases.iter().map(|row| Reader::at(row, 0).case()).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) async fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, Failure> {
        let [first, second] = &pair.sides;
        let rows = sqlx::query(RECENT)
            .bind(first.record.system.as_str())
            .bind(first.record.id.as_str())
            .bind(second.record.system.as_str())
            .bind(second.record.id.as_str())
            .bind(pair.id.0)
            .bind(limit(most))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Reader::at(row, 0).operation()).collect()
    }

    pub(crate) async fn counts(&self) -> Result<StoreCounts, Failure> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM pair WHERE gone IS NULL), \
                    (SELECT count(*) FROM pair WHERE gone IS NOT NULL), \
                    (SELECT count(*) FROM pair WHERE gone IS NULL \
                        AND (first_inverse_written = 0 OR second_inverse_written = 0)), \
                    (SELECT count(*) FROM operation WHERE state = 'unknown' AND state IN ('pending', 'unknown')), \
                    (SELECT count(*) FROM cases WHERE closed_at IS NULL), \
                    count(*), min(o.first_sent_at) \
             FROM reservation r JOIN operation o ON o.id = r.operation WHERE r.closed = 0 AND o.state <> $1",
        )
        .bind(OperationState::Failed.name())
        .fetch_one(&self.pool)
        .await?;
        let mut columns = Reader::at(&row, 0);
        Ok(StoreCounts {
            pairs_active: columns.count()?,
            pairs_inactive: columns.count()?,
            inverse_pending: columns.count()?,
            operations_unknown: columns.count()?,
            cases_open: columns.count()?,
            reservations_open: columns.count()?,
            reservation_oldest: columns.time_if_any()?,
        })
    }

    pub(crate) async fn creates(&self) -> Result<Option<String>, Failure> {
        Ok(sqlx::query_scalar(CREATES).fetch_optional(&self.pool).await?)
    }

    /// Operations that ended before an instant and may go, from a place in the order of their ends.
    pub(crate) async fn prunable(
        &self,
        after: (i64, i64),
        ended_before: Timestamp,
        most: usize,
    ) -> Result<Vec<(i64, i64)>, Failure> {
        Ok(sqlx::query_as(
            "SELECT ended_at, rowid FROM operation o \
             WHERE ended_at < $1 AND (ended_at, rowid) > ($2, $3) AND state NOT IN ('pending', 'unknown') \
             AND NOT EXISTS (SELECT 1 FROM pair p WHERE p.id = o.pair AND o.id IN (p.first_newest, p.second_newest)) \
             AND NOT EXISTS (SELECT 1 FROM reservation r WHERE r.operation = o.id) \
             ORDER BY ended_at, rowid LIMIT $4",
        )
        .bind(ended_before.as_millis())
        .bind(after.0)
        .bind(after.1)
        .bind(limit(most))
        .fetch_all(&self.pool)
        .await?)
    }
}

impl<R: Columns> Reader<'_, R> {
    /// What the answer to [`FIRST`] says; `None` for a reservation.
    fn known(&mut self) -> Result<Option<Known>, Failure> {
        if !self.is_absent()? {
            return Ok(Some(Known::First(Arc::new(self.pair_with_open()?))));
        }
        self.skip(PAIR_COLUMNS + OPERATION_COLUMNS);
        let reserved: bool = self.get()?;
        Ok((!reserved).then_some(Known::Nowhere))
    }
}

fn note(row: &SqliteRow) -> Result<(Timestamp, Note), Failure> {
    let mut columns = Reader::at(row, 0);
    let at = columns.time()?;
    let kind = note_kind(columns.get()?)?;
    let (field, system) = (columns.get()?, columns.system()?);
    Ok((at, Note { kind, field, system, lost: columns.json()?, kept: columns.json()? }))
}
