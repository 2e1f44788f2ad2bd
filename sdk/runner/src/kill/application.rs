//! The moments around a write that leaves the machine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{
    Application, ChangedPage, Intent, Outcome, Profile, ReadError, Record, RecordId, Request, Timestamp, Write,
};
use serde_json::Value;

use super::{KillAt, Writing, end};

/// A request has left the machine by then, on any network worth a test.
const LEAVES_WITHIN: Duration = Duration::from_millis(5);

pub(super) struct Remote {
    inner: Arc<dyn Application>,
    kill: KillAt,
}

impl Remote {
    pub(super) fn new(inner: Arc<dyn Application>, kill: KillAt) -> Self {
        Self { inner, kill }
    }
}

#[async_trait]
impl Application for Remote {
    fn profile(&self) -> &Profile {
        self.inner.profile()
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        self.inner.render(write)
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.inner.admit().await
    }

    async fn admit_create(&self, source: &RecordId) -> Result<(), ReadError> {
        self.inner.admit_create(source).await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        self.inner.read(id).await
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        self.inner.find(field, value).await
    }

    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        self.inner.glance(field, value, since).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.inner.changed(cursor, page).await
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        let writing = Writing::of(intent.operation());
        if self.kill.comes(writing.sent) {
            // An answer that is faster is heard by nobody either.
            drop(tokio::time::timeout(LEAVES_WITHIN, self.inner.send(intent)).await);
            end();
        }
        let outcome = self.inner.send(intent).await;
        self.kill.pass(writing.answered);
        outcome
    }
}
