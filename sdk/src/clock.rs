//! Ports: time and chance. A node never asks the machine for either, so a test can decide both.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant this many milliseconds after 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant and a while later.
    #[must_use]
    pub fn plus(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(while_.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant and a while earlier.
    #[must_use]
    pub fn minus(self, while_: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(while_.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The time, and waiting for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now. It may jump; nothing may be decided across systems by it.
    fn now(&self) -> Timestamp;

    /// Returns once `until` has been reached. May be dropped at any time.
    async fn sleep_until(&self, until: Timestamp);
}

/// A source of chance: for jitter and for ids, never for a secret.
pub trait Random: Send + Sync {
    /// Sixty-four bits of it.
    fn bits(&self) -> u64;

    /// A number below `bound`, or zero when `bound` is zero.
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.bits() % bound }
    }
}

/// A time-ordered id, unique for all practical purposes: a UUID of version 7.
pub fn time_ordered_id(now: Timestamp, random: &dyn Random) -> String {
    let mut chance = [0_u8; 10];
    chance[..8].copy_from_slice(&random.bits().to_be_bytes());
    chance[8..].copy_from_slice(&random.bits().to_be_bytes()[..2]);
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid().to_string()
}
