//! What the shipped nodes put into a message and find there, by its top-level key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EventFacts, Hint, ProcessDto, Provenance, RecordId, Timestamp, headers};

/// The [`HintPart`] a topology starts from.
pub const HINT: &str = "hint";
/// The [`Record`](crate::Record) as `fetch` read it.
pub const RECORD: &str = "record";
/// The [`Pair`](crate::Pair) of the record, once there is one. Whoever reads a record for others to compare looks its pair
/// up *first*: a change of the pair refuses a decision made on it, so nothing of ours can lie between the two unnoticed.
pub const PAIR: &str = "pair";
/// `true` when the record had no pair in use before it was read. A pair that is there all the same a moment later is
/// younger than what was read.
pub const UNPAIRED: &str = "unpaired";
/// The [`OperationId`](crate::OperationId) of the create that was committed.
pub const OPERATION: &str = "operation";
/// The [`RecordId`] that was found to be gone.
pub const GONE: &str = "gone";

/// All of them.
pub const ALL: [&str; 6] = [HINT, RECORD, PAIR, UNPAIRED, OPERATION, GONE];

/// What a topology starts from: look at this record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HintPart {
    /// The record.
    pub record: RecordId,
    /// What the one event behind the hint claims.
    #[serde(default)]
    pub facts: Option<EventFacts>,
    /// When news of each field last reached us; `*` stands for all of them.
    #[serde(default)]
    pub received: BTreeMap<String, Timestamp>,
    /// The same for the records that wait in the same lane.
    #[serde(default)]
    pub others: Vec<OtherHint>,
}

/// News of another record of the lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherHint {
    /// The record.
    pub record: RecordId,
    /// When news of each of its fields last reached us.
    pub received: BTreeMap<String, Timestamp>,
}

impl ProcessDto {
    /// The message a hint would become that comes from this one event.
    pub fn from_event(record: &RecordId, facts: &EventFacts, topology: &str) -> Self {
        let (received, others) = (BTreeMap::new(), Vec::new());
        let part = HintPart { record: record.clone(), facts: Some(facts.clone()), received, others };
        Self::default().with(HINT, part).with_header(headers::TOPOLOGY_NAME, topology)
    }

    /// The message a hint becomes.
    pub fn from_hint(hint: &Hint, topology: &str) -> Self {
        let others = hint
            .others
            .iter()
            .map(|(record, received)| OtherHint { record: record.clone(), received: received.clone() });
        let part = HintPart {
            record: hint.record.clone(),
            facts: hint.facts.clone(),
            received: hint.received.clone(),
            others: others.collect(),
        };
        Self::default()
            .with(HINT, part)
            .with_header(headers::CORRELATION_ID, hint.correlation_id.as_str())
            .with_header(headers::TOPOLOGY_NAME, topology)
    }

    /// Where an operation comes from that the node now at work begins.
    pub fn provenance(&self) -> Provenance {
        Provenance {
            correlation_id: self.correlation_id().to_owned(),
            topology: self.header(headers::TOPOLOGY_NAME).unwrap_or_default().to_owned(),
            node: self.header(headers::NODE_NAME).unwrap_or_default().to_owned(),
        }
    }
}
