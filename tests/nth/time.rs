//! The program's clock: the runtime's own time, which passes as soon as nobody has anything left to do; until somebody sets
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{Clock, Timestamp};
use tokio::time::Instant;

use super::trouble::{Failure, Layer, Trouble};

/// When every run begins, in milliseconds since 1970.
pub(super) const BEGIN_MS: i64 = 1_700_000_000_000;

const AHEAD_MS: i64 = 3_600_000;
const BACK_MS: i64 = -600_000;
const LATE: Duration = Duration::from_secs(30);

/// A clock of the machine: it lives on when the program dies.
pub(super) struct FailingClock {
    begun: Instant,
    set_ms: AtomicI64,
    trouble: Arc<Trouble>,
}

impl FailingClock {
    pub(super) fn new(trouble: &Arc<Trouble>) -> Self {
        Self { begun: Instant::now(), set_ms: AtomicI64::new(0), trouble: Arc::clone(trouble) }
    }

    fn shows(&self) -> Timestamp {
        let set_ms = self.set_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(BEGIN_MS + set_ms).plus(self.begun.elapsed())
    }
}

#[async_trait]
impl Clock for FailingClock {
    fn now(&self) -> Timestamp {
        match self.trouble.meet(Layer::Reading, "Clock::now") {
            Some(Failure::ClockAhead) => self.set_ms.store(AHEAD_MS, Ordering::Relaxed),
            Some(Failure::ClockBack) => self.set_ms.store(BACK_MS, Ordering::Relaxed),
            _ => {}
        }
        self.shows()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let late = self.trouble.meet(Layer::Timer, "Clock::sleep_until").map_or(Duration::ZERO, |_| LATE);
        tokio::time::sleep(until.since(self.shows()) + late).await;
    }
}
