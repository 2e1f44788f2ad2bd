//! The tests of a topology, in YAML beside it: a message, what the systems are asked and answer, and what is so then.
//!
//! No Rust, no network, no clock: the systems are played, call by call, and every call must be expected.

mod document;
mod play;
mod report;
mod systems;

pub use document::{PathDocument, ResultDocument, StoryDocument, StoryText, ThenDocument};
pub use play::test;
pub use report::{FileReport, StoryReport, TestFormat, TestReport};
