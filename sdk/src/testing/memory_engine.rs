//! An inbox, hints and lanes in memory: for tests and simulations.

mod hint_row;
mod inbox;
mod lanes;

use std::any::Any;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;

use self::hint_row::HintRow;
pub use self::inbox::MemoryInbox;
use self::lanes::{Lane, Lanes};
use super::MemoryStore;
use crate::{
    Clock, Control, Delivery, Disposition, Engine, EngineError, Health, Hint, ListQuery, Listed, Random, RecordId,
    System, Taken, Timestamp, TrashId, Worker, time_ordered_id,
};

/// A record is handed out again at the earliest this long after it was last handed out.
const SETTLE: Duration = Duration::from_millis(200);

/// An [`Engine`] in memory. The pairs of a [`MemoryStore`] make its lanes.
///
/// It does nothing by itself: the future of [`run`](Engine::run) hands out hints and does their work, wherever it is
/// polled. So whoever decides when that is, and what time and chance are, decides everything.
pub struct MemoryEngine {
    state: Mutex<State>,
    store: Arc<MemoryStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

struct State {
    inbox: MemoryInbox,
    lanes: Lanes,
}

/// What comes of a look at what waits.
struct Round {
    hints: Vec<Hint>,
    /// When something becomes ready by time alone.
    next: Option<Timestamp>,
    /// Whether the run was stopped and nothing is at work any more.
    over: bool,
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new(store: Arc<MemoryStore>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self::restored(MemoryInbox::default(), store, clock, random)
    }

    /// An engine that holds what was saved. What was at work then is handed out again.
    pub fn restored(
        mut inbox: MemoryInbox,
        store: Arc<MemoryStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        inbox.join_unfinished();
        Self { state: Mutex::new(State { inbox, lanes: Lanes::new(SETTLE) }), store, clock, random }
    }

    /// A record settles this long between two hand-outs, instead of 200 milliseconds.
    #[must_use]
    pub fn settling_for(self, settle: Duration) -> Self {
        self.state().lanes.settle_for(settle);
        self
    }

    /// What a crash would leave now.
    pub fn saved(&self) -> MemoryInbox {
        self.state().inbox.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no method panics while it holds the state")
    }

    /// A hint that claims nothing, with a name of its own for the process.
    fn row(&self, record: RecordId, now: Timestamp, ready_at: Timestamp) -> HintRow {
        HintRow::new(record, now, ready_at, time_ordered_id(now, self.random.as_ref()))
    }

    fn approve(&self, item: TrashId) -> Result<(), EngineError> {
        let now = self.clock.now();
        let mut state = self.state();
        let State { inbox, lanes } = &mut *state;
        let record = inbox.approve(item, now)?;
        let at_work = inbox.number(&record).is_some_and(|hint| lanes.is_at_work(hint));
        inbox.put_back(self.row(record, now, now), at_work);
        lanes.look_again();
        Ok(())
    }

    /// Puts to work what is ready, oldest first, as far as there is room.
    fn hand_out(&self) -> Round {
        let now = self.clock.now();
        let mut state = self.state();
        let State { inbox, lanes } = &mut *state;
        lanes.forget_settled(now);
        let mut hints = Vec::new();
        for (number, row) in inbox.ready(now) {
            if lanes.room() == 0 {
                break;
            }
            if lanes.is_at_work(number) {
                continue;
            }
            let pairs = self.store.pairs_of(&row.record);
            let lane = pairs.first().map_or_else(|| Lane::Record(row.record.clone()), |(pair, _)| Lane::Pair(*pair));
            if lanes.is_busy(&lane) {
                continue;
            }
            lanes.give(number, row.record.clone(), lane, now);
            let mut hint = row.hint(number);
            let others = pairs.into_iter().filter_map(|(_, other)| Some((inbox.received(&other)?, other)));
            hint.others = others.map(|(received, other)| (other, received)).collect();
            hints.push(hint);
        }
        let next = if lanes.room() == 0 { None } else { inbox.next_ready(now) };
        Round { hints, next, over: lanes.are_over() }
    }

    /// One hint, from its hand-out to its end.
    async fn work(&self, worker: &dyn Worker, hint: Hint) {
        let number = hint.id;
        // A panic is a mistake in a node: one record waits for a person, the others go on.
        let work = AssertUnwindSafe(worker.work(hint)).catch_unwind().await;
        let disposition = work.unwrap_or_else(|panic| panicked(panic.as_ref()));
        let now = self.clock.now();
        let mut state = self.state();
        let State { inbox, lanes } = &mut *state;
        let Some(record) = lanes.release(number) else { return };
        match disposition {
            Disposition::Done => inbox.done(number),
            Disposition::Again { at, reason, counted } => {
                inbox.again(number, lanes.not_before(&record, at), reason, counted);
            }
            Disposition::Trash { reason, topology, node } => {
                inbox.add_failure(record, topology, node, reason, now);
                inbox.done(number);
            }
        }
        lanes.look_again();
    }
}

/// The trash a worker makes of its hint by panicking.
fn panicked(panic: &(dyn Any + Send)) -> Disposition {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let reason = format!("the worker panicked: {}", text.unwrap_or("without a text"));
    Disposition::Trash { reason, topology: String::new(), node: String::new() }
}

/// Whoever asks until something has happened lets it happen meanwhile, as with an answer that comes from a disk.
async fn let_others_go_first() {
    let mut asked = false;
    poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The run that is on. When it ends, however that comes, nothing is at work any more.
struct Running<'e>(&'e MemoryEngine);

impl<'e> Running<'e> {
    fn begin(engine: &'e MemoryEngine, parallel: usize) -> Result<Self, EngineError> {
        engine.state().lanes.begin(parallel)?;
        Ok(Self(engine))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.lanes.end();
        state.inbox.join_unfinished();
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError> {
        let now = self.clock.now();
        let mut state = self.state();
        let State { inbox, lanes } = &mut *state;
        let mut taken = Taken::default();
        for arrival in delivery.arrivals {
            if !inbox.take_key(&arrival, now) {
                taken.duplicates += 1;
                continue;
            }
            taken.accepted += 1;
            if arrival.settled {
                continue;
            }
            let at_work = inbox.number(&arrival.record).is_some_and(|hint| lanes.is_at_work(hint));
            let received = arrival.received(now).into_iter().map(|(field, at)| (field.to_owned(), at)).collect();
            let ready_at = lanes.not_before(&arrival.record, now);
            let mut news = self.row(arrival.record, now, ready_at);
            (news.facts, news.received) = (arrival.facts, received);
            inbox.add_news(news, at_work);
        }
        if let Some((system, value)) = delivery.cursor {
            inbox.set_cursor(system, value);
        }
        for unreadable in delivery.unreadable {
            inbox.add_unreadable(unreadable, now);
        }
        lanes.look_again();
        Ok(taken)
    }

    async fn cursor(&self, system: &System) -> Result<Value, EngineError> {
        Ok(self.state().inbox.cursor(system))
    }

    async fn rewind(&self) -> Result<(), EngineError> {
        self.state().inbox.rewind();
        Ok(())
    }

    async fn run(&self, worker: Arc<dyn Worker>, parallel: usize) -> Result<(), EngineError> {
        let _running = Running::begin(self, parallel)?;
        // Dropped with this future, which ends the workers as a crash would.
        let mut at_work = FuturesUnordered::new();
        loop {
            let round = self.hand_out();
            if round.over {
                return Ok(());
            }
            at_work.extend(round.hints.into_iter().map(|hint| self.work(worker.as_ref(), hint)));
            let mut due = round.next.map(|at| self.clock.sleep_until(at));
            poll_fn(|context| {
                while let Poll::Ready(Some(())) = at_work.poll_next_unpin(context) {}
                let due = due.as_mut().is_some_and(|due| due.as_mut().poll(context).is_ready());
                // Asked last: the workers above may have changed something.
                let changed = self.state().lanes.poll_change(context);
                if due { Poll::Ready(()) } else { changed }
            })
            .await;
        }
    }

    async fn control(&self, control: Control) -> Result<(), EngineError> {
        match control {
            Control::Pause { systems, reason } => self.state().inbox.pause(systems, &reason),
            Control::Resume { systems } => {
                let mut state = self.state();
                state.inbox.resume(&systems);
                state.lanes.look_again();
            }
            Control::Approve(item) => self.approve(item)?,
            Control::Reject(item) => self.state().inbox.reject(item, self.clock.now())?,
            Control::Stop => self.state().lanes.stop(),
        }
        Ok(())
    }

    async fn list(&self, query: ListQuery, limit: usize) -> Result<Listed, EngineError> {
        let_others_go_first().await;
        let state = self.state();
        Ok(match query {
            ListQuery::Trash => Listed::Trash(state.inbox.trash(limit)),
            ListQuery::TrashItem(item) => Listed::Trash(Vec::from_iter(state.inbox.trash_item(item))),
            ListQuery::TrashOf(record) => Listed::Trash(state.inbox.trash_of(&record, limit)),
            ListQuery::Waiting => Listed::Waiting(state.inbox.waiting(limit)),
            ListQuery::WaitingOf(record) => Listed::Waiting(Vec::from_iter(state.inbox.waiting_of(&record))),
            ListQuery::Events(record) => Listed::Events(state.inbox.events(&record, limit)),
        })
    }

    async fn health(&self) -> Result<Health, EngineError> {
        let_others_go_first().await;
        Ok(self.state().inbox.health())
    }

    async fn probe(&self) -> Result<(), EngineError> {
        Ok(())
    }

    async fn prune(&self, received_before: Timestamp, limit: usize) -> Result<u64, EngineError> {
        Ok(self.state().inbox.prune(received_before, limit))
    }
}
