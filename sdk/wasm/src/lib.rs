//! Runs WebAssembly components as Pairline nodes: nodes in any language, in a sandbox.
//!
//! A component is asked once what it is, and is then a node kind like any other. What it may ask for stands in the topology
//! and nowhere else: an interface that is not granted is not linked, so that there is nothing to call. It cannot stop the
//! thread it runs on, has no more memory than it was given, and what goes wrong in it is an answer of that one node.
//!
//! ```
//! use pairline_wasm::{Host, HostOptions};
//!
//! let host = Host::new(HostOptions::default()).unwrap();
//! let nothing = host.load(std::path::Path::new("plugins/nothing.wasm"));
//! assert!(nothing.err().unwrap().contains("cannot be read"));
//! ```
//!
//! `host` is the engine, `component` what is loaded, `kind` and `node` what the runner sees of it; `instances` keeps what is
//! ready to run, `limits` what it may use up, and each file of `ports` is one interface of `sdk/wit`.

mod bindings;
mod cache;
mod component;
mod counts;
mod description;
mod failure;
mod grants;
mod host;
mod instances;
mod kind;
mod limits;
mod node;
mod ports;
mod reload;
mod wrap;

pub use component::Inspected;
pub use counts::{ComponentCounts, Ended};
pub use description::{DescriptionError, parse as parse_description};
pub use host::{Host, HostOptions};
pub use kind::ComponentKind;
pub use limits::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, FRESH_BELOW, REUSED_CALLS};
pub use wrap::wrap;

/// The contract that components are built against, in the interface language of the component model.
pub const WIT: &str = include_str!("../../wit/node.wit");
