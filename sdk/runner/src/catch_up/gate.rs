//! The gate at the application port: no counterpart is created that may be there already.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{
    Application, ChangedPage, Clock, Intent, Look, Outcome, PairStore, Profile, ReadError, Record, RecordId, Request,
    Timestamp, Write,
};
use serde_json::Value;

use super::{CatchUp, Standing};

/// How soon it is worth another look, while the first pass goes on.
const SOON: Duration = Duration::from_millis(250);

/// The same while the record that names the source is looked at.
const LATER: Duration = Duration::from_secs(1);

/// An application behind the gate.
pub(crate) struct Gate {
    pub(crate) inner: Arc<dyn Application>,
    pub(crate) catch_up: Arc<CatchUp>,
    pub(crate) store: Arc<dyn PairStore>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Application for Gate {
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
        let target = &self.profile().system;
        match self.catch_up.standing(source, target, self.clock.now()) {
            Standing::Clear => {}
            Standing::Behind => {
                let reason = format!("{target} is still being asked what has changed since the last stop");
                return Err(ReadError::Wait { reason, after: SOON });
            }
            Standing::NamedBy(record) => {
                let look = self.store.look(&record, &source.system).await;
                match look.map_err(|error| ReadError::Failed(error.to_string()))? {
                    Look::Missing | Look::Pending(_) => {
                        let reason = format!("{record} names {source} already, and is in no pair");
                        return Err(ReadError::Wait { reason, after: LATER });
                    }
                    Look::Found(_) | Look::Inactive(_) => self.catch_up.forgets(source),
                }
            }
        }
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
        self.inner.send(intent).await
    }
}
