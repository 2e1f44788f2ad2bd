//! The targets. This folder is also a module of `guided/`, so it stands for itself.

mod answer;
mod contract;
mod cursor;
mod delivery;
mod description;
mod stage;
mod text;
mod topology;
mod value;

/// Something that takes bytes from outside.
pub(super) struct Target {
    /// Its name, and that of its corpus.
    pub(super) name: &'static str,
    /// Panics when a property does not hold.
    pub(super) run: fn(&[u8]),
    /// How many mutations the test command tries: two seconds of them at most.
    pub(super) runs: u64,
}

/// All of them.
pub(super) const TARGETS: &[Target] = &[
    Target { name: "topology", run: topology::run, runs: 6000 },
    Target { name: "contract", run: contract::run, runs: 6000 },
    Target { name: "value", run: value::run, runs: 60_000 },
    Target { name: "description", run: description::run, runs: 4000 },
    Target { name: "delivery", run: delivery::run, runs: 4000 },
    Target { name: "answer", run: answer::run, runs: 40_000 },
    Target { name: "cursor", run: cursor::run, runs: 30_000 },
    Target { name: "row", run: pairline_store::fuzz::row, runs: 60_000 },
];
