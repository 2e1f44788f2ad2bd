//! What a command may do inside its transaction: look at rows, change rows. What changes in them is the SDK's business.
//!
//! Changes are kept in memory until the transaction ends, or until a command asks for the connection itself; then they
//! are written, all rows of a kind in one statement. A command sees its own changes and those of the commands before it.

use std::collections::HashMap;
use std::sync::Arc;

use pairline_sdk::{
    Case, CaseId, CaseKind, Note, Operation, OperationId, OperationState, Pair, PairId, PairState, Random, RecordId,
    Reservation, System, Timestamp, time_ordered_id,
};
use sqlx::SqliteConnection;

use crate::batch::Batch;
use crate::cache::{Cache, Changed};
use crate::changes::{Changes, Key, NoteRow, Reserved};
use crate::failure::Failure;
use crate::known::{Known, Place, PlaceHeld, pair_with_open};
use crate::row::{Reader, operation_columns, pair_columns, record_list};
use crate::standing::Standing;

/// A transaction at work.
pub(crate) struct Work<'t> {
    connection: &'t mut SqliteConnection,
    cache: &'t Cache,
    pub(crate) random: &'t dyn Random,
    /// One instant for all of it.
    pub(crate) now: Timestamp,
    /// The start of the program.
    pub(crate) start: i64,
    /// Rows as this transaction has them. A pair always has the open operation it has now.
    pairs: HashMap<PairId, Arc<Pair>>,
    operations: HashMap<OperationId, Arc<Operation>>,
    places: HashMap<Key, Place>,
    last_pair: i64,
    /// Whether counterparts may be created, as it is kept.
    pub(crate) creates: Option<String>,
    /// What is not written yet.
    changes: Changes,
    /// What was written or will be, to be kept in memory once it is committed.
    touched: Touched,
}

/// Rows a transaction has changed.
#[derive(Default)]
struct Touched {
    pairs: Vec<PairId>,
    operations: Vec<OperationId>,
    /// Records with their first pair.
    first: Vec<(RecordId, PairId)>,
}

const PAIR: &str = concat!(
    "SELECT ",
    pair_columns!(),
    ", ",
    operation_columns!(),
    " FROM pair p LEFT JOIN operation o ON o.pair = p.id AND o.state IN ('pending', 'unknown') WHERE p.id = $1"
);

const OPERATION: &str = concat!("SELECT ", operation_columns!(), " FROM operation o WHERE o.id = $1");

const PLACE: &str = "\
    SELECT m.pair, r.incarnation, r.closed, r.operation FROM (SELECT 1) \
    LEFT JOIN mapping m ON m.source_system = $1 AND m.source_id = $2 AND m.target_system = $3 \
    LEFT JOIN reservation r ON r.source_system = $1 AND r.source_id = $2 AND r.target_system = $3";

impl<'t> Work<'t> {
    pub(crate) fn new(
        connection: &'t mut SqliteConnection,
        cache: &'t Cache,
        random: &'t dyn Random,
        now: Timestamp,
        start: i64,
        known: Known,
    ) -> Self {
        let Known { pairs, operations, places, last_pair, creates, .. } = known;
        Self {
            connection,
            cache,
            random,
            now,
            start,
            pairs,
            operations,
            places,
            last_pair,
            creates,
            changes: Changes::default(),
            touched: Touched::default(),
        }
    }

    /// The connection itself, for what is rare. Everything before it is written first.
    pub(crate) async fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        let mut batch = Batch::default();
        self.write(&mut batch)?;
        if !batch.is_empty() {
            batch.run(self.connection).await?;
        }
        // What is done there may change what stands in a place; pairs and operations are changed here alone.
        self.places.clear();
        Ok(self.connection)
    }

    /// Adds the statements for what is not written yet.
    fn write(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        let changes = std::mem::take(&mut self.changes);
        changes.write(batch, |id| self.pairs.get(&id).map(Arc::as_ref), |id| self.operations.get(id).map(Arc::as_ref))
    }

    /// Ends the work: adds the statements for what is not written yet, and answers what is to be kept in memory once
    /// they are committed.
    pub(crate) fn end(mut self, batch: &mut Batch) -> Result<Changed, Failure> {
        self.write(batch)?;
        let Touched { pairs, operations, first } = self.touched;
        Ok(Changed {
            pairs: pairs.iter().filter_map(|id| self.pairs.remove(id)).collect(),
            operations: operations.iter().filter_map(|id| self.operations.remove(id)).collect(),
            first,
        })
    }

    pub(crate) fn next_operation(&self) -> OperationId {
        OperationId(time_ordered_id(self.now, self.random))
    }

    async fn place(&mut self, key: &Key) -> Result<Place, Failure> {
        if let Some(place) = self.places.get(key) {
            return Ok(place.clone());
        }
        let (record, target) = key;
        let row = sqlx::query(PLACE)
            .bind(record.system.as_str())
            .bind(record.id.as_str())
            .bind(target.as_str())
            .fetch_one(&mut *self.connection)
            .await?;
        let mut columns = Reader::at(&row, 0);
        let pair = columns.get::<Option<i64>>()?.map(PairId);
        let reservation = if columns.is_absent()? {
            None
        } else {
            let (incarnation, closed) = (columns.count()?, columns.get()?);
            Some(PlaceHeld { incarnation, closed, operation: OperationId(columns.get()?) })
        };
        let place = Place { pair, reservation, alone: false };
        self.places.insert(key.clone(), place.clone());
        Ok(place)
    }

    pub(crate) async fn standing(&mut self, record: &RecordId, target: &System) -> Result<Standing, Failure> {
        let place = self.place(&(record.clone(), target.clone())).await?;
        if let Some(pair) = place.pair {
            return Ok(Standing { pair: self.pair(pair).await?, reservation: None });
        }
        let Some(PlaceHeld { incarnation, closed, operation }) = place.reservation else {
            return Ok(Standing::default());
        };
        let Some(operation) = self.operation(&operation).await? else {
            return Err(Failure(format!("the reservation of {record} names an operation that is not there")));
        };
        let (source, target) = (record.clone(), target.clone());
        let operation = Arc::unwrap_or_clone(operation);
        let reservation = Some(Reservation { source, target, incarnation, operation, closed });
        Ok(Standing { pair: None, reservation })
    }

    /// A pair with its open operation.
    pub(crate) async fn pair(&mut self, id: PairId) -> Result<Option<Arc<Pair>>, Failure> {
        if let Some(pair) = self.pairs.get(&id) {
            return Ok(Some(Arc::clone(pair)));
        }
        let pair = match self.cache.pair(id) {
            Some(pair) => pair,
            None => match sqlx::query(PAIR).bind(id.0).fetch_optional(&mut *self.connection).await? {
                Some(row) => Arc::new(pair_with_open(&row, 0)?),
                None => return Ok(None),
            },
        };
        self.pairs.insert(id, Arc::clone(&pair));
        Ok(Some(pair))
    }

    /// The pairs of a record, with every other system it has a counterpart in.
    pub(crate) async fn pairs_of(&mut self, record: &RecordId) -> Result<Vec<Arc<Pair>>, Failure> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT pair FROM mapping WHERE source_system = $1 AND source_id = $2 ORDER BY pair")
                .bind(record.system.as_str())
                .bind(record.id.as_str())
                .fetch_all(self.connection().await?)
                .await?;
        let mut pairs = Vec::with_capacity(ids.len());
        for id in ids {
            pairs.extend(self.pair(PairId(id)).await?);
        }
        Ok(pairs)
    }

    pub(crate) async fn operation(&mut self, id: &OperationId) -> Result<Option<Arc<Operation>>, Failure> {
        if let Some(operation) = self.operations.get(id) {
            return Ok(Some(Arc::clone(operation)));
        }
        let operation = match self.cache.operation(id) {
            Some(operation) => operation,
            None => {
                let row = sqlx::query(OPERATION).bind(id.0.as_str()).fetch_optional(&mut *self.connection).await?;
                let Some(row) = row else { return Ok(None) };
                Arc::new(Reader::at(&row, 0).operation()?)
            }
        };
        self.operations.insert(id.clone(), Arc::clone(&operation));
        Ok(Some(operation))
    }

    /// Writes an intent.
    pub(crate) async fn insert_operation(&mut self, operation: &Arc<Operation>) -> Result<(), Failure> {
        self.changes.intents.insert(operation.id.clone());
        self.keep_operation(operation).await
    }

    /// Writes what has changed in an operation.
    pub(crate) async fn save_operation(&mut self, operation: &Arc<Operation>) -> Result<(), Failure> {
        if !self.changes.intents.contains(&operation.id) {
            self.changes.operations.insert(operation.id.clone());
        }
        self.keep_operation(operation).await
    }

    async fn keep_operation(&mut self, operation: &Arc<Operation>) -> Result<(), Failure> {
        self.operations.insert(operation.id.clone(), Arc::clone(operation));
        self.touched.operations.push(operation.id.clone());
        let Some(id) = operation.pair else { return Ok(()) };
        let Some(mut pair) = self.pair(id).await? else { return Ok(()) };
        let was_open = pair.open.as_ref().is_some_and(|open| open.id == operation.id);
        if operation.state.is_open() {
            Arc::make_mut(&mut pair).open = Some(Arc::clone(operation));
        } else if was_open {
            Arc::make_mut(&mut pair).open = None;
        }
        self.keep_pair(pair);
        Ok(())
    }

    /// Ends an open operation that what was read has replaced.
    pub(crate) async fn supersede(&mut self, mut open: Arc<Operation>) -> Result<(), Failure> {
        let ended = Arc::make_mut(&mut open);
        ended.state = OperationState::Superseded;
        ended.ended_at = Some(self.now);
        self.save_operation(&open).await
    }

    /// Writes a reservation that was won.
    pub(crate) fn reserve(&mut self, create: &Operation, incarnation: u32) {
        let operation = create.id.clone();
        let key = (create.source.clone(), create.target.clone());
        let held = PlaceHeld { incarnation, closed: false, operation: operation.clone() };
        self.places.insert(key, Place { pair: None, reservation: Some(held), alone: false });
        self.changes.reserved.push(Reserved {
            source_system: create.source.system.clone(),
            source_id: create.source.id.clone(),
            target_system: create.target.clone(),
            incarnation,
            operation,
        });
    }

    /// Writes a new pair and, by the schema's trigger, its two mapping rows. Answers it with its number.
    pub(crate) fn insert_pair(&mut self, mut pair: Pair) -> Arc<Pair> {
        self.last_pair += 1;
        pair.id = PairId(self.last_pair);
        let [first, second] = &pair.sides;
        let keys = [
            (first.record.clone(), second.record.system.clone()),
            (second.record.clone(), first.record.system.clone()),
        ];
        // The mapping guards the key from here on.
        self.changes.freed.push(keys[0].clone());
        for key in keys {
            let place = Place { pair: Some(pair.id), reservation: None, alone: false };
            if self.places.insert(key.clone(), place).is_some_and(|before| before.alone) {
                self.touched.first.push((key.0, pair.id));
            }
        }
        self.changes.born.insert(pair.id);
        let pair = Arc::new(pair);
        self.keep_pair(Arc::clone(&pair));
        pair
    }

    /// Writes what has changed in a pair. Its open operation is not its own to change.
    pub(crate) fn save_pair(&mut self, mut pair: Arc<Pair>) {
        if !self.changes.born.contains(&pair.id) {
            self.changes.pairs.insert(pair.id);
        }
        // Gives up what was kept before it is changed, so that it need not be copied.
        let open = self.pairs.remove(&pair.id).and_then(|kept| kept.open.clone());
        if pair.open != open {
            Arc::make_mut(&mut pair).open = open;
        }
        self.keep_pair(pair);
    }

    fn keep_pair(&mut self, pair: Arc<Pair>) {
        self.touched.pairs.push(pair.id);
        self.pairs.insert(pair.id, pair);
    }

    /// Writes the pair of a create and the record it has made. If the source record is gone meanwhile, the pair is
    /// born inactive.
    pub(crate) async fn give_birth(
        &mut self,
        mut create: Arc<Operation>,
        made: &str,
        closed: bool,
    ) -> Result<Arc<Pair>, Failure> {
        let mut pair = Pair::born(PairId(0), &create, made, self.now);
        if closed {
            pair.state = PairState::Inactive { gone: create.source.system.clone(), since: self.now };
        }
        let pair = self.insert_pair(pair);
        Arc::make_mut(&mut create).pair = Some(pair.id);
        self.save_operation(&create).await?;
        Ok(pair)
    }

    pub(crate) fn add_notes(&mut self, pair: PairId, notes: &[Note]) -> Result<(), Failure> {
        for note in notes {
            self.changes.notes.push(NoteRow::of(pair, note, self.now)?);
        }
        Ok(())
    }

    /// Opens a case, or answers the open one that asks the same about the same records.
    pub(crate) async fn open_case(&mut self, case: &Case) -> Result<CaseId, Failure> {
        let now = self.now.as_millis();
        // The update changes nothing: it makes the open row answer its number.
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO cases (kind, records, detail, opened_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (kind, records) WHERE closed_at IS NULL DO UPDATE SET kind = excluded.kind RETURNING id",
        )
        .bind(case.kind.name())
        .bind(record_list(&case.records)?)
        .bind(case.detail.as_str())
        .bind(now)
        .fetch_one(self.connection().await?)
        .await?;
        Ok(CaseId(id))
    }

    /// Opens the case of a record that may be a second copy.
    pub(crate) async fn open_copy_case(&mut self, records: Vec<RecordId>, detail: &str) -> Result<CaseId, Failure> {
        let detail = detail.to_owned();
        self.open_case(&Case { id: CaseId(0), kind: CaseKind::Copy, records, detail, opened_at: self.now }).await
    }
}
