//! Mishap: one thing that went wrong, named so that it can be made to happen again, or not.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

use crate::wall::Wall;

/// What went wrong with one call or delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Mishap {
    /// What it happened to.
    pub moment: Moment,
    /// As in [`Faults`](crate::Faults), without `_rate`.
    pub name: &'static str,
}

/// Which call or delivery it was. It does not depend on those of other moments, so it stays the same one when something
/// that has nothing to do with it is left out of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Moment {
    /// When it began, by the wall.
    pub at_ms: i64,
    /// The method of the call; `webhook` for a delivery.
    pub method: &'static str,
    /// The kind of path of the call, or `delivery`.
    pub path: &'static str,
    /// Its number among those of its kind in the same millisecond, from 0.
    pub nth: u32,
}

/// A method and a kind of path.
type Kind = (&'static str, &'static str);

/// The moments of a server whose time is simulated, and what went wrong at them.
#[derive(Debug)]
pub(crate) struct Moments {
    wall: Wall,
    /// Of each kind, when the last ones began and how many there were then.
    begun: Mutex<HashMap<Kind, (i64, u32)>>,
    only: Mutex<Option<BTreeSet<Mishap>>>,
    struck: Mutex<Vec<Mishap>>,
}

impl Moments {
    pub(crate) fn new(wall: Wall) -> Self {
        Self { wall, begun: Mutex::default(), only: Mutex::default(), struck: Mutex::default() }
    }

    /// Something begins now.
    pub(crate) fn begin(&self, method: &'static str, path: &'static str) -> Moment {
        let at_ms = self.wall.now_ms();
        let mut begun = held(&self.begun);
        let last = begun.entry((method, path)).or_insert((at_ms, 0));
        *last = if last.0 == at_ms { (at_ms, last.1 + 1) } else { (at_ms, 1) };
        Moment { at_ms, method, path, nth: last.1 - 1 }
    }

    /// Whether what chance has in mind may happen; if so, it is noted.
    pub(crate) fn strike(&self, moment: Moment, name: &'static str) -> bool {
        let mishap = Mishap { moment, name };
        let strikes = held(&self.only).as_ref().is_none_or(|only| only.contains(&mishap));
        if strikes {
            held(&self.struck).push(mishap);
        }
        strikes
    }

    /// Of what chance has in mind, nothing but this happens.
    pub(crate) fn allow_only(&self, mishaps: BTreeSet<Mishap>) {
        *held(&self.only) = Some(mishaps);
    }

    /// What went wrong so far, in order.
    pub(crate) fn struck(&self) -> Vec<Mishap> {
        held(&self.struck).clone()
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nobody panics holding it")
}
