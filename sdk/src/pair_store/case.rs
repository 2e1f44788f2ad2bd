//! What only a person can decide.

use serde::{Deserialize, Serialize};

use crate::{RecordId, Timestamp};

/// Names a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(pub i64);

/// Something only a person can decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its number; zero before it is opened.
    pub id: CaseId,
    /// What kind it is.
    pub kind: CaseKind,
    /// The records it is about.
    pub records: Vec<RecordId>,
    /// What is known, and what to look for: ids and field names, never values.
    pub detail: String,
    /// Since when.
    pub opened_at: Timestamp,
}

/// What kind of decision a case asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// A record carries the inverse id of one that has another counterpart: a copy, or a second create.
    Copy,
    /// Several records carry the same inverse id.
    Ambiguous,
    /// A create of unknown outcome into a system that cannot be asked.
    UnknownCreate,
    /// Both sides of a field changed and its policy is `ask`, or a violation that is to be asked about.
    Field,
    /// A system refused a create as a duplicate of a record that is not ours to take.
    Duplicate,
}

impl CaseKind {
    /// The name in the database and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Ambiguous => "ambiguous",
            Self::UnknownCreate => "unknown-create",
            Self::Field => "field",
            Self::Duplicate => "duplicate",
        }
    }
}
