//! A store in memory, and an engine on it.

use std::sync::Arc;

use pairline_sdk::testing::engine_suite::{EngineUnderTest, SETTLE};
use pairline_sdk::testing::store_suite::StoreUnderTest;
use pairline_sdk::testing::{MemoryEngine, MemoryInbox, MemoryState, MemoryStore, TestClock, TestRandom};
use pairline_sdk::{Clock, Creates, Engine, PairStore};

pub(crate) struct InMemory {
    pub(crate) engine: Arc<MemoryEngine>,
    store: Arc<MemoryStore>,
    pub(crate) clock: Arc<TestClock>,
    random: Arc<TestRandom>,
}

impl InMemory {
    pub(crate) async fn make() -> Self {
        let clock = Arc::new(TestClock::default());
        let mut state = MemoryState::default();
        // As a new database: the first start has not looked at the two sides yet.
        state.creates = Creates::Undecided;
        let store = MemoryStore::restored(state, Arc::clone(&clock) as Arc<dyn Clock>);
        Self::open(MemoryInbox::default(), Arc::new(store), clock, Arc::default())
    }

    fn open(inbox: MemoryInbox, store: Arc<MemoryStore>, clock: Arc<TestClock>, random: Arc<TestRandom>) -> Self {
        let engine = MemoryEngine::restored(inbox, Arc::clone(&store), clock.clone(), random.clone());
        Self { engine: Arc::new(engine.settling_for(SETTLE)), store, clock, random }
    }
}

impl StoreUnderTest for InMemory {
    fn store(&self) -> Arc<dyn PairStore> {
        Arc::clone(&self.store) as Arc<dyn PairStore>
    }

    fn clock(&self) -> &TestClock {
        &self.clock
    }

    async fn restart(self) -> Self {
        self.store.restart();
        Self::open(self.engine.saved(), self.store, self.clock, self.random)
    }
}

impl EngineUnderTest for InMemory {
    fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine) as Arc<dyn Engine>
    }
}
