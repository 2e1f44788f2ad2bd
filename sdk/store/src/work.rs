//! What a command may do inside its transaction: load rows, save rows. What changes in them is the SDK's business.

use std::collections::HashMap;

use pairline_sdk::{
    Case, CaseId, CaseKind, Look, Note, Operation, OperationId, OperationState, Pair, PairId, PairState, Random,
    RecordId, Reservation, System, Timestamp, time_ordered_id,
};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, SqliteConnection};

use crate::failure::Failure;
use crate::row::{
    PAIR_COLUMNS, RESERVATION_COLUMNS, Reader, json, kind_name, millis, note_name, operation_columns, pair_columns,
    record_list, reservation_columns,
};

/// A transaction at work.
pub(crate) struct Work<'t> {
    pub(crate) connection: &'t mut SqliteConnection,
    pub(crate) random: &'t dyn Random,
    /// One instant for all of it.
    pub(crate) now: Timestamp,
    /// The start of the program.
    pub(crate) start: i64,
    /// What was read for the whole group at once.
    pub(crate) known: Known,
}

/// What commands will read first, so that it can be read for all of a group at once.
#[derive(Default)]
pub(crate) struct Needs {
    pub(crate) pairs: Vec<i64>,
    pub(crate) operations: Vec<String>,
}

/// Rows that were read for the group, as long as nothing in the group has changed them.
#[derive(Default)]
pub(crate) struct Known {
    pairs: HashMap<PairId, Pair>,
    operations: HashMap<OperationId, (Operation, Option<Pair>)>,
}

/// What the rows of [`known_pairs`] and [`known_operations`] begin with.
pub(crate) const KNOWN_PAIR: i64 = 1;

/// Pairs with their open operations. `$3`: their numbers.
macro_rules! known_pairs {
    () => {
        concat!(
            "SELECT 1, ",
            pair_columns!(),
            ", ",
            operation_columns!(),
            " FROM pair p LEFT JOIN operation o ON o.pair = p.id AND o.state IN ('pending', 'unknown')",
            " WHERE p.id IN (SELECT value FROM json_each($3))"
        )
    };
}

/// Operations with their pairs. `$4`: their names.
macro_rules! known_operations {
    () => {
        concat!(
            "SELECT 2, ",
            pair_columns!(),
            ", ",
            operation_columns!(),
            " FROM operation o LEFT JOIN pair p ON p.id = o.pair WHERE o.id IN (SELECT value FROM json_each($4))"
        )
    };
}

pub(crate) use {known_operations, known_pairs};

impl Known {
    /// Takes a row of [`known_pairs`] or [`known_operations`].
    pub(crate) fn add(&mut self, row: &SqliteRow) -> Result<(), Failure> {
        let is_pair = Reader::at(row, 0).get::<i64>()? == KNOWN_PAIR;
        let (mut pair, mut operation) = (Reader::at(row, 1), Reader::at(row, 1 + PAIR_COLUMNS));
        if is_pair {
            let mut pair = pair.pair()?;
            pair.open = if operation.is_absent()? { None } else { Some(operation.operation()?) };
            self.pairs.insert(pair.id, pair);
        } else {
            let operation = operation.operation()?;
            let pair = if pair.is_absent()? { None } else { Some(pair.pair()?) };
            self.operations.insert(operation.id.clone(), (operation, pair));
        }
        Ok(())
    }

    /// A pair, or an operation of it, is about to change.
    fn forget_pair(&mut self, id: PairId) {
        self.pairs.remove(&id);
        self.operations.retain(|_, (operation, _)| operation.pair != Some(id));
    }

    fn forget_operation(&mut self, operation: &Operation) {
        self.operations.remove(&operation.id);
        if let Some(pair) = operation.pair {
            self.forget_pair(pair);
        }
    }
}

/// What stands in the mapping for a record and a target system: its pair with the open operation, else its
/// reservation.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) pair: Option<Pair>,
    pub(crate) reservation: Option<Reservation>,
}

impl Standing {
    /// What that means to whoever asks.
    pub(crate) fn look(self) -> Look {
        match (self.pair, self.reservation) {
            (Some(pair), _) if pair.is_active() => Look::Found(Box::new(pair)),
            (Some(pair), _) => Look::Inactive(Some(Box::new(pair))),
            (None, Some(reservation)) if reservation.closed => Look::Inactive(None),
            (None, Some(reservation)) if reservation.operation.state != OperationState::Failed => {
                Look::Pending(Box::new(reservation))
            }
            _ => Look::Missing,
        }
    }

    /// Reads what [`standing_columns`] selects, from column `first`.
    pub(crate) fn read(row: &SqliteRow, first: usize) -> Result<Self, Failure> {
        let mut operation = Reader::at(row, first + PAIR_COLUMNS + RESERVATION_COLUMNS);
        let mut pair = Reader::at(row, first);
        if !pair.is_absent()? {
            let mut pair = pair.pair()?;
            pair.open = if operation.is_absent()? { None } else { Some(operation.operation()?) };
            return Ok(Self { pair: Some(pair), reservation: None });
        }
        let mut reservation = Reader::at(row, first + PAIR_COLUMNS);
        Ok(Self {
            pair: None,
            reservation: if reservation.is_absent()? { None } else { Some(reservation.reservation()?) },
        })
    }
}

/// The columns of a [`Standing`]: of the pair, the reservation, and the operation of the one or the other.
macro_rules! standing_columns {
    () => {
        concat!(pair_columns!(), ", ", reservation_columns!(), ", ", operation_columns!())
    };
}

/// Where they come from, for a record and a target system given as SQL. A pair's open operation comes from the partial
/// index that allows only one.
macro_rules! standing_joins {
    ($system:literal, $id:literal, $target:literal) => {
        concat!(
            " LEFT JOIN mapping m ON m.source_system = ",
            $system,
            " AND m.source_id = ",
            $id,
            " AND m.target_system = ",
            $target,
            " LEFT JOIN pair p ON p.id = m.pair",
            " LEFT JOIN reservation r ON p.id IS NULL AND r.source_system = ",
            $system,
            " AND r.source_id = ",
            $id,
            " AND r.target_system = ",
            $target,
            " LEFT JOIN operation o ON o.id = coalesce(r.operation,",
            " (SELECT id FROM operation WHERE pair = p.id AND state IN ('pending', 'unknown')))"
        )
    };
}

pub(crate) use {standing_columns, standing_joins};

const STANDING: &str = concat!("SELECT ", standing_columns!(), " FROM (SELECT 1)", standing_joins!("$1", "$2", "$3"));

const PAIR: &str = concat!(
    "SELECT ",
    pair_columns!(),
    ", ",
    operation_columns!(),
    " FROM pair p LEFT JOIN operation o ON o.pair = p.id AND o.state IN ('pending', 'unknown') WHERE p.id = $1"
);

const OPERATION_AND_PAIR: &str = concat!(
    "SELECT ",
    pair_columns!(),
    ", ",
    operation_columns!(),
    " FROM operation o LEFT JOIN pair p ON p.id = o.pair WHERE o.id = $1"
);

// With `?`, so that the texts can follow one another in one round trip to the database.
macro_rules! operation_insert {
    () => {
        "INSERT INTO operation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
         ?, ?)"
    };
}

/// What can change in an operation after its intent.
macro_rules! operation_update {
    () => {
        "UPDATE operation SET state = ?, pair = ?, target_id = ?, answered = ?, sent_at = ?, ended_at = ?, \
         attempts = ?, start = ?, reason = ? WHERE id = ?"
    };
}

/// What can change in a pair after its birth.
macro_rules! pair_update {
    () => {
        "UPDATE pair SET first_base = ?, first_inverse_written = ?, first_newest = ?, second_base = ?, \
         second_inverse_written = ?, second_newest = ?, gone = ?, gone_since = ?, revision = ?, fresh = ?, \
         last_seen_at = ? WHERE id = ?"
    };
}

const PAIR_INSERT: &str = "INSERT INTO pair (contract, first_system, first_id, first_base, first_inverse_written, \
     first_newest, first_created_by_us, second_system, second_id, second_base, second_inverse_written, second_newest, \
     second_created_by_us, gone, gone_since, revision, fresh, created_at, created_by, last_seen_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

type Statement = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

fn bind_insert(statement: Statement, operation: &Operation) -> Result<Statement, Failure> {
    let owned = |text: &str| text.to_owned();
    Ok(statement
        .bind(operation.id.0.clone())
        .bind(kind_name(operation.kind))
        .bind(operation.state.name())
        .bind(operation.pair.map(|pair| pair.0))
        .bind(operation.contract.clone())
        .bind(owned(operation.source.system.as_str()))
        .bind(operation.source.id.clone())
        .bind(owned(operation.target.as_str()))
        .bind(operation.target_id.clone())
        .bind(operation.request.method.clone())
        .bind(operation.request.path.clone())
        .bind(operation.request.body.clone())
        .bind(operation.key.clone())
        .bind(json(&operation.writes)?)
        .bind(operation.inverse.as_ref().map(|inverse| inverse.field.clone()))
        .bind(operation.inverse.as_ref().map(|inverse| inverse.id.clone()))
        .bind(operation.answered.as_ref().map(json).transpose()?)
        .bind(operation.first_sent_at.as_millis())
        .bind(operation.sent_at.as_millis())
        .bind(operation.ended_at.map(Timestamp::as_millis))
        .bind(millis(operation.deadline))
        .bind(millis(operation.request_life))
        .bind(i64::from(operation.attempts))
        .bind(operation.start)
        .bind(operation.reason.clone())
        .bind(operation.provenance.correlation_id.clone())
        .bind(operation.provenance.topology.clone())
        .bind(operation.provenance.node.clone()))
}

fn bind_operation(statement: Statement, operation: &Operation) -> Result<Statement, Failure> {
    Ok(statement
        .bind(operation.state.name())
        .bind(operation.pair.map(|pair| pair.0))
        .bind(operation.target_id.clone())
        .bind(operation.answered.as_ref().map(json).transpose()?)
        .bind(operation.sent_at.as_millis())
        .bind(operation.ended_at.map(Timestamp::as_millis))
        .bind(i64::from(operation.attempts))
        .bind(operation.start)
        .bind(operation.reason.clone())
        .bind(operation.id.0.clone()))
}

fn bind_pair(statement: Statement, pair: &Pair) -> Result<Statement, Failure> {
    let (gone, since) = gone(pair);
    let [first, second] = &pair.sides;
    Ok(statement
        .bind(json(&first.base)?)
        .bind(first.inverse_written)
        .bind(first.newest.as_ref().map(|id| id.0.clone()))
        .bind(json(&second.base)?)
        .bind(second.inverse_written)
        .bind(second.newest.as_ref().map(|id| id.0.clone()))
        .bind(gone.map(str::to_owned))
        .bind(since)
        .bind(pair.revision.0)
        .bind(pair.fresh)
        .bind(pair.last_seen_at.as_millis())
        .bind(pair.id.0))
}

impl Work<'_> {
    pub(crate) fn next_operation(&self) -> OperationId {
        OperationId(time_ordered_id(self.now, self.random))
    }

    pub(crate) async fn standing(&mut self, record: &RecordId, target: &System) -> Result<Standing, Failure> {
        let row = sqlx::query(STANDING)
            .bind(record.system.as_str())
            .bind(record.id.as_str())
            .bind(target.as_str())
            .fetch_one(&mut *self.connection)
            .await?;
        Standing::read(&row, 0)
    }

    /// A pair with its open operation.
    pub(crate) async fn pair(&mut self, id: PairId) -> Result<Option<Pair>, Failure> {
        if let Some(pair) = self.known.pairs.remove(&id) {
            return Ok(Some(pair));
        }
        let row = sqlx::query(PAIR).bind(id.0).fetch_optional(&mut *self.connection).await?;
        row.map(|row| {
            let mut pair = Reader::at(&row, 0).pair()?;
            let mut open = Reader::at(&row, PAIR_COLUMNS);
            if !open.is_absent()? {
                pair.open = Some(open.operation()?);
            }
            Ok(pair)
        })
        .transpose()
    }

    /// The pairs of a record, with every other system it has a counterpart in.
    pub(crate) async fn pairs_of(&mut self, record: &RecordId) -> Result<Vec<Pair>, Failure> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT pair FROM mapping WHERE source_system = $1 AND source_id = $2 ORDER BY pair")
                .bind(record.system.as_str())
                .bind(record.id.as_str())
                .fetch_all(&mut *self.connection)
                .await?;
        let mut pairs = Vec::with_capacity(ids.len());
        for id in ids {
            pairs.extend(self.pair(PairId(id)).await?);
        }
        Ok(pairs)
    }

    /// An operation, and its pair without the open operation.
    pub(crate) async fn operation(&mut self, id: &OperationId) -> Result<Option<(Operation, Option<Pair>)>, Failure> {
        let row = sqlx::query(OPERATION_AND_PAIR).bind(id.0.as_str()).fetch_optional(&mut *self.connection).await?;
        row.map(|row| {
            let operation = Reader::at(&row, PAIR_COLUMNS).operation()?;
            let mut pair = Reader::at(&row, 0);
            Ok((operation, if pair.is_absent()? { None } else { Some(pair.pair()?) }))
        })
        .transpose()
    }

    pub(crate) async fn insert_operation(&mut self, operation: &Operation) -> Result<(), Failure> {
        self.known.forget_operation(operation);
        bind_insert(sqlx::query(operation_insert!()), operation)?.execute(&mut *self.connection).await?;
        Ok(())
    }

    pub(crate) async fn save_operation(&mut self, operation: &Operation) -> Result<(), Failure> {
        self.known.forget_operation(operation);
        bind_operation(sqlx::query(operation_update!()), operation)?.execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Inserts the intent of an update together with its pair.
    pub(crate) async fn begin_update(&mut self, operation: &Operation, pair: &Pair) -> Result<(), Failure> {
        self.known.forget_pair(pair.id);
        let statement = sqlx::query(concat!(operation_insert!(), "; ", pair_update!()));
        bind_pair(bind_insert(statement, operation)?, pair)?.execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Saves the outcome of an update together with its pair.
    pub(crate) async fn end_update(&mut self, operation: &Operation, pair: &Pair) -> Result<(), Failure> {
        self.known.forget_operation(operation);
        let statement = sqlx::query(concat!(operation_update!(), "; ", pair_update!()));
        bind_pair(bind_operation(statement, operation)?, pair)?.execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Ends an open operation that what was read has replaced.
    pub(crate) async fn supersede(&mut self, operation: Option<&OperationId>) -> Result<(), Failure> {
        let Some(id) = operation else { return Ok(()) };
        self.known.operations.remove(id);
        sqlx::query(
            "UPDATE operation SET state = 'superseded', ended_at = $2 WHERE id = $1 AND state IN ('pending', 'unknown')",
        )
        .bind(id.0.as_str())
        .bind(self.now.as_millis())
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    /// Writes a new pair and, by the schema's trigger, its two mapping rows. Its number becomes what the database gave.
    pub(crate) async fn insert_pair(&mut self, mut pair: Pair) -> Result<Pair, Failure> {
        let (gone, since) = gone(&pair);
        let [first, second] = &pair.sides;
        let done = sqlx::query(PAIR_INSERT)
            .bind(pair.contract.as_str())
            .bind(first.record.system.as_str())
            .bind(first.record.id.as_str())
            .bind(json(&first.base)?)
            .bind(first.inverse_written)
            .bind(first.newest.as_ref().map(|id| id.0.as_str()))
            .bind(first.created_by_us)
            .bind(second.record.system.as_str())
            .bind(second.record.id.as_str())
            .bind(json(&second.base)?)
            .bind(second.inverse_written)
            .bind(second.newest.as_ref().map(|id| id.0.as_str()))
            .bind(second.created_by_us)
            .bind(gone)
            .bind(since)
            .bind(pair.revision.0)
            .bind(pair.fresh)
            .bind(pair.created_at.as_millis())
            .bind(pair.created_by.as_str())
            .bind(pair.last_seen_at.as_millis())
            .execute(&mut *self.connection)
            .await?;
        pair.id = PairId(done.last_insert_rowid());
        let [first, second] = &pair.sides;
        // The mapping guards the key from here on.
        sqlx::query("DELETE FROM reservation WHERE source_system = $1 AND source_id = $2 AND target_system = $3")
            .bind(first.record.system.as_str())
            .bind(first.record.id.as_str())
            .bind(second.record.system.as_str())
            .execute(&mut *self.connection)
            .await?;
        Ok(pair)
    }

    pub(crate) async fn save_pair(&mut self, pair: &Pair) -> Result<(), Failure> {
        self.known.forget_pair(pair.id);
        bind_pair(sqlx::query(pair_update!()), pair)?.execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Writes the pair of a create and the record it has made. If the source record is gone meanwhile, the pair is
    /// born inactive.
    pub(crate) async fn give_birth(
        &mut self,
        mut create: Operation,
        made: &str,
        closed: bool,
    ) -> Result<Pair, Failure> {
        let mut pair = Pair::born(PairId(0), &create, made, self.now);
        if closed {
            pair.state = PairState::Inactive { gone: create.source.system.clone(), since: self.now };
        }
        let pair = self.insert_pair(pair).await?;
        create.pair = Some(pair.id);
        self.save_operation(&create).await?;
        Ok(pair)
    }

    pub(crate) async fn add_notes(&mut self, pair: PairId, notes: &[Note]) -> Result<(), Failure> {
        for note in notes {
            sqlx::query(
                "INSERT INTO note (pair, at, kind, field, system, lost, kept) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(pair.0)
            .bind(self.now.as_millis())
            .bind(note_name(note.kind))
            .bind(note.field.as_str())
            .bind(note.system.as_str())
            .bind(json(&note.lost)?)
            .bind(json(&note.kept)?)
            .execute(&mut *self.connection)
            .await?;
        }
        Ok(())
    }

    /// Opens a case, or answers the open one that asks the same about the same records.
    pub(crate) async fn open_case(&mut self, case: &Case) -> Result<CaseId, Failure> {
        // The update changes nothing: it makes the open row answer its number.
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO cases (kind, records, detail, opened_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (kind, records) WHERE closed_at IS NULL DO UPDATE SET kind = excluded.kind RETURNING id",
        )
        .bind(case.kind.name())
        .bind(record_list(&case.records)?)
        .bind(case.detail.as_str())
        .bind(self.now.as_millis())
        .fetch_one(&mut *self.connection)
        .await?;
        Ok(CaseId(id))
    }

    /// Opens the case of a record that may be a second copy.
    pub(crate) async fn open_copy_case(&mut self, records: Vec<RecordId>, detail: &str) -> Result<CaseId, Failure> {
        let detail = detail.to_owned();
        self.open_case(&Case { id: CaseId(0), kind: CaseKind::Copy, records, detail, opened_at: self.now }).await
    }
}

fn gone(pair: &Pair) -> (Option<&str>, Option<i64>) {
    match &pair.state {
        PairState::Active => (None, None),
        PairState::Inactive { gone, since } => (Some(gone.as_str()), Some(since.as_millis())),
    }
}
