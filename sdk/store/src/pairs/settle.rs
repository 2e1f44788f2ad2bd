//! What became of an operation, and sending one once more.

use std::sync::Arc;

use pairline_sdk::{
    Intent, Operation, OperationId, OperationKind, Outcome, PairId, RecordId, Resend, SendAgain, Settled, StoreError,
};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Settle {
    operation: OperationId,
    /// Of an update.
    pair: Option<PairId>,
    /// Which attempt it is the outcome of.
    attempt: u32,
    outcome: Outcome,
}

impl Settle {
    /// What became of an operation as it was sent.
    pub(super) fn of(sent: &Operation, outcome: Outcome) -> Self {
        Self { operation: sent.id.clone(), pair: sent.pair, attempt: sent.attempts, outcome }
    }
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
        if Arc::make_mut(&mut operation).settle(self.attempt, &self.outcome, work.now) {
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

pub(super) struct Resending {
    pub(super) operation: OperationId,
    pub(super) again: SendAgain,
}

impl Command for Resending {
    type Answer = Resend;

    fn run(&self, work: &mut Work<'_>) -> Result<Resend, Failure> {
        let Some(mut operation) = work.operation(&self.operation, None)? else { return Ok(Resend::Moved) };
        if !Arc::make_mut(&mut operation).resend(&self.again, work.now, work.start) {
            return Ok(Resend::Moved);
        }
        work.save_operation(&operation)?;
        Ok(Resend::Won(Intent::recorded(operation)))
    }
}
