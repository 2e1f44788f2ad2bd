//! Topologies from text: what is wrong with them, how they are wired and drawn.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod graph;
mod kinds;
mod lint;
mod stories;
