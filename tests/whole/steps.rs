//! Steps: where the program stands between two looks at its store, and can be overtaken or die.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use pairline_sdk::Random;
use pairline_sdk::testing::{Director, Fate, Step};
use tokio::sync::Notify;

use super::time::SimulatedRandom;

/// Every step passes here before it is made.
pub(super) struct Steps {
    chance: SimulatedRandom,
    state: Mutex<State>,
    died: Notify,
}

#[derive(Default)]
struct State {
    /// How many more steps are made, if the program is about to die.
    left: Option<u32>,
    deaths: BTreeMap<String, u64>,
}

impl Steps {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: SimulatedRandom::new(seed ^ 0x0073_7465_7073), state: Mutex::default(), died: Notify::new() }
    }

    /// So many steps are made yet, and the next one never.
    pub(super) fn let_die_after(&self, steps: u32) {
        self.state.lock().unwrap().left = Some(steps);
    }

    /// Returns when the program has died.
    pub(super) async fn death(&self) {
        self.died.notified().await;
    }

    /// The program is dead, at a step or between two; the next one is another.
    pub(super) fn buried(&self) {
        let mut state = self.state.lock().unwrap();
        if state.left.take().is_some() {
            *state.deaths.entry("between two steps".to_owned()).or_default() += 1;
        }
    }

    /// Where it died, and how often.
    pub(super) fn deaths(&self) -> BTreeMap<String, u64> {
        self.state.lock().unwrap().deaths.clone()
    }

    fn is_last(&self, step: &Step) -> bool {
        let mut state = self.state.lock().unwrap();
        match state.left {
            None => false,
            Some(0) => {
                let name = match step {
                    Step::Store(method) => format!("before {method}"),
                    other => format!("{other:?}"),
                };
                *state.deaths.entry(name).or_default() += 1;
                state.left = None;
                true
            }
            Some(left) => {
                state.left = Some(left - 1);
                false
            }
        }
    }
}

#[async_trait]
impl Director for Steps {
    async fn direct(&self, step: Step) -> Fate {
        // Now and then somebody else goes first, as with answers that come from a disk.
        for _ in 0..self.chance.below(3) {
            tokio::task::yield_now().await;
        }
        if self.is_last(&step) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        Fate::Well
    }
}
