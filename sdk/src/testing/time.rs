//! Time and chance that a test decides.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use crate::{Clock, Random, Timestamp};

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock {
    now: AtomicI64,
    sleepers: Mutex<Vec<Waker>>,
}

impl Default for TestClock {
    fn default() -> Self {
        // A plausible date, so that a text made from it looks like one.
        Self { now: AtomicI64::new(1_780_000_000_000), sleepers: Mutex::default() }
    }
}

impl TestClock {
    /// Lets time pass and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_millis()).expect("a test waits for no such time"), Ordering::SeqCst);
        for waker in self.sleepers.lock().expect("no test panics while it holds this").drain(..) {
            waker.wake();
        }
    }

    /// Sets the time, forwards or back.
    pub fn set(&self, to: Timestamp) {
        self.now.store(to.as_millis(), Ordering::SeqCst);
        self.advance(Duration::ZERO);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, until: Timestamp) {
        std::future::poll_fn(|context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            self.sleepers.lock().expect("no test panics while it holds this").push(context.waker().clone());
            // Time may have passed before the waker was known.
            if self.now() >= until { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Chance from a seed: the same seed, the same numbers.
#[derive(Debug)]
pub struct TestRandom(AtomicU64);

impl TestRandom {
    /// Chance from this seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Default for TestRandom {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Random for TestRandom {
    // SplitMix64: each step adds a constant and mixes, so the state is one counter.
    fn bits(&self) -> u64 {
        let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
