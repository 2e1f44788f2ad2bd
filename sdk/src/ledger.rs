//! The ledger's rows and how they change. Pure: a store loads them, calls these, and saves them in one transaction.
//!
//! Every store shares this logic, so that SQLite and the in-memory store cannot disagree on what an outcome means.

mod operation;
mod pair;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::operation::{
    FieldWrite, InverseWrite, Operation, OperationId, OperationKind, OperationState, Provenance, WriteReason,
};
pub use self::pair::{Agreement, Pair, PairId, PairSide, PairState, Revision};
use crate::{RecordId, System};

/// An intent that has waited longer than this between its commit and its send is not sent any more: the life of its
/// request is counted from the commit, and a process that slept in between must not stretch it.
pub const SEND_WITHIN: Duration = Duration::from_secs(1);

/// An operation that is committed to the ledger and may be sent, once.
///
/// Only a store makes one: holding it is the proof that a crash from here on will be found by recovery.
///
/// It can be written out, for whoever is told of it, and not be read in again: that would be a second one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Intent(Arc<Operation>);

impl Intent {
    /// For stores alone, after the commit.
    pub fn recorded(operation: impl Into<Arc<Operation>>) -> Self {
        Self(operation.into())
    }

    /// What is to be sent.
    pub fn operation(&self) -> &Operation {
        &self.0
    }
}

/// The reservation of a create: one owner per source record, target system and incarnation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// The record that needs a counterpart.
    pub source: RecordId,
    /// Where it needs one.
    pub target: System,
    /// Counts the counterparts that were attempted; a refused create is a new one, with a new key.
    pub incarnation: u32,
    /// The create.
    pub operation: Operation,
    /// Whether the source record is gone: nothing is created for it any more.
    pub closed: bool,
}

impl Reservation {
    /// The idempotency key of this incarnation. It depends on the record alone, so that it survives the database.
    pub fn key(source: &RecordId, target: &System, incarnation: u32) -> String {
        let escape = |text: &str| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
                    other => format!("%{other:02X}"),
                })
                .collect()
        };
        format!(
            "pairline:{}:{}:{}:{incarnation}",
            escape(source.system.as_str()),
            escape(&source.id),
            escape(target.as_str())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_the_record_and_its_incarnation_and_to_no_event() {
        let record = RecordId::new(&System::new("crm"), "12:3");

        assert_eq!(Reservation::key(&record, &System::new("erp"), 1), "pairline:crm:12%3A3:erp:1");
        assert_ne!(
            Reservation::key(&record, &System::new("erp"), 1),
            Reservation::key(&record, &System::new("erp"), 2)
        );
    }
}
