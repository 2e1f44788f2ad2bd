//! A component as a node kind: described, checked, and made.

use std::path::PathBuf;
use std::sync::Arc;

use pairline_sdk::{Limits, Misfit, Need, NodeDescription, NodeKind, Ports, ProcessAction, Usage};
use serde_json::Value;

use crate::component::Loaded;
use crate::host::Host;
use crate::limits::too_tight;
use crate::node::ComponentNode;

/// A component as a node kind.
pub struct ComponentKind {
    host: Arc<Host>,
    file: PathBuf,
    loaded: Arc<Loaded>,
}

impl ComponentKind {
    pub(crate) fn new(host: Arc<Host>, file: PathBuf, loaded: Loaded) -> Self {
        Self { host, file, loaded: Arc::new(loaded) }
    }
}

impl NodeKind for ComponentKind {
    fn describe(&self) -> &NodeDescription {
        &self.loaded.description
    }

    fn needs(&self) -> Option<&[Need]> {
        Some(&self.loaded.needs)
    }

    fn misfits(&self, with: &Value) -> Vec<Misfit> {
        self.loaded.misfits(with)
    }

    fn too_tight(&self, limits: &Limits) -> Option<String> {
        too_tight(limits)
    }

    fn make(&self, usage: &Usage, ports: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
        ComponentNode::make(&self.host, &self.file, &self.loaded, usage, ports)
            .map(|node| Arc::new(node) as Arc<dyn ProcessAction>)
    }
}
