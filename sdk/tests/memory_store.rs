//! The suite every store must pass, on the store in memory: what tests and simulations find out must hold on disk.
#![cfg(feature = "testing")]

mod in_memory;

use pairline_sdk::testing::run_now;

use crate::in_memory::InMemory;

pairline_sdk::store_suite!(run_now, InMemory::make());
