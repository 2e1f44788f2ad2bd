//! Carries messages through topologies and faces the world.

pub mod application;
pub mod attempt;
mod catch_up;
pub mod check;
pub mod cli;
pub mod composition;
pub mod contract;
pub mod doctor;
pub mod finding;
pub mod first_run;
pub mod flow;
pub mod gauges;
pub mod kill;
pub mod machine;
pub mod metrics;
pub mod outside;
pub mod poll;
pub mod project;
pub mod story;
pub mod system;
pub mod topology;
mod units;
pub mod walk_metrics;
pub mod webhook;
pub mod worker;
pub mod yaml;
