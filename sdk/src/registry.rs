//! The node kinds a program knows, and how each is made.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Application, Clock, Contract, HttpClient, Limits, Need, NodeDescription, PairStore, ProcessAction, Random, Secrets,
    System, Usage,
};

/// The ports a node may be given.
#[derive(Clone)]
pub struct Ports {
    /// The id mapping and the ledger.
    pub store: Arc<dyn PairStore>,
    /// The remote systems by name.
    pub applications: BTreeMap<System, Arc<dyn Application>>,
    /// The topology's sync contract.
    pub contract: Contract,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Secrets by name.
    pub secrets: Arc<dyn Secrets>,
    /// Hosts that are not kept in step.
    pub http: Arc<dyn HttpClient>,
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

/// A kind of node: what it is, and how a use of it is made.
pub trait NodeKind: Send + Sync {
    /// What it is. The linter reads it before anything is made.
    fn describe(&self) -> &NodeDescription;

    /// What a use must be granted. None: a native node, which is part of the program and is given every port.
    fn needs(&self) -> Option<&[Need]> {
        None
    }

    /// What is wrong with settings beyond what the description tells.
    fn misfits(&self, _with: &Value) -> Vec<Misfit> {
        Vec::new()
    }

    /// What is wrong with limits: nothing can be run within them.
    fn too_tight(&self, _limits: &Limits) -> Option<String> {
        None
    }

    /// Makes a use.
    ///
    /// # Errors
    ///
    /// One line: its settings are wrong, or something is not granted.
    fn make(&self, usage: &Usage, ports: &Ports) -> Result<Arc<dyn ProcessAction>, String>;
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Keys from the top of the `with` block to the place.
    pub path: Vec<String>,
    /// What is wrong there.
    pub message: String,
}

type Constructor = Box<dyn Fn(&Value, &Ports) -> Result<Arc<dyn ProcessAction>, String> + Send + Sync>;

/// A kind that is part of the program.
struct Native {
    description: NodeDescription,
    make: Constructor,
}

impl NodeKind for Native {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    fn make(&self, usage: &Usage, ports: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
        (self.make)(&usage.with, ports)
    }
}

/// Node kinds by name.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<String, Arc<dyn NodeKind>>,
    unusable: BTreeMap<String, String>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
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
        let native = Arc::new(Native { description, make: Box::new(make) });
        assert!(self.put(&kind, native).is_none(), "two nodes of kind `{kind}` are registered");
    }

    /// Puts a kind under a name, which may be another than its own: the file of a component. Answers the one that was there.
    pub fn put(&mut self, name: &str, kind: Arc<dyn NodeKind>) -> Option<Arc<dyn NodeKind>> {
        self.unusable.remove(name);
        self.kinds.insert(name.to_owned(), kind)
    }

    /// Remembers why nothing can be used by this name.
    pub fn put_unusable(&mut self, name: &str, reason: String) {
        self.unusable.insert(name.to_owned(), reason);
    }

    /// Every kind by its name.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &NodeDescription)> {
        self.kinds.iter().map(|(name, kind)| (name.as_str(), kind.describe()))
    }

    /// The kind of this name.
    pub fn kind(&self, name: &str) -> Option<&Arc<dyn NodeKind>> {
        self.kinds.get(name)
    }

    /// Why nothing can be used by this name, if somebody has tried.
    pub fn why_unusable(&self, name: &str) -> Option<&str> {
        self.unusable.get(name).map(String::as_str)
    }

    /// What a kind is.
    pub fn describe(&self, name: &str) -> Option<&NodeDescription> {
        self.kinds.get(name).map(|kind| kind.describe())
    }

    /// Makes a use of a kind.
    ///
    /// # Errors
    ///
    /// One line: the kind is not known, its settings are wrong, or something is not granted.
    pub fn make(&self, name: &str, usage: &Usage, ports: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
        let kind = self.kinds.get(name).ok_or_else(|| match self.unusable.get(name) {
            Some(reason) => reason.clone(),
            None => {
                let known: Vec<&str> = self.kinds.keys().map(String::as_str).collect();
                format!("no node kind `{name}`; known kinds: {}", known.join(", "))
            }
        })?;
        kind.make(usage, ports)
    }
}
