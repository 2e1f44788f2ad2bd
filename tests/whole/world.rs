//! Two systems, a network, the program, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_fakes::judge::{Audit, Cast, Evidence, Side};
use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig, Faults, Mishap, UniqueRules, Wall};
use pairline_runner::application::{Environment, Transport};
use pairline_runner::composition::{OpenDatabase, Stores};
use pairline_runner::project::Project;
use pairline_runner::system::{Ground, RunningSystem, Settings};
use pairline_sdk::testing::{Director, MemoryEngine, MemoryState, MemoryStore, Stage};
use pairline_sdk::{Clock, Creates, Engine, ListQuery, Listed, PairStore, Random, Registry};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bystander::left_alone;
use super::contract::project_for;
use super::coverage::Coverage;
use super::economy::Economy;
use super::harm::Harm;
use super::network::{Calls, Courier, Webhooks};
use super::play::{Kind, Play};
use super::probe::{Seen, WatchedEngine};
use super::steps::Steps;
use super::time::{BEGIN_MS, SimulatedClock, SimulatedRandom};
use super::trouble::Blow;
use crate::support::registry;

const CRM: &str = "127.0.0.1:18081";
const ERP: &str = "127.0.0.1:18082";
const PROGRAM: &str = "http://127.0.0.1:18090";

/// Nothing may be left to do this long after all faults have ended.
const RESTS_WITHIN: Duration = Duration::from_secs(900);

/// A program that is about to die at a step dies between two of them if it makes none for this long.
const DIES_WITHIN: Duration = Duration::from_secs(3);

/// How a run has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Deeds, calls and webhooks.
    pub(super) events: u64,
    /// What has happened.
    pub(super) coverage: Coverage,
    /// What went wrong with calls and deliveries.
    pub(super) mishaps: BTreeSet<(Side, Mishap)>,
    /// Every record with its whole history, and what people did.
    pub(super) evidence: String,
    /// What is wrong.
    pub(super) harm: Harm,
}

/// The program while it lives.
struct Life {
    system: RunningSystem,
    engine: Arc<MemoryEngine>,
    dies: CancellationToken,
}

pub(super) struct World {
    play: Play,
    project: &'static Project,
    registry: Registry,
    environment: Environment,
    crm: Crm,
    erp: Erp,
    calls: Arc<Calls>,
    webhooks: Arc<Webhooks>,
    clock: Arc<SimulatedClock>,
    wall: Arc<SimulatedClock>,
    random: Arc<dyn Random>,
    store: Arc<MemoryStore>,
    steps: Arc<Steps>,
    seen: Arc<Seen>,
    life: Option<Life>,
}

/// What is in memory needs no closing.
struct InMemory;

#[async_trait]
impl OpenDatabase for InMemory {
    async fn close(&self) {}
}

impl World {
    /// Both systems, and the program on an empty store.
    pub(super) async fn begin(play: Play) -> Self {
        let systems = play.systems;
        let webhooks = Arc::new(Webhooks::default());
        let wall = Wall::showing(BEGIN_MS);
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let url = |name: &str| Some(format!("{PROGRAM}/webhooks/{name}"));
        let (crm, crm_door) = Crm::embedded(
            CrmConfig {
                bind: address(CRM),
                webhook_url: url("crm"),
                seed: play.chance,
                search_lag_ms: 3_000,
                enforce_unique: UniqueRules { email: systems.unique_email, ..UniqueRules::default() },
                merged_ids_forward: systems.merged_ids_forward,
                ..CrmConfig::default()
            },
            Arc::new(Courier(Arc::clone(&webhooks))),
            wall,
        );
        let (erp, erp_door) = Erp::embedded(
            ErpConfig {
                bind: address(ERP),
                webhook_url: url("erp"),
                seed: play.chance,
                changes_lag_ms: 1_000,
                tidies: systems.tidies,
                merged_ids_forward: systems.merged_ids_forward,
                ..ErpConfig::default()
            },
            Arc::new(Courier(Arc::clone(&webhooks))),
            wall,
        );
        let doors = vec![(Side::Crm, crm.base_url(), crm_door), (Side::Erp, erp.base_url(), erp_door)];
        let calls = Arc::new(Calls::new(doors, play.chance));
        let (crm_secrets, erp_secrets) = (CrmConfig::default(), ErpConfig::default());
        let variables = [
            ("CRM_TOKEN", crm_secrets.token),
            ("CRM_CLIENT_SECRET", crm_secrets.client_secret),
            ("ERP_TOKEN", erp_secrets.token),
            ("ERP_WEBHOOK_SECRET", erp_secrets.webhook_secret),
        ];
        let variables: BTreeMap<String, String> = variables.map(|(name, value)| (name.to_owned(), value)).into();
        if let Some(only) = &play.only {
            let of = |side| only.iter().filter(|(of, _)| *of == side).map(|(_, mishap)| mishap.clone()).collect();
            crm.allow_only(of(Side::Crm));
            erp.allow_only(of(Side::Erp));
        }
        let clock = Arc::new(SimulatedClock::new());
        let steps = Arc::new(Steps::new(play.chance));
        let stage = Stage::directed_by(Arc::clone(&steps) as Arc<dyn Director>);
        let seen = Arc::new(Seen::default());
        let mut world = Self {
            project: project_for(systems.tidies),
            registry: seen.watching(play.planted.among(registry())),
            environment: Environment::of_map(variables),
            crm,
            erp,
            calls,
            webhooks,
            store: Arc::new(new_store(&clock).on(stage)),
            clock,
            wall: Arc::new(SimulatedClock::new()),
            random: Arc::new(SimulatedRandom::new(play.chance)),
            steps,
            seen,
            life: None,
            play,
        };
        let (store, clock, random) = (Arc::clone(&world.store), Arc::clone(&world.clock), Arc::clone(&world.random));
        let engine = MemoryEngine::new(store, clock, random);
        world.start(engine).await;
        world
    }

    async fn start(&mut self, engine: MemoryEngine) {
        self.clock.set_as(&self.wall);
        let engine = Arc::new(engine);
        let watched = WatchedEngine(Arc::clone(&engine), Arc::clone(&self.seen));
        let stores = Stores {
            pairs: Arc::clone(&self.store) as Arc<dyn PairStore>,
            engine: Arc::new(watched) as Arc<dyn Engine>,
            handle: Arc::new(InMemory),
        };
        let ground = Ground {
            stores,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            wall: Arc::clone(&self.wall) as Arc<dyn Clock>,
            random: Arc::clone(&self.random),
            transport: Some(Arc::clone(&self.calls) as Arc<dyn Transport>),
            components: None,
        };
        let settings = Settings::default();
        let embedded = RunningSystem::embed(self.project, &self.registry, &self.environment, &settings, ground);
        let (system, router) = embedded.await.unwrap();
        let dies = CancellationToken::new();
        self.webhooks.to(router, dies.clone());
        self.life = Some(Life { system, engine, dies });
    }

    /// The program dies some steps from here, or where it stands a while later, and starts again on what is durable.
    async fn crash(&mut self, steps: u32, down: Duration) {
        self.steps.let_die_after(steps);
        drop(tokio::time::timeout(DIES_WITHIN, self.steps.death()).await);
        self.steps.buried();
        let Some(life) = self.life.take() else { return };
        life.dies.cancel();
        life.system.kill();
        // What it was doing is gone before it starts again.
        tokio::time::sleep(down).await;
        self.store.restart();
        let (store, clock, random) = (Arc::clone(&self.store), Arc::clone(&self.clock), Arc::clone(&self.random));
        self.start(MemoryEngine::restored(life.engine.saved(), store, clock, random)).await;
    }

    async fn suffer(&mut self, blow: &Blow) {
        match blow {
            Blow::Crash { steps, down_ms } => self.crash(*steps, Duration::from_millis(*down_ms)).await,
            Blow::Jump { by_ms } => self.wall.set_by(*by_ms),
            Blow::Slow { for_ms, .. } | Blow::Down { for_ms, .. } | Blow::NoSearch { for_ms } => {
                self.calls.suffer(blow.clone(), *for_ms);
            }
        }
    }

    /// People work amid faults and troubles; then all is well again, and everything is looked at.
    pub(super) async fn run(mut self) -> End {
        let began = Instant::now();
        let tidies = self.play.systems.tidies;
        let mut cast = Cast::new(self.crm.clone(), self.erp.clone(), self.play.seed).in_a_hurry(tidies);
        self.crm.set_faults(self.play.faults.clone()).unwrap();
        self.erp.set_faults(self.play.faults.clone()).unwrap();
        let deeds = self.play.deeds.clone();
        let work = tokio::spawn(async move {
            let (mut done, mut bystanders) = (Coverage::default(), Vec::new());
            for deed in &deeds {
                tokio::time::sleep_until(began + Duration::from_millis(deed.at_ms)).await;
                let name = if deed.perform(&mut cast, &mut bystanders).is_ok() { deed.name() } else { "not possible" };
                done.add("deed", [(name, 1)]);
            }
            (cast, bystanders, done)
        });
        for trouble in self.play.troubles.clone() {
            tokio::time::sleep_until(began + Duration::from_millis(trouble.at_ms)).await;
            self.suffer(&trouble.what).await;
        }
        let (cast, bystanders, mut coverage) = work.await.unwrap();
        self.crm.set_faults(Faults::default()).unwrap();
        self.erp.set_faults(Faults::default()).unwrap();
        self.calls.recover();
        let rested = self.rest().await;
        let mut evidence = Evidence::of(&self.crm, &self.erp);
        if tidies {
            evidence = evidence.tidied();
        }
        let mut harm = Harm::default();
        if let Err(unrest) = rested {
            harm.find("unrest", unrest);
        }
        for record in self.seen.two_hands() {
            harm.find("two hands", format!("two at once were at work on {record}"));
        }
        let cases = self.store.cases(usize::MAX).await.unwrap();
        left_alone(&bystanders, &mut evidence, &cases, &mut harm);
        self.nothing_is_left_open(&mut harm).await;
        let economy = Economy::of(&evidence, cast.ledger(), cast.ownership());
        // Only on a day when nothing is lost is there no reason to write anything twice.
        if self.play.kind == Kind::Calm && (economy.writes > economy.needed || economy.idle > 0) {
            harm.find("wasteful", format!("{economy:?}"));
        }
        coverage.add("economy", [("writes", economy.writes), ("idle", economy.idle), ("needed", economy.needed)]);
        let audit = Audit::of(cast.ledger(), &evidence, cast.ownership(), self.play.tolerance);
        harm.add(&audit, &evidence, &self.store).await;
        if let Some(life) = self.life.take() {
            life.dies.cancel();
            life.system.kill();
        }
        self.webhooks.to_nobody();
        self.cover(&mut coverage);
        let events = self.calls.carried() + self.webhooks.carried() + cast.ledger().len() as u64;
        let evidence = serde_json::to_string(&(evidence, cast.ledger())).unwrap();
        End { events, coverage, mishaps: self.mishaps(), evidence, harm }
    }

    /// Waits until nothing is left to do. Answers what is, if that takes too long.
    async fn rest(&self) -> Result<(), String> {
        let Some(life) = &self.life else { return Err("the program is not there".to_owned()) };
        let until = Instant::now() + RESTS_WITHIN;
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let waiting = match life.engine.list(ListQuery::Waiting, 5).await {
                Ok(Listed::Waiting(waiting)) => waiting,
                other => return Err(format!("expected what waits, found {other:?}")),
            };
            let quiet = self.crm.quiet_for().min(self.erp.quiet_for()) > Duration::from_secs(30);
            if waiting.is_empty() && quiet {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("it does not come to rest: {waiting:?}"));
            }
        }
    }

    /// Once nothing is left to do, nothing is left half done either.
    async fn nothing_is_left_open(&self, harm: &mut Harm) {
        let state = self.store.saved();
        let in_doubt = state.operations.values().filter(|operation| operation.state.is_open());
        for operation in in_doubt {
            let key = (operation.source.clone(), operation.target.clone());
            // Nobody looks for what was made for a record that is gone: nothing is owed to it any more.
            let closed = state.reservations.get(&key).is_some_and(|(_, id, closed)| *closed && *id == operation.id);
            if !closed {
                harm.find("in doubt", format!("{} for {} is {}", operation.id, key.0, operation.state.name()));
            }
        }
        let Some(life) = &self.life else { return };
        if let Ok(Listed::Trash(trash)) = life.engine.list(ListQuery::Trash, 5).await {
            for item in trash {
                harm.find("trash", format!("{:?}: {}: {}", item.record, item.node, item.reason));
            }
        }
    }

    fn mishaps(&self) -> BTreeSet<(Side, Mishap)> {
        let of = |side, mishaps: Vec<Mishap>| mishaps.into_iter().map(move |mishap| (side, mishap));
        of(Side::Crm, self.crm.mishaps()).chain(of(Side::Erp, self.erp.mishaps())).collect()
    }

    /// Counts what has happened.
    fn cover(&self, coverage: &mut Coverage) {
        coverage.add("trouble", self.play.troubles.iter().map(|trouble| (trouble.name(), 1)));
        coverage.add("crash", self.steps.deaths());
        coverage.add("node", self.seen.answers());
        for (side, mishap) in self.mishaps() {
            coverage.add("mishap", [(format!("{} {}", side.name(), mishap.name), 1)]);
        }
        for (side, calls) in [(Side::Crm, self.crm.calls()), (Side::Erp, self.erp.calls())] {
            let counts = calls.0.iter().map(|call| {
                let (method, path, status) = (call.method, call.path, call.status);
                (format!("{} {method} {path} answered {status}", side.name()), call.count)
            });
            coverage.add("call", counts);
        }
    }
}

/// As a new database: the first start has not looked at both sides yet.
fn new_store(clock: &Arc<SimulatedClock>) -> MemoryStore {
    let mut state = MemoryState::default();
    state.creates = Creates::Undecided;
    MemoryStore::restored(state, Arc::clone(clock) as Arc<dyn Clock>)
}
