//! Port: the id mapping and the ledger behind one door.

mod adoption;
mod case;
mod create;
mod echo;
mod update;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::adoption::{Adopted, Adoption};
pub use self::case::{Case, CaseId, CaseKind};
pub use self::create::{Create, Creates, Persisted, Resend, Reserve, SendAgain};
pub use self::echo::{Echo, judge_echo};
pub use self::update::{Begin, Note, NoteKind, Rebase, Update};
use crate::{
    EventFacts, Intent, NodeError, Operation, OperationId, Outcome, Pair, PairId, RecordId, Reservation, Revision,
    System, Timestamp,
};

/// The id mapping and the ledger.
///
/// Every method is one transaction: a reservation, an intent, an outcome and a mapping are written together or not at
/// all, and what a method answers is durable when it returns. Every method may be repeated; a caller that died inside
/// one calls it again and gets an answer that fits what was committed.
#[async_trait]
pub trait PairStore: Send + Sync {
    /// What stands in the mapping for a record. Reads one row.
    async fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError>;

    /// The record's counterpart, if it has one that is in use: what a node needs that carries an id elsewhere.
    async fn counterpart(&self, record: &RecordId, target: &System) -> Result<Option<RecordId>, StoreError> {
        Ok(match self.look(record, target).await? {
            Look::Found(pair) => Some(pair.side(target).record.clone()),
            Look::Missing | Look::Inactive(_) | Look::Pending(_) => None,
        })
    }

    /// What stands there for many records of one system, in their order; for the changed-since poll.
    async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, StoreError>;

    /// Whether an event is our own write coming back. Only the ledger's values decide, never a marker alone.
    async fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError>;

    /// Settles an update whose own event has come: it was applied as it was sent. If its outcome is known by now, nothing
    /// happens.
    async fn arrived(&self, update: &Operation) -> Result<(), StoreError>;

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
    /// one the update supersedes. For as long as it is open it guards the pair; its end, whatever it is, moves the
    /// revision on, so a decision made before it is stale.
    async fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError>;

    /// Commits an outcome. A committed update moves the base of the fields in its body; a committed create keeps its
    /// new id, so that no crash can lose a known answer; a refused create frees its reservation for a new
    /// incarnation; a create that was not sent keeps its reservation.
    async fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError>;

    /// Commits that a create of unknown outcome, or one that was not sent, is sent once more, with the same bytes and
    /// the same key. The caller has made sure, by the target's class, that this cannot make a second record; if what he
    /// saw does not hold any more, the answer is [`Resend::Moved`].
    async fn resend(&self, operation: &OperationId, again: SendAgain) -> Result<Resend, StoreError>;

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

    /// The newest operations on a pair, newest first; of either direction at most so many.
    async fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, StoreError>;

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

/// What stands in the mapping for a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
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

/// What an outcome did to the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// The operation as it stands now. An outcome known before is kept.
    pub operation: Arc<Operation>,
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

/// The store did not answer, or found something it cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store does not answer: {0}")]
pub struct StoreError(pub String);

impl From<StoreError> for NodeError {
    fn from(error: StoreError) -> Self {
        Self::repeat(error.to_string())
    }
}
