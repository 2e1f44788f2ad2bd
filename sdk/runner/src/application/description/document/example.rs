//! What a system says, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::application::errors::Means;

/// Something the system says.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ExampleDocument {
    /// Which operation it answers, or a delivery.
    pub(crate) of: OfDocument,
    /// Its status.
    #[serde(default = "done")]
    pub(crate) status: u16,
    /// Its headers, as far as something is looked for in them.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Its body.
    #[serde(default)]
    pub(crate) body: Value,
    /// What it should be taken for; that it was done without it.
    pub(crate) means: Option<Means>,
    /// The ids that should be found in it.
    pub(crate) ids: Option<Vec<Value>>,
    /// What should be found in it for the next page.
    pub(crate) next: Option<String>,
}

fn done() -> u16 {
    200
}

/// What an example is of.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OfDocument {
    Read,
    Create,
    Update,
    Delete,
    Find,
    Changed,
    Webhook,
    Subscriptions,
}
