//! The guard at the application port: nothing is written to a field on the system that owns it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    Application, ChangedPage, Intent, Operation, OperationKind, Outcome, Profile, ReadError, Record, Request,
    SyncContract, Write,
};

/// An application behind the owner guard.
///
/// It checks in production too, because the rule it keeps is the one a wrong node, a wrong topology or a wrong plugin
/// would break.
pub struct OwnerGuard {
    inner: Arc<dyn Application>,
    contract: Arc<SyncContract>,
}

impl OwnerGuard {
    /// Puts the guard before an application.
    pub fn new(inner: Arc<dyn Application>, contract: Arc<SyncContract>) -> Self {
        Self { inner, contract }
    }

    /// The first field an operation must not write.
    fn forbidden(&self, operation: &Operation) -> Option<String> {
        if operation.kind == OperationKind::Create {
            return None;
        }
        operation.writes.iter().find_map(|write| match self.contract.field(&write.field) {
            Some(field) if field.owned_by(&operation.target) => Some(format!("`{}`", write.field)),
            None => Some(format!("`{}`, which the contract does not know", write.field)),
            Some(_) => None,
        })
    }
}

#[async_trait]
impl Application for OwnerGuard {
    fn profile(&self) -> &Profile {
        self.inner.profile()
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        self.inner.render(write)
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.inner.admit().await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        self.inner.read(id).await
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        self.inner.find(field, value).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.inner.changed(cursor, page).await
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        let operation = intent.operation();
        if let Some(field) = self.forbidden(operation) {
            return Outcome::Failed {
                reason: format!("refused before it was sent: {} owns {field}", operation.target),
            };
        }
        self.inner.send(intent).await
    }
}
