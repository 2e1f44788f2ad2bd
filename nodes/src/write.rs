//! How a decision becomes a write that survives a crash: intent, send, outcome. One way for every node that updates.

use std::time::Duration;

use pairline_sdk::{
    Begin, FieldWrite, Fields, InverseWrite, NodeError, Note, OperationId, OperationState, Outcome, Pair, Ports,
    Provenance, RecordId, System, Update, Write,
};

/// How long a worker waits for another operation of the same pair, or for a pair that changed under it.
pub(crate) const BUSY_WAIT: Duration = Duration::from_millis(200);

/// How long a write waits that an application did not take, when it does not say itself.
pub(crate) const NOT_SENT_WAIT: Duration = Duration::from_secs(1);

/// One write to one side of a pair.
pub(crate) struct PairWrite<'a> {
    pub(crate) pair: &'a Pair,
    pub(crate) target: &'a System,
    pub(crate) writes: Vec<FieldWrite>,
    pub(crate) inverse: Option<InverseWrite>,
    /// The version of the record that was decided by, if it was read.
    pub(crate) version: Option<String>,
    pub(crate) rebase: Vec<(System, Fields)>,
    pub(crate) supersedes: Option<OperationId>,
    pub(crate) notes: Vec<Note>,
    pub(crate) provenance: Provenance,
}

/// What became of it.
pub(crate) enum Written {
    /// It is there.
    Done,
    /// The record is not there any more.
    Gone(RecordId),
}

/// Commits the intent, sends it, commits the outcome.
///
/// # Errors
///
/// [`NodeError::Repeat`] when the pair is in other hands, or nobody knows what became of the write: the pair is then
/// held until the request can no longer be applied, and both sides are read. [`NodeError::StopAndFail`] when the
/// application refuses it.
pub(crate) async fn write(ports: &Ports, write: PairWrite<'_>) -> Result<Written, NodeError> {
    let application = ports.application(write.target.as_str()).map_err(NodeError::stop)?;
    // The life of the request is counted from the intent, so the wait for a limit comes before it.
    application.admit().await?;
    let mut fields: Fields = write.writes.iter().flat_map(|field| field.value.clone()).collect();
    if let Some(inverse) = &write.inverse {
        fields.insert(inverse.field.clone(), inverse.id.clone().into());
    }
    let record = write.pair.side(write.target).record.clone();
    let request = application.render(&Write::Update { id: record.id.clone(), fields, version: write.version });
    let request = request.map_err(NodeError::stop)?;
    let update = Update {
        pair: write.pair.id,
        target: write.target.clone(),
        request: request.into(),
        writes: write.writes.into(),
        inverse: write.inverse,
        rebase: write.rebase,
        supersedes: write.supersedes,
        notes: write.notes,
        deadline: application.profile().deadline,
        request_life: application.profile().request_life,
        provenance: write.provenance,
    };
    let intent = match ports.store.begin(&update, write.pair.revision).await? {
        Begin::Won(intent) => intent,
        Begin::Busy(operation) => {
            return Err(NodeError::wait(format!("{operation} of the same pair is open"), BUSY_WAIT));
        }
        Begin::Stale => return Err(NodeError::wait(format!("the pair of {record} has changed"), BUSY_WAIT)),
    };
    let outcome = application.send(&intent).await;
    let settled = ports.store.settle(&intent, &outcome).await?;
    match outcome {
        Outcome::Committed { .. } => Ok(Written::Done),
        Outcome::Gone => Ok(Written::Gone(record)),
        Outcome::Failed { reason } => Err(NodeError::stop(reason)),
        Outcome::Duplicate { .. } => {
            Err(NodeError::stop(format!("{} says that {record} would be a duplicate", update.target)))
        }
        Outcome::NotSent { reason, after } => Err(NodeError::wait(reason, after.unwrap_or(NOT_SENT_WAIT))),
        // It is read and decided anew. That counts as a try: a version that never fits is nothing to wait for.
        Outcome::Outdated { reason } => Err(NodeError::repeat(reason)),
        Outcome::Unknown { reason } => {
            debug_assert_ne!(settled.operation.state, OperationState::Pending);
            let wait = settled.operation.quiet_at().since(ports.clock.now());
            let reason = format!("{reason}; nobody knows whether the write was applied");
            Err(NodeError::Repeat { reason, after: Some(wait), counted: true })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pairline_sdk::testing::{Fate, NodeTester, Step};
    use pairline_sdk::{Application, NodeError, System};
    use serde_json::json;

    /// How an update ends whose write this became of.
    fn ends_with(fate: Fate) -> (NodeTester, NodeError) {
        let email = json!({ "email": "a" });
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", email.clone(), email);
        tester.crm.person_edits("crm-1", &json!({ "email": "b" }));
        tester.fate(Step::Send(System::new("erp")), fate);
        let ended = tester.run("update", json!({ "application": "erp" }), tester.seen("crm", "crm-1"));
        (tester, ended.unwrap_err())
    }

    #[test]
    fn what_is_refused_is_given_up() {
        for fate in [Fate::Refused, Fate::Duplicate] {
            let (_, ended) = ends_with(fate);

            assert!(matches!(ended, NodeError::StopAndFail { .. }), "{fate:?}: {ended:?}");
        }
    }

    #[test]
    fn what_was_not_sent_is_tried_again_soon_and_costs_no_try() {
        let (_, ended) = ends_with(Fate::NotSent);

        let NodeError::Repeat { after: Some(wait), counted: false, .. } = ended else { panic!("{ended:?}") };
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn what_may_have_been_applied_is_looked_at_when_it_cannot_be_applied_any_more() {
        for fate in [Fate::LostThere, Fate::LostBack, Fate::Late] {
            let (tester, ended) = ends_with(fate);

            let NodeError::Repeat { after, counted: true, .. } = ended else { panic!("{fate:?}: {ended:?}") };
            assert_eq!(after, Some(tester.erp.profile().request_life), "{fate:?}");
        }
    }
}
