//! The whole, running: applications, topologies, lanes, polls and the listener, put together and taken down in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{
    Application, Arrival, Clock, Control, Creates, Delivery, Engine, HttpClient, OwnerGuard, Ports, Random, Registry,
    Secrets, SyncContract, System, Worker,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::application::{Description, Environment, HostGuard, HttpApplication, ReqwestTransport, Transport};
use crate::catch_up::{CatchUp, Gate};
use crate::composition::{Components, Stores};
use crate::finding::Finding;
use crate::first_run::FirstRun;
use crate::gauges::Gauges;
use crate::kill::{self, KillAt};
use crate::metrics::Metrics;
use crate::outside::OtherHosts;
use crate::poll::Poll;
use crate::project::Project;
use crate::walk_metrics::WalkMetrics;
use crate::webhook::{Door, Listener, Receiver};
use crate::worker::{Repeater, TopologyWorker};

/// What a running system needs to be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where webhooks are taken.
    pub listen: SocketAddr,
    /// How often each system is asked what has changed.
    pub poll_every: Duration,
    /// Hints at work at the same time, at most.
    pub parallel: usize,
    /// How long event keys are kept.
    pub keep_events: Duration,
    /// How long finished operations are kept.
    pub keep_operations: Duration,
    /// Where it ends itself as a crash would; for tests.
    pub kill_at: Option<KillAt>,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 18090)),
            poll_every: Duration::from_secs(2),
            parallel: 64,
            keep_events: 30 * day,
            keep_operations: 30 * day,
            kill_at: None,
        }
    }
}

/// Rows deleted at a time, so that pruning never holds up an acknowledgement.
const PRUNE_ROWS: usize = 500;

/// How often there is something to prune.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// How long a stop waits for what is at work; what is left is recovered at the next start.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// How long a stop waits for the database to tidy its file. All of it is durable before; a disk that is slow now must not
/// make whoever stops the program lose patience and kill it.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// Why a system cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Descriptions or topologies are not usable.
    #[error("{}", texts(.0))]
    Findings(Vec<Finding>),
    /// Something else in the configuration.
    #[error("{0}")]
    Configuration(String),
    /// The store or the inbox does not answer.
    #[error("{0}")]
    Database(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

impl StartError {
    /// The exit code of a program that ends with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Findings(_) | Self::Configuration(_) => 78,
            Self::Database(_) => 75,
            Self::Listen { .. } => 69,
        }
    }
}

fn texts(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n{}", finding.render(false))).collect()
}

/// What a system stands on: the machine, or whoever plays it.
#[derive(Clone)]
pub struct Ground {
    /// Where it keeps what must not be lost.
    pub stores: Stores,
    /// The time, which only goes forward.
    pub clock: Arc<dyn Clock>,
    /// The time of day, which can be set: for what others have dated.
    pub wall: Arc<dyn Clock>,
    /// Chance, for jitter and ids.
    pub random: Arc<dyn Random>,
    /// Carries calls to the applications; none stands for HTTP over the machine's network.
    pub transport: Option<Arc<dyn Transport>>,
    /// What runs components; for their metrics.
    pub components: Option<Arc<dyn Components>>,
}

/// A running system.
pub struct RunningSystem {
    /// Where it listens; as the settings say when somebody else serves its door.
    pub address: SocketAddr,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    applications: Vec<Arc<HttpApplication>>,
    stores: Stores,
    stop: CancellationToken,
    tasks: TaskTracker,
    engine_run: tokio::task::JoinHandle<()>,
}

/// Everything that is made before anything runs.
struct Parts {
    applications: BTreeMap<System, Arc<HttpApplication>>,
    descriptions: Vec<Description>,
    metrics: Arc<Metrics>,
    ground: Ground,
    kill_at: Option<KillAt>,
    catch_up: Arc<CatchUp>,
    secrets: Arc<dyn Secrets>,
}

impl RunningSystem {
    /// Looks at what can be wrong with the machine before there is a database: the variables that the descriptions need,
    /// and the address.
    ///
    /// # Errors
    ///
    /// [`StartError`], as [`start`](Self::start) would answer.
    pub async fn can_start(
        project: &Project,
        environment: &Environment,
        settings: &Settings,
    ) -> Result<(), StartError> {
        drop(bind(settings.listen).await?);
        descriptions(project, environment).map(drop)
    }

    /// Starts everything. The listener opens last, when all of the rest is ready.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running.
    pub async fn start(
        project: &Project,
        registry: &Registry,
        environment: &Environment,
        settings: &Settings,
        ground: Ground,
    ) -> Result<Self, StartError> {
        // An address that is taken is better known before the database has been touched.
        drop(bind(settings.listen).await?);
        let (mut system, listener) = Self::assemble(project, registry, environment, settings, ground).await?;
        let socket = match bind(settings.listen).await {
            Ok(socket) => socket,
            Err(error) => {
                system.kill();
                return Err(error);
            }
        };
        system.address =
            socket.local_addr().map_err(|source| StartError::Listen { address: settings.listen, source })?;
        system.tasks.spawn(listener.serve(socket, system.stop.clone()));
        info!(address = %system.address, "ready");
        Ok(system)
    }

    /// Starts everything but a listener: whoever embeds it serves the router, which takes webhooks and answers probes.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running.
    pub async fn embed(
        project: &Project,
        registry: &Registry,
        environment: &Environment,
        settings: &Settings,
        ground: Ground,
    ) -> Result<(Self, axum::Router), StartError> {
        let (system, listener) = Self::assemble(project, registry, environment, settings, ground).await?;
        Ok((system, listener.router()))
    }

    async fn assemble(
        project: &Project,
        registry: &Registry,
        environment: &Environment,
        settings: &Settings,
        ground: Ground,
    ) -> Result<(Self, Listener), StartError> {
        let parts = Parts::make(project, environment, settings, ground)?;
        let stores = parts.ground.stores.clone();
        let worker = parts.worker(project, registry)?;
        let applications: Vec<_> = parts.applications.values().cloned().collect();
        let components = parts.ground.components.clone();
        let gauges = Gauges::new(&stores, &parts.metrics, applications.clone(), &parts.ground.clock, components);
        let receiver = Receiver::new(
            parts.descriptions.clone(),
            Arc::clone(&stores.engine),
            Arc::clone(&worker) as Arc<dyn Door>,
            &parts.metrics,
            Arc::clone(&parts.ground.wall),
        )
        .map_err(StartError::Configuration)?;
        let listener = Listener::new(receiver, Arc::clone(&parts.metrics), Arc::new(gauges));
        parts.take_up(project).await?;

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let engine_run = spawn_engine(Arc::clone(&stores.engine), worker, settings.parallel, stop.clone());
        parts.spawn_polls(project, settings, &stop, &tasks);
        spawn_pruning(&stores, settings, Arc::clone(&parts.ground.clock), &stop, &tasks);
        let (address, metrics) = (settings.listen, parts.metrics);
        let system = Self { address, metrics, applications, stores, stop, tasks, engine_run };
        Ok((system, listener))
    }

    /// Stops in order: nothing new is taken, what is at work is finished, the database is closed. Each for a while at most:
    /// what is left is taken up by the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        let finished = async {
            if let Err(error) = self.stores.engine.control(Control::Stop).await {
                warn!(%error, "the lanes do not stop by themselves");
            }
            self.tasks.wait().await;
            if let Err(error) = self.engine_run.await {
                error!(%error, "the lanes ended with a panic");
            }
            for application in &self.applications {
                application.at_rest().await;
            }
        };
        if tokio::time::timeout(STOP_WITHIN, finished).await.is_err() {
            warn!("stopped while calls were under way; their outcome is recovered at the next start");
        }
        if tokio::time::timeout(CLOSE_WITHIN, self.stores.handle.close()).await.is_err() {
            warn!("stopped before the database had tidied its file; the next start does");
        }
        info!("stopped");
    }

    /// Ends it where it stands, as a crash would: nothing is finished and nothing is closed.
    pub fn kill(self) {
        self.stop.cancel();
        self.engine_run.abort();
    }

    /// The database it works on.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }
}

async fn bind(address: SocketAddr) -> Result<tokio::net::TcpListener, StartError> {
    tokio::net::TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

/// What the systems look like, with the variables of this machine.
fn descriptions(project: &Project, environment: &Environment) -> Result<Vec<Description>, StartError> {
    let (mut descriptions, mut findings) = (Vec::new(), Vec::new());
    for (_, source) in &project.applications {
        let (description, found) = Description::parse(&source.file, &source.text, environment);
        findings.extend(found.into_iter().filter(Finding::is_error));
        descriptions.extend(description);
    }
    if findings.is_empty() { Ok(descriptions) } else { Err(StartError::Findings(findings)) }
}

fn spawn_engine(
    engine: Arc<dyn Engine>,
    worker: Arc<dyn Worker>,
    parallel: usize,
    stop: CancellationToken,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            match engine.run(Arc::clone(&worker), parallel).await {
                Ok(()) => return,
                Err(error) => {
                    error!(%error, "the lanes stand still and are started again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    })
}

fn spawn_pruning(
    stores: &Stores,
    settings: &Settings,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    let (stores, settings, stop) = (stores.clone(), settings.clone(), stop.clone());
    tasks.spawn(async move {
        // At once, too: a program that never lives for long would keep everything.
        loop {
            let now = clock.now();
            let events = stores.engine.prune(now.minus(settings.keep_events), PRUNE_ROWS).await;
            let operations = stores.pairs.prune(now.minus(settings.keep_operations), PRUNE_ROWS).await;
            if let Err(error) = events {
                warn!(%error, "old event keys were not deleted");
            }
            if let Err(error) = operations {
                warn!(%error, "old operations were not deleted");
            }
            let wait = clock.sleep_until(clock.now().plus(PRUNE_EVERY));
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    });
}

/// Carries the calls of one description over the machine's network.
fn network(description: &Description) -> Result<Arc<dyn Transport>, String> {
    Ok(Arc::new(ReqwestTransport::new(HostGuard::of(description)?)?))
}

impl Parts {
    fn make(
        project: &Project,
        environment: &Environment,
        settings: &Settings,
        mut ground: Ground,
    ) -> Result<Self, StartError> {
        if let Some(kill) = &settings.kill_at {
            kill.warn();
            ground.stores = kill::around_stores(ground.stores, kill);
        }
        let descriptions = descriptions(project, environment)?;
        let metrics = Arc::new(Metrics::default());
        let mut applications = BTreeMap::new();
        for description in &descriptions {
            // Each has a transport of its own, which reaches no host but that of its description.
            let transport = match &ground.transport {
                Some(transport) => Arc::clone(transport),
                None => network(description).map_err(StartError::Configuration)?,
            };
            let (clock, random) = (Arc::clone(&ground.clock), Arc::clone(&ground.random));
            let mut description = description.clone();
            description.want(project.fields_of(&description.system().clone()));
            let application = HttpApplication::new(description, transport, clock, random, &metrics);
            let application = application.map_err(StartError::Configuration)?;
            applications.insert(application.description().system().clone(), Arc::new(application));
        }
        let (kill_at, catch_up) = (settings.kill_at.clone(), Arc::default());
        let secrets = Arc::new(environment.clone());
        Ok(Self { applications, descriptions, metrics, ground, kill_at, catch_up, secrets })
    }

    /// Finds what an earlier start left open, and decides about creates if that was never done.
    async fn take_up(&self, project: &Project) -> Result<(), StartError> {
        let stores = &self.ground.stores;
        let database = |error: &dyn std::fmt::Display| StartError::Database(error.to_string());
        let unfinished = stores.pairs.recover().await.map_err(|error| database(&error))?;
        if !unfinished.is_empty() {
            info!(records = unfinished.len(), "taking up what an earlier start left open");
            let again = |record| Arrival::look_at(record);
            let delivery = Delivery { arrivals: unfinished.into_iter().map(again).collect(), ..Delivery::default() };
            stores.engine.enqueue(delivery).await.map_err(|error| database(&error))?;
        }
        let is_new = stores.pairs.creates().await.map_err(|error| database(&error))? == Creates::Undecided;
        for (system, _) in self.polled(project).filter(|_| !is_new) {
            self.catch_up.begins(system.clone(), self.ground.clock.now());
        }
        for contract in project.contracts.values() {
            let of = |system: &System| self.applications.get(system).map(|app| Arc::clone(app) as Arc<dyn Application>);
            let [Some(one), Some(other)] = contract.systems().each_ref().map(of) else { continue };
            let (store, clock) = (&*stores.pairs, &*self.ground.clock);
            let first_run = FirstRun { store, applications: [&one, &other], contract, clock };
            first_run.decide().await.map_err(|error| database(&error))?;
        }
        Ok(())
    }

    fn worker(&self, project: &Project, registry: &Registry) -> Result<Arc<TopologyWorker>, StartError> {
        let mut flows: BTreeMap<System, Vec<_>> = BTreeMap::new();
        let systems = self.applications.values().map(|application| application.description().base_url());
        let http: Arc<dyn HttpClient> = Arc::new(OtherHosts::besides(systems));
        for topology in &project.topologies {
            let contract = project.contracts.get(&topology.contract);
            let contract =
                contract.ok_or_else(|| StartError::Configuration(format!("no contract `{}`", topology.contract)))?;
            let contract = Arc::new(contract.clone());
            let guarded =
                self.applications.iter().filter(|(system, _)| contract.covers(system)).map(|(system, application)| {
                    let mut inner = Arc::clone(application) as Arc<dyn Application>;
                    if let Some(kill) = &self.kill_at {
                        inner = kill::around_application(inner, kill);
                    }
                    let gate = Gate {
                        inner,
                        catch_up: Arc::clone(&self.catch_up),
                        store: Arc::clone(&self.ground.stores.pairs),
                        clock: Arc::clone(&self.ground.clock),
                    };
                    let inner = Arc::new(gate) as Arc<dyn Application>;
                    (system.clone(), Arc::new(OwnerGuard::new(inner, Arc::clone(&contract))) as Arc<dyn Application>)
                });
            let ports = Ports {
                store: Arc::clone(&self.ground.stores.pairs),
                applications: guarded.collect(),
                contract: Arc::clone(&contract).into(),
                clock: Arc::clone(&self.ground.clock),
                random: Arc::clone(&self.ground.random),
                secrets: Arc::clone(&self.secrets),
                http: Arc::clone(&http),
            };
            let flow = topology.make(registry, &ports).map_err(StartError::Configuration)?;
            flows.entry(topology.start.application.clone()).or_default().push(flow);
        }
        Ok(Arc::new(TopologyWorker {
            flows,
            repeater: Repeater::default(),
            clock: Arc::clone(&self.ground.clock),
            random: Arc::clone(&self.ground.random),
            observer: Some(Arc::new(WalkMetrics::new(&self.metrics))),
        }))
    }

    /// The systems that some topology starts from, and its contract.
    fn polled<'a>(&'a self, project: &'a Project) -> impl Iterator<Item = (&'a System, &'a SyncContract)> {
        self.applications.keys().filter_map(|system| {
            let starts = project.topologies.iter().find(|topology| topology.start.application == *system)?;
            Some((system, project.contracts.get(&starts.contract)?))
        })
    }

    fn spawn_polls(&self, project: &Project, settings: &Settings, stop: &CancellationToken, tasks: &TaskTracker) {
        let stores = &self.ground.stores;
        for (system, contract) in self.polled(project) {
            let poll = Poll::new(
                Arc::clone(&self.applications[system]) as Arc<dyn Application>,
                Arc::new(contract.clone()),
                Arc::clone(&stores.pairs),
                Arc::clone(&stores.engine),
                Arc::clone(&self.ground.clock),
                settings.poll_every,
                Arc::clone(&self.catch_up),
            );
            let stop = stop.clone();
            tasks.spawn(async move {
                stop.run_until_cancelled(poll.run()).await;
            });
        }
    }
}
