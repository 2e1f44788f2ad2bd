//! What is at work. A crash forgets it: the process that forgets it is the process that did the work.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::{EngineError, PairId, RecordId, Timestamp};

/// What is done one at a time: a pair, or a record without one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Pair(PairId),
    Record(RecordId),
}

/// A hint that was handed out.
struct AtWork {
    record: RecordId,
    lane: Lane,
}

/// The one that hands out.
struct Runner {
    parallel: usize,
    stopped: bool,
    /// Whether something may be ready that it has not looked at.
    look: bool,
    waker: Option<Waker>,
}

/// What is at work, by the number of its hint, and who hands out more.
pub(super) struct Lanes {
    at_work: BTreeMap<i64, AtWork>,
    /// When a record was last handed out, for as long as that matters.
    settling: BTreeMap<RecordId, Timestamp>,
    settle: Duration,
    runner: Option<Runner>,
}

impl Lanes {
    pub(super) fn new(settle: Duration) -> Self {
        Self { at_work: BTreeMap::new(), settling: BTreeMap::new(), settle, runner: None }
    }

    pub(super) fn settle_for(&mut self, settle: Duration) {
        self.settle = settle;
    }

    /// Begins to hand out, at most so many at once. A run that was stopped is over only when its workers are: two runs
    /// would have one lane at work twice.
    pub(super) fn begin(&mut self, parallel: usize) -> Result<(), EngineError> {
        if self.runner.is_some() {
            return Err(EngineError::Unavailable("the engine is running already".to_owned()));
        }
        self.runner = Some(Runner { parallel: parallel.max(1), stopped: false, look: true, waker: None });
        Ok(())
    }

    /// Hands out no more. What is at work may finish.
    pub(super) fn stop(&mut self) {
        if let Some(runner) = &mut self.runner {
            runner.stopped = true;
        }
        self.look_again();
    }

    /// Whether it was stopped and nothing is at work any more.
    pub(super) fn are_over(&self) -> bool {
        self.at_work.is_empty() && self.runner.as_ref().is_none_or(|runner| runner.stopped)
    }

    /// The run is gone, and its workers with it.
    pub(super) fn end(&mut self) {
        self.runner = None;
        self.at_work.clear();
    }

    /// Something may be ready.
    pub(super) fn look_again(&mut self) {
        if let Some(runner) = &mut self.runner {
            runner.look = true;
            if let Some(waker) = runner.waker.take() {
                waker.wake();
            }
        }
    }

    /// Waits until something may be ready.
    pub(super) fn poll_change(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(runner) = &mut self.runner else { return Poll::Ready(()) };
        if std::mem::take(&mut runner.look) {
            return Poll::Ready(());
        }
        runner.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// How many more may be at work.
    pub(super) fn room(&self) -> usize {
        let runner = self.runner.as_ref().filter(|runner| !runner.stopped);
        runner.map_or(0, |runner| runner.parallel.saturating_sub(self.at_work.len()))
    }

    pub(super) fn is_at_work(&self, number: i64) -> bool {
        self.at_work.contains_key(&number)
    }

    pub(super) fn is_busy(&self, lane: &Lane) -> bool {
        self.at_work.values().any(|at_work| at_work.lane == *lane)
    }

    /// A hint was handed out.
    pub(super) fn give(&mut self, number: i64, record: RecordId, lane: Lane, now: Timestamp) {
        self.settling.insert(record.clone(), now);
        self.at_work.insert(number, AtWork { record, lane });
    }

    /// The work on a hint has ended. Answers its record.
    pub(super) fn release(&mut self, number: i64) -> Option<RecordId> {
        self.at_work.remove(&number).map(|done| done.record)
    }

    /// A record that has just been handed out settles first.
    pub(super) fn not_before(&self, record: &RecordId, at: Timestamp) -> Timestamp {
        self.settling.get(record).map_or(at, |out| at.max(out.plus(self.settle)))
    }

    pub(super) fn forget_settled(&mut self, now: Timestamp) {
        let settle = self.settle;
        self.settling.retain(|_, out| now < out.plus(settle));
    }
}
