//! A state of everything: the store, both systems, what waits, and what people and mishaps have left.

use std::collections::BTreeSet;
use std::sync::Arc;

use pairline_sdk::testing::{MemoryRecords, MemoryState};
use pairline_sdk::{EventFacts, OperationId, RecordId, Timestamp};
use serde_json::Value;

#[derive(Clone, PartialEq)]
pub(super) struct World {
    pub(super) store: MemoryState,
    pub(super) crm: MemoryRecords,
    pub(super) erp: MemoryRecords,
    pub(super) now: Timestamp,
    pub(super) pending: Vec<Pending>,
    pub(super) edits: u8,
    pub(super) faults: u8,
    pub(super) lost_webhooks: u8,
    pub(super) next_value: u8,
    /// Values of the shared field that may stand at the end.
    pub(super) accepted: BTreeSet<String>,
    /// Per side an edit of the shared field that has not gone over yet.
    pub(super) on_its_way: [Option<String>; 2],
    /// The owner's last value.
    pub(super) owned: String,
    pub(super) trashed: bool,
    pub(super) story: Story,
}

impl World {
    /// At most one waiting hint per record and kind of knowledge: more of them become one.
    pub(super) fn push(&mut self, pending: Pending) {
        if !self.pending.contains(&pending) {
            self.pending.push(pending);
        }
    }

    /// What the systems have announced waits from now on.
    pub(super) fn take_events(&mut self) {
        let events: Vec<_> = self.crm.events.drain(..).chain(self.erp.events.drain(..)).collect();
        for (record, facts) in events {
            self.pending.push(Pending { record, facts: Some(facts), ready_at: self.now, hops: 0 });
        }
    }

    /// Whether a request may still land.
    pub(super) fn something_is_late(&self) -> bool {
        !self.crm.late.is_empty() || !self.erp.late.is_empty()
    }

    /// A person has edited the shared field on a side.
    pub(super) fn edited_shared(&mut self, side: usize, new: &str) {
        let mut accepted = BTreeSet::from([new.to_owned()]);
        accepted.extend(self.on_its_way[1 - side].clone());
        self.accepted = accepted;
        self.on_its_way[side] = Some(new.to_owned());
    }

    /// A value that has arrived on one side is not on its way from the other any more.
    pub(super) fn settle_shared(&mut self, side: usize) {
        let there = value(if side == 0 { &self.crm } else { &self.erp }, "phone");
        if self.on_its_way[1 - side].as_ref() == Some(&there) {
            self.on_its_way = [None, None];
        }
    }

    /// Takes finished operations out of the ledger that nothing looks at any more, so that a world stays small.
    pub(super) fn forget_history(&mut self) {
        let newest: Vec<OperationId> = self
            .store
            .pairs
            .values()
            .flat_map(|pair| pair.sides.iter().filter_map(|side| side.newest.clone()))
            .collect();
        self.store
            .operations
            .retain(|id, operation| operation.state.is_open() || operation.pair.is_none() || newest.contains(id));
        self.store.notes.clear();
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) record: RecordId,
    pub(super) facts: Option<EventFacts>,
    pub(super) ready_at: Timestamp,
    pub(super) hops: u32,
}

/// A field of a system's only record.
pub(super) fn value(records: &MemoryRecords, field: &str) -> String {
    let record = records.records.values().next();
    record.and_then(|fields| fields.get(field)).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What has happened, newest first; worlds share their past.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Story(Option<Arc<(String, Story)>>);

impl Story {
    pub(super) fn push(&mut self, line: String) {
        self.0 = Some(Arc::new((line, self.clone())));
    }

    pub(super) fn told(&self) -> String {
        let mut lines = Vec::new();
        let mut rest = self;
        while let Some(part) = &rest.0 {
            lines.push(part.0.as_str());
            rest = &part.1;
        }
        lines.reverse();
        lines.join("\n")
    }
}
