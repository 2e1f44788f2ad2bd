//! The nodes of the two-way sync, one file each.
//!
//! They see the contract crate alone. What they do to each other's systems is decided in one place, [`converge`]; how a
//! decision becomes a write that survives a crash, in another, [`write`].

pub mod converge;
pub mod create;
pub mod deactivate;
pub mod echo_filter;
pub mod fetch;
pub mod inverse_id_writer;
pub mod persist;
pub mod resolve;
pub mod update;
mod write;

use pairline_sdk::Registry;

/// Adds every shipped node.
pub fn register(registry: &mut Registry) {
    create::register(registry);
    deactivate::register(registry);
    echo_filter::register(registry);
    fetch::register(registry);
    inverse_id_writer::register(registry);
    persist::register(registry);
    resolve::register(registry);
    update::register(registry);
}
