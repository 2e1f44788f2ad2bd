//! Two systems, a network, the program, and what becomes of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use pairline_fakes::judge::{Audit, Cast, Evidence, Tolerance};
use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig, Faults, Wall};
use pairline_runner::application::{Environment, Transport};
use pairline_runner::composition::{OpenDatabase, Stores};
use pairline_runner::project::Project;
use pairline_runner::system::{Ground, RunningSystem, Settings};
use pairline_sdk::testing::{MemoryEngine, MemoryState, MemoryStore, TestRandom};
use pairline_sdk::{
    Clock, Creates, Engine, ListQuery, Listed, PairStore, Random, RecordId, Registry, System, Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::network::{Calls, Courier, Webhooks};
use super::people::People;
use super::time::{BEGIN_MS, SimulatedClock};
use crate::support::{project, registry};

const CRM: &str = "127.0.0.1:18081";
const ERP: &str = "127.0.0.1:18082";
const PROGRAM: &str = "http://127.0.0.1:18090";

/// Nothing may be left to do this long after all faults have ended.
const RESTS_WITHIN: Duration = Duration::from_secs(900);

/// What happens in a run.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) seed: u64,
    pub(super) deeds: usize,
    pub(super) crashes: usize,
    pub(super) deletes: bool,
    pub(super) faults: Faults,
    pub(super) tolerance: Tolerance,
}

impl Play {
    /// Nothing goes wrong, and every answer takes a while.
    pub(super) fn calm(seed: u64) -> Self {
        let faults = Faults { latency_from_ms: 1, latency_to_ms: 80, ..Faults::default() };
        Self { seed, deeds: 220, crashes: 0, deletes: seed.is_multiple_of(2), faults, tolerance: Tolerance::CALM }
    }

    /// Everything goes wrong that can, more often than anybody has seen it.
    pub(super) fn stormy(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut share = |most: f64| rng.f64() * most;
        let faults = Faults {
            latency_from_ms: 1,
            latency_to_ms: 200,
            error_429_rate: share(0.04),
            error_500_rate: share(0.08),
            applied_then_hung_rate: share(0.04),
            hang_ms: 8_000,
            applied_late_rate: share(0.04),
            reset_before_rate: share(0.04),
            reset_after_rate: share(0.04),
            truncated_json_rate: share(0.02),
            html_200_rate: share(0.02),
            created_without_id_rate: share(0.02),
            announce_before_answer: seed.is_multiple_of(2),
            delivery_doubled_rate: share(0.4),
            delivery_reordered_rate: share(0.4),
            delivery_delayed_rate: share(0.2),
            delivery_dropped_rate: share(0.15),
            ..Faults::default()
        };
        Self { seed, deeds: 220, crashes: 3, deletes: false, faults, tolerance: Tolerance::STORMY }
    }
}

/// How a run has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Deeds, calls and webhooks.
    pub(super) events: u64,
    /// Every record with its whole history, and what people did.
    pub(super) evidence: String,
}

/// The program while it lives.
struct Life {
    system: RunningSystem,
    engine: Arc<MemoryEngine>,
    dies: CancellationToken,
}

pub(super) struct World {
    play: Play,
    rng: Rng,
    project: &'static Project,
    registry: Registry,
    environment: Environment,
    crm: Crm,
    erp: Erp,
    calls: Arc<Calls>,
    webhooks: Arc<Webhooks>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    store: Arc<MemoryStore>,
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
        let (calls, webhooks) = (Arc::new(Calls::default()), Arc::new(Webhooks::default()));
        let wall = Wall::showing(BEGIN_MS);
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let url = |name: &str| Some(format!("{PROGRAM}/webhooks/{name}"));
        let (crm, crm_door) = Crm::embedded(
            CrmConfig {
                bind: address(CRM),
                webhook_url: url("crm"),
                seed: play.seed,
                search_lag_ms: 3_000,
                ..CrmConfig::default()
            },
            Arc::new(Courier(Arc::clone(&webhooks))),
            wall,
        );
        let (erp, erp_door) = Erp::embedded(
            ErpConfig {
                bind: address(ERP),
                webhook_url: url("erp"),
                seed: play.seed,
                changes_lag_ms: 1_000,
                ..ErpConfig::default()
            },
            Arc::new(Courier(Arc::clone(&webhooks))),
            wall,
        );
        calls.to(crm.base_url(), crm_door);
        calls.to(erp.base_url(), erp_door);
        let (crm_secrets, erp_secrets) = (CrmConfig::default(), ErpConfig::default());
        let variables = [
            ("CRM_TOKEN", crm_secrets.token),
            ("CRM_CLIENT_SECRET", crm_secrets.client_secret),
            ("ERP_TOKEN", erp_secrets.token),
            ("ERP_WEBHOOK_SECRET", erp_secrets.webhook_secret),
        ];
        let variables: BTreeMap<String, String> = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock::new());
        let mut world = Self {
            rng: Rng::with_seed(play.seed ^ 0x77_6f72_6c64),
            project: project(),
            registry: registry(),
            environment: Environment::of_map(variables),
            crm,
            erp,
            calls,
            webhooks,
            store: Arc::new(new_store(&clock)),
            clock,
            random: Arc::new(TestRandom::new(play.seed)),
            life: None,
            play,
        };
        let engine = MemoryEngine::new(Arc::clone(&world.store), Arc::clone(&world.clock), Arc::clone(&world.random));
        world.start(engine).await;
        world
    }

    async fn start(&mut self, engine: MemoryEngine) {
        let engine = Arc::new(engine);
        let stores = Stores {
            pairs: Arc::clone(&self.store) as Arc<dyn PairStore>,
            engine: Arc::clone(&engine) as Arc<dyn Engine>,
            handle: Arc::new(InMemory),
        };
        let ground = Ground {
            stores,
            clock: Arc::clone(&self.clock),
            wall: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            transport: Some(Arc::clone(&self.calls) as Arc<dyn Transport>),
        };
        let settings = Settings::default();
        let embedded = RunningSystem::embed(self.project, &self.registry, &self.environment, &settings, ground);
        let (system, router) = embedded.await.unwrap();
        let dies = CancellationToken::new();
        self.webhooks.to(router, dies.clone());
        self.life = Some(Life { system, engine, dies });
    }

    /// The program dies here, and starts again on what is durable.
    async fn crash(&mut self) {
        let Some(life) = self.life.take() else { return };
        life.dies.cancel();
        life.system.kill();
        // What it was doing is gone before it starts again.
        tokio::time::sleep(Duration::from_millis(self.rng.u64(1..2_000))).await;
        self.store.restart();
        let (store, clock, random) = (Arc::clone(&self.store), Arc::clone(&self.clock), Arc::clone(&self.random));
        self.start(MemoryEngine::restored(life.engine.saved(), store, clock, random)).await;
    }

    /// People work amid faults and crashes; then all is well again, and everything is looked at.
    pub(super) async fn run(mut self) -> Result<End, String> {
        let seed = self.play.seed;
        let mut cast = Cast::new(self.crm.clone(), self.erp.clone(), seed);
        let mut people =
            People { rng: Rng::with_seed(seed), deletes: self.play.deletes, ownership: cast.ownership().clone() };
        self.crm.set_faults(self.play.faults.clone()).unwrap();
        self.erp.set_faults(self.play.faults.clone()).unwrap();
        let work = tokio::spawn({
            let deeds = self.play.deeds;
            async move {
                people.work(&mut cast, deeds).await;
                cast
            }
        });
        for _ in 0..self.play.crashes {
            tokio::time::sleep(Duration::from_millis(self.rng.u64(0..25_000))).await;
            self.crash().await;
        }
        let cast = work.await.unwrap();
        self.crm.set_faults(Faults::default()).unwrap();
        self.erp.set_faults(Faults::default()).unwrap();
        let rested = self.rest().await;
        let evidence = Evidence::of(&self.crm, &self.erp);
        let audit = Audit::of(cast.ledger(), &evidence, cast.ownership(), self.play.tolerance);
        if rested.is_some() || !audit.is_clean() {
            return Err(format!("{}\n{}", rested.unwrap_or_default(), self.told(&audit).await));
        }
        let events = self.calls.carried() + self.webhooks.carried() + cast.ledger().len() as u64;
        if let Some(life) = self.life.take() {
            life.dies.cancel();
            life.system.kill();
        }
        Ok(End { events, evidence: serde_json::to_string(&(evidence, cast.ledger())).unwrap() })
    }

    /// Waits until nothing is left to do. Answers what is, if that takes too long.
    async fn rest(&self) -> Option<String> {
        let Some(life) = &self.life else { return Some("the program is not there".to_owned()) };
        let until = self.clock.now().plus(RESTS_WITHIN);
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let waiting = match life.engine.list(ListQuery::Waiting, 5).await {
                Ok(Listed::Waiting(waiting)) => waiting,
                other => return Some(format!("expected what waits, found {other:?}")),
            };
            let quiet = self.crm.quiet_for().min(self.erp.quiet_for()) > Duration::from_secs(30);
            if waiting.is_empty() && quiet {
                return None;
            }
            if self.clock.now() > until {
                return Some(format!("it does not come to rest: {waiting:?}"));
            }
        }
    }

    /// What is wrong, and what the ledger says of it.
    async fn told(&self, audit: &Audit) -> String {
        let mut told = String::new();
        for finding in audit.findings.iter().take(3) {
            let (kind, person) = (finding.category.name(), finding.person);
            writeln!(told, "{kind}: person {person}: {}", finding.what).unwrap();
            for line in &finding.story {
                writeln!(told, "    {line}").unwrap();
            }
            for id in &finding.crm {
                let history = self.store.history(&RecordId::new(&System::new("crm"), id)).await.unwrap();
                for operation in history.operations {
                    let (state, target) = (operation.state.name(), &operation.target);
                    let sent = operation.sent_at.since(Timestamp::from_millis(BEGIN_MS)).as_millis();
                    let ended = operation.ended_at.map(|at| at.since(operation.sent_at).as_millis());
                    let reason = operation.reason.unwrap_or_default();
                    writeln!(told, "    at {sent} ms to {target}, {state} after {ended:?} ms: {reason}").unwrap();
                    for write in operation.writes.iter() {
                        let (seen, there, value) = (&write.seen_source, &write.seen_target, &write.value);
                        writeln!(
                            told,
                            "        {} ({:?}): {seen:?}, there {there:?}, sent {value:?}",
                            write.field, write.reason
                        )
                        .unwrap();
                    }
                }
            }
        }
        told
    }
}

/// As a new database: the first start has not looked at both sides yet.
fn new_store(clock: &Arc<dyn Clock>) -> MemoryStore {
    let mut state = MemoryState::default();
    state.creates = Creates::Undecided;
    MemoryStore::restored(state, Arc::clone(clock))
}
