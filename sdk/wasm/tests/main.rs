//! What the host promises, held against guests that are written as text and made in process.
#![expect(clippy::unwrap_used, reason = "all of this is a test, helpers included")]

mod cache;
mod compiled;
mod contract;
mod grants;
mod guest;
mod hostile;
mod ledger;
mod reload;
mod sandbox;
