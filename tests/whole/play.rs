//! A play: everything that is decided before a run begins, part by part, so that any part can be left out.

use std::collections::BTreeSet;
use std::fmt;

use fastrand::Rng;
use pairline_fakes::judge::{Side, Tolerance};
use pairline_fakes::{Faults, Mishap};

use super::deed::Deed;
use super::people::{Habits, People};
use super::planted::Planted;
use super::time::BEGIN_MS;
use super::trouble::{Blow, Trouble};

/// Deeds in a play.
const DEEDS: usize = 220;

/// What happens in a run.
#[derive(Clone, Debug)]
pub(super) struct Play {
    pub(super) seed: u64,
    /// Decides what is left to chance while the play is on: how long a call takes, who goes first.
    pub(super) chance: u64,
    pub(super) kind: Kind,
    pub(super) systems: Systems,
    /// In the order of time.
    pub(super) deeds: Vec<Deed>,
    /// In the order of time.
    pub(super) troubles: Vec<Trouble>,
    pub(super) faults: Faults,
    /// What may go wrong with calls and deliveries, side by side; whatever chance has in mind if it does not say.
    pub(super) only: Option<BTreeSet<(Side, Mishap)>>,
    pub(super) tolerance: Tolerance,
    /// A mistake in the program.
    pub(super) planted: Planted,
}

/// A kind of weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing goes wrong, and every answer takes a while.
    Calm,
    /// Everything goes wrong that can, more often than anybody has seen it.
    Stormy,
    /// A calm day, but for the clock of the program's machine, which is set ahead and back. It comes without crashes: a
    /// program that runs does not go by it, one that starts does.
    Skewed,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Calm, Kind::Stormy, Kind::Skewed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Calm => "calm",
            Kind::Stormy => "stormy",
            Kind::Skewed => "skewed",
        }
    }
}

/// What the two systems are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Systems {
    /// The CRM takes no e-mail twice.
    pub(super) unique_email: bool,
    /// The ERP tidies what it is given, and people do not.
    pub(super) tidies: bool,
    /// The id of a merged record leads to the one it went into.
    pub(super) merged_ids_forward: bool,
}

impl Play {
    /// What this seed makes of this weather.
    pub(super) fn of(kind: Kind, seed: u64) -> Self {
        let systems =
            Systems { unique_email: seed % 5 == 1, tidies: seed % 5 == 2, merged_ids_forward: seed.is_multiple_of(2) };
        let deletes = if kind == Kind::Stormy { seed % 4 < 2 } else { !seed.is_multiple_of(3) };
        let habits = Habits { deletes, clones: true, twins: systems.unique_email };
        let deeds = People::new(seed, habits).plan(DEEDS);
        let until_ms = deeds.last().map_or(0, |deed| deed.at_ms) + 5_000;
        let rng = &mut Rng::with_seed(seed);
        let (faults, troubles) = match kind {
            Kind::Calm => (calm(), vec![]),
            Kind::Skewed => (calm(), jumps(rng, until_ms)),
            Kind::Stormy => (stormy(rng, seed.is_multiple_of(2)), troubles(rng, until_ms)),
        };
        let mut tolerance = if kind == Kind::Stormy { Tolerance::STORMY } else { Tolerance::CALM };
        if kind == Kind::Stormy {
            // News is put in order by the program's time, which goes on from the machine's clock after a crash. When that
            // was set back, of two edits of a shared field the first may look like the last, for as long as it was set
            // back, and what waits, waits for as long.
            tolerance.simultaneous_ms += set_back_ms(&troubles);
            tolerance.in_flight_ms += set_back_ms(&troubles);
        }
        let (only, planted) = (None, Planted::None);
        Self { seed, chance: seed, kind, systems, deeds, troubles, faults, only, tolerance, planted }
    }

    /// The deeds of these people alone, in the same order but at other times and amid other mishaps, twice as many.
    pub(super) fn alone(&self, people: &BTreeSet<u32>, chance: u64) -> Self {
        let mut play = Self { chance, troubles: vec![], only: None, ..self.clone() };
        play.faults = twice(play.faults);
        play.deeds.retain(|deed| people.contains(&deed.person));
        let (mut rng, mut now_ms) = (Rng::with_seed(chance), 0);
        for deed in &mut play.deeds {
            // Long enough apart to be carried over, or close enough together to meet on the way.
            now_ms += match rng.u8(0..4) {
                0 => 0,
                1 => rng.u64(0..250),
                2 => rng.u64(0..4_000),
                _ => rng.u64(0..25_000),
            };
            deed.at_ms = now_ms;
        }
        play
    }

    /// The story, line by line in the order of time.
    pub(super) fn story(&self) -> Vec<String> {
        let mut lines: Vec<(u64, String)> = Vec::new();
        lines.extend(self.deeds.iter().map(|deed| (deed.at_ms, deed.to_string())));
        lines.extend(self.troubles.iter().map(|trouble| (trouble.at_ms, trouble.to_string())));
        lines.extend(self.only.iter().flatten().map(|(side, mishap)| {
            let moment = &mishap.moment;
            let at_ms = u64::try_from(moment.at_ms - BEGIN_MS).unwrap_or(0);
            (
                at_ms,
                format!("{}: {} {} number {}: {}", side.name(), moment.method, moment.path, moment.nth, mishap.name),
            )
        }));
        lines.sort();
        lines.into_iter().map(|(at_ms, line)| format!("at {at_ms:>7} ms  {line}")).collect()
    }

    /// How much there is of it.
    pub(super) fn size(&self) -> Size {
        Size {
            deeds: self.deeds.len(),
            troubles: self.troubles.len(),
            mishaps: self.only.as_ref().map_or(0, BTreeSet::len),
        }
    }
}

/// How much there is of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) deeds: usize,
    pub(super) troubles: usize,
    pub(super) mishaps: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} deeds, {} troubles, {} mishaps", self.deeds, self.troubles, self.mishaps)
    }
}

fn calm() -> Faults {
    Faults { latency_from_ms: 1, latency_to_ms: 80, ..Faults::default() }
}

fn stormy(rng: &mut Rng, announce_before_answer: bool) -> Faults {
    let mut share = |most: f64| rng.f64() * most;
    Faults {
        latency_from_ms: 1,
        latency_to_ms: 200,
        error_429_rate: share(0.04),
        error_500_rate: share(0.08),
        applied_then_hung_rate: share(0.04),
        hang_ms: 8_000,
        applied_late_rate: share(0.04),
        reset_before_rate: share(0.04),
        reset_after_rate: share(0.04),
        truncated_json_rate: share(0.02),
        html_200_rate: share(0.02),
        created_without_id_rate: share(0.02),
        announce_before_answer,
        delivery_doubled_rate: share(0.4),
        delivery_reordered_rate: share(0.4),
        delivery_delayed_rate: share(0.2),
        delivery_dropped_rate: share(0.15),
        ..Faults::default()
    }
}

fn twice(faults: Faults) -> Faults {
    Faults {
        error_500_rate: 2.0 * faults.error_500_rate,
        applied_then_hung_rate: 2.0 * faults.applied_then_hung_rate,
        applied_late_rate: 2.0 * faults.applied_late_rate,
        reset_before_rate: 2.0 * faults.reset_before_rate,
        reset_after_rate: 2.0 * faults.reset_after_rate,
        ..faults
    }
}

/// Three crashes, and now and then something else.
fn troubles(rng: &mut Rng, until_ms: u64) -> Vec<Trouble> {
    let mut all: Vec<Blow> = Vec::new();
    for _ in 0..3 {
        all.push(Blow::Crash { steps: rng.u32(0..12), down_ms: rng.u64(1..2_000) });
    }
    let now_and_then = |rng: &mut Rng| rng.u8(0..3) == 0;
    if now_and_then(rng) {
        all.push(Blow::Slow { side: either(rng), for_ms: rng.u64(1_000..20_000) });
    }
    if now_and_then(rng) {
        all.push(Blow::Down { side: either(rng), for_ms: rng.u64(1_000..20_000) });
    }
    if now_and_then(rng) {
        all.push(Blow::NoSearch { for_ms: rng.u64(5_000..60_000) });
    }
    if now_and_then(rng) {
        // Back only: see `Kind::Skewed`.
        all.push(Blow::Jump { by_ms: -rng.i64(1_000..60_000) });
    }
    at_times(rng, until_ms, all)
}

fn jumps(rng: &mut Rng, until_ms: u64) -> Vec<Trouble> {
    let mut by_ms = || rng.i64(1_000..120_000);
    let all = [by_ms(), -by_ms(), by_ms(), -by_ms()].map(|by_ms| Blow::Jump { by_ms });
    at_times(rng, until_ms, all.into())
}

fn set_back_ms(troubles: &[Trouble]) -> i64 {
    let back = troubles.iter().filter_map(|trouble| match trouble.what {
        Blow::Jump { by_ms } if by_ms < 0 => Some(-by_ms),
        _ => None,
    });
    back.sum()
}

fn either(rng: &mut Rng) -> Side {
    if rng.bool() { Side::Crm } else { Side::Erp }
}

fn at_times(rng: &mut Rng, until_ms: u64, all: Vec<Blow>) -> Vec<Trouble> {
    let mut troubles: Vec<_> = all.into_iter().map(|what| Trouble { at_ms: rng.u64(0..until_ms), what }).collect();
    troubles.sort_by_key(|trouble| trouble.at_ms);
    troubles
}
