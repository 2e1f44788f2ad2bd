//! What a transaction will write, gathered while its commands run: all rows of a kind go in one statement, however many
//! commands they come from.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use pairline_sdk::{Note, Operation, OperationId, Pair, PairId, PairState, RecordId, System, Timestamp};
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

use crate::batch::Batch;
use crate::failure::Failure;
use crate::row::{json, kind_name, millis, note_name};

/// What a transaction will write.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) born: BTreeSet<PairId>,
    pub(crate) pairs: BTreeSet<PairId>,
    pub(crate) intents: BTreeSet<OperationId>,
    pub(crate) operations: BTreeSet<OperationId>,
    pub(crate) reserved: Vec<Reserved>,
    pub(crate) freed: Vec<Key>,
    pub(crate) notes: Vec<NoteRow>,
}

/// A source record and the system its counterpart is for: what a mapping and a reservation go by.
pub(crate) type Key = (RecordId, System);

const INSERT_RESERVATIONS: &str = "\
    INSERT OR ROLLBACK INTO reservation SELECT value ->> 'source_system', value ->> 'source_id', value ->> 'target_system', \
        value ->> 'incarnation', value ->> 'operation', 0 FROM json_each(?) WHERE true \
    ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, operation = excluded.operation";

const DELETE_RESERVATIONS: &str = "\
    DELETE FROM reservation WHERE (source_system, source_id, target_system) IN \
        (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))";

const INSERT_NOTES: &str = "\
    INSERT OR ROLLBACK INTO note (pair, at, kind, field, system, lost, kept) \
    SELECT value ->> 'pair', value ->> 'at', value ->> 'kind', value ->> 'field', value ->> 'system', \
        value ->> 'lost', value ->> 'kept' FROM json_each(?)";

impl Changes {
    /// Adds the statements that write it. The order is the one the rule of one open operation per pair asks for.
    pub(crate) fn write<'a>(
        &self,
        batch: &mut Batch,
        pair: impl Fn(PairId) -> Option<&'a Pair>,
        operation: impl Fn(&OperationId) -> Option<&'a Operation>,
    ) -> Result<(), Failure> {
        let born = self.born.iter().filter_map(|id| pair(*id));
        add(batch, &INSERT_PAIRS, born.map(NewPair::of).collect())?;
        let ended = self.operations.iter().filter_map(&operation);
        add(batch, &UPDATE_OPERATIONS, ended.map(OperationChange::of).collect())?;
        let intents = self.intents.iter().filter_map(&operation);
        add(batch, &INSERT_OPERATIONS, intents.map(NewOperation::of).collect())?;
        let pairs = self.pairs.iter().filter_map(|id| pair(*id));
        add(batch, &UPDATE_PAIRS, pairs.map(PairChange::of).collect())?;
        add(batch, INSERT_RESERVATIONS, self.reserved.iter().map(Ok).collect())?;
        let freed = self.freed.iter().map(|(source, target)| Ok((&source.system, &source.id, target)));
        add(batch, DELETE_RESERVATIONS, freed.collect())?;
        add(batch, INSERT_NOTES, self.notes.iter().map(Ok).collect())
    }
}

fn add<T: Serialize>(batch: &mut Batch, statement: &'static str, rows: Result<Vec<T>, Failure>) -> Result<(), Failure> {
    let rows = rows?;
    if !rows.is_empty() {
        batch.add(statement).bind(json(&rows)?)?;
    }
    Ok(())
}

/// A row, or a part of one, that goes to the database as a list of its values: each field has the name of its column.
macro_rules! row {
    ($(#[$meta:meta])* struct $name:ident<'a> { $($column:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        struct $name<'a> { $($column: $kind,)* }

        impl $name<'_> {
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),*];
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut values = serializer.serialize_tuple(Self::COLUMNS.len())?;
                $(values.serialize_element(&self.$column)?;)*
                values.end()
            }
        }
    };
}

/// Inserts rows given as lists of their columns' values.
fn insert(table: &str, columns: &[&str]) -> String {
    let values: Vec<String> = (0..columns.len()).map(|index| format!("value ->> {index}")).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    format!("INSERT OR ROLLBACK INTO {table} ({columns}) SELECT {values} FROM json_each(?)")
}

/// Changes rows given as lists of their columns' values, the key first.
fn update(table: &str, columns: &[&str]) -> String {
    let [key, columns @ ..] = columns else { return String::new() };
    let set: Vec<String> = (1..).zip(columns).map(|(index, column)| format!("{column} = value ->> {index}")).collect();
    let set = set.join(", ");
    format!("UPDATE OR ROLLBACK {table} SET {set} FROM json_each(?) WHERE {table}.{key} = value ->> 0")
}

/// With the triggers of the schema, its two mapping rows.
static INSERT_PAIRS: LazyLock<String> = LazyLock::new(|| insert("pair", NewPair::COLUMNS));
static UPDATE_PAIRS: LazyLock<String> = LazyLock::new(|| update("pair", PairChange::COLUMNS));
static INSERT_OPERATIONS: LazyLock<String> = LazyLock::new(|| insert("operation", NewOperation::COLUMNS));
static UPDATE_OPERATIONS: LazyLock<String> = LazyLock::new(|| update("operation", OperationChange::COLUMNS));

row! {
    struct NewPair<'a> {
        id: i64,
        contract: &'a str,
        first_system: &'a str,
        first_id: &'a str,
        first_base: String,
        first_inverse_written: bool,
        first_newest: Option<&'a OperationId>,
        first_created_by_us: bool,
        second_system: &'a str,
        second_id: &'a str,
        second_base: String,
        second_inverse_written: bool,
        second_newest: Option<&'a OperationId>,
        second_created_by_us: bool,
        gone: Option<&'a str>,
        gone_since: Option<i64>,
        revision: i64,
        fresh: bool,
        created_at: i64,
        created_by: &'a str,
        last_seen_at: i64,
    }
}

impl<'a> NewPair<'a> {
    fn of(pair: &'a Pair) -> Result<Self, Failure> {
        let [first, second] = &pair.sides;
        let (gone, gone_since) = gone(pair);
        Ok(Self {
            id: pair.id.0,
            contract: &pair.contract,
            first_system: first.record.system.as_str(),
            first_id: &first.record.id,
            first_base: json(&first.base)?,
            first_inverse_written: first.inverse_written,
            first_newest: first.newest.as_ref(),
            first_created_by_us: first.created_by_us,
            second_system: second.record.system.as_str(),
            second_id: &second.record.id,
            second_base: json(&second.base)?,
            second_inverse_written: second.inverse_written,
            second_newest: second.newest.as_ref(),
            second_created_by_us: second.created_by_us,
            gone,
            gone_since,
            revision: pair.revision.0,
            fresh: pair.fresh,
            created_at: pair.created_at.as_millis(),
            created_by: &pair.created_by,
            last_seen_at: pair.last_seen_at.as_millis(),
        })
    }
}

row! {
    /// What can change in a pair after its birth.
    struct PairChange<'a> {
        id: i64,
        first_base: String,
        first_inverse_written: bool,
        first_newest: Option<&'a OperationId>,
        second_base: String,
        second_inverse_written: bool,
        second_newest: Option<&'a OperationId>,
        gone: Option<&'a str>,
        gone_since: Option<i64>,
        revision: i64,
        fresh: bool,
        last_seen_at: i64,
    }
}

impl<'a> PairChange<'a> {
    fn of(pair: &'a Pair) -> Result<Self, Failure> {
        let [first, second] = &pair.sides;
        let (gone, gone_since) = gone(pair);
        Ok(Self {
            id: pair.id.0,
            first_base: json(&first.base)?,
            first_inverse_written: first.inverse_written,
            first_newest: first.newest.as_ref(),
            second_base: json(&second.base)?,
            second_inverse_written: second.inverse_written,
            second_newest: second.newest.as_ref(),
            gone,
            gone_since,
            revision: pair.revision.0,
            fresh: pair.fresh,
            last_seen_at: pair.last_seen_at.as_millis(),
        })
    }
}

fn gone(pair: &Pair) -> (Option<&str>, Option<i64>) {
    match &pair.state {
        PairState::Active => (None, None),
        PairState::Inactive { gone, since } => (Some(gone.as_str()), Some(since.as_millis())),
    }
}

row! {
    struct NewOperation<'a> {
        id: &'a OperationId,
        kind: &'static str,
        state: &'static str,
        pair: Option<PairId>,
        contract: &'a str,
        source_system: &'a str,
        source_id: &'a str,
        target_system: &'a str,
        target_id: Option<&'a str>,
        method: &'a str,
        path: &'a str,
        body: &'a str,
        idempotency_key: Option<&'a str>,
        writes: String,
        inverse_field: Option<&'a str>,
        inverse_id: Option<&'a str>,
        answered: Option<String>,
        first_sent_at: i64,
        sent_at: i64,
        ended_at: Option<i64>,
        deadline_ms: i64,
        request_life_ms: i64,
        attempts: u32,
        start: i64,
        reason: Option<&'a str>,
        correlation_id: &'a str,
        topology: &'a str,
        node: &'a str,
    }
}

impl<'a> NewOperation<'a> {
    fn of(operation: &'a Operation) -> Result<Self, Failure> {
        let inverse = operation.inverse.as_ref();
        Ok(Self {
            id: &operation.id,
            kind: kind_name(operation.kind),
            state: operation.state.name(),
            pair: operation.pair,
            contract: &operation.contract,
            source_system: operation.source.system.as_str(),
            source_id: &operation.source.id,
            target_system: operation.target.as_str(),
            target_id: operation.target_id.as_deref(),
            method: &operation.request.method,
            path: &operation.request.path,
            body: &operation.request.body,
            idempotency_key: operation.key.as_deref(),
            writes: json(&operation.writes)?,
            inverse_field: inverse.map(|inverse| inverse.field.as_str()),
            inverse_id: inverse.map(|inverse| inverse.id.as_str()),
            answered: operation.answered.as_ref().map(json).transpose()?,
            first_sent_at: operation.first_sent_at.as_millis(),
            sent_at: operation.sent_at.as_millis(),
            ended_at: operation.ended_at.map(Timestamp::as_millis),
            deadline_ms: millis(operation.deadline),
            request_life_ms: millis(operation.request_life),
            attempts: operation.attempts,
            start: operation.start,
            reason: operation.reason.as_deref(),
            correlation_id: &operation.provenance.correlation_id,
            topology: &operation.provenance.topology,
            node: &operation.provenance.node,
        })
    }
}

row! {
    /// What can change in an operation after its intent.
    struct OperationChange<'a> {
        id: &'a OperationId,
        state: &'static str,
        pair: Option<PairId>,
        target_id: Option<&'a str>,
        answered: Option<String>,
        sent_at: i64,
        ended_at: Option<i64>,
        attempts: u32,
        start: i64,
        reason: Option<&'a str>,
    }
}

impl<'a> OperationChange<'a> {
    fn of(operation: &'a Operation) -> Result<Self, Failure> {
        Ok(Self {
            id: &operation.id,
            state: operation.state.name(),
            pair: operation.pair,
            target_id: operation.target_id.as_deref(),
            answered: operation.answered.as_ref().map(json).transpose()?,
            sent_at: operation.sent_at.as_millis(),
            ended_at: operation.ended_at.map(Timestamp::as_millis),
            attempts: operation.attempts,
            start: operation.start,
            reason: operation.reason.as_deref(),
        })
    }
}

/// A row of `reservation`, from its start.
#[derive(Serialize)]
pub(crate) struct Reserved {
    pub(crate) source_system: System,
    pub(crate) source_id: String,
    pub(crate) target_system: System,
    pub(crate) incarnation: u32,
    pub(crate) operation: OperationId,
}

/// A row of `note`.
#[derive(Serialize)]
pub(crate) struct NoteRow {
    pair: i64,
    at: i64,
    kind: &'static str,
    field: String,
    system: System,
    lost: String,
    kept: String,
}

impl NoteRow {
    pub(crate) fn of(pair: PairId, note: &Note, at: Timestamp) -> Result<Self, Failure> {
        Ok(Self {
            pair: pair.0,
            at: at.as_millis(),
            kind: note_name(note.kind),
            field: note.field.clone(),
            system: note.system.clone(),
            lost: json(&note.lost)?,
            kept: json(&note.kept)?,
        })
    }
}
