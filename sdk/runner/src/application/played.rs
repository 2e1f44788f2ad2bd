//! A system that a test plays: the calls it expects, in order, and what it answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use super::description::Description;
use super::transport::{Answer, Call, Transport, TransportError};

/// A call that is expected, and its answer.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The call.
    pub expect: Expected,
    /// The answer.
    #[serde(default)]
    pub answer: Played,
}

/// A call that is expected.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The HTTP method.
    pub method: String,
    /// The path and query under the application's base URL.
    pub path: String,
    /// The whole body; none: any.
    #[serde(default)]
    pub json: Option<Value>,
    /// Headers that must be there, with these values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// An answer that is played.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Played {
    /// The HTTP status.
    #[serde(default = "done")]
    pub status: u16,
    /// The body as JSON. An update that is answered with a success and no body is answered with what was sent.
    #[serde(default)]
    pub json: Option<Value>,
    /// The body as text.
    #[serde(default)]
    pub text: Option<String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// There is no answer.
    #[serde(default)]
    pub fails: Option<Failure>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Nothing left the machine.
    NotSent,
    /// Nobody knows.
    Lost,
}

const fn done() -> u16 {
    200
}

impl Default for Played {
    fn default() -> Self {
        Self { status: done(), json: None, text: None, headers: BTreeMap::new(), fails: None }
    }
}

/// A [`Transport`] that plays exchanges in their order.
pub struct PlayedTransport {
    description: Description,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    expected: VecDeque<Exchange>,
    mismatches: Vec<String>,
    calls: Vec<String>,
}

impl PlayedTransport {
    /// Plays these for the application a description speaks of.
    pub fn new(description: &Description, exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        let state = State { expected: exchanges.into_iter().collect(), ..State::default() };
        Self { description: description.clone(), state: Mutex::new(state) }
    }

    /// Everything that was not as expected, calls that did not come included.
    pub fn finish(&self) -> Vec<String> {
        let state = self.state();
        let missing = state.expected.iter().map(|exchange| {
            format!("expected {} {}, found no such call", exchange.expect.method, exchange.expect.path)
        });
        state.mismatches.iter().cloned().chain(missing).collect()
    }

    /// The calls that were made, as method and path.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: &Call, path: &str, body: Option<&Value>) -> Result<Answer, TransportError> {
        let found = format!("{} {path}", call.method);
        let mut state = self.state();
        state.calls.push(found.clone());
        let unexpected = || Err(TransportError::Lost("the test expected another call".to_owned()));
        let Some(exchange) = state.expected.pop_front() else {
            state.mismatches.push(format!("expected no more calls, found {found}{}", shown(body)));
            return unexpected();
        };
        let Exchange { expect, answer } = exchange;
        let expected = format!("{} {}", expect.method, expect.path);
        if expected != found {
            state.mismatches.push(format!("expected {expected}, found {found}{}", shown(body)));
            return unexpected();
        }
        if expect.json.is_some() && expect.json.as_ref() != body {
            let (wanted, sent) = (shown(expect.json.as_ref()), shown(body));
            state.mismatches.push(format!("expected {expected} with{wanted}, found{sent}"));
        }
        for (name, value) in &expect.headers {
            let sent = call.headers.get(name).and_then(|value| value.to_str().ok());
            if sent != Some(value) {
                let sent = sent.unwrap_or("none");
                state.mismatches.push(format!("expected {expected} with {name}: {value}, found {sent}"));
            }
        }
        drop(state);
        match answer.fails {
            Some(Failure::NotSent) => Err(TransportError::NotSent("cannot connect".to_owned())),
            Some(Failure::Lost) => Err(TransportError::Lost("no answer".to_owned())),
            None => Ok(self.played(answer, call, path, body)),
        }
    }

    fn played(&self, played: Played, call: &Call, path: &str, body: Option<&Value>) -> Answer {
        let headers = played
            .headers
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)));
        let headers = HeaderMap::from_iter(headers);
        let update = &self.description.operations.update;
        let body = match (played.json, played.text, update.path.matched(path)) {
            (Some(json), ..) => json.to_string(),
            (None, Some(text), _) => text,
            (None, None, Some(id)) if played.status < 300 && call.method == update.method => {
                let mut answer = body.cloned().unwrap_or_else(|| json!({}));
                self.description.record.id.put(&mut answer, Value::String(id.to_owned()));
                let mut whole = json!({});
                update.answer.clone().unwrap_or_default().put(&mut whole, answer);
                whole.to_string()
            }
            (None, None, _) => String::new(),
        };
        Answer { status: played.status, headers, body: body.into() }
    }
}

#[async_trait]
impl Transport for PlayedTransport {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let path = call.url.strip_prefix(&self.description.base_url).unwrap_or(&call.url);
        let body = call.body.as_ref().filter(|_| call.method != Method::GET);
        let body = body.map(|body| {
            serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
        });
        self.answer(&call, path, body.as_ref())
    }
}

fn shown(body: Option<&Value>) -> String {
    body.map_or_else(String::new, |body| format!(" {body}"))
}
