//! The guard at the application port: nothing is written to a field on the system that owns it, no id to another field
//! than the one that is for ids, and no counterpart into the system that the record itself is in.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    Application, ChangedPage, Intent, Operation, OperationKind, Outcome, Profile, ReadError, Record, RecordId, Request,
    SyncContract, Timestamp, Write,
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

    /// Why an operation must not be sent.
    fn forbidden(&self, operation: &Operation) -> Option<String> {
        let Operation { source, target, .. } = operation;
        if !self.contract.covers(target) || !self.contract.covers(&source.system) || source.system == *target {
            return Some(format!("{target} is not where a record of {} has its counterpart", source.system));
        }
        if let Some(inverse) = &operation.inverse
            && self.contract.inverse_field(target) != Some(&inverse.field)
        {
            return Some(format!("`{}` of {target} is not for the other's id", inverse.field));
        }
        if operation.kind == OperationKind::Create {
            return None;
        }
        operation.writes.iter().find_map(|write| match self.contract.field(&write.field) {
            Some(field) if field.owned_by(target) => Some(format!("{target} owns `{}`", write.field)),
            None => Some(format!("the contract does not know `{}`", write.field)),
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
        if let Some(reason) = self.forbidden(intent.operation()) {
            return Outcome::Failed { reason: format!("refused before it was sent: {reason}") };
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
        Clock, FieldWrite, Fields, InverseWrite, OperationId, Pair, PairId, Provenance, RecordId, System, Timestamp,
        Update, WriteReason,
    };

    /// An update of the ERP's record that writes this field, or of any other record and field that a test makes of it.
    fn update_of(field: &str) -> Operation {
        let erp = MemoryApplication::erp(Arc::new(TestClock::default()));
        let records = [RecordId::new(&System::new("crm"), "1"), RecordId::new(&System::new("erp"), "1")];
        let pair = Pair::found(PairId(1), "contact", records.clone(), "test", Timestamp::default());
        let value: Fields = [(field.to_owned(), json!("new"))].into_iter().collect();
        let update = Update {
            pair: pair.id,
            target: System::new("erp"),
            request: Request {
                method: "PATCH".into(),
                path: String::new(),
                body: json!(value).to_string(),
                precondition: None,
            }
            .into(),
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
        update.operation(OperationId("op".into()), &pair, TestClock::default().now(), 1)
    }

    /// What the guard lets through of an operation on the application it writes to.
    fn sent(operation: Operation) -> Outcome {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let target = match operation.target.as_str() {
            "crm" => MemoryApplication::crm(Arc::clone(&clock)),
            _ => MemoryApplication::erp(Arc::clone(&clock)),
        };
        let target = Arc::new(target);
        let record = target.person_creates(&json!({ "vat_id": "V" }));
        let target_id = operation.target_id.is_some().then_some(record.id);
        let inner = Arc::clone(&target) as Arc<dyn Application>;
        let guard = OwnerGuard::new(inner, Arc::new(contact_contract()));
        let before = target.saved();
        let outcome = run_now(guard.send(&Intent::recorded(Operation { target_id, ..operation })));
        let after = target.saved();
        let untouched = (before.writes, before.records.len()) == (after.writes, after.records.len());
        assert_eq!(
            untouched,
            matches!(outcome, Outcome::Failed { .. }),
            "what is refused has not been sent: {outcome:?}"
        );
        outcome
    }

    #[test]
    fn a_field_is_never_written_on_the_system_that_owns_it() {
        assert!(
            matches!(sent(update_of("vat_id")), Outcome::Failed { reason } if reason.contains("erp owns `vat_id`"))
        );
    }

    #[test]
    fn a_field_the_contract_does_not_know_is_never_written() {
        assert!(matches!(sent(update_of("colour")), Outcome::Failed { .. }));
    }

    #[test]
    fn what_the_other_side_owns_or_both_share_goes_through() {
        assert!(matches!(sent(update_of("email")), Outcome::Committed { .. }));
        assert!(matches!(sent(update_of("phone")), Outcome::Committed { .. }));
    }

    fn create_in(target: &str) -> Operation {
        let update = update_of("email");
        Operation { kind: OperationKind::Create, pair: None, target_id: None, target: System::new(target), ..update }
    }

    #[test]
    fn no_counterpart_is_made_where_the_record_itself_is() {
        let refused = sent(create_in("crm"));

        assert!(matches!(&refused, Outcome::Failed { reason } if reason.contains("counterpart")), "{refused:?}");
        assert!(matches!(sent(create_in("erp")), Outcome::Committed { .. }));
    }

    #[test]
    fn the_others_id_goes_into_no_field_but_the_one_that_is_for_it() {
        let carries = |field: &str| {
            let inverse = Some(InverseWrite { field: field.to_owned(), id: "7".to_owned() });
            sent(Operation { writes: vec![].into(), inverse, ..update_of("email") })
        };

        let refused = carries("phone");

        assert!(matches!(&refused, Outcome::Failed { reason } if reason.contains("`phone`")), "{refused:?}");
        assert!(matches!(carries("custom_fields.crm_id"), Outcome::Committed { .. }));
    }
}
