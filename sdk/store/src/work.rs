//! What a command may do inside its transaction: look at rows, change rows. What changes in them is the SDK's business.
//!
//! A change is written at once, so a command sees its own changes and those of the commands before it. Pairs and
//! operations are read from memory where they are known.

use std::collections::HashMap;
use std::sync::Arc;

use pairline_sdk::{
    Case, CaseId, CaseKind, Note, Operation, OperationId, OperationState, Pair, PairId, PairState, Random, RecordId,
    System, Timestamp, time_ordered_id,
};
use rusqlite::{Connection, Params, params};

use crate::cache::{Cache, Changed};
use crate::failure::Failure;
use crate::row::{operation_columns, pair_columns, pairs_with_open, record_list, reservation_columns};
use crate::standing::Standing;
use crate::{sql, writes};

/// A transaction at work.
pub(crate) struct Work<'t> {
    connection: &'t Connection,
    cache: &'t Cache,
    pub(crate) random: &'t dyn Random,
    /// One instant for all of it.
    pub(crate) now: Timestamp,
    /// The start of the program.
    pub(crate) start: i64,
    /// Rows as this transaction has changed them. A pair always has the open operation it has now.
    pairs: HashMap<PairId, Arc<Pair>>,
    operations: HashMap<OperationId, Arc<Operation>>,
    /// Records with their first pair, where that is new.
    first: Vec<(RecordId, PairId)>,
    /// Records that have a reservation now.
    reserved: Vec<RecordId>,
}

const PAIR: &str = pairs_with_open!(" FROM pair p", " WHERE p.id = ?1");

const OPERATION: &str = concat!("SELECT ", operation_columns!(), " FROM operation o WHERE o.id = ?1");

const PAIR_OF: &str = "SELECT pair FROM mapping WHERE source_system = ?1 AND source_id = ?2 AND target_system = ?3";

const PAIRS_OF: &str = "SELECT pair FROM mapping WHERE source_system = ?1 AND source_id = ?2 ORDER BY pair";

const RESERVATION: &str = concat!(
    "SELECT ",
    reservation_columns!(),
    ", ",
    operation_columns!(),
    " FROM reservation r LEFT JOIN operation o ON o.id = r.operation",
    " WHERE r.source_system = ?1 AND r.source_id = ?2 AND r.target_system = ?3"
);

const RESERVE: &str = "\
    INSERT INTO reservation VALUES (?1, ?2, ?3, ?4, ?5, 0) \
    ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, operation = excluded.operation";

const FREE: &str = "DELETE FROM reservation WHERE source_system = ?1 AND source_id = ?2 AND target_system = ?3";

impl<'t> Work<'t> {
    pub(crate) fn new(
        connection: &'t Connection,
        cache: &'t Cache,
        random: &'t dyn Random,
        now: Timestamp,
        start: i64,
    ) -> Self {
        let (pairs, operations, first, reserved) = (HashMap::new(), HashMap::new(), Vec::new(), Vec::new());
        Self { connection, cache, random, now, start, pairs, operations, first, reserved }
    }

    /// The connection itself, for what is neither pair nor operation.
    pub(crate) fn connection(&self) -> &'t Connection {
        self.connection
    }

    /// Runs a statement and answers how many rows it has changed. For what is neither pair nor operation.
    pub(crate) fn run(&self, statement: &str, parameters: impl Params) -> Result<usize, Failure> {
        sql::run(self.connection, statement, parameters)
    }

    /// What is to be kept in memory once it is committed.
    pub(crate) fn end(self) -> Changed {
        Changed {
            pairs: self.pairs.into_values().collect(),
            operations: self.operations.into_values().collect(),
            first: self.first,
            reserved: self.reserved,
        }
    }

    pub(crate) fn next_operation(&self) -> OperationId {
        OperationId(time_ordered_id(self.now, self.random))
    }

    pub(crate) fn standing(&self, record: &RecordId, target: &System) -> Result<Standing, Failure> {
        let key = params![record.system.as_str(), record.id, target.as_str()];
        if let Some(pair) = sql::one(self.connection, PAIR_OF, key, |row| row.get().map(PairId))? {
            return Ok(Standing { pair: self.pair(pair)?, reservation: None });
        }
        Ok(Standing { pair: None, reservation: sql::one(self.connection, RESERVATION, key, |row| row.reservation())? })
    }

    /// A pair with its open operation.
    pub(crate) fn pair(&self, id: PairId) -> Result<Option<Arc<Pair>>, Failure> {
        if let Some(pair) = self.pairs.get(&id) {
            return Ok(Some(Arc::clone(pair)));
        }
        match self.cache.pair(id) {
            Some(pair) => Ok(Some(pair)),
            None => sql::one(self.connection, PAIR, [id.0], |row| row.pair_with_open().map(Arc::new)),
        }
    }

    /// The pairs of a record, with every other system it has a counterpart in.
    pub(crate) fn pairs_of(&self, record: &RecordId) -> Result<Vec<Arc<Pair>>, Failure> {
        let key = params![record.system.as_str(), record.id];
        let ids = sql::all(self.connection, PAIRS_OF, key, |row| row.get().map(PairId))?;
        ids.into_iter().filter_map(|id| self.pair(id).transpose()).collect()
    }

    /// An operation; of an update the pair is known, which holds it for as long as it is open.
    pub(crate) fn operation(&self, id: &OperationId, pair: Option<PairId>) -> Result<Option<Arc<Operation>>, Failure> {
        if let Some(operation) = self.operations.get(id) {
            return Ok(Some(Arc::clone(operation)));
        }
        let pair = pair.map(|pair| self.pair(pair)).transpose()?.flatten();
        let open = pair.and_then(|pair| pair.open.clone()).filter(|open| open.id == *id);
        match open.or_else(|| self.cache.create(id)) {
            Some(operation) => Ok(Some(operation)),
            None => sql::one(self.connection, OPERATION, [&id.0], |row| row.operation().map(Arc::new)),
        }
    }

    /// Writes an intent.
    pub(crate) fn insert_operation(&mut self, operation: &Arc<Operation>) -> Result<(), Failure> {
        writes::insert_operation(self.connection, operation)?;
        self.keep_operation(operation)
    }

    /// Writes what has changed in an operation.
    pub(crate) fn save_operation(&mut self, operation: &Arc<Operation>) -> Result<(), Failure> {
        writes::update_operation(self.connection, operation)?;
        self.keep_operation(operation)
    }

    fn keep_operation(&mut self, operation: &Arc<Operation>) -> Result<(), Failure> {
        self.operations.insert(operation.id.clone(), Arc::clone(operation));
        let Some(pair) = operation.pair.map(|id| self.pair_mut(id)).transpose()?.flatten() else { return Ok(()) };
        if operation.state.is_open() {
            pair.opened(Arc::clone(operation));
        } else if pair.open.as_ref().is_some_and(|open| open.id == operation.id) {
            pair.open = None;
        }
        Ok(())
    }

    /// Ends an open operation that what was read has replaced.
    pub(crate) fn supersede(&mut self, mut open: Arc<Operation>) -> Result<(), Failure> {
        let ended = Arc::make_mut(&mut open);
        ended.state = OperationState::Superseded;
        ended.ended_at = Some(self.now);
        self.save_operation(&open)
    }

    /// Writes a reservation that was won.
    pub(crate) fn reserve(&mut self, create: &Operation, incarnation: u32) -> Result<(), Failure> {
        let (source, target) = (&create.source, create.target.as_str());
        self.run(RESERVE, params![source.system.as_str(), source.id, target, incarnation, create.id.0])?;
        self.reserved.push(source.clone());
        Ok(())
    }

    /// Writes a new pair and, by the schema's trigger, its two mapping rows. Answers it with its number.
    pub(crate) fn insert_pair(&mut self, mut pair: Pair) -> Result<Arc<Pair>, Failure> {
        pair.id = writes::insert_pair(self.connection, &pair)?;
        let [first, second] = &pair.sides;
        // The mapping guards the key from here on.
        let (source, target) = (&first.record, second.record.system.as_str());
        self.run(FREE, params![source.system.as_str(), source.id, target])?;
        for side in &pair.sides {
            let key = params![side.record.system.as_str(), side.record.id];
            if sql::one(self.connection, PAIRS_OF, key, |row| row.get().map(PairId))? == Some(pair.id) {
                self.first.push((side.record.clone(), pair.id));
            }
        }
        let pair = Arc::new(pair);
        self.pairs.insert(pair.id, Arc::clone(&pair));
        Ok(pair)
    }

    /// Changes a pair and writes that. Its open operation goes by the operations.
    pub(crate) fn change_pair(&mut self, id: PairId, change: impl FnOnce(&mut Pair)) -> Result<(), Failure> {
        let connection = self.connection;
        let Some(before) = self.pair(id)? else { return Err(Failure(format!("there is no pair {}", id.0))) };
        let pair = self.pairs.entry(id).or_insert_with(|| Arc::clone(&before));
        change(Arc::make_mut(pair));
        writes::update_pair(connection, &before, pair)
    }

    /// A pair to be changed, as this transaction has it.
    fn pair_mut(&mut self, id: PairId) -> Result<Option<&mut Pair>, Failure> {
        if !self.pairs.contains_key(&id) {
            let Some(pair) = self.pair(id)? else { return Ok(None) };
            self.pairs.insert(id, pair);
        }
        Ok(self.pairs.get_mut(&id).map(Arc::make_mut))
    }

    /// Writes the pair of a create and the record it has made. If the source record is gone meanwhile, the pair is
    /// born inactive.
    pub(crate) fn give_birth(
        &mut self,
        mut create: Arc<Operation>,
        made: &str,
        closed: bool,
    ) -> Result<Arc<Pair>, Failure> {
        let mut pair = Pair::born(PairId(0), &create, made, self.now);
        if closed {
            pair.state = PairState::Inactive { gone: create.source.system.clone(), since: self.now };
        }
        let pair = self.insert_pair(pair)?;
        Arc::make_mut(&mut create).pair = Some(pair.id);
        self.save_operation(&create)?;
        Ok(pair)
    }

    pub(crate) fn add_notes(&mut self, pair: PairId, notes: &[Note]) -> Result<(), Failure> {
        notes.iter().try_for_each(|note| writes::insert_note(self.connection, pair, note, self.now))
    }

    /// Opens a case, or answers the open one that asks the same about the same records.
    pub(crate) fn open_case(&self, case: &Case) -> Result<CaseId, Failure> {
        // The update changes nothing: it makes the open row answer its number.
        let id = sql::one(
            self.connection,
            "INSERT INTO cases (kind, records, detail, opened_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (kind, records) WHERE closed_at IS NULL DO UPDATE SET kind = excluded.kind RETURNING id",
            params![case.kind.name(), record_list(&case.records)?, case.detail, self.now.as_millis()],
            |row| row.get().map(CaseId),
        )?;
        id.ok_or_else(|| Failure("a case has no number".to_owned()))
    }

    /// Opens the case of a record that may be a second copy.
    pub(crate) fn open_copy_case(&self, records: Vec<RecordId>, detail: &str) -> Result<CaseId, Failure> {
        let detail = detail.to_owned();
        self.open_case(&Case { id: CaseId(0), kind: CaseKind::Copy, records, detail, opened_at: self.now })
    }
}
