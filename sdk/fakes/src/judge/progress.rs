//! Progress: how far a trial is, for whoever waits for it.

use std::sync::{Arc, Mutex};

/// What a trial is busy with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Both systems and the program are started.
    #[default]
    Starting,
    /// Those who are known on both sides from the start are made, without any fault.
    Preparing,
    /// People work, calls and webhooks go wrong, the program is killed.
    Trouble,
    /// All is well again; it is waited for quiet, and for what is left to be healed.
    Healing,
    /// It is watched whether the program writes on although nobody does anything.
    Watching,
}

/// How far a trial is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What it is busy with.
    pub phase: Phase,
    /// Things people have done in the trouble.
    pub edits: usize,
    /// Kills so far.
    pub kills: u32,
}

/// How far a trial is now; clones look at the same trial.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Step>>);

impl Progress {
    /// As of now.
    pub fn step(&self) -> Step {
        *self.0.lock().expect("nobody panics holding it")
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.change(|step| {
            step.phase = phase;
            if phase == Phase::Trouble {
                step.edits = 0;
            }
        });
    }

    pub(crate) fn edited(&self) {
        self.change(|step| step.edits += 1);
    }

    pub(crate) fn killed(&self) {
        self.change(|step| step.kills += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Step)) {
        change(&mut self.0.lock().expect("nobody panics holding it"));
    }
}
