//! What a remote system's clock shows, as far as its stamps tell.

use std::time::Duration;

use pairline_sdk::Timestamp;
use tokio::time::Instant;

/// Two clocks drift apart: how far theirs has moved is known this long after a stamp was seen, and not longer.
const MOVES_ALONG_FOR: Duration = Duration::from_secs(60);

/// What is known of a remote system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RemoteClock(Option<(Timestamp, Instant)>);

impl RemoteClock {
    /// What it shows at least. How much time has passed is known however wrong the clocks are.
    pub(crate) fn at_least(&self, now: Instant) -> Timestamp {
        self.0.map_or(Timestamp::default(), |(stamp, seen)| {
            stamp.plus(now.saturating_duration_since(seen).min(MOVES_ALONG_FOR))
        })
    }

    /// It has shown this.
    pub(crate) fn saw(&mut self, stamp: Timestamp, now: Instant) {
        if self.0.is_none_or(|(known, _)| stamp > known) {
            self.0 = Some((stamp, now));
        }
    }
}
