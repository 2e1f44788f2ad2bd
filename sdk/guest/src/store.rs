//! The id mapping and the ledger, outside the sandbox.

use async_trait::async_trait;
use pairline_sdk::{
    Adopted, Adoption, Begin, Case, CaseId, Create, Creates, Echo, EventFacts, History, Intent, Look, Operation,
    OperationId, Outcome, Pair, PairId, PairStore, Persisted, Rebase, RecordId, Resend, Reserve, Revision, SendAgain,
    Settled, StoreCounts, StoreError, System, Timestamp, Update,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bindings::pairline::node::types::Failure;
use crate::bindings::pairline::node::{ledger, pairs};

/// An answer that hands out an intent: as it is written, it holds the operation.
#[derive(Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
enum WrittenReserve {
    Won(Box<Operation>),
    Taken(Look),
    Held(String),
}

#[derive(Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
enum WrittenBegin {
    Won(Box<Operation>),
    Busy(OperationId),
    Stale,
}

#[derive(Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
enum WrittenResend {
    Won(Box<Operation>),
    Moved,
}

fn told<T: DeserializeOwned>(answer: Result<String, Failure>) -> Result<T, StoreError> {
    let text = answer.map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| StoreError(format!("cannot read what was told: {error}")))
}

fn failed(failure: Failure) -> StoreError {
    // The program has said so already.
    let known = StoreError(String::new()).to_string();
    StoreError(failure.reason.strip_prefix(&known).map_or(failure.reason.clone(), str::to_owned))
}

fn written(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError(error.to_string()))
}

fn not_here<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError(format!("`{what}` is not among the ports of this component")))
}

/// Looks at the id mapping; without an implementation of its own each is refused.
pub trait Looks: Send + Sync {
    /// As [`PairStore::look`].
    fn look(&self, _record: &RecordId, _target: &System) -> Result<Look, StoreError> {
        not_here("pairs")
    }

    /// As [`PairStore::counterpart`].
    fn counterpart(&self, _record: &RecordId, _target: &System) -> Result<Option<RecordId>, StoreError> {
        not_here("pairs")
    }

    /// As [`PairStore::echo`].
    fn echo(&self, _record: &RecordId, _facts: &EventFacts) -> Result<Echo, StoreError> {
        not_here("pairs")
    }

    /// As [`PairStore::recent`].
    fn recent(&self, _pair: &Pair, _most: usize) -> Result<Vec<Operation>, StoreError> {
        not_here("pairs")
    }
}

/// Changes of the id mapping; without an implementation of its own each is refused.
pub trait Changes: Send + Sync {
    /// As [`PairStore::arrived`].
    fn arrived(&self, _update: &Operation) -> Result<(), StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::adopt`].
    fn adopt(&self, _adoption: &Adoption) -> Result<Adopted, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::reserve`].
    fn reserve(&self, _create: &Create) -> Result<Reserve, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::begin`].
    fn begin(&self, _update: &Update, _revision: Revision) -> Result<Begin, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::settle`].
    fn settle(&self, _intent: &Intent, _outcome: &Outcome) -> Result<Settled, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::resend`].
    fn resend(&self, _operation: &OperationId, _again: SendAgain) -> Result<Resend, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::persist`].
    fn persist(&self, _operation: &OperationId) -> Result<Persisted, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::rebase`].
    fn rebase(&self, _rebase: &Rebase) -> Result<bool, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::deactivate`].
    fn deactivate(&self, _record: &RecordId) -> Result<Option<Pair>, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::reactivate`].
    fn reactivate(&self, _record: &RecordId) -> Result<Option<Pair>, StoreError> {
        not_here("pairs: write")
    }

    /// As [`PairStore::open_case`].
    fn open_case(&self, _case: &Case) -> Result<CaseId, StoreError> {
        not_here("pairs: write")
    }
}

/// None of it.
pub struct Nothing;

/// The interface `pairs`.
pub struct Pairs;

/// The interface `ledger`.
pub struct Ledger;

/// The id mapping, as far as it is a port of this component.
pub struct Store<L, C>(pub L, pub C);

impl Looks for Nothing {}

impl Changes for Nothing {}

impl Looks for Pairs {
    fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError> {
        told(pairs::look(record.system.as_str(), &record.id, target.as_str()))
    }

    fn counterpart(&self, record: &RecordId, target: &System) -> Result<Option<RecordId>, StoreError> {
        let id = pairs::counterpart(record.system.as_str(), &record.id, target.as_str()).map_err(failed)?;
        Ok(id.map(|id| RecordId::new(target, id)))
    }

    fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError> {
        told(pairs::echo(record.system.as_str(), &record.id, &written(facts)?))
    }

    fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, StoreError> {
        told(pairs::recent(&written(pair)?, u32::try_from(most).unwrap_or(u32::MAX)))
    }
}

impl Changes for Ledger {
    fn arrived(&self, update: &Operation) -> Result<(), StoreError> {
        ledger::arrived(&written(update)?).map_err(failed)
    }

    fn adopt(&self, adoption: &Adoption) -> Result<Adopted, StoreError> {
        told(ledger::adopt(&written(adoption)?))
    }

    fn reserve(&self, create: &Create) -> Result<Reserve, StoreError> {
        Ok(match told(ledger::reserve(&written(create)?))? {
            WrittenReserve::Won(operation) => Reserve::Won(Intent::recorded(operation)),
            WrittenReserve::Taken(look) => Reserve::Taken(look),
            WrittenReserve::Held(reason) => Reserve::Held(reason),
        })
    }

    fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError> {
        Ok(match told(ledger::begin(&written(update)?, revision.0))? {
            WrittenBegin::Won(operation) => Begin::Won(Intent::recorded(operation)),
            WrittenBegin::Busy(operation) => Begin::Busy(operation),
            WrittenBegin::Stale => Begin::Stale,
        })
    }

    fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError> {
        told(ledger::settle(&intent.operation().id.0, &written(outcome)?))
    }

    fn resend(&self, operation: &OperationId, again: SendAgain) -> Result<Resend, StoreError> {
        Ok(match told(ledger::resend(&operation.0, &written(&again)?))? {
            WrittenResend::Won(operation) => Resend::Won(Intent::recorded(operation)),
            WrittenResend::Moved => Resend::Moved,
        })
    }

    fn persist(&self, operation: &OperationId) -> Result<Persisted, StoreError> {
        told(ledger::persist(&operation.0))
    }

    fn rebase(&self, rebase: &Rebase) -> Result<bool, StoreError> {
        ledger::rebase(&written(rebase)?).map_err(failed)
    }

    fn deactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        told(ledger::deactivate(record.system.as_str(), &record.id))
    }

    fn reactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        told(ledger::reactivate(record.system.as_str(), &record.id))
    }

    fn open_case(&self, case: &Case) -> Result<CaseId, StoreError> {
        ledger::open_case(&written(case)?).map(CaseId).map_err(failed)
    }
}

#[async_trait]
impl<L: Looks, C: Changes> PairStore for Store<L, C> {
    async fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError> {
        self.0.look(record, target)
    }

    async fn counterpart(&self, record: &RecordId, target: &System) -> Result<Option<RecordId>, StoreError> {
        self.0.counterpart(record, target)
    }

    async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, StoreError> {
        records.iter().map(|record| self.0.look(record, target)).collect()
    }

    async fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError> {
        self.0.echo(record, facts)
    }

    async fn arrived(&self, update: &Operation) -> Result<(), StoreError> {
        self.1.arrived(update)
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<Adopted, StoreError> {
        self.1.adopt(adoption)
    }

    async fn reserve(&self, create: &Create) -> Result<Reserve, StoreError> {
        self.1.reserve(create)
    }

    async fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError> {
        self.1.begin(update, revision)
    }

    async fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError> {
        self.1.settle(intent, outcome)
    }

    async fn resend(&self, operation: &OperationId, again: SendAgain) -> Result<Resend, StoreError> {
        self.1.resend(operation, again)
    }

    async fn persist(&self, operation: &OperationId) -> Result<Persisted, StoreError> {
        self.1.persist(operation)
    }

    async fn rebase(&self, rebase: &Rebase) -> Result<bool, StoreError> {
        self.1.rebase(rebase)
    }

    async fn deactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        self.1.deactivate(record)
    }

    async fn reactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        self.1.reactivate(record)
    }

    async fn open_case(&self, case: &Case) -> Result<CaseId, StoreError> {
        self.1.open_case(case)
    }

    async fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, StoreError> {
        self.0.recent(pair, most)
    }

    // What operators and the program itself ask for, and no node.

    async fn cases(&self, _: usize) -> Result<Vec<Case>, StoreError> {
        not_here("cases")
    }

    async fn close_case(&self, _: CaseId) -> Result<bool, StoreError> {
        not_here("cases")
    }

    async fn history(&self, _: &RecordId) -> Result<History, StoreError> {
        not_here("history")
    }

    async fn pairs(&self, _: Option<PairId>, _: usize) -> Result<Vec<Pair>, StoreError> {
        not_here("a list of all pairs")
    }

    async fn recover(&self) -> Result<Vec<RecordId>, StoreError> {
        not_here("recovery")
    }

    async fn creates(&self) -> Result<Creates, StoreError> {
        not_here("the decision about creates")
    }

    async fn set_creates(&self, _: &Creates) -> Result<(), StoreError> {
        not_here("the decision about creates")
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        not_here("counts")
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<u64, StoreError> {
        not_here("pruning")
    }
}
