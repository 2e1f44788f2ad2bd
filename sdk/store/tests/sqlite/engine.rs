//! The suite every engine must pass, on SQLite.

use std::sync::Arc;

use pairline_sdk::testing::TestClock;
use pairline_sdk::testing::engine_suite::EngineUnderTest;
use pairline_sdk::{Engine, PairStore};

use crate::bench::{Bench, block_on};

impl EngineUnderTest for Bench {
    fn engine(&self) -> Arc<dyn Engine> {
        self.database().engine()
    }

    fn store(&self) -> Arc<dyn PairStore> {
        self.database().pairs()
    }

    fn clock(&self) -> &TestClock {
        Self::clock(self)
    }

    async fn restart(self) -> Self {
        Self::restart(self).await
    }
}

pairline_sdk::engine_suite!(block_on, Bench::make());
