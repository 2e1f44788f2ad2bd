//! What happens to a delivery: checked, understood, taken durably, and only then acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use pairline_sdk::{Clock, Delivery, Engine, EventFacts, RecordId, System};
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::problem::Problem;
use super::signature::Verifier;
use crate::application::description::{Description, EventShape};
use crate::application::json;
use crate::application::secrets::Secrets;
use crate::metrics::{DELIVERIES, EVENTS_RECEIVED, Metrics, Number};

/// Deliveries in work at once; a sender that finds the door closed comes back.
const DELIVERIES_AT_ONCE: usize = 256;
/// A delivery must be read by then, however slowly it is sent.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Looks at an event before anything waits for it.
#[async_trait]
pub trait Door: Send + Sync {
    /// Whether nothing is left to do for an event.
    async fn settles(&self, record: &RecordId, facts: &EventFacts) -> bool;
}

/// Takes deliveries.
pub struct Receiver {
    senders: BTreeMap<String, Sender>,
    engine: Arc<dyn Engine>,
    door: Arc<dyn Door>,
    wall: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    room: Semaphore,
}

/// A system that sends webhooks.
struct Sender {
    system: System,
    verifier: Verifier,
    batch: bool,
    event: EventShape,
    secrets: Secrets,
    body_bytes: usize,
    depth: usize,
    accepted: Number,
    duplicates: Number,
    unreadable: Number,
    ignored: Number,
    rejected: Number,
    taken: Number,
}

impl Receiver {
    /// Takes deliveries of the systems these describe, whose dates are held against the time of day.
    ///
    /// # Errors
    ///
    /// One line when a system could not be told from anybody else.
    pub fn new(
        descriptions: Vec<Description>,
        engine: Arc<dyn Engine>,
        door: Arc<dyn Door>,
        metrics: &Arc<Metrics>,
        wall: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let mut senders = BTreeMap::new();
        for description in descriptions {
            let name = description.system().as_str().to_owned();
            let Description { profile, webhook: Some(webhook), limits, secrets, .. } = description else { continue };
            let events = |result| metrics.number(&EVENTS_RECEIVED, &[&name, result]);
            let sender = Sender {
                system: profile.system,
                verifier: Verifier::new(&webhook.signature).map_err(|reason| format!("{name}: {reason}"))?,
                batch: webhook.batch,
                event: webhook.event,
                secrets,
                body_bytes: limits.body_bytes,
                depth: limits.depth,
                accepted: events("accepted"),
                duplicates: events("duplicate"),
                unreadable: events("unreadable"),
                ignored: events("ignored"),
                rejected: events("rejected"),
                taken: metrics.number(&DELIVERIES, &[&name, "202"]),
            };
            senders.insert(name, sender);
        }
        Ok(Self { senders, engine, door, wall, metrics: Arc::clone(metrics), room: Semaphore::new(DELIVERIES_AT_ONCE) })
    }

    /// Takes a delivery to an application of this name, and answers it.
    pub async fn receive(&self, name: &str, request: Request) -> Response {
        let Some(sender) = self.senders.get(name) else {
            return Problem::new(StatusCode::NOT_FOUND, "no application of this name sends webhooks here")
                .into_response();
        };
        match self.deliver(sender, request).await {
            Ok(taken) => {
                sender.taken.add_one();
                taken.into_response()
            }
            Err(problem) => {
                let status = problem.status.as_u16();
                debug!(application = %sender.system, status, detail = problem.detail, "a delivery was refused");
                sender.rejected.add_one();
                self.metrics.number(&DELIVERIES, &[name, problem.status.as_str()]).add_one();
                problem.into_response()
            }
        }
    }

    async fn deliver(&self, sender: &Sender, request: Request) -> Result<Taken, Problem> {
        let Ok(_room) = self.room.try_acquire() else {
            return Err(Problem::come_back("too many deliveries at once"));
        };
        let now = self.wall.now();
        let (parts, body) = request.into_parts();
        let distrusted = |distrust| Problem::new(StatusCode::UNAUTHORIZED, distrust);
        sender.verifier.precheck(&parts.headers, now).map_err(distrusted)?;
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > sender.body_bytes as u64) {
            return Err(too_large(sender.body_bytes));
        }
        let body = tokio::time::timeout(READ_WITHIN, whole(body, sender.body_bytes)).await;
        let body = body.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "expected the body sooner"))??;
        sender.verifier.verify(parts.method.as_str(), &parts.headers, &body, now).map_err(distrusted)?;
        let events = sender.events(&body)?;
        drop(body);
        self.take(sender, events).await
    }

    async fn take(&self, sender: &Sender, events: Vec<Value>) -> Result<Taken, Problem> {
        let mut read = sender.event.read(&sender.system, events);
        sender.ignored.add(read.ignored);
        if read.delivery == Delivery::default() {
            return Ok(Taken { accepted: 0, duplicates: 0, unreadable: 0 });
        }
        let unreadable = read.delivery.unreadable.len() as u64;
        for part in &mut read.delivery.unreadable {
            // Nobody can deliver it, but a person is shown it.
            part.body = sender.secrets.hidden_in(std::mem::take(&mut part.body));
            warn!(application = %sender.system, reason = part.reason, "a part of a delivery goes to the trash");
        }
        for arrival in &mut read.delivery.arrivals {
            if let Some(facts) = &arrival.facts {
                arrival.settled = self.door.settles(&arrival.record, facts).await;
            }
        }
        // Nothing is acknowledged before this returns.
        match self.engine.enqueue(read.delivery).await {
            Ok(taken) => {
                sender.accepted.add(taken.accepted);
                sender.duplicates.add(taken.duplicates);
                sender.unreadable.add(unreadable);
                Ok(Taken { accepted: taken.accepted, duplicates: taken.duplicates, unreadable })
            }
            Err(error) => {
                warn!(application = %sender.system, %error, "a delivery was not taken");
                Err(Problem::come_back("the inbox cannot take anything now"))
            }
        }
    }
}

impl Sender {
    fn events(&self, body: &[u8]) -> Result<Vec<Value>, Problem> {
        let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
        let body = json::parse(body, self.depth)
            .map_err(|error| bad(format!("expected JSON, found something else: {error}")))?;
        match (self.batch, body) {
            (true, Value::Array(events)) => Ok(events),
            (false, Value::Object(event)) => Ok(vec![Value::Object(event)]),
            (true, _) => Err(bad("expected a list of events, found another kind of JSON".to_owned())),
            (false, _) => Err(bad("expected one event as an object, found another kind of JSON".to_owned())),
        }
    }
}

/// What became of a delivery.
struct Taken {
    accepted: u64,
    duplicates: u64,
    unreadable: u64,
}

impl IntoResponse for Taken {
    fn into_response(self) -> Response {
        let Self { accepted, duplicates, unreadable } = self;
        let body = format!("{{\"accepted\":{accepted},\"duplicates\":{duplicates},\"unreadable\":{unreadable}}}");
        (StatusCode::ACCEPTED, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format_args!("expected at most {most} bytes, found more"))
}

/// Reads a body that is not longer than agreed; most come in one piece, which is not copied.
async fn whole(body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut pieces = body.into_data_stream();
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(BoxError::from).map_err(|error| {
            debug!(%error, "a delivery broke off");
            Problem::new(StatusCode::BAD_REQUEST, "expected the whole body, found less")
        })?;
        if first.len().max(rest.len()) + piece.len() > most {
            return Err(too_large(most));
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&piece);
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}
