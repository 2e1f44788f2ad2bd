//! The tests of the composed program.

mod bad_input;
mod e2e;
mod search;
mod shipped;
mod simulation;
mod steps;
mod support;
mod tidy;
