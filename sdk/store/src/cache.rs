//! Pairs and operations as they were committed last, kept in memory.
//!
//! Never the truth, only a copy of it that is safe to use: the one writer puts in what it has committed before it
//! answers anybody, and a reader puts in what it has read only if nothing was committed meanwhile. When another process
//! has written, or a commit has failed, all of it is forgotten.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairline_sdk::{Fields, Look, Operation, OperationId, Pair, PairId, RecordId, System};
use quick_cache::Weighter;
use quick_cache::unsync;

use crate::standing::Standing;

/// What is kept in memory, for the writer and the readers.
#[derive(Clone)]
pub(crate) struct Cache(Arc<Mutex<Held>>);

struct Held {
    /// Counts what was put in by the writer, so that a reader notices it.
    commits: u64,
    pairs: unsync::Cache<PairId, Arc<Pair>, Bytes>,
    /// Creates that are not mapped yet. An update is found by its pair.
    creates: unsync::Cache<OperationId, Arc<Operation>, Bytes>,
    /// What stands in the mapping for records. A first pair never changes: pairs are numbered in the order they are
    /// made, and stay.
    records: unsync::Cache<RecordId, Place>,
}

#[derive(Clone, Copy)]
enum Place {
    First(PairId),
    Nowhere,
}

/// What is known of a record.
pub(crate) enum Known {
    /// Its first pair.
    First(Arc<Pair>),
    /// It has neither a pair nor a reservation.
    Nowhere,
}

impl Known {
    /// What that means to whoever asks about a target system; nothing when the first pair is with another one.
    pub(crate) fn look(self, record: &RecordId, target: &System) -> Option<Look> {
        match self {
            Self::First(pair) => {
                let with_target = pair.other(&record.system).record.system == *target;
                with_target.then(|| Standing::of(pair).look())
            }
            Self::Nowhere => Some(Look::Missing),
        }
    }
}

/// What a transaction has changed.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) pairs: Vec<Arc<Pair>>,
    pub(crate) operations: Vec<Arc<Operation>>,
    /// Records with their first pair, where that is new.
    pub(crate) first: Vec<(RecordId, PairId)>,
    /// Records that have a reservation now.
    pub(crate) reserved: Vec<RecordId>,
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
            creates: unsync::Cache::with_weighter(pairs / 4, bytes / 4, Bytes),
            records: unsync::Cache::new(pairs * 2),
        })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing in here is left half-changed by a panic: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pair(&self, id: PairId) -> Option<Arc<Pair>> {
        self.held().pairs.get(&id).cloned()
    }

    /// What is known of a record.
    pub(crate) fn record(&self, record: &RecordId) -> Option<Known> {
        let held = self.held();
        match held.records.get(record)? {
            Place::First(pair) => held.pairs.get(pair).cloned().map(Known::First),
            Place::Nowhere => Some(Known::Nowhere),
        }
    }

    pub(crate) fn create(&self, id: &OperationId) -> Option<Arc<Operation>> {
        self.held().creates.get(id).cloned()
    }

    /// To be taken before a read whose answer is to be kept.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.held().commits)
    }

    /// Keeps what is known of a record as it was read after a moment.
    pub(crate) fn was_read(&self, after: Moment, record: &RecordId, known: &Known) {
        let mut held = self.held();
        // Else it may be older than what the writer has put in, and than what was dropped again for want of room.
        if Moment(held.commits) != after {
            return;
        }
        let place = match known {
            Known::First(pair) => {
                held.pairs.insert(pair.id, Arc::clone(pair));
                Place::First(pair.id)
            }
            Known::Nowhere => Place::Nowhere,
        };
        held.records.insert(record.clone(), place);
    }

    /// Takes in what was just committed.
    pub(crate) fn committed(&self, changed: Changed) {
        let mut held = self.held();
        held.commits += 1;
        for pair in changed.pairs {
            held.pairs.insert(pair.id, pair);
        }
        for operation in changed.operations {
            if operation.pair.is_none() {
                held.creates.insert(operation.id.clone(), operation);
            } else {
                held.creates.remove(&operation.id);
            }
        }
        for record in changed.reserved {
            held.records.remove(&record);
        }
        for (record, pair) in changed.first {
            held.records.insert(record, Place::First(pair));
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut held = self.held();
        held.commits += 1;
        held.pairs.clear();
        held.creates.clear();
        held.records.clear();
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
        cache.was_read(before, &record, &Known::First(Arc::new(old)));

        assert_eq!(cache.pair(PairId(7)).unwrap().revision.0, 2);
    }

    #[test]
    fn nor_one_that_was_dropped_for_want_of_room() {
        let cache = Cache::new(1 << 20);
        let record = pair(1).sides[0].record.clone();
        let before = cache.moment();

        cache.committed(Changed::default());
        cache.was_read(before, &record, &Known::First(Arc::new(pair(1))));

        assert!(cache.record(&record).is_none());
    }

    #[test]
    fn a_record_that_stood_nowhere_is_asked_about_again_once_it_has_a_reservation() {
        let cache = Cache::new(1 << 20);
        let record = pair(1).sides[0].record.clone();
        cache.was_read(cache.moment(), &record, &Known::Nowhere);
        assert!(matches!(cache.record(&record), Some(Known::Nowhere)));

        cache.committed(Changed { reserved: vec![record.clone()], ..Changed::default() });

        assert!(cache.record(&record).is_none());
    }

    #[test]
    fn large_pairs_take_the_room_of_many() {
        let cache = Cache::new(1 << 20);
        for number in 0..100 {
            let mut large = pair(1);
            large.id = PairId(number);
            large.sides[0].base = Arc::new([("notes".to_owned(), "x".repeat(100_000).into())].into_iter().collect());
            cache.committed(Changed { pairs: vec![Arc::new(large)], ..Changed::default() });
        }

        let kept = (0..100).filter(|number| cache.pair(PairId(*number)).is_some()).count();

        assert!((1..=8).contains(&kept), "expected at most 8 pairs of 100 kB in 768 kB, found {kept}");
    }
}
