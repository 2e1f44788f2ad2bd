//! Wall: the clock both systems stamp their records with.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::time::Instant;

const NS_PER_MS: i128 = 1_000_000;

/// What the machine's clock showed when this process first asked for it.
///
/// Two walls that had each read it for themselves would differ by as long as a busy machine lets a thread wait between
/// its two clocks: a record of one system would seem to be older than the edit of the other that it was made from.
static MACHINE: OnceLock<Wall> = OnceLock::new();

/// A clock that goes as the runtime's time does: as fast as the machine's, or as fast as a test lets it pass.
#[derive(Clone, Copy, Debug)]
pub struct Wall {
    epoch_ns: i128,
    since: Instant,
}

impl Wall {
    /// Shows the machine's time. All such walls of a process show the same.
    pub fn of_the_machine() -> Self {
        let machine = MACHINE.get_or_init(|| {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Self { epoch_ns: nanoseconds(since_1970), since: Instant::now() }
        });
        let since = Instant::now();
        let passed = since.into_std().saturating_duration_since(machine.since.into_std());
        Self { epoch_ns: machine.epoch_ns + nanoseconds(passed), since }
    }

    /// Shows this many milliseconds since 1970 now.
    pub fn showing(epoch_ms: i64) -> Self {
        Self { epoch_ns: i128::from(epoch_ms) * NS_PER_MS, since: Instant::now() }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.at_ms(Instant::now())
    }

    fn at_ms(&self, now: Instant) -> i64 {
        let now_ns = self.epoch_ns + nanoseconds(now.saturating_duration_since(self.since));
        i64::try_from(now_ns / NS_PER_MS).unwrap_or(i64::MAX)
    }

    /// As an answer's `Date` header shows it: without the milliseconds.
    pub(crate) fn http_date(&self) -> HeaderValue {
        let now = Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::MAX);
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        date.ok().and_then(|date| HeaderValue::try_from(date).ok()).expect("it is not before the year 0")
    }
}

fn nanoseconds(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_walls_of_a_process_show_the_same() {
        let walls: Vec<_> = (0..1000).map(|_| Wall::of_the_machine()).collect();
        let begin = Instant::now();

        for later_us in (0..10_000).step_by(7) {
            let now = begin + Duration::from_micros(later_us);
            assert!(walls.iter().all(|wall| wall.at_ms(now) == walls[0].at_ms(now)), "{later_us} us later");
        }
    }
}
