//! The worker of the suite, and how long a test waits.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::{Either, select};

use super::news::waiting_in;
use crate::{Disposition, Engine, Health, Hint, RecordId, WaitingHint, Worker};

/// What a test waits for comes within this time, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nobody wakes a test that waits in vain, so it is woken this often to see how late it is.
const TICK: Duration = Duration::from_secs(1);

/// A worker that shows the test what it was given and waits for its word.
#[derive(Default)]
pub(super) struct Desk(Mutex<DeskState>);

#[derive(Default)]
pub(super) struct DeskState {
    pub(super) given: VecDeque<Hint>,
    answers: HashMap<i64, Option<Disposition>>,
    at_work: usize,
    pub(super) most_at_work: usize,
    wakers: Vec<Waker>,
}

#[async_trait]
impl Worker for Desk {
    async fn work(&self, hint: Hint) -> Disposition {
        let id = hint.id;
        self.change(|state| {
            state.given.push_back(hint);
            state.at_work += 1;
            state.most_at_work = state.most_at_work.max(state.at_work);
        });
        let answer = self.wait(|state| state.answers.remove(&id)).await;
        self.change(|state| state.at_work -= 1);
        answer.expect("a worker was told to panic")
    }
}

impl Desk {
    /// An empty desk.
    pub(super) fn open() -> Arc<Self> {
        let desk = Arc::new(Self::default());
        let known = Arc::downgrade(&desk);
        thread::spawn(move || {
            while let Some(desk) = known.upgrade() {
                desk.change(|_| {});
                drop(desk);
                thread::sleep(TICK);
            }
        });
        desk
    }

    pub(super) fn state(&self) -> MutexGuard<'_, DeskState> {
        self.0.lock().unwrap()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut DeskState)) {
        let mut state = self.state();
        change(&mut state);
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// Waits as long as it takes. A worker does: one that gave up would end in the trash, and make room for a hint that
    /// must not come.
    async fn wait<T>(&self, mut ready: impl FnMut(&mut DeskState) -> Option<T>) -> T {
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(value) = ready(&mut state) {
                return Poll::Ready(value);
            }
            state.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits as long as a test waits.
    async fn until<T>(&self, what: &str, mut ready: impl FnMut(&mut DeskState) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let in_time = self.wait(|state| match ready(state) {
            Some(value) => Some(Ok(value)),
            None if Instant::now() < deadline => None,
            None => Some(Err(state.given.clone())),
        });
        in_time.await.unwrap_or_else(|given| panic!("expected {what} within {PATIENCE:?}, found {given:?}"))
    }

    /// What comes of a future that may not take longer than a test waits.
    pub(super) async fn within<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let late = self.until(what, |_| None);
        match select(pin!(future), pin!(late)).await {
            Either::Left((value, _)) | Either::Right((value, _)) => value,
        }
    }

    /// The next hint that is handed out.
    pub(super) async fn next(&self) -> Hint {
        self.until("a hint", |state| state.given.pop_front()).await
    }

    /// The next hint, which must be this record's.
    pub(super) async fn next_is(&self, record: &RecordId) -> Hint {
        let hint = self.until(&format!("a hint of {record}"), |state| state.given.pop_front()).await;
        assert_eq!(hint.record, *record);
        hint
    }

    /// This record's hint, among others that are handed out at the same time.
    pub(super) async fn one(&self, record: &RecordId) -> Hint {
        self.until(&format!("a hint of {record}"), |state| {
            let place = state.given.iter().position(|hint| hint.record == *record)?;
            state.given.remove(place)
        })
        .await
    }

    pub(super) fn end(&self, hint: &Hint, disposition: Disposition) {
        self.change(|state| drop(state.answers.insert(hint.id, Some(disposition))));
    }

    pub(super) fn done(&self, hint: &Hint) {
        self.end(hint, Disposition::Done);
    }

    pub(super) fn panic(&self, hint: &Hint) {
        self.change(|state| drop(state.answers.insert(hint.id, None)));
    }
}

/// Runs the engine for as long as a scene lasts. The end of the scene is a crash of the run.
pub(super) async fn play<T>(engine: &Arc<dyn Engine>, parallel: usize, scene: impl AsyncFnOnce(&Desk) -> T) -> T {
    let desk = Desk::open();
    let run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, parallel);
    let scene = pin!(scene(&desk));
    match select(scene, run).await {
        Either::Left((value, _)) => value,
        Either::Right((ended, _)) => panic!("expected that the engine runs until it is stopped, found {ended:?}"),
    }
}

/// Waits until the engine is in this state of health.
pub(super) async fn until(engine: &Arc<dyn Engine>, mut so: impl FnMut(&Health) -> bool) -> Health {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let health = engine.health().await.unwrap();
        if so(&health) {
            return health;
        }
        assert!(Instant::now() < deadline, "expected another state of the engine, found {health:?}");
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

pub(super) async fn until_waiting(engine: &Arc<dyn Engine>, so: impl Fn(&WaitingHint) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !waiting_in(engine).await.iter().any(&so) {
        assert!(Instant::now() < deadline, "expected another hint to wait");
        until(engine, |_| true).await;
    }
}
