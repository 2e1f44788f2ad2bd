//! Economy: what the sync wrote, and what it had to.

use pairline_fakes::judge::{Evidence, Ledger, Meaning, Ownership, Rule, Side};
use pairline_fakes::{Deed, WriteEntry, Writer};

/// What a write is decided on was read by calls of at most 80 ms before it.
const READ_BEFORE_MS: i64 = 250;

/// Writes of the sync that were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Economy {
    pub(super) writes: u64,
    /// Of these, writes that changed nothing, and of which that could have been known.
    pub(super) idle: u64,
    /// As many as it takes to carry over each thing that was done on its own: two for a new record, which is made and
    /// signed, and for an edit one to carry it over and one to take back what the other side owns. Merging edits takes
    /// fewer.
    pub(super) needed: u64,
}

impl Economy {
    pub(super) fn of(evidence: &Evidence, ledger: &Ledger, ownership: &Ownership) -> Self {
        let mut economy = Self::default();
        for record in Side::BOTH.into_iter().flat_map(|side| evidence.side(side).values()) {
            for write in &record.history {
                let Writer::Caller { visit, .. } = &write.writer else { continue };
                economy.writes += 1;
                let changed_nothing = write.deed == Deed::Updated && write.changed.is_empty();
                // Whoever was faster by the time of a call has made it needless.
                let decided_on = visit.came_ms - READ_BEFORE_MS..=write.at_ms;
                let somebody = |other: &WriteEntry| {
                    !matches!(other.writer, Writer::Caller { .. }) && decided_on.contains(&other.at_ms)
                };
                economy.idle += u64::from(changed_nothing && !record.history.iter().any(somebody));
            }
        }
        for entry in &ledger.0 {
            let taken_back = |meaning: &&Meaning| ownership.rule(**meaning) == Rule::Owned(entry.side.other());
            let taken_back = entry.values.keys().filter(taken_back).count();
            economy.needed += match entry.deed {
                Deed::Created => 2,
                Deed::Updated => u64::from(taken_back > 0) + u64::from(taken_back < entry.values.len()),
                Deed::Deleted | Deed::Restored => 0,
            };
        }
        economy
    }
}
