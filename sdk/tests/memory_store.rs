//! The suite every store must pass, on the store in memory: what tests and simulations find out must hold on disk.
#![cfg(feature = "testing")]

use std::sync::Arc;

use pairline_sdk::testing::store_suite::StoreUnderTest;
use pairline_sdk::testing::{MemoryState, MemoryStore, TestClock, run_now};
use pairline_sdk::{Clock, Creates, PairStore};

struct InMemory {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
}

impl InMemory {
    async fn make() -> Self {
        let clock = Arc::new(TestClock::default());
        let mut state = MemoryState::default();
        // As a new database: the first start has not looked at the two sides yet.
        state.creates = Creates::Undecided;
        let store = MemoryStore::restored(state, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { store: Arc::new(store), clock }
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
        self
    }
}

pairline_sdk::store_suite!(run_now, InMemory::make());
