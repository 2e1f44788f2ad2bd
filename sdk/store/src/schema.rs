//! The schema's versions. Forward only: a version that was released is never edited.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::OpenError;

const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_mapping_ledger_inbox.sql"),
    include_str!("../migrations/sqlite/0002_earlier_attempts.sql"),
    include_str!("../migrations/sqlite/0003_inbox_by_time.sql"),
    include_str!("../migrations/sqlite/0004_agreement.sql"),
    include_str!("../migrations/sqlite/0005_precondition.sql"),
];

/// The version this program needs.
pub(crate) const KNOWN: i64 = 5;

/// Marks the file as ours: "PAIR".
const APPLICATION: i64 = 0x5041_4952;

/// The version of a database; zero for an empty file. Refuses a file that is something else.
fn version(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let number = |question| {
        let answer = connection.query_row(question, [], |row| row.get::<_, i64>(0));
        answer.map_err(|error| OpenError::of(path, &error))
    };
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application == APPLICATION || (application == 0 && version == 0 && tables == 0) {
        Ok(version)
    } else {
        Err(OpenError::NotOurs { path: path.to_owned() })
    }
}

/// Brings the schema up to date, each version in a transaction of its own.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let found = version(connection, path)?;
    if found > KNOWN {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: KNOWN });
    }
    for (number, text) in (1_i64..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= found) {
        apply(connection, number, text).map_err(|error| OpenError::of(path, &error))?;
    }
    Ok(())
}

fn apply(connection: &mut Connection, version: i64, text: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(text)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

/// Asserts that the schema is the one this program knows.
pub(crate) fn require(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match version(connection, path)? {
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
