//! Port: a remote system, what it can promise, and the one door through which it is written.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fields, Intent, NodeError, Record, RecordId, System, Timestamp};

/// What is known about a remote system that decides how its writes are recovered and its echoes recognized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub system: System,
    /// How a create is recovered whose outcome is unknown.
    pub class: CapabilityClass,
    /// A call is given up this long after its intent was committed.
    pub deadline: Duration,
    /// A request is applied at most this long after it was sent, or never.
    pub request_life: Duration,
    /// A search shows a record at most this long after it was written.
    pub index_lag: Duration,
}

/// What a system offers against a second copy, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub enum CapabilityClass {
    /// A unique field or an upsert by external id: sending again is fenced by the system itself.
    A,
    /// An idempotency key: the same bytes with the same key, until `ttl` less `margin` after its first use.
    B {
        /// How long the system remembers a key.
        ttl: Duration,
        /// How long before that we stop to rely on it.
        margin: Duration,
    },
    /// A lookup by inverse id only: wait until every request has landed or died and the index shows it, then look.
    C,
    /// None of these: what is unknown stays unknown until a person decides.
    D,
}

/// What a node wants written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "kebab-case")]
pub enum Write {
    /// A new record.
    Create {
        /// Its fields, in the target's own names.
        fields: Fields,
    },
    /// Some fields of a record that exists.
    Update {
        /// Which one.
        id: String,
        /// The fields that differ, in the target's own names; null empties one.
        fields: Fields,
        /// The version of the record that was read and decided by, if it was read.
        version: Option<String>,
    },
}

/// A write as it will be sent: rendered before the intent is committed, stored, and sent again verbatim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path and query under the application's base URL.
    pub path: String,
    /// The body.
    pub body: String,
    /// What must be true of the record for the request to be carried out, as the application's precondition says it.
    pub precondition: Option<String>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was applied, and this is what the system answered.
    Committed {
        /// The record as answered.
        record: Record,
    },
    /// The system has this record already and names it.
    Duplicate {
        /// The existing record's id, if the answer tells it.
        id: Option<String>,
    },
    /// The record to be written is not there any more.
    Gone,
    /// It was refused, provably without being applied.
    Failed {
        /// The system's reason, without values of fields.
        reason: String,
    },
    /// Nothing was done: the record is another version by now than the one that was decided by.
    Outdated {
        /// What the system said.
        reason: String,
    },
    /// It may have been applied, or may still be.
    Unknown {
        /// What we saw instead of an answer.
        reason: String,
    },
    /// Nothing was sent.
    NotSent {
        /// Why not.
        reason: String,
        /// When to try again, if known.
        after: Option<Duration>,
    },
}

/// Why a read did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The application is paused: a limit, an outage, an operator. No try is consumed.
    #[error("{reason}")]
    Wait {
        /// Why.
        reason: String,
        /// How long.
        after: Duration,
    },
    /// The answer was no answer; it may be one the next time.
    #[error("{0}")]
    Failed(String),
    /// The request will be refused again.
    #[error("{0}")]
    Refused(String),
}

impl From<ReadError> for NodeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Wait { reason, after } => Self::wait(reason, after),
            ReadError::Failed(reason) => Self::repeat(reason),
            ReadError::Refused(reason) => Self::stop(reason),
        }
    }
}

/// A page of what changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangedPage {
    /// The records, whole.
    pub records: Vec<Record>,
    /// The ids of those among them that are listed as not there any more.
    pub gone: Vec<String>,
    /// Where the listing continues; none: this was the last page of the pass.
    pub next: Option<Value>,
    /// The cursor the next pass starts from, once this page is durable.
    pub cursor: Value,
}

/// A remote system.
///
/// Reads may be repeated freely. Everything that writes goes through [`send`](Self::send), which takes an [`Intent`],
/// and only a store mints one: nothing is written that is not in the ledger first.
#[async_trait]
pub trait Application: Send + Sync {
    /// What the system can promise.
    fn profile(&self) -> &Profile;

    /// The request a write will be. Pure: the same write gives the same bytes.
    ///
    /// # Errors
    ///
    /// One line when the application's description cannot express the write; it will not be able to later either.
    fn render(&self, write: &Write) -> Result<Request, String>;

    /// Waits until the application takes another call, or says how long that will be. Asked before an intent is
    /// committed, because its request's life is counted from then.
    async fn admit(&self) -> Result<(), ReadError>;

    /// The same for a create: waits, too, while the application may hold a counterpart of this record that nobody here
    /// knows of.
    async fn admit_create(&self, source: &RecordId) -> Result<(), ReadError>;

    /// Reads one record; nothing if it is gone (deleted, archived, never there).
    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError>;

    /// The records that hold `value` in `field`. Says nothing about writes younger than the profile's index lag.
    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError>;

    /// The records that hold `value` in `field`, as far as a single request shows those that changed since an instant of
    /// ours. One that is found is there; that none is found says nothing.
    ///
    /// Asked before a create of unknown outcome is sent again, whatever keeps a second record away: a promise may be
    /// wrong, and a record that is seen is no matter of promises. A system that cannot tell by one request shows nothing.
    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError>;

    /// A page of the records changed since a cursor that an earlier page gave; `null` is the beginning of time.
    ///
    /// `page` is the `next` of the page before, within one pass.
    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError>;

    /// Sends what an intent says, once, and tells what became of it. Never sends it a second time by itself.
    ///
    /// A caller that dies here leaves an operation that is recovered as unknown.
    async fn send(&self, intent: &Intent) -> Outcome;
}
