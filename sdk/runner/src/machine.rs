//! The machine's time and chance, behind the contract's ports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use pairline_sdk::{Clock, Random, Timestamp};

/// The time that decisions are made by: what the wall clock showed when it was first asked, and how long ago that is.
///
/// It does not move when the wall clock is set. If it went back with it, what came later would look older, and everything
/// that waits would wait that much longer; if it went ahead, a request might be given up that can still be applied. While a
/// machine sleeps it may stand still: then waits are longer than they need be.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        static FIRST: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| (Instant::now(), WallClock.now()));
        let (then, shown) = *FIRST;
        shown.plus(then.elapsed())
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}

/// The time of day, as the machine shows it at this moment: for what others have dated.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}

/// Chance for jitter and ids, seeded by the standard library's own; never for a secret.
#[derive(Debug)]
pub struct SystemRandom {
    seed: RandomState,
    drawn: AtomicU64,
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self { seed: RandomState::new(), drawn: AtomicU64::new(0) }
    }
}

impl Random for SystemRandom {
    fn bits(&self) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(self.drawn.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}
