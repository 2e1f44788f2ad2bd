//! The id mapping and the ledger. Reads go to connections of their own, writes are commands for the one writer.

mod activity;
mod adopt;
mod begin;
mod cases;
mod persist;
mod prune;
mod recover;
mod reserve;
mod settle;

use async_trait::async_trait;
use pairline_sdk::{
    Adopted, Adoption, Begin, Case, CaseId, Create, Creates, Echo, EventFacts, History, Intent, Look, Operation,
    OperationId, Outcome, Pair, PairId, PairStore, Persisted, Rebase, RecordId, Resend, Reserve, Revision, SendAgain,
    Settled, StoreCounts, StoreError, System, Timestamp, Update, judge_echo,
};

use crate::reads::Reads;
use crate::writer::Writer;

/// A [`PairStore`] on SQLite.
pub struct SqlitePairs {
    writer: Writer,
    reads: Reads,
    prune: prune::Place,
}

impl SqlitePairs {
    pub(crate) fn new(writer: Writer, reads: Reads) -> Self {
        Self { writer, reads, prune: prune::Place::default() }
    }
}

#[async_trait]
impl PairStore for SqlitePairs {
    async fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError> {
        Ok(self.reads.look(record, target).await?)
    }

    async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, StoreError> {
        Ok(self.reads.look_many(records, target).await?)
    }

    async fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError> {
        let (look, create) = self.reads.evidence(record, facts).await?;
        Ok(judge_echo(&look, record, facts, create.as_ref()))
    }

    async fn arrived(&self, update: &Operation) -> Result<(), StoreError> {
        match update.target_record() {
            Some(record) => self.writer.ask(settle::Settle::of(update, update.arrived_at(&record))).await?.map(drop),
            None => Ok(()),
        }
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<Adopted, StoreError> {
        Ok(self.writer.ask(adopt::Adopt(adoption.clone())).await?)
    }

    async fn reserve(&self, create: &Create) -> Result<Reserve, StoreError> {
        Ok(self.writer.ask(reserve::ReserveCreate(create.clone())).await?)
    }

    async fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError> {
        Ok(self.writer.ask(begin::BeginUpdate { update: update.clone(), revision }).await?)
    }

    async fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError> {
        let operation = intent.operation();
        self.writer.ask(settle::Settle::of(operation, operation.concerned(outcome))).await?
    }

    async fn resend(&self, operation: &OperationId, again: SendAgain) -> Result<Resend, StoreError> {
        Ok(self.writer.ask(settle::Resending { operation: operation.clone(), again }).await?)
    }

    async fn persist(&self, operation: &OperationId) -> Result<Persisted, StoreError> {
        Ok(self.writer.ask(persist::Persist(operation.clone())).await?)
    }

    async fn rebase(&self, rebase: &Rebase) -> Result<bool, StoreError> {
        Ok(self.writer.ask(begin::TakeAsAgreed(rebase.clone())).await?)
    }

    async fn deactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        Ok(self.writer.ask(activity::Deactivate(record.clone())).await?)
    }

    async fn reactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        Ok(self.writer.ask(activity::Reactivate(record.clone())).await?)
    }

    async fn open_case(&self, case: &Case) -> Result<CaseId, StoreError> {
        Ok(self.writer.ask(cases::Open(case.clone())).await?)
    }

    async fn cases(&self, limit: usize) -> Result<Vec<Case>, StoreError> {
        Ok(self.reads.cases(limit).await?)
    }

    async fn close_case(&self, case: CaseId) -> Result<bool, StoreError> {
        Ok(self.writer.ask(cases::Close(case)).await?)
    }

    async fn history(&self, record: &RecordId) -> Result<History, StoreError> {
        Ok(self.reads.history(record).await?)
    }

    async fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, StoreError> {
        Ok(self.reads.recent(pair, most).await?)
    }

    async fn pairs(&self, after: Option<PairId>, limit: usize) -> Result<Vec<Pair>, StoreError> {
        Ok(self.reads.pairs(after, limit).await?)
    }

    async fn recover(&self) -> Result<Vec<RecordId>, StoreError> {
        Ok(self.writer.ask(recover::Recover).await?)
    }

    async fn creates(&self) -> Result<Creates, StoreError> {
        Ok(reserve::creates_of(self.reads.creates().await?.as_deref())?)
    }

    async fn set_creates(&self, creates: &Creates) -> Result<(), StoreError> {
        Ok(self.writer.ask(reserve::SetCreates(creates.clone())).await?)
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        Ok(self.reads.counts().await?)
    }

    async fn prune(&self, ended_before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        Ok(self.prune.prune(&self.reads, &self.writer, ended_before, limit).await?)
    }
}
