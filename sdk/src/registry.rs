//! The node kinds a program knows, and how each is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Application, Clock, NodeDescription, PairStore, ProcessAction, SyncContract, System};

/// The ports a node may be given.
#[derive(Clone)]
pub struct Ports {
    /// The id mapping and the ledger.
    pub store: Arc<dyn PairStore>,
    /// The remote systems by name.
    pub applications: BTreeMap<System, Arc<dyn Application>>,
    /// The topology's sync contract.
    pub contract: Arc<SyncContract>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The application of this name.
    ///
    /// # Errors
    ///
    /// One line that lists the applications there are.
    pub fn application(&self, name: &str) -> Result<Arc<dyn Application>, String> {
        self.applications.get(&System::new(name)).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.applications.keys().map(System::as_str).collect();
            format!("no application `{name}`; known applications: {}", known.join(", "))
        })
    }
}

/// Reads a `with` block as a node's settings.
///
/// # Errors
///
/// One line that names the key that is wrong.
pub fn settings<T: DeserializeOwned>(with: &Value) -> Result<T, String> {
    let with = if with.is_null() { Value::Object(serde_json::Map::new()) } else { with.clone() };
    serde_json::from_value(with).map_err(|error| error.to_string())
}

type Constructor = Box<dyn Fn(&Value, &Ports) -> Result<Arc<dyn ProcessAction>, String> + Send + Sync>;

struct Entry {
    description: NodeDescription,
    make: Constructor,
}

/// Node kinds by name.
#[derive(Default)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
}

impl Registry {
    /// A registry without a node.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind: its description, and how a use of it is made from its `with` block.
    ///
    /// # Panics
    ///
    /// If the kind is there already: two nodes of one name are a mistake in the program, found at its start.
    pub fn register<F>(&mut self, description: NodeDescription, make: F)
    where
        F: Fn(&Value, &Ports) -> Result<Arc<dyn ProcessAction>, String> + Send + Sync + 'static,
    {
        let kind = description.kind.clone();
        let before = self.entries.insert(kind.clone(), Entry { description, make: Box::new(make) });
        assert!(before.is_none(), "two nodes of kind `{kind}` are registered");
    }

    /// Every kind, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &NodeDescription> {
        self.entries.values().map(|entry| &entry.description)
    }

    /// What a kind is.
    pub fn describe(&self, kind: &str) -> Option<&NodeDescription> {
        self.entries.get(kind).map(|entry| &entry.description)
    }

    /// Makes a use of a kind.
    ///
    /// # Errors
    ///
    /// One line: the kind is not known, or its settings are wrong.
    pub fn make(&self, kind: &str, with: &Value, ports: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
        let entry = self.entries.get(kind).ok_or_else(|| {
            let known: Vec<&str> = self.entries.keys().map(String::as_str).collect();
            format!("no node kind `{kind}`; known kinds: {}", known.join(", "))
        })?;
        (entry.make)(with, ports)
    }
}
