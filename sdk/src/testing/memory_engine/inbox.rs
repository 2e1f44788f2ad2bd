//! What an engine keeps: event keys, hints, the trash, cursors and pauses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::HintRow;
use crate::{
    Arrival, EngineError, EventKind, Health, InboxEvent, RecordId, System, Timestamp, TrashId, TrashItem, TrashState,
    Unreadable, WaitingHint,
};

/// Of a part of a delivery that cannot be understood, at most this many bytes are kept.
const UNREADABLE_BYTES: usize = 64 * 1024;

/// What a [`MemoryEngine`](super::MemoryEngine) keeps. Cloning it is a backup; engines that are opened on equal ones
/// behave alike.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryInbox {
    /// In the order of arrival.
    events: Vec<Event>,
    /// An event is about one record: two records may have the same key.
    keys: BTreeSet<(RecordId, String)>,
    /// By number, in the order of arrival.
    hints: BTreeMap<i64, HintRow>,
    numbers: BTreeMap<RecordId, i64>,
    last_number: i64,
    trash: BTreeMap<TrashId, TrashItem>,
    cursors: BTreeMap<System, Value>,
    paused: BTreeMap<System, String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Event {
    record: RecordId,
    key: String,
    kind: Option<EventKind>,
    received_at: Timestamp,
}

impl MemoryInbox {
    /// Takes the key of what has happened. Answers false if it was taken before.
    pub(super) fn take_key(&mut self, arrival: &Arrival, now: Timestamp) -> bool {
        let Some(key) = &arrival.event_key else { return true };
        let new = self.keys.insert((arrival.record.clone(), key.clone()));
        if new {
            let kind = arrival.facts.as_ref().map(|facts| facts.kind);
            self.events.push(Event { record: arrival.record.clone(), key: key.clone(), kind, received_at: now });
        }
        new
    }

    /// The inbox's events about one record, oldest first; of more than the limit, the newest.
    pub(super) fn events(&self, record: &RecordId, limit: usize) -> Vec<InboxEvent> {
        let newest = self.events.iter().rev().filter(|event| event.record == *record).take(limit);
        let mut events: Vec<InboxEvent> = newest
            .map(|event| InboxEvent { key: event.key.clone(), kind: event.kind, received_at: event.received_at })
            .collect();
        events.reverse();
        events
    }

    /// Forgets event keys taken before an instant.
    pub(super) fn prune(&mut self, received_before: Timestamp, limit: usize) -> u64 {
        let Self { events, keys, .. } = self;
        let mut pruned = 0;
        events.retain(|event| {
            let kept = pruned == limit || event.received_at >= received_before;
            if !kept {
                keys.remove(&(event.record.clone(), event.key.clone()));
                pruned += 1;
            }
            kept
        });
        count(pruned)
    }

    /// The number of a record's hint.
    pub(super) fn number(&self, record: &RecordId) -> Option<i64> {
        self.numbers.get(record).copied()
    }

    fn row_mut(&mut self, record: &RecordId) -> Option<&mut HintRow> {
        self.hints.get_mut(self.numbers.get(record)?)
    }

    /// When news of each field of a record reached us, if it has a hint.
    pub(super) fn received(&self, record: &RecordId) -> Option<BTreeMap<String, Timestamp>> {
        Some(self.hints.get(self.numbers.get(record)?)?.received.clone())
    }

    fn insert(&mut self, row: HintRow) {
        self.last_number += 1;
        self.numbers.insert(row.record.clone(), self.last_number);
        self.hints.insert(self.last_number, row);
    }

    /// Adds news of a record.
    pub(super) fn add_news(&mut self, news: HintRow, at_work: bool) {
        match self.row_mut(&news.record) {
            Some(row) => row.add_news(news, at_work),
            None => self.insert(news),
        }
    }

    /// Adds a hint that comes from no event.
    pub(super) fn put_back(&mut self, fresh: HintRow, at_work: bool) {
        match self.row_mut(&fresh.record) {
            Some(row) => row.put_back(fresh.ready_at, at_work),
            None => self.insert(fresh),
        }
    }

    /// What was at work is done; news that came meanwhile stays waiting.
    pub(super) fn done(&mut self, number: i64) {
        if self.hints.get_mut(&number).is_some_and(|row| !row.done())
            && let Some(row) = self.hints.remove(&number)
        {
            self.numbers.remove(&row.record);
        }
    }

    /// What was at work is to be looked at again.
    pub(super) fn again(&mut self, number: i64, at: Timestamp, reason: String, counted: bool) {
        if let Some(row) = self.hints.get_mut(&number) {
            row.again(at, reason, counted);
        }
    }

    /// Nothing is at work any more.
    pub(super) fn join_unfinished(&mut self) {
        self.hints.values_mut().for_each(HintRow::join_unfinished);
    }

    /// Hints that may be handed out one day without anybody's doing, in the order of arrival.
    fn unpaused(&self) -> impl Iterator<Item = (i64, &HintRow)> {
        let rows = self.hints.iter().map(|(number, row)| (*number, row));
        rows.filter(|(_, row)| !self.paused.contains_key(&row.record.system))
    }

    /// Hints that may be handed out now, in the order of arrival.
    pub(super) fn ready(&self, now: Timestamp) -> impl Iterator<Item = (i64, &HintRow)> {
        self.unpaused().filter(move |(_, row)| row.ready_at <= now)
    }

    /// When the next hint becomes ready.
    pub(super) fn next_ready(&self, now: Timestamp) -> Option<Timestamp> {
        self.unpaused().map(|(_, row)| row.ready_at).filter(|at| *at > now).min()
    }

    /// Waiting hints, oldest first.
    pub(super) fn waiting(&self, limit: usize) -> Vec<WaitingHint> {
        self.hints.values().take(limit).map(HintRow::waiting).collect()
    }

    /// The waiting hint of one record.
    pub(super) fn waiting_of(&self, record: &RecordId) -> Option<WaitingHint> {
        self.hints.get(&self.number(record)?).map(HintRow::waiting)
    }

    fn next_trash(&self) -> TrashId {
        TrashId(self.trash.keys().last().map_or(1, |last| last.0 + 1))
    }

    /// Adds a record that cannot be delivered. The same cause on the same record is one item that counts.
    pub(super) fn add_failure(
        &mut self,
        record: RecordId,
        topology: String,
        node: String,
        reason: String,
        now: Timestamp,
    ) {
        let same = self.trash.values_mut().find(|item| {
            item.state == TrashState::Open
                && item.record.as_ref() == Some(&record)
                && (&item.topology, &item.node, &item.reason) == (&topology, &node, &reason)
        });
        if let Some(item) = same {
            item.count += 1;
            item.at = now;
            return;
        }
        let (id, system) = (self.next_trash(), record.system.clone());
        let item = TrashItem {
            id,
            record: Some(record),
            system,
            topology,
            node,
            reason,
            count: 1,
            at: now,
            body: None,
            state: TrashState::Open,
            decided_at: None,
        };
        self.trash.insert(id, item);
    }

    /// Adds a part of a delivery that cannot be understood. Each is kept.
    pub(super) fn add_unreadable(&mut self, unreadable: Unreadable, now: Timestamp) {
        let Unreadable { system, reason, mut body } = unreadable;
        body.truncate(body.floor_char_boundary(UNREADABLE_BYTES));
        let id = self.next_trash();
        let item = TrashItem {
            id,
            record: None,
            system,
            topology: String::new(),
            node: String::new(),
            reason,
            count: 1,
            at: now,
            body: Some(body),
            state: TrashState::Open,
            decided_at: None,
        };
        self.trash.insert(id, item);
    }

    fn open_trash(&mut self, item: TrashId) -> Result<&mut TrashItem, EngineError> {
        match self.trash.get_mut(&item) {
            Some(found) if found.state == TrashState::Open => Ok(found),
            found => Err(EngineError::not_in_the_trash(item, found.map(|found| found.state))),
        }
    }

    /// Marks an item approved. Answers the record to look at.
    pub(super) fn approve(&mut self, item: TrashId, now: Timestamp) -> Result<RecordId, EngineError> {
        let found = self.open_trash(item)?;
        let record = found.record.clone().ok_or_else(|| {
            let text = format!("trash item {} names no record to look at: it can only be rejected", item.0);
            EngineError::NotFound(text)
        })?;
        (found.state, found.decided_at) = (TrashState::Approved, Some(now));
        Ok(record)
    }

    /// Marks an item rejected.
    pub(super) fn reject(&mut self, item: TrashId, now: Timestamp) -> Result<(), EngineError> {
        let found = self.open_trash(item)?;
        (found.state, found.decided_at) = (TrashState::Rejected, Some(now));
        Ok(())
    }

    /// The open items.
    fn open_items(&self) -> impl Iterator<Item = &TrashItem> {
        self.trash.values().filter(|item| item.state == TrashState::Open)
    }

    /// The open items, newest first.
    pub(super) fn trash(&self, limit: usize) -> Vec<TrashItem> {
        newest_first(self.open_items(), limit)
    }

    /// One item, decided or not.
    pub(super) fn trash_item(&self, item: TrashId) -> Option<TrashItem> {
        self.trash.get(&item).cloned()
    }

    /// The items of one record, decided or not, newest first.
    pub(super) fn trash_of(&self, record: &RecordId, limit: usize) -> Vec<TrashItem> {
        newest_first(self.trash.values().filter(|item| item.record.as_ref() == Some(record)), limit)
    }

    /// Where the changed-since listing of a system goes on.
    pub(super) fn cursor(&self, system: &System) -> Value {
        self.cursors.get(system).cloned().unwrap_or(Value::Null)
    }

    pub(super) fn set_cursor(&mut self, system: System, value: Value) {
        self.cursors.insert(system, value);
    }

    pub(super) fn rewind(&mut self) {
        self.cursors.clear();
    }

    pub(super) fn pause(&mut self, systems: Vec<System>, reason: &str) {
        self.paused.extend(systems.into_iter().map(|system| (system, reason.to_owned())));
    }

    pub(super) fn resume(&mut self, systems: &[System]) {
        self.paused.retain(|system, _| !systems.contains(system));
    }

    pub(super) fn health(&self) -> Health {
        Health {
            waiting: count(self.hints.len()),
            oldest: self.hints.values().map(|row| row.since).min(),
            trash: count(self.open_items().count()),
            paused: self.paused.iter().map(|(system, reason)| (system.clone(), reason.clone())).collect(),
        }
    }
}

fn newest_first<'i>(items: impl Iterator<Item = &'i TrashItem>, limit: usize) -> Vec<TrashItem> {
    let mut items: Vec<&TrashItem> = items.collect();
    items.sort_by_key(|item| Reverse((item.at, item.id)));
    items.into_iter().take(limit).cloned().collect()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
