//! What became of an operation, and sending one once more.

use async_trait::async_trait;
use pairline_sdk::{
    Intent, OperationId, OperationKind, OperationState, Outcome, RecordId, Resend, Settled, StoreError,
};

use crate::failure::Failure;
use crate::work::{Needs, Work};
use crate::writer::Command;

pub(super) struct Settle {
    pub(super) operation: OperationId,
    pub(super) outcome: Outcome,
}

#[async_trait]
impl Command for Settle {
    type Answer = Result<Settled, StoreError>;

    fn needs(&self, needs: &mut Needs) {
        needs.operations.push(self.operation.0.clone());
    }

    async fn run(&self, work: &mut Work<'_>) -> Result<Self::Answer, Failure> {
        let Some((mut operation, pair)) = work.operation(&self.operation).await? else {
            return Ok(Err(StoreError(format!("operation {} is not in the ledger", self.operation))));
        };
        if let (Some(known), Outcome::Committed { record }) = (&operation.target_id, &self.outcome)
            && operation.kind == OperationKind::Create
            && *known != record.id
        {
            let of = |id: &str| RecordId::new(&operation.target, id);
            let records = vec![of(&record.id), of(known), operation.source.clone()];
            work.open_copy_case(records, "one create has made two records").await?;
            return Ok(Ok(Settled { operation }));
        }
        if operation.settle(&self.outcome, work.now) {
            let update = operation.kind == OperationKind::Update && operation.state == OperationState::Committed;
            match pair {
                Some(mut pair) if update => {
                    pair.committed(&operation, work.now);
                    work.end_update(&operation, &pair).await?;
                }
                _ => work.save_operation(&operation).await?,
            }
        }
        Ok(Ok(Settled { operation }))
    }
}

pub(super) struct SendAgain {
    pub(super) operation: OperationId,
    pub(super) attempts: u32,
}

#[async_trait]
impl Command for SendAgain {
    type Answer = Resend;

    fn needs(&self, needs: &mut Needs) {
        needs.operations.push(self.operation.0.clone());
    }

    async fn run(&self, work: &mut Work<'_>) -> Result<Resend, Failure> {
        let Some((mut operation, None)) = work.operation(&self.operation).await? else { return Ok(Resend::Moved) };
        let waits = match operation.state {
            OperationState::Unknown | OperationState::NotSent => true,
            OperationState::Pending => !operation.is_live(work.now, work.start),
            _ => false,
        };
        if !waits || operation.attempts != self.attempts {
            return Ok(Resend::Moved);
        }
        operation.resend(work.now, work.start);
        work.save_operation(&operation).await?;
        Ok(Resend::Won(Intent::recorded(operation)))
    }
}
