//! Port: what carries hints to lanes and brings them back.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fields, OperationId, RecordId, System, Timestamp};

/// The engine did not take or give something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It cannot write durably now: the disk is full, the database is locked. The sender shall try again.
    #[error("the inbox cannot take anything now: {0}")]
    Unavailable(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
}

impl EngineError {
    /// There is nothing to decide about in the trash under this number; `decided` is the state of what is there.
    pub fn not_in_the_trash(item: TrashId, decided: Option<TrashState>) -> Self {
        let number = item.0;
        Self::NotFound(match decided {
            None => format!("nothing in the trash has the number {number}"),
            Some(state) => format!("trash {number} was {} before", state.name()),
        })
    }
}

/// What an event says has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A record is new.
    Created,
    /// A record changed.
    Updated,
    /// A record is gone.
    Deleted,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Deleted];

    /// The name in the database, in texts and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// What an event claims. Evidence for the echo filter; never a value to be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFacts {
    /// What happened.
    pub kind: EventKind,
    /// Our operation id, when the system gives it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// Whether the event names our own client as the actor.
    #[serde(default)]
    pub ours: bool,
    /// The new values, when the event carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Fields>,
    /// The names of the fields that changed, when the event carries them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Whether the system may tell of several writes by one event. Then an operation that is named has arrived, and
    /// somebody may have edited the record besides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_several: bool,
}

impl EventFacts {
    /// That this has happened, and nothing more.
    pub fn of(kind: EventKind) -> Self {
        Self { kind, operation: None, ours: false, values: None, fields: Vec::new(), of_several: false }
    }

    /// Whether the event names our own hand in any way. If not, it is somebody's edit, whatever the ledger holds.
    pub fn may_be_ours(&self) -> bool {
        self.ours || self.operation.is_some()
    }
}

/// Something that has happened, on its way in.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The record it is about.
    pub record: RecordId,
    /// The event's own key; the same key of the same record is taken once. None: a hint of our own.
    pub event_key: Option<String>,
    /// What the event claims.
    pub facts: Option<EventFacts>,
    /// Whether a topology has ended at the door, with its first node: the event is taken once like any other, and makes
    /// no hint.
    pub settled: bool,
}

impl Arrival {
    /// An event of a system.
    pub fn event(record: RecordId, key: impl Into<String>, facts: EventFacts) -> Self {
        Self { record, event_key: Some(key.into()), facts: Some(facts), settled: false }
    }

    /// A hint of our own: look at this record.
    pub fn look_at(record: RecordId) -> Self {
        Self { record, event_key: None, facts: None, settled: false }
    }

    /// Of which fields it brings news, as [`Hint::received`] has it: `*` when it does not say.
    pub fn received(&self, now: Timestamp) -> BTreeMap<&str, Timestamp> {
        let updated = self.facts.as_ref().filter(|facts| facts.kind == EventKind::Updated);
        let mut names: BTreeMap<&str, Timestamp> = updated
            .into_iter()
            .flat_map(|facts| {
                let valued = facts.values.iter().flat_map(|values| values.keys());
                facts.fields.iter().chain(valued).map(|name| (name.as_str(), now))
            })
            .collect();
        if names.is_empty() {
            names.insert("*", now);
        }
        names
    }
}

/// A delivery on its way in: all of it is durable when the engine has taken it, or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// What has happened.
    pub arrivals: Vec<Arrival>,
    /// Where the changed-since listing of a system goes on, committed together with what it found.
    pub cursor: Option<(System, Value)>,
    /// Parts that cannot be understood; they go to the trash.
    pub unreadable: Vec<Unreadable>,
}

/// A part of a delivery that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Who sent it.
    pub system: System,
    /// Why it cannot be understood.
    pub reason: String,
    /// It, as text.
    pub body: String,
}

/// What was taken of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Arrivals that were new.
    pub accepted: u64,
    /// Arrivals that were known already.
    pub duplicates: u64,
}

/// A hint: look at this record. There is at most one waiting per record; more of them become one.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// Its number, in the order of arrival.
    pub id: i64,
    /// The record to look at.
    pub record: RecordId,
    /// What the one event behind it claims; none when it was merged from several or comes from no event.
    pub facts: Option<EventFacts>,
    /// When news of each field last reached us, by the system's own field name; `*` stands for all of them.
    pub received: BTreeMap<String, Timestamp>,
    /// The same for the other records that wait in this lane.
    pub others: BTreeMap<RecordId, BTreeMap<String, Timestamp>>,
    /// When the oldest event behind it reached us.
    pub since: Timestamp,
    /// How often it was tried.
    pub hops: u32,
    /// Names the process for logs and the ledger.
    pub correlation_id: String,
}

/// What became of a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is finished.
    Done,
    /// The record is to be looked at again.
    Again {
        /// When.
        at: Timestamp,
        /// Why, for the operator.
        reason: String,
        /// Whether this counts as a try.
        counted: bool,
    },
    /// It cannot be delivered.
    Trash {
        /// Why.
        reason: String,
        /// The topology that failed.
        topology: String,
        /// The node that failed.
        node: String,
    },
}

/// Does the work of one hint.
#[async_trait]
pub trait Worker: Send + Sync {
    /// Walks the record's topology from its start.
    async fn work(&self, hint: Hint) -> Disposition;
}

/// What an operator, or the program itself, asks of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Hand out no hints of these systems until they are resumed. Survives a restart. Ingest goes on.
    Pause {
        /// Whose hints.
        systems: Vec<System>,
        /// Why, for `status`.
        reason: String,
    },
    /// Hand them out again.
    Resume {
        /// Whose hints.
        systems: Vec<System>,
    },
    /// Put a trashed record back as a hint; it is read afresh, so nothing old is written.
    Approve(TrashId),
    /// Drop it from the trash; the row stays, marked rejected.
    Reject(TrashId),
    /// Hand out no more hints, wait for those at work, and let [`Engine::run`] return.
    Stop,
}

/// Names something in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrashId(pub i64);

/// Something that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrashItem {
    /// Its number.
    pub id: TrashId,
    /// The record, if one could be read.
    pub record: Option<RecordId>,
    /// The system it came from.
    pub system: System,
    /// The topology that failed.
    pub topology: String,
    /// The node that failed.
    pub node: String,
    /// Why.
    pub reason: String,
    /// How often the same has happened to this record.
    pub count: u64,
    /// When it last happened.
    pub at: Timestamp,
    /// What could not be understood, as text; nothing for a record, which is read afresh.
    pub body: Option<String>,
    /// What a person decided about it.
    pub state: TrashState,
    /// When.
    pub decided_at: Option<Timestamp>,
}

/// What a person decided about something in the trash. It stays there in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrashState {
    /// Nothing yet.
    Open,
    /// Its record was put back as a hint.
    Approved,
    /// It is left undelivered.
    Rejected,
}

impl TrashState {
    /// The name in the database and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// One event in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InboxEvent {
    /// Its key within its application.
    pub key: String,
    /// What it claimed had happened.
    pub kind: Option<EventKind>,
    /// When it was taken.
    pub received_at: Timestamp,
}

/// A hint that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingHint {
    /// The record.
    pub record: RecordId,
    /// Not before.
    pub ready_at: Timestamp,
    /// Since when it has been waiting.
    pub since: Timestamp,
    /// How often it was tried.
    pub hops: u32,
    /// Why it waits, after a try.
    pub reason: Option<String>,
}

/// What can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListQuery {
    /// What is open in the trash, newest first.
    Trash,
    /// One item of the trash, decided or not.
    TrashItem(TrashId),
    /// What has come to the trash of one record, decided or not, newest first.
    TrashOf(RecordId),
    /// Waiting hints, oldest first.
    Waiting,
    /// The waiting hint of one record.
    WaitingOf(RecordId),
    /// The inbox's events about one record, oldest first; of more than the limit, the newest.
    Events(RecordId),
}

/// The answer to a [`ListQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The trash.
    Trash(Vec<TrashItem>),
    /// Waiting hints.
    Waiting(Vec<WaitingHint>),
    /// Events.
    Events(Vec<InboxEvent>),
}

/// Whoever asked knows what kind of answer to expect; one of another kind is given back as it is.
impl Listed {
    /// The trash.
    pub fn into_trash(self) -> Result<Vec<TrashItem>, Self> {
        match self {
            Self::Trash(items) => Ok(items),
            other => Err(other),
        }
    }

    /// Waiting hints.
    pub fn into_waiting(self) -> Result<Vec<WaitingHint>, Self> {
        match self {
            Self::Waiting(hints) => Ok(hints),
            other => Err(other),
        }
    }

    /// Events.
    pub fn into_events(self) -> Result<Vec<InboxEvent>, Self> {
        match self {
            Self::Events(events) => Ok(events),
            other => Err(other),
        }
    }
}

/// How an engine is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Health {
    /// Hints that wait, those at work included.
    pub waiting: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// What is in the trash.
    pub trash: u64,
    /// Systems that are paused, with the reason.
    pub paused: Vec<(System, String)>,
}

/// Carries hints to lanes.
///
/// What it promises: a delivery is durable when [`enqueue`](Self::enqueue) returns; an event key is taken once; hints
/// of one lane are handed out one at a time, oldest first; a hint is finished only after its worker's answer is
/// durable, so a crash hands it out again. What it does not promise: that a hint is handed out only once. Nodes stay
/// safe without it.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Takes a delivery. Durable when it returns.
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError>;

    /// Where the changed-since listing of a system goes on; null before the first pass.
    async fn cursor(&self, system: &System) -> Result<Value, EngineError>;

    /// Forgets the cursors, so that every record is looked at again.
    async fn rewind(&self) -> Result<(), EngineError>;

    /// Hands out hints, at most `parallel` at once, until [`Control::Stop`].
    async fn run(&self, worker: Arc<dyn Worker>, parallel: usize) -> Result<(), EngineError>;

    /// Pauses, resumes, approves, rejects, stops.
    async fn control(&self, control: Control) -> Result<(), EngineError>;

    /// Lists at most `limit` of something.
    async fn list(&self, query: ListQuery, limit: usize) -> Result<Listed, EngineError>;

    /// How it is doing.
    async fn health(&self) -> Result<Health, EngineError>;

    /// Whether a delivery could be kept now: writes a line of its own, durably.
    async fn probe(&self) -> Result<(), EngineError>;

    /// Deletes event keys taken before an instant, at most `limit`. Answers how many.
    async fn prune(&self, received_before: Timestamp, limit: usize) -> Result<u64, EngineError>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_of_event_is_called_the_same_everywhere() {
        for kind in EventKind::ALL {
            assert_eq!(json!(kind), kind.name());
        }
    }
}
