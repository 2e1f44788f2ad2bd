//! The tests of the composed program.

mod search;
mod simulation;
mod support;
