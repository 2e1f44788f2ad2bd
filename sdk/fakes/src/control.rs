//! Control: the people, the faults and the audit over HTTP, for a harness in another process.
//!
//! Under `/_control`, only when the configuration says so, without a token: bind it to loopback. No fault ever
//! happens to these routes.
//!
//! | route | does |
//! |---|---|
//! | `POST /_control/people` | one [`PeopleAction`], answers `{"id"}` |
//! | `GET`, `PUT /_control/faults` | reads or replaces [`Faults`] |
//! | `PUT /_control/webhook-url` | `{"url"}` |
//! | `PUT /_control/lag` | `{"ms"}` |
//! | `GET /_control/snapshot` | every record, gone ones too |
//! | `GET /_control/history/{id}` | the writes of one record |
//! | `GET /_control/audit` | calls, faults that happened, deliveries, quiet |

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::faults::Faults;
use crate::history::{RecordView, WriteEntry, Writer};
use crate::refused::Refused;
use crate::server::Server;

/// What somebody at the screen, or another tool, does to a record.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum PeopleAction {
    /// Makes a record.
    Create {
        /// What is known about it.
        fields: Map<String, Value>,
        /// The other tool that makes it; a person when absent.
        #[serde(default)]
        tool: Option<String>,
        /// How many distinct events announce it.
        #[serde(default = "once")]
        times: u32,
    },
    /// Edits a record.
    Edit {
        /// Which one.
        id: String,
        /// What changes; null empties a field.
        fields: Map<String, Value>,
        /// The other tool that edits it; a person when absent.
        #[serde(default)]
        tool: Option<String>,
    },
    /// Archives or deletes a record.
    Delete {
        /// Which one.
        id: String,
    },
    /// Brings an archived or deleted record back.
    Restore {
        /// Which one.
        id: String,
    },
    /// Announces an existing record as new, by that many distinct events at the same moment.
    Announce {
        /// Which one.
        id: String,
        /// How many events.
        times: u32,
    },
    /// Copies a record with all it holds, the inverse id too.
    Clone {
        /// Which one.
        id: String,
    },
    /// Takes two records for one: this one goes, and the other stays as it is.
    Merge {
        /// Which one goes.
        id: String,
        /// Which one stays.
        into: String,
    },
}

fn once() -> u32 {
    1
}

impl PeopleAction {
    /// A tool's name makes the tool the writer, its absence a person.
    pub(crate) fn writer(tool: Option<String>) -> Writer {
        tool.map_or(Writer::Person, |name| Writer::Tool { name })
    }
}

/// What a harness can do to either system.
pub(crate) trait Controlled: Send + Sync + 'static {
    fn server(&self) -> &Server;
    /// Answers the id of the record it was done to.
    fn people_do(&self, action: PeopleAction) -> Result<String, Refused>;
    fn set_lag_ms(&self, lag_ms: u64);
    fn snapshot(&self) -> Vec<RecordView>;
    fn history(&self, id: &str) -> Option<Vec<WriteEntry>>;
}

pub(crate) fn routes<C: Controlled>(controlled: Arc<C>) -> Router {
    Router::new()
        .route("/people", post(people::<C>))
        .route("/faults", get(faults::<C>).put(set_faults::<C>))
        .route("/webhook-url", put(set_webhook_url::<C>))
        .route("/lag", put(set_lag::<C>))
        .route("/snapshot", get(snapshot::<C>))
        .route("/history/{id}", get(history::<C>))
        .route("/audit", get(audit::<C>))
        .with_state(controlled)
}

async fn people<C: Controlled>(State(controlled): State<Arc<C>>, body: Bytes) -> Response {
    let done = read(&body).and_then(|action| controlled.people_do(action));
    answer(&*controlled, done.map(|id| json!({ "id": id })))
}

async fn faults<C: Controlled>(State(controlled): State<Arc<C>>) -> Response {
    Json(&*controlled.server().faults()).into_response()
}

async fn set_faults<C: Controlled>(State(controlled): State<Arc<C>>, body: Bytes) -> Response {
    let faults: Result<Faults, _> = read(&body);
    let set = faults.and_then(|faults| controlled.server().set_faults(faults));
    answer(&*controlled, set.map(|()| json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookUrl {
    url: String,
}

async fn set_webhook_url<C: Controlled>(State(controlled): State<Arc<C>>, body: Bytes) -> Response {
    let url: Result<WebhookUrl, _> = read(&body);
    let set = url.map(|webhook| controlled.server().set_webhook_url(webhook.url));
    answer(&*controlled, set.map(|()| json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lag {
    ms: u64,
}

async fn set_lag<C: Controlled>(State(controlled): State<Arc<C>>, body: Bytes) -> Response {
    let lag: Result<Lag, _> = read(&body);
    let set = lag.map(|lag| controlled.set_lag_ms(lag.ms));
    answer(&*controlled, set.map(|()| json!({})))
}

async fn snapshot<C: Controlled>(State(controlled): State<Arc<C>>) -> Response {
    Json(controlled.snapshot()).into_response()
}

async fn history<C: Controlled>(State(controlled): State<Arc<C>>, Path(id): Path<String>) -> Response {
    match controlled.history(&id) {
        Some(entries) => Json(entries).into_response(),
        None => answer(&*controlled, Err(Refused::unknown("record", &id))),
    }
}

async fn audit<C: Controlled>(State(controlled): State<Arc<C>>) -> Response {
    let server = controlled.server();
    let mut ack_times = server.ack_times();
    ack_times.sort_unstable();
    Json(json!({
        "calls": server.calls(),
        "faults_happened": server.faults_happened(),
        "deliveries": server.deliveries(),
        "pending_deliveries": server.pending_deliveries(),
        "quiet_for_ms": whole_ms(server.quiet_for()),
        "ack_ms": {
            "count": ack_times.len(),
            "p50": percentile_ms(&ack_times, 50),
            "p95": percentile_ms(&ack_times, 95),
            "p99": percentile_ms(&ack_times, 99),
            "max": percentile_ms(&ack_times, 100),
        },
    }))
    .into_response()
}

fn percentile_ms(sorted: &[Duration], percent: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let sample = sorted[(sorted.len() * percent / 100).min(last)];
    Some(sample.as_secs_f64() * 1_000.0)
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad(error.to_string()))
}

fn answer(controlled: &impl Controlled, done: Result<Value, Refused>) -> Response {
    match done {
        Ok(value) => (StatusCode::OK, Json(value)).into_response(),
        Err(refused) => controlled.server().refuse(&refused),
    }
}
