//! What runs nodes in other languages.

use std::path::Path;
use std::sync::Arc;

use pairline_sdk::{Need, NodeDescription, NodeKind};
use serde_json::Value;

/// Runs components: nodes in a sandbox, in any language that compiles to WebAssembly.
pub trait Components: Send + Sync {
    /// Loads a component from its file, and asks it what it is.
    ///
    /// # Errors
    ///
    /// One line that names the file: it cannot be read, is no node, or asks for what no node gets.
    fn load(&self, file: &Path) -> Result<Arc<dyn NodeKind>, String>;

    /// Says what a file holds, whether or not it can be used.
    ///
    /// # Errors
    ///
    /// One line: it cannot be read, or is no component.
    fn inspect(&self, file: &Path) -> Result<ComponentReport, String>;

    /// Makes a component of a core module that was compiled against the contract.
    ///
    /// # Errors
    ///
    /// One line: it is no module, or was not compiled against the contract.
    fn wrap(&self, module: &[u8]) -> Result<Vec<u8>, String>;

    /// The contract that components are built against, in WIT.
    fn contract(&self) -> &'static str;

    /// What every component has done so far.
    fn counts(&self) -> Vec<ComponentCounts>;
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct ComponentReport {
    /// How many bytes it has.
    pub bytes: usize,
    /// What it says about itself, or why it cannot be used.
    pub description: Result<NodeDescription, String>,
    /// The JSON Schema of its settings, if it brings one.
    pub schema: Option<Value>,
    /// Every interface that it imports.
    pub imports: Vec<String>,
    /// Every interface that it exports.
    pub exports: Vec<String>,
    /// What must be granted to it.
    pub needs: Vec<Need>,
    /// How many messages one instance of it serves, unless a topology says otherwise.
    pub calls: u32,
}

/// What a component has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentCounts {
    /// The name of its file.
    pub component: String,
    /// Messages by how its work on them ended.
    pub calls: Vec<(&'static str, u64)>,
    /// Instances that were made.
    pub instances: u64,
    /// Changes of its file that were taken up, and that could not be.
    pub reloads: [u64; 2],
}
