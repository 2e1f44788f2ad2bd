//! Rows as they are written. Only here are the columns of a pair, an operation and a note filled.

use pairline_sdk::{Note, Operation, Pair, PairId, PairSide, PairState, Timestamp};
use rusqlite::{Connection, params};

use crate::failure::Failure;
use crate::row::{agreement_code, json, kind_name, millis, note_name};
use crate::sql;

// `OR ROLLBACK`: a trigger or an index can refuse a row after a part of the statement was done. Then the whole
// transaction goes back, which it would anyway, and SQLite need not keep a copy of each page it changes for that case.

const INSERT_PAIR: &str = "\
    INSERT OR ROLLBACK INTO pair (contract, first_system, first_id, first_base, first_inverse_written, first_newest, \
        first_created_by_us, second_system, second_id, second_base, second_inverse_written, second_newest, \
        second_created_by_us, gone, gone_since, revision, agreement, created_at, created_by, last_seen_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";

/// What changes in a pair with every update.
const UPDATE_PAIR: &str = "\
    UPDATE OR ROLLBACK pair SET first_base = ?2, first_newest = ?3, second_base = ?4, second_newest = ?5, revision = ?6, \
        agreement = ?7, last_seen_at = ?8 WHERE id = ?1";

/// What changes in it seldom, and what it is counted by: a column that is set is written to its indexes, changed or not.
const UPDATE_STATE: &str = "\
    UPDATE OR ROLLBACK pair SET first_inverse_written = ?2, second_inverse_written = ?3, gone = ?4, gone_since = ?5 \
    WHERE id = ?1";

const INSERT_OPERATION: &str = "\
    INSERT OR ROLLBACK INTO operation (id, kind, state, pair, contract, source_system, source_id, target_system, \
        target_id, method, path, body, idempotency_key, writes, inverse_field, inverse_id, answered, first_sent_at, \
        sent_at, ended_at, deadline_ms, request_life_ms, attempts, in_doubt, start, reason, correlation_id, topology, node, \
        precondition) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, \
        ?24, ?25, ?26, ?27, ?28, ?29, ?30)";

/// What can change in an operation after its intent.
const UPDATE_OPERATION: &str = "\
    UPDATE OR ROLLBACK operation SET state = ?2, pair = ?3, target_id = ?4, answered = ?5, sent_at = ?6, ended_at = ?7, \
        attempts = ?8, start = ?9, reason = ?10, in_doubt = ?11 WHERE id = ?1";

const INSERT_NOTE: &str = "\
    INSERT INTO note (pair, at, kind, field, system, lost, kept) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Adds a pair and, by the schema's trigger, its two mapping rows. Answers its number.
pub(crate) fn insert_pair(connection: &Connection, pair: &Pair) -> Result<PairId, Failure> {
    let (first, second) = (side(&pair.sides[0])?, side(&pair.sides[1])?);
    let (gone, gone_since) = gone(pair);
    let row = params![
        pair.contract,
        first.system,
        first.id,
        first.base,
        first.inverse_written,
        first.newest,
        first.created_by_us,
        second.system,
        second.id,
        second.base,
        second.inverse_written,
        second.newest,
        second.created_by_us,
        gone,
        gone_since,
        pair.revision.0,
        agreement_code(pair.agreement),
        pair.created_at.as_millis(),
        pair.created_by,
        pair.last_seen_at.as_millis(),
    ];
    sql::run(connection, INSERT_PAIR, row)?;
    Ok(PairId(connection.last_insert_rowid()))
}

/// Writes what has changed in a pair since it was `before`.
pub(crate) fn update_pair(connection: &Connection, before: &Pair, pair: &Pair) -> Result<(), Failure> {
    let (first, second) = (side(&pair.sides[0])?, side(&pair.sides[1])?);
    let row = params![
        pair.id.0,
        first.base,
        first.newest,
        second.base,
        second.newest,
        pair.revision.0,
        agreement_code(pair.agreement),
        pair.last_seen_at.as_millis(),
    ];
    sql::run(connection, UPDATE_PAIR, row)?;
    let inverse_written = |pair: &Pair| pair.sides.each_ref().map(|side| side.inverse_written);
    if before.state != pair.state || inverse_written(before) != inverse_written(pair) {
        let (gone, gone_since) = gone(pair);
        let row = params![pair.id.0, first.inverse_written, second.inverse_written, gone, gone_since];
        sql::run(connection, UPDATE_STATE, row)?;
    }
    Ok(())
}

/// A side of a pair, as its columns hold it.
struct Side<'a> {
    system: &'a str,
    id: &'a str,
    base: String,
    inverse_written: bool,
    newest: Option<&'a str>,
    created_by_us: bool,
}

fn side(side: &PairSide) -> Result<Side<'_>, Failure> {
    Ok(Side {
        system: side.record.system.as_str(),
        id: &side.record.id,
        base: json(&side.base)?,
        inverse_written: side.inverse_written,
        newest: side.newest.as_ref().map(|id| id.0.as_str()),
        created_by_us: side.created_by_us,
    })
}

fn gone(pair: &Pair) -> (Option<&str>, Option<i64>) {
    match &pair.state {
        PairState::Active => (None, None),
        PairState::Inactive { gone, since } => (Some(gone.as_str()), Some(since.as_millis())),
    }
}

/// Adds an intent.
pub(crate) fn insert_operation(connection: &Connection, operation: &Operation) -> Result<(), Failure> {
    let inverse = operation.inverse.as_ref();
    let row = params![
        operation.id.0,
        kind_name(operation.kind),
        operation.state.name(),
        operation.pair.map(|pair| pair.0),
        operation.contract,
        operation.source.system.as_str(),
        operation.source.id,
        operation.target.as_str(),
        operation.target_id,
        operation.request.method,
        operation.request.path,
        operation.request.body,
        operation.key,
        json(&operation.writes)?,
        inverse.map(|inverse| inverse.field.as_str()),
        inverse.map(|inverse| inverse.id.as_str()),
        operation.answered.as_ref().map(json).transpose()?,
        operation.first_sent_at.as_millis(),
        operation.sent_at.as_millis(),
        operation.ended_at.map(Timestamp::as_millis),
        millis(operation.deadline),
        millis(operation.request_life),
        operation.attempts,
        operation.in_doubt,
        operation.start,
        operation.reason,
        operation.provenance.correlation_id,
        operation.provenance.topology,
        operation.provenance.node,
        operation.request.precondition,
    ];
    sql::run(connection, INSERT_OPERATION, row)?;
    Ok(())
}

/// Writes what has changed in an operation.
pub(crate) fn update_operation(connection: &Connection, operation: &Operation) -> Result<(), Failure> {
    let row = params![
        operation.id.0,
        operation.state.name(),
        operation.pair.map(|pair| pair.0),
        operation.target_id,
        operation.answered.as_ref().map(json).transpose()?,
        operation.sent_at.as_millis(),
        operation.ended_at.map(Timestamp::as_millis),
        operation.attempts,
        operation.start,
        operation.reason,
        operation.in_doubt,
    ];
    sql::run(connection, UPDATE_OPERATION, row)?;
    Ok(())
}

/// Adds a decision against a person's edit.
pub(crate) fn insert_note(connection: &Connection, pair: PairId, note: &Note, at: Timestamp) -> Result<(), Failure> {
    let row = params![
        pair.0,
        at.as_millis(),
        note_name(note.kind),
        note.field,
        note.system.as_str(),
        json(&note.lost)?,
        json(&note.kept)?
    ];
    sql::run(connection, INSERT_NOTE, row)?;
    Ok(())
}
