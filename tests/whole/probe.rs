//! Probes: watch what nodes answer and whose hints are at work, without the program knowing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pairline_sdk::testing::MemoryEngine;
use pairline_sdk::{
    Control, Delivery, Disposition, Engine, EngineError, Health, Hint, ListQuery, Listed, NodeDescription, NodeError,
    ProcessAction, ProcessDto, RecordId, Registry, ResultCode, System, Taken, Timestamp, Usage, Worker,
};
use serde_json::Value;

/// What has been seen.
#[derive(Default)]
pub(super) struct Seen {
    nodes: Mutex<BTreeMap<String, Arc<Answers>>>,
    at_work: Mutex<BTreeSet<RecordId>>,
    two_hands: Mutex<Vec<RecordId>>,
}

/// How often a node gave each answer: its routes in their order, then the ends.
struct Answers {
    names: Vec<String>,
    counts: Vec<AtomicU64>,
}

/// Answers that are no routes.
const ENDS: [&str; 5] = ["goes on", "ends", "waits", "tries again", "gives up"];

impl Answers {
    fn of(description: &NodeDescription) -> Self {
        let routes = description.routes.iter().map(|route| route.name.clone());
        let names: Vec<String> = routes.chain(ENDS.map(str::to_owned)).collect();
        let counts = names.iter().map(|_| AtomicU64::new(0)).collect();
        Self { names, counts }
    }

    fn note(&self, answer: &Result<ProcessDto, NodeError>) {
        let name = match answer {
            Ok(dto) if dto.result() == ResultCode::DoNotContinue => "ends",
            Ok(dto) => dto.route().unwrap_or("goes on"),
            Err(NodeError::Repeat { counted: false, .. }) => "waits",
            Err(NodeError::Repeat { .. }) => "tries again",
            Err(NodeError::StopAndFail { .. }) => "gives up",
        };
        if let Some(place) = self.names.iter().position(|known| known == name) {
            self.counts[place].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Seen {
    /// The same registry, with a probe around every node.
    pub(super) fn watching(self: &Arc<Self>, inner: Registry) -> Registry {
        let inner = Arc::new(inner);
        let mut watched = Registry::new();
        for (kind, description) in inner.kinds() {
            let answers = Arc::new(Answers::of(description));
            self.nodes.lock().unwrap().insert(kind.to_owned(), Arc::clone(&answers));
            let (inner, kind) = (Arc::clone(&inner), kind.to_owned());
            watched.register(description.clone(), move |with, ports| {
                let node = inner.make(&kind, &Usage::with(with.clone()), ports)?;
                Ok(Arc::new(Probe { node, answers: Arc::clone(&answers) }))
            });
        }
        watched
    }

    /// How often each node gave each answer.
    pub(super) fn answers(&self) -> BTreeMap<String, u64> {
        let nodes = self.nodes.lock().unwrap();
        let counts = nodes.iter().flat_map(|(kind, answers)| {
            let counts = answers.names.iter().zip(&answers.counts);
            counts.map(move |(name, count)| (format!("{kind}: {name}"), count.load(Ordering::Relaxed)))
        });
        counts.collect()
    }

    /// Records that two hands were at once at work on.
    pub(super) fn two_hands(&self) -> Vec<RecordId> {
        self.two_hands.lock().unwrap().clone()
    }
}

struct Probe {
    node: Arc<dyn ProcessAction>,
    answers: Arc<Answers>,
}

#[async_trait]
impl ProcessAction for Probe {
    fn describe(&self) -> &NodeDescription {
        self.node.describe()
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let answer = self.node.process_action(dto).await;
        self.answers.note(&answer);
        answer
    }
}

/// An engine whose hands are watched.
pub(super) struct WatchedEngine(pub(super) Arc<MemoryEngine>, pub(super) Arc<Seen>);

struct WatchedWorker(Arc<dyn Worker>, Arc<Seen>);

/// A hint at work, also if its work is dropped.
struct AtWork<'s>(&'s Seen, RecordId);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.lock().unwrap().remove(&self.1);
    }
}

#[async_trait]
impl Worker for WatchedWorker {
    async fn work(&self, hint: Hint) -> Disposition {
        let record = hint.record.clone();
        if !self.1.at_work.lock().unwrap().insert(record.clone()) {
            self.1.two_hands.lock().unwrap().push(record.clone());
        }
        let _at_work = AtWork(&self.1, record);
        self.0.work(hint).await
    }
}

#[async_trait]
impl Engine for WatchedEngine {
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError> {
        self.0.enqueue(delivery).await
    }

    async fn cursor(&self, system: &System) -> Result<Value, EngineError> {
        self.0.cursor(system).await
    }

    async fn rewind(&self) -> Result<(), EngineError> {
        self.0.rewind().await
    }

    async fn run(&self, worker: Arc<dyn Worker>, parallel: usize) -> Result<(), EngineError> {
        self.0.run(Arc::new(WatchedWorker(worker, Arc::clone(&self.1))), parallel).await
    }

    async fn control(&self, control: Control) -> Result<(), EngineError> {
        self.0.control(control).await
    }

    async fn list(&self, query: ListQuery, limit: usize) -> Result<Listed, EngineError> {
        self.0.list(query, limit).await
    }

    async fn health(&self) -> Result<Health, EngineError> {
        self.0.health().await
    }

    async fn probe(&self) -> Result<(), EngineError> {
        self.0.probe().await
    }

    async fn prune(&self, received_before: Timestamp, limit: usize) -> Result<u64, EngineError> {
        self.0.prune(received_before, limit).await
    }
}
