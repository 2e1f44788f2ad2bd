//! Rows of hostile content, for the fuzzing of the whole program: with the feature `fuzz` and for nothing else.
//!
//! How a row is read is nobody's business outside of this crate, so it is this one function that is shown and not the
//! reader of rows.

use pairline_sdk::{Operation, Pair};
use rusqlite::Connection;
use rusqlite::types::Value as Stored;

use crate::columns::Columns;
use crate::failure::Failure;
use crate::row::{OPERATION_COLUMNS, PAIR_COLUMNS, Reader, operation_columns, pair_columns, record_list};
use crate::{schema, sql, writes};

const OPERATIONS: &str = concat!("SELECT ", operation_columns!(), " FROM operation o");
const PAIRS: &str = concat!("SELECT ", pair_columns!(), " FROM pair p");

/// A row that stands in no database.
struct Row(Vec<Stored>);

impl Row {
    fn of(lines: std::str::Lines<'_>) -> Self {
        Self(
            lines
                .map(|line| match line {
                    "null" => Stored::Null,
                    line if line.starts_with('\'') => Stored::Text(line[1..].to_owned()),
                    line => line.parse().map_or_else(|_| Stored::Text(line.to_owned()), Stored::Integer),
                })
                .collect(),
        )
    }

    fn cell(&self, index: usize) -> Result<&Stored, Failure> {
        self.0.get(index).ok_or_else(|| Failure(format!("expected a column {index}, found none")))
    }
}

impl Columns for Row {
    fn is_null(&self, index: usize) -> Result<bool, Failure> {
        Ok(*self.cell(index)? == Stored::Null)
    }

    fn integer(&self, index: usize) -> Result<i64, Failure> {
        match self.cell(index)? {
            Stored::Integer(number) => Ok(*number),
            _ => Err(Failure(format!("expected a number in column {index}"))),
        }
    }

    fn text(&self, index: usize) -> Result<&str, Failure> {
        match self.cell(index)? {
            Stored::Text(text) => Ok(text),
            _ => Err(Failure(format!("expected a text in column {index}"))),
        }
    }
}

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().expect("a database in memory can be opened");
    schema::migrate(&mut connection, "memory".as_ref()).expect("the schema is sound");
    connection
}

/// What stands in the only row of a table.
fn dump(connection: &Connection, question: &str, columns: usize) -> Vec<Stored> {
    let mut statement = connection.prepare_cached(question).expect("the columns are there");
    let row = statement.query_row([], |row| (0..columns).map(|column| row.get(column)).collect());
    row.expect("the row is there")
}

/// Whether what was written stands where it was read from. Columns of JSON may be spelled in another way, and a truth
/// value is any number but zero.
fn is_kept(row: &Row, stored: &[Stored], json: &[usize], truth: &[usize]) {
    for (column, (read, written)) in row.0.iter().zip(stored).enumerate() {
        let same = match (read, written) {
            _ if json.contains(&column) => (*read == Stored::Null) == (*written == Stored::Null),
            (Stored::Integer(read), Stored::Integer(written)) if truth.contains(&column) => {
                (*read != 0) == (*written != 0)
            }
            _ => read == written,
        };
        assert!(same, "column {column} is {written:?}, and was {read:?}");
    }
}

fn in_a_transaction<T>(deed: impl FnOnce(&Connection) -> T) -> T {
    thread_local! {
        static DATABASE: Connection = database();
    }
    DATABASE.with(|connection| {
        connection.execute_batch("BEGIN").expect("no transaction is open");
        let done = deed(connection);
        // A row that was refused has taken its transaction with it.
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").expect("a transaction is open");
        }
        done
    })
}

/// Whatever a row holds it is read or refused, and what is read is the same when it is written and read again.
///
/// The first line of an input names what the row is of, and each further line is a column: `null`, a number or a text,
/// which begins with a `'` when it would be one of the others.
///
/// # Panics
///
/// When that does not hold.
pub fn row(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some((table, lines)) = text.split_once('\n') else { return };
    let row = Row::of(lines.lines());
    match table {
        "operation" => operation(&row),
        "pair" => pair(&row),
        "case" => case(&row),
        _ => {
            // What is read behind a pair or a reservation begins anywhere.
            for column in 0..row.0.len() {
                Reader::at(&row, column).pair_with_open().ok();
                Reader::at(&row, column).reservation().ok();
            }
        }
    }
}

fn operation(row: &Row) {
    let Ok(read) = Reader::at(row, 0).operation() else { return };
    let written = |operation: &Operation| {
        in_a_transaction(|connection| {
            writes::insert_operation(connection, operation).expect("what was read can be written");
            let again = sql::one(connection, OPERATIONS, [], |row| row.operation());
            let again = again.expect("what was written can be read").expect("it is there");
            (again, dump(connection, OPERATIONS, OPERATION_COLUMNS))
        })
    };
    let (again, stored) = written(&read);
    assert_eq!(again, read, "an operation is another when it is written and read again");
    // Half an inverse id is none; the schema allows no such row.
    if row.is_null(15).ok() == row.is_null(16).ok() {
        is_kept(row, &stored, &[14, 17], &[24]);
    }
    assert_eq!(written(&again).1, stored, "an operation is written in another way the second time");
}

fn pair(row: &Row) {
    let Ok(read) = Reader::at(row, 0).pair() else { return };
    let systems = read.sides.each_ref().map(|side| side.record.system.clone());
    let written = |pair: &Pair| {
        in_a_transaction(|connection| {
            let id = match writes::insert_pair(connection, pair) {
                Ok(id) => id,
                Err(failure) => {
                    assert_eq!(systems[0], systems[1], "what was read cannot be written: {}", failure.0);
                    return None;
                }
            };
            let again = sql::one(connection, PAIRS, [], |row| row.pair());
            let again = again.expect("what was written can be read").expect("it is there");
            Some((id, again, dump(connection, PAIRS, PAIR_COLUMNS)))
        })
    };
    let Some((id, again, stored)) = written(&read) else { return };
    assert_eq!(again, Pair { id, ..read }, "a pair is another when it is written and read again");
    // The same goes for half of being gone.
    if row.is_null(14).ok() == row.is_null(15).ok() {
        let mut row = Row(row.0.clone());
        row.0[0] = Stored::Integer(id.0);
        is_kept(&row, &stored, &[4, 10], &[5, 7, 11, 13, 17]);
    }
    let (_, _, second) = written(&again).expect("what was written once can be written again");
    assert_eq!(second, stored, "a pair is written in another way the second time");
}

fn case(row: &Row) {
    let Ok(read) = Reader::at(row, 0).case() else { return };
    let mut again = row.0.clone();
    again[2] = Stored::Text(record_list(&read.records).expect("ids are JSON"));
    let again = Row(again);
    assert_eq!(Reader::at(&again, 0).case().ok().as_ref(), Some(&read), "a case names other records");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_that_mutations_begin_with_are_rows() {
        let whole = |text: &'static str| Row::of(text.split_once('\n').unwrap().1.lines());
        let operations = [
            include_str!("../../../tests/fuzz/corpus/row/operation"),
            include_str!("../../../tests/fuzz/corpus/row/operation-create"),
        ];
        let pairs = [
            include_str!("../../../tests/fuzz/corpus/row/pair"),
            include_str!("../../../tests/fuzz/corpus/row/pair-gone"),
            include_str!("../../../tests/fuzz/corpus/row/pair-floats"),
        ];

        for text in operations {
            assert_eq!(Reader::at(&whole(text), 0).operation().map(drop).map_err(|failure| failure.0), Ok(()));
        }
        for text in pairs {
            assert_eq!(Reader::at(&whole(text), 0).pair().map(drop).map_err(|failure| failure.0), Ok(()));
        }
        let case = include_str!("../../../tests/fuzz/corpus/row/case");
        assert!(Reader::at(&whole(case), 0).case().is_ok());
    }
}
