//! A simulation of the whole: the real program inside out, in one process, with time that passes at will.
//!
//! Production code is everything the program is made of: webhooks with their signatures, the inbox, lanes and hints, the
//! repeater, the limiter, the poll, recovery, the shipped topologies and nodes, and the HTTP port down to the bytes of a
//! call. Made up are four things: the clock, the network, the two systems (the fakes, without their sockets) and the
//! store, which is the one in memory; it and SQLite pass one suite. A seed decides what people do, every fault, every
//! moment and every crash, so a run that fails is the same run when it is run again, and shrinks to a story by itself.

mod bystander;
mod contract;
mod coverage;
mod deed;
mod economy;
mod harm;
mod network;
mod people;
mod planted;
mod play;
mod probe;
mod run;
mod shrink;
mod steps;
mod time;
mod trouble;
mod world;

use self::planted::Planted;
use self::play::{Kind, Play};
use self::run::{Runs, SHRINK_RUNS_MAX, run, run_all, tried};
use self::shrink::{Shrunk, shrink};

fn all_is_well(kind: Kind, seeds: std::ops::Range<u64>) {
    let runs = run_all(kind, seeds);
    println!("{}{runs}", runs.coverage);
    assert!(runs.stories.is_empty(), "{}", runs.stories);
    // A simulation that does not do any more what it was made for is green for ever.
    assert_eq!(runs.coverage.missing(kind), Vec::<String>::new(), "it never happened");
}

#[test]
fn amid_faults_and_crashes_nothing_is_doubled_lost_or_crossed() {
    all_is_well(Kind::Stormy, 0..700);
}

#[test]
fn on_a_calm_day_nothing_is_doubled_lost_or_crossed() {
    all_is_well(Kind::Calm, 0..700);
}

#[test]
fn while_somebody_sets_the_clock_nothing_is_doubled_lost_or_crossed() {
    all_is_well(Kind::Skewed, 0..700);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for kind in Kind::ALL {
        for seed in [1, 7, 42] {
            let (one, other) = (run(&Play::of(kind, seed)), run(&Play::of(kind, seed)));

            assert_eq!(one, other, "seed {seed}");
        }
    }
}

#[test]
fn what_went_wrong_goes_wrong_again_when_it_is_a_list_and_no_chance() {
    let play = Play::of(Kind::Stormy, 7);
    let one = run(&play);

    let again = run(&Play { only: Some(one.mishaps.clone()), ..play });

    assert_eq!(one, again);
}

/// The first seed that shows a mistake, shrunk.
fn found(planted: Planted, kind: Kind) -> Shrunk {
    let plays = (0..20).map(|seed| Play { planted, ..Play::of(kind, seed) });
    let mut bad = plays.filter_map(|play| tried(&play).err().map(|bad| (play, bad)));
    let (play, bad) = bad.next().expect("no seed shows the mistake");
    let shrunk = shrink(&play, bad, SHRINK_RUNS_MAX, |play| tried(play).err());
    println!("{}", shrunk.told());
    shrunk
}

#[test]
fn a_create_that_is_sent_again_in_hope_is_found_and_told_in_a_few_lines() {
    let shrunk = found(Planted::HastyCreate, Kind::Stormy);

    assert!(shrunk.harm.kinds.contains("duplicate"), "{:?}", shrunk.harm.kinds);
    assert!(shrunk.was.deeds > 200 && shrunk.was.mishaps > 100, "{}", shrunk.was);
    assert!(shrunk.play.story().len() <= 6, "{:?}", shrunk.play.story());
    assert_eq!(run(&shrunk.play), run(&shrunk.play));
}

#[test]
fn an_edit_that_is_not_carried_over_is_found_and_told_in_two_lines() {
    let shrunk = found(Planted::LazyUpdate, Kind::Calm);

    assert_eq!(shrunk.play.story().len(), 2, "{:?}", shrunk.play.story());
    assert!(run(&Play { planted: Planted::None, ..shrunk.play }).harm.is_none(), "it is the mistake that does it");
}

#[test]
fn the_example_plays_the_same_plays() {
    assert_eq!(simulate(None, &(0..2), true), Ok(true));
    assert_eq!(
        simulate(Some("mild"), &(0..2), false),
        Err("no kind `mild`; known kinds: calm, stormy, skewed".to_owned())
    );
}

/// Plays any number of seeds and prints what came of them. Answers whether all is well.
///
/// # Errors
///
/// One line, if there is no such kind of play.
pub(crate) fn simulate(kind: Option<&str>, seeds: &std::ops::Range<u64>, coverage: bool) -> Result<bool, String> {
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|one| kind.is_none_or(|kind| kind == one.name())).collect();
    if kinds.is_empty() {
        let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        return Err(format!("no kind `{}`; known kinds: {}", kind.unwrap_or_default(), known.join(", ")));
    }
    let mut all = Runs::default();
    for kind in kinds {
        let runs = run_all(kind, seeds.clone());
        println!("{}: {runs}", kind.name());
        print!("{}", runs.stories);
        all.join(runs);
    }
    if coverage {
        print!("{}", all.coverage);
    }
    println!("{all}");
    Ok(all.bad.is_empty())
}
