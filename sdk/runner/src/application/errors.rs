//! What an answer means, and what may be repeated of a refusal.
//!
//! A status has a usual meaning. Where a system means something else by it, or says it in another way, its description
//! has a rule; the first one that fits an answer decides.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName};
use pairline_sdk::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::http_date;
use super::json::{self, is_id};
use super::pointer::Pointer;
use super::transport::Answer;

/// An error is no deeper than this, or it is not looked into.
const DEEPEST: usize = 32;
/// A refusal's own code that is longer than this is no code.
const LONGEST_CODE: usize = 40;
/// How soon what may be repeated is repeated, if neither the system nor its description says when.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
/// Longer than this no system is left alone at its own word: it is asked once more.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What a system's answers mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Errors {
    /// What it means otherwise than is usual; the first that fits decides.
    pub(super) rules: Vec<Rule>,
    /// Where it names the kind of error: a short word, no sentence.
    pub(super) code: Option<Pointer>,
}

/// What one kind of answer means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// The statuses it is about; none: any.
    pub(super) status: Vec<u16>,
    /// What must stand in the answer.
    pub(super) sign: Option<Sign>,
    /// What it means.
    pub(super) means: Means,
    /// How long the system wants to be left alone, where `Retry-After` does not say so.
    pub(super) wait: Option<Wait>,
}

/// What must stand in an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sign {
    /// Where; none: anywhere in it, which only a text can be.
    pub(super) at: Option<Pointer>,
    /// What.
    pub(super) text: Text,
}

/// A text to be known again.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    /// Anything.
    Any,
    /// This value.
    Is(Value),
    /// A text with this in it.
    Has(String),
    /// A text with an id in it: what stands before the id, and what behind.
    Id(String, String),
}

/// What an answer means, in the word that descriptions have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Means {
    /// There is no such record.
    Gone,
    /// There is such a record already.
    Duplicate,
    /// It was refused and would be again.
    Refused,
    /// Nothing was done; it may be done a little later.
    Repeat,
    /// Nothing was done: the record is another version by now than the one that was read.
    Outdated,
    /// Too many calls.
    Throttled,
    /// Our credentials are not accepted.
    Denied,
    /// Nobody can tell.
    Unknown,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "gone",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::Repeat => "repeat",
            Self::Outdated => "outdated",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        })
    }
}

/// How long a system wants to be left alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wait {
    /// This long.
    Fixed(Duration),
    /// As a header says, in this unit.
    Header(HeaderName, Duration),
    /// As the answer's body says, in this unit.
    Body(Pointer, Duration),
}

/// What an answer means, for reads and writes alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// It was done.
    Done,
    /// There is no such record.
    Gone,
    /// There is such a record already.
    Duplicate(Option<String>),
    /// Nothing was done; it may be done after this long.
    Repeat(Duration),
    /// Nothing was done: the record is another version by now.
    Outdated,
    /// Too many calls; how long to wait, if it says so.
    Throttled(Option<Duration>),
    /// Our credentials are not accepted.
    Denied,
    /// It was refused and would be again.
    Refused,
    /// Nobody can tell; how long the system wants to be left alone, if it says so.
    Broken(Option<Duration>),
}

/// The body of an answer, taken apart when somebody asks.
struct Body<'a> {
    bytes: &'a [u8],
    parsed: Option<Option<Value>>,
}

impl<'a> Body<'a> {
    fn of(answer: &'a Answer) -> Self {
        Self { bytes: &answer.body, parsed: None }
    }

    fn json(&mut self) -> Option<&Value> {
        self.parsed.get_or_insert_with(|| json::parse(self.bytes, DEEPEST).ok()).as_ref()
    }

    /// JSON that breaks off may break off within an id, and half of an id is another record's.
    fn is_cut(&mut self) -> bool {
        let begins = String::from_utf8_lossy(self.bytes.get(..64).unwrap_or(self.bytes)).trim_start().to_owned();
        begins.starts_with(['{', '[', '"']) && self.json().is_none()
    }
}

impl Errors {
    /// What an answer means.
    pub(super) fn meaning(&self, answer: &Answer, now: Timestamp) -> Meaning {
        let mut body = Body::of(answer);
        let rule = self.rules.iter().find(|rule| rule.fits(answer.status, &mut body));
        let asked = || retry_after(&answer.headers, now);
        let Some(rule) = rule else { return usual(answer.status, asked) };
        let wait = asked().or_else(|| rule.wait.as_ref()?.of(&answer.headers, body.json()));
        match rule.means {
            Means::Gone => Meaning::Gone,
            Means::Duplicate => Meaning::Duplicate(rule.sign.as_ref().and_then(|sign| sign.id(&mut body))),
            Means::Refused => Meaning::Refused,
            Means::Repeat => Meaning::Repeat(wait.unwrap_or(REPEAT_AFTER)),
            Means::Outdated => Meaning::Outdated,
            Means::Throttled => Meaning::Throttled(wait),
            Means::Denied => Meaning::Denied,
            Means::Unknown => Meaning::Broken(wait),
        }
    }

    /// A refusal as it may be stored: the status, and the system's word for it.
    pub(super) fn reason(&self, answer: &Answer) -> String {
        let status = answer.status;
        let mut body = Body::of(answer);
        let code = self.code.as_ref().and_then(|at| at.of(body.json()?)).and_then(Value::as_str);
        match code.filter(|code| is_code(code)) {
            Some(code) => format!("refused with status {status} ({code})"),
            None => format!("refused with status {status}"),
        }
    }
}

/// What a status means where no rule says otherwise.
fn usual(status: u16, asked: impl Fn() -> Option<Duration>) -> Meaning {
    match status {
        200..=299 => Meaning::Done,
        401 | 403 => Meaning::Denied,
        429 => Meaning::Throttled(asked()),
        // 307 and 308 ask for the request to be repeated elsewhere; other redirections may follow a success.
        307 | 308 => Meaning::Refused,
        // The system stopped to wait for the request, or does not want it this early: it may have it all the same.
        408 | 425 => Meaning::Broken(None),
        400..=499 => Meaning::Refused,
        _ => Meaning::Broken(asked()),
    }
}

impl Rule {
    fn fits(&self, status: u16, body: &mut Body<'_>) -> bool {
        (self.status.is_empty() || self.status.contains(&status))
            && self.sign.as_ref().is_none_or(|sign| sign.stands_in(body))
    }
}

impl Sign {
    fn stands_in(&self, body: &mut Body<'_>) -> bool {
        match &self.text {
            Text::Any => self.found(body).is_some(),
            Text::Is(value) => self.found(body) == Some(value),
            Text::Has(part) | Text::Id(part, _) => self.sentence(body).is_some_and(|text| text.contains(part)),
        }
    }

    fn found<'b>(&self, body: &'b mut Body<'_>) -> Option<&'b Value> {
        self.at.as_ref()?.of(body.json()?).filter(|found| !found.is_null())
    }

    /// The text at its place. What is no JSON is a sentence as a whole.
    fn sentence<'b>(&self, body: &'b mut Body<'_>) -> Option<Cow<'b, str>> {
        if self.at.is_some() && body.json().is_some() {
            return self.found(body).map(json::text);
        }
        Some(String::from_utf8_lossy(body.bytes))
    }

    /// The id that is named in a sentence, and nowhere else.
    fn id(&self, body: &mut Body<'_>) -> Option<String> {
        let Text::Id(before, behind) = &self.text else { return None };
        if body.is_cut() {
            return None;
        }
        let text = self.sentence(body)?;
        let (_, rest) = text.split_once(before)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
        let (id, rest) = rest.split_at(end);
        let whole = !rest.starts_with(char::is_alphanumeric);
        (whole && is_id(id) && rest.starts_with(behind)).then(|| id.to_owned())
    }
}

impl Wait {
    fn of(&self, headers: &HeaderMap, body: Option<&Value>) -> Option<Duration> {
        let (text, unit) = match self {
            Self::Fixed(wait) => return Some(*wait),
            Self::Header(name, unit) => (headers.get(name)?.to_str().ok()?.to_owned(), unit),
            Self::Body(at, unit) => (json::plain_text(at.of(body?)?)?, unit),
        };
        seconds(&text).map(|units| unit.mul_f64(units).min(LONGEST_WAIT))
    }
}

/// A word of capitals, as constants are: a sentence might repeat a value.
fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c == '_' || c == '-' || c == '.';
    !text.is_empty() && text.len() <= LONGEST_CODE && text.chars().all(plain)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.parse::<f64>().is_ok() {
        return seconds(text).map(Duration::from_secs_f64);
    }
    http_date::parse(text).map(|at| at.since(now))
}

/// A number of units of time that makes sense.
fn seconds(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number| (0.0..1e9).contains(number))
}

#[cfg(test)]
mod tests {
    mod documented;

    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> Option<Pointer> {
        Some(Pointer::parse(text).unwrap())
    }

    fn rule(status: &[u16], sign: Option<Sign>, means: Means) -> Rule {
        Rule { status: status.to_vec(), sign, means, wait: None }
    }

    fn errors() -> Errors {
        let id = Sign { at: pointer("/message"), text: Text::Id("Existing ID: ".to_owned(), String::new()) };
        Errors {
            rules: vec![
                rule(&[404], None, Means::Gone),
                rule(&[409], Some(id), Means::Duplicate),
                rule(&[409], None, Means::Duplicate),
            ],
            code: pointer("/category"),
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
            assert_eq!(errors().meaning(&answer(status, "{}"), now), meaning, "{status}");
        }
        assert_eq!(Errors::default().meaning(&answer(409, "{}"), now), Meaning::Refused);
    }

    #[test]
    fn whoever_wants_to_be_left_alone_for_a_while_is_left_alone_for_that_long() {
        for (status, meaning) in [
            (429, Meaning::Throttled(Some(Duration::from_secs(7)))),
            (503, Meaning::Broken(Some(Duration::from_secs(7)))),
        ] {
            let mut answer = answer(status, "{}");
            answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));

            assert_eq!(errors().meaning(&answer, Timestamp::default()), meaning, "{status}");
        }
    }

    #[test]
    fn the_id_of_a_duplicate_is_read_from_the_sentence_and_from_nowhere_else() {
        let id = |text: &str| errors().meaning(&answer(409, text), Timestamp::default());
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
        let id = |text: &str| errors().meaning(&answer(409, text), Timestamp::default());

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
        let reason = |body: &str| errors().reason(&answer(400, body));

        assert_eq!(reason(r#"{"category":"VALIDATION_ERROR"}"#), "refused with status 400 (VALIDATION_ERROR)");
        for body in [r#"{"category":"ada@example.test"}"#, r#"{"category":"ADA LOVELACE"}"#, "<html>", ""] {
            assert_eq!(reason(body), "refused with status 400");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides_whatever_the_status() {
        let at = |at: &str, text| Some(Sign { at: pointer(at), text });
        let errors = Errors {
            rules: vec![
                rule(&[200], at("/error/0", Text::Is(json!("UserError"))), Means::Refused),
                rule(&[200], at("/error", Text::Any), Means::Unknown),
                rule(&[400], at("/errors/0/code", Text::Is(json!("NOT_UNIQUE"))), Means::Duplicate),
                rule(&[403], None, Means::Gone),
                rule(&[], at("/message", Text::Has("locked".to_owned())), Means::Repeat),
            ],
            code: None,
        };
        let now = Timestamp::default();

        for (status, body, meaning) in [
            (200, r#"{"error":["UserError","no"]}"#, Meaning::Refused),
            (200, r#"{"error":["'nope'"]}"#, Meaning::Broken(None)),
            (200, r#"{"error":null,"result":1}"#, Meaning::Done),
            (200, r#"{"result":1}"#, Meaning::Done),
            (400, r#"{"errors":[{"code":"NOT_UNIQUE"}]}"#, Meaning::Duplicate(None)),
            (400, r#"{"errors":[{"code":"OTHER"}]}"#, Meaning::Refused),
            (403, "", Meaning::Gone),
            (409, r#"{"message":"the row is locked"}"#, Meaning::Repeat(REPEAT_AFTER)),
            (409, r#"{"message":"the row is lost"}"#, Meaning::Refused),
            (503, "the table is locked", Meaning::Repeat(REPEAT_AFTER)),
        ] {
            assert_eq!(errors.meaning(&answer(status, body), now), meaning, "{status} {body}");
        }
    }

    #[test]
    fn how_long_a_system_is_left_alone_is_said_by_itself_or_by_its_description() {
        let second = Duration::from_secs(1);
        let header = Wait::Header(HeaderName::from_static("x-reset"), Duration::from_millis(1));
        for (wait, body, expected) in [
            (None, "{}", None),
            (Some(Wait::Fixed(9 * second)), "{}", Some(9 * second)),
            (Some(header), "{}", Some(2 * second)),
            (Some(Wait::Body(pointer("/after").unwrap(), second)), r#"{"after":3}"#, Some(3 * second)),
            (Some(Wait::Body(pointer("/after").unwrap(), second)), r#"{"after":"1e8"}"#, Some(LONGEST_WAIT)),
            (Some(Wait::Body(pointer("/after").unwrap(), second)), r#"{"after":"soon"}"#, None),
        ] {
            let rule = Rule { wait, ..rule(&[420], None, Means::Throttled) };
            let errors = Errors { rules: vec![rule], code: None };
            let mut answer = answer(420, body);
            answer.headers.insert("x-reset", HeaderValue::from_static("2000"));
            assert_eq!(errors.meaning(&answer, Timestamp::default()), Meaning::Throttled(expected), "{body}");

            answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
            let meaning = errors.meaning(&answer, Timestamp::default());
            assert_eq!(meaning, Meaning::Throttled(Some(7 * second)), "its own word comes first");
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
