//! The program's clocks and chance: the runtime's own time, which passes as soon as nobody has anything left to do.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use pairline_sdk::{Clock, Random, Timestamp};
use tokio::time::Instant;

/// When every simulation begins, in milliseconds since 1970.
pub(super) const BEGIN_MS: i64 = 1_700_000_000_000;

/// Goes as the runtime's time does, until somebody sets it.
pub(super) struct SimulatedClock {
    began: Instant,
    set_by_ms: AtomicI64,
}

impl SimulatedClock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), set_by_ms: AtomicI64::new(0) }
    }

    /// Somebody sets it, forwards or back.
    pub(super) fn set_by(&self, by_ms: i64) {
        self.set_by_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// A program that starts goes on from what the wall clock shows.
    pub(super) fn set_as(&self, wall: &Self) {
        self.set_by_ms.store(wall.set_by_ms.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let since_begin = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(BEGIN_MS + since_begin + self.set_by_ms.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, until: Timestamp) {
        // As on the machine: how long is known when the sleep begins, whatever becomes of the clock meanwhile.
        tokio::time::sleep(until.since(self.now())).await;
    }
}

/// Chance by the moment it is asked, so that what is left out of a run changes nothing that has nothing to do with it.
pub(super) struct SimulatedRandom {
    seed: u64,
    began: Instant,
    asked: Mutex<(u64, u64)>,
}

impl SimulatedRandom {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, began: Instant::now(), asked: Mutex::default() }
    }
}

impl Random for SimulatedRandom {
    fn bits(&self) -> u64 {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        let mut asked = self.asked.lock().unwrap();
        *asked = if asked.0 == at_ms { (at_ms, asked.1 + 1) } else { (at_ms, 0) };
        fastrand::Rng::with_seed(mixed(self.seed ^ mixed(at_ms ^ mixed(asked.1)))).u64(..)
    }
}

/// Neighbours must not give neighbours.
pub(super) fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ (value >> 27)
}
