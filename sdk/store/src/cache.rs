//! Pairs and operations as they were committed last, kept in memory.
//!
//! Never the truth, only a copy of it that is safe to use: the one writer puts in what it has committed before it
//! answers anybody, and a reader puts in what it has read only if nothing was committed meanwhile. When another process
//! has written, or a commit has failed, all of it is forgotten.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairline_sdk::{Fields, Operation, OperationId, Pair, PairId, RecordId};
use quick_cache::Weighter;
use quick_cache::unsync;

/// What is kept in memory, for the writer and the readers.
#[derive(Clone)]
pub(crate) struct Cache(Arc<Mutex<Held>>);

struct Held {
    /// Counts what was put in by the writer, so that a reader notices it.
    commits: u64,
    pairs: unsync::Cache<PairId, Arc<Pair>, Bytes>,
    operations: unsync::Cache<OperationId, Arc<Operation>, Bytes>,
    /// The first pair of a record. That never changes: pairs are numbered in the order they are made, and stay.
    first: unsync::Cache<RecordId, PairId>,
}

/// What a transaction has changed.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) pairs: Vec<Arc<Pair>>,
    pub(crate) operations: Vec<Arc<Operation>>,
    /// Records with their first pair, where that is new.
    pub(crate) first: Vec<(RecordId, PairId)>,
}

/// Counts the commits of the writer up to a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u64);

impl Cache {
    /// Keeps up to about so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        // What a usual pair takes, to size the tables; the weights decide what stays.
        let pairs = usize::try_from(bytes / 3072).unwrap_or(usize::MAX).max(16);
        Self(Arc::new(Mutex::new(Held {
            commits: 0,
            pairs: unsync::Cache::with_weighter(pairs, bytes / 4 * 3, Bytes),
            operations: unsync::Cache::with_weighter(pairs / 4, bytes / 4, Bytes),
            first: unsync::Cache::new(pairs * 2),
        })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing in here is left half-changed by a panic: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pair(&self, id: PairId) -> Option<Arc<Pair>> {
        self.held().pairs.get(&id).cloned()
    }

    /// The first pair of a record.
    pub(crate) fn first_pair(&self, record: &RecordId) -> Option<Arc<Pair>> {
        let held = self.held();
        held.pairs.get(held.first.get(record)?).cloned()
    }

    pub(crate) fn operation(&self, id: &OperationId) -> Option<Arc<Operation>> {
        self.held().operations.get(id).cloned()
    }

    /// To be taken before a read whose answer is to be kept.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.held().commits)
    }

    /// Keeps the first pair of a record as it was read after a moment.
    pub(crate) fn was_read(&self, after: Moment, record: &RecordId, pair: &Arc<Pair>) {
        let mut held = self.held();
        // Else it may be older than what the writer has put in, and than what was dropped again for want of room.
        if Moment(held.commits) == after {
            held.first.insert(record.clone(), pair.id);
            held.pairs.insert(pair.id, Arc::clone(pair));
        }
    }

    /// Takes in what was just committed.
    pub(crate) fn committed(&self, changed: Changed) {
        let mut held = self.held();
        held.commits += 1;
        for pair in changed.pairs {
            held.pairs.insert(pair.id, pair);
        }
        for operation in changed.operations {
            held.operations.insert(operation.id.clone(), operation);
        }
        for (record, pair) in changed.first {
            held.first.insert(record, pair);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut held = self.held();
        held.commits += 1;
        held.pairs.clear();
        held.operations.clear();
        held.first.clear();
    }
}

/// Weighs in bytes, roughly: the texts, and what stands around them.
#[derive(Clone)]
struct Bytes;

impl Weighter<PairId, Arc<Pair>> for Bytes {
    fn weight(&self, _: &PairId, pair: &Arc<Pair>) -> u64 {
        let sides: u64 = pair.sides.iter().map(|side| side.record.id.len() as u64 + of_fields(&side.base)).sum();
        512 + sides + pair.open.as_deref().map_or(0, of_operation)
    }
}

impl Weighter<OperationId, Arc<Operation>> for Bytes {
    fn weight(&self, _: &OperationId, operation: &Arc<Operation>) -> u64 {
        of_operation(operation)
    }
}

fn of_operation(operation: &Operation) -> u64 {
    let writes: u64 = operation
        .writes
        .iter()
        .map(|write| {
            let seen_target = write.seen_target.as_ref().map_or(0, of_fields);
            of_fields(&write.seen_source) + seen_target + of_fields(&write.value)
        })
        .sum();
    let answered = operation.answered.as_ref().map_or(0, of_fields);
    768 + operation.request.body.len() as u64 + writes + answered
}

fn of_fields(fields: &Fields) -> u64 {
    fields.iter().map(|(name, value)| 96 + name.len() as u64 + of_value(value)).sum()
}

fn of_value(value: &serde_json::Value) -> u64 {
    match value {
        serde_json::Value::String(text) => text.len() as u64,
        serde_json::Value::Array(items) => items.iter().map(|item| 32 + of_value(item)).sum(),
        serde_json::Value::Object(fields) => of_fields(fields),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::{System, Timestamp};

    use super::*;

    fn pair(revision: i64) -> Pair {
        let records = [RecordId::new(&System::new("crm"), "1"), RecordId::new(&System::new("erp"), "2")];
        let mut pair = Pair::found(PairId(7), "contact", records, "crm-to-erp", Timestamp::from_millis(0));
        pair.revision.0 = revision;
        pair
    }

    #[test]
    fn a_reader_never_puts_an_older_pair_over_a_newer_one() {
        let cache = Cache::new(1 << 20);
        let (old, new) = (pair(1), pair(2));
        let record = old.sides[0].record.clone();
        let before = cache.moment();

        cache.committed(Changed { pairs: vec![Arc::new(new)], ..Changed::default() });
        cache.was_read(before, &record, &Arc::new(old));

        assert_eq!(cache.pair(PairId(7)).unwrap().revision.0, 2);
    }

    #[test]
    fn nor_one_that_was_dropped_for_want_of_room() {
        let cache = Cache::new(1 << 20);
        let record = pair(1).sides[0].record.clone();
        let before = cache.moment();

        cache.committed(Changed::default());
        cache.was_read(before, &record, &Arc::new(pair(1)));

        assert!(cache.first_pair(&record).is_none());
    }

    #[test]
    fn large_pairs_take_the_room_of_many() {
        let cache = Cache::new(1 << 20);
        for number in 0..100 {
            let mut large = pair(1);
            large.id = PairId(number);
            large.sides[0].base.insert("notes".to_owned(), "x".repeat(100_000).into());
            cache.committed(Changed { pairs: vec![Arc::new(large)], ..Changed::default() });
        }

        let kept = (0..100).filter(|number| cache.pair(PairId(*number)).is_some()).count();

        assert!((1..=8).contains(&kept), "expected at most 8 pairs of 100 kB in 768 kB, found {kept}");
    }
}
