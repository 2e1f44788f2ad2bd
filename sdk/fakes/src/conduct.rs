//! Conduct: how a server treats a call on its way in and out. The contract is behind it; every fault is here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::time::sleep;

use crate::audit::{Call, Ticket};
use crate::delivery::FirstAttempt;
use crate::fate::{Fate, Latency};
use crate::faults::Faults;
use crate::history::Visit;
use crate::line::Scissors;
use crate::refused::Refused;
use crate::server::Server;

/// A longer body is refused with 413.
pub const BODY_MAX_BYTES: usize = 1024 * 1024;

/// An answer that must come after its webhook waits this long for it at most: the receiver may be down.
const ANSWER_HELD_BACK_MAX: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Conduct {
    pub(crate) server: Arc<Server>,
    pub(crate) classify: fn(&Method, &str) -> Call,
}

enum Ending {
    Answer(Response),
    Reset,
}

pub(crate) async fn conduct(State(conduct): State<Conduct>, request: Request, next: Next) -> Response {
    let call = (conduct.classify)(request.method(), request.uri().path());
    let scissors = request.extensions().get::<Scissors>().cloned();
    let mut ticket = Ticket::new(&conduct.server.audit, call);
    match conduct.treat(call, request, next).await {
        Ending::Answer(mut answer) => {
            ticket.answered(answer.status());
            answer.headers_mut().insert(DATE, conduct.server.wall().http_date());
            answer
        }
        Ending::Reset => {
            if let Some(scissors) = scissors {
                scissors.cut();
            }
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Conduct {
    async fn treat(&self, call: Call, request: Request, next: Next) -> Ending {
        if !self.knows(request.headers()) {
            return self.refuse(StatusCode::UNAUTHORIZED, "expected the bearer token");
        }
        let faults = self.server.faults();
        if self.server.exceeds(faults.rate_limit_per_s) {
            self.server.audit.note_fault("rate_limit");
            return self.throttle(&faults);
        }
        let mut throw = self.server.dice.throw(call.method, call.path);
        let mut fate = Fate::draw(&faults, call.creates, &mut throw.rng);
        let latency = Latency::draw(&faults, &mut throw.rng);
        if fate != Fate::Well && !throw.strikes(fate.name()) {
            fate = Fate::Well;
        }
        if fate != Fate::Well {
            self.server.audit.note_fault(fate.name());
        }

        // The whole request has to be here before it can be applied without its caller.
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Visit { came_ms: self.server.wall().now_ms(), answered: fate == Fate::Well });
        let Ok(body) = to_bytes(body, BODY_MAX_BYTES).await else {
            return self.refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("expected a whole body of at most {BODY_MAX_BYTES} bytes"),
            );
        };
        let work =
            Work { server: self.server.clone(), call, request: Request::from_parts(parts, Body::from(body)), next };
        self.suffer(fate, latency, &faults, work).await
    }

    async fn suffer(&self, fate: Fate, latency: Latency, faults: &Faults, work: Work) -> Ending {
        let answer = match fate {
            Fate::Throttled => {
                sleep(latency.before).await;
                return self.throttle(faults);
            }
            Fate::Failed => {
                sleep(latency.before).await;
                return self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong");
            }
            Fate::ResetBefore => {
                sleep(latency.before).await;
                return Ending::Reset;
            }
            Fate::AppliedLate { applied_after, answered_after } => {
                drop(work.start(applied_after));
                sleep(answered_after).await;
                return self.refuse(StatusCode::GATEWAY_TIMEOUT, "the upstream did not answer");
            }
            Fate::AppliedThenHung => {
                work.run(latency.before).await;
                sleep(Duration::from_millis(faults.hang_ms)).await;
                return self.refuse(StatusCode::GATEWAY_TIMEOUT, "the upstream did not answer");
            }
            Fate::ResetAfter => {
                work.run(latency.before).await;
                return Ending::Reset;
            }
            Fate::Html { applied } => {
                if applied {
                    work.run(latency.before).await;
                }
                html()
            }
            Fate::TruncatedJson => truncated(work.run(latency.before).await).await,
            Fate::CreatedWithoutId => without_id(work.run(latency.before).await).await,
            Fate::Well => work.run(latency.before).await,
        };
        if faults.announce_before_answer
            && let Some(first_attempt) = answer.extensions().get::<FirstAttempt>().cloned()
        {
            // The receiver may hang; then the order cannot be kept and the answer goes first after all.
            drop(tokio::time::timeout(ANSWER_HELD_BACK_MAX, first_attempt.wait()).await);
        }
        if !latency.after.is_zero() {
            sleep(latency.after).await;
        }
        Ending::Answer(answer)
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        sent == Some(self.server.token.as_bytes())
    }

    fn refuse(&self, status: StatusCode, message: impl Into<String>) -> Ending {
        let refused = Refused::new(status, message);
        Ending::Answer(self.server.refuse(&refused))
    }

    fn throttle(&self, faults: &Faults) -> Ending {
        let refused = Refused::new(StatusCode::TOO_MANY_REQUESTS, "You have reached your secondly limit.");
        let mut answer = self.server.refuse(&refused);
        if faults.retry_after_header {
            let seconds = HeaderValue::from(faults.retry_after_s);
            answer.headers_mut().insert(RETRY_AFTER, seconds);
        }
        Ending::Answer(answer)
    }
}

/// A call that is ready to be applied.
struct Work {
    server: Arc<Server>,
    call: Call,
    request: Request,
    next: Next,
}

impl Work {
    async fn run(self, before: Duration) -> Response {
        if self.call.write {
            return match self.start(before).await {
                Ok(answer) => answer,
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            };
        }
        if !before.is_zero() {
            sleep(before).await;
        }
        self.next.run(self.request).await
    }

    /// On a task of its own: a write that was started is finished, whether or not its caller still listens.
    fn start(self, before: Duration) -> tokio::task::JoinHandle<Response> {
        let in_flight = self.call.write.then(|| self.server.begin_write());
        tokio::spawn(async move {
            if !before.is_zero() {
                sleep(before).await;
            }
            let answer = self.next.run(self.request).await;
            drop(in_flight);
            answer
        })
    }
}

fn html() -> Response {
    let page = "<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>";
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, content_type)], page).into_response()
}

/// Half of an object is never JSON, because its last brace is missing.
async fn truncated(answer: Response) -> Response {
    rewritten(answer, |body| {
        let half = body.len() / 2;
        body.slice(..half)
    })
    .await
}

async fn without_id(answer: Response) -> Response {
    rewritten(answer, |body| {
        let Ok(mut record) = serde_json::from_slice::<Value>(&body) else {
            return body;
        };
        remove_id(&mut record);
        for made in record.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten() {
            remove_id(made);
        }
        Bytes::from(record.to_string())
    })
    .await
}

fn remove_id(record: &mut Value) {
    if let Some(fields) = record.as_object_mut() {
        fields.shift_remove("id");
    }
    if let Some(properties) = record.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove("hs_object_id");
    }
}

/// Changes the body of a success; the extensions stay, the webhook still has to come first if it must.
async fn rewritten(answer: Response, change: impl FnOnce(Bytes) -> Bytes) -> Response {
    if !answer.status().is_success() {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(change(body)))
}
