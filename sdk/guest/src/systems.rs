//! The two systems, outside the sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{
    Application, ChangedPage, Intent, Outcome, Profile, ReadError, Record, RecordId, Request, SyncContract, System,
    Timestamp, Write,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::pairline::node::types::Failure;
use crate::bindings::pairline::node::{applications, writes};

/// The systems of a contract that are granted, to be read.
pub fn readable(contract: &SyncContract) -> BTreeMap<System, Arc<dyn Application>> {
    granted(contract, |reads| Arc::new(HostSystem { reads, writes: Nothing }))
}

/// The systems of a contract that are granted, to be read and written to.
pub fn writable(contract: &SyncContract) -> BTreeMap<System, Arc<dyn Application>> {
    granted(contract, |reads| Arc::new(HostSystem { reads, writes: Writes }))
}

fn granted(contract: &SyncContract, made: fn(Reads) -> Arc<dyn Application>) -> BTreeMap<System, Arc<dyn Application>> {
    let reach = |system: &System| {
        // One that is not granted says so, and is not there.
        let profile: Profile = serde_json::from_str(&applications::profile(system.as_str()).ok()?).ok()?;
        Some((system.clone(), made(Reads { profile })))
    };
    contract.systems().iter().filter_map(reach).collect()
}

/// What the program has said of a system.
struct Reads {
    profile: Profile,
}

impl Reads {
    fn name(&self) -> &str {
        self.profile.system.as_str()
    }
}

fn told<T: DeserializeOwned>(answer: Result<String, Failure>) -> Result<T, ReadError> {
    let text = answer.map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| ReadError::Refused(format!("cannot read what was told: {error}")))
}

fn failed(failure: Failure) -> ReadError {
    match failure.code {
        1 => ReadError::Failed(failure.reason),
        2 => {
            let detail = failure.detail.and_then(|detail| serde_json::from_str::<Value>(&detail).ok());
            let after = detail.as_ref().and_then(|detail| detail.get("after_ms")).and_then(Value::as_u64);
            ReadError::Wait { reason: failure.reason, after: Duration::from_millis(after.unwrap_or(1000)) }
        }
        _ => ReadError::Refused(failure.reason),
    }
}

/// Sends; without an implementation of its own each is refused.
trait Sends: Send + Sync {
    fn render(&self, _system: &str, _write: &Write) -> Result<Request, String> {
        Err("`writes` is not among the ports of this component".to_owned())
    }

    fn send(&self, _intent: &Intent) -> Outcome {
        Outcome::NotSent { reason: "`writes` is not among the ports of this component".to_owned(), after: None }
    }
}

/// None of it.
struct Nothing;

/// The interface `writes`.
struct Writes;

impl Sends for Nothing {}

impl Sends for Writes {
    fn render(&self, system: &str, write: &Write) -> Result<Request, String> {
        let write = serde_json::to_string(write).map_err(|error| error.to_string())?;
        let request = writes::render(system, &write).map_err(|failure| failure.reason)?;
        serde_json::from_str(&request).map_err(|error| error.to_string())
    }

    fn send(&self, intent: &Intent) -> Outcome {
        let answer = writes::send(&intent.operation().id.0);
        let read = |text: String| serde_json::from_str(&text).map_err(|error| error.to_string());
        match answer.map_err(|failure| failure.reason).and_then(read) {
            Ok(outcome) => outcome,
            Err(reason) => Outcome::NotSent { reason, after: None },
        }
    }
}

/// A system, as far as it is a port of this component.
struct HostSystem<W> {
    reads: Reads,
    writes: W,
}

#[async_trait]
impl<W: Sends> Application for HostSystem<W> {
    fn profile(&self) -> &Profile {
        &self.reads.profile
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        self.writes.render(self.reads.name(), write)
    }

    async fn admit(&self) -> Result<(), ReadError> {
        applications::admit(self.reads.name()).map_err(failed)
    }

    async fn admit_create(&self, source: &RecordId) -> Result<(), ReadError> {
        applications::admit_create(self.reads.name(), source.system.as_str(), &source.id).map_err(failed)
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        told(applications::read(self.reads.name(), id))
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        told(applications::find(self.reads.name(), field, value))
    }

    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        told(applications::glance(self.reads.name(), field, value, since.as_millis()))
    }

    async fn changed(&self, _: &Value, _: Option<&Value>) -> Result<ChangedPage, ReadError> {
        Err(ReadError::Refused("the program asks what has changed, and no component".to_owned()))
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        self.writes.send(intent)
    }
}
