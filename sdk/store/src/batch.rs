//! Statements that go to the database as one text.
//!
//! Each trip wakes two threads here, and crosses a network elsewhere; a statement in a text that is on its way anyhow
//! costs neither.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

use crate::failure::Failure;

/// Statements with their parameters, in order. Every `?` of a statement stands for its next parameter.
#[derive(Default)]
pub(crate) struct Batch {
    text: String,
    arguments: SqliteArguments,
}

impl Batch {
    /// Adds a statement. Texts are constants, so that SQLite prepares each combination once.
    pub(crate) fn add(&mut self, statement: &'static str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(statement);
        self
    }

    /// The next parameter of the statement that was added last.
    pub(crate) fn bind<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> Result<&mut Self, Failure> {
        self.arguments.add(value).map_err(|error| Failure(format!("a value cannot be written: {error}")))?;
        Ok(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Runs them all and answers their rows, one statement's after the other's.
    pub(crate) async fn run(self, connection: &mut SqliteConnection) -> Result<Vec<SqliteRow>, Failure> {
        Ok(sqlx::query_with(AssertSqlSafe(self.text), self.arguments).fetch_all(connection).await?)
    }
}
