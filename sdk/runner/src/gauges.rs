//! What the metrics say of the whole: read when they are asked for.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{Clock, Engine, PairStore};

use crate::application::HttpApplication;
use crate::composition::{Components, Stores};
use crate::metrics::{self, Metrics};
use crate::webhook::Measured;

/// Reads the store, the lanes and the applications into the metrics.
pub struct Gauges {
    pairs: Arc<dyn PairStore>,
    engine: Arc<dyn Engine>,
    applications: Vec<Arc<HttpApplication>>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    components: Option<Arc<dyn Components>>,
}

impl Gauges {
    /// Gauges of a running system.
    pub fn new(
        stores: &Stores,
        metrics: &Arc<Metrics>,
        applications: Vec<Arc<HttpApplication>>,
        clock: &Arc<dyn Clock>,
        components: Option<Arc<dyn Components>>,
    ) -> Self {
        let (pairs, engine) = (Arc::clone(&stores.pairs), Arc::clone(&stores.engine));
        Self { pairs, engine, applications, metrics: Arc::clone(metrics), clock: Arc::clone(clock), components }
    }

    fn measure_components(&self) {
        for counts in self.components.iter().flat_map(|components| components.counts()) {
            let component = counts.component.as_str();
            let set = |metric, labels: &[&str], value| self.metrics.number(metric, labels).set(value);
            for (ended, calls) in &counts.calls {
                set(&metrics::COMPONENT_CALLS, &[component, ended], *calls);
            }
            set(&metrics::COMPONENT_INSTANCES, &[component], counts.instances);
            for (taken, reloads) in ["yes", "no"].into_iter().zip(counts.reloads) {
                set(&metrics::COMPONENT_RELOADS, &[component, taken], reloads);
            }
        }
    }
}

#[async_trait]
impl Measured for Gauges {
    async fn ready(&self) -> Result<(), String> {
        self.engine.probe().await.map_err(|error| error.to_string())
    }

    async fn measure(&self) -> Result<(), String> {
        let health = self.engine.health().await.map_err(|error| error.to_string())?;
        let counts = self.pairs.counts().await.map_err(|error| error.to_string())?;
        let now = self.clock.now();
        let age = |since: Option<pairline_sdk::Timestamp>| since.map_or(0, |since| now.since(since).as_secs());
        let set = |metric, labels: &[&str], value| self.metrics.number(metric, labels).set(value);
        set(&metrics::QUEUE_DEPTH, &[], health.waiting);
        set(&metrics::QUEUE_OLDEST, &[], age(health.oldest));
        set(&metrics::TRASH_SIZE, &[], health.trash);
        set(&metrics::MAPPING_ROWS, &["active"], counts.pairs_active);
        set(&metrics::MAPPING_ROWS, &["inactive"], counts.pairs_inactive);
        set(&metrics::OPERATIONS_UNKNOWN, &[], counts.operations_unknown);
        set(&metrics::RESERVATION_OLDEST, &[], age(counts.reservation_oldest));
        set(&metrics::CASES_OPEN, &[], counts.cases_open);
        for application in &self.applications {
            application.measure();
        }
        self.measure_components();
        Ok(())
    }
}
