//! The suite every engine must pass, on SQLite.

use std::sync::Arc;

use pairline_sdk::Engine;
use pairline_sdk::testing::engine_suite::EngineUnderTest;

use crate::bench::{Bench, block_on};

impl EngineUnderTest for Bench {
    fn engine(&self) -> Arc<dyn Engine> {
        self.database().engine()
    }
}

pairline_sdk::engine_suite!(block_on, Bench::make());
