//! Trouble: what happens to the program and its machine, besides what happens to single calls and deliveries.

use std::fmt;

use pairline_fakes::judge::Side;

/// Something that happens to the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// When, from the beginning of the run.
    pub(super) at_ms: u64,
    pub(super) what: Blow,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// The program dies in front of the store, so many of its steps there later, and starts again after a while.
    Crash { steps: u32, down_ms: u64 },
    /// For a while the answers of a system come late.
    Slow { side: Side, for_ms: u64 },
    /// For a while nobody answers at a system's address.
    Down { side: Side, for_ms: u64 },
    /// For a while the CRM's search answers 503.
    NoSearch { for_ms: u64 },
    /// The clock of the program's machine is set, forwards or back.
    Jump { by_ms: i64 },
}

impl Trouble {
    /// The name it is counted by.
    pub(super) fn name(&self) -> &'static str {
        match &self.what {
            Blow::Crash { .. } => "crash",
            Blow::Slow { .. } => "slow answers",
            Blow::Down { .. } => "system down",
            Blow::NoSearch { .. } => "search down",
            Blow::Jump { by_ms } if *by_ms < 0 => "clock set back",
            Blow::Jump { .. } => "clock set ahead",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Blow::Crash { steps, down_ms } => {
                write!(f, "the program dies at step {steps} in the store, and is back {down_ms} ms later")
            }
            Blow::Slow { side, for_ms } => write!(f, "answers of the {} come late for {for_ms} ms", side.name()),
            Blow::Down { side, for_ms } => write!(f, "the {} is not there for {for_ms} ms", side.name()),
            Blow::NoSearch { for_ms } => write!(f, "the search of the crm answers 503 for {for_ms} ms"),
            Blow::Jump { by_ms } => write!(f, "the clock of the program's machine is set by {by_ms:+} ms"),
        }
    }
}
