//! The tests of the composed program.

mod search;
mod shipped;
mod simulation;
mod steps;
mod support;
