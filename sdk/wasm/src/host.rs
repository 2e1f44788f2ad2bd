//! The engine that all components share, and the clock that interrupts them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::ComponentKind;
use crate::cache::Cache;
use crate::component::{Inspected, Loaded};
use crate::counts::{ComponentCounts, Counts};
use crate::limits::LARGEST_MEMORY;

/// How often a running component is interrupted, so that others get their turn and its time is counted.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Calls that run at the same time; more wait for one to end.
const MOST_CALLS: u32 = 100;
/// Instances that wait for a message, of all components together.
const MOST_WAITING: u32 = 100;
/// Instances that are alive: those that run, those that wait, and those that are asked what they are.
const MOST_INSTANCES: u32 = MOST_CALLS + MOST_WAITING + 20;
/// Components of Python bring a few dozen modules along.
const MODULES_PER_COMPONENT: u32 = 64;
/// One is usual.
const MEMORIES_PER_COMPONENT: u32 = 4;
/// What stays in the machine's memory of an instance that has ended, in bytes, if the machine can tell which pages it has
/// touched: these are set back one by one, instead of being given away and fetched again. A quarter less for a fresh instance.
const RESIDENT_MEMORY: usize = 2 << 20;
/// The same of its tables, which are small: to set them back costs less than to give them away.
const RESIDENT_TABLE: usize = 64 << 10;
/// A component larger than this is not loaded, in bytes.
pub(crate) const LARGEST_COMPONENT: u64 = 128 << 20;

/// What a host needs to be told.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// Where machine code is kept that was made of components. Without one, each start makes it anew.
    pub cache: Option<PathBuf>,
    /// Whether a component computes for as long as it likes and gives way to nobody. For a simulation, which goes the same way
    /// every time only if no clock of the machine has a say in it; a loop without end is one then.
    pub untimed: bool,
}

/// Runs components.
pub struct Host {
    pub(crate) engine: Engine,
    pub(crate) cache: Option<Cache>,
    /// For each call that runs.
    pub(crate) slots: Arc<Semaphore>,
    /// For each instance that waits.
    pub(crate) places: Arc<Semaphore>,
    counts: Mutex<Vec<Arc<Counts>>>,
}

impl Host {
    /// A host with nothing loaded.
    ///
    /// # Errors
    ///
    /// One line when the machine cannot run WebAssembly.
    pub fn new(options: HostOptions) -> Result<Arc<Self>, String> {
        let engine = match Engine::new(&config(true)) {
            Ok(engine) => engine,
            Err(error) => {
                // Address space may be rationed; instances are then made one by one, which takes longer.
                tracing::warn!(%error, "no room for a pool of instances");
                Engine::new(&config(false)).map_err(|error| format!("cannot run components: {error:#}"))?
            }
        };
        if !options.untimed {
            start_ticking(&engine).map_err(|error| format!("cannot start the clock of components: {error}"))?;
        }
        let cache = options.cache.map(|folder| Cache::new(folder, &engine));
        let [slots, places] = [MOST_CALLS, MOST_WAITING].map(|most| Arc::new(Semaphore::new(most as usize)));
        Ok(Arc::new(Self { engine, cache, slots, places, counts: Mutex::default() }))
    }

    /// Loads a component from its file, and asks it what it is.
    ///
    /// # Errors
    ///
    /// One line that names the file: it cannot be read, is no component, is no node, or asks for what no node gets.
    pub fn load(self: &Arc<Self>, file: &Path) -> Result<ComponentKind, String> {
        let loaded = Loaded::read(self, file).map_err(|error| format!("`{}` {error}", file.display()))?;
        Ok(ComponentKind::new(Arc::clone(self), file.to_owned(), loaded))
    }

    /// Says what a file holds, whether or not it can be used.
    ///
    /// # Errors
    ///
    /// One line: it cannot be read, or is no component.
    pub fn inspect(self: &Arc<Self>, file: &Path) -> Result<Inspected, String> {
        Inspected::read(self, file).map_err(|error| format!("`{}` {error}", file.display()))
    }

    /// What every use of a component has done so far.
    pub fn counts(&self) -> Vec<ComponentCounts> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|counts| counts.read()).collect()
    }

    /// The counts of a component; its uses share them.
    pub(crate) fn count(&self, component: &str) -> Arc<Counts> {
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = all.iter().find(|counts| counts.component == component) {
            return Arc::clone(counts);
        }
        let counts = Arc::new(Counts::new(component));
        all.push(Arc::clone(&counts));
        counts
    }
}

fn config(pooled: bool) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Recursion without end is stopped here; the stack that a component runs on is a little larger.
    config.max_wasm_stack(512 << 10);
    config.async_stack_size(2 << 20);
    if pooled {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(MOST_INSTANCES)
            .total_core_instances(MOST_INSTANCES * MODULES_PER_COMPONENT)
            .total_memories(MOST_INSTANCES * MEMORIES_PER_COMPONENT)
            .total_tables(MOST_INSTANCES * MODULES_PER_COMPONENT)
            .total_stacks(MOST_INSTANCES * 2)
            .max_core_instances_per_component(MODULES_PER_COMPONENT)
            .max_memories_per_component(MEMORIES_PER_COMPONENT)
            .max_tables_per_component(MODULES_PER_COMPONENT)
            .max_core_instance_size(1 << 20)
            .max_component_instance_size(1 << 20)
            .table_elements(100_000)
            .table_keep_resident(RESIDENT_TABLE)
            .max_memory_size(usize::try_from(LARGEST_MEMORY).unwrap_or(usize::MAX));
        if PoolingAllocationConfig::is_pagemap_scan_available() {
            pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(RESIDENT_MEMORY);
        }
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Ticks for as long as the engine is there.
fn start_ticking(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("component-ticks".to_owned()).spawn(tick).map(drop)
}
