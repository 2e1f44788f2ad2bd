//! The moments around the ledger and the mapping.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{
    Adopted, Adoption, Begin, Case, CaseId, Create, Creates, Echo, EventFacts, History, Intent, Look, Operation,
    OperationId, Outcome, Pair, PairId, PairStore, Persisted, Rebase, RecordId, Resend, Reserve, Revision, SendAgain,
    Settled, StoreCounts, StoreError, System, Timestamp, Update,
};

use super::{CREATE, KillAt, Moment, Writing};

pub(super) struct Pairs {
    inner: Arc<dyn PairStore>,
    kill: KillAt,
}

impl Pairs {
    pub(super) fn new(inner: Arc<dyn PairStore>, kill: KillAt) -> Self {
        Self { inner, kill }
    }
}

#[async_trait]
impl PairStore for Pairs {
    async fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError> {
        self.inner.look(record, target).await
    }

    async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, StoreError> {
        self.inner.look_many(records, target).await
    }

    async fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError> {
        self.inner.echo(record, facts).await
    }

    async fn arrived(&self, update: &Operation) -> Result<(), StoreError> {
        self.inner.arrived(update).await
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<Adopted, StoreError> {
        self.kill.pass(Moment::AdoptBefore);
        let adopted = self.inner.adopt(adoption).await?;
        self.kill.pass(Moment::AdoptAfter);
        Ok(adopted)
    }

    async fn reserve(&self, create: &Create) -> Result<Reserve, StoreError> {
        self.kill.pass(CREATE.before_intent);
        let reserve = self.inner.reserve(create).await?;
        if matches!(reserve, Reserve::Won(_)) {
            self.kill.pass(CREATE.after_intent);
        }
        Ok(reserve)
    }

    async fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError> {
        let writing = Writing::of_update(update.inverse.is_some());
        self.kill.pass(writing.before_intent);
        let begin = self.inner.begin(update, revision).await?;
        if matches!(begin, Begin::Won(_)) {
            self.kill.pass(writing.after_intent);
        }
        Ok(begin)
    }

    async fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError> {
        let settled = self.inner.settle(intent, outcome).await?;
        self.kill.pass(Writing::of(intent.operation()).settled);
        Ok(settled)
    }

    async fn resend(&self, operation: &OperationId, again: SendAgain) -> Result<Resend, StoreError> {
        self.kill.pass(Moment::ResendBefore);
        let resend = self.inner.resend(operation, again).await?;
        if matches!(resend, Resend::Won(_)) {
            self.kill.pass(Moment::ResendAfter);
        }
        Ok(resend)
    }

    async fn persist(&self, operation: &OperationId) -> Result<Persisted, StoreError> {
        self.kill.pass(Moment::PersistBefore);
        let persisted = self.inner.persist(operation).await?;
        self.kill.pass(Moment::PersistAfter);
        Ok(persisted)
    }

    async fn rebase(&self, rebase: &Rebase) -> Result<bool, StoreError> {
        self.kill.pass(Moment::RebaseBefore);
        let rebased = self.inner.rebase(rebase).await?;
        self.kill.pass(Moment::RebaseAfter);
        Ok(rebased)
    }

    async fn deactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        self.kill.pass(Moment::DeactivateBefore);
        let pair = self.inner.deactivate(record).await?;
        self.kill.pass(Moment::DeactivateAfter);
        Ok(pair)
    }

    async fn reactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        self.inner.reactivate(record).await
    }

    async fn open_case(&self, case: &Case) -> Result<CaseId, StoreError> {
        self.inner.open_case(case).await
    }

    async fn cases(&self, limit: usize) -> Result<Vec<Case>, StoreError> {
        self.inner.cases(limit).await
    }

    async fn close_case(&self, case: CaseId) -> Result<bool, StoreError> {
        self.inner.close_case(case).await
    }

    async fn history(&self, record: &RecordId) -> Result<History, StoreError> {
        self.inner.history(record).await
    }

    async fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, StoreError> {
        self.inner.recent(pair, most).await
    }

    async fn pairs(&self, after: Option<PairId>, limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.inner.pairs(after, limit).await
    }

    async fn recover(&self) -> Result<Vec<RecordId>, StoreError> {
        self.kill.pass(Moment::StartBeforeRecover);
        let records = self.inner.recover().await?;
        self.kill.pass(Moment::StartAfterRecover);
        Ok(records)
    }

    async fn creates(&self) -> Result<Creates, StoreError> {
        self.inner.creates().await
    }

    async fn set_creates(&self, creates: &Creates) -> Result<(), StoreError> {
        self.inner.set_creates(creates).await
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        self.inner.counts().await
    }

    async fn prune(&self, ended_before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.kill.pass(Moment::PruneBetween);
        let pruned = self.inner.prune(ended_before, limit).await?;
        self.kill.pass(Moment::PruneAfter);
        Ok(pruned)
    }
}
