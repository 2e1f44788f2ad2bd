//! Where a record's parts stand, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::UnitDocument;

/// Where an answer holds a record's parts.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordDocument {
    /// Its id, as a pointer.
    pub(crate) id: String,
    /// What is another one after every change.
    pub(crate) version: Option<String>,
    /// When it was changed last; the first of these that is there.
    pub(crate) modified: Vec<String>,
    /// What a number there counts.
    #[serde(default)]
    pub(crate) modified_in: UnitDocument,
    /// Where its fields are; the record itself without it.
    #[serde(default)]
    pub(crate) fields: String,
    /// Names among the fields that are the system's own bookkeeping.
    #[serde(default)]
    pub(crate) leave_out: Vec<String>,
    /// Fields that answers and events call otherwise than writes do: from the name that is sent to the one that is answered.
    #[serde(default)]
    pub(crate) renamed: BTreeMap<String, String>,
    /// Fields in a form of their own.
    #[serde(default)]
    pub(crate) forms: BTreeMap<String, FormDocument>,
    /// Whether an answer names every field that has a value.
    pub(crate) whole: bool,
    /// Where a record says that it is not there any more.
    pub(crate) gone: Option<SaysDocument>,
    /// Where an answer says that it is an error, whatever its status.
    pub(crate) error: Option<String>,
}

/// A field in a form of its own.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct FormDocument {
    /// Where an answer holds it.
    pub(crate) at: String,
    /// Where each item of a list there holds it.
    pub(crate) each: Option<String>,
    /// What the text is like: `{value}`, perhaps with something before it.
    #[serde(default = "value")]
    pub(crate) is: String,
    /// What is sent for it, with `{value}` in it.
    pub(crate) sent: Map<String, Value>,
}

fn value() -> String {
    "{value}".to_owned()
}

/// A value at a place.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct SaysDocument {
    /// Where, as a pointer.
    pub(crate) at: String,
    /// Which value; of a list, any.
    pub(crate) is: Value,
}
