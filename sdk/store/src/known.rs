//! What the commands of a group will read first, read for all of them at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use pairline_sdk::{Operation, OperationId, Pair, PairId, RecordId, System};
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;

use crate::batch::Batch;
use crate::cache::Cache;
use crate::changes::Key;
use crate::failure::Failure;
use crate::row::{PAIR_COLUMNS, Reader, json, operation_columns, pair_columns};

/// What commands say they will read. What is in memory is not read again.
pub(crate) struct Needs<'c> {
    cache: &'c Cache,
    pairs: BTreeSet<PairId>,
    operations: BTreeSet<OperationId>,
    places: Vec<Key>,
}

impl<'c> Needs<'c> {
    pub(crate) fn new(cache: &'c Cache) -> Self {
        Self { cache, pairs: BTreeSet::new(), operations: BTreeSet::new(), places: Vec::new() }
    }

    pub(crate) fn pair(&mut self, id: PairId) {
        if self.cache.pair(id).is_none() {
            self.pairs.insert(id);
        }
    }

    /// An operation and its pair. Answers the operation if it is known already.
    pub(crate) fn operation(&mut self, id: &OperationId) -> Option<Arc<Operation>> {
        let operation = self.cache.operation(id);
        match &operation {
            Some(operation) => operation.pair.into_iter().for_each(|pair| self.pair(pair)),
            None => _ = self.operations.insert(id.clone()),
        }
        operation
    }

    /// What stands in the mapping for a record and a target system.
    pub(crate) fn place(&mut self, record: &RecordId, target: &System) {
        self.places.push((record.clone(), target.clone()));
    }
}

/// What stands in the mapping for a record and a target system: a pair, a reservation, or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) pair: Option<PairId>,
    pub(crate) reservation: Option<PlaceHeld>,
    /// Whether the record is known to have no pair with any system.
    pub(crate) alone: bool,
}

/// A reservation, its operation by name.
#[derive(Clone, Debug)]
pub(crate) struct PlaceHeld {
    pub(crate) incarnation: u32,
    pub(crate) closed: bool,
    pub(crate) operation: OperationId,
}

/// What was read. A pair may be read twice, by itself and with its operation; both are the same row.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) pairs: HashMap<PairId, Arc<Pair>>,
    pub(crate) operations: HashMap<OperationId, Arc<Operation>>,
    pub(crate) places: HashMap<Key, Place>,
    /// Of the event keys asked about, by their place in the question, those that were taken before.
    pub(crate) taken: HashSet<usize>,
    /// The highest number of a pair.
    pub(crate) last_pair: i64,
    /// Whether counterparts may be created, as it is kept.
    pub(crate) creates: Option<String>,
    /// Changes when another process commits.
    pub(crate) data_version: i64,
}

/// What the rows of each statement begin with.
const HEAD: i64 = 0;
const PAIR: i64 = 1;

/// One row for all that is small. `?`: event keys, then places.
const HEAD_SELECT: &str = "\
    SELECT 0, (SELECT data_version FROM pragma_data_version), (SELECT coalesce(max(id), 0) FROM pair), \
        (SELECT value FROM meta WHERE key = 'creates'), \
        (SELECT json_group_array(key) FROM json_each(?) WHERE EXISTS (\
            SELECT 1 FROM inbox WHERE application = value ->> 0 AND record_id = value ->> 1 \
                AND event_key = value ->> 2)), \
        (SELECT json_group_array(json_array(j.key, m.pair, r.incarnation, r.closed, r.operation, \
                (SELECT min(pair) FROM mapping WHERE source_system = j.value ->> 0 AND source_id = j.value ->> 1))) \
            FROM json_each(?) j \
            LEFT JOIN mapping m ON m.source_system = j.value ->> 0 AND m.source_id = j.value ->> 1 \
                AND m.target_system = j.value ->> 2 \
            LEFT JOIN reservation r ON r.source_system = j.value ->> 0 AND r.source_id = j.value ->> 1 \
                AND r.target_system = j.value ->> 2)";

/// Pairs with their open operations. `?`: their numbers, then the names of operations whose pairs they are.
const PAIRS_SELECT: &str = concat!(
    "SELECT 1, ",
    pair_columns!(),
    ", ",
    operation_columns!(),
    " FROM pair p LEFT JOIN operation o ON o.pair = p.id AND o.state IN ('pending', 'unknown')",
    " WHERE p.id IN (SELECT value FROM json_each(?)",
    " UNION SELECT pair FROM operation WHERE id IN (SELECT value FROM json_each(?)))"
);

/// `?`: their names.
const OPERATIONS_SELECT: &str =
    concat!("SELECT 2, ", operation_columns!(), " FROM operation o WHERE o.id IN (SELECT value FROM json_each(?))");

/// A place as [`HEAD_SELECT`] answers it: which one, its pair, its reservation, the first pair of its record.
#[derive(Deserialize)]
struct PlaceRow(usize, Option<i64>, Option<u32>, Option<i64>, Option<OperationId>, Option<i64>);

impl Known {
    /// Adds the statements that read what is needed. `keys`: event keys, each with its record first.
    pub(crate) fn ask(batch: &mut Batch, needs: &Needs<'_>, keys: String) -> Result<(), Failure> {
        let places: Vec<_> = needs.places.iter().map(|(record, target)| (&record.system, &record.id, target)).collect();
        batch.add(HEAD_SELECT).bind(keys)?.bind(json(&places)?)?;
        if !needs.pairs.is_empty() || !needs.operations.is_empty() {
            let operations = json(&needs.operations)?;
            batch.add(PAIRS_SELECT).bind(json(&needs.pairs)?)?.bind(operations.clone())?;
            batch.add(OPERATIONS_SELECT).bind(operations)?;
        }
        Ok(())
    }

    /// Takes their rows.
    pub(crate) fn read(rows: &[SqliteRow], needs: Needs<'_>) -> Result<Self, Failure> {
        let mut known = Self::default();
        let mut asked: Vec<Option<Key>> = needs.places.into_iter().map(Some).collect();
        for row in rows {
            let mut columns = Reader::at(row, 0);
            match columns.get::<i64>()? {
                HEAD => {
                    (known.data_version, known.last_pair) = (columns.get()?, columns.get()?);
                    (known.creates, known.taken) = (columns.get()?, columns.json()?);
                    for PlaceRow(index, pair, incarnation, closed, operation, first) in columns.json::<Vec<_>>()? {
                        let Some(key) = asked.get_mut(index).and_then(Option::take) else { continue };
                        let reservation = incarnation.zip(operation).map(|(incarnation, operation)| PlaceHeld {
                            incarnation,
                            closed: closed == Some(1),
                            operation,
                        });
                        let alone = first.is_none();
                        known.places.insert(key, Place { pair: pair.map(PairId), reservation, alone });
                    }
                }
                PAIR => known.add_pair(pair_with_open(row, 1)?),
                _ => known.add_operation(columns.operation()?),
            }
        }
        Ok(known)
    }

    fn add_pair(&mut self, pair: Pair) {
        self.pairs.insert(pair.id, Arc::new(pair));
    }

    fn add_operation(&mut self, operation: Operation) {
        self.operations.insert(operation.id.clone(), Arc::new(operation));
    }
}

/// Reads a pair with its open operation, from column `first`.
pub(crate) fn pair_with_open(row: &SqliteRow, first: usize) -> Result<Pair, Failure> {
    let mut pair = Reader::at(row, first).pair()?;
    let mut open = Reader::at(row, first + PAIR_COLUMNS);
    if !open.is_absent()? {
        pair.open = Some(Arc::new(open.operation()?));
    }
    Ok(pair)
}
