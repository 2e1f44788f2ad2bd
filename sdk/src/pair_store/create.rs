//! A create: reserved, sent once more, persisted.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CaseId, Look};
use crate::{
    FieldWrite, Intent, InverseWrite, Operation, OperationId, OperationKind, OperationState, Pair, Provenance,
    RecordId, Request, Reservation, System, Timestamp,
};

/// A create to be reserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// The record that needs a counterpart.
    pub source: RecordId,
    /// Where.
    pub target: System,
    /// The contract.
    pub contract: String,
    /// The request, as it will be sent and sent again.
    pub request: Arc<Request>,
    /// Every value in the body.
    pub writes: Arc<[FieldWrite]>,
    /// The inverse id in the body, if the target has a field for it.
    pub inverse: Option<InverseWrite>,
    /// The application's deadline.
    pub deadline: Duration,
    /// The application's request life.
    pub request_life: Duration,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Create {
    /// The ledger's row of this create, as a store commits it.
    pub fn operation(&self, id: OperationId, incarnation: u32, now: Timestamp, start: i64) -> Operation {
        Operation {
            id,
            kind: OperationKind::Create,
            state: OperationState::Pending,
            pair: None,
            contract: self.contract.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            target_id: None,
            request: Arc::clone(&self.request),
            key: Some(Reservation::key(&self.source, &self.target, incarnation)),
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

/// The answer to a reservation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
pub enum Reserve {
    /// The reservation and its intent are committed: send it.
    Won(Intent),
    /// Somebody was first; this is what stands there.
    Taken(Look),
    /// Creates are held back until an operator allows them.
    Held(String),
}

/// A create to be sent once more, and what whoever looked at it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendAgain {
    /// How often it was sent, as far as he saw.
    pub attempts: u32,
    /// Whether he found that none of those made a record, once none of them could land any more. Else the target itself
    /// keeps a second one away.
    pub nothing_was_made: bool,
    /// The target does so only until then.
    pub before: Option<Timestamp>,
}

/// The answer to a request to send a create once more.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
pub enum Resend {
    /// It is committed as pending again: send it.
    Won(Intent),
    /// It is under way, or its state has changed: look again.
    Moved,
}

/// What `persist` recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
pub enum Persisted {
    /// The pair is written.
    Recorded(Arc<Pair>),
    /// It was written before, by somebody else or by an earlier run of this message.
    Already(Arc<Pair>),
    /// The create made a record that is mapped to another one: a case is open.
    Conflict(CaseId),
    /// The create's outcome is not known to have been a record; there is nothing to persist.
    Nothing,
}

/// Whether counterparts may be created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Creates {
    /// Not decided: the first start has not looked at both sides yet.
    Undecided,
    /// They may.
    Allowed,
    /// They may not, for this reason, until an operator says so.
    Held(String),
}
