//! What the targets stand on: descriptions, a transport that answers what it is told, and ids as they may be.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pairline_runner::application::{
    Answer, Call, Description, Environment, HttpApplication, Transport, TransportError,
};
use pairline_runner::metrics::Metrics;
use pairline_sdk::testing::{TestClock, TestRandom};

pub(super) const CRM: &str = include_str!("../../../topologies/applications/crm.yaml");
pub(super) const ERP: &str = include_str!("../../../topologies/applications/erp.yaml");

/// A description without a finding.
pub(super) fn described(text: &str) -> Description {
    let (description, findings) = Description::parse("fuzz.yaml", text, &Environment::lenient());
    assert!(findings.is_empty(), "{findings:?}");
    description.unwrap()
}

/// A shipped description with some of its lines replaced.
pub(super) fn varied(text: &str, changes: &[(&str, &str)]) -> Description {
    let mut text = text.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    described(&text)
}

/// Answers in turn, the last one again and again, and keeps what it was asked.
pub(super) struct Remote {
    answers: Vec<Answer>,
    pub(super) asked: Mutex<Vec<Call>>,
}

impl Remote {
    pub(super) fn new(answers: Vec<Answer>) -> Arc<Self> {
        Arc::new(Self { answers, asked: Mutex::default() })
    }
}

#[async_trait]
impl Transport for Remote {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let mut asked = self.asked.lock().unwrap();
        let answer = self.answers.get(asked.len()).or(self.answers.last());
        asked.push(call);
        answer.cloned().ok_or_else(|| TransportError::Lost("no answer".to_owned()))
    }
}

/// An application that is answered by this remote.
pub(super) fn application(description: Description, remote: &Arc<Remote>) -> Result<HttpApplication, String> {
    let clock = Arc::new(TestClock::default());
    HttpApplication::new(description, remote.clone(), clock, Arc::new(TestRandom::default()), &Metrics::default())
}

/// What may be an id, said once more: something that stands in a path and in a line of a log.
pub(super) fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text != "." && text != ".." && !text.contains(char::is_control)
}

/// Whether a body says this id as it is: a number that was rounded does not stand in it. With a backslash in the body
/// a text may be spelled differently, and nothing can be said.
pub(super) fn stands_in(id: &str, body: &[u8]) -> bool {
    body.contains(&b'\\') || body.windows(id.len()).any(|window| window == id.as_bytes())
}

/// The head of an input, line by line, and what follows the first empty line.
pub(super) fn head_and_body(input: &[u8]) -> (Vec<&str>, &[u8]) {
    let end = input.windows(2).position(|window| window == b"\n\n");
    let (head, body) = end.map_or((input, &b""[..]), |end| (&input[..end], &input[end + 2..]));
    (std::str::from_utf8(head).unwrap_or_default().lines().collect(), body)
}
