//! The network: carries calls to the two systems and webhooks to the program, and loses what it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use pairline_fakes::{Door, Post};
use pairline_runner::application::{Answer, Call, Transport, TransportError};
use tower::ServiceExt;

use super::ports::{Life, Met};
use super::trouble::{Failure, Layer, Trouble};

/// A late call arrives this long after it was sent: after its caller has given up, within the life of a request.
const LATE: Duration = Duration::from_millis(4_500);

/// What a story has in store for a call: somebody does something at that moment, and its answer may be another.
pub(super) struct Meanwhile {
    /// The call, as [`name`] has it.
    pub(super) call: &'static str,
    pub(super) deed: Box<dyn FnOnce() + Send>,
    pub(super) fate: Fate,
}

/// How such a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// It is carried out, and its answer is lost.
    Unanswered,
    /// It is refused for what it says.
    Refused,
}

/// The wires to the systems, by the start of their URL. They are there whether the program lives or not.
pub(super) struct Wires {
    pub(super) doors: BTreeMap<String, Door>,
    pub(super) planned: Mutex<Vec<Meanwhile>>,
}

/// What a call is, in the words of the application's description.
fn name(call: &Call) -> String {
    let text = call.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let (method, url) = (call.method.as_str(), call.url.as_str());
    let (system, rest) = match url.split_once("/customers") {
        Some((_, rest)) => ("erp", rest),
        None => ("crm", url.split_once("/contacts").map_or("", |(_, rest)| rest)),
    };
    let operation = match (method, rest) {
        ("POST", "/search") if text.contains("lastmodifieddate") => "changed",
        ("POST", "/search") => "find",
        ("POST", _) => "create",
        ("PATCH", _) => "update",
        (_, rest) if rest.starts_with('/') => "read",
        (_, rest) if rest.contains("updated_since") => "changed",
        _ => "find",
    };
    format!("{system} {operation}")
}

fn lost() -> TransportError {
    TransportError::Lost("the connection broke".to_owned())
}

fn answered(status: u16, headers: HeaderMap) -> Answer {
    Answer { status, headers, body: Bytes::from_static(b"{\"message\":\"the test says so\"}") }
}

impl Wires {
    /// Hands a call in, after a while. It goes on without whoever sent it, as on a wire.
    fn carry(&self, call: &Call, after: Duration) -> Result<tokio::task::JoinHandle<Option<Response>>, TransportError> {
        let door =
            self.doors.iter().find(|(base, _)| call.url.starts_with(base.as_str())).map(|(_, door)| door.clone());
        let Some(door) = door else { return Err(TransportError::NotSent("nobody is there".to_owned())) };
        let mut request = Request::builder().method(call.method.clone()).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let body = call.body.clone().map_or_else(Body::empty, Body::from);
        let request = request.body(body).map_err(|error| TransportError::NotSent(error.to_string()))?;
        Ok(tokio::spawn(async move {
            tokio::time::sleep(after).await;
            door.call(request).await
        }))
    }

    async fn answer(&self, call: &Call) -> Result<Answer, TransportError> {
        let under_way = self.carry(call, Duration::ZERO)?;
        match tokio::time::timeout(call.deadline, under_way).await {
            Ok(Ok(Some(response))) => {
                let (parts, body) = response.into_parts();
                let body = to_bytes(body, call.longest_answer).await.map_err(|_| lost())?;
                Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
            }
            _ => Err(lost()),
        }
    }

    fn planned(&self, name: &str) -> Option<Meanwhile> {
        let mut planned = self.planned.lock().unwrap();
        let at = planned.iter().position(|meanwhile| meanwhile.call == name)?;
        Some(planned.remove(at))
    }
}

/// The wires, in the hands of one life of the program.
pub(super) struct Calls {
    pub(super) wires: Arc<Wires>,
    pub(super) life: Life,
}

#[async_trait]
impl Transport for Calls {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let name = name(&call);
        let layer = if name.ends_with("create") || name.ends_with("update") { Layer::Send } else { Layer::Ask };
        let met = self.life.meet(layer, &name).await;
        match met {
            Met::Dead | Met::Trouble(Failure::CallNotSent) => {
                return Err(TransportError::NotSent("cannot connect".to_owned()));
            }
            Met::Trouble(Failure::CallLost) => return Err(lost()),
            Met::Trouble(Failure::CallLate) => {
                drop(self.wires.carry(&call, LATE)?);
                tokio::time::sleep(call.deadline).await;
                return Err(lost());
            }
            Met::Trouble(Failure::CallThenDeath) => {
                drop(self.wires.carry(&call, Duration::ZERO)?);
                self.life.die().await;
                return Err(lost());
            }
            Met::Trouble(Failure::Answer500) => return Ok(answered(500, HeaderMap::new())),
            Met::Trouble(Failure::Answer429) => {
                let after = (RETRY_AFTER, HeaderValue::from_static("2"));
                return Ok(answered(429, [after].into_iter().collect()));
            }
            Met::Well | Met::Trouble(_) => {}
        }
        let fate = match self.wires.planned(&name) {
            Some(meanwhile) => {
                (meanwhile.deed)();
                meanwhile.fate
            }
            None => Fate::Well,
        };
        if fate == Fate::Refused {
            return Ok(answered(422, HeaderMap::new()));
        }
        let answer = self.wires.answer(&call).await?;
        if fate == Fate::Unanswered || met == Met::Trouble(Failure::AnswerLost) { Err(lost()) } else { Ok(answer) }
    }
}

/// Where webhooks go: to the program, while it lives.
#[derive(Default)]
pub(super) struct Address(Mutex<Option<(axum::Router, Life)>>);

impl Address {
    pub(super) fn is(&self, router: axum::Router, life: &Life) {
        *self.0.lock().unwrap() = Some((router, life.clone()));
    }

    pub(super) fn nobody(&self) {
        *self.0.lock().unwrap() = None;
    }

    /// Hands a request to the program; its work on it dies with it.
    pub(super) async fn ask(&self, request: Request) -> Option<Response> {
        let (router, life) = self.0.lock().unwrap().clone()?;
        let answer = life.dead.run_until_cancelled_owned(router.oneshot(request)).await?;
        answer.ok()
    }
}

/// Webhooks on their way.
pub(super) struct Courier {
    pub(super) address: Arc<Address>,
    pub(super) trouble: Arc<Trouble>,
}

#[async_trait]
impl Post for Courier {
    async fn carry(&self, url: &str, headers: Vec<(&'static str, String)>, body: Vec<u8>, within: Duration) -> bool {
        let failure = self.trouble.meet(Layer::Webhook, "webhook");
        if failure == Some(Failure::WebhookLost) {
            return false;
        }
        let mut request = Request::builder().method("POST").uri(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Body::from(body)) else { return false };
        let answer = tokio::time::timeout(within, self.address.ask(request)).await;
        failure.is_none() && matches!(answer, Ok(Some(answer)) if answer.status().is_success())
    }
}
