//! The network: carries calls to the two systems and webhooks to the program, for as long as there is one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use pairline_fakes::judge::Side;
use pairline_fakes::{Door, Post};
use pairline_runner::application::{Answer, Call, Transport, TransportError};
use pairline_sdk::Random;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::time::SimulatedRandom;
use super::trouble::Blow;

/// Calls on their way to the systems.
pub(super) struct Calls {
    doors: Vec<(Side, String, Door)>,
    chance: SimulatedRandom,
    spells: Mutex<Vec<(Blow, Instant)>>,
    carried: AtomicU64,
}

impl Calls {
    /// To each side by the start of its URL.
    pub(super) fn new(doors: Vec<(Side, String, Door)>, seed: u64) -> Self {
        let chance = SimulatedRandom::new(seed ^ 0x0063_616c_6c73);
        Self { doors, chance, spells: Mutex::default(), carried: AtomicU64::new(0) }
    }

    /// For a while something is the matter.
    pub(super) fn suffer(&self, blow: Blow, for_ms: u64) {
        self.spells.lock().unwrap().push((blow, Instant::now() + Duration::from_millis(for_ms)));
    }

    /// All is well again.
    pub(super) fn recover(&self) {
        self.spells.lock().unwrap().clear();
    }

    fn suffers(&self, is: impl Fn(&Blow) -> bool) -> bool {
        let now = Instant::now();
        self.spells.lock().unwrap().iter().any(|(blow, until)| now < *until && is(blow))
    }

    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Transport for Calls {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let nobody = || TransportError::NotSent("nobody is there".to_owned());
        let to = self.doors.iter().find(|(_, base, _)| call.url.starts_with(base.as_str()));
        let (side, door) = to.map(|(side, _, door)| (*side, door.clone())).ok_or_else(nobody)?;
        if self.suffers(|blow| matches!(blow, Blow::Down { side: down, .. } if *down == side)) {
            return Err(nobody());
        }
        let late_ms = match self.suffers(|blow| matches!(blow, Blow::Slow { side: slow, .. } if *slow == side)) {
            true => self.chance.below(6_000),
            false => 0,
        };
        if call.url.ends_with("/search") && self.suffers(|blow| matches!(blow, Blow::NoSearch { .. })) {
            let body = Bytes::from_static(b"{\"status\":\"error\",\"message\":\"the search is down\"}");
            return Ok(Answer { status: 503, headers: HeaderMap::new(), body });
        }
        self.carried.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::builder().method(call.method).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let body = call.body.map_or_else(Body::empty, Body::from);
        let request = request.body(body).map_err(|error| TransportError::NotSent(error.to_string()))?;
        // What was sent goes on without whoever sent it, as on a wire.
        let answer = tokio::spawn(async move {
            let answer = door.call(request).await;
            if late_ms > 0 {
                tokio::time::sleep(Duration::from_millis(late_ms)).await;
            }
            answer
        });
        let lost = || TransportError::Lost("the connection broke".to_owned());
        match tokio::time::timeout(call.deadline, answer).await {
            Err(_) => Err(TransportError::Lost("no answer in time".to_owned())),
            Ok(Ok(Some(response))) => {
                let (parts, body) = response.into_parts();
                let body = to_bytes(body, call.longest_answer).await.map_err(|_| lost())?;
                Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
            }
            Ok(_) => Err(lost()),
        }
    }
}

/// Webhooks on their way to the program.
#[derive(Default)]
pub(super) struct Webhooks {
    program: Mutex<Option<(axum::Router, CancellationToken)>>,
    carried: AtomicU64,
}

impl Webhooks {
    /// The program is there; until the token is cancelled.
    pub(super) fn to(&self, router: axum::Router, dies: CancellationToken) {
        *self.program.lock().unwrap() = Some((router, dies));
    }

    /// The program is gone. It holds the way to the systems, and they hold this way to it: else neither would ever end.
    pub(super) fn to_nobody(&self) {
        *self.program.lock().unwrap() = None;
    }

    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

/// The same webhooks, for both systems.
pub(super) struct Courier(pub(super) Arc<Webhooks>);

#[async_trait]
impl Post for Courier {
    async fn carry(&self, url: &str, headers: Vec<(&'static str, String)>, body: Vec<u8>, within: Duration) -> bool {
        let program = self.0.program.lock().unwrap().clone();
        let Some((router, dies)) = program else { return false };
        if dies.is_cancelled() {
            return false;
        }
        self.0.carried.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::builder().method("POST").uri(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Body::from(body)) else { return false };
        // The work on it dies with the program.
        let answer = dies.run_until_cancelled_owned(router.oneshot(request));
        matches!(tokio::time::timeout(within, answer).await, Ok(Some(Ok(answer))) if answer.status().is_success())
    }
}
