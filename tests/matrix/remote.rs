//! A remote system behind the real application over HTTP, without a network: what it answers is a function of the call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pairline_runner::application::{
    Answer, Call, Description, Environment, HttpApplication, Transport, TransportError,
};
use pairline_runner::metrics::Metrics;
use pairline_runner::project::Sources;
use pairline_sdk::testing::{TestClock, TestRandom};
use pairline_sdk::{Clock, Timestamp};
use serde_json::Value;

pub(super) type Answers = Box<dyn Fn(&Call, Timestamp) -> Result<Answer, TransportError> + Send + Sync>;

/// Answers calls, and keeps when they were made.
pub(super) struct Remote {
    clock: Arc<TestClock>,
    answers: Answers,
    calls: Mutex<Vec<Timestamp>>,
}

#[async_trait]
impl Transport for Remote {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let now = self.clock.now();
        self.calls.lock().unwrap().push(now);
        (self.answers)(&call, now)
    }
}

/// An answer with this status and this JSON.
pub(super) fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, body: body.to_string().into_bytes().into(), ..Answer::default() }
}

/// A shipped application, the system behind it, and their clock.
pub(super) struct Line {
    pub(super) application: Arc<HttpApplication>,
    pub(super) clock: Arc<TestClock>,
    remote: Arc<Remote>,
}

impl Line {
    pub(super) fn to(system: &str, answers: Answers) -> Self {
        let sources = Sources::built_in();
        let name = format!("{system}.yaml");
        let source = sources.applications.iter().find(|source| source.file.ends_with(&name)).unwrap();
        let (description, findings) = Description::parse(&source.file, &source.text, &Environment::lenient());
        assert!(findings.is_empty(), "{findings:?}");
        let clock = Arc::new(TestClock::default());
        let remote = Arc::new(Remote { clock: Arc::clone(&clock), answers, calls: Mutex::default() });
        let (transport, random) = (Arc::clone(&remote) as Arc<dyn Transport>, Arc::new(TestRandom::default()));
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let application =
            HttpApplication::new(description.unwrap(), transport, time, random, &Metrics::default()).unwrap();
        Self { application: Arc::new(application), clock, remote }
    }

    /// When calls were made, in order.
    pub(super) fn calls(&self) -> Vec<Timestamp> {
        self.remote.calls.lock().unwrap().clone()
    }

    /// Lets time pass in small steps, and everybody do what there is to do in it.
    pub(super) async fn pass(&self, time: Duration, step: Duration) {
        let mut left = time;
        while left > Duration::ZERO {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            self.clock.advance(step);
            left = left.saturating_sub(step);
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
}
