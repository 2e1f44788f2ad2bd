//! The ports of the program, with a failure in front of each method: the store, the engine, and the applications as nodes
//! see them.

use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::{
    Adopted, Adoption, Application, Begin, Case, CaseId, ChangedPage, Control, Create, Creates, Delivery, Echo, Engine,
    EngineError, EventFacts, Health, History, Intent, ListQuery, Listed, Look, Operation, OperationId, Outcome, Pair,
    PairId, PairStore, Persisted, Profile, ReadError, Rebase, Record, RecordId, Request, Resend, Reserve, Revision,
    SendAgain, Settled, StoreCounts, StoreError, System, Taken, Timestamp, Update, Worker, Write,
};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::trouble::{Failure, Layer, Trouble};

/// What a port says that does not do what it is asked.
const SAYS: &str = "the test has made this fail";

/// No other wait of a story is as long, and a burial takes longer.
const OWN_MOMENT: Duration = Duration::from_millis(7);

/// One life of the program, from a start to the next death, and the trouble it meets.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) trouble: Arc<Trouble>,
    /// It does nothing more.
    pub(super) dead: CancellationToken,
    /// Those who did its work are gone; whoever is left hears that nothing is there, and ends.
    pub(super) buried: CancellationToken,
}

impl Life {
    pub(super) fn new(trouble: &Arc<Trouble>) -> Self {
        let (dead, buried) = (CancellationToken::new(), CancellationToken::new());
        Self { trouble: Arc::clone(trouble), dead, buried }
    }

    /// An operation is about to happen. A dead program does nothing.
    pub(super) async fn meet(&self, layer: Layer, name: &str) -> Met {
        if self.dead.is_cancelled() {
            self.buried.cancelled().await;
            return Met::Dead;
        }
        self.trouble.meet(layer, name).map_or(Met::Well, Met::Trouble)
    }

    pub(super) async fn die(&self) {
        self.dead.cancel();
        self.buried.cancelled().await;
    }

    async fn pass<T, E>(
        &self,
        (layer, name): (Layer, &str),
        call: impl Future<Output = Result<T, E>>,
        refuse: impl FnOnce() -> E,
    ) -> Result<T, E> {
        match self.meet(layer, name).await {
            Met::Well => return call.await,
            Met::Trouble(Failure::PortForgets) => drop(call.await?),
            Met::Trouble(Failure::PortThenDeath) => {
                drop(call.await);
                self.die().await;
            }
            Met::Trouble(_) | Met::Dead => {}
        }
        Err(refuse())
    }
}

/// How an operation finds its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Well,
    Trouble(Failure),
    Dead,
}

/// Where the store's readers live, whose time is real.
static READERS: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap());

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A read as one step: other threads do it, and nothing else happens meanwhile, not even time.
pub(super) async fn at_once<T>(read: impl Future<Output = T>) -> T {
    let _readers = READERS.enter();
    let mut read = std::pin::pin!(tokio::task::unconstrained(read));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(answer) = read.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        std::thread::park();
    }
}

/// Time stands still until this is done, which other threads have a part in.
pub(super) async fn in_no_time<T>(work: impl Future<Output = T>) -> T {
    // The runtime lets no time pass while it has something on a thread of its own.
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let standing = tokio::task::spawn_blocking(move || wait.recv().is_ok());
    let answer = work.await;
    drop(done);
    standing.await.unwrap();
    answer
}

/// What waits for a read and for a write in turn, so that it can be no single step. It has a moment of its own, in which
/// nobody else has anything to do: how long other threads take would else decide what comes first.
async fn at_its_own_moment<T>(work: impl Future<Output = T>) -> T {
    tokio::time::sleep(OWN_MOMENT).await;
    in_no_time(beside_readers(work)).await
}

/// Whatever it starts by the way lives with the readers.
async fn beside_readers<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        let _readers = READERS.enter();
        work.as_mut().poll(context)
    })
    .await
}

pub(super) struct FailingStore {
    pub(super) inner: Arc<dyn PairStore>,
    pub(super) life: Life,
}

/// Every method of the store, by how it is carried out.
macro_rules! store {
    ($($how:ident $method:ident($($name:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl PairStore for FailingStore {
            $(async fn $method(&self, $($name: $kind),*) -> Result<$answer, StoreError> {
                let (layer, call) = store!(@$how self.inner.$method($($name),*));
                let name = concat!("PairStore::", stringify!($method));
                self.life.pass((layer, name), call, || StoreError(SAYS.to_owned())).await
            })*
        }
    };
    (@read $call:expr) => { (Layer::Look, at_once($call)) };
    (@write $call:expr) => { (Layer::Change, $call) };
    (@both $call:expr) => { (Layer::Change, at_its_own_moment($call)) };
}

store! {
    read look(record: &RecordId, target: &System) -> Look;
    read look_many(records: &[RecordId], target: &System) -> Vec<Look>;
    read echo(record: &RecordId, facts: &EventFacts) -> Echo;
    write arrived(update: &Operation) -> ();
    write adopt(adoption: &Adoption) -> Adopted;
    write reserve(create: &Create) -> Reserve;
    write begin(update: &Update, revision: Revision) -> Begin;
    write settle(intent: &Intent, outcome: &Outcome) -> Settled;
    write resend(operation: &OperationId, again: SendAgain) -> Resend;
    write persist(operation: &OperationId) -> Persisted;
    write rebase(rebase: &Rebase) -> bool;
    write deactivate(record: &RecordId) -> Option<Pair>;
    write reactivate(record: &RecordId) -> Option<Pair>;
    write open_case(case: &Case) -> CaseId;
    read cases(limit: usize) -> Vec<Case>;
    write close_case(case: CaseId) -> bool;
    read history(record: &RecordId) -> History;
    read recent(pair: &Pair, most: usize) -> Vec<Operation>;
    read pairs(after: Option<PairId>, limit: usize) -> Vec<Pair>;
    write recover() -> Vec<RecordId>;
    read creates() -> Creates;
    write set_creates(creates: &Creates) -> ();
    read counts() -> StoreCounts;
    both prune(ended_before: Timestamp, limit: usize) -> u64;
}

pub(super) struct FailingEngine {
    pub(super) inner: Arc<dyn Engine>,
    pub(super) life: Life,
}

impl FailingEngine {
    async fn look<T>(&self, name: &str, call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        self.life.pass((Layer::Look, name), at_once(call), || EngineError::Unavailable(SAYS.to_owned())).await
    }

    async fn change<T>(
        &self,
        name: &str,
        call: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        self.life.pass((Layer::Change, name), call, || EngineError::Unavailable(SAYS.to_owned())).await
    }
}

#[async_trait]
impl Engine for FailingEngine {
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError> {
        self.change("Engine::enqueue", self.inner.enqueue(delivery)).await
    }

    async fn cursor(&self, system: &System) -> Result<Value, EngineError> {
        self.look("Engine::cursor", self.inner.cursor(system)).await
    }

    async fn rewind(&self) -> Result<(), EngineError> {
        self.change("Engine::rewind", self.inner.rewind()).await
    }

    /// It does not end by itself: a run that dies does so at its beginning, and one that forgets has not begun either.
    async fn run(&self, worker: Arc<dyn Worker>, parallel: usize) -> Result<(), EngineError> {
        match self.life.meet(Layer::Change, "Engine::run").await {
            Met::Well => {
                let run = self.inner.run(worker, parallel);
                self.life.dead.run_until_cancelled(run).await.unwrap_or(Ok(()))
            }
            Met::Trouble(Failure::PortThenDeath) => {
                self.life.die().await;
                Ok(())
            }
            Met::Trouble(_) => Err(EngineError::Unavailable(SAYS.to_owned())),
            Met::Dead => Ok(()),
        }
    }

    async fn control(&self, control: Control) -> Result<(), EngineError> {
        self.change("Engine::control", self.inner.control(control)).await
    }

    async fn list(&self, query: ListQuery, limit: usize) -> Result<Listed, EngineError> {
        self.look("Engine::list", self.inner.list(query, limit)).await
    }

    async fn health(&self) -> Result<Health, EngineError> {
        self.look("Engine::health", self.inner.health()).await
    }

    async fn probe(&self) -> Result<(), EngineError> {
        self.change("Engine::probe", self.inner.probe()).await
    }

    async fn prune(&self, received_before: Timestamp, limit: usize) -> Result<u64, EngineError> {
        self.change("Engine::prune", self.inner.prune(received_before, limit)).await
    }
}

/// An application as nodes see it. What it does over HTTP also goes wrong there, at each call.
pub(super) struct FailingApplication {
    pub(super) inner: Arc<dyn Application>,
    pub(super) life: Life,
}

impl FailingApplication {
    async fn look<T>(&self, name: &str, call: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
        self.life.pass((Layer::Look, name), call, || ReadError::Failed(SAYS.to_owned())).await
    }
}

#[async_trait]
impl Application for FailingApplication {
    fn profile(&self) -> &Profile {
        self.inner.profile()
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        match self.life.trouble.meet(Layer::Look, "Application::render") {
            Some(_) => Err(SAYS.to_owned()),
            None => self.inner.render(write),
        }
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.look("Application::admit", self.inner.admit()).await
    }

    async fn admit_create(&self, source: &RecordId) -> Result<(), ReadError> {
        self.look("Application::admit_create", self.inner.admit_create(source)).await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        self.look("Application::read", self.inner.read(id)).await
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        self.look("Application::find", self.inner.find(field, value)).await
    }

    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        self.look("Application::glance", self.inner.glance(field, value, since)).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.look("Application::changed", self.inner.changed(cursor, page)).await
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        match self.life.meet(Layer::Change, "Application::send").await {
            Met::Well => return self.inner.send(intent).await,
            Met::Trouble(Failure::PortForgets) => {
                drop(self.inner.send(intent).await);
                return Outcome::Unknown { reason: SAYS.to_owned() };
            }
            Met::Trouble(Failure::PortThenDeath) => {
                drop(self.inner.send(intent).await);
                self.life.die().await;
            }
            Met::Trouble(_) | Met::Dead => {}
        }
        Outcome::NotSent { reason: SAYS.to_owned(), after: None }
    }
}
