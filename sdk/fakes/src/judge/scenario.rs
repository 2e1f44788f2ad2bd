//! Scenario: what people do in a run, how many of them, and what goes wrong meanwhile.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::faults::Faults;
use crate::judge::audit::Tolerance;
use crate::judge::mixed;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// 20 % creates, 80 % updates of known people, on both sides, as fast as the webhooks are taken.
    Throughput,
    /// New people, each announced by 8 events at the same moment, and every webhook before its answer.
    Race,
    /// Both sides edited at once, the same and different fields, by people and other tools.
    Pingpong,
    /// Everything at once, without waiting for anything.
    Burst,
    /// Edits right after a create: where it was made, and where it appears.
    EditAfterCreate,
    /// Deletions amid edits.
    Deletes,
    /// One person edited again and again within a second.
    Hot,
    /// Slow, failing, hanging, late and reset calls; doubled, reordered and lost webhooks; then all is well again.
    Chaos,
    /// One edit after the other, each waiting for quiet: what does a single edit cost?
    Echo,
    /// New people, edits, edits of one field on both sides, deletions: what `pairline chaos` plays.
    Mixed,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 10] = [
        Scenario::Throughput,
        Scenario::Race,
        Scenario::Pingpong,
        Scenario::Burst,
        Scenario::EditAfterCreate,
        Scenario::Deletes,
        Scenario::Hot,
        Scenario::Chaos,
        Scenario::Echo,
        Scenario::Mixed,
    ];

    /// As it is typed and printed.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Throughput => "throughput",
            Scenario::Race => "race",
            Scenario::Pingpong => "pingpong",
            Scenario::Burst => "burst",
            Scenario::EditAfterCreate => "edit-after-create",
            Scenario::Deletes => "deletes",
            Scenario::Hot => "hot",
            Scenario::Chaos => "chaos",
            Scenario::Echo => "echo",
            Scenario::Mixed => "mixed",
        }
    }

    /// The size of a serious run, in the scenario's unit.
    pub fn size(self) -> usize {
        match self {
            Scenario::Throughput => 20_000,
            Scenario::Race | Scenario::Mixed => 200,
            Scenario::Burst => 10_000,
            Scenario::Chaos => 2_000,
            Scenario::Pingpong | Scenario::EditAfterCreate | Scenario::Deletes => 100,
            Scenario::Hot => 50,
            Scenario::Echo => 20,
        }
    }

    /// The size of a run that every test run can afford.
    pub fn small_size(self) -> usize {
        match self {
            Scenario::Throughput => 300,
            Scenario::Burst => 500,
            Scenario::Chaos => 200,
            Scenario::Race | Scenario::Pingpong | Scenario::EditAfterCreate | Scenario::Deletes | Scenario::Mixed => 24,
            Scenario::Hot => 50,
            Scenario::Echo => 6,
        }
    }

    /// What the size counts.
    pub fn unit(self) -> &'static str {
        match self {
            Scenario::Race | Scenario::EditAfterCreate => "new people",
            Scenario::Pingpong | Scenario::Deletes => "pairs",
            Scenario::Burst => "events",
            Scenario::Mixed => "people",
            _ => "edits",
        }
    }

    /// What goes wrong while it is played.
    pub fn faults(self) -> Faults {
        match self {
            Scenario::Race => Faults { announce_before_answer: true, ..Faults::default() },
            Scenario::Chaos => Faults {
                latency_from_ms: 2,
                latency_to_ms: 60,
                rate_limit_per_s: 200,
                error_500_rate: 0.03,
                applied_then_hung_rate: 0.02,
                hang_ms: 8_000,
                applied_late_rate: 0.01,
                reset_before_rate: 0.01,
                reset_after_rate: 0.01,
                truncated_json_rate: 0.005,
                html_200_rate: 0.005,
                created_without_id_rate: 0.005,
                delivery_doubled_rate: 0.1,
                delivery_reordered_rate: 0.1,
                delivery_dropped_rate: 0.02,
                ..Faults::default()
            },
            _ => Faults::default(),
        }
    }

    /// Whether it makes no sense unless those who are to be known on both sides at the start are.
    pub(crate) fn begins_in_pairs(self) -> bool {
        self == Scenario::Mixed
    }

    /// How far the CRM's search and the ERP's listing of changes lag, in milliseconds.
    pub(crate) fn lags_ms(self) -> (u64, u64) {
        if matches!(self, Scenario::Chaos | Scenario::Mixed) { (3_000, 1_000) } else { (0, 0) }
    }

    /// Whether a run with that many kills leaves outcomes nobody knows, which take a while to clear up.
    pub(crate) fn is_stormy(self, kills: u32) -> bool {
        matches!(self, Scenario::Chaos | Scenario::Mixed) || kills > 0
    }

    /// What nobody can be blamed for in a run with that many kills.
    pub(crate) fn tolerance(self, kills: u32) -> Tolerance {
        if self.is_stormy(kills) { Tolerance::STORMY } else { Tolerance::CALM }
    }

    /// About how many writes the program makes: kills are spread over them.
    pub(crate) fn expected_writes(self, size: usize) -> u64 {
        let size = size as u64;
        match self {
            Scenario::Throughput | Scenario::Burst => size / 2,
            Scenario::Race | Scenario::Pingpong | Scenario::EditAfterCreate => 2 * size,
            Scenario::Mixed => 2 * size,
            Scenario::Hot => 8,
            Scenario::Deletes | Scenario::Chaos | Scenario::Echo => size,
        }
    }

    /// About how long the program is busy. A kill that has waited this long for its write does not wait longer.
    pub(crate) fn span(self, size: usize) -> Duration {
        let people = size;
        let size = size as u64;
        let millis = match self {
            Scenario::Mixed => return mixed::span(people),
            Scenario::Throughput | Scenario::Burst => 200 + size / 2,
            Scenario::Race => 500 + 10 * size,
            Scenario::Pingpong => 7_000,
            Scenario::EditAfterCreate => 1_000 + 30 * size,
            Scenario::Deletes => 1_000 + 20 * size,
            Scenario::Hot => 1_500,
            Scenario::Chaos => 1_000 + 10 * size,
            Scenario::Echo => 450 * size,
        };
        Duration::from_millis(millis)
    }
}

/// The same faults, with every rate multiplied; what always happens cannot happen more often.
pub(crate) fn worse(mut faults: Faults, times: f64) -> Faults {
    for (_, rate) in faults.rates() {
        *rate = (*rate * times).min(1.0);
    }
    faults
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == text).ok_or_else(|| {
            let known: Vec<_> = Scenario::ALL.iter().map(|scenario| scenario.name()).collect();
            format!("no scenario `{text}`; known scenarios: {}", known.join(", "))
        })
    }
}
