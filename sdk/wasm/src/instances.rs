//! Instances that run, and those that wait for the next message.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use pairline_sdk::{Operation, Provenance, Request, System, Write};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use crate::bindings::{Full, FullPre};
use crate::limits::{Bounds, Limiter};
use crate::ports::Granted;

/// No more instances than these wait for a message.
const MOST_IDLE: usize = 16;

/// What a component may hand over in one call of the program, in bytes.
const MOST_PER_CALL: usize = 16 << 20;

/// The first tick may come at once, and most calls are over before a whole one has passed: they give way to nobody.
const TICKS_TO_BEGIN_WITH: u64 = 2;

/// What belongs to one instance, and what belongs to the message it works on.
pub(crate) struct Call {
    pub(crate) limiter: Limiter,
    pub(crate) granted: Arc<Granted>,
    pub(crate) work: Work,
    ticks_left: u64,
}

/// What belongs to one message.
#[derive(Default)]
pub(crate) struct Work {
    /// What was won and may be sent, by the id of the operation.
    pub(crate) won: crate::ports::Won,
    /// Requests that the program has rendered, and of which writes.
    pub(crate) rendered: Vec<(System, Write, Request)>,
    /// Updates that the program has judged to have arrived.
    pub(crate) arrived: Vec<Arc<Operation>>,
    /// Where operations come from that this message begins.
    pub(crate) provenance: Provenance,
    /// Lines that were logged.
    pub(crate) lines: u32,
    /// The last line that was logged as an error: what a panic says, before it traps.
    pub(crate) last_words: Option<String>,
}

impl Call {
    /// For a component that is asked what it is.
    pub(crate) fn to_describe(bounds: &Bounds) -> Self {
        Self::new(Arc::new(Granted::nothing()), bounds)
    }

    pub(crate) fn new(granted: Arc<Granted>, bounds: &Bounds) -> Self {
        Self { limiter: Limiter::new(bounds), granted, work: Work::default(), ticks_left: bounds.ticks }
    }
}

/// An interrupted component has computed for longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("it took too long")]
pub(crate) struct TookTooLong;

/// A store whose instance gives way at every tick, and ends after so many of them.
pub(crate) fn store(engine: &Engine, call: Call, bounds: &Bounds) -> Store<Call> {
    let mut store = Store::new(engine, call);
    store.limiter(|call| &mut call.limiter);
    store.set_hostcall_fuel(MOST_PER_CALL);
    store.data_mut().ticks_left = bounds.ticks;
    store.set_epoch_deadline(TICKS_TO_BEGIN_WITH);
    store.epoch_deadline_callback(|mut context| {
        let call = context.data_mut();
        call.ticks_left = call.ticks_left.saturating_sub(1);
        if call.ticks_left == 0 { Err(TookTooLong.into()) } else { Ok(UpdateDeadline::Yield(1)) }
    });
    store
}

/// One instance and what it has served.
pub(crate) struct Live {
    pub(crate) store: Store<Call>,
    pub(crate) instance: Full,
    pub(crate) served: Served,
}

/// What an instance has done so far.
#[derive(Default)]
pub(crate) struct Served {
    calls: u32,
    /// Its place among those that wait, of all components together. It keeps it while it works.
    place: Option<OwnedSemaphorePermit>,
}

/// A component with its imports linked, and the instances of it that wait.
pub(crate) struct Program {
    engine: Engine,
    pre: FullPre<Call>,
    granted: Arc<Granted>,
    bounds: Bounds,
    idle: Mutex<Vec<Live>>,
    places: Arc<Semaphore>,
}

impl Program {
    pub(crate) fn new(
        engine: &Engine,
        pre: InstancePre<Call>,
        granted: Arc<Granted>,
        bounds: Bounds,
        places: Arc<Semaphore>,
    ) -> Result<Self, wasmtime::Error> {
        Ok(Self { engine: engine.clone(), pre: FullPre::new(pre)?, granted, bounds, idle: Mutex::default(), places })
    }

    pub(crate) fn granted(&self) -> &Arc<Granted> {
        &self.granted
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// An instance that waits; none, when one has to be made.
    pub(crate) fn waiting(&self) -> Option<Live> {
        let mut live = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        live.store.data_mut().work = Work::default();
        live.store.data_mut().ticks_left = self.bounds.ticks;
        live.store.set_epoch_deadline(TICKS_TO_BEGIN_WITH);
        Some(live)
    }

    /// A store for an instance to be made in.
    pub(crate) fn store(&self) -> Store<Call> {
        store(&self.engine, Call::new(Arc::clone(&self.granted), &self.bounds), &self.bounds)
    }

    /// Makes an instance in a store.
    pub(crate) async fn instantiate(&self, store: &mut Store<Call>) -> Result<Full, wasmtime::Error> {
        self.pre.instantiate_async(store).await
    }

    /// Takes an instance back that has done its work, unless it has served enough or holds too much.
    pub(crate) fn done(&self, store: Store<Call>, instance: Full, served: Served) {
        let calls = served.calls.saturating_add(1);
        if calls >= self.bounds.calls || store.data().limiter.memory() > self.bounds.memory / 2 {
            return;
        }
        let Some(place) = served.place.or_else(|| Arc::clone(&self.places).try_acquire_owned().ok()) else { return };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(Live { store, instance, served: Served { calls, place: Some(place) } });
        }
    }
}

/// Why a component ended, for an operator.
pub(crate) fn why(error: &wasmtime::Error) -> String {
    if error.downcast_ref::<TookTooLong>().is_some() {
        return TookTooLong.to_string();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "it called itself too deeply".to_owned(),
        Some(Trap::UnreachableCodeReached) => {
            "it gave up (a panic, an uncaught exception, no memory left, or a call for what no node has: files, the \
             network, timers, the time of the machine)"
                .to_owned()
        }
        Some(Trap::MemoryOutOfBounds) => "it reached outside its memory".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

/// Runs a call that waits for nothing but its own turn.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
