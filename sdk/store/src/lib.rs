//! SQLite behind the [`PairStore`](pairline_sdk::PairStore) and [`Engine`](pairline_sdk::Engine) ports.
//!
//! One file holds everything: the id mapping, the ledger, the inbox, what waits and what failed. One process owns it,
//! by an OS lock beside the file; an operator's commands may open it meanwhile for reads and small writes.
//!
//! Start reading at [`Database`]; then `migrations/sqlite`, where every column, constraint and index says why it is
//! there; then `writer.rs`, through which every write goes.

mod cache;
mod columns;
mod database;
mod engine;
mod failure;
mod folder;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod glance;
mod lock;
mod options;
mod pairs;
mod reads;
mod row;
mod schema;
mod sql;
mod standing;
mod work;
mod writer;
mod writes;

pub use database::Database;
pub use engine::SqliteEngine;
pub use failure::OpenError;
pub use options::Options;
pub use pairs::SqlitePairs;
