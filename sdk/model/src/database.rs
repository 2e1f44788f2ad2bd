//! The database: every function is one transaction of the store, as `sdk/store/src/pairs` does it.

use crate::protocol::Protocol;
use crate::scenario::Class;
use crate::state::{KEY_TTL, Operation, SLOTS, Sin, Stand, State, Worker, cell};
use crate::step::SafetyStep;

/// What stands in the mapping.
pub(crate) enum Look {
    Missing,
    Found,
    Inactive,
    Closed,
    Open,
}

/// What became of an adoption.
pub(crate) enum Adopted {
    Paired,
    Copy,
    Inactive,
    Unverified,
}

/// The longest wait for a lookup: after the intent, its deadline, the life of its request, and the index lag. Each is one
/// tick long.
fn wait(protocol: &Protocol, class: Class, from_intent: bool) -> u8 {
    if matches!(class, Class::A | Class::D) {
        return 0;
    }
    u8::from(from_intent)
        + u8::from(protocol.has(SafetyStep::RequestLifeWait))
        + u8::from(protocol.has(SafetyStep::IndexLagWait))
}

impl State {
    pub(crate) fn look(&self, system: u8, slot: u8) -> Look {
        let operation = self.operation(system, slot);
        match self.pair_of(system, slot) {
            Some((_, true)) => Look::Found,
            Some((_, false)) => Look::Inactive,
            None if operation.incarnation == 0 => Look::Missing,
            None if operation.closed => Look::Closed,
            None if operation.stand == Stand::Failed => Look::Missing,
            None => Look::Open,
        }
    }

    /// Reserves for a record of which nothing stands anywhere. Answers whether the intent may be sent.
    pub(crate) fn reserve(&mut self, protocol: &Protocol, class: Class, worker: &mut Worker) -> bool {
        let noticed = self.epoch;
        let operation = self.operation_mut(worker.system, worker.slot);
        let before = *operation;
        *operation = Operation {
            incarnation: before.incarnation + 1,
            // A reservation without an intent does not say whether anything was sent.
            stand: if protocol.has(SafetyStep::CommittedIntent) { Stand::Pending } else { Stand::NotSent },
            attempt: 1,
            young: true,
            wait: wait(protocol, class, true),
            clean: true,
            gone: before.gone,
            ..Operation::default()
        };
        if noticed {
            // It may have been sent before the backup was put in place, nobody knows when.
            operation.stand = Stand::Unknown;
            operation.young = false;
            operation.clean = false;
            operation.key_age = if class == Class::B { KEY_TTL } else { 0 };
            operation.wait = wait(protocol, class, false);
        }
        worker.incarnation = operation.incarnation;
        worker.attempt = 1;
        worker.stale = false;
        self.blame(before.answered, before.gone);
        !noticed
    }

    /// Makes an operation ready to be sent once more. Answers whether it is this worker who may.
    pub(crate) fn resend(&mut self, protocol: &Protocol, class: Class, worker: &mut Worker) -> bool {
        let operation = *self.operation(worker.system, worker.slot);
        let waits = match operation.stand {
            Stand::Unknown | Stand::NotSent => true,
            Stand::Pending => !operation.young,
            Stand::Committed | Stand::Failed => false,
        };
        let is_seen = !protocol.has(SafetyStep::ComparedResend) || operation.attempt == worker.attempt;
        let is_same = operation.incarnation != 0 && operation.incarnation == worker.incarnation;
        // Nothing that was sent before can have made anything.
        let clean = worker.clean || (operation.stand == Stand::NotSent && operation.clean);
        let is_late = class == Class::B && !clean && !protocol.trusts_key(&operation);
        if is_late && protocol.has(SafetyStep::KeyAgeAtResend) {
            return false;
        }
        if self.pair_of(worker.system, worker.slot).is_some() || !waits || !is_seen || !is_same {
            return false;
        }
        let stand = if protocol.has(SafetyStep::CommittedIntent) { Stand::Pending } else { operation.stand };
        *self.operation_mut(worker.system, worker.slot) = Operation {
            stand,
            young: true,
            attempt: operation.attempt + 1,
            wait: wait(protocol, class, true),
            clean,
            ..operation
        };
        worker.attempt = operation.attempt + 1;
        worker.stale = false;
        self.blame(operation.answered, operation.gone);
        true
    }

    /// Notes what it means that a request is sent again, or a person is asked.
    pub(crate) fn blame(&mut self, answered: bool, gone: bool) {
        if answered {
            self.sin = Sin::Forgotten;
        } else if gone {
            self.sin = Sin::MadeForGone;
        }
    }

    /// Writes an outcome that is no id.
    pub(crate) fn settle(&mut self, protocol: &Protocol, class: Class, worker: &Worker, stand: Stand) {
        let operation = self.operation_mut(worker.system, worker.slot);
        if operation.incarnation == 0 || operation.incarnation != worker.incarnation {
            return;
        }
        if protocol.has(SafetyStep::OutcomeOfItsAttempt) && operation.attempt != worker.attempt {
            return;
        }
        let is_known = !matches!(operation.stand, Stand::Pending | Stand::Unknown);
        if is_known && protocol.has(SafetyStep::KnownStays) {
            return;
        }
        let has_past = !operation.clean;
        operation.stand = match stand {
            Stand::Failed if has_past && protocol.has(SafetyStep::RefusalKnowsItsPast) => Stand::Unknown,
            Stand::NotSent if has_past && protocol.has(SafetyStep::NotSentKnowsItsPast) => Stand::Unknown,
            Stand::Unknown if !protocol.has(SafetyStep::UnknownIsNotFailed) => Stand::Failed,
            other => other,
        };
        operation.young = false;
        operation.wait = if operation.stand == Stand::Unknown { wait(protocol, class, false) } else { 0 };
    }

    /// Writes the id a create has made. Answers false when a create of ours has made another one, too: a case.
    pub(crate) fn settle_made(&mut self, protocol: &Protocol, worker: &Worker, made: u8) -> bool {
        let operation = self.operation_mut(worker.system, worker.slot);
        if operation.incarnation == 0 || operation.incarnation != worker.incarnation {
            return true;
        }
        operation.answered = true;
        if !protocol.has(SafetyStep::AnswerKeptBeforePersist) {
            return true;
        }
        if operation.target != 0 && operation.target != made + 1 {
            self.open_case(worker.system, worker.slot);
            return false;
        }
        operation.stand = Stand::Committed;
        operation.target = made + 1;
        operation.young = false;
        operation.wait = 0;
        true
    }

    /// Writes the pair of a source and what was made for it. Answers whether it is in use; none when one of the two is
    /// paired otherwise: a case.
    pub(crate) fn persist(&mut self, protocol: &Protocol, system: u8, slot: u8, made: u8) -> Option<bool> {
        let (of_source, of_made) = (self.pair_of(system, slot), self.pair_of(1 - system, made));
        if !protocol.has(SafetyStep::UniquePair) {
            return Some(self.give_birth(system, slot, made));
        }
        match (of_source, of_made) {
            (None, None) => Some(self.give_birth(system, slot, made)),
            (Some((other, active)), _) if other == made => Some(active),
            _ => {
                self.open_case(system, slot);
                None
            }
        }
    }

    fn give_birth(&mut self, system: u8, slot: u8, made: u8) -> bool {
        let operation = std::mem::take(self.operation_mut(system, slot));
        let active = !(operation.incarnation != 0 && operation.closed);
        if active && operation.gone {
            self.sin = Sin::MadeForGone;
        }
        self.insert_pair(system, slot, made, active);
        active
    }

    /// Adopts a record for the one of the other system that it names.
    pub(crate) fn adopt(&mut self, protocol: &Protocol, system: u8, slot: u8, names: u8, verified: bool) -> Adopted {
        let other = 1 - system;
        if protocol.has(SafetyStep::UniquePair) {
            match (self.pair_of(other, names), self.pair_of(system, slot)) {
                (Some((taken, active)), _) if taken == slot => {
                    return if active { Adopted::Paired } else { Adopted::Inactive };
                }
                (None, None) => {}
                _ => return Adopted::Copy,
            }
        }
        let operation = *self.operation(other, names);
        let is_open = operation.incarnation != 0 && operation.stand != Stand::Failed;
        if is_open {
            if operation.target != 0 && operation.target != slot + 1 {
                return Adopted::Copy;
            }
            return if self.give_birth(other, names, slot) { Adopted::Paired } else { Adopted::Inactive };
        }
        if operation.incarnation != 0 && operation.closed {
            return Adopted::Inactive;
        }
        if !verified && protocol.has(SafetyStep::BothSidesVerified) {
            return Adopted::Unverified;
        }
        if self.give_birth(other, names, slot) { Adopted::Paired } else { Adopted::Inactive }
    }

    /// Remembers that a record is gone.
    pub(crate) fn deactivate(&mut self, protocol: &Protocol, system: u8, slot: u8) {
        let operation = self.operation_mut(system, slot);
        if operation.incarnation != 0 {
            operation.gone = true;
            operation.closed = protocol.has(SafetyStep::ClosedBySourceGone);
        }
        for other in 0..SLOTS as u8 {
            let (row, bit) = cell(system, slot, other);
            self.inactive[row] |= self.pairs[row] & bit;
            self.pairs[row] &= !bit;
        }
    }

    /// Takes a record for one that is back.
    pub(crate) fn reactivate(&mut self, system: u8, slot: u8) {
        let operation = self.operation_mut(system, slot);
        operation.gone = false;
        operation.closed = false;
        for other in 0..SLOTS as u8 {
            let (row, bit) = cell(system, slot, other);
            self.pairs[row] |= self.inactive[row] & bit;
            self.inactive[row] &= !bit;
        }
    }

    /// What a start finds pending was left by a worker who is gone: nobody knows what became of it.
    pub(crate) fn recover(&mut self) {
        for operation in self.operations.iter_mut().flatten() {
            if operation.incarnation != 0 && operation.stand == Stand::Pending {
                operation.stand = Stand::Unknown;
                operation.young = false;
            }
        }
    }
}
