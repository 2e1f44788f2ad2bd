//! What a call looked like and what it was taken for, as text and as JSON; without the secrets.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::http::HeaderMap;
use pairline_sdk::{Outcome, ReadError, Record};
use serde_json::{Map, Value, json};

use super::Understood;
use super::witness::Seen;
use crate::application::secrets::{HIDDEN, Secrets};
use crate::cli::printable;

/// More of a body is not shown, in characters.
const LONGEST_BODY: usize = 16 * 1024;
/// What stands for a body that is all secret.
const SIGN_IN: &str = "(not shown: it signs in)";

/// A call that was made, or shown as it would be.
#[derive(Debug)]
pub struct Attempt {
    secrets: Secrets,
    base_url: String,
    seen: Vec<Seen>,
    understood: Understood,
}

impl Attempt {
    pub(super) fn new(secrets: Secrets, base_url: &str, seen: Vec<Seen>, understood: Understood) -> Self {
        Self { secrets, base_url: base_url.to_owned(), seen, understood }
    }

    /// What a command that shows it ends with: whether the system has answered, and has done it.
    pub fn exit_code(&self) -> u8 {
        match &self.understood {
            Understood::Record(_) | Understood::Records(_) | Understood::Page(_) | Understood::Unsent(..) => 0,
            Understood::Outcome(Outcome::Committed { .. }) | Understood::Removed(true) => 0,
            Understood::Nothing(ReadError::Refused(_))
            | Understood::Outcome(Outcome::Failed { .. } | Outcome::Outdated { .. }) => 65,
            Understood::Outcome(Outcome::Duplicate { .. } | Outcome::Gone) | Understood::Removed(false) => 65,
            Understood::Nothing(_) | Understood::Outcome(Outcome::Unknown { .. } | Outcome::NotSent { .. }) => 69,
        }
    }

    /// As a program reads it.
    pub fn json(&self) -> Value {
        let calls: Vec<Value> = self.seen.iter().map(|seen| self.call_json(seen)).collect();
        let mut document = json!({ "calls": calls, "understood": self.understood_json() });
        self.secrets.hide_in(&mut document);
        document
    }

    /// As a person reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for seen in &self.seen {
            let call = &seen.call;
            let body =
                if seen.signs_in { Some(SIGN_IN.to_owned()) } else { call.body.as_ref().map(|body| self.body(body)) };
            text += &self.message('>', &format!("{} {}", call.method, call.url), &self.headers(&call.headers), body);
            let took = seen.took.as_millis();
            match &seen.answer {
                Ok(answer) => {
                    let body = if seen.signs_in { SIGN_IN.to_owned() } else { self.body(&answer.body) };
                    let status = format!("{} after {took} ms", answer.status);
                    text += &self.message('<', &status, &self.headers(&answer.headers), Some(body));
                }
                Err(error) => text += &self.message('<', &format!("no answer after {took} ms: {error}"), &[], None),
            }
        }
        text + &self.understood_text()
    }

    fn shown(&self, text: &str) -> String {
        printable(&self.secrets.hidden_in(text.to_owned()))
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = headers.iter().map(|(name, value)| {
            let is_secret = value.is_sensitive() || name == "set-cookie";
            let value =
                if is_secret { HIDDEN.to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
            (name.to_string(), self.shown(&value))
        });
        shown.collect()
    }

    /// A body with each of its lines fit for a terminal; JSON is laid out.
    fn body(&self, body: &Bytes) -> String {
        let laid_out = serde_json::from_slice::<Value>(body).ok().map(|json| format!("{json:#}"));
        let whole = laid_out.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let hidden = self.secrets.hidden_in(whole);
        let lines: Vec<String> = hidden.lines().map(printable).collect();
        let mut text = lines.join("\n");
        if let Some((end, _)) = text.char_indices().nth(LONGEST_BODY) {
            text.truncate(end);
            text += "\n(and more)";
        }
        text
    }

    fn message(&self, mark: char, first: &str, headers: &[(String, String)], body: Option<String>) -> String {
        let mut text = format!("{mark} {}\n", self.shown(first));
        for (name, value) in headers {
            // Writing to a string does not fail.
            writeln!(text, "{mark} {name}: {value}").ok();
        }
        let body = body.unwrap_or_default();
        for line in body.lines() {
            writeln!(text, "{mark}   {line}").ok();
        }
        text + "\n"
    }

    fn understood_text(&self) -> String {
        match &self.understood {
            Understood::Record(None) => "understood: there is no such record\n".to_owned(),
            Understood::Record(Some(record)) => format!("understood: a record\n{}", self.record_text(record)),
            Understood::Records(records) => self.records_text("with this value", records),
            Understood::Page(page) => {
                let mut text = self.records_text("on the first page", &page.records);
                if !page.gone.is_empty() {
                    writeln!(text, "listed as gone: {}", self.shown(&page.gone.join(", "))).ok();
                }
                text + if page.next.is_some() { "there is another page\n" } else { "this was the last page\n" }
            }
            Understood::Outcome(outcome) => match outcome {
                Outcome::Committed { record } => format!("understood: it was done\n{}", self.record_text(record)),
                Outcome::Duplicate { id: Some(id) } => {
                    format!("understood: record {} is there already\n", self.shown(id))
                }
                Outcome::Duplicate { id: None } => {
                    "understood: there is such a record already; it is not named\n".to_owned()
                }
                Outcome::Gone => "understood: there is no such record\n".to_owned(),
                Outcome::Failed { reason } | Outcome::Outdated { reason } => {
                    format!("understood: nothing was done; {}\n", self.shown(reason))
                }
                Outcome::NotSent { reason, .. } => format!("understood: nothing was sent; {}\n", self.shown(reason)),
                Outcome::Unknown { reason } => {
                    format!("understood: nobody knows whether it was done; {}\n", self.shown(reason))
                }
            },
            Understood::Removed(true) => "understood: it was removed\n".to_owned(),
            Understood::Removed(false) => "understood: there is no such record\n".to_owned(),
            Understood::Unsent(request, headers) => {
                let line = format!("{} {}{}", request.method, self.base_url, request.path);
                let body = self.body(&Bytes::from(request.body.clone()));
                let text = self.message('>', &line, headers, Some(body));
                text + "not sent: it would change the system; --send does\n"
            }
            Understood::Nothing(error) => format!("understood: {}\n", self.failure(error)),
        }
    }

    fn failure(&self, error: &ReadError) -> String {
        match error {
            ReadError::Wait { reason, after } => {
                format!("not now, perhaps in {:.0} s; {}", after.as_secs_f64(), self.shown(reason))
            }
            ReadError::Failed(reason) => format!("no answer to go by; {}", self.shown(reason)),
            ReadError::Refused(reason) => format!("refused; {}", self.shown(reason)),
        }
    }

    fn records_text(&self, which: &str, records: &[Record]) -> String {
        let mut text = match records.len() {
            0 => format!("understood: no record {which}\n"),
            1 => format!("understood: one record {which}\n"),
            many => format!("understood: {many} records {which}\n"),
        };
        for record in records {
            text += &self.record_text(record);
        }
        text
    }

    fn record_text(&self, record: &Record) -> String {
        let mut text = format!("  id       {}\n", self.shown(&record.id));
        if let Some(version) = &record.version {
            writeln!(text, "  version  {}", self.shown(version)).ok();
        }
        let longest = record.fields.keys().map(String::len).max().unwrap_or_default();
        for (index, (name, value)) in record.fields.iter().enumerate() {
            let margin = if index == 0 { "fields" } else { "" };
            writeln!(text, "  {margin:7}  {:longest$}  {}", self.shown(name), self.shown(&value.to_string())).ok();
        }
        text
    }

    fn call_json(&self, seen: &Seen) -> Value {
        let headers = |headers: &HeaderMap| object(self.headers(headers));
        let call = &seen.call;
        let body = |body: &Bytes| if seen.signs_in { json!(SIGN_IN) } else { json!(self.body(body)) };
        json!({
            "method": call.method.as_str(),
            "url": call.url,
            "headers": headers(&call.headers),
            "body": call.body.as_ref().map(body),
            "took_ms": seen.took.as_millis(),
            "answer": match &seen.answer {
                Ok(answer) => json!({ "status": answer.status, "headers": headers(&answer.headers), "body": body(&answer.body) }),
                Err(error) => json!({ "error": error.to_string() }),
            },
        })
    }

    fn understood_json(&self) -> Value {
        let record = |record: &Record| json!({ "id": record.id, "version": record.version, "fields": record.fields });
        let records = |records: &[Record]| records.iter().map(record).collect::<Vec<_>>();
        match &self.understood {
            Understood::Record(found) => json!({ "record": found.as_deref().map(record) }),
            Understood::Records(found) => json!({ "records": records(found) }),
            Understood::Page(page) => {
                json!({ "records": records(&page.records), "gone": page.gone, "more": page.next.is_some() })
            }
            Understood::Outcome(outcome) => match outcome {
                Outcome::Committed { record: made } => json!({ "outcome": "committed", "record": record(made) }),
                Outcome::Duplicate { id } => json!({ "outcome": "duplicate", "id": id }),
                Outcome::Gone => json!({ "outcome": "gone" }),
                Outcome::Failed { reason } => json!({ "outcome": "failed", "reason": reason }),
                Outcome::Outdated { reason } => json!({ "outcome": "outdated", "reason": reason }),
                Outcome::NotSent { reason, .. } => json!({ "outcome": "not-sent", "reason": reason }),
                Outcome::Unknown { reason } => json!({ "outcome": "unknown", "reason": reason }),
            },
            Understood::Removed(was_there) => json!({ "removed": was_there }),
            Understood::Unsent(request, headers) => json!({
                "unsent": {
                    "method": request.method,
                    "url": format!("{}{}", self.base_url, request.path),
                    "headers": object(headers.clone()),
                    "body": self.body(&Bytes::from(request.body.clone())),
                },
            }),
            Understood::Nothing(error) => json!({ "failure": self.failure(error) }),
        }
    }
}

fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}
