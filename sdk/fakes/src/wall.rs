//! Wall: the clock both systems stamp their records with.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::time::Instant;

/// A clock that goes as the runtime's time does: as fast as the machine's, or as fast as a test lets it pass.
#[derive(Clone, Copy, Debug)]
pub struct Wall {
    epoch_ms: i64,
    since: Instant,
}

impl Wall {
    /// Shows the machine's time.
    pub fn of_the_machine() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::showing(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// Shows this many milliseconds since 1970 now.
    pub fn showing(epoch_ms: i64) -> Self {
        Self { epoch_ms, since: Instant::now() }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.epoch_ms.saturating_add(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// As an answer's `Date` header shows it: without the milliseconds.
    pub(crate) fn http_date(&self) -> HeaderValue {
        let now = Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::MAX);
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        date.ok().and_then(|date| HeaderValue::try_from(date).ok()).expect("it is not before the year 0")
    }
}
