//! An update, and what agreed without one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    FieldWrite, Fields, Intent, InverseWrite, Operation, OperationId, OperationKind, OperationState, Pair, PairId,
    Provenance, Request, Revision, System, Timestamp,
};

/// An update to be begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The pair.
    pub pair: PairId,
    /// The side that is written.
    pub target: System,
    /// The request.
    pub request: Arc<Request>,
    /// Per field what was seen and what is sent.
    pub writes: Arc<[FieldWrite]>,
    /// The inverse id in the body.
    pub inverse: Option<InverseWrite>,
    /// What was found to agree without a write, or to be kept as it is; taken into the base in the same transaction.
    pub rebase: Vec<(System, Fields)>,
    /// The open operation that both sides were read for; it ends in the same transaction.
    pub supersedes: Option<OperationId>,
    /// What an operator must be able to see later.
    pub notes: Vec<Note>,
    /// The application's deadline.
    pub deadline: Duration,
    /// The application's request life.
    pub request_life: Duration,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Update {
    /// The ledger's row of this update of a pair, as a store commits it.
    pub fn operation(&self, id: OperationId, pair: &Pair, now: Timestamp, start: i64) -> Operation {
        Operation {
            id,
            kind: OperationKind::Update,
            state: OperationState::Pending,
            pair: Some(pair.id),
            contract: pair.contract.clone(),
            source: pair.other(&self.target).record.clone(),
            target: self.target.clone(),
            target_id: Some(pair.side(&self.target).record.id.clone()),
            request: Arc::clone(&self.request),
            key: None,
            writes: Arc::clone(&self.writes),
            inverse: self.inverse.clone(),
            answered: None,
            first_sent_at: now,
            sent_at: now,
            ended_at: None,
            deadline: self.deadline,
            request_life: self.request_life,
            attempts: 1,
            in_doubt: false,
            start,
            reason: None,
            provenance: self.provenance.clone(),
        }
    }
}

/// The answer to the begin of an update.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
pub enum Begin {
    /// The intent is committed: send it.
    Won(Intent),
    /// Another operation of the pair is open: look again later.
    Busy(OperationId),
    /// The pair has changed since it was read: look again.
    Stale,
}

/// What agreed without a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rebase {
    /// The pair.
    pub pair: PairId,
    /// What it was when it was read.
    pub revision: Revision,
    /// Per side what is agreed now.
    pub changes: Vec<(System, Fields)>,
    /// Sides that were seen to carry the inverse id.
    pub inverse_seen: Vec<System>,
    /// The open operation that both sides were read for; it ends in the same transaction.
    pub supersedes: Option<OperationId>,
    /// What an operator must be able to see later.
    pub notes: Vec<Note>,
}

/// Something the sync decided against a person's edit, kept so that it can be shown and restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What it was.
    pub kind: NoteKind,
    /// The field of the contract.
    pub field: String,
    /// Whose value was not kept.
    pub system: System,
    /// That value, in the system's own fields.
    pub lost: Fields,
    /// The value that was kept, in canonical form.
    pub kept: Value,
}

/// What kind of decision a [`Note`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A field was edited on the side that does not own it.
    Violation,
    /// Both sides of a shared field were edited.
    Conflict,
}
