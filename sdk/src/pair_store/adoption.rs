//! A record that carries another one's id, and what becomes of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CaseId;
use crate::{Pair, Record, RecordId, System};

/// A record that carries the id of a source record, which has no pair with it yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adoption {
    /// The record that carries the inverse id.
    pub record: Record,
    /// Where it lives.
    pub system: System,
    /// The record it names.
    pub names: RecordId,
    /// The contract.
    pub contract: String,
    /// Whether the caller has read that the named record is there, points at this one or at none, and that no other
    /// record names it.
    pub verified: bool,
    /// The topology at work.
    pub topology: String,
}

/// What became of a record that carries an inverse id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
pub enum Adopted {
    /// It is the outcome of an open create, or was verified: the pair is written.
    Paired(Arc<Pair>),
    /// The named record has another counterpart: this one is a copy. A case is open.
    Copy(CaseId),
    /// The named record is gone for us; this one stays alone.
    Inactive,
    /// Nothing is known of the named record: verify, and ask again.
    Unverified,
}
