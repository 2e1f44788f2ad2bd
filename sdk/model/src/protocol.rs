//! The protocol: what a worker does between one look at the world and the next, as the nodes do it. A node that asks the
//! store or a system twice takes two steps here.

use crate::database::{Adopted, Look};
use crate::event::Event;
use crate::scenario::{Class, Pause, Scenario};
use crate::state::{Answer, Doing, KEY_TTL, Operation, PACKETS, Packet, Sin, Stand, State, Worker};
use crate::step::{SafetyStep, Steps};

/// A protocol: our own, whole or with steps left out, or one that others have published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// What it does for safety.
    pub steps: Steps,
    /// The idempotency key is the event's.
    pub key_per_event: bool,
    /// A create that is not under way is sent again, whatever the target promises.
    pub blind: bool,
}

impl Protocol {
    /// Ours, whole.
    pub const OURS: Self = Self { steps: Steps::ALL, key_per_event: false, blind: false };

    /// The same without a step.
    #[must_use]
    pub const fn without(self, step: SafetyStep) -> Self {
        Self { steps: self.steps.without(step), ..self }
    }

    pub(crate) const fn has(&self, step: SafetyStep) -> bool {
        self.steps.has(step)
    }

    /// Whether a request with the key of this operation lands before the key is forgotten. The margin is one tick.
    pub(crate) fn trusts_key(&self, operation: &Operation) -> bool {
        operation.key_age < KEY_TTL - u8::from(self.has(SafetyStep::KeyMargin))
    }
}

/// What a step of a worker is taken with.
pub(crate) struct Turn<'a> {
    pub(crate) protocol: &'a Protocol,
    pub(crate) scenario: &'a Scenario,
    pub(crate) state: &'a State,
    pub(crate) out: &'a mut Vec<(Event, State)>,
}

impl Turn<'_> {
    fn has(&self, step: SafetyStep) -> bool {
        self.protocol.has(step)
    }

    /// Something happens by a worker's doing.
    fn put(&mut self, index: usize, text: &'static str, change: impl FnOnce(&mut State, &mut Worker)) {
        let mut state = *self.state;
        let mut worker = state.workers[index];
        let (system, slot, other) = (worker.system, worker.slot, worker.other);
        change(&mut state, &mut worker);
        state.workers[index] = worker;
        // What the worker learned in this step is told with it.
        let other = if other == 0 { worker.other } else { other };
        let event = Event { worker: Some(index as u8), text, system, slot, other: other.saturating_sub(1) };
        self.out.push((event, state));
    }

    /// A worker ends its walk.
    fn rest(&mut self, index: usize, text: &'static str) {
        self.put(index, text, |_, worker| *worker = Worker::default());
    }

    /// A worker ends its walk and leaves a question to a person.
    fn ask(&mut self, index: usize, text: &'static str) {
        self.put(index, text, |state, worker| {
            state.open_case(worker.system, worker.slot);
            *worker = Worker::default();
        });
    }

    /// An idle worker takes a record that is not in order, and reads it.
    pub(crate) fn start(&mut self, index: usize, system: u8, slot: u8) {
        let record = *self.state.record(system, slot);
        let mut state = *self.state;
        state.workers[index] = Worker {
            doing: Doing::Resolve,
            system,
            slot,
            present: record.lives(),
            other: if record.lives() { record.inverse } else { 0 },
            ..Worker::default()
        };
        let text = if record.lives() { "reads {R}" } else { "reads {R} and is told that it is gone" };
        self.out.push((Event { worker: Some(index as u8), text, system, slot, other: 0 }, state));
    }

    /// Everything a worker can do next.
    pub(crate) fn work(&mut self, index: usize) {
        let worker = self.state.workers[index];
        match worker.doing {
            Doing::Nothing => {}
            Doing::Resolve if !worker.present => {
                let protocol = *self.protocol;
                self.put(index, "remembers that {R} is gone", |state, worker| {
                    state.deactivate(&protocol, worker.system, worker.slot);
                    *worker = Worker::default();
                });
            }
            Doing::Resolve => self.resolve(index, &worker),
            Doing::Claim => self.claim(index, false),
            Doing::Verify => self.verify(index, &worker),
            Doing::VerifyAlone => self.verify_alone(index, &worker),
            Doing::ClaimVerified => self.claim(index, true),
            Doing::Create => self.create(index, &worker),
            Doing::Glance => self.glance(index, &worker),
            Doing::SendAgain => self.send_again(index),
            Doing::LookEarly => self.look_early(index, &worker),
            Doing::LookUp => self.look_up(index, &worker),
            Doing::Adopt => self.adopt(index, "adopts {O} for {R}", false),
            Doing::Send => self.send(index, &worker),
            Doing::Sending => self.leave(index),
            Doing::Wait => self.wait(index, &worker),
            Doing::ReadNamed => self.read_named(index, &worker),
            Doing::Persist => self.persist(index),
            Doing::Sign => self.put(index, "signs the records of the pair with each other's ids", |state, worker| {
                sign(state, worker.system, worker.slot);
                *worker = Worker::default();
            }),
        }
    }

    fn resolve(&mut self, index: usize, worker: &Worker) {
        let signs = self.has(SafetyStep::SignedSource);
        match self.state.look(worker.system, worker.slot) {
            Look::Found if signs => self.put(index, "finds the pair of {R}", |_, worker| {
                *worker = Worker { doing: Doing::Sign, system: worker.system, slot: worker.slot, ..Worker::default() };
            }),
            Look::Found => self.rest(index, "finds the pair of {R}"),
            // It was read and was there: it is taken for back.
            Look::Inactive if self.state.record(worker.system, worker.slot).deleted => {
                self.put(index, "takes {R} for back", |state, worker| {
                    state.reactivate(worker.system, worker.slot);
                    *worker = Worker::default();
                });
            }
            Look::Closed => self.put(index, "takes {R} for back", |state, worker| {
                state.reactivate(worker.system, worker.slot);
            }),
            Look::Inactive => self.rest(index, "finds that the counterpart of {R} is gone"),
            Look::Open if self.is_under_way(worker) => self.rest(index, "finds that {R} is being created and waits"),
            Look::Open => self.put(index, "finds an open create of {R}", to_create),
            Look::Missing if worker.other == 0 => self.put(index, "finds nothing about {R}", to_create),
            Look::Missing => self.put(index, "finds nothing about {R}, but {R} names {O}", |_, worker| {
                worker.doing = Doing::Claim;
            }),
        }
    }

    fn is_under_way(&self, worker: &Worker) -> bool {
        let operation = self.state.operation(worker.system, worker.slot);
        operation.stand == Stand::Pending && operation.young
    }

    fn claim(&mut self, index: usize, verified: bool) {
        let protocol = *self.protocol;
        self.put(index, "asks to pair {R} with {O}, which it names", |state, worker| {
            let Worker { system, slot, other, .. } = *worker;
            let adopted = state.adopt(&protocol, system, slot, other - 1, verified);
            let doing = match adopted {
                Adopted::Paired if protocol.has(SafetyStep::SignedSource) => Doing::Sign,
                Adopted::Unverified if !verified => Doing::Verify,
                Adopted::Paired | Adopted::Inactive | Adopted::Unverified => Doing::Nothing,
                Adopted::Copy => {
                    state.open_case(system, slot);
                    Doing::Nothing
                }
            };
            *worker = match doing {
                Doing::Nothing => Worker::default(),
                Doing::Verify => Worker { doing, ..*worker },
                _ => Worker { doing, system, slot, ..Worker::default() },
            };
        });
    }

    fn verify(&mut self, index: usize, worker: &Worker) {
        let named = self.state.record(1 - worker.system, worker.other - 1);
        if !named.lives() {
            self.rest(index, "finds that {O} is gone and leaves {R} alone");
        } else if named.inverse != 0 && named.inverse != worker.slot + 1 {
            self.ask(index, "finds that {O} names another than {R}, and asks a person");
        } else {
            self.put(index, "finds that {O} does not name another than {R}", |_, worker| {
                worker.doing = Doing::VerifyAlone;
            });
        }
    }

    fn verify_alone(&mut self, index: usize, worker: &Worker) {
        let hits = self.state.find(worker.system, worker.other);
        if !self.state.record(worker.system, worker.slot).visible {
            self.rest(index, "does not find {R} in the search yet");
        } else if hits.count > 1 {
            self.put(index, "finds that several records name {O}, and asks a person", |state, worker| {
                state.cases[usize::from(worker.system)] |= hits.slots;
                *worker = Worker::default();
            });
        } else {
            self.put(index, "finds that only {R} names {O}", |_, worker| worker.doing = Doing::ClaimVerified);
        }
    }

    fn create(&mut self, index: usize, worker: &Worker) {
        let (protocol, class) = (*self.protocol, self.scenario.class);
        if !self.has(SafetyStep::Reservation) {
            self.put(index, "decides to create a counterpart of {R}", |_, worker| {
                *worker = Worker { doing: Doing::Send, incarnation: 1, attempt: 1, ..*worker };
            });
            return;
        }
        let operation = *self.state.operation(worker.system, worker.slot);
        match self.state.look(worker.system, worker.slot) {
            Look::Found => self.rest(index, "finds that somebody was faster with {R}"),
            Look::Inactive | Look::Closed => self.rest(index, "finds that {R} or its counterpart is gone"),
            Look::Missing => {
                let text = if self.state.epoch {
                    "reserves {R}, and takes it for sent before the backup"
                } else {
                    "reserves {R} and commits the intent"
                };
                self.put(index, text, |state, worker| {
                    if state.reserve(&protocol, class, worker) {
                        worker.doing = Doing::Send;
                    } else {
                        *worker = Worker::default();
                    }
                });
            }
            Look::Open if operation.stand == Stand::Committed => {
                self.put(index, "finds in the ledger what was made for {R}: {O}", |_, worker| {
                    worker.doing = Doing::Persist;
                    worker.other = operation.target;
                    worker.incarnation = operation.incarnation;
                });
            }
            Look::Open => {
                let (doing, text) = self.recovery(worker);
                match doing {
                    Doing::Nothing if text.is_empty() => {
                        self.put(index, "cannot know whether {R} was created, and asks a person", |state, worker| {
                            state.open_case(worker.system, worker.slot);
                            if operation.answered {
                                state.sin = Sin::Forgotten;
                            }
                            *worker = Worker::default();
                        });
                    }
                    Doing::Nothing => self.rest(index, text),
                    _ => self.put(index, text, |_, worker| {
                        worker.doing = doing;
                        worker.incarnation = operation.incarnation;
                        worker.attempt = operation.attempt;
                    }),
                }
            }
        }
    }

    /// How an open create is taken up. No text: a person is asked.
    fn recovery(&self, worker: &Worker) -> (Doing, &'static str) {
        const AGAIN: &str = "decides to send the create of {R} again";
        const GLANCE: &str = "decides to send the create of {R} again if nothing is seen of it";
        let operation = self.state.operation(worker.system, worker.slot);
        if operation.stand == Stand::NotSent {
            return (Doing::SendAgain, AGAIN);
        }
        if operation.stand == Stand::Pending && operation.young {
            return (Doing::Nothing, "finds that {R} is being created and waits");
        }
        if self.protocol.blind {
            return (Doing::SendAgain, AGAIN);
        }
        match self.scenario.class {
            Class::A => return (Doing::Glance, GLANCE),
            Class::B if self.protocol.trusts_key(operation) => return (Doing::Glance, GLANCE),
            Class::D if !self.has(SafetyStep::AskAPerson) => return (Doing::SendAgain, AGAIN),
            Class::D => return (Doing::Nothing, ""),
            Class::B | Class::C => {}
        }
        if !self.has(SafetyStep::InverseIdInCreateBody) {
            return (Doing::Nothing, "");
        }
        if operation.wait > 0 {
            return (Doing::LookEarly, "decides to look early for what was made for {R}");
        }
        (Doing::LookUp, "decides to look for what was made for {R}")
    }

    fn send_again(&mut self, index: usize) {
        let (protocol, class) = (*self.protocol, self.scenario.class);
        let mut won = false;
        let mut state = *self.state;
        let mut worker = state.workers[index];
        if state.resend(&protocol, class, &mut worker) {
            won = true;
        }
        let text = if won { "commits that the create of {R} is sent again" } else { "finds {R} in other hands" };
        self.put(index, text, |into, to| {
            if won {
                *into = state;
                *to = Worker { doing: Doing::Send, other: 0, clean: false, ..worker };
            } else {
                *to = Worker::default();
            }
        });
    }

    /// What is not seen says nothing, and neither does a look that fails: the target keeps a second one away.
    fn glance(&mut self, index: usize, worker: &Worker) {
        let hits = self.state.find(1 - worker.system, worker.slot + 1);
        if hits.count == 1 {
            self.put(index, "sees {O}, made for {R}", |_, worker| {
                worker.doing = Doing::Adopt;
                worker.other = hits.slot + 1;
            });
        } else if hits.count > 1 {
            self.ask(index, "sees several records made for {R}, and asks a person");
        }
        self.put(index, "sees nothing made for {R}", |_, worker| worker.doing = Doing::SendAgain);
    }

    fn look_early(&mut self, index: usize, worker: &Worker) {
        let hits = self.state.find(1 - worker.system, worker.slot + 1);
        if hits.count == 1 {
            self.put(index, "finds {O}, made for {R}", |_, worker| {
                worker.doing = Doing::Adopt;
                worker.other = hits.slot + 1;
            });
        } else {
            self.rest(index, "does not find one, which says nothing yet");
        }
    }

    fn look_up(&mut self, index: usize, worker: &Worker) {
        let hits = self.state.find(1 - worker.system, worker.slot + 1);
        match hits.count {
            0 => self.put(index, "finds nothing made for {R}", |_, worker| {
                worker.doing = Doing::SendAgain;
                worker.clean = true;
            }),
            1 => self.put(index, "finds {O}, made for {R}", |_, worker| {
                worker.doing = Doing::Adopt;
                worker.other = hits.slot + 1;
            }),
            _ => self.ask(index, "finds several records made for {R}, and asks a person"),
        }
    }

    /// Adopts what was found for the source.
    fn adopt(&mut self, index: usize, text: &'static str, verified: bool) {
        let protocol = *self.protocol;
        self.put(index, text, |state, worker| {
            let Worker { system, slot, other, .. } = *worker;
            if let Adopted::Copy = state.adopt(&protocol, 1 - system, other - 1, slot, verified) {
                state.open_case(system, slot);
            }
            *worker = Worker::default();
        });
    }

    fn send(&mut self, index: usize, worker: &Worker) {
        let (protocol, class) = (*self.protocol, self.scenario.class);
        if worker.stale && self.has(SafetyStep::SendAtOnce) {
            self.put(index, "finds its intent for {R} too old and does not send it", |state, worker| {
                state.settle(&protocol, class, worker, Stand::NotSent);
                *worker = Worker::default();
            });
            return;
        }
        self.leave(index);
        let budget = self.state.budget;
        if self.scenario.pause == Pause::AfterTheClock && budget.pauses > 0 {
            self.put(index, "is put to sleep in the middle of sending {R}", |state, worker| {
                state.budget.pauses -= 1;
                worker.doing = Doing::Sending;
            });
        }
        if budget.unsent > 0 {
            self.put(index, "cannot send the create of {R} (429)", |state, worker| {
                state.budget.unsent -= 1;
                state.settle(&protocol, class, worker, Stand::NotSent);
                *worker = Worker::default();
            });
        }
        if budget.refusals > 0 {
            self.put(index, "is told that the create of {R} is refused", |state, worker| {
                state.budget.refusals -= 1;
                state.settle(&protocol, class, worker, Stand::Failed);
                *worker = Worker::default();
            });
        }
    }

    /// The request leaves.
    fn leave(&mut self, index: usize) {
        let key = match (self.scenario.class, self.protocol.key_per_event) {
            (Class::B, true) => index as u8 + 1,
            (Class::B, false) if self.has(SafetyStep::StableKey) => self.state.workers[index].incarnation,
            (Class::B, false) => self.state.workers[index].attempt,
            _ => 0,
        };
        let free = self.state.packets.iter().position(|packet| !packet.is);
        let free = free.unwrap_or_else(|| panic!("`{}` needs more than {PACKETS} requests", self.scenario.name));
        self.put(index, "sends the create of {R}", |state, worker| {
            let Worker { system, slot, .. } = *worker;
            state.packets[free] = Packet { is: true, system, slot, key, owner: index as u8 + 1, old: false };
            worker.doing = Doing::Wait;
            worker.stale = false;
        });
    }

    fn wait(&mut self, index: usize, worker: &Worker) {
        let (protocol, class) = (*self.protocol, self.scenario.class);
        match worker.answer {
            Answer::None => {}
            Answer::Made => self.put(index, "gets the answer: {O} is made for {R}", |state, worker| {
                if state.settle_made(&protocol, worker, worker.other - 1) {
                    worker.doing = Doing::Persist;
                    worker.answer = Answer::None;
                    worker.attempt = 0;
                } else {
                    *worker = Worker::default();
                }
            }),
            Answer::Exists => self.put(index, "gets the answer 409 for {R}, naming {O}", |state, worker| {
                state.settle(&protocol, class, worker, Stand::Failed);
                worker.doing = Doing::ReadNamed;
                worker.answer = Answer::None;
            }),
        }
        if self.state.budget.losses == 0 {
            return;
        }
        let owner = index as u8 + 1;
        let own = self.state.packets.iter().position(|packet| packet.is && packet.owner == owner);
        let may_be_late = own.is_some() && self.scenario.late;
        let mut give_up = |text: &'static str, stays: bool| {
            self.put(index, text, |state, worker| {
                state.budget.losses -= 1;
                if let Some(own) = own {
                    if stays {
                        state.packets[own].owner = 0;
                    } else {
                        state.packets[own] = Packet::default();
                    }
                }
                state.settle(&protocol, class, worker, Stand::Unknown);
                *worker = Worker::default();
            });
        };
        match own {
            None => give_up("gets no answer about {R}: it is lost on its way back", false),
            Some(_) => give_up("gets no answer about {R}: the request is lost on its way", false),
        }
        if may_be_late {
            give_up("gives up waiting for {R}, whose request is still on its way", true);
        }
    }

    fn read_named(&mut self, index: usize, worker: &Worker) {
        let points_back = self.state.record(1 - worker.system, worker.other - 1).inverse == worker.slot + 1;
        if points_back {
            self.adopt(index, "reads {O}, which names {R}, and adopts it", true);
        } else if !self.has(SafetyStep::AdoptOnlyWhatPointsBack) {
            self.adopt(index, "adopts {O} for {R} because the 409 has named it", true);
        } else {
            self.ask(index, "reads {O}, which does not name {R}, and asks a person");
        }
    }

    fn persist(&mut self, index: usize) {
        let protocol = *self.protocol;
        self.put(index, "writes the pair of {R} and {O}", |state, worker| {
            let Worker { system, slot, other, .. } = *worker;
            let active = state.persist(&protocol, system, slot, other - 1);
            let signs = active == Some(true) && protocol.has(SafetyStep::SignedSource);
            *worker = if signs {
                Worker { doing: Doing::Sign, system, slot, ..Worker::default() }
            } else {
                Worker::default()
            };
        });
    }
}

fn to_create(_: &mut State, worker: &mut Worker) {
    worker.doing = Doing::Create;
    worker.other = 0;
}

/// Both records of a pair get each other's ids, if they are there and carry none.
fn sign(state: &mut State, system: u8, slot: u8) {
    let Some((other, true)) = state.pair_of(system, slot) else { return };
    for (system, slot, other) in [(system, slot, other), (1 - system, other, slot)] {
        let record = state.record_mut(system, slot);
        if record.lives() && record.inverse == 0 {
            record.inverse = other + 1;
        }
    }
}
