//! The moments around the inbox, the lanes and what is done with a hint.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{
    Control, Delivery, Disposition, Engine, EngineError, Health, Hint, ListQuery, Listed, System, Taken, Timestamp,
    Worker,
};
use serde_json::Value;

use super::{KillAt, Moment};

pub(super) struct Lanes {
    inner: Arc<dyn Engine>,
    kill: KillAt,
}

impl Lanes {
    pub(super) fn new(inner: Arc<dyn Engine>, kill: KillAt) -> Self {
        Self { inner, kill }
    }
}

/// What comes before a delivery is durable, and what comes after. A start has nothing to lose before it.
fn around(delivery: &Delivery) -> (Option<Moment>, Moment) {
    if delivery.cursor.is_some() {
        return (Some(Moment::PollBefore), Moment::PollAfter);
    }
    let from_outside = delivery.arrivals.iter().any(|arrival| arrival.event_key.is_some());
    if from_outside || !delivery.unreadable.is_empty() {
        return (Some(Moment::InboxBefore), Moment::InboxAfter);
    }
    (None, Moment::StartAfterHints)
}

#[async_trait]
impl Engine for Lanes {
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError> {
        let (before, after) = around(&delivery);
        if let Some(before) = before {
            self.kill.pass(before);
        }
        let taken = self.inner.enqueue(delivery).await?;
        self.kill.pass(after);
        Ok(taken)
    }

    async fn cursor(&self, system: &System) -> Result<Value, EngineError> {
        self.inner.cursor(system).await
    }

    async fn rewind(&self) -> Result<(), EngineError> {
        self.inner.rewind().await
    }

    async fn run(&self, worker: Arc<dyn Worker>, parallel: usize) -> Result<(), EngineError> {
        let worker = Arc::new(Walks { inner: worker, kill: self.kill.clone() });
        self.inner.run(worker, parallel).await
    }

    async fn control(&self, control: Control) -> Result<(), EngineError> {
        self.inner.control(control).await
    }

    async fn list(&self, query: ListQuery, limit: usize) -> Result<Listed, EngineError> {
        self.inner.list(query, limit).await
    }

    async fn health(&self) -> Result<Health, EngineError> {
        self.inner.health().await
    }

    async fn probe(&self) -> Result<(), EngineError> {
        self.inner.probe().await
    }

    async fn prune(&self, received_before: Timestamp, limit: usize) -> Result<u64, EngineError> {
        self.kill.pass(Moment::PruneBefore);
        self.inner.prune(received_before, limit).await
    }
}

struct Walks {
    inner: Arc<dyn Worker>,
    kill: KillAt,
}

#[async_trait]
impl Worker for Walks {
    async fn work(&self, hint: Hint) -> Disposition {
        self.kill.pass(Moment::WalkBegin);
        let disposition = self.inner.work(hint).await;
        self.kill.pass(Moment::WalkEnd);
        disposition
    }
}
