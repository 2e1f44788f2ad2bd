//! The report of a run of kills.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Kills, Tally};
use crate::judge::audit::{Audit, Category, Finding};
use crate::judge::program::Program;
use crate::judge::report::FINDINGS_SHOWN;

/// What came of a run of kills.
#[derive(Clone, Debug, Serialize)]
pub struct KillReport {
    /// What was killed.
    pub subject: String,
    /// Its seed.
    pub seed: u64,
    /// How often it was killed.
    pub kills: u32,
    /// When, by the systems' clock, until it is judged.
    pub(super) killed_at_ms: Vec<i64>,
    /// How often at each moment.
    pub at: Tally,
    /// How often from outside, wherever it was.
    pub by_chance: u64,
    /// From each start to the answer that it is ready; a life that ended before has none.
    pub ready_ms: Vec<u64>,
    /// Things people did.
    pub edits: usize,
    /// People in the run.
    pub people: usize,
    /// Those with one live record on each side at the end.
    pub pairs: usize,
    /// Whether everything had settled before the deadline.
    pub in_time: bool,
    /// The status of a program that ended in another way than by a kill.
    pub died: Option<String>,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// The end of the program's log, when something is wrong.
    pub log_end: String,
    /// Where the program's data and log are.
    pub kept: Option<PathBuf>,
}

impl KillReport {
    pub(super) fn new(program: &Program, run: &Kills) -> Self {
        Self {
            subject: program.name.clone(),
            seed: run.seed,
            kills: 0,
            killed_at_ms: Vec::new(),
            at: run.marks.iter().map(|mark| (mark.name.clone(), 0)).collect(),
            by_chance: 0,
            ready_ms: Vec::new(),
            edits: 0,
            people: 0,
            pairs: 0,
            in_time: false,
            died: None,
            findings: Vec::new(),
            log_end: String::new(),
            kept: None,
        }
    }

    pub(super) fn judge(&mut self, audit: Audit) {
        (self.people, self.pairs, self.findings) = (audit.people, audit.pairs, audit.findings);
    }

    /// Whether nothing is wrong: nothing found, settled in time, ended by kills only.
    pub fn passed(&self) -> bool {
        self.findings.is_empty() && self.in_time && self.died.is_none()
    }

    /// The moments at which it was never killed.
    pub fn unreached(&self) -> Vec<&str> {
        self.at.iter().filter(|(_, times)| **times == 0).map(|(moment, _)| moment.as_str()).collect()
    }

    /// Findings of one category.
    pub fn count(&self, category: Category) -> usize {
        self.findings.iter().filter(|finding| finding.category == category).count()
    }

    /// Records and edits that are not where they should be.
    pub fn lost(&self) -> usize {
        [Category::Missing, Category::LostEdit, Category::Divergent].map(|category| self.count(category)).iter().sum()
    }

    /// The time to ready that this share of the lives did not exceed.
    pub fn ready_within_ms(&self, share: f64) -> u64 {
        let mut sorted = self.ready_ms.clone();
        sorted.sort_unstable();
        let place = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
    }
}

impl fmt::Display for KillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_moments: u64 = self.at.values().sum();
        writeln!(f, "== {} kills of {}, seed {}", self.kills, self.subject, self.seed)?;
        writeln!(f, "{:<24}{at_moments:>8}", "at a moment")?;
        for (moment, times) in &self.at {
            writeln!(f, "  {moment:<22}{times:>8}")?;
        }
        writeln!(f, "{:<24}{:>8}", "by chance", self.by_chance)?;
        for (name, number) in [
            ("edits", self.edits),
            ("people", self.people),
            ("pairs", self.pairs),
            ("duplicates", self.count(Category::Duplicate)),
            ("lost", self.lost()),
            ("all findings", self.findings.len()),
        ] {
            writeln!(f, "{name:<24}{number:>8}")?;
        }
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| self.ready_within_ms(share));
        writeln!(f, "ready in ms: p50 {p50}, p99 {p99}, max {max}, of {} starts", self.ready_ms.len())?;
        writeln!(f, "verdict: {}", if self.passed() { "passed" } else { "FAILED" })?;
        if !self.in_time {
            writeln!(f, "it had not settled when the time was over")?;
        }
        if let Some(died) = &self.died {
            writeln!(f, "the program ended by itself: {died}")?;
        }
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            writeln!(f, "\n{finding}")?;
        }
        if !self.log_end.is_empty() {
            writeln!(f, "\nthe program's log ends with\n{}", self.log_end)?;
        }
        if let Some(kept) = &self.kept {
            writeln!(f, "kept in {}", kept.display())?;
        }
        Ok(())
    }
}
