//! Report: what came of a trial, for people and for programs.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::judge::audit::{Category, Finding};
use crate::judge::economy::Economy;
use crate::judge::program::Resources;
use crate::judge::scenario::Scenario;

/// Findings that are printed; the JSON has them all.
pub(crate) const FINDINGS_SHOWN: usize = 30;
/// A program that was told to stop has this long by the contract.
const STOP_WITHIN_MS: u64 = 3_000;

/// What came of a trial.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was judged.
    pub subject: String,
    /// What was played.
    pub scenario: Scenario,
    /// How much of it.
    pub size: usize,
    /// The seed it was played with.
    pub seed: u64,
    /// How often the program was killed.
    pub kills: u32,
    /// Whether everything had settled before the deadline.
    pub in_time: bool,
    /// The status of a program that ended without being asked to.
    pub died: Option<String>,
    /// People in the run.
    pub people: usize,
    /// Those with one live record on each side at the end.
    pub pairs: usize,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What it cost in calls and time.
    pub economy: Economy,
    /// What it cost in processor time and memory.
    pub resources: Resources,
    /// Faults that really happened, by side and name.
    pub faults_happened: Vec<(String, u64)>,
    /// The end of the program's log, when something is wrong.
    pub log_end: String,
    /// Where the program's data and log are.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether nothing is wrong: nothing found, no loop, settled in time, never died, stopped in time.
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
            && self.in_time
            && self.died.is_none()
            && self.economy.writes_after_quiet == 0
            && self.stopped_in_time()
    }

    /// Whether it stopped when it was told to, as fast as the contract wants it.
    pub fn stopped_in_time(&self) -> bool {
        self.resources.stopped_in_ms.is_some_and(|ms| ms <= STOP_WITHIN_MS)
    }

    /// Findings of one category.
    pub fn count(&self, category: Category) -> usize {
        self.findings.iter().filter(|finding| finding.category == category).count()
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        let counts = Category::ALL.map(|category| (category.name().to_owned(), self.count(category).into()));
        let mut json = serde_json::json!({
            "passed": self.passed(),
            "counts": serde_json::Map::from_iter(counts),
        });
        if let (Some(json), Ok(serde_json::Value::Object(report))) = (json.as_object_mut(), serde_json::to_value(self))
        {
            json.extend(report);
        }
        json
    }

    /// Name, value, and whether a ratio of it says something.
    fn rows(&self) -> Vec<(&'static str, String, Option<f64>)> {
        let (economy, resources) = (&self.economy, &self.resources);
        let count = |name, number: u64| (name, number.to_string(), Some(number as f64));
        let number = |name, number: f64| (name, format!("{number:.2}"), Some(number));
        let text = |name, text: String| (name, text, None);
        let mut rows = vec![
            text("verdict", if self.passed() { "passed" } else { "FAILED" }.to_owned()),
            text("people / pairs", format!("{} / {}", self.people, self.pairs)),
        ];
        for category in Category::ALL {
            rows.push(text(category.name(), self.count(category).to_string()));
        }
        rows.extend([
            text("settled in time", self.in_time.to_string()),
            count("writes after quiet", economy.writes_after_quiet),
            count("edits", economy.edits as u64),
            count("converged in ms", economy.converged_in_ms.unsigned_abs()),
            count("settled after ms", economy.settled_after_ms.unsigned_abs()),
            number("edits / s", economy.edits_per_s),
            count("needed writes", economy.needed_writes),
            count("api writes", economy.api_writes),
            number("writes / needed", economy.writes_per_needed),
            count("idle writes", economy.idle_writes),
            count("record reads", economy.record_reads),
            number("reads / edit", economy.reads_per_edit),
            count("listings", economy.listings),
            number("ack p50 ms", economy.ack_p50_ms),
            number("ack p99 ms", economy.ack_p99_ms),
            count("webhooks given up", economy.given_up),
        ]);
        if let Some(rounds) = economy.rounds {
            rows.push(count("writes of hot record", rounds));
        }
        if let Some(calls) = economy.echo_calls_per_edit {
            rows.push(number("echo calls / edit", calls));
        }
        rows.extend([
            number("cpu s", resources.cpu_s),
            number("cpu s / 1000 edits", resources.cpu_s_per_1000_edits),
            number("idle cpu %", resources.idle_cpu_percent),
            number("peak rss MB", resources.peak_rss_mb),
            text("ready ms", resources.ready_ms.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
            text("stopped in ms", resources.stopped_in_ms.map_or("never".to_owned(), |ms| ms.to_string())),
            count("data kB", resources.data_bytes / 1024),
        ]);
        rows
    }

    fn title(&self) -> String {
        format!("{} {} {} seed {} kills {}", self.scenario, self.size, self.scenario.unit(), self.seed, self.kills)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "== {} against {}", self.title(), self.subject)?;
        for (name, value, _) in self.rows() {
            writeln!(f, "{name:<22}{value:>16}")?;
        }
        if !self.faults_happened.is_empty() {
            let faults: Vec<_> = self.faults_happened.iter().map(|(name, count)| format!("{name} {count}")).collect();
            writeln!(f, "faults: {}", faults.join(", "))?;
        }
        if let Some(died) = &self.died {
            writeln!(f, "the program ended by itself: {died}")?;
        }
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            writeln!(f, "\n{finding}")?;
        }
        if self.findings.len() > FINDINGS_SHOWN {
            writeln!(f, "\n... and {} more findings", self.findings.len() - FINDINGS_SHOWN)?;
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

/// Two reports in two columns, and the first by the second.
pub fn side_by_side(first: &Report, second: &Report) -> String {
    let mut table =
        format!("== {}\n{:<22}{:>16}{:>16}{:>10}\n", first.title(), "", first.subject, second.subject, "ratio");
    let other_rows = second.rows();
    for (name, value, number) in first.rows() {
        let Some((_, other, other_number)) = other_rows.iter().find(|(other, ..)| *other == name) else {
            continue;
        };
        let ratio = match (number, other_number) {
            (Some(number), Some(other)) if *other != 0.0 => format!("{:.2}", number / other),
            _ => String::new(),
        };
        table.push_str(&format!("{name:<22}{value:>16}{other:>16}{ratio:>10}\n"));
    }
    table
}
