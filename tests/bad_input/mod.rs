//! Bad input gets a clear error and loses nothing: the real program, as a stranger meets it.

mod answers;
mod commands;
mod configuration;
mod disk;
mod explain;
mod first_run;
pub(crate) mod http;
pub(crate) mod runner;
mod secrets;
pub(crate) mod stage;
mod start;
pub(crate) mod wait;
mod webhooks;
