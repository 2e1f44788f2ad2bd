//! The tests of the composed program.
#![expect(clippy::unwrap_used, reason = "all of this is a test, helpers included")]

/// As in the program: simulations make and drop messages all day long.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod bad_input;
mod canary;
#[cfg(feature = "wasm")]
mod components;
mod doctor;
mod e2e;
mod fuzz;
mod matrix;
mod nth;
mod planted;
#[cfg(target_os = "linux")]
mod power;
mod reference;
mod search;
mod shipped;
mod simulation;
mod steps;
mod support;
#[cfg(feature = "wasm")]
mod swapped;
mod systems;
mod tidy;
mod whole;
