//! Statements on the writer's connection. Each is prepared once and called in the writer's own thread, so a row costs
//! what SQLite makes of it: no other thread is woken, and nothing need be gathered to save a call.

use rusqlite::{Connection, Params};

use crate::failure::Failure;
use crate::row::Reader;

/// How many prepared statements are kept; there are fewer.
pub(crate) const STATEMENTS: usize = 128;

/// Runs a statement and answers how many rows it has changed.
pub(crate) fn run(connection: &Connection, statement: &str, parameters: impl Params) -> Result<usize, Failure> {
    Ok(connection.prepare_cached(statement)?.execute(parameters)?)
}

/// The first row of an answer.
pub(crate) fn one<T>(
    connection: &Connection,
    statement: &str,
    parameters: impl Params,
    read: impl FnOnce(&mut Reader<'_, rusqlite::Row<'_>>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(|row| read(&mut Reader::at(row, 0))).transpose()
}

/// All rows of an answer.
pub(crate) fn all<T>(
    connection: &Connection,
    statement: &str,
    parameters: impl Params,
    mut read: impl FnMut(&mut Reader<'_, rusqlite::Row<'_>>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(&mut Reader::at(row, 0))?);
    }
    Ok(found)
}
