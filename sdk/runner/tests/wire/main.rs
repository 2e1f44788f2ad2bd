//! What happens on real sockets: calls to systems that misbehave, and deliveries from senders that do.
#![expect(clippy::unwrap_used, reason = "these are tests: a helper that fails has found something")]

mod calls;
mod deliveries;
mod hosts;
mod remote;
