//! What the composed program hands to the runner: the runner knows nodes, databases and demo systems by these alone.

mod chaos;
mod components;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{Clock, Engine, PairStore, Random, Registry};

pub use chaos::{
    Chaos, ChaosError, ChaosFaults, ChaosOrders, ChaosOutcome, ChaosProgress, ChaosWork, Fault, Harm, PlayedSystem,
    Unjudged,
};

pub use components::{ComponentCounts, ComponentReport, Components};

/// A program put together from parts.
pub struct Composition {
    /// Its version, as `--version` prints it.
    pub version: &'static str,
    /// The node kinds topologies may use.
    pub registry: Registry,
    /// Where it keeps what must not be lost.
    pub databases: Arc<dyn Databases>,
    /// A CRM and an ERP to try it with.
    pub demo: Arc<dyn Demo>,
    /// Trouble to try it in.
    pub chaos: Arc<dyn Chaos>,
    /// Runs nodes in other languages; none in a program without an engine for them.
    pub components: Option<Arc<dyn Components>>,
}

/// Opens databases.
#[async_trait]
pub trait Databases: Send + Sync {
    /// Opens the folder's database for the one runner that may own it; makes it if it is not there.
    async fn open(&self, folder: &Path, settings: DatabaseSettings) -> Result<Stores, DatabaseError>;

    /// Opens the folder's database beside a runner, or without one, for an operator's command.
    async fn attach(&self, folder: &Path, settings: DatabaseSettings) -> Result<Stores, DatabaseError>;

    /// Whether a runner owns the folder's database at this moment.
    fn is_owned(&self, folder: &Path) -> bool;
}

/// What a database needs to know.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub random: Arc<dyn Random>,
}

/// An open database.
#[derive(Clone)]
pub struct Stores {
    /// The id mapping and the ledger.
    pub pairs: Arc<dyn PairStore>,
    /// The inbox and the lanes.
    pub engine: Arc<dyn Engine>,
    /// Keeps the database open, and closes it when the last one is dropped or closed.
    pub handle: Arc<dyn OpenDatabase>,
}

/// An open database's handle.
#[async_trait]
pub trait OpenDatabase: Send + Sync {
    /// Closes it cleanly. Not needed for safety: a killed program loses nothing.
    async fn close(&self);
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DatabaseError {
    /// What is wrong and what would help.
    pub message: String,
    /// The exit code: 75 when another program has it, 65 when it cannot be read, 73 when it cannot be made.
    pub exit_code: u8,
}

/// A CRM and an ERP to try the program with.
#[async_trait]
pub trait Demo: Send + Sync {
    /// Starts both on loopback. `webhook_base` is where they send their events, `variables` what the application
    /// descriptions will read; the demo adds what it knows.
    async fn start(
        &self,
        webhook_base: &str,
        seed: u64,
        variables: &mut BTreeMap<String, String>,
    ) -> std::io::Result<Arc<dyn DemoSystems>>;
}

/// Running demo systems.
#[async_trait]
pub trait DemoSystems: Send + Sync {
    /// One line per system about what it holds.
    fn lines(&self) -> Vec<String>;

    /// Commands to try, for a shell.
    fn examples(&self) -> Vec<String>;

    /// Stops them.
    async fn stop(&self);
}
