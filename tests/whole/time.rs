//! The program's clock: the runtime's own time, which passes as soon as nobody has anything left to do.

use async_trait::async_trait;
use pairline_sdk::{Clock, Timestamp};
use tokio::time::Instant;

/// When every simulation begins, in milliseconds since 1970.
pub(super) const BEGIN_MS: i64 = 1_700_000_000_000;

/// Goes as the runtime's time does.
pub(super) struct SimulatedClock(Instant);

impl SimulatedClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN_MS).plus(self.0.elapsed())
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}
