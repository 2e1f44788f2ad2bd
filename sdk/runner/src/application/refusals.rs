//! What an answer's status means, and what may be repeated of a refusal.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::RETRY_AFTER;
use pairline_sdk::Timestamp;
use serde_json::Value;

use super::http_date;
use super::json::{self, is_id};
use super::pointer::Pointer;
use super::transport::Answer;

/// A refusal is no deeper than this, or it is not looked into.
const DEEPEST: usize = 32;
/// A refusal's own code that is longer than this is no code.
const LONGEST_CODE: usize = 40;

/// How a system refuses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Refusals {
    /// The statuses that say that a record is not there.
    pub(super) gone: Vec<u16>,
    /// How it says that it has a record already.
    pub(super) duplicate: Option<Duplicate>,
    /// Where it names the kind of refusal: a short word, no sentence.
    pub(super) code: Option<Pointer>,
}

/// How a system says that it has a record already.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Duplicate {
    /// The status.
    pub(super) status: u16,
    /// Where the sentence is that names it; none: anywhere in the answer.
    pub(super) at: Option<Pointer>,
    /// What stands before the id.
    pub(super) before: String,
    /// What stands behind it.
    pub(super) behind: String,
}

/// What a status means, for reads and writes alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// It was done.
    Done,
    /// There is no such record.
    Gone,
    /// There is such a record already.
    Duplicate(Option<String>),
    /// Too many calls; how long to wait, if it says so.
    Throttled(Option<Duration>),
    /// Our credentials are not accepted.
    Denied,
    /// It was refused and would be again.
    Refused,
    /// Nobody can tell; how long the system wants to be left alone, if it says so.
    Broken(Option<Duration>),
}

impl Refusals {
    /// What an answer means.
    pub(super) fn meaning(&self, answer: &Answer, now: Timestamp) -> Meaning {
        match answer.status {
            200..=299 => Meaning::Done,
            401 | 403 => Meaning::Denied,
            429 => Meaning::Throttled(retry_after(&answer.headers, now)),
            status if self.gone.contains(&status) => Meaning::Gone,
            status if self.duplicate.as_ref().is_some_and(|duplicate| duplicate.status == status) => {
                Meaning::Duplicate(self.duplicate.as_ref().and_then(|duplicate| duplicate.id(&answer.body)))
            }
            // 307 and 308 ask for the request to be repeated elsewhere; other redirections may follow a success.
            307 | 308 => Meaning::Refused,
            // The system stopped to wait for the request, or does not want it this early: it may have it all the same.
            408 | 425 => Meaning::Broken(None),
            400..=499 => Meaning::Refused,
            _ => Meaning::Broken(retry_after(&answer.headers, now)),
        }
    }

    /// A refusal as it may be stored: the status, and the system's word for it.
    pub(super) fn reason(&self, answer: &Answer) -> String {
        let status = answer.status;
        let body = self.code.as_ref().and_then(|_| json::parse(&answer.body, DEEPEST).ok());
        let code = match (&self.code, &body) {
            (Some(at), Some(body)) => at.of(body).and_then(Value::as_str).filter(|code| is_code(code)),
            _ => None,
        };
        match code {
            Some(code) => format!("refused with status {status} ({code})"),
            None => format!("refused with status {status}"),
        }
    }
}

/// A word of capitals, as constants are: a sentence might repeat a value.
fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c == '_' || c == '-' || c == '.';
    !text.is_empty() && text.len() <= LONGEST_CODE && text.chars().all(plain)
}

impl Duplicate {
    fn id(&self, body: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(body);
        let parsed = json::parse(body, DEEPEST).ok();
        if parsed.is_none() && text.trim_start().starts_with(['{', '[', '"']) {
            // JSON that breaks off may break off within the id, and half of an id is another record's.
            return None;
        }
        let text = match (&self.at, &parsed) {
            (Some(at), Some(body)) => at.of(body)?.as_str()?,
            _ => &text,
        };
        let (_, behind) = text.split_once(&self.before)?;
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(behind.len());
        let (id, rest) = behind.split_at(end);
        let whole = !rest.starts_with(char::is_alphanumeric);
        (whole && is_id(id) && rest.starts_with(&self.behind)).then(|| id.to_owned())
    }
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (0.0..1e9).contains(&seconds).then(|| Duration::from_secs_f64(seconds));
    }
    http_date::parse(text).map(|at| at.since(now))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn refusals() -> Refusals {
        Refusals {
            gone: vec![404],
            duplicate: Some(Duplicate {
                status: 409,
                at: Some(Pointer::parse("/message").unwrap()),
                before: "Existing ID: ".to_owned(),
                behind: String::new(),
            }),
            code: Some(Pointer::parse("/category").unwrap()),
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned().into(), ..Answer::default() }
    }

    #[test]
    fn every_status_has_one_meaning() {
        let now = Timestamp::from_millis(0);
        for (status, meaning) in [
            (200, Meaning::Done),
            (201, Meaning::Done),
            (204, Meaning::Done),
            (301, Meaning::Broken(None)),
            (303, Meaning::Broken(None)),
            (308, Meaning::Refused),
            (400, Meaning::Refused),
            (401, Meaning::Denied),
            (403, Meaning::Denied),
            (404, Meaning::Gone),
            (405, Meaning::Refused),
            (408, Meaning::Broken(None)),
            (409, Meaning::Duplicate(None)),
            (410, Meaning::Refused),
            (422, Meaning::Refused),
            (429, Meaning::Throttled(None)),
            (500, Meaning::Broken(None)),
            (503, Meaning::Broken(None)),
            (504, Meaning::Broken(None)),
            (999, Meaning::Broken(None)),
        ] {
            assert_eq!(refusals().meaning(&answer(status, "{}"), now), meaning, "{status}");
        }
        assert_eq!(Refusals::default().meaning(&answer(409, "{}"), now), Meaning::Refused);
    }

    #[test]
    fn whoever_wants_to_be_left_alone_for_a_while_is_left_alone_for_that_long() {
        for (status, meaning) in [
            (429, Meaning::Throttled(Some(Duration::from_secs(7)))),
            (503, Meaning::Broken(Some(Duration::from_secs(7)))),
        ] {
            let mut answer = answer(status, "{}");
            answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));

            assert_eq!(refusals().meaning(&answer, Timestamp::default()), meaning, "{status}");
        }
    }

    #[test]
    fn the_id_of_a_duplicate_is_read_from_the_sentence_and_from_nowhere_else() {
        let id = |text: &str| refusals().meaning(&answer(409, text), Timestamp::default());
        let some = |id: &str| Meaning::Duplicate(Some(id.to_owned()));

        assert_eq!(id(r#"{"message":"Contact already exists. Existing ID: 6001"}"#), some("6001"));
        assert_eq!(id(r#"{"message":"Existing ID: 6001. Sorry."}"#), some("6001"));
        assert_eq!(id("Conflict, Existing ID: WHS-7\n"), some("WHS-7"));
        assert_eq!(id(r#"{"message":"Existing ID: "}"#), Meaning::Duplicate(None));
        assert_eq!(id(r#"{"detail":"Existing ID: 6001"}"#), Meaning::Duplicate(None));
        assert_eq!(id(r#"{"message":"Existing ID: ../1"}"#), Meaning::Duplicate(None));
    }

    #[test]
    fn a_piece_of_an_id_is_not_the_id_of_a_duplicate() {
        let id = |text: &str| refusals().meaning(&answer(409, text), Timestamp::default());

        for cut in [
            r#"{"message":"Contact already exists. Existing ID: 60"#,
            r#"{"message":"Existing ID: 60é1"}"#,
            r#"{"message":"Existing ID: 1","message":"Existing ID: 2"}"#,
        ] {
            assert_eq!(id(cut), Meaning::Duplicate(None), "{cut}");
        }
    }

    #[test]
    fn a_reason_holds_the_status_and_a_constant_but_no_sentence() {
        let reason = |body: &str| refusals().reason(&answer(400, body));

        assert_eq!(reason(r#"{"category":"VALIDATION_ERROR"}"#), "refused with status 400 (VALIDATION_ERROR)");
        for body in [r#"{"category":"ada@example.test"}"#, r#"{"category":"ADA LOVELACE"}"#, "<html>", ""] {
            assert_eq!(reason(body), "refused with status 400");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::from_millis(784_111_777_000);
        let after = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            retry_after(&headers, now)
        };

        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        for nonsense in ["-1", "soon", "1e99", "NaN", ""] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
    }
}
