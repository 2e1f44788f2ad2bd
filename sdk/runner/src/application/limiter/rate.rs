//! How many calls a second a system bears: found out by its 429s, and forgotten when they stay away.
//!
//! Numbers only: nothing here waits or looks at a clock.

use std::time::Duration;

use pairline_sdk::Timestamp;

/// The share of the rate that is left after a 429.
const DECREASE: f64 = 0.7;
/// The share of the rate it grows by in a second.
const INCREASE: f64 = 0.25;
/// How soon it may grow again.
const GROW_EVERY: Duration = Duration::from_millis(200);
/// Calls a second below which the rate does not go; a system that bears less says so by its pauses.
const SLOWEST: f64 = 10.0;
/// How many times the rate that was too fast it grows to before there is no rate any more.
const FORGET_ABOVE: f64 = 2.0;

/// How fast calls may begin.
#[derive(Clone, Copy)]
pub(super) struct Rate {
    calls_per_second: f64,
    /// What was too fast.
    too_fast: f64,
    /// When the next call may start, in milliseconds since 1970.
    next: f64,
    changed: Timestamp,
    lowered: Timestamp,
}

impl Rate {
    /// The rate to go on with after one that was too fast.
    pub(super) fn below(too_fast: f64, now: Timestamp) -> Self {
        let too_fast = too_fast.max(SLOWEST);
        let calls_per_second = (too_fast * DECREASE).max(SLOWEST);
        Self { calls_per_second, too_fast, next: millis(now), changed: now, lowered: now }
    }

    pub(super) fn calls_per_second(&self) -> f64 {
        self.calls_per_second
    }

    /// Whether a call that started then may have been too fast. One that started before the rate was lowered only says
    /// again what is known.
    pub(super) fn was_kept_by(&self, started: Timestamp) -> bool {
        started > self.lowered
    }

    /// Takes the next place there is and answers when it is. Where that is later than `until` nothing is taken, and the
    /// error is when it would be.
    pub(super) fn take(&mut self, now: Timestamp, until: Timestamp) -> Result<Timestamp, Timestamp> {
        let at = self.next.max(millis(now));
        #[expect(clippy::cast_possible_truncation, reason = "an instant near now")]
        let place = Timestamp::from_millis(at as i64);
        if place > until {
            return Err(place);
        }
        self.next = at + 1000.0 / self.calls_per_second;
        Ok(place)
    }

    /// The rate after a call that started then went well. None when it is so far above what was too fast that there is
    /// no limit to be seen.
    pub(super) fn grown(mut self, started: Timestamp) -> Option<Self> {
        let since = started.since(self.changed);
        if since >= GROW_EVERY {
            self.calls_per_second += self.too_fast * INCREASE * since.as_secs_f64().min(1.0);
            self.changed = started;
        }
        (self.calls_per_second <= self.too_fast * FORGET_ABOVE).then_some(self)
    }
}

/// The calls that began in the running second and in the one before.
#[derive(Default)]
pub(super) struct Begun {
    second: i64,
    running: u32,
    before: u32,
}

impl Begun {
    /// The running second is this one now.
    pub(super) fn turn_to(&mut self, now: Timestamp) {
        let second = now.as_millis() / 1000;
        if second != self.second {
            self.before = if second == self.second + 1 { self.running } else { 0 };
            self.running = 0;
            self.second = second;
        }
    }

    pub(super) fn add_one(&mut self) {
        self.running += 1;
    }

    /// About how many began within a second up to now.
    pub(super) fn within_a_second(&self, now: Timestamp) -> f64 {
        let part = f64::from(u32::try_from(now.as_millis().rem_euclid(1000)).unwrap_or(0)) / 1000.0;
        f64::from(self.running) + f64::from(self.before) * (1.0 - part)
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
fn millis(at: Timestamp) -> f64 {
    at.as_millis() as f64
}
