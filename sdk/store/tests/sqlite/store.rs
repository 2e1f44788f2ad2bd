//! The suite every store must pass, on SQLite.

use std::sync::Arc;

use pairline_sdk::PairStore;
use pairline_sdk::testing::TestClock;
use pairline_sdk::testing::store_suite::StoreUnderTest;

use crate::bench::{Bench, block_on};

impl StoreUnderTest for Bench {
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

pairline_sdk::store_suite!(block_on, Bench::make());
