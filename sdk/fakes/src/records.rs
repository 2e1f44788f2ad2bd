//! Records: what a server stores, with the past few seconds of every record kept.
//!
//! A search that lags must answer with the record *as it was*, not hide it, so a record keeps the versions that
//! some view may still see. Three indexes keep reads from scanning: by id, by field value, by time of change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::history::{Deed, History, RecordView, WriteEntry, Writer};
use crate::wall::Wall;

/// No view may lag more than this: the bound the contract gives for the CRM's search.
pub(crate) const LAG_MAX_MS: u64 = 3_000;

/// A record between two writes. Never changed in place: a reader may hold it while the next version is made.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) fields: Map<String, Value>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) gone: bool,
}

/// Which moment a reader sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View {
    Now,
    AsOf(i64),
}

impl View {
    pub(crate) fn lagging(lag_ms: u64, wall: Wall) -> Self {
        match i64::try_from(lag_ms.min(LAG_MAX_MS)) {
            Ok(lag_ms) if lag_ms > 0 => View::AsOf(wall.now_ms() - lag_ms),
            _ => View::Now,
        }
    }
}

/// A write that leaves the record as `fields` say, and its line in the history.
pub(crate) struct Write {
    pub(crate) writer: Writer,
    pub(crate) deed: Deed,
    pub(crate) sent: Map<String, Value>,
    pub(crate) changed: Vec<String>,
}

#[derive(Debug)]
struct Record {
    /// Oldest first and never empty; each with the moment it became visible.
    versions: VecDeque<(i64, Arc<State>)>,
    history: History,
    /// Nobody finds it any more, but for an audit.
    purged: bool,
}

impl Record {
    fn newest(&self) -> &Arc<State> {
        let (_, state) = self.versions.back().expect("a record has a version");
        state
    }

    fn seen_at(&self, view: View) -> Option<&Arc<State>> {
        match view {
            View::Now => Some(self.newest()),
            View::AsOf(at_ms) => {
                let seen = self.versions.iter().rev().find(|(from, _)| *from <= at_ms);
                seen.map(|(_, state)| state)
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Records {
    next_id: u64,
    last_ms: i64,
    wall: Wall,
    by_id: BTreeMap<u64, Record>,
    /// (hash of name and text, id), for every version still kept. A hit is a candidate and is always looked at
    /// again, so a collision or an old value costs a comparison and nothing else.
    by_value: BTreeSet<(u64, u64)>,
    /// (time of the last change, id). What an older view saw as changed after X was also last changed after X.
    by_time: BTreeSet<(i64, u64)>,
    /// Writes whose older versions have yet to become invisible, in the order they were made.
    aging: VecDeque<(i64, u64)>,
}

impl Records {
    pub(crate) fn starting_at(first_id: u64, wall: Wall) -> Self {
        Self {
            wall,
            next_id: first_id,
            last_ms: 0,
            by_id: BTreeMap::new(),
            by_value: BTreeSet::new(),
            by_time: BTreeSet::new(),
            aging: VecDeque::new(),
        }
    }

    /// Makes a record and answers its id.
    pub(crate) fn insert(&mut self, fields: Map<String, Value>, write: Write) -> u64 {
        let at_ms = self.tick();
        let id = self.next_id;
        self.next_id += 1;
        let state = State { fields, created_ms: at_ms, updated_ms: at_ms, gone: false };
        let record = Record { versions: VecDeque::with_capacity(1), history: History::default(), purged: false };
        self.by_id.insert(id, record);
        self.push(id, at_ms, state);
        self.note(id, at_ms, write);
        id
    }

    /// Saves a record that exists.
    pub(crate) fn save(&mut self, id: u64, fields: Map<String, Value>, gone: bool, write: Write) {
        let at_ms = self.tick();
        let Some(created_ms) = self.newest(id).map(|state| state.created_ms) else {
            return;
        };
        let state = State { fields, created_ms, updated_ms: at_ms, gone };
        self.push(id, at_ms, state);
        self.note(id, at_ms, write);
    }

    /// Empties a record, after which nobody finds it, not even among those that are gone.
    pub(crate) fn purge(&mut self, id: u64, write: Write) {
        self.save(id, Map::new(), true, write);
        if let Some(record) = self.by_id.get_mut(&id) {
            record.purged = true;
        }
    }

    /// Notes a write that changed nothing and left no version.
    pub(crate) fn note_idle(&mut self, id: u64, write: Write) {
        let at_ms = self.tick();
        self.note(id, at_ms, write);
    }

    /// The record, also when it is gone, but not when it is purged.
    pub(crate) fn newest(&self, id: u64) -> Option<&Arc<State>> {
        self.by_id.get(&id).filter(|record| !record.purged).map(Record::newest)
    }

    /// The record, unless it is gone.
    pub(crate) fn live(&self, id: u64) -> Option<&Arc<State>> {
        self.newest(id).filter(|state| !state.gone)
    }

    /// The record as a lagging reader sees it, unless it was gone or not there yet.
    pub(crate) fn seen(&self, id: u64, view: View) -> Option<&Arc<State>> {
        let seen = self.by_id.get(&id)?.seen_at(view)?;
        (!seen.gone).then_some(seen)
    }

    /// Ids of records that have, or lately had, this value. Some may not: look at each.
    pub(crate) fn maybe_with(&self, name: &str, value: &str) -> impl Iterator<Item = u64> {
        let key = value_key(name, value);
        self.by_value.range((key, 0)..=(key, u64::MAX)).map(|(_, id)| *id)
    }

    /// Ids of live records that have this value now, in order.
    pub(crate) fn with(&self, name: &str, value: &str) -> impl Iterator<Item = u64> {
        self.maybe_with(name, value).filter(move |id| {
            let state = self.live(*id);
            state.is_some_and(|state| state.fields.get(name).and_then(Value::as_str) == Some(value))
        })
    }

    /// Ids of records last changed at or after `since_ms`, oldest change first.
    pub(crate) fn changed_since(&self, since_ms: i64) -> impl Iterator<Item = u64> {
        self.by_time.range((since_ms, 0)..).map(|(_, id)| *id)
    }

    /// All ids above `id`, in order.
    pub(crate) fn ids_after(&self, id: u64) -> impl Iterator<Item = u64> {
        self.by_id.range((Bound::Excluded(id), Bound::Unbounded)).map(|(id, _)| *id)
    }

    pub(crate) fn history(&self, id: u64) -> Option<Vec<WriteEntry>> {
        self.by_id.get(&id).map(|record| record.history.entries())
    }

    /// Every record there ever was, shown with its id by `name`.
    pub(crate) fn snapshot(&self, name: impl Fn(u64) -> String) -> Vec<RecordView> {
        let view = |(id, record): (&u64, &Record)| {
            let state = record.newest();
            RecordView {
                id: name(*id),
                fields: state.fields.clone(),
                created_at_ms: state.created_ms,
                updated_at_ms: state.updated_ms,
                gone: state.gone,
            }
        };
        self.by_id.iter().map(view).collect()
    }

    /// The clock of this store never goes back, or a listing by time would miss a change.
    fn tick(&mut self) -> i64 {
        self.last_ms = self.last_ms.max(self.wall.now_ms());
        self.last_ms
    }

    fn note(&mut self, id: u64, at_ms: i64, write: Write) {
        if let Some(record) = self.by_id.get_mut(&id) {
            record.history.note(WriteEntry {
                at_ms,
                writer: write.writer,
                deed: write.deed,
                fields: write.sent,
                changed: write.changed,
            });
        }
    }

    fn push(&mut self, id: u64, at_ms: i64, state: State) {
        let Some(record) = self.by_id.get_mut(&id) else {
            return;
        };
        if let Some((_, before)) = record.versions.back() {
            self.by_time.remove(&(before.updated_ms, id));
            self.aging.push_back((at_ms, id));
        }
        self.by_time.insert((state.updated_ms, id));
        self.by_value.extend(value_keys(&state).map(|key| (key, id)));
        record.versions.push_back((at_ms, Arc::new(state)));
        self.forget_unseen(at_ms);
    }

    /// Drops the versions that even the slowest view has left behind.
    fn forget_unseen(&mut self, now_ms: i64) {
        let oldest_view_ms = now_ms - LAG_MAX_MS as i64;
        while let Some((_, id)) = self.aging.pop_front_if(|(at_ms, _)| *at_ms < oldest_view_ms) {
            let Some(record) = self.by_id.get_mut(&id) else {
                continue;
            };
            // A version is unseen once the one after it is older than every view.
            while record.versions.get(1).is_some_and(|(at_ms, _)| *at_ms < oldest_view_ms) {
                let Some((_, unseen)) = record.versions.pop_front() else {
                    break;
                };
                for key in value_keys(&unseen) {
                    let mut kept = record.versions.iter();
                    if !kept.any(|(_, state)| value_keys(state).any(|other| other == key)) {
                        self.by_value.remove(&(key, id));
                    }
                }
            }
        }
    }
}

fn value_keys(state: &State) -> impl Iterator<Item = u64> {
    let texts = state.fields.iter();
    texts.filter_map(|(name, value)| Some(value_key(name, value.as_str()?)))
}

fn value_key(name: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, value).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(deed: Deed) -> Write {
        Write { writer: Writer::Person, deed, sent: Map::new(), changed: Vec::new() }
    }

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_older_view_sees_the_older_version_and_the_index_finds_both() {
        let mut records = Records::starting_at(101, Wall::of_the_machine());
        let id = records.insert(fields(json!({"email": "old"})), write(Deed::Created));
        let before_ms = records.newest(id).unwrap().updated_ms;
        records.last_ms += 10;
        records.save(id, fields(json!({"email": "new"})), false, write(Deed::Updated));

        let seen = |view| records.seen(id, view).map(|state| state.fields["email"].clone());
        assert_eq!(seen(View::Now), Some(json!("new")));
        assert_eq!(seen(View::AsOf(before_ms)), Some(json!("old")));
        assert_eq!(seen(View::AsOf(before_ms - 1)), None);
        assert_eq!(records.maybe_with("email", "old").count(), 1);
        assert_eq!(records.with("email", "old").count(), 0);
        assert_eq!(records.with("email", "new").collect::<Vec<_>>(), [id]);
    }

    #[test]
    fn a_version_no_view_can_see_is_forgotten_with_its_index_entries() {
        let mut records = Records::starting_at(1, Wall::of_the_machine());
        let id = records.insert(fields(json!({"email": "a", "phone": "1"})), write(Deed::Created));
        for email in ["b", "c"] {
            records.last_ms += 10;
            let now = fields(json!({"email": email, "phone": "1"}));
            records.save(id, now, false, write(Deed::Updated));
        }
        records.last_ms += 10_000;
        records.insert(Map::new(), write(Deed::Created));

        assert_eq!(records.by_id[&id].versions.len(), 1);
        assert_eq!(records.maybe_with("email", "a").count(), 0);
        assert_eq!(records.maybe_with("email", "c").count(), 1);
        assert_eq!(records.maybe_with("phone", "1").count(), 1);
    }

    #[test]
    fn the_listing_by_time_holds_a_record_once_at_its_last_change() {
        let mut records = Records::starting_at(1, Wall::of_the_machine());
        let first = records.insert(Map::new(), write(Deed::Created));
        let second = records.insert(Map::new(), write(Deed::Created));
        records.last_ms += 10;
        records.save(first, Map::new(), false, write(Deed::Updated));
        let changed_ms = records.newest(first).unwrap().updated_ms;

        assert_eq!(records.changed_since(0).collect::<Vec<_>>(), [second, first]);
        assert_eq!(records.changed_since(changed_ms).collect::<Vec<_>>(), [first]);
        assert_eq!(records.changed_since(changed_ms + 1).count(), 0);
    }
}
