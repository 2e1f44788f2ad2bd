//! What can go wrong with a database, and how it is said.

use std::path::{Path, PathBuf};

use pairline_sdk::{EngineError, StoreError};
use rusqlite::ErrorCode;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process owns the database.
    #[error("{} is in use by another runner{}; a database has one owner", path.display(), process(*pid))]
    Locked {
        /// The database.
        path: PathBuf,
        /// The owner, if it could be read.
        pid: Option<u32>,
    },
    /// An operator's command found no database.
    #[error("there is no database at {}: expected one that a runner has made", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a Pairline database", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A part of the file was overwritten or lost.
    #[error("{} is damaged: restore a backup of it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer program.
    #[error(
        "{} has schema version {found}, expected {known} or older: it was used by a newer version of this program. \
         Use that one, or restore the backup made before", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest one this program knows.
        known: i64,
    },
    /// An operator's command does not change the schema.
    #[error("{} has schema version {found}, expected {known}: start the runner once, it brings it up to date", path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The one this program needs.
        known: i64,
    },
    /// SQLite does not promise what is needed of it here.
    #[error("the database would not keep what it has confirmed: expected {setting} = {expected}, found {found}")]
    Unsafe {
        /// The setting.
        setting: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Something else the database said.
    #[error("cannot open the database: {0}")]
    Database(String),
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl OpenError {
    /// What SQLite said of a file while it was opened.
    pub(crate) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotOurs { path: path.to_owned() },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path: path.to_owned() },
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Database(failure.0)
    }
}

/// Why a read or a write did not happen. Nothing of it is half-written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
        Self::of(code, &error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(error.sqlite_error().map(|error| error.extended_code), &error)
    }
}

impl Failure {
    /// By a result code of SQLite, if it was that.
    fn of(code: Option<i32>, error: &dyn std::error::Error) -> Self {
        // Extended result codes keep the primary one in their low byte.
        Self(match code.map(|code| code & 0xFF) {
            Some(5 | 6) => "another process keeps the database locked".to_owned(),
            Some(13) => "the disk is full".to_owned(),
            Some(8) => "the database cannot be written to".to_owned(),
            _ => error.to_string(),
        })
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("a row cannot be read: {error}"))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self(failure.0)
    }
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.0)
    }
}
