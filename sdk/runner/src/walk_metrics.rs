//! Counts what nodes answer and what becomes of hints.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairline_sdk::{ResultCode, System};

use crate::flow::{HintEnd, WalkObserver};
use crate::metrics::{self, Metrics, Number};

/// Counts into the metrics.
pub struct WalkMetrics {
    metrics: Arc<Metrics>,
    // The numbers by topology, node and result, so that a walk formats no labels twice.
    answers: Mutex<HashMap<(String, String, ResultCode), Number>>,
}

impl WalkMetrics {
    /// Counts into these metrics.
    pub fn new(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), answers: Mutex::default() }
    }
}

impl WalkObserver for WalkMetrics {
    fn answered(&self, topology: &str, node: &str, result: ResultCode) {
        let key = (topology.to_owned(), node.to_owned(), result);
        let mut answers = match self.answers.lock() {
            Ok(answers) => answers,
            Err(poisoned) => poisoned.into_inner(),
        };
        let number = answers.entry(key).or_insert_with(|| {
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

    fn finished(&self, system: &System, end: HintEnd, lag: Duration) {
        match end {
            HintEnd::Echo => self.metrics.number(&metrics::ECHOES, &[system.as_str()]).add_one(),
            HintEnd::Done => self.metrics.durations(&metrics::EVENT_LAG, &[system.as_str()]).observe(lag),
        }
    }

    fn repeated(&self, node: &str, counted: bool) {
        let counted = if counted { "yes" } else { "no" };
        self.metrics.number(&metrics::REPEATS, &[node, counted]).add_one();
    }
}
