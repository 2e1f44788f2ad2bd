//! SQLite against the suites every store and every engine must pass, and what is true of the file alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod bench;
mod database;
mod engine;
mod store;
