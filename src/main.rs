//! The composed program: registers the nodes, and hands databases, demo systems and trouble to the runner's command line.
//!
//! A program with nodes of your own is this file with one more `register` line.

mod chaos;
#[cfg(feature = "wasm")]
mod components;
mod demo;
mod embedded;

use std::process::ExitCode;
use std::sync::Arc;

use pairline_runner::composition::Composition;
use pairline_sdk::Registry;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut registry = Registry::new();
    pairline_nodes::register(&mut registry);
    pairline_runner::cli::main(Composition {
        version: env!("CARGO_PKG_VERSION"),
        registry,
        databases: Arc::new(embedded::Embedded),
        demo: Arc::new(demo::Fakes),
        chaos: Arc::new(chaos::Judge),
        components: components(),
    })
}

/// What runs nodes in other languages.
#[cfg(feature = "wasm")]
fn components() -> Option<Arc<dyn pairline_runner::composition::Components>> {
    Some(Arc::new(components::Sandbox::default()))
}

#[cfg(not(feature = "wasm"))]
fn components() -> Option<Arc<dyn pairline_runner::composition::Components>> {
    None
}
