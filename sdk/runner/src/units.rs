//! Durations and sizes as they are written.

use std::time::Duration;

/// Reads `200ms`, `5s`, `3m`, `24h`.
///
/// # Errors
///
/// One line that says what a duration looks like.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text[..text.len() - unit.len()].parse::<u32>().ok();
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    match (number, millis) {
        (Some(number), Some(millis)) => Ok(Duration::from_millis(u64::from(number) * millis)),
        _ => Err(format!("expected a duration such as `200ms`, `5s`, `3m` or `24h`, found `{text}`")),
    }
}

/// Reads `64KiB`, `16MiB`, `1GiB`: bytes.
///
/// # Errors
///
/// One line that says what a size looks like.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text[..text.len() - unit.len()].parse::<u32>().ok();
    let shift = match unit {
        "KiB" => Some(10),
        "MiB" => Some(20),
        "GiB" => Some(30),
        _ => None,
    };
    match (number, shift) {
        (Some(number), Some(shift)) => Ok(u64::from(number) << shift),
        _ => Err(format!("expected a size such as `512KiB` or `64MiB`, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["", "5", "s", "-5s", "5 s", "99999999999s", "5d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size("512KiB"), Ok(512 << 10));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        for text in ["", "5", "MiB", "64 MiB", "64MB", "-1MiB", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
