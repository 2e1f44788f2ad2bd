//! A play: everything that is decided before a run begins, part by part, so that any part can be left out.

use std::collections::BTreeSet;
use std::fmt;

use fastrand::Rng;
use pairline_fakes::judge::{Side, Tolerance};
use pairline_fakes::{Faults, Mishap};

use super::deed::Deed;
use super::people::People;
use super::planted::Planted;
use super::time::BEGIN_MS;
use super::trouble::{Blow, Trouble};

/// What happens in a run.
#[derive(Clone, Debug)]
pub(super) struct Play {
    pub(super) seed: u64,
    pub(super) kind: Kind,
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
}

impl Kind {
    pub(super) const ALL: [Kind; 2] = [Kind::Calm, Kind::Stormy];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Calm => "calm",
            Kind::Stormy => "stormy",
        }
    }
}

impl Play {
    /// What this seed makes of this weather.
    pub(super) fn of(kind: Kind, seed: u64) -> Self {
        match kind {
            Kind::Calm => Self::calm(seed, 220),
            Kind::Stormy => Self::stormy(seed, 220),
        }
    }

    fn nothing(kind: Kind, seed: u64, tolerance: Tolerance) -> Self {
        let (deeds, troubles, faults) = (vec![], vec![], Faults::default());
        Self { seed, kind, deeds, troubles, faults, only: None, tolerance, planted: Planted::None }
    }

    fn calm(seed: u64, deeds: usize) -> Self {
        let faults = Faults { latency_from_ms: 1, latency_to_ms: 80, ..Faults::default() };
        let deeds = People::new(seed).plan(deeds, seed.is_multiple_of(2));
        Self { deeds, faults, ..Self::nothing(Kind::Calm, seed, Tolerance::CALM) }
    }

    fn stormy(seed: u64, deeds: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut share = |most: f64| rng.f64() * most;
        let faults = Faults {
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
            announce_before_answer: seed.is_multiple_of(2),
            delivery_doubled_rate: share(0.4),
            delivery_reordered_rate: share(0.4),
            delivery_delayed_rate: share(0.2),
            delivery_dropped_rate: share(0.15),
            ..Faults::default()
        };
        let deeds = People::new(seed).plan(deeds, false);
        let until_ms = deeds.last().map_or(0, |deed| deed.at_ms) + 5_000;
        let troubles = troubles(&mut rng, until_ms);
        Self { deeds, troubles, faults, ..Self::nothing(Kind::Stormy, seed, Tolerance::STORMY) }
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

/// Three crashes, and now and then something else.
fn troubles(rng: &mut Rng, until_ms: u64) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for _ in 0..3 {
        let what = Blow::Crash { steps: rng.u32(0..12), down_ms: rng.u64(1..2_000) };
        troubles.push(Trouble { at_ms: rng.u64(0..until_ms), what });
    }
    let side = |rng: &mut Rng| if rng.bool() { Side::Crm } else { Side::Erp };
    if rng.u8(0..3) == 0 {
        let what = Blow::Slow { side: side(rng), for_ms: rng.u64(1_000..20_000) };
        troubles.push(Trouble { at_ms: rng.u64(0..until_ms), what });
    }
    if rng.u8(0..3) == 0 {
        let what = Blow::Down { side: side(rng), for_ms: rng.u64(1_000..20_000) };
        troubles.push(Trouble { at_ms: rng.u64(0..until_ms), what });
    }
    if rng.u8(0..3) == 0 {
        let what = Blow::NoSearch { for_ms: rng.u64(5_000..60_000) };
        troubles.push(Trouble { at_ms: rng.u64(0..until_ms), what });
    }
    troubles.sort_by_key(|trouble| trouble.at_ms);
    troubles
}
