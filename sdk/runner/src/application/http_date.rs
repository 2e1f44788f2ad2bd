//! The date in a header, as `Date` and `Retry-After` show it: in whole seconds.

use pairline_sdk::Timestamp;

/// The instant a header names, if it names one.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_millis(date.timestamp().as_millisecond()))
}
