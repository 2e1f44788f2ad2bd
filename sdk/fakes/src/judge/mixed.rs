//! Mixed: people at work on both sides at once, and who meets whom is left to the seed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::dice::happens;
use crate::judge::cast::{Cast, Number};
use crate::judge::ledger::Actor;
use crate::judge::meaning::{Meaning, Side};

/// Things done to records for each person of the run, creations not counted.
const DEEDS_PER_PERSON: usize = 3;
/// Between two of them, at least.
const PAUSE: Duration = Duration::from_millis(8);
/// Few people take their time: in a moment nothing would have the time to go wrong.
const PLAYED_FOR: Duration = Duration::from_secs(4);
/// What a lost webhook did not tell is found by asking, every 2 s. That, too, is to meet what goes wrong.
const LINGERS: Duration = Duration::from_millis(2_500);
/// After so many of them somebody looks which records have appeared.
const LOOKS_AFTER: usize = 20;
/// Of the deeds of a play without end, those that make somebody new.
const NEW_RATE: f64 = 0.15;
/// Attempts to find somebody who is there on both sides.
const ATTEMPTS: usize = 20;

#[derive(Clone, Copy)]
enum Deed {
    Create,
    Edit,
    /// One field, on both sides at once.
    Conflict,
    Delete,
    /// An edit by another integration.
    ByATool,
    /// On the side that does not own the field.
    OnTheWrongSide,
    /// The value that is there already.
    Unchanged,
    /// A -> B -> A is a legal history.
    ThereAndBack,
}

/// Those who are known on both sides before anything goes wrong.
pub(crate) fn known(people: usize) -> usize {
    people.div_ceil(2)
}

/// Everything that is done while things go wrong.
pub(crate) fn deeds(people: usize) -> usize {
    people - known(people) + DEEDS_PER_PERSON * people
}

/// About how long it takes.
pub(crate) fn span(people: usize) -> Duration {
    pause(people) * u32::try_from(deeds(people)).unwrap_or(u32::MAX) + LINGERS
}

fn pause(people: usize) -> Duration {
    PAUSE.max(PLAYED_FOR / u32::try_from(deeds(people)).unwrap_or(u32::MAX))
}

pub(crate) async fn play(cast: &mut Cast, people: usize) {
    let known = Number::try_from(known(people)).unwrap_or(Number::MAX);
    for (number, deed) in deck(cast, people).into_iter().enumerate() {
        if number % LOOKS_AFTER == 0 {
            cast.look_around();
        }
        sleep(pause(people)).await;
        act(cast, deed, known);
    }
    sleep(LINGERS).await;
}

/// The same, until it is dropped.
pub(crate) async fn play_on(cast: &mut Cast, people: usize) {
    let known = Number::try_from(known(people)).unwrap_or(Number::MAX);
    for number in 0_usize.. {
        if number.is_multiple_of(LOOKS_AFTER) {
            cast.look_around();
        }
        sleep(PAUSE).await;
        let deed = if happens(&mut cast.rng, NEW_RATE) { Deed::Create } else { deed(cast.rng.usize(0..DEEDS)) };
        act(cast, deed, known);
    }
}

/// Kinds of deeds, as often as people do them.
const DEEDS: usize = 30;

fn deed(number: usize) -> Deed {
    match number % DEEDS {
        0 => Deed::Delete,
        1..=4 => Deed::Conflict,
        5 | 6 => Deed::ByATool,
        7 => Deed::OnTheWrongSide,
        8 => Deed::Unchanged,
        9 => Deed::ThereAndBack,
        _ => Deed::Edit,
    }
}

/// A fixed number of each, so that a small run has some of everything; the order is left to the seed.
fn deck(cast: &mut Cast, people: usize) -> Vec<Deed> {
    let others = (0..DEEDS_PER_PERSON * people).map(deed);
    let mut deck: Vec<Deed> = others.chain((known(people)..people).map(|_| Deed::Create)).collect();
    cast.rng.shuffle(&mut deck);
    deck
}

/// What is refused did not happen and is not in the ledger: the record may be gone, or not there yet.
fn act(cast: &mut Cast, deed: Deed, known: Number) {
    let number = cast.anybody();
    let mut side = cast.either_side();
    if cast.id(number, side).is_none() {
        side = side.other();
    }
    match deed {
        Deed::Create => {
            let times = cast.rng.u32(1..=3);
            drop(cast.create(side, times));
        }
        Deed::Edit => edit(cast, number, side, Actor::Person),
        Deed::ByATool => edit(cast, number, side, Actor::Tool),
        Deed::Delete => drop(cast.delete(number, side)),
        Deed::Conflict => conflict(cast, known),
        Deed::OnTheWrongSide => {
            // Before somebody has a counterpart there is no wrong side: all that is known goes into the create.
            let number = cast.rng.u32(1..=known);
            let owned = cast.ownership().owned(side.other());
            if let Some(meaning) = cast.rng.choice(owned) {
                drop(cast.edit(number, side, &[meaning], Actor::Person));
            }
        }
        Deed::Unchanged => again(cast, number, side),
        Deed::ThereAndBack => {
            let typable = typable(cast, side);
            let Some(meaning) = cast.rng.choice(typable) else { return };
            let before = BTreeMap::from([(meaning, cast.value(number, meaning))]);
            if cast.edit(number, side, &[meaning], Actor::Person).is_ok() {
                drop(cast.type_in(number, side, before, Actor::Person));
            }
        }
    }
}

fn edit(cast: &mut Cast, number: Number, side: Side, actor: Actor) {
    let mut meanings = typable(cast, side);
    cast.rng.shuffle(&mut meanings);
    meanings.truncate(cast.rng.usize(1..=3));
    if !meanings.is_empty() {
        drop(cast.edit(number, side, &meanings, actor));
    }
}

fn again(cast: &mut Cast, number: Number, side: Side) {
    let owned = cast.ownership().owned(side);
    if let Some(meaning) = cast.rng.choice(owned) {
        let values = BTreeMap::from([(meaning, cast.value(number, meaning))]);
        drop(cast.type_in(number, side, values, Actor::Person));
    }
}

/// Both sides type another value into one field, one right after the other. Of a shared field the sync may keep either;
/// an owned one is its owner's.
fn conflict(cast: &mut Cast, known: Number) {
    let shared = cast.ownership().shared();
    let meaning = if shared.is_empty() || cast.rng.u8(0..4) == 0 { owned(cast) } else { cast.rng.choice(shared) };
    let Some(meaning) = meaning else { return };
    for _ in 0..ATTEMPTS {
        let number = cast.rng.u32(1..=known);
        if Side::BOTH.iter().any(|side| cast.id(number, *side).is_none()) {
            continue;
        }
        let mut sides = Side::BOTH;
        cast.rng.shuffle(&mut sides);
        // One of the two records may be gone.
        let [first, second] = sides.map(|side| cast.edit(number, side, &[meaning], Actor::Person).is_ok());
        cast.conflicts += usize::from(first && second);
        if first || second {
            return;
        }
    }
}

/// Something that somebody owns.
fn owned(cast: &mut Cast) -> Option<Meaning> {
    let owned = Side::BOTH.map(|side| cast.ownership().owned(side)).concat();
    cast.rng.choice(owned)
}

/// What people of a side may type.
fn typable(cast: &Cast, side: Side) -> Vec<Meaning> {
    [cast.ownership().owned(side), cast.ownership().shared()].concat()
}
