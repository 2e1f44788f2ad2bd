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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{MemoryApplication, TestClock, contact_contract, run_now};
    use crate::{
        Clock, FieldWrite, Fields, OperationId, Pair, PairId, Provenance, RecordId, System, Timestamp, Update,
        WriteReason,
    };

    /// What the guard lets through of an update of the ERP's record that writes this field.
    fn sent(field: &str) -> Outcome {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let erp = Arc::new(MemoryApplication::erp(Arc::clone(&clock)));
        let customer = erp.person_creates(&json!({ "vat_id": "V" }));
        let records = [RecordId::new(&System::new("crm"), "1"), customer.clone()];
        let pair = Pair::found(PairId(1), "contact", records, "test", Timestamp::default());
        let value: Fields = [(field.to_owned(), json!("new"))].into_iter().collect();
        let update = Update {
            pair: pair.id,
            target: customer.system.clone(),
            request: Request { method: "PATCH".into(), path: String::new(), body: json!(value).to_string() }.into(),
            writes: vec![FieldWrite {
                field: field.to_owned(),
                seen_source: Fields::new(),
                seen_target: None,
                value,
                reason: WriteReason::OwnerEdit,
            }]
            .into(),
            inverse: None,
            rebase: vec![],
            supersedes: None,
            notes: vec![],
            deadline: erp.profile().deadline,
            request_life: erp.profile().request_life,
            provenance: Provenance::default(),
        };
        let operation = update.operation(OperationId("op".into()), &pair, clock.now(), 1);
        let inner = Arc::clone(&erp) as Arc<dyn Application>;
        let outcome = run_now(OwnerGuard::new(inner, Arc::new(contact_contract())).send(&Intent::recorded(operation)));
        let untouched = erp.saved().writes == 0;
        assert_eq!(untouched, matches!(outcome, Outcome::Failed { .. }), "what is refused has not been sent");
        outcome
    }

    #[test]
    fn a_field_is_never_written_on_the_system_that_owns_it() {
        assert!(matches!(sent("vat_id"), Outcome::Failed { reason } if reason.contains("erp owns `vat_id`")));
    }

    #[test]
    fn a_field_the_contract_does_not_know_is_never_written() {
        assert!(matches!(sent("colour"), Outcome::Failed { .. }));
    }

    #[test]
    fn what_the_other_side_owns_or_both_share_goes_through() {
        assert!(matches!(sent("email"), Outcome::Committed { .. }));
        assert!(matches!(sent("phone"), Outcome::Committed { .. }));
    }
}
