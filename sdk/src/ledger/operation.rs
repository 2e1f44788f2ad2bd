//! One outbound operation: its row, and what an outcome does to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Pair, PairId, SEND_WITHIN};
use crate::{Fields, Outcome, Record, RecordId, Request, SendAgain, System, Timestamp};

/// Names one outbound operation, everywhere: in the ledger, in the origin marker, in logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub String);

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One outbound operation: write-ahead record, echo detector and audit trail at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// Where it stands.
    pub state: OperationState,
    /// The pair it belongs to; none for a create, until it is mapped.
    pub pair: Option<PairId>,
    /// The contract it follows.
    pub contract: String,
    /// The record whose values it carries.
    pub source: RecordId,
    /// The system it writes to.
    pub target: System,
    /// The record it writes; for a create, the one it made, once known.
    pub target_id: Option<String>,
    /// The request, as sent and as sent again.
    pub request: Arc<Request>,
    /// The idempotency key, derived from the reservation.
    pub key: Option<String>,
    /// Per field what was seen and what is sent.
    pub writes: Arc<[FieldWrite]>,
    /// The inverse id in its body.
    pub inverse: Option<InverseWrite>,
    /// What the target answered for the fields of the contract.
    pub answered: Option<Fields>,
    /// When its intent was first committed: an idempotency key ages from here.
    pub first_sent_at: Timestamp,
    /// When its intent was last committed.
    pub sent_at: Timestamp,
    /// When its outcome was written.
    pub ended_at: Option<Timestamp>,
    /// It is given up this long after `sent_at`.
    pub deadline: Duration,
    /// Its request may be applied this long after it was given up.
    pub request_life: Duration,
    /// How often it was sent.
    pub attempts: u32,
    /// Whether an attempt before the last one may have been applied. Its own answer clears that, or a look that found
    /// nothing once nothing could land any more.
    pub in_doubt: bool,
    /// The start of the program that sent it last; an operation of an earlier start is not under way any more.
    pub start: i64,
    /// Why it stands where it stands.
    pub reason: Option<String>,
    /// Where it came from.
    pub provenance: Provenance,
}

impl Operation {
    /// Until when its answer is waited for.
    pub fn answer_due(&self) -> Timestamp {
        self.sent_at.plus(self.deadline)
    }

    /// From when on its request can no longer be applied.
    pub fn quiet_at(&self) -> Timestamp {
        self.ended_at.unwrap_or_else(|| self.answer_due()).plus(self.request_life)
    }

    /// Whether whoever sent it, if he is still there, may not have written yet what became of it.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        self.state == OperationState::Pending && now < self.answer_due().plus(SEND_WITHIN)
    }

    /// Whether a worker of this start of the program may still be waiting for its answer.
    pub fn is_live(&self, now: Timestamp, start: i64) -> bool {
        self.start == start && self.is_under_way(now)
    }

    /// Whether it is too late to send it.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now > self.sent_at.plus(SEND_WITHIN)
    }

    /// The record it writes, once known.
    pub fn target_record(&self) -> Option<RecordId> {
        self.target_id.as_ref().map(|id| RecordId::new(&self.target, id))
    }

    /// Whom the case of a create is about that has made a record while it, or the source, is paired otherwise: the new
    /// record, whom each of the two is paired with, and the source.
    pub fn records_in_conflict(&self, of_source: Option<&Pair>, of_made: Option<&Pair>) -> Vec<RecordId> {
        let sides = [(of_source, &self.target), (of_made, &self.source.system)];
        let counterparts = sides.into_iter().filter_map(|(pair, system)| Some(pair?.side(system).record.clone()));
        self.target_record().into_iter().chain(counterparts).chain([self.source.clone()]).collect()
    }

    /// Writes the outcome of an attempt into the row. An outcome that is known already is not changed by a later guess,
    /// and nothing but its success is news of an attempt that was not the last.
    ///
    /// Answers whether the row changed.
    pub fn settle(&mut self, attempt: u32, outcome: &Outcome, now: Timestamp) -> bool {
        let over = !self.state.is_open() || attempt != self.attempts;
        match outcome {
            Outcome::Committed { record } => {
                if self.state == OperationState::Committed || self.state == OperationState::Superseded {
                    return false;
                }
                self.target_id = Some(record.id.clone());
                // A request that was sent before may be answered from the record as it is now, edits included.
                self.answered = (self.attempts == 1).then(|| self.written(record));
                self.end(OperationState::Committed, None, now);
            }
            _ if over => return false,
            Outcome::Duplicate { id } => {
                // Whose record that is decides `adopt`; until then nothing is known but that ours was not made.
                let reason = match id {
                    Some(id) => format!("{} has this record already: {id}", self.target),
                    None => format!("{} has this record already and does not say which", self.target),
                };
                self.refused(OperationState::Failed, reason, now);
            }
            Outcome::Gone => self.refused(OperationState::Failed, "the record is gone".to_owned(), now),
            Outcome::Failed { reason } => self.refused(OperationState::Failed, reason.clone(), now),
            Outcome::Unknown { reason } => self.end(OperationState::Unknown, Some(reason.clone()), now),
            Outcome::NotSent { reason, .. } | Outcome::Outdated { reason } => {
                self.refused(OperationState::NotSent, reason.clone(), now);
            }
        }
        true
    }

    /// What of an outcome concerns the ledger: of the record that was answered, its id and what was in the body.
    pub fn concerned(&self, outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Committed { record } => {
                let (id, version) = (record.id.clone(), record.version.clone());
                Outcome::Committed { record: Record { version, ..Record::new(id, self.written(record)) } }
            }
            other => other.clone(),
        }
    }

    /// The outcome of an operation of which is known only that it has arrived: the record holds what was sent.
    pub fn arrived_at(&self, record: &RecordId) -> Outcome {
        let sent = self.writes.iter().flat_map(|write| write.value.clone()).collect();
        Outcome::Committed { record: Record::new(&record.id, sent) }
    }

    /// What a record holds in the fields of the body. The rest of an answer may be somebody's newer edit.
    fn written(&self, record: &Record) -> Fields {
        let names = self.writes.iter().flat_map(|write| write.value.keys());
        names.filter_map(|name| Some((name.clone(), record.fields.get(name)?.clone()))).collect()
    }

    /// The last attempt has changed nothing. What came of those before it, that does not say.
    fn refused(&mut self, state: OperationState, reason: String, now: Timestamp) {
        if self.in_doubt {
            let reason = format!("{reason}; an earlier attempt may have been applied");
            self.end(OperationState::Unknown, Some(reason), now);
        } else {
            self.end(state, Some(reason), now);
        }
    }

    fn end(&mut self, state: OperationState, reason: Option<String>, now: Timestamp) {
        self.state = state;
        self.reason = reason;
        self.ended_at = Some(now);
    }

    /// Marks an operation whose worker died: nobody knows what became of it.
    pub fn orphan(&mut self) {
        self.state = OperationState::Unknown;
        self.reason = Some("the program stopped before the outcome was written".to_owned());
        self.ended_at = None;
    }

    /// Makes a create ready to be sent once more, with the same bytes and the same key.
    ///
    /// Answers whether it may be: not while an answer may still come, nor once it has come, nor twice for one look at
    /// it, nor later than whoever looked could answer for.
    pub fn resend(&mut self, again: &SendAgain, now: Timestamp, start: i64) -> bool {
        let waits = match self.state {
            OperationState::Unknown | OperationState::NotSent => true,
            OperationState::Pending => !self.is_live(now, start),
            _ => false,
        };
        // What has a pair is settled by its pair.
        let free = waits && self.pair.is_none() && self.attempts == again.attempts;
        if !free || again.before.is_some_and(|before| now >= before) {
            return false;
        }
        let unknown = self.state != OperationState::NotSent;
        self.in_doubt = !again.nothing_was_made && (self.in_doubt || unknown);
        self.state = OperationState::Pending;
        self.reason = None;
        self.sent_at = now;
        self.ended_at = None;
        self.attempts += 1;
        self.start = start;
        true
    }

    /// The values the target should hold after it: as answered for the fields in the body, else as sent.
    pub fn values_after(&self) -> Fields {
        let mut after = Fields::new();
        for (name, sent) in self.writes.iter().flat_map(|write| &write.value) {
            let value = match &self.answered {
                Some(answered) => answered.get(name).cloned().unwrap_or(Value::Null),
                None => sent.clone(),
            };
            after.insert(name.clone(), value);
        }
        after
    }

    /// The values the source was seen with.
    pub fn values_seen(&self) -> Fields {
        self.writes.iter().flat_map(|write| write.seen_source.clone()).collect()
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Makes a record.
    Create,
    /// Changes fields of a record.
    Update,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// Committed as an intent; it may be on its way.
    Pending,
    /// Applied, and we know it.
    Committed,
    /// Refused, and we know it.
    Failed,
    /// It may have been applied or may still be. Never guessed.
    Unknown,
    /// Nothing left the machine.
    NotSent,
    /// Both sides were read after its request's life; what they hold has replaced it.
    Superseded,
}

impl OperationState {
    /// Whether the operation still holds its pair or its reservation.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }

    /// The name in the database and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Committed => "committed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotSent => "not-sent",
            Self::Superseded => "superseded",
        }
    }
}

/// One field of an operation: what was seen on both sides and what is sent. Maps are in each system's own names; null
/// stands for no value, so that they always name every field they speak of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldWrite {
    /// The field of the contract.
    pub field: String,
    /// What the side held whose value goes over.
    pub seen_source: Fields,
    /// What the target held; none when it was not read, which is allowed when the source owns the field.
    pub seen_target: Option<Fields>,
    /// What the target shall hold.
    pub value: Fields,
    /// Why.
    pub reason: WriteReason,
}

/// Why a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteReason {
    /// A record is born with all the values the other has.
    Birth,
    /// The owner's side changed.
    OwnerEdit,
    /// The side that does not own the field changed it.
    Violation,
    /// One side of a shared field changed.
    SharedEdit,
    /// Both sides of a shared field changed and the policy decided.
    Merge,
    /// An operation of unknown outcome did not arrive.
    Redo,
    /// The pair was found by inverse id and its sides differ.
    FirstCheck,
}

impl WriteReason {
    /// As a person reads it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Birth => "the record was created with the value the other side had",
            Self::OwnerEdit => "the owner changed it",
            Self::Violation => "the side that does not own it changed it, the owner's value was written back",
            Self::SharedEdit => "one side of a shared field changed",
            Self::Merge => "both sides of a shared field changed, the policy decided",
            Self::Redo => "an earlier write of unknown outcome had not arrived",
            Self::FirstCheck => "the pair was found by inverse id and its sides differed",
        }
    }
}

/// The inverse id an operation carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InverseWrite {
    /// The target's field that keeps it.
    pub field: String,
    /// The other record's id.
    pub id: String,
}

/// Where an operation came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The process.
    pub correlation_id: String,
    /// The topology.
    pub topology: String,
    /// The node.
    pub node: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Create;

    const SENT_AT: Timestamp = Timestamp::from_millis(1_000_000);
    const START: i64 = 3;

    fn pending() -> Operation {
        let create = Create {
            source: RecordId::new(&System::new("crm"), "1"),
            target: System::new("erp"),
            contract: "contact".to_owned(),
            request: Arc::new(Request {
                method: "POST".to_owned(),
                path: "/".to_owned(),
                body: "{}".to_owned(),
                precondition: None,
            }),
            writes: Arc::default(),
            inverse: None,
            deadline: Duration::from_secs(10),
            request_life: Duration::from_secs(60),
            provenance: Provenance::default(),
        };
        create.operation(OperationId("op-1".to_owned()), 1, SENT_AT, START)
    }

    #[test]
    fn an_answer_may_come_for_as_long_as_the_request_may_be_sent_and_its_deadline_lasts() {
        let operation = pending();
        let over = SENT_AT.plus(Duration::from_secs(10)).plus(SEND_WITHIN);

        assert!(operation.is_live(over.minus(Duration::from_millis(1)), START));
        assert!(!operation.is_live(over, START));
        assert!(!operation.is_live(SENT_AT, START + 1), "whoever sent it is dead");
    }

    #[test]
    fn nobody_waits_for_an_operation_that_has_its_outcome() {
        let mut operation = pending();

        operation.settle(1, &Outcome::Unknown { reason: "no answer".to_owned() }, SENT_AT);

        assert!(!operation.is_live(SENT_AT, START));
    }

    #[test]
    fn an_operation_that_waited_too_long_between_its_commit_and_its_send_is_stale() {
        let operation = pending();
        let last = SENT_AT.plus(SEND_WITHIN);

        assert!(!operation.is_stale(SENT_AT));
        assert!(!operation.is_stale(last));
        assert!(operation.is_stale(last.plus(Duration::from_millis(1))));
    }

    #[test]
    fn an_operation_is_shown_by_its_id() {
        assert_eq!(pending().id.to_string(), "op-1");
    }

    #[test]
    fn a_state_has_the_same_name_in_the_database_and_in_what_is_serialized() {
        use OperationState::{Committed, Failed, NotSent, Pending, Superseded, Unknown};
        for state in [Pending, Committed, Failed, Unknown, NotSent, Superseded] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }

    #[test]
    fn a_person_can_tell_every_reason_of_a_write_from_the_others() {
        use WriteReason::{Birth, FirstCheck, Merge, OwnerEdit, Redo, SharedEdit, Violation};
        let reasons = [Birth, OwnerEdit, Violation, SharedEdit, Merge, Redo, FirstCheck];

        let sentences: BTreeSet<_> = reasons.into_iter().map(WriteReason::sentence).collect();

        assert_eq!(sentences.len(), reasons.len());
    }
}
