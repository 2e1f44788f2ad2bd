//! Economy: what the sync wrote, and what it had to.

use pairline_fakes::judge::{Evidence, Ledger, Side};
use pairline_fakes::{Deed, Writer};

/// Writes of the sync that were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Economy {
    pub(super) writes: u64,
    /// Of these, writes that changed nothing.
    pub(super) idle: u64,
    /// As many as it takes to carry over each thing that was done on its own: two for a new record, which is made and
    /// signed, and one for an edit, to carry it over or to take it back. Merging edits takes fewer.
    pub(super) needed: u64,
}

impl Economy {
    pub(super) fn of(evidence: &Evidence, ledger: &Ledger) -> Self {
        let records = Side::BOTH.into_iter().flat_map(|side| evidence.side(side).values());
        let writes = records.flat_map(|record| &record.history);
        let by_sync = writes.filter(|write| matches!(write.writer, Writer::Caller { .. }));
        let (mut economy, is_new) = (Self::default(), |deed| deed == Deed::Created);
        for write in by_sync {
            economy.writes += 1;
            economy.idle += u64::from(write.deed == Deed::Updated && write.changed.is_empty());
        }
        for entry in &ledger.0 {
            economy.needed += if is_new(entry.deed) { 2 } else { u64::from(entry.deed == Deed::Updated) };
        }
        economy
    }
}
