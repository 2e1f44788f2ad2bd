//! One row by its key, read in the caller's own thread.
//!
//! That takes some microseconds; to wake the thread of another connection, and to be woken by it, takes ten times as
//! long, for every record that is new. What may read more than a few pages goes to the connections of the pool.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, Params};

use crate::failure::Failure;
use crate::row::Reader;
use crate::{OpenError, Options, sql};

/// A connection for such reads; none once it is closed.
pub(crate) struct Glance(Mutex<Option<Connection>>);

impl Glance {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.pragma_update(None, "cache_size", options.cache_size())?;
            // Whoever would have to wait asks the pool instead.
            connection.busy_timeout(std::time::Duration::ZERO)?;
            Ok(connection)
        });
        Ok(Self(Mutex::new(Some(opened.map_err(|error| OpenError::of(path, &error))?))))
    }

    /// The first row of an answer; `None` when the row cannot be read here and now.
    pub(crate) fn at<T>(
        &self,
        statement: &str,
        key: impl Params,
        read: impl FnOnce(&mut Reader<'_, rusqlite::Row<'_>>) -> Result<T, Failure>,
    ) -> Option<T> {
        let held = self.held();
        sql::one(held.as_ref()?, statement, key, read).ok().flatten()
    }

    pub(crate) fn close(&self) {
        drop(self.held().take());
    }

    fn held(&self) -> MutexGuard<'_, Option<Connection>> {
        // A read that panicked has left nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
