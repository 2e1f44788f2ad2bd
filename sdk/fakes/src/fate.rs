//! Fate: what one call will suffer, drawn once when it arrives.

use std::time::Duration;

use fastrand::Rng;

use crate::dice::happens;
use crate::faults::{APPLIED_WITHIN_MS, Faults};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Well,
    Throttled,
    Failed,
    AppliedThenHung,
    AppliedLate { applied_after: Duration, answered_after: Duration },
    ResetBefore,
    ResetAfter,
    TruncatedJson,
    Html { applied: bool },
    CreatedWithoutId,
}

impl Fate {
    /// One number decides, so that each rate is exactly the share of calls it names.
    pub(crate) fn draw(faults: &Faults, creates: bool, rng: &mut Rng) -> Self {
        let mut left = rng.f64();
        let mut falls_to = |rate: f64| {
            let falls = left < rate;
            left -= rate;
            falls
        };
        if falls_to(faults.error_429_rate) {
            return Fate::Throttled;
        }
        if falls_to(faults.error_500_rate) {
            return Fate::Failed;
        }
        if falls_to(faults.applied_then_hung_rate) {
            return Fate::AppliedThenHung;
        }
        if falls_to(faults.applied_late_rate) {
            return Fate::late(faults, rng);
        }
        if falls_to(faults.reset_before_rate) {
            return Fate::ResetBefore;
        }
        if falls_to(faults.reset_after_rate) {
            return Fate::ResetAfter;
        }
        if falls_to(faults.truncated_json_rate) {
            return Fate::TruncatedJson;
        }
        if falls_to(faults.html_200_rate) {
            return Fate::Html { applied: happens(rng, 0.5) };
        }
        if creates && falls_to(faults.created_without_id_rate) {
            return Fate::CreatedWithoutId;
        }
        Fate::Well
    }

    /// Half of the late calls are answered 504 before they are applied: the caller that looks right away finds
    /// nothing. The other half keep the caller waiting, so it gives up on its own.
    fn late(faults: &Faults, rng: &mut Rng) -> Self {
        let latest_ms = faults.late_max_ms.clamp(1, APPLIED_WITHIN_MS);
        let applied_after_ms = rng.u64(latest_ms.div_ceil(4)..=latest_ms);
        let answered_after_ms = if happens(rng, 0.5) { rng.u64(0..applied_after_ms) } else { faults.hang_ms };
        Fate::AppliedLate {
            applied_after: Duration::from_millis(applied_after_ms),
            answered_after: Duration::from_millis(answered_after_ms),
        }
    }

    /// The name in the tally of faults that really happened.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Fate::Well => "none",
            Fate::Throttled => "error_429",
            Fate::Failed => "error_500",
            Fate::AppliedThenHung => "applied_then_hung",
            Fate::AppliedLate { .. } => "applied_late",
            Fate::ResetBefore => "reset_before",
            Fate::ResetAfter => "reset_after",
            Fate::TruncatedJson => "truncated_json",
            Fate::Html { .. } => "html_200",
            Fate::CreatedWithoutId => "created_without_id",
        }
    }
}

/// How long a call takes, before and after it is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
}

impl Latency {
    pub(crate) fn draw(faults: &Faults, rng: &mut Rng) -> Self {
        let slowest_ms = faults.latency_to_ms.max(faults.latency_from_ms);
        let whole_ms = rng.u64(faults.latency_from_ms..=slowest_ms);
        let before_ms = rng.u64(0..=whole_ms).min(APPLIED_WITHIN_MS);
        Self { before: Duration::from_millis(before_ms), after: Duration::from_millis(whole_ms - before_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    fn fates(faults: &Faults, creates: bool) -> Vec<Fate> {
        let dice = Dice::new(3, "fates");
        (0..1_000).map(|_| Fate::draw(faults, creates, &mut dice.throw("POST", "contacts").rng)).collect()
    }

    #[test]
    fn without_faults_every_call_ends_well() {
        assert!(fates(&Faults::default(), true).iter().all(|fate| *fate == Fate::Well));
    }

    #[test]
    fn every_fault_that_is_on_happens_and_only_creates_lose_their_id() {
        let faults = Faults {
            error_429_rate: 0.1,
            error_500_rate: 0.1,
            applied_then_hung_rate: 0.1,
            applied_late_rate: 0.1,
            reset_before_rate: 0.1,
            reset_after_rate: 0.1,
            truncated_json_rate: 0.1,
            html_200_rate: 0.1,
            created_without_id_rate: 0.1,
            ..Faults::default()
        };
        let names = |creates| {
            let mut names: Vec<_> = fates(&faults, creates).iter().map(|fate| fate.name()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };

        assert_eq!(names(true).len(), 10);
        assert!(!names(false).contains(&"created_without_id"));
    }

    #[test]
    fn a_late_call_is_applied_within_the_five_seconds_of_the_contract() {
        let faults = Faults { applied_late_rate: 1.0, late_max_ms: 60_000, ..Faults::default() };

        let mut answered_first = 0;
        for fate in fates(&faults, true) {
            let Fate::AppliedLate { applied_after, answered_after } = fate else {
                panic!("expected a late call, found {fate:?}");
            };
            assert!(applied_after < Duration::from_secs(5));
            answered_first += usize::from(answered_after < applied_after);
        }
        assert!((300..700).contains(&answered_first));
    }

    #[test]
    fn latency_stays_in_its_range_and_never_holds_a_call_past_the_contract() {
        let faults = Faults { latency_from_ms: 8_000, latency_to_ms: 9_000, ..Faults::default() };
        let dice = Dice::new(3, "latency");

        for _ in 0..1_000 {
            let latency = Latency::draw(&faults, &mut dice.throw("POST", "contacts").rng);
            let whole_ms = (latency.before + latency.after).as_millis();
            assert!((8_000..=9_000).contains(&whole_ms));
            assert!(latency.before < Duration::from_secs(5));
        }
    }
}
