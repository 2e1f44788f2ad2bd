//! The create protocol as a model, and a checker that goes through everything that can happen to it.
//!
//! Two or three workers, two systems, a database, a network and people take their steps in every order, with answers
//! lost, requests late, kills, sleeps and old backups. In every state that can be reached the model asks whether a second
//! record was made; and from every state, whether an end can still be reached.
//!
//! It is our own protocol step by step, as `nodes` and the store have it: what is one transaction or one call there is one
//! step here. Nothing but a reader keeps the two alike: whoever changes `create`, `resolve`, `persist` or the pairs of the
//! store changes this too.
//!
//! Some steps of [`SafetyStep`] are [`Standing::Wanted`]: the model finds a second record without them, and the nodes do
//! not take them. [`recipes::as_it_stands`] shows what that costs, and where. In place of the search that
//! [`SafetyStep::Epoch`] asks for, the runner looks at the first listing after a start; what lands after it is not seen.
//!
//! # What is assumed
//!
//! * A tick is as long as a deadline, a request's life and an index lag; a key lives for three, its margin is one. What
//!   matters is only which of them end before which.
//! * A system keeps its promises: what is unique is unique, a key lives as long as it says, a request lands within its
//!   life or never, the search shows everything after its lag.
//! * Between the look at the clock before a send and its first byte no time passes, except where a scenario says so.
//! * An update of a pair and the two systems' other fields are left out: signing the records is one step that succeeds.
//! * A person deletes the source once at most, copies one record, and closes no case.
//!
//! ```
//! use pairline_model::recipes::run;
//! use pairline_model::{Protocol, SafetyStep, Scenario};
//!
//! let calm = Scenario::named("calm, C").unwrap();
//! assert!(run(&Protocol::OURS, calm).violation.is_none());
//! assert!(run(&Protocol::OURS.without(SafetyStep::Reservation), calm).violation.is_some());
//! ```

pub mod checker;
mod database;
mod event;
mod protocol;
pub mod recipes;
mod remote;
pub mod report;
mod scenario;
mod state;
mod step;
mod world;

pub use event::Event;
pub use protocol::Protocol;
pub use scenario::{Class, Pause, Restore, SCENARIOS, Scenario};
pub use state::Packed;
pub use step::{SafetyStep, Standing, Steps};
pub use world::{COPY_OF_A_COPY, DUPLICATE, FORGOTTEN, MADE_FOR_GONE, MAPPED_TWICE, STRANGERS, World};
