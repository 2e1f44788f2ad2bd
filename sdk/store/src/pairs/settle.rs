//! What became of an operation, and sending one once more.

use std::sync::Arc;

use pairline_sdk::{
    Intent, OperationId, OperationKind, OperationState, Outcome, PairId, RecordId, Resend, Settled, StoreError,
};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Settle {
    pub(super) operation: OperationId,
    /// Of an update.
    pub(super) pair: Option<PairId>,
    pub(super) outcome: Outcome,
}

impl Command for Settle {
    type Answer = Result<Settled, StoreError>;

    fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure> {
        let Some(mut operation) = work.operation(&self.operation, self.pair)? else {
            return Ok(Err(StoreError(format!("operation {} is not in the ledger", self.operation))));
        };
        if let (Some(known), Outcome::Committed { record }) = (&operation.target_id, &self.outcome)
            && operation.kind == OperationKind::Create
            && *known != record.id
        {
            let of = |id: &str| RecordId::new(&operation.target, id);
            let records = vec![of(&record.id), of(known), operation.source.clone()];
            work.open_copy_case(records, "one create has made two records")?;
            return Ok(Ok(Settled { operation }));
        }
        if Arc::make_mut(&mut operation).settle(&self.outcome, work.now) {
            work.save_operation(&operation)?;
            if let (OperationKind::Update, false, Some(pair)) =
                (operation.kind, operation.state.is_open(), operation.pair)
            {
                let now = work.now;
                work.change_pair(pair, |pair| pair.ended(&operation, now))?;
            }
        }
        Ok(Ok(Settled { operation }))
    }
}

pub(super) struct SendAgain {
    pub(super) operation: OperationId,
    pub(super) attempts: u32,
}

impl Command for SendAgain {
    type Answer = Resend;

    fn run(&self, work: &mut Work<'_>) -> Result<Resend, Failure> {
        let Some(mut operation) = work.operation(&self.operation, None)? else { return Ok(Resend::Moved) };
        // What has a pair is settled by its pair.
        if operation.pair.is_some() {
            return Ok(Resend::Moved);
        }
        let waits = match operation.state {
            OperationState::Unknown | OperationState::NotSent => true,
            OperationState::Pending => !operation.is_live(work.now, work.start),
            _ => false,
        };
        if !waits || operation.attempts != self.attempts {
            return Ok(Resend::Moved);
        }
        Arc::make_mut(&mut operation).resend(work.now, work.start);
        work.save_operation(&operation)?;
        Ok(Resend::Won(Intent::recorded(operation)))
    }
}
