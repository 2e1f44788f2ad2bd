//! Port: the id mapping and the ledger behind one door.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    EventFacts, FieldWrite, Fields, Intent, InverseWrite, NodeError, Operation, OperationId, OperationKind,
    OperationState, Outcome, Pair, PairId, Provenance, Record, RecordId, Request, Reservation, Revision, System,
    Timestamp,
};

/// The store did not answer, or found something it cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store does not answer: {0}")]
pub struct StoreError(pub String);

impl From<StoreError> for NodeError {
    fn from(error: StoreError) -> Self {
        Self::repeat(error.to_string())
    }
}

/// What stands in the mapping for a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// It has a counterpart.
    Found(Arc<Pair>),
    /// Nothing is known of it. The first event for a record finds this; that is what creates its counterpart.
    Missing,
    /// It had one, or was to get one, and a record is gone: nothing is created for it again.
    Inactive(Option<Arc<Pair>>),
    /// Its counterpart is being created, or nobody knows whether it was.
    Pending(Box<Reservation>),
}

/// A create to be reserved.
#[derive(Clone, Debug, PartialEq)]
pub struct Create {
    /// The record that needs a counterpart.
    pub source: RecordId,
    /// Where.
    pub target: System,
    /// The contract.
    pub contract: String,
    /// The request, as it will be sent and sent again.
    pub request: Request,
    /// Every value in the body.
    pub writes: Vec<FieldWrite>,
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
            request: self.request.clone(),
            key: Some(Reservation::key(&self.source, &self.target, incarnation)),
            writes: self.writes.clone(),
            inverse: self.inverse.clone(),
            answered: None,
            first_sent_at: now,
            sent_at: now,
            ended_at: None,
            deadline: self.deadline,
            request_life: self.request_life,
            attempts: 1,
            start,
            reason: None,
            provenance: self.provenance.clone(),
        }
    }
}

/// The answer to a reservation.
#[derive(Clone, Debug, PartialEq)]
pub enum Reserve {
    /// The reservation and its intent are committed: send it.
    Won(Intent),
    /// Somebody was first; this is what stands there.
    Taken(Look),
    /// Creates are held back until an operator allows them.
    Held(String),
}

/// An update to be begun.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The pair.
    pub pair: PairId,
    /// The side that is written.
    pub target: System,
    /// The request.
    pub request: Request,
    /// Per field what was seen and what is sent.
    pub writes: Vec<FieldWrite>,
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
            request: self.request.clone(),
            key: None,
            writes: self.writes.clone(),
            inverse: self.inverse.clone(),
            answered: None,
            first_sent_at: now,
            sent_at: now,
            ended_at: None,
            deadline: self.deadline,
            request_life: self.request_life,
            attempts: 1,
            start,
            reason: None,
            provenance: self.provenance.clone(),
        }
    }
}

/// The answer to the begin of an update.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// The intent is committed: send it.
    Won(Intent),
    /// Another operation of the pair is open: look again later.
    Busy(OperationId),
    /// The pair has changed since it was read: look again.
    Stale,
}

/// What agreed without a write.
#[derive(Clone, Debug, PartialEq)]
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

/// What an outcome did to the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The operation as it stands now. An outcome known before is kept.
    pub operation: Arc<Operation>,
}

/// The answer to a request to send a create once more.
#[derive(Clone, Debug, PartialEq)]
pub enum Resend {
    /// It is committed as pending again: send it.
    Won(Intent),
    /// It is under way, or its state has changed: look again.
    Moved,
}

/// What `persist` recorded.
#[derive(Clone, Debug, PartialEq)]
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

/// A record that carries the id of a source record, which has no pair with it yet.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
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

/// Whether a hint is our own write coming back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It is: drop it.
    Own,
    /// It belongs to a create that is under way; its answer will tell.
    UnderWay,
    /// It is not known to be: read the record.
    Foreign,
}

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

/// What the store holds, for metrics and `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreCounts {
    /// Pairs in use.
    pub pairs_active: u64,
    /// Pairs with a record gone.
    pub pairs_inactive: u64,
    /// Pairs whose inverse id is not on both sides yet.
    pub inverse_pending: u64,
    /// Creates that are reserved and not mapped.
    pub reservations_open: u64,
    /// When the oldest of those was first sent.
    pub reservation_oldest: Option<Timestamp>,
    /// Operations nobody knows the outcome of.
    pub operations_unknown: u64,
    /// Open cases.
    pub cases_open: u64,
}

/// Everything that is known about one record, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct History {
    /// Its pair.
    pub pair: Option<Pair>,
    /// Its open reservation.
    pub reservation: Option<Reservation>,
    /// The operations of its pair and its create.
    pub operations: Vec<Operation>,
    /// Decisions against an edit.
    pub notes: Vec<(Timestamp, Note)>,
    /// Open and closed cases that name it.
    pub cases: Vec<Case>,
}

/// The id mapping and the ledger.
///
/// Every method is one transaction: a reservation, an intent, an outcome and a mapping are written together or not at
/// all, and what a method answers is durable when it returns. Every method may be repeated; a caller that died inside
/// one calls it again and gets an answer that fits what was committed.
#[async_trait]
pub trait PairStore: Send + Sync {
    /// What stands in the mapping for a record. Reads one row.
    async fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError>;

    /// What stands there for many records of one system, in their order; for the changed-since poll.
    async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, StoreError>;

    /// Whether an event is our own write coming back. Only the ledger's values decide, never a marker alone.
    async fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError>;

    /// Settles a record that carries an inverse id and has no pair.
    ///
    /// An open create of the named record is completed with it: the create's own answer may be lost, late, or on its
    /// way, and agrees with this one.
    async fn adopt(&self, adoption: &Adoption) -> Result<Adopted, StoreError>;

    /// Reserves a create and commits its intent, in one transaction, before anything leaves the machine.
    ///
    /// A crash before the commit leaves nothing; a crash after it leaves an operation that recovery finds. A second
    /// caller gets [`Reserve::Taken`], however close behind it is.
    async fn reserve(&self, create: &Create) -> Result<Reserve, StoreError>;

    /// Commits the intent of an update. The pair must still be at `revision`, and must have no open operation but the
    /// one the update supersedes.
    async fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError>;

    /// Commits an outcome. A committed update moves the base of the fields in its body; a committed create keeps its
    /// new id, so that no crash can lose a known answer; a refused create frees its reservation for a new
    /// incarnation; a create that was not sent keeps its reservation.
    async fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError>;

    /// Commits that a create of unknown outcome, or one that was not sent, is sent once more, with the same bytes and
    /// the same key. The caller has made sure, by the target's class, that this cannot make a second record.
    ///
    /// `attempts` is how often the caller saw it sent; if somebody else was faster, the answer is [`Resend::Moved`].
    async fn resend(&self, operation: &OperationId, attempts: u32) -> Result<Resend, StoreError>;

    /// Writes the pair that a committed create has made: two mirrored rows, the base, and the inverse id still to be
    /// written on the other side. A key already taken is an answer, not an error.
    async fn persist(&self, operation: &OperationId) -> Result<Persisted, StoreError>;

    /// Takes what was read as agreed. Answers false when the pair has changed since it was read.
    async fn rebase(&self, rebase: &Rebase) -> Result<bool, StoreError>;

    /// Marks a record as gone: its pair becomes inactive, its open reservation creates nothing any more. The rows
    /// stay. Answers the pair, if there was one.
    async fn deactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError>;

    /// Marks a pair as in use again, because the record that was gone is back.
    async fn reactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError>;

    /// Opens a case, or answers the open one that asks the same about the same records.
    async fn open_case(&self, case: &Case) -> Result<CaseId, StoreError>;

    /// Open cases, oldest first.
    async fn cases(&self, limit: usize) -> Result<Vec<Case>, StoreError>;

    /// Closes a case. Answers false when there is no such open case.
    async fn close_case(&self, case: CaseId) -> Result<bool, StoreError>;

    /// One record's whole story.
    async fn history(&self, record: &RecordId) -> Result<History, StoreError>;

    /// Pairs, in the order they were made, after one of them.
    async fn pairs(&self, after: Option<PairId>, limit: usize) -> Result<Vec<Pair>, StoreError>;

    /// Marks every operation that an earlier start left pending as unknown, and names the records that must be looked
    /// at again because of an open operation. Called once, before the first message.
    async fn recover(&self) -> Result<Vec<RecordId>, StoreError>;

    /// Whether counterparts may be created.
    async fn creates(&self) -> Result<Creates, StoreError>;

    /// Decides whether counterparts may be created.
    async fn set_creates(&self, creates: &Creates) -> Result<(), StoreError>;

    /// What the store holds.
    async fn counts(&self) -> Result<StoreCounts, StoreError>;

    /// Deletes operations that ended before an instant, in batches of at most `limit`. Mappings, cases and the newest
    /// operation on each record are never deleted. Answers how many.
    async fn prune(&self, ended_before: Timestamp, limit: usize) -> Result<u64, StoreError>;
}

/// Decides what an event is from what stands in the mapping and the ledger: the rules (a) and (b) of the echo filter.
///
/// `create` is the create that the event's operation id names, when there is one and no pair yet.
pub fn judge_echo(look: &Look, record: &RecordId, facts: &EventFacts, create: Option<&Operation>) -> Echo {
    let Look::Found(pair) = look else {
        let under_way = create.is_some_and(|create| {
            matches!(create.state, OperationState::Pending | OperationState::Committed)
                && create.target == record.system
        });
        return if under_way { Echo::UnderWay } else { Echo::Foreign };
    };
    let side = pair.side(&record.system);
    // (a) The event names the newest operation on this record, in a system that fires one event per write.
    if let Some(operation) = &facts.operation {
        return if side.newest.as_ref() == Some(operation) { Echo::Own } else { Echo::Foreign };
    }
    if !facts.ours || pair.open.is_some() {
        return Echo::Foreign;
    }
    match facts.kind {
        // A record is created once; if we created it, this is that.
        crate::EventKind::Created if side.created_by_us => Echo::Own,
        // (b) Our own hand, nothing of the pair under way, and each value is what we last left there.
        crate::EventKind::Updated => match &facts.values {
            Some(values)
                if !values.is_empty() && values.iter().all(|(name, value)| left_there(pair, record, name, value)) =>
            {
                Echo::Own
            }
            _ => Echo::Foreign,
        },
        _ => Echo::Foreign,
    }
}

fn left_there(pair: &Pair, record: &RecordId, name: &str, value: &Value) -> bool {
    let side = pair.side(&record.system);
    let same = |left: &Value, right: &Value| match (left, right) {
        (Value::String(left), Value::String(right)) => left == right,
        (Value::String(text), Value::Number(number)) | (Value::Number(number), Value::String(text)) => {
            number.to_string().as_str() == text
        }
        (left, right) => left == right,
    };
    match side.base.get(name) {
        Some(base) => same(base, value),
        // The inverse id is in no base: it is the other record's id.
        None => {
            let other = Value::String(pair.other(&record.system).record.id.clone());
            (side.inverse_written && same(&other, value)) || crate::record::is_empty(value)
        }
    }
}
