//! The shipped topologies over in-memory ports: what the searches and simulations run.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use pairline_runner::flow::Flow;
use pairline_runner::project::{Project, Sources};
use pairline_runner::worker::{Repeater, TopologyWorker};
use pairline_sdk::testing::{MemoryApplication, MemoryStore, Stage, TestClock, TestRandom};
use pairline_sdk::{Application, Clock, NothingOutside, OwnerGuard, PairStore, Ports, Registry, SyncContract, System};

/// A store, two systems and a clock in memory, and the shipped topologies wired to them.
pub(crate) struct Bench {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) crm: Arc<MemoryApplication>,
    pub(crate) erp: Arc<MemoryApplication>,
    pub(crate) contract: Arc<SyncContract>,
    #[cfg_attr(
        not(feature = "wasm"),
        expect(dead_code, reason = "only nodes that a test makes itself look through them")
    )]
    pub(crate) ports: Ports,
    pub(crate) flows: BTreeMap<System, Vec<Flow>>,
}

/// The shipped nodes, or components in the place of some.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    pairline_nodes::register(&mut registry);
    #[cfg(all(test, feature = "wasm"))]
    crate::swapped::swap(&mut registry);
    registry
}

/// The shipped topologies, contracts and applications.
pub(crate) fn project() -> &'static Project {
    static PROJECT: LazyLock<Project> = LazyLock::new(|| Project::load(&Sources::built_in(), &registry()));
    assert!(PROJECT.is_sound(), "{:?}", PROJECT.findings);
    &PROJECT
}

impl Bench {
    /// Every call through a port stops at the stage.
    pub(crate) fn new(stage: &Stage, contract: SyncContract) -> Self {
        Self::with(stage, contract, |application| application)
    }

    /// The same, over applications that do more than those in memory do.
    pub(crate) fn with(
        stage: &Stage,
        contract: SyncContract,
        change: impl Fn(Arc<dyn Application>) -> Arc<dyn Application>,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        let time = || Arc::clone(&clock) as Arc<dyn Clock>;
        let crm = Arc::new(MemoryApplication::crm(time()).on(stage.clone()));
        let erp = Arc::new(MemoryApplication::erp(time()).on(stage.clone()));
        let store = Arc::new(MemoryStore::new(time()).on(stage.clone()));
        let contract = Arc::new(contract);
        let guarded = |inner: &Arc<MemoryApplication>| {
            let changed = change(Arc::clone(inner) as Arc<dyn Application>);
            let guard = OwnerGuard::new(changed, Arc::clone(&contract));
            (inner.system().clone(), Arc::new(guard) as Arc<dyn Application>)
        };
        let ports = Ports {
            store: Arc::clone(&store) as Arc<dyn PairStore>,
            applications: [guarded(&crm), guarded(&erp)].into_iter().collect(),
            contract: Arc::clone(&contract).into(),
            clock: time(),
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        let registry = registry();
        let mut flows: BTreeMap<System, Vec<Flow>> = BTreeMap::new();
        for topology in &project().topologies {
            let flow = topology.make(&registry, &ports).unwrap();
            flows.entry(topology.start.application.clone()).or_default().push(flow);
        }
        Self { clock, store, crm, erp, contract, ports, flows }
    }

    /// A worker over the topologies that never gives up.
    pub(crate) fn worker(&self) -> TopologyWorker {
        TopologyWorker {
            flows: self.flows.clone(),
            repeater: Repeater { max_hops: 1000, ..Repeater::default() },
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(TestRandom::default()),
            observer: None,
        }
    }
}
