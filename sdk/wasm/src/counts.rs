//! What components do, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a call of a component ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// With an answer.
    Answered,
    /// With a failure that it chose.
    Failed,
    /// It trapped.
    Trapped,
    /// It took too long.
    TimedOut,
    /// It wanted more than its limits allow.
    Refused,
    /// What it answered cannot be used.
    Malformed,
}

impl Ended {
    /// Every one there is.
    pub const ALL: [Self; 6] =
        [Self::Answered, Self::Failed, Self::Trapped, Self::TimedOut, Self::Refused, Self::Malformed];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Trapped => "trapped",
            Self::TimedOut => "timed-out",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }
}

/// What a component has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentCounts {
    /// The component, as topologies call it.
    pub component: String,
    /// Calls by how they ended.
    pub calls: Vec<(Ended, u64)>,
    /// Instances that were made.
    pub instances: u64,
    /// Changes of its file that were taken up.
    pub reloads: u64,
    /// Changes of its file that could not be taken up.
    pub reloads_refused: u64,
}

pub(crate) struct Counts {
    pub(crate) component: String,
    calls: [AtomicU64; Ended::ALL.len()],
    pub(crate) instances: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) reloads_refused: AtomicU64,
}

impl Counts {
    pub(crate) fn new(component: &str) -> Self {
        Self {
            component: component.to_owned(),
            calls: Default::default(),
            instances: AtomicU64::default(),
            reloads: AtomicU64::default(),
            reloads_refused: AtomicU64::default(),
        }
    }

    pub(crate) fn ended(&self, how: Ended) {
        self.calls[how as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> ComponentCounts {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        ComponentCounts {
            component: self.component.clone(),
            calls: Ended::ALL.map(|how| (how, of(&self.calls[how as usize]))).into(),
            instances: of(&self.instances),
            reloads: of(&self.reloads),
            reloads_refused: of(&self.reloads_refused),
        }
    }
}
