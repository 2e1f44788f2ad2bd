//! What the metrics say of the whole: read when they are asked for, and counted where nodes answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{Clock, Engine, PairStore, ResultCode};

use crate::application::HttpApplication;
use crate::composition::Stores;
use crate::flow::WalkObserver;
use crate::metrics::{self, Metrics, Number};
use crate::webhook::Measured;

/// Reads the store, the lanes and the applications into the metrics.
pub struct Gauges {
    pairs: Arc<dyn PairStore>,
    engine: Arc<dyn Engine>,
    applications: Vec<Arc<HttpApplication>>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

impl Gauges {
    /// Gauges of a running system.
    pub fn new(
        stores: &Stores,
        metrics: &Arc<Metrics>,
        applications: Vec<Arc<HttpApplication>>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (pairs, engine) = (Arc::clone(&stores.pairs), Arc::clone(&stores.engine));
        Self { pairs, engine, applications, metrics: Arc::clone(metrics), clock: Arc::clone(clock) }
    }
}

#[async_trait]
impl Measured for Gauges {
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
        Ok(())
    }
}

/// Counts nodes' results.
pub struct NodeResults {
    metrics: Arc<Metrics>,
    // The numbers by topology, node and result, so that a walk formats and looks up nothing twice.
    known: Mutex<HashMap<(String, String, ResultCode), Number>>,
}

impl NodeResults {
    /// Counts into these metrics.
    pub fn new(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), known: Mutex::default() }
    }
}

impl WalkObserver for NodeResults {
    fn answered(&self, topology: &str, node: &str, result: ResultCode, _took: Duration) {
        let key = (topology.to_owned(), node.to_owned(), result);
        let mut known = match self.known.lock() {
            Ok(known) => known,
            Err(poisoned) => poisoned.into_inner(),
        };
        let number = known.entry(key).or_insert_with(|| {
            let name = match result {
                ResultCode::Repeat => "repeat",
                ResultCode::StopAndFailed => "trash",
                ResultCode::DoNotContinue => "stop",
                _ => "ok",
            };
            self.metrics.number(&metrics::NODE_RESULTS, &[topology, node, name])
        });
        number.add_one();
    }
}
