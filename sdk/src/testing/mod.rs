//! For tests: a store, an engine, applications and time in memory, the node tester, and the suites every store and
//! every engine must pass.

mod contact;
pub mod engine_suite;
mod intent;
mod memory_application;
mod memory_engine;
mod memory_store;
mod node_tester;
mod stage;
pub mod store_suite;
mod time;

pub use contact::{contact_contract, contact_document};
pub use intent::intent;
pub use memory_application::{Late, MemoryApplication, MemoryRecords};
pub use memory_engine::{MemoryEngine, MemoryInbox};
pub use memory_store::{MemoryState, MemoryStore};
pub use node_tester::{NodeTester, run_now};
pub use stage::{Director, Fate, Stage, Step};
pub use time::{TestClock, TestRandom};
