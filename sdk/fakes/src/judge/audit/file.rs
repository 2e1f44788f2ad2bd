//! File: what there is about one person, and which of their values have to stand.

use super::Tolerance;
use crate::history::{Deed, WriteEntry, Writer};
use crate::judge::evidence::{Record, is_sync};
use crate::judge::ledger::Entry;
use crate::judge::meaning::{Meaning, Side};
use crate::judge::ownership::Rule;

/// What there is about one person.
pub(super) struct File<'a> {
    pub(super) person: u32,
    pub(super) entries: &'a [&'a Entry],
    pub(super) records: [Vec<&'a Record>; 2],
}

impl<'a> File<'a> {
    pub(super) fn on(&self, side: Side) -> &[&'a Record] {
        &self.records[side as usize]
    }

    pub(super) fn live(&self, side: Side) -> Vec<&'a Record> {
        self.on(side).iter().filter(|record| !record.view.gone).copied().collect()
    }

    pub(super) fn ids(&self, side: Side) -> Vec<String> {
        self.on(side).iter().map(|record| record.view.id.clone()).collect()
    }

    pub(super) fn deletions(&self) -> impl Iterator<Item = &&'a Entry> {
        self.entries.iter().filter(|entry| entry.deed == Deed::Deleted)
    }

    fn edits(&self, meaning: Meaning, side: Side) -> impl Iterator<Item = &&'a Entry> {
        let on_side = self.entries.iter().filter(move |entry| entry.side == side);
        on_side.filter(move |entry| entry.values.contains_key(&meaning) && !self.was_idle(meaning, entry))
    }

    /// Whether somebody typed what stood there already: no system tells anybody of that.
    fn was_idle(&self, meaning: Meaning, edit: &Entry) -> bool {
        let by_hand = |write: &&WriteEntry| write.at_ms == edit.at_ms && !is_sync(&write.writer);
        let typed = self.history_of(edit).filter(by_hand).filter(|write| meaning.is_in(edit.side, &write.fields));
        let mut changes = typed.map(|write| meaning.is_among(edit.side, &write.changed)).peekable();
        changes.peek().is_some() && !changes.any(|changed| changed)
    }

    /// Whether a write of the sync that had come before an edit, or so soon after that it goes by what was read before,
    /// was applied over it.
    fn was_hit(&self, meaning: Meaning, edit: &Entry, unread_ms: i64) -> bool {
        self.history_of(edit).any(|write| {
            let Writer::Caller { visit, .. } = &write.writer else { return false };
            let meanwhile = visit.came_ms - unread_ms <= edit.at_ms && edit.at_ms <= write.at_ms;
            meanwhile && write.deed == Deed::Updated && meaning.is_in(edit.side, &write.fields)
        })
    }

    /// Whether an edit put back what had stood there when the sync last brought something over, after the other side's
    /// edit too: what is as both had last agreed on shows no edit.
    fn was_taken_back(&self, meaning: Meaning, edit: &Entry, others: &Entry) -> bool {
        let of_person = Side::BOTH.into_iter().flat_map(|side| self.on(side).iter().map(move |record| (side, record)));
        let by_sync = of_person.flat_map(|(side, record)| record.history.iter().map(move |write| (side, write)));
        let by_sync = by_sync.filter(|(side, write)| is_sync(&write.writer) && meaning.is_in(*side, &write.fields));
        let agreed_at = by_sync.map(|(_, write)| write.at_ms).filter(|at| *at <= edit.at_ms).max().unwrap_or(i64::MIN);
        let earlier = self.history_of(edit).filter(|write| write.at_ms <= agreed_at);
        let typed = earlier.filter(|write| meaning.is_in(edit.side, &write.fields));
        let held = typed.last().and_then(|write| meaning.read(edit.side, &write.fields));
        agreed_at < others.at_ms && held.as_deref() == edit.values.get(&meaning).and_then(Option::as_deref)
    }

    /// The writes of the record that an entry is about.
    fn history_of(&self, entry: &Entry) -> impl Iterator<Item = &'a WriteEntry> {
        let record = self.on(entry.side).iter().find(|record| record.view.id == entry.record);
        record.into_iter().flat_map(|record| &record.history)
    }

    /// Values one of which has to stand.
    pub(super) fn expected(&self, meaning: Meaning, rule: Rule, tolerance: Tolerance) -> Vec<Option<&'a str>> {
        let value = |entry: &'a Entry| entry.values.get(&meaning).and_then(Option::as_deref);
        let last = |side| self.edits(meaning, side).last().copied();
        if let Rule::Owned(owner) = rule {
            let born = self.entries.iter().find(|entry| entry.deed == Deed::Created).copied();
            return last(owner).or(born).map(value).into_iter().collect();
        }
        match (last(Side::Crm), last(Side::Erp)) {
            (Some(crm), Some(erp)) => {
                let (newer, older) = if crm.at_ms >= erp.at_ms { (crm, erp) } else { (erp, crm) };
                let mut either = vec![value(newer)];
                if newer.at_ms - older.at_ms <= tolerance.simultaneous_ms
                    || self.was_hit(meaning, newer, tolerance.unread_ms)
                    || self.was_taken_back(meaning, newer, older)
                {
                    either.push(value(older));
                }
                either
            }
            (Some(only), None) | (None, Some(only)) => vec![value(only)],
            (None, None) => vec![None],
        }
    }
}
