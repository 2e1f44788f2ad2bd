//! The database: opened once by its owner, or for an operator's command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairline_sdk::{Engine, PairStore};
use rusqlite::{Connection, OpenFlags};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::cache::Cache;
use crate::engine::Lanes;
use crate::glance::Glance;
use crate::lock::OwnerLock;
use crate::reads::Reads;
use crate::writer::Writer;
use crate::{OpenError, Options, SqliteEngine, SqlitePairs, folder, schema, sql};

/// The name of the file in a folder.
const FILE: &str = "pairline.db";
/// After a checkpoint the write-ahead log is cut to this many bytes.
const WAL_BYTES: i64 = 67_108_864;
/// A commit that finds the write-ahead log longer than this many pages (48 MiB) moves it into the database.
const WAL_PAGES: i64 = 12_288;

/// A database with its two ports. They share one writer.
///
/// Dropping it leaves the file as a crash would, which is safe; [`close`](Self::close) is quicker to start from.
pub struct Database {
    pairs: Arc<SqlitePairs>,
    engine: Arc<SqliteEngine>,
    writer: Writer,
    reads: Reads,
    path: PathBuf,
    start: i64,
}

impl Database {
    /// Opens a database as its one owner, and makes it if it is not there.
    ///
    /// A path whose name ends in `.db`, or that is a file, is the database; any other is a folder that holds it. The
    /// start of the program is counted.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] when another runner has it, [`OpenError::Newer`] when a newer program has used it.
    pub async fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = file_of(path.as_ref());
        if let Some(folder) = path.parent() {
            folder::make(folder).map_err(|source| OpenError::File { path: folder.to_owned(), source })?;
        }
        let lock = OwnerLock::take(&path)?;
        let mut connection = connect(&path, &options, true)?;
        schema::migrate(&mut connection, &path)?;
        let start = count(
            &connection,
            &path,
            "INSERT INTO meta VALUES ('start', '1') \
             ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)",
        )?;
        Self::assemble(connection, Some(lock), path, options, start).await
    }

    /// Whether a runner owns the database at this path at this moment.
    pub fn is_owned(path: impl AsRef<Path>) -> bool {
        OwnerLock::is_held(&file_of(path.as_ref()))
    }

    /// Opens a database that may be in use, for an operator's command: reads, and writes of one row.
    ///
    /// The owner sees such a write within [`Options::watch`]. Hints are not handed out here.
    ///
    /// # Errors
    ///
    /// [`OpenError::Absent`] when there is none, [`OpenError::Older`] or [`OpenError::Newer`] when its schema is
    /// another: only its owner changes that.
    pub async fn open_for_operator(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = file_of(path.as_ref());
        if !path.is_file() {
            return Err(OpenError::Absent { path });
        }
        let connection = connect(&path, &options, false)?;
        schema::require(&connection, &path)?;
        let start = count(&connection, &path, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'start'")?;
        Self::assemble(connection, None, path, options, start).await
    }

    async fn assemble(
        connection: Connection,
        lock: Option<OwnerLock>,
        path: PathBuf,
        options: Options,
        start: i64,
    ) -> Result<Self, OpenError> {
        let owner = lock.is_some();
        let lanes = Lanes::load(&connection, options.settle, owner)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            // A connection to a file does not go stale.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(reading(&path, &options))
            .await?;
        // An operator's command is short, and cannot see in time what the owner changes.
        let cache = Cache::new(if owner { options.memory } else { 0 });
        let reads = Reads::new(readers, Glance::open(&path, &options)?, cache.clone());
        let writer = Writer::start(connection, lock, &options, start, lanes, cache)?;
        Ok(Self {
            pairs: Arc::new(SqlitePairs::new(writer.clone(), reads.clone())),
            engine: Arc::new(SqliteEngine::new(writer.clone(), reads.clone(), &options)),
            writer,
            reads,
            path,
            start,
        })
    }

    /// The id mapping and the ledger.
    pub fn pairs(&self) -> Arc<dyn PairStore> {
        Arc::clone(&self.pairs) as Arc<dyn PairStore>
    }

    /// What carries hints.
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine) as Arc<dyn Engine>
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Counts the starts of the program on this database, this one included.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// Commits what is queued, gives up the lock and closes the file. The ports answer errors from then on.
    pub async fn close(self) {
        self.reads.close().await;
        self.writer.close().await;
    }
}

fn file_of(path: &Path) -> PathBuf {
    if path.is_file() || path.extension().is_some_and(|extension| extension == "db") {
        path.to_owned()
    } else {
        path.join(FILE)
    }
}

/// How the connections that read are opened.
fn reading(path: &Path, options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(options.busy)
        .pragma("cache_size", options.cache_size().to_string())
        .disable_statement_logging()
}

fn count(connection: &Connection, path: &Path, statement: &str) -> Result<i64, OpenError> {
    connection.query_row(statement, [], |row| row.get(0)).map_err(|error| OpenError::of(path, &error))
}

/// The connection that writes, and keeps what it has confirmed.
fn connect(path: &Path, options: &Options, create: bool) -> Result<Connection, OpenError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        let (journal, synchronous) = set(&connection, options)?;
        Ok((connection, journal, synchronous))
    });
    let (connection, journal, synchronous) = opened.map_err(|error| OpenError::of(path, &error))?;
    if journal != "wal" {
        return Err(OpenError::Unsafe { setting: "journal_mode", expected: "wal", found: journal });
    }
    if synchronous != 2 {
        let found = synchronous.to_string();
        return Err(OpenError::Unsafe { setting: "synchronous", expected: "2 (FULL)", found });
    }
    Ok(connection)
}

/// Answers the journal mode and the level of syncing that came of it: a file system can refuse the log, and a build of
/// SQLite can have another default.
fn set(connection: &Connection, options: &Options) -> rusqlite::Result<(String, i64)> {
    connection.busy_timeout(options.busy)?;
    connection.set_prepared_statement_cache_capacity(sql::STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", options.cache_size())?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    let journal = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    Ok((journal, synchronous))
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{TestClock, TestRandom};
    use pairline_sdk::{Arrival, Creates, Delivery, EngineError, RecordId, System};

    use super::*;

    async fn crowd(engine: &Arc<dyn Engine>, round: usize) -> usize {
        let told = |id: usize| {
            let record = RecordId::new(&System::new("crm"), format!("{round}-{id}-{}", "x".repeat(2000)));
            Delivery { arrivals: vec![Arrival::look_at(record)], ..Delivery::default() }
        };
        let taken = futures_util::future::join_all((0..16).map(|id| engine.enqueue(told(id)))).await;
        taken
            .into_iter()
            .map(|taken| match taken {
                Ok(taken) => usize::try_from(taken.accepted).unwrap(),
                Err(EngineError::Unavailable(reason)) => {
                    assert_eq!(reason, "the disk is full");
                    0
                }
                Err(other) => panic!("expected that the disk is full, found {other}"),
            })
            .sum()
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_has_confirmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let options = Options::new(Arc::<TestClock>::default(), Arc::<TestRandom>::default());
        let mut connection = connect(&path, &options, true).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        connection.pragma_update(None, "max_page_count", 120).unwrap();
        let lock = OwnerLock::take(&path).unwrap();
        let database = Database::assemble(connection, Some(lock), path, options, 1).await.unwrap();
        let engine = database.engine();

        let mut taken = 0;
        let mut rounds = 0;
        while taken == rounds * 16 {
            assert!(rounds < 100, "expected that the disk is full at last");
            taken += crowd(&engine, rounds).await;
            rounds += 1;
        }

        assert_eq!(engine.health().await.unwrap().waiting, u64::try_from(taken).unwrap());
        // The connection has survived it: a write that needs no room goes through, and more of the rest does not.
        database.pairs().set_creates(&Creates::Allowed).await.unwrap();
        assert_eq!(database.pairs().creates().await.unwrap(), Creates::Allowed);
        crowd(&engine, rounds).await;
    }
}
