//! What a store keeps: pairs, reservations, the ledger, notes and cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Case, CaseId, CaseKind, Creates, Look, Note, Operation, OperationId, OperationKind, OperationState, Outcome, Pair,
    PairId, PairState, RecordId, Reservation, Settled, StoreError, System, Timestamp,
};

/// What the store holds. Cloning it is a backup; two of them that are equal behave alike.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryState {
    /// Counts the starts of the program.
    pub start: i64,
    /// Pairs by number.
    pub pairs: BTreeMap<PairId, Pair>,
    /// Both directions of every pair.
    pub mapping: BTreeMap<(RecordId, System), PairId>,
    /// Reservations by source and target.
    pub reservations: BTreeMap<(RecordId, System), (u32, OperationId, bool)>,
    /// The ledger.
    pub operations: BTreeMap<OperationId, Operation>,
    /// Decisions against an edit.
    pub notes: Vec<(PairId, Timestamp, Note)>,
    /// Cases, and whether each is closed.
    pub cases: Vec<(Case, bool)>,
    /// Whether counterparts may be created.
    pub creates: Creates,
    next_operation: u64,
}

impl Default for MemoryState {
    fn default() -> Self {
        Self {
            start: 1,
            pairs: BTreeMap::new(),
            mapping: BTreeMap::new(),
            reservations: BTreeMap::new(),
            operations: BTreeMap::new(),
            notes: Vec::new(),
            cases: Vec::new(),
            creates: Creates::Allowed,
            next_operation: 0,
        }
    }
}

impl MemoryState {
    pub(super) fn pair_of(&self, record: &RecordId, target: &System) -> Option<Pair> {
        let pair = self.pairs.get(self.mapping.get(&(record.clone(), target.clone()))?)?.clone();
        Some(self.with_open(pair))
    }

    pub(super) fn any_pair_of(&self, record: &RecordId) -> Option<Pair> {
        let id = self.mapping.iter().find(|((mapped, _), _)| mapped == record)?.1;
        Some(self.with_open(self.pairs.get(id)?.clone()))
    }

    pub(super) fn with_open(&self, mut pair: Pair) -> Pair {
        let open = self.operations.values().find(|op| op.pair == Some(pair.id) && op.state.is_open());
        if let Some(open) = open {
            pair.opened(Arc::new(open.clone()));
        }
        pair
    }

    /// Writes what became of an attempt: `sent` is the operation as it was sent.
    pub(super) fn settle(
        &mut self,
        sent: &Operation,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let id = &sent.id;
        let Some(mut operation) = self.operations.get(id).cloned() else {
            return Err(StoreError(format!("operation {id} is not in the ledger")));
        };
        if let (Some(known), Outcome::Committed { record }) = (&operation.target_id, outcome)
            && operation.kind == OperationKind::Create
            && *known != record.id
        {
            let target = &operation.target;
            let records =
                vec![RecordId::new(target, &record.id), RecordId::new(target, known), operation.source.clone()];
            let detail = "one create has made two records".to_owned();
            self.open_case(CaseKind::Copy, records, detail, now);
            return Ok(Settled { operation: operation.into() });
        }
        let changed = operation.settle(sent.attempts, outcome, now);
        self.operations.insert(id.clone(), operation.clone());
        if changed
            && !operation.state.is_open()
            && operation.kind == OperationKind::Update
            && let Some(mut pair) = operation.pair.and_then(|pair| self.pairs.get(&pair).cloned())
        {
            pair.ended(&operation, now);
            self.save(pair);
        }
        Ok(Settled { operation: operation.into() })
    }

    pub(super) fn reservation(&self, source: &RecordId, target: &System) -> Option<Reservation> {
        let (incarnation, operation, closed) = self.reservations.get(&(source.clone(), target.clone()))?;
        Some(Reservation {
            source: source.clone(),
            target: target.clone(),
            incarnation: *incarnation,
            operation: self.operations.get(operation)?.clone(),
            closed: *closed,
        })
    }

    pub(super) fn reservation_closed(&self, source: &RecordId, target: &System) -> bool {
        self.reservations.get(&(source.clone(), target.clone())).is_some_and(|reservation| reservation.2)
    }

    pub(super) fn look(&self, record: &RecordId, target: &System) -> Look {
        if let Some(pair) = self.pair_of(record, target) {
            return if pair.is_active() { Look::Found(Arc::new(pair)) } else { Look::Inactive(Some(Arc::new(pair))) };
        }
        match self.reservation(record, target) {
            Some(reservation) if reservation.closed => Look::Inactive(None),
            Some(reservation) if reservation.operation.state != OperationState::Failed => {
                Look::Pending(Box::new(reservation))
            }
            _ => Look::Missing,
        }
    }

    pub(super) fn next_operation(&mut self) -> OperationId {
        self.next_operation += 1;
        OperationId(format!("op-{:08}", self.next_operation))
    }

    pub(super) fn save(&mut self, mut pair: Pair) -> Pair {
        pair.open = None;
        let [first, second] = [&pair.sides[0].record, &pair.sides[1].record];
        self.mapping.insert((first.clone(), second.system.clone()), pair.id);
        self.mapping.insert((second.clone(), first.system.clone()), pair.id);
        self.pairs.insert(pair.id, pair.clone());
        self.with_open(pair)
    }

    pub(super) fn next_pair(&self) -> PairId {
        PairId(self.pairs.keys().last().map_or(1, |last| last.0 + 1))
    }

    pub(super) fn open_case(
        &mut self,
        kind: CaseKind,
        records: Vec<RecordId>,
        detail: String,
        now: Timestamp,
    ) -> CaseId {
        let same = |case: &&(Case, bool)| !case.1 && case.0.kind == kind && case.0.records == records;
        if let Some((case, _)) = self.cases.iter().find(same) {
            return case.id;
        }
        let id = CaseId(i64::try_from(self.cases.len()).unwrap_or(i64::MAX - 1) + 1);
        self.cases.push((Case { id, kind, records, detail, opened_at: now }, false));
        id
    }

    pub(super) fn supersede(&mut self, operation: Option<&OperationId>, now: Timestamp) {
        if let Some(operation) = operation.and_then(|id| self.operations.get_mut(id))
            && operation.state.is_open()
        {
            operation.state = OperationState::Superseded;
            operation.ended_at = Some(now);
        }
    }

    /// Writes the pair a create has made with a record.
    pub(super) fn give_birth(&mut self, create: &OperationId, target_id: &str, now: Timestamp) -> Pair {
        let operation = self.operations[create].clone();
        let mut pair = Pair::born(self.next_pair(), &operation, target_id, now);
        if let Some(operation) = self.operations.get_mut(create) {
            operation.pair = Some(pair.id);
        }
        if self.reservation_closed(&operation.source, &operation.target) {
            pair.state = PairState::Inactive { gone: operation.source.system.clone(), since: now };
        }
        self.save(pair)
    }
}
