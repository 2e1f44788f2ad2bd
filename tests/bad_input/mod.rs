//! Bad input gets a clear error and loses nothing: the real program, as a stranger meets it.

mod answers;
mod commands;
mod configuration;
mod disk;
mod first_run;
mod http;
mod runner;
mod secrets;
mod stage;
mod start;
mod wait;
mod webhooks;
