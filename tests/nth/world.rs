//! The program on a real database, two systems, a network and an operator; and one thing that goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig, Wall};
use pairline_runner::application::{Environment, Transport};
use pairline_runner::composition::{OpenDatabase, Stores};
use pairline_runner::system::{Ground, RunningSystem, Settings, StartError};
use pairline_sdk::testing::TestRandom;
use pairline_sdk::{
    Application, Clock, Control, Creates, Engine, EngineError, ListQuery, Listed, NodeDescription, NodeError,
    PairStore, Ports, ProcessAction, ProcessDto, Registry, System, Usage,
};
use pairline_store::{Database, OpenError, Options};
use tempfile::TempDir;

use super::network::{Address, Calls, Courier, Meanwhile, Wires};
use super::ports::{FailingApplication, FailingEngine, FailingStore, Life, at_once, in_no_time};
use super::stories::{Act, Order, Story, Systems};
use super::time::{BEGIN_MS, FailingClock};
use super::trouble::{Plan, Trouble};
use crate::support::{project, registry};

const CRM: &str = "127.0.0.1:18081";
const ERP: &str = "127.0.0.1:18082";
const PROGRAM: &str = "http://127.0.0.1:18090";

/// Polls are rare, so that nearly all operations of a run are its story's.
const POLL_EVERY: Duration = Duration::from_secs(20);
/// Without trouble nothing is left to be found by a poll.
const QUIET: Duration = Duration::from_secs(3);
/// With it, or at the end, two polls may find something.
const QUIET_FOR_LONG: Duration = Duration::from_secs(50);
/// A clock that was set back an hour makes whoever waits wait for an hour.
const RESTS_WITHIN: Duration = Duration::from_secs(3 * 3600);
/// Whoever starts or operates the program tries again this often.
const TRIES: usize = 10;

/// The kinds of nodes and the routes they took.
pub(super) type Routes = Arc<Mutex<BTreeSet<(String, String)>>>;

struct Noted {
    inner: Arc<dyn ProcessAction>,
    routes: Routes,
}

#[async_trait]
impl ProcessAction for Noted {
    fn describe(&self) -> &NodeDescription {
        self.inner.describe()
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let answer = self.inner.process_action(dto).await;
        if let Some(route) = answer.as_ref().ok().and_then(ProcessDto::route) {
            self.routes.lock().unwrap().insert((self.describe().kind.clone(), route.to_owned()));
        }
        answer
    }
}

/// The shipped nodes, on applications that fail in this life.
fn failing_registry(life: &Life, routes: &Routes) -> Registry {
    let shipped = Arc::new(registry());
    let mut failing = Registry::new();
    for (kind, description) in shipped.kinds() {
        let (kind, shipped) = (kind.to_owned(), Arc::clone(&shipped));
        let (life, routes) = (life.clone(), Arc::clone(routes));
        failing.register(description.clone(), move |with, ports| {
            let fails = |(system, inner): (&System, &Arc<dyn Application>)| {
                let failing = FailingApplication { inner: Arc::clone(inner), life: life.clone() };
                (system.clone(), Arc::new(failing) as Arc<dyn Application>)
            };
            let ports = Ports { applications: ports.applications.iter().map(fails).collect(), ..ports.clone() };
            let inner = shipped.make(&kind, &Usage::with(with.clone()), &ports)?;
            Ok(Arc::new(Noted { inner, routes: Arc::clone(&routes) }))
        });
    }
    failing
}

struct Handle(Mutex<Option<Database>>);

#[async_trait]
impl OpenDatabase for Handle {
    async fn close(&self) {
        let database = self.0.lock().unwrap().take();
        if let Some(database) = database {
            in_no_time(database.close()).await;
        }
    }
}

/// The program while it lives.
struct Living {
    system: RunningSystem,
    life: Life,
    /// As the program has them.
    stores: Stores,
    /// The same, without failures.
    engine: Arc<dyn Engine>,
    pairs: Arc<dyn PairStore>,
}

pub(super) struct World {
    folder: TempDir,
    pub(super) systems: Systems,
    pub(super) trouble: Arc<Trouble>,
    pub(super) routes: Routes,
    environment: Environment,
    wires: Arc<Wires>,
    address: Arc<Address>,
    clock: Arc<FailingClock>,
    random: Arc<TestRandom>,
    living: Option<Living>,
}

/// In memory where the machine has a folder for that: thousands of databases are made, and no test cuts the power.
fn folder() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir()
        && let Ok(folder) = tempfile::tempdir_in(memory)
    {
        return folder;
    }
    tempfile::tempdir().unwrap()
}

impl World {
    pub(super) fn new(plan: Option<Plan>) -> Self {
        let (trouble, address) = (Arc::new(Trouble::of(plan)), Arc::new(Address::default()));
        let wall = Wall::showing(BEGIN_MS);
        let bind = |text: &str| text.parse::<SocketAddr>().unwrap();
        let url = |name: &str| Some(format!("{PROGRAM}/webhooks/{name}"));
        let courier = || Arc::new(Courier { address: Arc::clone(&address), trouble: Arc::clone(&trouble) });
        let crm = CrmConfig { bind: bind(CRM), webhook_url: url("crm"), search_lag_ms: 3_000, ..CrmConfig::default() };
        let (crm, crm_door) = Crm::embedded(crm, courier(), wall);
        let erp = ErpConfig { bind: bind(ERP), webhook_url: url("erp"), changes_lag_ms: 1_000, ..ErpConfig::default() };
        let (erp, erp_door) = Erp::embedded(erp, courier(), wall);
        let doors = [(crm.base_url(), crm_door), (erp.base_url(), erp_door)].into();
        let (crm_secrets, erp_secrets) = (CrmConfig::default(), ErpConfig::default());
        let variables = [
            ("CRM_TOKEN", crm_secrets.token),
            ("CRM_CLIENT_SECRET", crm_secrets.client_secret),
            ("ERP_TOKEN", erp_secrets.token),
            ("ERP_WEBHOOK_SECRET", erp_secrets.webhook_secret),
        ];
        let variables: BTreeMap<String, String> = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self {
            folder: folder(),
            systems: Systems { crm, erp },
            routes: Routes::default(),
            environment: Environment::of_map(variables),
            wires: Arc::new(Wires { doors, planned: Mutex::default() }),
            address,
            clock: Arc::new(FailingClock::new(&trouble)),
            random: Arc::new(TestRandom::new(1)),
            living: None,
            trouble,
        }
    }

    /// Starts the program. Somebody does that again when it cannot start, or dies of it.
    pub(super) async fn start(&mut self) -> Result<(), String> {
        let mut reason = String::new();
        for _ in 0..TRIES {
            let life = Life::new(&self.trouble);
            let started = self.try_start(&life).await;
            match started {
                Ok(living) if !life.dead.is_cancelled() => {
                    self.living = Some(living);
                    return Ok(());
                }
                Ok(living) => self.bury(living).await,
                Err(error) => {
                    reason = error;
                    life.dead.cancel();
                    life.buried.cancel();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        Err(format!("it does not start: {reason}"))
    }

    async fn open(&self) -> Result<Database, String> {
        let mut options = Options::new(Arc::clone(&self.clock) as Arc<dyn Clock>, Arc::clone(&self.random) as _);
        options.own_thread = false;
        options.gather = Duration::ZERO;
        // One for each read that happens at once, and one for a read that something else waits for meanwhile.
        options.readers = 2;
        // Nobody else writes into this database.
        options.watch = Duration::from_secs(24 * 3600);
        for _ in 0..100_000 {
            match in_no_time(Database::open(self.folder.path(), options.clone())).await {
                // The life before has not quite ended. How long that takes is up to the machine, so no time passes.
                Err(OpenError::Locked { .. }) => in_no_time(tokio::task::yield_now()).await,
                opened => return opened.map_err(|error| error.to_string()),
            }
        }
        Err("a life before has not ended".to_owned())
    }

    async fn try_start(&self, life: &Life) -> Result<Living, String> {
        let database = self.open().await?;
        let (pairs, engine) = (database.pairs(), database.engine());
        let stores = Stores {
            pairs: Arc::new(FailingStore { inner: Arc::clone(&pairs), life: life.clone() }),
            engine: Arc::new(FailingEngine { inner: Arc::clone(&engine), life: life.clone() }),
            handle: Arc::new(Handle(Mutex::new(Some(database)))),
        };
        let ground = Ground {
            stores: stores.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            wall: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::clone(&self.random) as _,
            transport: Some(
                Arc::new(Calls { wires: Arc::clone(&self.wires), life: life.clone() }) as Arc<dyn Transport>
            ),
            components: None,
        };
        let settings = Settings { poll_every: POLL_EVERY, ..Settings::default() };
        let registry = failing_registry(life, &self.routes);
        let embedded = RunningSystem::embed(project(), &registry, &self.environment, &settings, ground);
        let Some(embedded) = life.dead.run_until_cancelled(embedded).await else {
            return Err("it died".to_owned());
        };
        let (system, router) = embedded.map_err(|error: StartError| error.to_string())?;
        self.address.is(router, life);
        Ok(Living { system, life: life.clone(), stores, engine, pairs })
    }

    /// What is left of a life goes.
    async fn bury(&self, living: Living) {
        self.address.nobody();
        living.life.dead.cancel();
        living.system.kill();
        // Whoever was at work is dropped before those who are left hear of it.
        tokio::time::sleep(Duration::from_millis(10)).await;
        living.life.buried.cancel();
    }

    async fn start_again(&mut self) -> Result<(), String> {
        if let Some(living) = self.living.take() {
            self.bury(living).await;
        }
        self.start().await
    }

    /// Waits for something, and starts the program again when it dies meanwhile. Answers nothing then.
    async fn unless_it_dies<T>(&mut self, work: impl Future<Output = T>) -> Result<Option<T>, String> {
        let Some(living) = &self.living else { return Err("the program is not there".to_owned()) };
        let dead = living.life.dead.clone();
        let done = dead.run_until_cancelled(work).await;
        if done.is_none() || dead.is_cancelled() {
            self.start_again().await?;
        }
        Ok(done)
    }

    fn stores(&self) -> Result<Stores, String> {
        self.living.as_ref().map(|living| living.stores.clone()).ok_or_else(|| "the program is not there".to_owned())
    }

    async fn list(&self, query: ListQuery) -> Result<Listed, String> {
        let Some(living) = &self.living else { return Err("the program is not there".to_owned()) };
        at_once(living.engine.list(query, 20)).await.map_err(|error| error.to_string())
    }

    /// Waits until nothing is left to do.
    async fn quiet_for(&mut self, quiet: Duration) -> Result<(), String> {
        let begun = tokio::time::Instant::now();
        loop {
            self.unless_it_dies(tokio::time::sleep(Duration::from_secs(1))).await?;
            let waiting = self.list(ListQuery::Waiting).await?.into_waiting();
            let waiting = waiting.map_err(|other| format!("expected what waits, found {other:?}"))?;
            let (crm, erp) = (self.systems.crm.quiet_for(), self.systems.erp.quiet_for());
            if waiting.is_empty() && crm.min(erp).min(begun.elapsed()) > quiet {
                return Ok(());
            }
            if begun.elapsed() > RESTS_WITHIN {
                return Err(format!("it does not come to rest: {waiting:?}"));
            }
        }
    }

    /// After trouble somebody also looks into the trash.
    async fn rest(&mut self) -> Result<(), String> {
        self.quiet_for(QUIET).await?;
        if self.trouble.struck().is_none() {
            return Ok(());
        }
        self.quiet_for(QUIET_FOR_LONG).await?;
        if self.approve_all().await? { self.quiet_for(QUIET_FOR_LONG).await } else { Ok(()) }
    }

    /// Answers whether there was anything.
    async fn approve_all(&mut self) -> Result<bool, String> {
        let items = self.list(ListQuery::Trash).await?.into_trash();
        let items = items.map_err(|other| format!("expected the trash, found {other:?}"))?;
        for item in &items {
            self.order(Order::Control(Control::Approve(item.id))).await?;
        }
        Ok(!items.is_empty())
    }

    /// What an operator does, until it is done.
    async fn order(&mut self, order: Order) -> Result<(), String> {
        for _ in 0..TRIES {
            // No more of the stores than this takes: whoever holds the rest keeps the database open.
            let Stores { pairs, engine, .. } = self.stores()?;
            let (address, order) = (Arc::clone(&self.address), order.clone());
            let done = self.unless_it_dies(async move {
                match order {
                    // What was done before, and not confirmed, is done.
                    Order::Control(control) => {
                        matches!(engine.control(control).await, Ok(()) | Err(EngineError::NotFound(_)))
                    }
                    Order::AllowCreates => {
                        pairs.set_creates(&Creates::Allowed).await.is_ok() && engine.rewind().await.is_ok()
                    }
                    Order::Probe => is_fine(&address, "/readyz").await && is_fine(&address, "/metrics").await,
                }
            });
            if done.await? == Some(true) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(format!("the operator gives up: {order:?}"))
    }

    async fn restart(&mut self) -> Result<(), String> {
        let Some(living) = self.living.take() else { return Err("the program is not there".to_owned()) };
        self.address.nobody();
        // It may also die of it, or be given up: then it ends like any other life.
        let stopped = living.life.dead.run_until_cancelled(living.system.stop()).await;
        living.life.dead.cancel();
        tokio::time::sleep(Duration::from_millis(10)).await;
        living.life.buried.cancel();
        drop((stopped, living.stores, living.engine, living.pairs));
        self.start().await
    }

    async fn act(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Do(deed) => {
                deed(&self.systems);
                Ok(())
            }
            Act::Meanwhile(call, fate, deed) => {
                let (systems, deed) = (self.systems.clone(), *deed);
                let deed = Box::new(move || deed(&systems));
                self.wires.planned.lock().unwrap().push(Meanwhile { call, deed, fate: *fate });
                Ok(())
            }
            Act::Rest => self.rest().await,
            Act::Wait(seconds) => {
                let until = tokio::time::Instant::now() + Duration::from_secs(*seconds);
                while self.unless_it_dies(tokio::time::sleep_until(until)).await?.is_none() {}
                Ok(())
            }
            Act::Operate(order) => self.order(order()).await,
            Act::ApproveAll => {
                let mut tries = 0;
                while !self.approve_all().await? && tries < TRIES {
                    tries += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                self.rest().await
            }
            Act::Restart => self.restart().await,
        }
    }

    /// Plays a story; then all is well, and what is left is worked off.
    pub(super) async fn play(&mut self, story: &Story) -> Result<(), String> {
        (story.before)(&self.systems);
        // What was there has been there for a while: both systems list it by now.
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.start().await?;
        for act in story.acts {
            self.act(act).await?;
        }
        self.rest().await?;
        self.trouble.end();
        // What was to happen in the middle of a call that was never made happens now.
        let planned = std::mem::take(&mut *self.wires.planned.lock().unwrap());
        if !planned.is_empty() && self.trouble.struck().is_none() {
            let calls: Vec<&str> = planned.iter().map(|meanwhile| meanwhile.call).collect();
            return Err(format!("these calls were never made: {calls:?}"));
        }
        planned.into_iter().for_each(|meanwhile| (meanwhile.deed)());
        self.quiet_for(QUIET_FOR_LONG).await?;
        for _ in 0..TRIES {
            if !self.approve_all().await? {
                break;
            }
            self.quiet_for(QUIET_FOR_LONG).await?;
        }
        Ok(())
    }

    /// What the store and the engine say of themselves.
    pub(super) async fn counts(&self) -> Result<(pairline_sdk::StoreCounts, pairline_sdk::Health), String> {
        let Some(living) = &self.living else { return Err("the program is not there".to_owned()) };
        let counts = at_once(living.pairs.counts()).await.map_err(|error| error.to_string())?;
        let health = at_once(living.engine.health()).await.map_err(|error| error.to_string())?;
        Ok((counts, health))
    }

    /// The program is not needed any more.
    pub(super) async fn end(mut self) {
        if let Some(living) = self.living.take() {
            self.bury(living).await;
        }
    }
}

async fn is_fine(address: &Address, path: &str) -> bool {
    let Ok(request) = Request::builder().uri(path).body(Body::empty()) else { return false };
    address.ask(request).await.is_some_and(|answer| answer.status().is_success())
}
