//! The id mapping and the ledger in memory: for tests, searches and simulations.

mod state;

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

pub use self::state::MemoryState;
use super::{Stage, Step};
use crate::{
    Adopted, Adoption, Begin, Case, CaseId, CaseKind, Clock, Create, Creates, Echo, EventFacts, History, Intent, Look,
    Note, Operation, OperationId, OperationKind, OperationState, Outcome, Pair, PairId, PairState, PairStore,
    Persisted, Rebase, RecordId, Resend, Reserve, Revision, SendAgain, Settled, StoreCounts, StoreError, System,
    Timestamp, Update, judge_echo,
};

/// A [`PairStore`] in memory. Creates are allowed unless a test says otherwise.
pub struct MemoryStore {
    state: Mutex<MemoryState>,
    clock: Arc<dyn Clock>,
    stage: Stage,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::restored(MemoryState::default(), clock)
    }

    /// A store that holds what was saved.
    pub fn restored(state: MemoryState, clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::new(state), clock, stage: Stage::default() }
    }

    /// Every method passes this stage first.
    #[must_use]
    pub fn on(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    /// What it holds now.
    pub fn saved(&self) -> MemoryState {
        self.state().clone()
    }

    /// Takes back what was saved.
    pub fn restore(&self, state: MemoryState) {
        *self.state() = state;
    }

    /// What the program would do at a start: the process before is dead.
    pub fn restart(&self) {
        self.state().start += 1;
    }

    /// The pairs of a record, each with the record on its other side.
    pub(super) fn pairs_of(&self, record: &RecordId) -> Vec<(PairId, RecordId)> {
        let state = self.state();
        // No name of a system sorts before the empty one.
        let from = state.mapping.range((record.clone(), System::new(""))..);
        let mapped = from.take_while(|((mapped, _), _)| mapped == record);
        mapped
            .filter_map(|((_, target), pair)| Some((*pair, state.pairs.get(pair)?.side(target).record.clone())))
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().expect("no method panics while it holds the state")
    }
}

#[async_trait]
impl PairStore for MemoryStore {
    async fn look(&self, record: &RecordId, target: &System) -> Result<Look, StoreError> {
        self.stage.pass(Step::Store("look")).await;
        Ok(self.state().look(record, target))
    }

    async fn look_many(&self, records: &[RecordId], target: &System) -> Result<Vec<Look>, StoreError> {
        self.stage.pass(Step::Store("look_many")).await;
        let state = self.state();
        Ok(records.iter().map(|record| state.look(record, target)).collect())
    }

    async fn echo(&self, record: &RecordId, facts: &EventFacts) -> Result<Echo, StoreError> {
        self.stage.pass(Step::Store("echo")).await;
        let state = self.state();
        let look = state.any_pair_of(record).map_or(Look::Missing, |pair| {
            if pair.is_active() { Look::Found(Arc::new(pair)) } else { Look::Inactive(Some(Arc::new(pair))) }
        });
        let create = facts.operation.as_ref().and_then(|id| state.operations.get(id));
        let create = create.filter(|op| op.kind == OperationKind::Create && op.pair.is_none());
        Ok(judge_echo(&look, record, facts, create))
    }

    async fn arrived(&self, update: &Operation) -> Result<(), StoreError> {
        self.stage.pass(Step::Store("arrived")).await;
        let now = self.clock.now();
        match update.target_record() {
            Some(record) => self.state().settle(update, &update.arrived_at(&record), now).map(drop),
            None => Ok(()),
        }
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<Adopted, StoreError> {
        self.stage.pass(Step::Store("adopt")).await;
        let now = self.clock.now();
        let mut state = self.state();
        let record = RecordId::new(&adoption.system, &adoption.record.id);
        if let Some(pair) = state.pair_of(&adoption.names, &adoption.system) {
            if pair.side(&adoption.system).record != record {
                let records = vec![record, pair.side(&adoption.system).record.clone(), adoption.names.clone()];
                let detail = "the first record names a record that is paired with the second".to_owned();
                return Ok(Adopted::Copy(state.open_case(CaseKind::Copy, records, detail, now)));
            }
            return Ok(if pair.is_active() { Adopted::Paired(Arc::new(pair)) } else { Adopted::Inactive });
        }
        if let Some(pair) = state.pair_of(&record, &adoption.names.system) {
            let records = vec![record, pair.other(&adoption.system).record.clone(), adoption.names.clone()];
            let detail = "the first record names the last and is paired with the second".to_owned();
            return Ok(Adopted::Copy(state.open_case(CaseKind::Copy, records, detail, now)));
        }
        let reservation = state.reservation(&adoption.names, &adoption.system);
        if let Some(reservation) = reservation.filter(|r| r.operation.state != OperationState::Failed) {
            let id = reservation.operation.id.clone();
            if let Some(made) = reservation.operation.target_id.as_ref().filter(|made| **made != record.id) {
                let records = vec![record.clone(), RecordId::new(&adoption.system, made), adoption.names.clone()];
                let detail = "two records name the same record, and a create of ours made the second".to_owned();
                return Ok(Adopted::Copy(state.open_case(CaseKind::Copy, records, detail, now)));
            }
            if let Some(operation) = state.operations.get_mut(&id)
                && operation.settle(operation.attempts, &Outcome::Committed { record: adoption.record.clone() }, now)
            {
                // The record may have been edited since: what we sent is what was agreed.
                operation.answered = None;
            }
            let pair = state.give_birth(&id, &record.id, now);
            return Ok(if pair.is_active() { Adopted::Paired(Arc::new(pair)) } else { Adopted::Inactive });
        }
        if state.reservation_closed(&adoption.names, &adoption.system) {
            return Ok(Adopted::Inactive);
        }
        if !adoption.verified {
            return Ok(Adopted::Unverified);
        }
        let records = [adoption.names.clone(), record];
        let pair = Pair::found(state.next_pair(), &adoption.contract, records, &adoption.topology, now);
        Ok(Adopted::Paired(Arc::new(state.save(pair))))
    }

    async fn reserve(&self, create: &Create) -> Result<Reserve, StoreError> {
        self.stage.pass(Step::Store("reserve")).await;
        let now = self.clock.now();
        let mut state = self.state();
        match state.look(&create.source, &create.target) {
            Look::Missing => {}
            taken => return Ok(Reserve::Taken(taken)),
        }
        match &state.creates {
            Creates::Allowed => {}
            Creates::Undecided => return Ok(Reserve::Held("the first start has not looked at both sides yet".into())),
            Creates::Held(reason) => return Ok(Reserve::Held(reason.clone())),
        }
        let key = (create.source.clone(), create.target.clone());
        let incarnation = state.reservations.get(&key).map_or(1, |reservation| reservation.0 + 1);
        let operation = create.operation(state.next_operation(), incarnation, now, state.start);
        state.reservations.insert(key, (incarnation, operation.id.clone(), false));
        state.operations.insert(operation.id.clone(), operation.clone());
        Ok(Reserve::Won(Intent::recorded(operation)))
    }

    async fn begin(&self, update: &Update, revision: Revision) -> Result<Begin, StoreError> {
        self.stage.pass(Step::Store("begin")).await;
        let now = self.clock.now();
        let mut state = self.state();
        let Some(pair) = state.pairs.get(&update.pair).cloned() else { return Ok(Begin::Stale) };
        let mut pair = state.with_open(pair);
        if let Some(open) = &pair.open
            && update.supersedes.as_ref() != Some(&open.id)
        {
            return Ok(Begin::Busy(open.id.clone()));
        }
        if pair.revision != revision || !pair.is_active() {
            return Ok(Begin::Stale);
        }
        state.supersede(update.supersedes.as_ref(), now);
        let operation = update.operation(state.next_operation(), &pair, now, state.start);
        if !update.rebase.is_empty() {
            pair.rebased(&update.rebase, now);
        }
        state.notes.extend(update.notes.iter().map(|note| (pair.id, now, note.clone())));
        pair.opened(Arc::new(operation.clone()));
        state.save(pair);
        state.operations.insert(operation.id.clone(), operation.clone());
        Ok(Begin::Won(Intent::recorded(operation)))
    }

    async fn settle(&self, intent: &Intent, outcome: &Outcome) -> Result<Settled, StoreError> {
        self.stage.pass(Step::Store("settle")).await;
        let now = self.clock.now();
        let mut state = self.state();
        state.settle(intent.operation(), outcome, now)
    }

    async fn resend(&self, operation: &OperationId, again: SendAgain) -> Result<Resend, StoreError> {
        self.stage.pass(Step::Store("resend")).await;
        let now = self.clock.now();
        let mut state = self.state();
        let start = state.start;
        let row = state.operations.get_mut(operation);
        let sent = row.and_then(|row| row.resend(&again, now, start).then(|| row.clone()));
        Ok(sent.map_or(Resend::Moved, |row| Resend::Won(Intent::recorded(row))))
    }

    async fn persist(&self, operation: &OperationId) -> Result<Persisted, StoreError> {
        self.stage.pass(Step::Store("persist")).await;
        let now = self.clock.now();
        let mut state = self.state();
        let Some(create) = state.operations.get(operation).cloned() else { return Ok(Persisted::Nothing) };
        let (OperationKind::Create, OperationState::Committed, Some(made)) =
            (create.kind, create.state, create.target_record())
        else {
            return Ok(Persisted::Nothing);
        };
        let of_source = state.pair_of(&create.source, &create.target);
        let of_target = state.pair_of(&made, &create.source.system);
        match (of_source, of_target) {
            (None, None) => Ok(Persisted::Recorded(Arc::new(state.give_birth(operation, &made.id, now)))),
            (Some(pair), Some(other)) if pair.id == other.id => Ok(Persisted::Already(Arc::new(pair))),
            (one, other) => {
                let records = create.records_in_conflict(one.as_ref(), other.as_ref());
                let detail = "a create has made a record and one of the two is paired otherwise".to_owned();
                Ok(Persisted::Conflict(state.open_case(CaseKind::Copy, records, detail, now)))
            }
        }
    }

    async fn rebase(&self, rebase: &Rebase) -> Result<bool, StoreError> {
        self.stage.pass(Step::Store("rebase")).await;
        let now = self.clock.now();
        let mut state = self.state();
        let Some(pair) = state.pairs.get(&rebase.pair).cloned() else { return Ok(false) };
        let mut pair = state.with_open(pair);
        let foreign = pair.open.as_ref().is_some_and(|open| rebase.supersedes.as_ref() != Some(&open.id));
        if pair.revision != rebase.revision || foreign {
            return Ok(false);
        }
        state.supersede(rebase.supersedes.as_ref(), now);
        pair.agreed(&rebase.changes, &rebase.inverse_seen, now);
        state.notes.extend(rebase.notes.iter().map(|note| (pair.id, now, note.clone())));
        state.save(pair);
        Ok(true)
    }

    async fn deactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        self.stage.pass(Step::Store("deactivate")).await;
        let now = self.clock.now();
        let mut state = self.state();
        for ((source, _), reservation) in &mut state.reservations {
            if source == record {
                reservation.2 = true;
            }
        }
        let Some(mut pair) = state.any_pair_of(record) else { return Ok(None) };
        if pair.is_active() {
            pair.state = PairState::Inactive { gone: record.system.clone(), since: now };
            pair.touched(now);
            if let Some(open) = pair.open.take() {
                state.supersede(Some(&open.id), now);
            }
            pair = state.save(pair);
        }
        Ok(Some(pair))
    }

    async fn reactivate(&self, record: &RecordId) -> Result<Option<Pair>, StoreError> {
        self.stage.pass(Step::Store("reactivate")).await;
        let now = self.clock.now();
        let mut state = self.state();
        for ((source, _), reservation) in &mut state.reservations {
            if source == record {
                reservation.2 = false;
            }
        }
        let Some(mut pair) = state.any_pair_of(record) else { return Ok(None) };
        if matches!(&pair.state, PairState::Inactive { gone, .. } if *gone == record.system) {
            pair.came_back(now);
            pair = state.save(pair);
        }
        Ok(Some(pair))
    }

    async fn open_case(&self, case: &Case) -> Result<CaseId, StoreError> {
        self.stage.pass(Step::Store("open_case")).await;
        let now = self.clock.now();
        Ok(self.state().open_case(case.kind, case.records.clone(), case.detail.clone(), now))
    }

    async fn cases(&self, limit: usize) -> Result<Vec<Case>, StoreError> {
        let state = self.state();
        Ok(state.cases.iter().filter(|(_, closed)| !closed).map(|(case, _)| case.clone()).take(limit).collect())
    }

    async fn close_case(&self, id: CaseId) -> Result<bool, StoreError> {
        let mut state = self.state();
        let open = state.cases.iter_mut().find(|(case, closed)| case.id == id && !closed);
        Ok(open.map(|(_, closed)| *closed = true).is_some())
    }

    async fn history(&self, record: &RecordId) -> Result<History, StoreError> {
        let state = self.state();
        let pair = state.any_pair_of(record);
        let reservation =
            state.reservations.keys().find(|(source, _)| source == record).and_then(|(s, t)| state.reservation(s, t));
        let ours = |op: &&Operation| {
            (op.pair.is_some() && op.pair == pair.as_ref().map(|pair| pair.id))
                || op.source == *record
                || op.target_record().as_ref() == Some(record)
        };
        let of_pair = |note: &&(PairId, Timestamp, Note)| Some(note.0) == pair.as_ref().map(|pair| pair.id);
        Ok(History {
            operations: state.operations.values().filter(ours).cloned().collect(),
            notes: state.notes.iter().filter(of_pair).map(|(_, at, note)| (*at, note.clone())).collect(),
            cases: state.cases.iter().filter(|(case, _)| case.records.contains(record)).map(|c| c.0.clone()).collect(),
            pair,
            reservation,
        })
    }

    async fn recent(&self, pair: &Pair, most: usize) -> Result<Vec<Operation>, StoreError> {
        let state = self.state();
        let mut left = [most; 2];
        let of_pair = state.operations.values().rev().filter(|operation| operation.pair == Some(pair.id));
        let recent = of_pair.filter(|operation| {
            let left = &mut left[usize::from(operation.source != pair.sides[0].record)];
            let taken = *left > 0;
            *left = left.saturating_sub(1);
            taken
        });
        Ok(recent.cloned().collect())
    }

    async fn pairs(&self, after: Option<PairId>, limit: usize) -> Result<Vec<Pair>, StoreError> {
        let state = self.state();
        let rest = state.pairs.values().filter(|pair| after.is_none_or(|after| pair.id > after));
        Ok(rest.take(limit).map(|pair| state.with_open(pair.clone())).collect())
    }

    async fn recover(&self) -> Result<Vec<RecordId>, StoreError> {
        let mut state = self.state();
        let start = state.start;
        let mut records = Vec::new();
        for operation in state.operations.values_mut() {
            if operation.state == OperationState::Pending && operation.start != start {
                operation.orphan();
            }
            let unmapped = operation.kind == OperationKind::Create
                && operation.pair.is_none()
                && operation.state != OperationState::Failed;
            if unmapped || (operation.pair.is_some() && operation.state.is_open()) {
                records.push(operation.source.clone());
            }
        }
        Ok(records)
    }

    async fn creates(&self) -> Result<Creates, StoreError> {
        Ok(self.state().creates.clone())
    }

    async fn set_creates(&self, creates: &Creates) -> Result<(), StoreError> {
        self.state().creates = creates.clone();
        Ok(())
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        let state = self.state();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let active = state.pairs.values().filter(|pair| pair.is_active()).count();
        let reserved = || {
            let open = state.reservations.values().filter(|reservation| !reservation.2);
            open.filter_map(|reservation| state.operations.get(&reservation.1))
                .filter(|op| op.pair.is_none() && op.state != OperationState::Failed)
        };
        Ok(StoreCounts {
            pairs_active: count(active),
            pairs_inactive: count(state.pairs.len() - active),
            inverse_pending: count(
                state.pairs.values().filter(|p| p.is_active() && p.sides.iter().any(|s| !s.inverse_written)).count(),
            ),
            reservations_open: count(reserved().count()),
            reservation_oldest: reserved().map(|op| op.first_sent_at).min(),
            operations_unknown: count(
                state.operations.values().filter(|op| op.state == OperationState::Unknown).count(),
            ),
            cases_open: count(state.cases.iter().filter(|(_, closed)| !closed).count()),
        })
    }

    async fn prune(&self, ended_before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut state = self.state();
        let newest: Vec<OperationId> =
            state.pairs.values().flat_map(|pair| pair.sides.iter().filter_map(|side| side.newest.clone())).collect();
        let unmapped = |id: &OperationId| state.operations.get(id).is_some_and(|create| create.pair.is_none());
        let reserved: Vec<OperationId> =
            state.reservations.values().map(|reservation| reservation.1.clone()).filter(unmapped).collect();
        let old: Vec<OperationId> = state
            .operations
            .values()
            .filter(|op| !op.state.is_open() && op.ended_at.is_some_and(|ended| ended < ended_before))
            .map(|op| op.id.clone())
            .filter(|id| !newest.contains(id) && !reserved.contains(id))
            .take(limit)
            .collect();
        for id in &old {
            state.operations.remove(id);
        }
        Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
    }
}
