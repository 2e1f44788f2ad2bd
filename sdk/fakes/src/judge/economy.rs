//! Economy: what it cost.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use crate::history::Deed;
use crate::judge::cast::Cast;
use crate::judge::evidence::Evidence;
use crate::judge::ledger::Entry;
use crate::judge::meaning::{Meaning, Side};
use crate::judge::ownership::Ownership;

/// Calls of the API, counted when they end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spent {
    pub(crate) writes: u64,
    pub(crate) record_reads: u64,
    pub(crate) listings: u64,
}

impl Spent {
    /// What both systems have counted so far.
    pub(crate) fn so_far(cast: &Cast) -> Self {
        let mut spent = Self::default();
        for call in cast.crm().calls().0.into_iter().chain(cast.erp().calls().0) {
            match (call.write, call.path) {
                (true, _) => spent.writes += call.count,
                (false, "contact" | "customer") => spent.record_reads += call.count,
                (false, _) => spent.listings += call.count,
            }
        }
        spent
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            record_reads: self.record_reads - before.record_reads,
            listings: self.listings - before.listings,
        }
    }
}

/// What a run cost, preparations left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Economy {
    /// Things people did.
    pub edits: usize,
    /// Of these, people they made.
    pub creates: usize,
    /// Of these, records they deleted.
    pub deletes: usize,
    /// How often one field was edited on both sides at once, as far as the scenario means to.
    pub conflicts: usize,
    /// Writes it takes to carry each of them over on its own: two for a create, one for an edit that changes
    /// something. A program that merges edits needs fewer.
    pub needed_writes: u64,
    /// Writing calls, whatever became of them.
    pub api_writes: u64,
    /// Writing calls for each needed one.
    pub writes_per_needed: f64,
    /// Writes of the sync that changed nothing.
    pub idle_writes: u64,
    /// Reads of one record.
    pub record_reads: u64,
    /// Reads of one record for each edit.
    pub reads_per_edit: f64,
    /// Searches and pages of listings.
    pub listings: u64,
    /// Writing calls after it had become quiet: a loop.
    pub writes_after_quiet: u64,
    /// From the first edit to the last write that changed something.
    pub converged_in_ms: i64,
    /// Edits in that time, by the second.
    pub edits_per_s: f64,
    /// From the end of the edits and the faults to the last write that changed something.
    pub settled_after_ms: i64,
    /// Half of the webhooks were acknowledged faster.
    pub ack_p50_ms: f64,
    /// 99 of 100 were.
    pub ack_p99_ms: f64,
    /// Webhooks nobody took in time, however often they were sent.
    pub given_up: u64,
    /// For the hot record: how often the sync wrote that person's records.
    pub rounds: Option<u64>,
    /// For single edits: record calls beyond one read and one write.
    pub echo_calls_per_edit: Option<f64>,
}

/// When the clock started, by the wall and by the ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) spent: Spent,
    pub(crate) entries: usize,
    pub(crate) at_ms: i64,
}

impl Economy {
    pub(crate) fn of(cast: &Cast, evidence: &Evidence, start: Start, played_until_ms: i64, spent: Spent) -> Self {
        let entries = &cast.ledger().0;
        let played = &entries[start.entries..];
        let needed_writes = needed(entries, start.entries, cast.ownership());
        let writes = || evidence.sync_writes().filter(|(_, write)| write.at_ms >= start.at_ms);
        let changing = writes().filter(|(_, write)| write.deed == Deed::Created || !write.changed.is_empty());
        let last_ms = changing.map(|(_, write)| write.at_ms).max().unwrap_or(start.at_ms);
        let first_ms = played.first().map_or(start.at_ms, |entry| entry.at_ms);
        let converged_in_ms = (last_ms - first_ms).max(0);
        let mut acks = cast.crm().ack_times();
        acks.extend(cast.erp().ack_times());
        acks.sort_unstable();
        Self {
            edits: played.len(),
            creates: played.iter().filter(|entry| entry.deed == Deed::Created).count(),
            deletes: played.iter().filter(|entry| entry.deed == Deed::Deleted).count(),
            conflicts: cast.conflicts,
            needed_writes,
            api_writes: spent.writes,
            writes_per_needed: ratio(spent.writes, needed_writes),
            idle_writes: writes().filter(|(_, write)| write.deed == Deed::Updated && write.changed.is_empty()).count()
                as u64,
            record_reads: spent.record_reads,
            reads_per_edit: ratio(spent.record_reads, played.len() as u64),
            listings: spent.listings,
            writes_after_quiet: 0,
            converged_in_ms,
            edits_per_s: played.len() as f64 * 1_000.0 / converged_in_ms.max(1) as f64,
            settled_after_ms: (last_ms - played_until_ms).max(0),
            ack_p50_ms: percentile_ms(&acks, 50),
            ack_p99_ms: percentile_ms(&acks, 99),
            given_up: cast.crm().deliveries().given_up + cast.erp().deliveries().given_up,
            rounds: None,
            echo_calls_per_edit: None,
        }
    }

    /// How often the sync wrote one person's records since the start.
    pub(crate) fn count_rounds(&mut self, cast: &Cast, evidence: &Evidence, person: u32, start: Start) {
        let mut rounds = 0;
        for side in Side::BOTH {
            let record = cast.id(person, side).and_then(|id| evidence.side(side).get(id));
            let writes = record.into_iter().flat_map(|record| &record.history);
            let by_sync = writes.filter(|write| crate::judge::evidence::is_sync(&write.writer));
            rounds += by_sync.filter(|write| write.at_ms >= start.at_ms).count() as u64;
        }
        self.rounds = Some(rounds);
    }

    /// What single edits cost beyond one read and one write.
    pub(crate) fn count_echoes(&mut self) {
        let calls = (self.api_writes + self.record_reads) as f64;
        let edits = self.edits.max(1) as f64;
        self.echo_calls_per_edit = Some((calls - 2.0 * edits) / edits);
    }
}

/// Writes it takes to carry over what was done from `from` on, each thing on its own.
fn needed(entries: &[Entry], from: usize, ownership: &Ownership) -> u64 {
    let mut values: HashMap<(u32, Meaning), Option<&str>> = HashMap::new();
    let mut needed = 0;
    for (number, entry) in entries.iter().enumerate() {
        let mut changed = false;
        for (meaning, value) in &entry.values {
            let key = (entry.person, *meaning);
            let before = values.get(&key).copied().flatten();
            changed |= before != value.as_deref();
            // What is typed on the wrong side takes a write too, to put it right, and then stands as before.
            if entry.deed == Deed::Created || ownership.owner(*meaning).is_none_or(|owner| owner == entry.side) {
                values.insert(key, value.as_deref());
            }
        }
        if number >= from {
            needed += match entry.deed {
                Deed::Created => 2,
                Deed::Updated if changed => 1,
                _ => 0,
            };
        }
    }
    needed
}

fn ratio(of: u64, to: u64) -> f64 {
    of as f64 / to.max(1) as f64
}

fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    sorted[(sorted.len() * percent / 100).min(last)].as_secs_f64() * 1_000.0
}
