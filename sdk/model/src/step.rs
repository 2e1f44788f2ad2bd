//! The safety steps of the create protocol, each of which can be left out.

/// One thing the protocol does so that no second record is ever made. The order is that of a create's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SafetyStep {
    /// One owner per source record, target and incarnation, committed before anything is sent.
    Reservation,
    /// The intent is committed with the reservation: from then on it may have been sent.
    CommittedIntent,
    /// An intent that has waited too long is not sent any more.
    SendAtOnce,
    /// The create carries the id of the record it is made for.
    InverseIdInCreateBody,
    /// The idempotency key belongs to the incarnation and not to the attempt.
    StableKey,
    /// No answer is not a refusal.
    UnknownIsNotFailed,
    /// A lookup counts only when no request can land any more.
    RequestLifeWait,
    /// A lookup counts only when the search shows everything that has landed.
    IndexLagWait,
    /// A key is not used any more when its request might land after the key is forgotten.
    KeyMargin,
    /// The age of the key is looked at again in the transaction that sends again.
    KeyAgeAtResend,
    /// Where the target promises nothing, a person is asked and nothing is sent again.
    AskAPerson,
    /// Whoever sends again says which attempt it is that he saw fail; only one can.
    ComparedResend,
    /// What became of an attempt is written only while it is the newest attempt.
    OutcomeOfItsAttempt,
    /// A known outcome is not changed by a later guess.
    KnownStays,
    /// A refused repeat does not free the reservation while the first request may have been applied.
    RefusalKnowsItsPast,
    /// A repeat that was not sent goes on waiting for what was sent before it.
    NotSentKnowsItsPast,
    /// What a 409 names is adopted only if it carries the id of the record it was made for.
    AdoptOnlyWhatPointsBack,
    /// A record found by its inverse id is adopted only if the other side points back or nowhere.
    BothSidesVerified,
    /// The new id is committed by `create` itself, before the next node runs.
    AnswerKeptBeforePersist,
    /// A record has one counterpart: the key of the mapping.
    UniquePair,
    /// The source record is signed with its counterpart's id.
    SignedSource,
    /// What is known of a deleted source closes its reservation.
    ClosedBySourceGone,
    /// One hand per record at a time.
    Lane,
    /// The database has one owner, by a lock that ends with the process and not with a time.
    OwnerLock,
    /// A restored backup is noticed; then every create begins with a search.
    Epoch,
}

/// Whether the nodes do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The nodes and the store do it.
    Kept,
    /// The design asks for it or this model has found it missing; the nodes and the store do not do it yet.
    Wanted,
}

impl SafetyStep {
    /// All of them. That none is missing is a test.
    pub const ALL: [Self; 25] = [
        Self::Reservation,
        Self::CommittedIntent,
        Self::SendAtOnce,
        Self::InverseIdInCreateBody,
        Self::StableKey,
        Self::UnknownIsNotFailed,
        Self::RequestLifeWait,
        Self::IndexLagWait,
        Self::KeyMargin,
        Self::KeyAgeAtResend,
        Self::AskAPerson,
        Self::ComparedResend,
        Self::OutcomeOfItsAttempt,
        Self::KnownStays,
        Self::RefusalKnowsItsPast,
        Self::NotSentKnowsItsPast,
        Self::AdoptOnlyWhatPointsBack,
        Self::BothSidesVerified,
        Self::AnswerKeptBeforePersist,
        Self::UniquePair,
        Self::SignedSource,
        Self::ClosedBySourceGone,
        Self::Lane,
        Self::OwnerLock,
        Self::Epoch,
    ];

    /// Whether the nodes do it.
    pub const fn standing(self) -> Standing {
        match self {
            Self::Epoch => Standing::Wanted,
            _ => Standing::Kept,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of steps: the protocol that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(u32);

impl Steps {
    /// All of them.
    pub const ALL: Self = Self((1 << SafetyStep::ALL.len()) - 1);

    /// None of them.
    pub const NONE: Self = Self(0);

    /// The same with one more.
    #[must_use]
    pub const fn with(self, step: SafetyStep) -> Self {
        Self(self.0 | step.bit())
    }

    /// The same without one.
    #[must_use]
    pub const fn without(self, step: SafetyStep) -> Self {
        Self(self.0 & !step.bit())
    }

    /// Those that the nodes do today.
    pub fn kept() -> Self {
        let wanted = SafetyStep::ALL.into_iter().filter(|step| step.standing() == Standing::Wanted);
        wanted.fold(Self::ALL, Self::without)
    }

    /// Whether one is in it.
    pub const fn has(self, step: SafetyStep) -> bool {
        self.0 & step.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_steps_is_whole_and_in_order() {
        for (place, step) in SafetyStep::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, place);
        }
        // A step that is added to the enum and not to the list moves the last one away from its end.
        assert_eq!(SafetyStep::Epoch as usize + 1, SafetyStep::ALL.len());
    }

    #[test]
    fn a_step_that_is_left_out_is_out_and_no_other() {
        for left_out in SafetyStep::ALL {
            let steps = Steps::ALL.without(left_out);
            assert!(SafetyStep::ALL.into_iter().all(|step| steps.has(step) == (step != left_out)));
        }
    }
}
