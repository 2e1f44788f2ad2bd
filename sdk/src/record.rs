//! Names of systems and records, and a record as it was read.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Timestamp;

/// A system's fields by name. A nested object is spelled with dots: `custom_fields.crm_id`.
pub type Fields = Map<String, Value>;

/// The name of a remote system, as its application description gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct System(Arc<str>);

impl System {
    /// The system of this name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for System {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One record in one system: `crm:123`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordId {
    /// Where it lives.
    pub system: System,
    /// Its id there. Always text: an id is never a number to calculate with.
    pub id: String,
}

impl RecordId {
    /// The record of this id in this system.
    pub fn new(system: &System, id: impl Into<String>) -> Self {
        Self { system: system.clone(), id: id.into() }
    }

    /// Reads `system:id`, as a person types it.
    pub fn parse(text: &str) -> Option<Self> {
        let (system, id) = text.split_once(':')?;
        (!system.is_empty() && !id.is_empty()).then(|| Self { system: System::new(system), id: id.to_owned() })
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.system, self.id)
    }
}

/// A record as an application answered it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Whatever the system changes on every write; equal versions are equal records.
    #[serde(default)]
    pub version: Option<String>,
    /// When it was changed last, at the latest, by our clock; none when the system does not tell. Its own stamp says
    /// nothing by our clock, but how long that was ago when it answered does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// Its fields by name. A field that is not here has no value, when the description says that the system answers
    /// whole records; otherwise nothing is known about it.
    pub fields: Fields,
}

impl Record {
    /// A record of these fields.
    pub fn new(id: impl Into<String>, fields: Fields) -> Self {
        Self { id: id.into(), version: None, changed_at: None, fields }
    }

    /// A field's value; an emptied field has none.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !is_empty(value))
    }
}

/// Whether a value stands for "nothing there": null or the empty text.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
