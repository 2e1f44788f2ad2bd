//! An intent that nobody had to commit.

use std::sync::Arc;

use crate::{
    Application, Intent, Operation, OperationId, OperationKind, OperationState, Provenance, RecordId, System,
    Timestamp, Write,
};

/// The intent of a write to an application, as a store would answer with it at this moment: for tests of what sends.
///
/// # Panics
///
/// When the application cannot say the write in its own words.
pub fn intent(application: &dyn Application, write: &Write, now: Timestamp) -> Intent {
    let request = application.render(write).expect("the application of a test has words for its writes");
    let (kind, target_id) = match write {
        Write::Create { .. } => (OperationKind::Create, None),
        Write::Update { id, .. } => (OperationKind::Update, Some(id.clone())),
    };
    let profile = application.profile();
    Intent::recorded(Operation {
        id: OperationId("0199-op".to_owned()),
        kind,
        state: OperationState::Pending,
        pair: None,
        contract: "contact".to_owned(),
        source: RecordId::new(&System::new("other"), "1"),
        target: profile.system.clone(),
        target_id,
        request: request.into(),
        key: Some("pairline:key".to_owned()),
        writes: Arc::default(),
        inverse: None,
        answered: None,
        first_sent_at: now,
        sent_at: now,
        ended_at: None,
        deadline: profile.deadline,
        request_life: profile.request_life,
        attempts: 1,
        in_doubt: false,
        start: 1,
        reason: None,
        provenance: Provenance::default(),
    })
}
