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
            .map_err(|error| explained(folder, error))
    }

    async fn attach(&self, folder: &Path, settings: DatabaseSettings) -> Result<Stores, DatabaseError> {
        let opened = Database::open_for_operator(folder, Options::new(settings.clock, settings.random)).await;
        opened.map(stores).map_err(|error| explained(folder, error))
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

fn explained(folder: &Path, error: OpenError) -> DatabaseError {
    // What SQLite calls SQLITE_NOTADB and SQLITE_CORRUPT says nothing of the file.
    let input = |message| DatabaseError { message, exit_code: 65 };
    match &error {
        OpenError::Absent { .. } => return input(format!("{error}; --data-dir or DATA_DIR says where to look")),
        OpenError::Database(text) if text.contains("(code: 26)") => {
            return input(format!("{}/pairline.db is not a Pairline database", folder.display()));
        }
        OpenError::Database(text) if text.contains("(code: 11)") => {
            return input(format!("{}/pairline.db is damaged: restore a backup of it", folder.display()));
        }
        _ => {}
    }
    let exit_code = match &error {
        OpenError::Locked { .. } => 75,
        OpenError::NotOurs { .. } | OpenError::Newer { .. } | OpenError::Older { .. } | OpenError::Absent { .. } => 65,
        OpenError::File { .. } | OpenError::Unsafe { .. } | OpenError::Database(_) => 73,
    };
    DatabaseError { message: error.to_string(), exit_code }
}
