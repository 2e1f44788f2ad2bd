//! The network: carries calls to the two systems and webhooks to the program, for as long as there is one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use pairline_fakes::{Door, Post};
use pairline_runner::application::{Answer, Call, Transport, TransportError};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Calls on their way to the systems, by the start of their URL.
#[derive(Default)]
pub(super) struct Calls {
    doors: Mutex<BTreeMap<String, Door>>,
    carried: AtomicU64,
}

impl Calls {
    pub(super) fn to(&self, base_url: String, door: Door) {
        self.doors.lock().unwrap().insert(base_url, door);
    }

    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Transport for Calls {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let door = {
            let doors = self.doors.lock().unwrap();
            doors.iter().find(|(base, _)| call.url.starts_with(base.as_str())).map(|(_, door)| door.clone())
        };
        let Some(door) = door else { return Err(TransportError::NotSent("nobody is there".to_owned())) };
        self.carried.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::builder().method(call.method).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let body = call.body.map_or_else(Body::empty, Body::from);
        let request = request.body(body).map_err(|error| TransportError::NotSent(error.to_string()))?;
        // What was sent goes on without whoever sent it, as on a wire.
        let answer = tokio::spawn(async move { door.call(request).await });
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
