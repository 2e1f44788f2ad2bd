//! Trouble: counts the operations of a run, and lets exactly one of them go wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What may go wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// A port does nothing, and says so.
    PortRefuses,
    /// A port changes what it was asked to, and says that it did not.
    PortForgets,
    /// The program dies when a port has changed what it was asked to, and starts again on the same file.
    PortThenDeath,
    /// A call does not leave the machine.
    CallNotSent,
    /// A call leaves, and never arrives.
    CallLost,
    /// A write is carried out, and its answer is lost.
    AnswerLost,
    /// A write is carried out after whoever made it has given up.
    CallLate,
    /// The system answers 500 and does nothing.
    Answer500,
    /// The system answers 429 and does nothing.
    Answer429,
    /// The program dies while a write is under way, which is carried out.
    CallThenDeath,
    /// A webhook does not arrive; it is sent again.
    WebhookLost,
    /// A webhook is taken, and the answer to it is lost; it is sent again.
    ThanksLost,
    /// When the clock is read, it has been set an hour ahead.
    ClockAhead,
    /// When the clock is read, it has been set ten minutes back.
    ClockBack,
    /// A timer goes off half a minute late.
    TimerLate,
}

/// Operations that go wrong in the same ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    /// A method of a port that only looks: to fail is all that can happen to it.
    Look,
    /// A method of a port that changes something.
    Change,
    /// A call that only asks: whether it gets there and is not answered, or does not get there, is the same to it.
    Ask,
    /// A call that writes.
    Send,
    Webhook,
    Reading,
    Timer,
}

impl Failure {
    pub(super) const ALL: [Self; 15] = [
        Self::PortRefuses,
        Self::PortForgets,
        Self::PortThenDeath,
        Self::CallNotSent,
        Self::CallLost,
        Self::AnswerLost,
        Self::CallLate,
        Self::Answer500,
        Self::Answer429,
        Self::CallThenDeath,
        Self::WebhookLost,
        Self::ThanksLost,
        Self::ClockAhead,
        Self::ClockBack,
        Self::TimerLate,
    ];

    /// What it happens to.
    pub(super) fn layers(self) -> &'static [Layer] {
        match self {
            Self::PortRefuses => &[Layer::Look, Layer::Change],
            Self::PortForgets | Self::PortThenDeath => &[Layer::Change],
            Self::CallNotSent | Self::CallLost | Self::Answer500 | Self::Answer429 => &[Layer::Ask, Layer::Send],
            Self::AnswerLost | Self::CallLate | Self::CallThenDeath => &[Layer::Send],
            Self::WebhookLost | Self::ThanksLost => &[Layer::Webhook],
            Self::ClockAhead | Self::ClockBack => &[Layer::Reading],
            Self::TimerLate => &[Layer::Timer],
        }
    }

    /// As the page names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PortRefuses => "a port does nothing, and says so",
            Self::PortForgets => "a port changes something, and says that it did not",
            Self::PortThenDeath => "a port changes something, and the program dies",
            Self::CallNotSent => "a call is not sent",
            Self::CallLost => "a call is lost on its way",
            Self::AnswerLost => "a write is carried out, and its answer is lost",
            Self::CallLate => "a write is carried out after it was given up",
            Self::Answer500 => "a call is answered 500",
            Self::Answer429 => "a call is answered 429",
            Self::CallThenDeath => "the program dies while a write is under way",
            Self::WebhookLost => "a webhook does not arrive",
            Self::ThanksLost => "the answer to a webhook is lost",
            Self::ClockAhead => "the clock is set an hour ahead",
            Self::ClockBack => "the clock is set ten minutes back",
            Self::TimerLate => "a timer is half a minute late",
        }
    }
}

/// Which operation goes wrong, and how: the so-many-th of those that the failure can happen to, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) failure: Failure,
    pub(super) at: usize,
}

/// Operations by what they are called, and how often each was met.
pub(super) type Met = BTreeMap<(Layer, String), usize>;

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// Nothing goes wrong any more, and nothing is counted.
    over: bool,
    count: usize,
    met: Met,
    struck: Option<String>,
}

/// What every operation of a run meets before it happens.
#[derive(Default)]
pub(super) struct Trouble(Mutex<State>);

impl Trouble {
    pub(super) fn of(plan: Option<Plan>) -> Self {
        Self(Mutex::new(State { plan, ..State::default() }))
    }

    /// An operation is about to happen. Answers what goes wrong with it.
    pub(super) fn meet(&self, layer: Layer, name: &str) -> Option<Failure> {
        let mut state = self.0.lock().unwrap();
        if state.over {
            return None;
        }
        *state.met.entry((layer, name.to_owned())).or_default() += 1;
        let plan = state.plan.filter(|plan| plan.failure.layers().contains(&layer))?;
        state.count += 1;
        if state.count != plan.at {
            return None;
        }
        state.struck = Some(name.to_owned());
        Some(plan.failure)
    }

    /// From now on all is well.
    pub(super) fn end(&self) {
        self.0.lock().unwrap().over = true;
    }

    /// What has gone wrong.
    pub(super) fn struck(&self) -> Option<String> {
        self.0.lock().unwrap().struck.clone()
    }

    /// What was met until the trouble was over.
    pub(super) fn met(&self) -> Met {
        self.0.lock().unwrap().met.clone()
    }
}
