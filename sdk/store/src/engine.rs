//! The embedded engine: an inbox, hints, and lanes over them.

mod control;
mod finish;
mod lanes;
mod list;
mod take;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use pairline_sdk::{
    Control, Delivery, Disposition, Engine, EngineError, Health, Hint, ListQuery, Listed, System, Taken, Timestamp,
    Worker,
};
use serde_json::Value;
use tokio::task::JoinSet;

pub(crate) use self::finish::finish;
pub(crate) use self::lanes::{Alive, Lanes};
pub(crate) use self::take::take;
use crate::Options;
use crate::reads::Reads;
use crate::writer::Writer;

/// An [`Engine`] on SQLite.
pub struct SqliteEngine {
    writer: Writer,
    reads: Reads,
    unreadable_bytes: usize,
}

impl SqliteEngine {
    pub(crate) fn new(writer: Writer, reads: Reads, options: &Options) -> Self {
        Self { writer, reads, unreadable_bytes: options.unreadable_bytes }
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn enqueue(&self, mut delivery: Delivery) -> Result<Taken, EngineError> {
        for unreadable in &mut delivery.unreadable {
            shorten(&mut unreadable.body, self.unreadable_bytes);
        }
        Ok(self.writer.take(delivery).await?)
    }

    async fn cursor(&self, system: &System) -> Result<Value, EngineError> {
        Ok(self.reads.cursor(system).await?)
    }

    async fn rewind(&self) -> Result<(), EngineError> {
        Ok(self.writer.ask(control::Rewind).await?)
    }

    async fn run(&self, worker: Arc<dyn Worker>, parallel: usize) -> Result<(), EngineError> {
        let (mut hints, _alive) = self.writer.attach(parallel).await?;
        // Dropped with this future, which ends the workers as a crash would.
        let mut at_work = JoinSet::new();
        loop {
            tokio::select! {
                hint = hints.recv() => match hint {
                    Some(hint) => {
                        at_work.spawn(work(Arc::clone(&worker), self.writer.clone(), hint));
                    }
                    None => break,
                },
                Some(_) = at_work.join_next() => {}
            }
        }
        while at_work.join_next().await.is_some() {}
        Ok(())
    }

    async fn control(&self, control: Control) -> Result<(), EngineError> {
        match control {
            Control::Pause { systems, reason } => Ok(self.writer.ask(control::Pause { systems, reason }).await?),
            Control::Resume { systems } => Ok(self.writer.ask(control::Resume { systems }).await?),
            Control::Approve(item) => self.writer.ask(control::Approve(item)).await?,
            Control::Reject(item) => self.writer.ask(control::Reject(item)).await?,
            Control::Stop => Ok(self.writer.detach().await?),
        }
    }

    async fn list(&self, query: ListQuery, limit: usize) -> Result<Listed, EngineError> {
        Ok(match query {
            ListQuery::Trash => Listed::Trash(self.reads.trash(limit).await?),
            ListQuery::TrashItem(item) => Listed::Trash(self.reads.trash_item(item).await?),
            ListQuery::TrashOf(record) => Listed::Trash(self.reads.trash_of(&record, limit).await?),
            ListQuery::Waiting => Listed::Waiting(self.reads.waiting(limit).await?),
            ListQuery::WaitingOf(record) => Listed::Waiting(self.reads.waiting_of(&record).await?),
            ListQuery::Events(record) => Listed::Events(self.reads.events(&record, limit).await?),
        })
    }

    async fn health(&self) -> Result<Health, EngineError> {
        Ok(self.reads.health().await?)
    }

    async fn probe(&self) -> Result<(), EngineError> {
        Ok(self.writer.ask(control::Probe).await?)
    }

    async fn prune(&self, received_before: Timestamp, limit: usize) -> Result<u64, EngineError> {
        Ok(self.writer.ask(control::Prune { received_before, limit }).await?)
    }
}

/// One hint, from its hand-out until its end is durable.
async fn work(worker: Arc<dyn Worker>, writer: Writer, hint: Hint) {
    let id = hint.id;
    // A panic is a mistake in a node: one record waits for a person, the others go on.
    let disposition = AssertUnwindSafe(worker.work(hint)).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let reason = format!("the worker panicked: {}", text.unwrap_or("without a text"));
        Disposition::Trash { reason, topology: String::new(), node: String::new() }
    });
    if let Err(failure) = writer.finish(id, disposition).await {
        // Its row is as it was: it is handed out again.
        tracing::warn!(failure = failure.0, "the end of a hint was not written");
    }
}

/// Cuts a text to at most this many bytes, between two characters.
fn shorten(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}
