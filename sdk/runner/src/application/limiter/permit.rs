//! One call under way, and what all calls after it learn from its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pairline_sdk::{Random, Timestamp};
use tokio::sync::SemaphorePermit;

use super::rate::Rate;
use super::{Limiter, PAUSE_LONGEST};

/// The first pause after a system was not to be reached; it doubles.
pub(super) const OUTAGE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause after a system was not to be reached: a probe costs little.
pub(super) const OUTAGE_LONGEST: Duration = Duration::from_secs(2);
/// The pause after a 429 that names none; it doubles with each one that follows.
const THROTTLED_FIRST: Duration = Duration::from_millis(500);
/// The longest pause after a 429 that names none.
const THROTTLED_LONGEST: Duration = Duration::from_secs(30);
/// The pause after credentials were refused: a person has to do something.
const DENIED: Duration = Duration::from_secs(30);

/// One call under way.
pub struct Permit<'a> {
    pub(super) limiter: &'a Limiter,
    pub(super) started: Timestamp,
    pub(super) probe: bool,
    pub(super) _slot: SemaphorePermit<'a>,
}

impl Permit<'_> {
    /// The system answered, and it was neither 429 nor a refusal of our credentials.
    pub fn answered(self) {
        let mut state = self.limiter.state();
        state.outages = 0;
        state.throttles = 0;
        state.rate = state.rate.and_then(|rate| rate.grown(self.started));
    }

    /// The system answered 429. Answers how long all calls wait now.
    pub fn throttled(self, after: Option<Duration>) -> Duration {
        let limiter = self.limiter;
        limiter.throttled.fetch_add(1, Ordering::Relaxed);
        let now = limiter.clock.now();
        let mut state = limiter.state();
        state.outages = 0;
        if state.rate.is_none_or(|rate| rate.was_kept_by(self.started)) {
            let too_fast = state.rate.map_or_else(|| state.begun.within_a_second(now), |rate| rate.calls_per_second());
            state.rate = Some(Rate::below(too_fast, now));
            state.credits = 0;
        }
        let after = after.unwrap_or_else(|| {
            let pause = doubled(THROTTLED_FIRST, state.throttles, THROTTLED_LONGEST);
            state.throttles = state.throttles.saturating_add(1);
            jittered(pause, &*limiter.random)
        });
        drop(state);
        limiter.pause(after, "the application asked us to wait");
        after.min(PAUSE_LONGEST)
    }

    /// The system was not to be reached. Answers how long all calls wait now.
    pub fn unreachable(self) -> Duration {
        let limiter = self.limiter;
        let mut state = limiter.state();
        let after = jittered(doubled(OUTAGE_FIRST, state.outages, OUTAGE_LONGEST), &*limiter.random);
        // Calls that were under way together are one outage.
        if self.probe || state.outages == 0 {
            state.outages = state.outages.saturating_add(1);
        }
        drop(state);
        limiter.pause(after, "the application is not to be reached");
        after
    }

    /// The system refused our credentials. Answers how long all calls wait now.
    pub fn denied(self) -> Duration {
        self.limiter.pause(DENIED, "the application refuses our credentials");
        DENIED
    }

    /// Nobody knows what the system did.
    pub fn lost(self) {}
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.limiter.state().probing = false;
        }
    }
}

/// Longer by up to a quarter, so that not everybody comes back at once.
fn jittered(pause: Duration, random: &dyn Random) -> Duration {
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    pause + Duration::from_millis(random.below(millis / 4 + 1))
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX)).min(longest)
}
