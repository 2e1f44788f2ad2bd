//! Recipes: ways to create a counterpart that others have published, each with what it promises to survive; and our own
//! as the nodes stand today.

use crate::checker::{Found, check};
use crate::protocol::Protocol;
use crate::scenario::{Class, Pause, SCENARIOS, Scenario};
use crate::step::{SafetyStep, Steps};
use crate::world::World;

/// No check in this crate needs more states. One that does is not what it was meant to be.
pub const STATE_LIMIT: usize = 8_000_000;

/// A protocol with the scenario in which it fails.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Its name in the table.
    pub name: &'static str,
    /// What it does.
    pub protocol: Protocol,
    /// Where.
    pub scenario: Scenario,
}

impl Recipe {
    /// Goes through all of it.
    pub fn check(&self) -> Found {
        run(&self.protocol, &self.scenario)
    }
}

/// Goes through a protocol in a scenario.
pub fn run(protocol: &Protocol, scenario: &Scenario) -> Found {
    check(&World { protocol, scenario }, STATE_LIMIT)
}

/// The recipes of others, each in a scenario of no more than it takes.
pub fn published() -> Vec<Recipe> {
    let calm = Scenario::CALM;
    let bare = Protocol { steps: Steps::NONE.with(SafetyStep::UniquePair), key_per_event: false, blind: true };
    let ours = Protocol::OURS;
    let looks = ours.without(SafetyStep::RequestLifeWait).without(SafetyStep::IndexLagWait);
    let leased = ours.without(SafetyStep::OwnerLock).without(SafetyStep::SendAtOnce);
    let keyed = ours.without(SafetyStep::KeyMargin).without(SafetyStep::KeyAgeAtResend);
    let trusting = ours.without(SafetyStep::AdoptOnlyWhatPointsBack);
    let recipe = |name, protocol, scenario| Recipe { name, protocol, scenario };
    vec![
        recipe("look up, POST, then insert a unique row", bare, calm),
        recipe(
            "the same with one worker, kills and lost answers",
            bare,
            Scenario { workers: 1, kills: 1, losses: 1, ..calm },
        ),
        recipe(
            "an idempotency key per event",
            Protocol { key_per_event: true, ..bare },
            Scenario { class: Class::B, ..calm },
        ),
        recipe(
            "a reservation row, and the POST again after a crash",
            Protocol { blind: true, ..ours },
            Scenario { kills: 1, losses: 1, ..calm },
        ),
        recipe(
            "a reservation and a lookup, slow index",
            looks,
            Scenario { class: Class::C, losses: 1, slow_index: true, ..calm },
        ),
        recipe(
            "a reservation and a lookup, late request",
            looks,
            Scenario { class: Class::C, losses: 1, late: true, ..calm },
        ),
        recipe(
            "a lease by time, stolen from one who sleeps",
            leased,
            Scenario { class: Class::C, lanes: true, theft: true, pause: Pause::BeforeTheClock, ..calm },
        ),
        recipe(
            "a key, and the POST again after it has expired",
            Protocol { blind: true, ..keyed },
            Scenario { class: Class::B, losses: 1, ..calm },
        ),
        recipe("adopt whatever the 409 names", trusting, Scenario { class: Class::A, stranger: true, ..calm }),
    ]
}

/// Ours as the nodes stand, without the steps they do not take yet, in every scenario.
pub fn as_it_stands() -> impl Iterator<Item = Recipe> {
    let protocol = Protocol { steps: Steps::kept(), ..Protocol::OURS };
    SCENARIOS.iter().map(move |scenario| Recipe { name: scenario.name, protocol, scenario: *scenario })
}

/// Ours without one step, in the scenario in which it is missed.
pub fn without(step: SafetyStep) -> Recipe {
    Recipe { name: catcher(step), protocol: Protocol::OURS.without(step), scenario: *scenario(step) }
}

fn scenario(step: SafetyStep) -> &'static Scenario {
    let name = catcher(step);
    SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap_or_else(|| panic!("there is no scenario `{name}`"))
}

/// The scenario in which a step is missed, by its name. A new step does not compile without one.
const fn catcher(step: SafetyStep) -> &'static str {
    match step {
        SafetyStep::Reservation | SafetyStep::CommittedIntent => "calm, C",
        SafetyStep::AskAPerson | SafetyStep::AnswerKeptBeforePersist => "calm, D",
        SafetyStep::StableKey | SafetyStep::KeyMargin | SafetyStep::KeyAgeAtResend => "calm, B",
        SafetyStep::SendAtOnce
        | SafetyStep::UnknownIsNotFailed
        | SafetyStep::RequestLifeWait
        | SafetyStep::IndexLagWait
        | SafetyStep::ComparedResend
        | SafetyStep::OutcomeOfItsAttempt => "asleep before sending, C",
        SafetyStep::InverseIdInCreateBody | SafetyStep::UniquePair => "a copy by hand, C",
        SafetyStep::KnownStays => "asleep before sending, B",
        SafetyStep::RefusalKnowsItsPast => "lost, then refused, with lanes, B",
        SafetyStep::NotSentKnowsItsPast => "lost, then not sent, with lanes, B",
        SafetyStep::AdoptOnlyWhatPointsBack => "a stranger in the way, A",
        SafetyStep::BothSidesVerified => "a copy by hand and a noticed backup, C",
        SafetyStep::SignedSource => "an unnoticed backup when done, C",
        SafetyStep::ClosedBySourceGone => "the source deleted, C",
        SafetyStep::Lane | SafetyStep::OwnerLock => "suspended while sending, C",
        SafetyStep::Epoch => "a noticed backup, C",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Standing;
    use crate::world::{DUPLICATE, FORGOTTEN, MADE_FOR_GONE, MAPPED_TWICE, STRANGERS};

    #[test]
    fn every_published_recipe_fails_on_a_way_a_person_can_read() {
        for recipe in published() {
            let violation = recipe.check().violation.unwrap_or_else(|| panic!("`{}` is clean", recipe.name));
            println!("{}: {} after {}", recipe.name, violation.what, violation.trace.join("; "));
            let expected = if recipe.scenario.stranger { STRANGERS } else { DUPLICATE };
            assert_eq!(violation.what, expected, "{}", recipe.name);
            assert!(violation.trace.iter().all(|line| !line.contains(['{', '?'])), "{:?}", violation.trace);
        }
    }

    #[test]
    fn the_published_recipes_are_saved_by_what_they_leave_out() {
        for recipe in published() {
            let found = run(&Protocol::OURS, &recipe.scenario);
            assert!(found.violation.is_none(), "{}: {:?}", recipe.name, found.violation);
        }
    }

    #[test]
    fn the_first_recipe_fails_without_any_fault_and_on_the_shortest_way() {
        let violation = published()[0].check().violation.unwrap();

        // Both read, both look, both decide, both send, both land.
        assert_eq!(violation.trace.len(), 10, "{:?}", violation.trace);
    }

    #[test]
    fn every_step_is_missed_when_it_is_left_out() {
        for step in SafetyStep::ALL {
            let recipe = without(step);
            let violation = recipe.check().violation.unwrap_or_else(|| panic!("nobody misses {step:?}"));
            println!("{step:?}: `{}`, {} after {} steps", recipe.name, violation.what, violation.trace.len());
            assert!(!violation.trace.is_empty());
        }
    }

    #[test]
    fn each_invariant_is_what_some_step_is_missed_by() {
        let found: Vec<&str> =
            SafetyStep::ALL.into_iter().filter_map(|step| Some(without(step).check().violation?.what)).collect();

        for what in [DUPLICATE, MAPPED_TWICE, STRANGERS, FORGOTTEN, MADE_FOR_GONE] {
            assert!(found.contains(&what), "nothing is ever found by: {what}");
        }
    }

    #[test]
    fn what_the_nodes_do_not_do_yet_shows() {
        let wanted = SafetyStep::ALL.into_iter().filter(|step| step.standing() == Standing::Wanted);
        for step in wanted {
            let recipe = as_it_stands().find(|recipe| recipe.name == catcher(step)).unwrap();
            assert!(recipe.check().violation.is_some(), "`{}` is clean: is the list out of date?", recipe.name);
        }
    }
}
