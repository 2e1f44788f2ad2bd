//! Webhooks: what other systems tell us, taken durably before they are thanked.

pub mod event;
mod listener;
mod problem;
mod receiver;
pub mod signature;

pub use listener::{Listener, Measured};
pub use receiver::{Door, Receiver};
