//! The embedded database, as the runner wants to be handed one.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pairline_runner::composition::{DatabaseError, DatabaseSettings, Databases, OpenDatabase, Stores};
use pairline_store::{Database, OpenError, Options};

/// SQLite in the data folder.
pub(crate) struct Embedded;

#[async_trait]
impl Databases for Embedded {
    async fn open(&self, folder: &Path, settings: DatabaseSettings) -> Result<Stores, DatabaseError> {
        Database::open(folder, Options::new(settings.clock, settings.random))
            .await
            .map(stores)
            .map_err(|error| explained(&error))
    }

    async fn attach(&self, folder: &Path, settings: DatabaseSettings) -> Result<Stores, DatabaseError> {
        let opened = Database::open_for_operator(folder, Options::new(settings.clock, settings.random)).await;
        opened.map(stores).map_err(|error| explained(&error))
    }

    fn is_owned(&self, folder: &Path) -> bool {
        Database::is_owned(folder)
    }
}

struct Handle(Mutex<Option<Database>>);

#[async_trait]
impl OpenDatabase for Handle {
    async fn close(&self) {
        let database = self.0.lock().ok().and_then(|mut database| database.take());
        if let Some(database) = database {
            database.close().await;
        }
    }
}

fn stores(database: Database) -> Stores {
    let (pairs, engine) = (database.pairs(), database.engine());
    Stores { pairs, engine, handle: Arc::new(Handle(Mutex::new(Some(database)))) }
}

fn explained(error: &OpenError) -> DatabaseError {
    use OpenError::{Absent, Damaged, Database, File, Locked, Newer, NotOurs, Older, Unsafe};
    let exit_code = match error {
        Locked { .. } => 75,
        NotOurs { .. } | Damaged { .. } | Newer { .. } | Older { .. } | Absent { .. } => 65,
        File { .. } | Unsafe { .. } | Database(_) => 73,
    };
    let advice = if matches!(error, Absent { .. }) { "; --data-dir or DATA_DIR says where to look" } else { "" };
    DatabaseError { message: format!("{error}{advice}"), exit_code }
}
