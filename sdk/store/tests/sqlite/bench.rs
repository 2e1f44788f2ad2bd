//! A database in a folder of its own, with a clock the test moves.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pairline_sdk::testing::{TestClock, TestRandom};
use pairline_store::{Database, OpenError, Options};
use tempfile::TempDir;

/// A database under test.
pub(crate) struct Bench {
    database: Option<Database>,
    clock: Arc<TestClock>,
    random: Arc<TestRandom>,
    folder: TempDir,
}

impl Bench {
    /// An empty database.
    pub(crate) async fn make() -> Self {
        let mut bench = Self {
            database: None,
            clock: Arc::default(),
            random: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
        };
        bench.database = Some(Database::open(bench.folder(), bench.options()).await.unwrap());
        bench
    }

    pub(crate) fn options(&self) -> Options {
        // Short, so that no test waits long for what another process wrote.
        Options { watch: Duration::from_millis(10), ..Options::new(self.clock.clone(), self.random.clone()) }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn clock(&self) -> &TestClock {
        &self.clock
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    /// Dropped without a goodbye, and opened as soon as the lock is free.
    pub(crate) async fn restart(mut self) -> Self {
        self.database = None;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Database::open(self.folder(), self.options()).await {
                Ok(database) => {
                    self.database = Some(database);
                    return self;
                }
                Err(OpenError::Locked { .. }) if Instant::now() < deadline => tokio::task::yield_now().await,
                Err(error) => panic!("expected that the database opens, found {error}"),
            }
        }
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}
