//! What can be decided about a database, with its limits and their units.

use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{Clock, Random};

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub random: Arc<dyn Random>,
    /// A record is handed out again at the earliest this long after it was last handed out, so that a burst of edits
    /// becomes a few looks. Default: 200 milliseconds.
    pub settle: Duration,
    /// At most this many writes are committed together, that is with one sync of the disk. Default: 128.
    pub group: usize,
    /// Under load, two commits begin at least this far apart, so that more writes share the pages and the sync of one.
    /// A lone write never waits. Real time, whatever the clock says. Default: 1 millisecond.
    pub gather: Duration,
    /// At most this many writes wait for their turn; further callers wait in line. Default: 1024.
    pub queue: usize,
    /// Whether writes have a thread of their own. Without one they are made on the runtime that opened the database,
    /// which stands still while the disk is at work: for a simulation, in which nothing may happen meanwhile.
    /// Default: true.
    pub own_thread: bool,
    /// Connections that read beside the one that writes. Default: 3.
    pub readers: u32,
    /// Memory each connection may keep pages of the database in, in KiB. Default: 8192.
    pub cache_kib: u32,
    /// Memory for pairs and operations of late, which are then not read again, in bytes. Default: 16 777 216.
    pub memory: u64,
    /// A write waits this long for another process to finish its own. Default: 5 seconds.
    pub busy: Duration,
    /// How often to look whether another process (an operator's command) has changed something. Real time, whatever
    /// the clock says. Default: 250 milliseconds.
    pub watch: Duration,
    /// Of a part of a delivery that cannot be understood, at most this many bytes are kept. Default: 65 536.
    pub unreadable_bytes: usize,
}

impl Options {
    /// The defaults, with a clock and a source of chance.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            settle: Duration::from_millis(200),
            group: 128,
            gather: Duration::from_millis(1),
            queue: 1024,
            own_thread: true,
            readers: 3,
            cache_kib: 8192,
            memory: 16 * 1024 * 1024,
            busy: Duration::from_secs(5),
            watch: Duration::from_millis(250),
            unreadable_bytes: 64 * 1024,
        }
    }

    /// As SQLite wants it: negative is KiB, positive would be pages.
    pub(crate) fn cache_size(&self) -> i64 {
        -i64::from(self.cache_kib)
    }
}
