//! One call: counted, and what its answer means for the calls after it.

use std::time::Duration;

use serde_json::Value;
use tracing::error;

use super::HttpApplication;
use crate::application::json;
use crate::application::limiter::Permit;
use crate::application::transport::{Answer, Call, TransportError};
use crate::metrics::Number;

/// What is counted of an application's calls.
pub(super) struct Meters {
    /// By the first digit of the status; 0 is no answer.
    pub(super) by_class: [Number; 6],
    pub(super) throttled: Number,
    pub(super) unknown: Number,
    pub(super) waits: Number,
    pub(super) paused: Number,
}

impl HttpApplication {
    pub(super) async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let answer = self.transport.call(call).await;
        let class = answer.as_ref().map_or(0, |answer| usize::from(answer.status / 100).min(5));
        self.meters.by_class[class].add_one();
        answer
    }

    pub(super) fn parsed(&self, body: &[u8]) -> Result<Value, String> {
        if body.is_empty() {
            return Err("expected JSON, found nothing".to_owned());
        }
        let parsed = json::parse(body, self.description.limits.depth);
        parsed.map_err(|error| format!("expected JSON, found something else: {error}"))
    }

    pub(super) fn throttled(&self, permit: Permit<'_>, after: Option<Duration>) -> Duration {
        self.meters.throttled.add_one();
        permit.throttled(after)
    }

    pub(super) fn denied(&self, permit: Permit<'_>, status: u16) -> Duration {
        let after = permit.denied();
        let application = self.description.system().as_str();
        error!(
            application,
            status,
            seconds = after.as_secs(),
            "the application refuses our credentials; it is left alone"
        );
        after
    }

    pub(super) fn broken(&self, permit: Permit<'_>, after: Option<Duration>) {
        permit.lost();
        if let Some(after) = after {
            self.limiter.pause(after, "the application asked to be left alone");
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::Application;

    use super::super::stage::{CRM, answer, exchange, stage, update};

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
