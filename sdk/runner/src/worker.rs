//! Does the work of a hint: walks its record's topology, and turns the answer into what becomes of the hint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{Clock, Disposition, EventFacts, Hint, NodeError, ProcessDto, Random, RecordId, System, Worker};
use tracing::{debug, info, warn};

use crate::flow::{Flow, HintEnd, WalkEnd, WalkObserver};
use crate::webhook::Door;

/// When and how often a record is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeater {
    /// Tries that count, at most; the platform's default is 10.
    pub max_hops: u32,
    /// The wait after the first try; it doubles with each one.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for Repeater {
    fn default() -> Self {
        Self { max_hops: 10, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(60) }
    }
}

impl Repeater {
    /// The wait after this many tries, with up to a quarter more by chance, so that records that failed together do
    /// not come back together.
    pub fn wait(&self, hops: u32, random: &dyn Random) -> Duration {
        let doubled = self.first_wait.saturating_mul(1_u32.checked_shl(hops.min(16)).unwrap_or(u32::MAX));
        let wait = doubled.min(self.longest_wait);
        let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(0);
        wait + Duration::from_millis(random.below(quarter + 1))
    }

    /// How long a record waits that may be looked at `after` so long, if that is known.
    ///
    /// What fails again and again is tried less and less often, also where it is known when it may be tried: a system that
    /// answers nobody for minutes must not use up all tries within one.
    fn pause(&self, hops: u32, after: Option<Duration>, counted: bool, random: &dyn Random) -> Duration {
        match after {
            Some(after) if !counted => after.max(Duration::from_millis(1)),
            after => after.unwrap_or_default().max(self.wait(hops, random)),
        }
    }
}

/// Walks hints through topologies.
pub struct TopologyWorker {
    /// The topologies that start from records of a system.
    pub flows: BTreeMap<System, Vec<Flow>>,
    /// When and how often a record is looked at again.
    pub repeater: Repeater,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for jitter.
    pub random: Arc<dyn Random>,
    /// Sees every node's result.
    pub observer: Option<Arc<dyn WalkObserver>>,
}

#[async_trait]
impl Door for TopologyWorker {
    /// Whether every topology of the event's system ends with its first node. The lanes are free then for what has to
    /// be done.
    async fn settles(&self, record: &RecordId, facts: &EventFacts) -> bool {
        let Some(flows) = self.flows.get(&record.system) else { return false };
        for flow in flows {
            let dto = ProcessDto::from_event(record, facts, &flow.name);
            if !flow.ends_at_the_door(dto, self.observer.as_deref()).await {
                return false;
            }
        }
        if let Some(observer) = &self.observer {
            observer.finished(&record.system, HintEnd::Echo, Duration::ZERO);
        }
        true
    }
}

#[async_trait]
impl Worker for TopologyWorker {
    async fn work(&self, hint: Hint) -> Disposition {
        let Some(flows) = self.flows.get(&hint.record.system) else {
            return Disposition::Trash {
                reason: format!("no topology starts from `{}`", hint.record.system),
                topology: String::new(),
                node: String::new(),
            };
        };
        let mut end = HintEnd::Echo;
        for flow in flows {
            let dto = ProcessDto::from_hint(&hint, &flow.name);
            let walk = flow.walk(dto, self.observer.as_deref()).await;
            match walk.end {
                WalkEnd::Done(ended) => {
                    // The echo filter is the only node that ends a walk by its route `own`.
                    if ended.last().and_then(ProcessDto::route) != Some("own") {
                        end = HintEnd::Done;
                    }
                    // Not called `message`: that is what the line itself says, and JSON has one of each.
                    let reason = ended.last().and_then(ProcessDto::message).unwrap_or_default();
                    debug!(correlation_id = %hint.correlation_id, record = %hint.record, topology = %flow.name, path = walk.path.join(" > "), reason, "walked");
                }
                WalkEnd::Failed { node, error } => return self.failed(&hint, flow, node, error),
            }
        }
        if let Some(observer) = &self.observer {
            observer.finished(&hint.record.system, end, self.clock.now().since(hint.since));
        }
        Disposition::Done
    }
}

impl TopologyWorker {
    fn failed(&self, hint: &Hint, flow: &Flow, node: String, error: NodeError) -> Disposition {
        let topology = flow.name.clone();
        match error {
            NodeError::Repeat { reason, after, counted } => {
                let hops = hint.hops + u32::from(counted);
                if counted && hops >= self.repeater.max_hops {
                    let reason = format!("gave up after {hops} tries: {reason}");
                    warn!(correlation_id = %hint.correlation_id, record = %hint.record, topology = %flow.name, node, reason, "moved to the trash");
                    return Disposition::Trash { reason, topology, node };
                }
                if let Some(observer) = &self.observer {
                    observer.repeated(&node, counted);
                }
                let wait = self.repeater.pause(hint.hops, after, counted, &*self.random);
                if counted {
                    info!(correlation_id = %hint.correlation_id, record = %hint.record, topology = %flow.name, node, reason, hop = hops, of = self.repeater.max_hops, wait_ms = wait.as_millis(), "will be looked at again");
                } else {
                    debug!(correlation_id = %hint.correlation_id, record = %hint.record, topology = %flow.name, node, reason, wait_ms = wait.as_millis(), "waits");
                }
                let reason = format!("at `{node}`: {reason}");
                Disposition::Again { at: self.clock.now().plus(wait), reason, counted }
            }
            NodeError::StopAndFail { reason } => {
                warn!(correlation_id = %hint.correlation_id, record = %hint.record, topology = %flow.name, node, reason, "moved to the trash");
                Disposition::Trash { reason, topology, node }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::TestRandom;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_never_come_down_together() {
        let repeater = Repeater::default();
        let random = TestRandom::new(7);
        let waits: Vec<Duration> = (0..12).map(|hops| repeater.wait(hops, &random)).collect();

        assert!(waits[0] >= Duration::from_millis(500) && waits[0] <= Duration::from_millis(625));
        assert!(waits[3] >= Duration::from_secs(4));
        assert!(waits[11] <= Duration::from_secs(75));
        assert_ne!(repeater.wait(9, &random), repeater.wait(9, &random));
    }

    #[test]
    fn ten_counted_tries_take_minutes_also_where_it_is_known_when_the_next_may_be() {
        let repeater = Repeater::default();
        let random = TestRandom::new(7);
        let second = Duration::from_secs(1);
        let pause = |hops, after, counted| repeater.pause(hops, after, counted, &random);

        let all: Duration = (0..repeater.max_hops).map(|hops| pause(hops, Some(5 * second), true)).sum();

        assert!(all > 180 * second, "{all:?}");
        assert_eq!(pause(0, Some(30 * second), true), 30 * second, "not before it may be");
        assert_eq!(pause(9, Some(5 * second), false), 5 * second, "what costs no try waits as long as it is told");
        assert!(pause(9, Some(Duration::ZERO), false) > Duration::ZERO);
        assert!(pause(3, None, true) >= 4 * second);
    }
}
