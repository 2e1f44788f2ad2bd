//! Kill: ends the program with SIGKILL at a named moment, for tests of the whole program and for nothing else.
//!
//! The ports are wrapped, so that nodes, store and engine know nothing of it. A program that is not asked to kill itself
//! runs without these wraps.

mod application;
mod engine;
mod pairs;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use pairline_sdk::{Application, Operation, OperationKind};
use rustix::process::{Signal, getpid, kill_process};
use tracing::warn;

use crate::composition::Stores;

/// The variable that names a moment and a count.
pub const VARIABLE: &str = "PAIRLINE_KILL_AT";

/// Between two things that happen. What is *before* or *after* it is durable or not, and that is what a kill tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Moment {
    /// A webhook is understood, and nothing of it is committed.
    InboxBefore,
    /// A webhook is committed, and not answered.
    InboxAfter,
    /// A page of changes is read; neither its hints nor its cursor are committed.
    PollBefore,
    /// They are.
    PollAfter,
    /// The program has started and has not looked what an earlier one left open.
    StartBeforeRecover,
    /// What was left open is known as such, and nobody has been told to look at it.
    StartAfterRecover,
    /// Its records wait to be looked at; the port is not open.
    StartAfterHints,
    /// A hint is handed out, and nothing was done.
    WalkBegin,
    /// All is done for a hint, and it still waits.
    WalkEnd,
    /// A create is decided and not reserved.
    CreateBeforeIntent,
    /// It is reserved with its request, and nothing has left the machine.
    CreateAfterIntent,
    /// It is on its way, and its answer is not read.
    CreateSent,
    /// Its answer is read and not written down.
    CreateAnswered,
    /// Its answer is written down, and the pair is not.
    CreateSettled,
    /// An update is decided and not written down.
    UpdateBeforeIntent,
    /// It is written down, and nothing has left the machine.
    UpdateAfterIntent,
    /// It is on its way, and its answer is not read.
    UpdateSent,
    /// Its answer is read and not written down.
    UpdateAnswered,
    /// Its answer is written down.
    UpdateSettled,
    /// A record is to be signed with its counterpart's id.
    InverseBeforeIntent,
    /// That is written down, and nothing has left the machine.
    InverseAfterIntent,
    /// It is on its way, and its answer is not read.
    InverseSent,
    /// Its answer is read and not written down.
    InverseAnswered,
    /// Its answer is written down.
    InverseSettled,
    /// A create of unknown outcome is to be sent once more.
    ResendBefore,
    /// That is written down, and nothing has left the machine.
    ResendAfter,
    /// The pair of a create is to be written.
    PersistBefore,
    /// It is written.
    PersistAfter,
    /// A record is known by the id it carries, and not taken for anybody's counterpart.
    AdoptBefore,
    /// It is, or a case is open.
    AdoptAfter,
    /// What was read is the same on both sides, and that is not written down.
    RebaseBefore,
    /// It is written down.
    RebaseAfter,
    /// A record is gone, and that is not written down.
    DeactivateBefore,
    /// It is written down.
    DeactivateAfter,
    /// Nothing old is deleted.
    PruneBefore,
    /// Old event keys are deleted, old operations are not.
    PruneBetween,
    /// Both are.
    PruneAfter,
}

impl Moment {
    /// All of them.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// As it is typed and printed.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The moment at which the life before has to end for this one to come soon, if there is one: nothing is sent once
    /// more that was not left open.
    pub fn lead(self) -> Option<Self> {
        matches!(self, Self::ResendBefore | Self::ResendAfter).then_some(Self::CreateAfterIntent)
    }
}

/// The moment at which the program ends itself; clones count together.
#[derive(Clone, Debug)]
pub struct KillAt(Arc<Countdown>);

#[derive(Debug)]
struct Countdown {
    moment: Moment,
    left: AtomicU64,
}

impl KillAt {
    /// The `count`th time it comes to a moment, from `MOMENT:COUNT`.
    ///
    /// # Errors
    ///
    /// One line that lists every moment: a mistyped one must not be a test that kills nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, count) =
            text.split_once(':').ok_or("expected a moment and a count, such as `create-sent:1`".to_owned())?;
        let moment = Moment::from_str(name, false).map_err(|_| {
            let known: Vec<String> = Moment::all().iter().map(|moment| moment.name()).collect();
            format!("no moment `{name}`; known moments: {}", known.join(", "))
        })?;
        match count.parse() {
            Ok(count @ 1..) => Ok(Self(Arc::new(Countdown { moment, left: AtomicU64::new(count) }))),
            _ => Err(format!("expected a count from 1 after `{name}:`, found `{count}`")),
        }
    }

    /// Says so in the log: nobody wants this at work.
    pub(crate) fn warn(&self) {
        let left = self.0.left.load(Ordering::Relaxed);
        warn!(moment = self.0.moment.name(), count = left, "ends itself with SIGKILL on the way");
    }

    /// Ends the program if this is the moment.
    fn pass(&self, moment: Moment) {
        if self.comes(moment) {
            end();
        }
    }

    /// Whether this is the moment, and the last time that it was to be counted.
    fn comes(&self, moment: Moment) -> bool {
        self.0.moment == moment && self.0.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

/// As a power switch would for this process: nothing is finished, flushed or closed.
fn end() -> ! {
    // A signal that nobody can catch; if it could not be sent, this ends no more gently.
    kill_process(getpid(), Signal::KILL).ok();
    std::process::abort()
}

/// The ports of an open database, with the moments around them.
pub(crate) fn around_stores(stores: Stores, kill: &KillAt) -> Stores {
    Stores {
        pairs: Arc::new(pairs::Pairs::new(stores.pairs, kill.clone())),
        engine: Arc::new(engine::Lanes::new(stores.engine, kill.clone())),
        handle: stores.handle,
    }
}

/// An application, with the moments around its writes.
pub(crate) fn around_application(inner: Arc<dyn Application>, kill: &KillAt) -> Arc<dyn Application> {
    Arc::new(application::Remote::new(inner, kill.clone()))
}

/// The moments of one kind of write.
struct Writing {
    before_intent: Moment,
    after_intent: Moment,
    sent: Moment,
    answered: Moment,
    settled: Moment,
}

const CREATE: Writing = Writing {
    before_intent: Moment::CreateBeforeIntent,
    after_intent: Moment::CreateAfterIntent,
    sent: Moment::CreateSent,
    answered: Moment::CreateAnswered,
    settled: Moment::CreateSettled,
};

const UPDATE: Writing = Writing {
    before_intent: Moment::UpdateBeforeIntent,
    after_intent: Moment::UpdateAfterIntent,
    sent: Moment::UpdateSent,
    answered: Moment::UpdateAnswered,
    settled: Moment::UpdateSettled,
};

const INVERSE: Writing = Writing {
    before_intent: Moment::InverseBeforeIntent,
    after_intent: Moment::InverseAfterIntent,
    sent: Moment::InverseSent,
    answered: Moment::InverseAnswered,
    settled: Moment::InverseSettled,
};

impl Writing {
    fn of(operation: &Operation) -> &'static Self {
        match operation.kind {
            OperationKind::Create => &CREATE,
            OperationKind::Update => Self::of_update(operation.inverse.is_some()),
        }
    }

    fn of_update(signs: bool) -> &'static Self {
        if signs { &INVERSE } else { &UPDATE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_once_at_its_count_and_no_other_moment_counts() {
        let kill = KillAt::parse("create-sent:2").unwrap();

        let came: Vec<bool> = [Moment::CreateSent, Moment::UpdateSent, Moment::CreateSent, Moment::CreateSent]
            .map(|moment| kill.comes(moment))
            .into();

        assert_eq!(came, [false, false, true, false]);
    }

    #[test]
    fn what_is_mistyped_is_refused_with_every_name() {
        for moment in Moment::all() {
            assert!(KillAt::parse(&format!("{}:1", moment.name())).is_ok(), "{moment:?}");
            assert!(KillAt::parse("craete-sent:1").unwrap_err().contains(&moment.name()), "{moment:?}");
        }
        for text in ["", "create-sent", "create-sent:", "create-sent:0", "create-sent:-1", "create-sent:x", ":1"] {
            assert!(KillAt::parse(text).is_err(), "{text}");
        }
    }
}
