//! One call: counted, and what its answer means for the calls after it.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;
use tracing::error;

use super::HttpApplication;
use super::sign_in::Credential;
use crate::application::description::Auth;
use crate::application::errors::Meaning;
use crate::application::json;
use crate::application::limiter::Permit;
use crate::application::transport::{Answer, Call, TransportError};
use crate::metrics::{
    APPLICATION_PAUSED, HTTP_REQUESTS, HTTP_THROTTLED, LIMITER_WAITS, Metrics, Number, OUTCOMES_UNKNOWN,
};

/// How soon a call is made again that only lacked a new session.
const AT_ONCE: Duration = Duration::from_millis(1);

/// What became of a call, as far as it is the same for reads and writes.
pub(super) enum Reply {
    /// It was done.
    Done(Answer),
    /// There is no such record.
    Gone(Answer),
    /// There is such a record already, perhaps with its id.
    Duplicate(Answer, Option<String>),
    /// It was refused and would be again.
    Refused(Answer),
    /// It was not done, because the record is another version by now.
    Outdated(Answer),
    /// Nothing was done, and nothing will be for a while.
    NotNow { reason: Cow<'static, str>, after: Duration },
    /// Nobody can tell.
    Unclear(String),
}

impl HttpApplication {
    /// Makes a call, and lets the limiter learn from its end.
    pub(super) async fn call(&self, mut call: Call, permit: Permit<'_>, credential: Option<Credential>) -> Reply {
        if let Some(credential) = &credential {
            call.headers.insert(credential.name.clone(), credential.value.clone());
        }
        if let Auth::Hmac(hmac) = &self.description.auth.kind {
            hmac.sign(&mut call, self.clock.now());
        }
        let answer = self.transport.call(call).await;
        self.meters.count(answer.as_ref().ok());
        let answer = match answer {
            Ok(answer) => answer,
            Err(TransportError::NotSent(reason)) => {
                return Reply::NotNow { reason: reason.into(), after: permit.unreachable() };
            }
            Err(TransportError::Lost(reason)) => {
                permit.lost();
                return Reply::Unclear(reason);
            }
        };
        let meaning = self.description.errors.meaning(&answer, self.clock.now());
        let (answer, meaning) = self.discreet(answer, meaning, credential.as_ref());
        let decided = match meaning {
            Meaning::Done => Reply::Done(answer),
            Meaning::Gone => Reply::Gone(answer),
            Meaning::Duplicate(id) => Reply::Duplicate(answer, id),
            Meaning::Refused => Reply::Refused(answer),
            Meaning::Outdated => Reply::Outdated(answer),
            Meaning::Repeat(after) => {
                let reason = format!("answered that nothing was done (status {})", answer.status);
                Reply::NotNow { reason: reason.into(), after }
            }
            Meaning::Throttled(after) => {
                self.meters.throttled.add_one();
                return Reply::NotNow { reason: "asked us to wait".into(), after: permit.throttled(after) };
            }
            Meaning::Denied if credential.is_some_and(|credential| self.signed_in.is_over(&credential)) => {
                let reason = "does not know our session any more; we sign in again";
                Reply::NotNow { reason: reason.into(), after: AT_ONCE }
            }
            Meaning::Denied => {
                let after = self.denied(permit, Some(answer.status));
                let (status, look_at) = (answer.status, self.description.auth.is_from());
                let reason = format!("refuses our credentials ({status}): check {look_at}");
                return Reply::NotNow { reason: reason.into(), after };
            }
            Meaning::Broken(after) => {
                permit.lost();
                if let Some(after) = after {
                    self.limiter.pause(after, "the application asked to be left alone");
                }
                return Reply::Unclear(format!("answered with status {}", answer.status));
            }
        };
        permit.answered();
        decided
    }

    /// The answer, without its body if it is an error and repeats a token or a key of ours: what is read out of it is
    /// stored, logged and shown. A success is the data of a record, which is carried as it is.
    fn discreet(&self, answer: Answer, meaning: Meaning, credential: Option<&Credential>) -> (Answer, Meaning) {
        let repeats = || {
            let newest = credential.map(|credential| &*credential.secrets);
            [Some(&self.description.secrets), newest].into_iter().flatten().any(|known| known.are_in_body(&answer.body))
        };
        if meaning == Meaning::Done || !repeats() {
            return (answer, meaning);
        }
        let meaning = if let Meaning::Duplicate(_) = meaning { Meaning::Duplicate(None) } else { meaning };
        (Answer { body: Bytes::new(), ..answer }, meaning)
    }

    /// The body of an answer.
    pub(super) fn parsed(&self, body: &[u8]) -> Result<Value, String> {
        parsed(body, self.description.limits.depth)
    }

    pub(super) fn denied(&self, permit: Permit<'_>, status: Option<u16>) -> Duration {
        let after = permit.denied();
        let application = self.description.system().as_str();
        error!(
            application,
            status,
            seconds = after.as_secs(),
            check = self.description.auth.is_from(),
            "the application refuses our credentials; it is left alone"
        );
        after
    }
}

/// The body of an answer, with objects and lists in each other at most `depth` deep.
pub(super) fn parsed(body: &[u8], depth: usize) -> Result<Value, String> {
    if body.is_empty() {
        return Err("expected JSON, found nothing".to_owned());
    }
    json::parse(body, depth).map_err(|error| format!("expected JSON, found something else: {error}"))
}

/// What is counted of an application's calls.
pub(super) struct Meters {
    /// By the first digit of the status; 0 is no answer.
    by_class: [Number; 6],
    throttled: Number,
    pub(super) unknown: Number,
    pub(super) waits: Number,
    pub(super) paused: Number,
}

impl Meters {
    pub(super) fn new(metrics: &Metrics, application: &str) -> Self {
        let classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
        Self {
            by_class: classes.map(|class| metrics.number(&HTTP_REQUESTS, &[application, class])),
            throttled: metrics.number(&HTTP_THROTTLED, &[application]),
            unknown: metrics.number(&OUTCOMES_UNKNOWN, &[application]),
            waits: metrics.number(&LIMITER_WAITS, &[application]),
            paused: metrics.number(&APPLICATION_PAUSED, &[application]),
        }
    }

    fn count(&self, answer: Option<&Answer>) {
        let class = answer.map_or(0, |answer| usize::from(answer.status / 100).min(5));
        self.by_class[class].add_one();
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::{Application, Outcome};

    use super::super::stage::{CRM, answer, create, exchange, stage, update};

    #[tokio::test]
    async fn a_refusal_that_repeats_a_secret_is_its_status_alone() {
        // In this environment a secret is the name of its variable.
        for (status, body, without) in [
            (400, r#"{"category":"CRM_TOKEN"}"#, r#"{"category":"CRM_OUTAGE"}"#),
            (400, r#"{"category":"NO-CRM_CLIENT_SECRET"}"#, r#"{"category":"NO-KEY"}"#),
            (400, r#"{"category":"\u0043RM_TOKEN"}"#, r#"{"category":"\u0043RM_OUTAGE"}"#),
            (400, r#"{"category":"DENIED","message":"not by crm_token"}"#, r#"{"category":"DENIED"}"#),
            (409, r#"{"message":"Existing ID: CRM_TOKEN"}"#, r#"{"message":"Existing ID: 7"}"#),
        ] {
            let path = "/crm/v3/objects/contacts";
            let stage = stage(CRM, [body, without].map(|body| exchange("POST", path, answer(status, body))).to_vec());

            let repeated = stage.application.send(&stage.intent(&create())).await;
            let other = stage.application.send(&stage.intent(&create())).await;

            let plain = match status {
                409 => Outcome::Duplicate { id: None },
                _ => Outcome::Failed { reason: format!("crm: refused with status {status}") },
            };
            assert_eq!(repeated, plain, "{body}");
            assert_ne!(other, plain, "{without}");
        }
    }

    #[tokio::test]
    pub(super) async fn calls_are_counted_by_class_and_writes_in_doubt_by_themselves() {
        let path = "/crm/v3/objects/contacts/7";
        let exchanges = [200, 404, 500, 429].map(|status| exchange("GET", path, answer(status, "{}")));
        let stage = stage(CRM, [vec![exchange("PATCH", path, answer(500, ""))], exchanges.to_vec()].concat());

        stage.application.send(&stage.intent(&update())).await;
        for _ in 0..4 {
            stage.application.read("7").await.ok();
        }

        stage.application.measure();
        let shown = stage.metrics.render();
        for (metric, count) in [
            ("pairline_http_client_requests_total{application=\"crm\",status_class=\"2xx\"}", 1),
            ("pairline_http_client_requests_total{application=\"crm\",status_class=\"4xx\"}", 2),
            ("pairline_http_client_requests_total{application=\"crm\",status_class=\"5xx\"}", 2),
            ("pairline_http_client_throttled_total{application=\"crm\"}", 1),
            ("pairline_outcomes_unknown_total{application=\"crm\"}", 1),
            ("pairline_application_paused{application=\"crm\"}", 1),
        ] {
            assert!(shown.contains(&format!("{metric} {count}\n")), "{metric} {count} in\n{shown}");
        }
    }
}
