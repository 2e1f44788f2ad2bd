//! Instants as both systems show them: RFC 3339 with milliseconds outside, milliseconds since 1970 inside.

use jiff::Timestamp;

pub(crate) fn to_text(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

/// Callers send back what they were given (RFC 3339) or what the CRM's own filters use (milliseconds).
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Ok(at_ms) = text.parse::<i64>() {
        return Some(at_ms);
    }
    let at: Timestamp = text.parse().ok()?;
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_with_milliseconds_even_when_they_are_zero() {
        assert_eq!(to_text(1_700_000_000_000), "2023-11-14T22:13:20.000Z");
        assert_eq!(to_text(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
    }

    #[test]
    fn an_instant_is_read_from_rfc_3339_and_from_milliseconds() {
        assert_eq!(parse("2023-11-14T22:13:20.007Z"), Some(1_700_000_000_007));
        assert_eq!(parse("2023-11-14T23:13:20.007+01:00"), Some(1_700_000_000_007));
        assert_eq!(parse("1700000000007"), Some(1_700_000_000_007));
        assert_eq!(parse("yesterday"), None);
    }
}
