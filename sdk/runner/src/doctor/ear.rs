//! Hears every answer on its way in: whether there was one, and what the system's clock showed.
//!
//! It stands below the port and its limiter, where the network would be; it makes no call of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::header::DATE;
use pairline_sdk::{Clock, Timestamp};

use crate::application::{Answer, Call, Transport, TransportError, http_date};

/// How far an HTTP date may be behind the clock it was taken from: it leaves out the milliseconds.
const DATE_IS_WITHIN_MS: i64 = 999;

/// A transport that listens.
pub(super) struct Ear {
    inner: Arc<dyn Transport>,
    wall: Arc<dyn Clock>,
    heard: Mutex<Heard>,
}

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Why the newest call had no answer.
    pub(super) silence: Option<String>,
    /// How long the newest answer took.
    pub(super) took: Duration,
    /// By how many milliseconds their clock is ahead of ours, at least and at most; below zero it is behind.
    pub(super) ahead: Option<(i64, i64)>,
}

impl Ear {
    pub(super) fn new(inner: Arc<dyn Transport>, wall: Arc<dyn Clock>) -> Self {
        Self { inner, wall, heard: Mutex::default() }
    }

    /// What was heard so far.
    pub(super) fn heard(&self) -> Heard {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Each of its parts is right by itself.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn dated(&mut self, asked: Timestamp, date: Timestamp, answered: Timestamp) {
        let (asked, date, answered) = (asked.as_millis(), date.as_millis(), answered.as_millis());
        let (least, most) = (date - answered, date + DATE_IS_WITHIN_MS - asked);
        // Each answer narrows it down. A clock that jumps in between leaves nothing: then the newest counts.
        let both = self.ahead.map(|(known_least, known_most)| (least.max(known_least), most.min(known_most)));
        self.ahead = Some(both.filter(|(least, most)| least <= most).unwrap_or((least, most)));
    }

    /// How far their clock is from ours at least: ahead above zero, behind below.
    pub(super) fn skew_ms(&self) -> Option<i64> {
        self.ahead.map(|(least, most)| if least > 0 { least } else { most.min(0) })
    }
}

#[async_trait]
impl Transport for Ear {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let asked = self.wall.now();
        let answer = self.inner.call(call).await;
        let answered = self.wall.now();
        let mut heard = self.lock();
        heard.took = answered.since(asked);
        heard.silence = answer.as_ref().err().map(ToString::to_string);
        let date = answer.as_ref().ok().and_then(|answer| answer.headers.get(DATE)?.to_str().ok());
        if let Some(date) = date.and_then(http_date::parse) {
            heard.dated(asked, date, answered);
        }
        drop(heard);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skew(answers: &[(i64, i64, i64)]) -> Option<i64> {
        let mut heard = Heard::default();
        for (asked, date, answered) in answers {
            let at = Timestamp::from_millis;
            heard.dated(at(*asked), at(*date), at(*answered));
        }
        heard.skew_ms()
    }

    #[test]
    fn clocks_are_apart_only_as_far_as_the_answers_prove() {
        assert_eq!(skew(&[]), None);
        // A date without its milliseconds, and an answer that took its time, prove nothing.
        assert_eq!(skew(&[(10_900, 10_000, 11_000)]), Some(0));
        assert_eq!(skew(&[(10_000, 12_000, 15_000)]), Some(0));
        assert_eq!(skew(&[(10_000, 70_000, 10_100)]), Some(59_900));
        assert_eq!(skew(&[(100_000, 40_000, 100_100)]), Some(-59_001));
        // The second answer took less time, and says more.
        assert_eq!(skew(&[(10_000, 15_000, 14_000), (20_000, 25_000, 20_100)]), Some(4_900));
    }
}
