//! A scenario: what the systems promise, who works, and what may go wrong how often.

/// What a target offers against a second copy. See the SDK's `CapabilityClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The inverse id is unique there.
    A,
    /// It remembers idempotency keys, for a while.
    B,
    /// It can be searched by inverse id.
    C,
    /// Nothing.
    D,
}

/// Where a worker may be put to sleep, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Nowhere between its intent and its request.
    Never,
    /// Between the commit of its intent and the look at the clock before sending.
    BeforeTheClock,
    /// Between the look at the clock and the first byte.
    AfterTheClock,
}

/// Whether an old backup, from before the first event, may be put in place of the database, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// No.
    Never,
    /// At any time, and it is noticed.
    Noticed,
    /// At any time, and nobody notices.
    Unnoticed,
    /// When all is done, and nobody notices.
    UnnoticedWhenDone,
}

/// What is tried. In each, a person has made the first record of the CRM, and any number of events about any record that
/// is not in order yet may arrive at any time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// How many workers there are.
    pub workers: u8,
    /// What both systems promise, as targets.
    pub class: Class,
    /// Events of the ERP are worked on, too: those of the very record that is being made.
    pub both: bool,
    /// A person has made a record in the ERP, too.
    pub people_on_both: bool,
    /// The ERP holds somebody else's record, and answers a create with 409 and its id.
    pub stranger: bool,
    /// There are lanes. Without them any worker may take any record.
    pub lanes: bool,
    /// A request may land after its sender gave up, within its life.
    pub late: bool,
    /// The search may not show a record yet, within the index lag.
    pub slow_index: bool,
    /// Kills of everything at work. Memory is lost, the database is kept.
    pub kills: u8,
    /// Answers that do not come.
    pub losses: u8,
    /// Sends that do not leave: 429, connection refused.
    pub unsent: u8,
    /// Requests that are refused.
    pub refusals: u8,
    /// Nobody sleeps between deciding to send again and committing that: the margin of a key covers it.
    pub prompt: bool,
    /// Where a worker may sleep.
    pub pause: Pause,
    /// Another process may take the database from one that lives, if it can.
    pub theft: bool,
    /// A person may copy a record that we made, inverse id included.
    pub copy: bool,
    /// A person may delete the source.
    pub deletion: bool,
    /// An old backup.
    pub restore: Restore,
}

impl Scenario {
    /// Two workers, one direction, and nothing goes wrong.
    pub const CALM: Self = Self {
        name: "calm",
        workers: 2,
        class: Class::D,
        both: false,
        people_on_both: false,
        stranger: false,
        lanes: false,
        late: false,
        slow_index: false,
        kills: 0,
        losses: 0,
        unsent: 0,
        refusals: 0,
        prompt: false,
        pause: Pause::Never,
        theft: false,
        copy: false,
        deletion: false,
        restore: Restore::Never,
    };

    /// Answers lost, requests late, the search slow, and kills.
    pub const ROUGH: Self =
        Self { late: true, slow_index: true, kills: 1, losses: 2, unsent: 1, refusals: 1, ..Self::CALM };

    /// One of [`SCENARIOS`], by its name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}

/// All that our protocol is held against. The smaller ones come first: there a step that is missing shows soonest.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "calm, A", class: Class::A, ..Scenario::CALM },
    Scenario { name: "calm, B", class: Class::B, ..Scenario::CALM },
    Scenario { name: "calm, C", class: Class::C, ..Scenario::CALM },
    Scenario { name: "calm, D", class: Class::D, ..Scenario::CALM },
    Scenario {
        name: "a stranger in the way, A",
        class: Class::A,
        stranger: true,
        kills: 1,
        losses: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "asleep before sending, with lanes, C",
        class: Class::C,
        lanes: true,
        both: true,
        pause: Pause::BeforeTheClock,
        late: true,
        slow_index: true,
        losses: 2,
        kills: 1,
        unsent: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "lost, then refused, with lanes, B",
        class: Class::B,
        lanes: true,
        losses: 1,
        refusals: 1,
        prompt: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "lost, then not sent, with lanes, B",
        class: Class::B,
        lanes: true,
        losses: 1,
        unsent: 1,
        prompt: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "suspended while sending, C",
        class: Class::C,
        lanes: true,
        pause: Pause::AfterTheClock,
        theft: true,
        both: true,
        late: true,
        slow_index: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "asleep before sending, C",
        class: Class::C,
        pause: Pause::BeforeTheClock,
        late: true,
        slow_index: true,
        losses: 2,
        ..Scenario::CALM
    },
    Scenario {
        name: "asleep before sending, B",
        class: Class::B,
        pause: Pause::BeforeTheClock,
        late: true,
        slow_index: true,
        losses: 2,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "killed twice, D",
        class: Class::D,
        kills: 2,
        losses: 1,
        unsent: 1,
        refusals: 1,
        late: true,
        both: true,
        ..Scenario::CALM
    },
    Scenario { name: "lost, then refused, B", class: Class::B, losses: 1, refusals: 1, ..Scenario::CALM },
    Scenario { name: "lost, then not sent, B", class: Class::B, losses: 1, unsent: 1, ..Scenario::CALM },
    Scenario { name: "rough, A", class: Class::A, ..Scenario::ROUGH },
    Scenario { name: "rough, B", class: Class::B, ..Scenario::ROUGH },
    Scenario { name: "rough, C", class: Class::C, ..Scenario::ROUGH },
    Scenario { name: "rough, D", class: Class::D, ..Scenario::ROUGH },
    Scenario {
        name: "the source deleted, C",
        class: Class::C,
        lanes: true,
        both: true,
        deletion: true,
        late: true,
        slow_index: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "the source deleted, B",
        class: Class::B,
        lanes: true,
        both: true,
        deletion: true,
        late: true,
        slow_index: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "a copy by hand, C",
        class: Class::C,
        both: true,
        copy: true,
        losses: 1,
        kills: 1,
        late: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "a copy by hand and a noticed backup, C",
        class: Class::C,
        both: true,
        copy: true,
        restore: Restore::Noticed,
        ..Scenario::CALM
    },
    Scenario {
        name: "a copy by hand and an unnoticed backup, C",
        class: Class::C,
        both: true,
        copy: true,
        restore: Restore::UnnoticedWhenDone,
        ..Scenario::CALM
    },
    Scenario {
        name: "a noticed backup, A",
        class: Class::A,
        restore: Restore::Noticed,
        late: true,
        slow_index: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "a noticed backup, B",
        class: Class::B,
        restore: Restore::Noticed,
        late: true,
        slow_index: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "a noticed backup, C",
        class: Class::C,
        restore: Restore::Noticed,
        late: true,
        slow_index: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "a noticed backup, D",
        class: Class::D,
        restore: Restore::Noticed,
        late: true,
        slow_index: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "an unnoticed backup, A",
        class: Class::A,
        restore: Restore::Unnoticed,
        both: true,
        late: true,
        slow_index: true,
        losses: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "an unnoticed backup when done, C",
        class: Class::C,
        restore: Restore::UnnoticedWhenDone,
        both: true,
        slow_index: true,
        losses: 1,
        late: true,
        ..Scenario::CALM
    },
    Scenario { name: "both directions, A", class: Class::A, both: true, ..Scenario::ROUGH },
    Scenario { name: "both directions, B", class: Class::B, both: true, ..Scenario::ROUGH },
    Scenario { name: "both directions, C", class: Class::C, both: true, ..Scenario::ROUGH },
    Scenario { name: "both directions, D", class: Class::D, both: true, ..Scenario::ROUGH },
    Scenario {
        name: "a person on both sides, C",
        class: Class::C,
        both: true,
        people_on_both: true,
        late: true,
        losses: 1,
        slow_index: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "a person on both sides, B",
        class: Class::B,
        both: true,
        people_on_both: true,
        late: true,
        losses: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "three workers, A",
        class: Class::A,
        workers: 3,
        losses: 1,
        late: true,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "three workers, B",
        class: Class::B,
        workers: 3,
        losses: 1,
        late: true,
        slow_index: true,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario { name: "three workers, C", class: Class::C, workers: 3, ..Scenario::ROUGH },
    Scenario { name: "three workers, D", class: Class::D, workers: 3, both: true, kills: 2, ..Scenario::ROUGH },
    Scenario {
        name: "three workers, both directions, B",
        class: Class::B,
        workers: 3,
        both: true,
        losses: 1,
        late: true,
        slow_index: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "three workers, both directions, C",
        class: Class::C,
        workers: 3,
        both: true,
        kills: 2,
        ..Scenario::ROUGH
    },
    Scenario {
        name: "three workers, two losses, B",
        class: Class::B,
        workers: 3,
        losses: 2,
        late: true,
        slow_index: true,
        ..Scenario::CALM
    },
    Scenario {
        name: "three workers, a person on both sides, C",
        class: Class::C,
        workers: 3,
        both: true,
        people_on_both: true,
        late: true,
        losses: 1,
        kills: 1,
        ..Scenario::CALM
    },
    Scenario {
        name: "three workers, a person on both sides, A",
        class: Class::A,
        workers: 3,
        both: true,
        people_on_both: true,
        late: true,
        losses: 1,
        ..Scenario::CALM
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use crate::recipes::run;

    /// A test per scenario: ours is clean there, in so many states. The number is exact, so that a change of the model
    /// shows where it is felt.
    macro_rules! clean {
        ($($test:ident: $name:literal, $states:literal;)*) => {
            const CLEAN: &[(&str, usize)] = &[$(($name, $states)),*];

            $(
                #[test]
                fn $test() {
                    let found = run(&Protocol::OURS, Scenario::named($name).unwrap());

                    println!("{}: {} states, {} ways", $name, found.states, found.edges);
                    assert!(found.violation.is_none(), "{:#?}", found.violation);
                    assert_eq!(found.states, $states);
                }
            )*
        };
    }

    clean! {
        calm_a: "calm, A", 186;
        calm_b: "calm, B", 526;
        calm_c: "calm, C", 122;
        calm_d: "calm, D", 73;
        a_stranger_in_the_way_a: "a stranger in the way, A", 2_981;
        asleep_before_sending_with_lanes_c: "asleep before sending, with lanes, C", 10_933;
        lost_then_refused_with_lanes_b: "lost, then refused, with lanes, B", 1_214;
        lost_then_not_sent_with_lanes_b: "lost, then not sent, with lanes, B", 1_157;
        suspended_while_sending_c: "suspended while sending, C", 241;
        asleep_before_sending_c: "asleep before sending, C", 5_695;
        asleep_before_sending_b: "asleep before sending, B", 220_015;
        killed_twice_d: "killed twice, D", 5_964;
        lost_then_refused_b: "lost, then refused, B", 11_209;
        lost_then_not_sent_b: "lost, then not sent, B", 9_679;
        rough_a: "rough, A", 410_491;
        rough_b: "rough, B", 1_069_890;
        rough_c: "rough, C", 52_731;
        rough_d: "rough, D", 2_712;
        the_source_deleted_c: "the source deleted, C", 3_960;
        the_source_deleted_b: "the source deleted, B", 23_893;
        a_copy_by_hand_c: "a copy by hand, C", 9_950;
        a_copy_by_hand_and_a_noticed_backup_c: "a copy by hand and a noticed backup, C", 5_387;
        a_copy_by_hand_and_an_unnoticed_backup_c: "a copy by hand and an unnoticed backup, C", 2_259;
        a_noticed_backup_a: "a noticed backup, A", 74_466;
        a_noticed_backup_b: "a noticed backup, B", 59_446;
        a_noticed_backup_c: "a noticed backup, C", 8_929;
        a_noticed_backup_d: "a noticed backup, D", 1_174;
        an_unnoticed_backup_a: "an unnoticed backup, A", 19_794;
        an_unnoticed_backup_when_done_c: "an unnoticed backup when done, C", 1_665;
        both_directions_a: "both directions, A", 496_285;
        both_directions_b: "both directions, B", 1_390_012;
        both_directions_c: "both directions, C", 66_909;
        both_directions_d: "both directions, D", 6_296;
        a_person_on_both_sides_c: "a person on both sides, C", 24_723;
        a_person_on_both_sides_b: "a person on both sides, B", 195_327;
        three_workers_a: "three workers, A", 351_231;
        three_workers_b: "three workers, B", 539_251;
        three_workers_c: "three workers, C", 885_258;
        three_workers_d: "three workers, D", 83_294;
        three_workers_both_directions_b: "three workers, both directions, B", 117_542;
        three_workers_both_directions_c: "three workers, both directions, C", 2_648_677;
        three_workers_two_losses_b: "three workers, two losses, B", 308_358;
        three_workers_a_person_on_both_sides_c: "three workers, a person on both sides, C", 2_854_596;
        three_workers_a_person_on_both_sides_a: "three workers, a person on both sides, A", 1_156_769;
    }

    #[test]
    fn every_scenario_has_a_test_and_all_of_them_have_ten_million_states() {
        let tested: Vec<&str> = CLEAN.iter().map(|(name, _)| *name).collect();
        let all: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(tested, all);

        let sum: usize = CLEAN.iter().map(|(_, states)| states).sum();
        println!("{sum} states");
        assert!(sum >= 10_000_000, "only {sum} states");
    }

    #[test]
    fn every_class_meets_everything_that_is_common() {
        for class in [Class::A, Class::B, Class::C, Class::D] {
            let of_class = || SCENARIOS.iter().filter(|scenario| scenario.class == class);
            assert!(of_class().any(|one| one.late && one.slow_index && one.kills > 0 && one.losses > 1), "{class:?}");
            assert!(of_class().any(|one| one.both), "{class:?}");
            assert!(of_class().any(|one| one.workers == 3), "{class:?}");
            assert!(of_class().any(|one| one.restore != Restore::Never), "{class:?}");
        }
    }
}
