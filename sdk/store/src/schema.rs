//! The schema's versions. Forward only: a version that was released is never edited.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::OpenError;

const MIGRATIONS: &[&str] = &[include_str!("../migrations/sqlite/0001_mapping_ledger_inbox.sql")];

/// The version this program needs.
pub(crate) const KNOWN: i64 = 1;

/// Marks the file as ours: "PAIR".
const APPLICATION: i64 = 0x5041_4952;

/// The version of a database; zero for an empty file. Refuses a file that is something else.
async fn version(connection: &mut SqliteConnection, path: &Path) -> Result<i64, OpenError> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    if application == APPLICATION || (application == 0 && version == 0 && tables == 0) {
        Ok(version)
    } else {
        Err(OpenError::NotOurs { path: path.to_owned() })
    }
}

/// Brings the schema up to date, each version in a transaction of its own.
pub(crate) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found = version(connection, path).await?;
    if found > KNOWN {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: KNOWN });
    }
    for (number, text) in (1_i64..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= found) {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*text).execute(&mut *transaction).await?;
        // A pragma takes no parameters; these are numbers of our own.
        let mark = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {number}");
        sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Asserts that the schema is the one this program knows.
pub(crate) async fn require(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    match version(connection, path).await? {
        KNOWN => Ok(()),
        found if found > KNOWN => Err(OpenError::Newer { path: path.to_owned(), found, known: KNOWN }),
        found => Err(OpenError::Older { path: path.to_owned(), found, known: KNOWN }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_version_is_the_last_migration() {
        assert_eq!(usize::try_from(KNOWN), Ok(MIGRATIONS.len()));
    }
}
