//! Plays: what the people of each scenario do.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::dice::happens;
use crate::judge::cast::{Cast, Number};
use crate::judge::ledger::Actor;
use crate::judge::meaning::{Meaning, Side};
use crate::judge::mixed;
use crate::judge::ownership::Ownership;
use crate::judge::scenario::Scenario;

/// New people are announced this often in a race.
const ANNOUNCEMENTS: u32 = 8;
/// Nobody types while more webhooks than this wait to be taken.
const UNTAKEN_MAX: usize = 128;
/// Two edits of one shared field on two sides are one after the other when this is between them.
const CLEARLY_LATER: Duration = Duration::from_millis(2_000);
/// How long people wait for a record to appear on the other side before they go on without.
const APPEARS_WITHIN: Duration = Duration::from_secs(3);

impl Scenario {
    /// What happens before the clock starts: most scenarios begin with people who are known on both sides.
    pub(crate) async fn prepare(self, cast: &mut Cast, size: usize) {
        let people = match self {
            Scenario::Race | Scenario::EditAfterCreate => 0,
            Scenario::Throughput | Scenario::Burst | Scenario::Chaos => (size / 10).clamp(10, 2_000),
            Scenario::Pingpong | Scenario::Deletes => size,
            Scenario::Mixed => mixed::known(size),
            Scenario::Hot => 4,
            Scenario::Echo => 5,
        };
        for number in 0..people {
            let home = if number % 2 == 0 { Side::Crm } else { Side::Erp };
            did(cast.create(home, 1));
            all_taken(cast).await;
        }
        cast.everybody_paired(Duration::from_secs(30) + Duration::from_millis(20) * people as u32).await;
    }

    pub(crate) async fn play(self, cast: &mut Cast, size: usize) {
        match self {
            Scenario::Throughput => throughput(cast, size, true).await,
            Scenario::Burst => throughput(cast, size, false).await,
            Scenario::Race => race(cast, size).await,
            Scenario::Pingpong => pingpong(cast).await,
            Scenario::EditAfterCreate => edit_after_create(cast, size).await,
            Scenario::Deletes => deletes(cast).await,
            Scenario::Hot => hot(cast, size).await,
            Scenario::Chaos => chaos(cast, size).await,
            Scenario::Echo => echo(cast, size).await,
            Scenario::Mixed => mixed::play(cast, size).await,
        }
    }
}

async fn throughput(cast: &mut Cast, edits: usize, polite: bool) {
    let known = cast.numbers();
    for _ in 0..edits {
        if happens(&mut cast.rng, 0.2) {
            let home = cast.either_side();
            did(cast.create(home, 1));
        } else {
            let number = cast.rng.u32(known.clone());
            let side = cast.either_side();
            let meanings = one_or_two(cast, number, side);
            did(cast.edit(number, side, &meanings, Actor::Person));
        }
        if polite {
            all_taken(cast).await;
        }
    }
}

/// Fields a side owns, and the shared one where the person was made: from one side only, so that it is always clear
/// which edit was the last, however far behind the program is.
fn one_or_two(cast: &mut Cast, number: Number, side: Side) -> Vec<Meaning> {
    let mut meanings = owned(side);
    if cast.home(number) == side {
        meanings.push(Meaning::Phone);
    }
    cast.rng.shuffle(&mut meanings);
    meanings.truncate(cast.rng.usize(1..=2));
    meanings
}

async fn race(cast: &mut Cast, people: usize) {
    for number in 0..people {
        let home = if number % 2 == 0 { Side::Crm } else { Side::Erp };
        did(cast.create(home, ANNOUNCEMENTS));
        // In handfuls: everybody at once would only test the queue.
        if number % 10 == 9 {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn pingpong(cast: &mut Cast) {
    for round in 0..3 {
        for number in cast.numbers() {
            let mut sides = Side::BOTH;
            cast.rng.shuffle(&mut sides);
            let [first, second] = sides;
            match cast.rng.u8(0..9) {
                0 => {
                    did(cast.edit(number, first, &[Meaning::Phone], Actor::Person));
                    did(cast.edit(number, second, &[Meaning::Phone], Actor::Person));
                }
                1 => {
                    did(cast.edit(number, first, &owned(first)[..1], Actor::Person));
                    did(cast.edit(number, second, &owned(second)[..1], Actor::Person));
                }
                2 => {
                    did(cast.edit(number, first, &[owned(first)[1], Meaning::Phone], Actor::Person));
                    did(cast.edit(number, second, &owned(second), Actor::Person));
                }
                3 => {
                    did(cast.edit(number, first, &[owned(first)[0], Meaning::Phone], Actor::Tool));
                    did(cast.edit(number, second, &owned(second)[..1], Actor::Person));
                }
                4 => {
                    there_and_back(cast, number, first, owned(first)[0]);
                    did(cast.edit(number, second, &owned(second)[1..], Actor::Person));
                }
                5 => {
                    // What the first side types is not its to say.
                    did(cast.edit(number, first, &owned(second)[..1], Actor::Person));
                    did(cast.edit(number, second, &[Meaning::Phone], Actor::Person));
                }
                6 => {
                    did(cast.edit(number, second, &owned(second)[..1], Actor::Person));
                    did(cast.edit(number, first, &owned(second)[..1], Actor::Tool));
                }
                7 => {
                    let same = Meaning::VatId;
                    let values = BTreeMap::from([(same, cast.value(number, same))]);
                    did(cast.type_in(number, Side::Erp, values.clone(), Actor::Person));
                    did(cast.type_in(number, Side::Erp, values, Actor::Tool));
                    did(cast.edit(number, Side::Crm, &[Meaning::Email], Actor::Person));
                }
                _ => did(cast.edit(number, first, &[Meaning::Phone], Actor::Person)),
            }
        }
        if round < 2 {
            sleep(CLEARLY_LATER).await;
        }
    }
}

/// A -> B -> A is a legal history.
fn there_and_back(cast: &mut Cast, number: Number, side: Side, meaning: Meaning) {
    let before = BTreeMap::from([(meaning, cast.value(number, meaning))]);
    did(cast.edit(number, side, &[meaning], Actor::Person));
    did(cast.type_in(number, side, before, Actor::Person));
}

async fn edit_after_create(cast: &mut Cast, people: usize) {
    let mut left = people;
    while left > 0 {
        let wave = left.min(8);
        left -= wave;
        let mut waiting = Vec::new();
        for _ in 0..wave {
            let home = cast.either_side();
            let Ok(number) = cast.create(home, 1) else {
                continue;
            };
            if happens(&mut cast.rng, 0.5) {
                let while_ms = cast.rng.u64(0..25);
                sleep(Duration::from_millis(while_ms)).await;
            }
            let meanings = [owned(home)[0], Meaning::Phone];
            let edited = cast.rng.usize(0..=2);
            did(cast.edit(number, home, &meanings[..edited], Actor::Person));
            waiting.push(number);
        }
        // The moment a record appears on the other side, somebody there edits it.
        let deadline = Instant::now() + APPEARS_WITHIN;
        while !waiting.is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(3)).await;
            cast.look_around();
            for number in std::mem::take(&mut waiting) {
                let home = cast.home(number);
                let away = home.other();
                if cast.id(number, away).is_none() {
                    waiting.push(number);
                    continue;
                }
                did(cast.edit(number, away, &[owned(away)[0]], Actor::Person));
                if happens(&mut cast.rng, 0.3) {
                    did(cast.edit(number, home, &[owned(home)[1]], Actor::Person));
                }
            }
        }
    }
}

async fn deletes(cast: &mut Cast) {
    for number in cast.numbers() {
        let side = cast.either_side();
        let other = side.other();
        let edit = |cast: &mut Cast, side: Side| did(cast.edit(number, side, &owned(side)[..1], Actor::Person));
        match cast.rng.u8(0..7) {
            0 => {
                edit(cast, side);
                did(cast.delete(number, side));
            }
            1 => {
                did(cast.delete(number, side));
                edit(cast, other);
                pause(cast, 40).await;
                edit(cast, other);
            }
            2 => {
                did(cast.delete(number, side));
                did(cast.delete(number, other));
            }
            3 => {
                edit(cast, side);
                edit(cast, other);
                did(cast.delete(number, side));
                edit(cast, other);
            }
            4 => {
                edit(cast, side);
                edit(cast, other);
            }
            5 => {
                if let Ok(new) = cast.create(side, 1) {
                    did(cast.delete(new, side));
                }
            }
            _ => {
                if let Ok(new) = cast.create(side, 2) {
                    pause(cast, 60).await;
                    did(cast.delete(new, side));
                }
            }
        }
        pause(cast, 10).await;
    }
    sleep(Duration::from_millis(500)).await;
    for number in cast.numbers() {
        for side in Side::BOTH {
            // Half of those are gone and refuse it.
            drop(cast.edit(number, side, &owned(side)[..1], Actor::Person));
        }
    }
}

async fn hot(cast: &mut Cast, edits: usize) {
    let pause = Duration::from_secs(1) / edits.max(1) as u32;
    for number in 0..edits {
        if number % 10 == 9 {
            did(cast.edit(1, Side::Erp, &[Meaning::CreditLimit], Actor::Person));
        } else {
            let meaning = [Meaning::Email, Meaning::Name, Meaning::Phone][number % 3];
            did(cast.edit(1, Side::Crm, &[meaning], Actor::Person));
        }
        sleep(pause).await;
    }
}

async fn chaos(cast: &mut Cast, edits: usize) {
    let known = cast.numbers();
    for number in 0..edits {
        if number % 40 == 39 {
            cast.look_around();
        }
        sleep(Duration::from_millis(8)).await;
        if happens(&mut cast.rng, 0.15) {
            let home = cast.either_side();
            let times = cast.rng.u32(1..=3);
            did(cast.create(home, times));
            continue;
        }
        let number = cast.anybody();
        let mut side = cast.either_side();
        if cast.id(number, side).is_none() {
            side = side.other();
        }
        let meanings = {
            let mut meanings = owned(side);
            meanings.push(Meaning::Phone);
            cast.rng.shuffle(&mut meanings);
            meanings.truncate(cast.rng.usize(1..=3));
            meanings
        };
        // Somebody may have deleted the record by now; that is refused, and fine.
        match cast.rng.u8(0..100) {
            0..5 => drop(cast.edit(number, side, &meanings, Actor::Tool)),
            5..7 if known.contains(&number) => {
                drop(cast.edit(number, side, &owned(side.other())[..1], Actor::Person));
            }
            7..9 => {
                let values = BTreeMap::from([(Meaning::CreditLimit, cast.value(number, Meaning::CreditLimit))]);
                drop(cast.type_in(number, Side::Erp, values, Actor::Person));
            }
            9..10 => drop(cast.delete(number, side)),
            _ => drop(cast.edit(number, side, &meanings, Actor::Person)),
        }
    }
}

async fn echo(cast: &mut Cast, edits: usize) {
    for number in 0..edits {
        let someone = cast.anybody();
        let side = if number % 2 == 0 { Side::Crm } else { Side::Erp };
        did(cast.edit(someone, side, &owned(side)[..1], Actor::Person));
        let deadline = Instant::now() + Duration::from_secs(3);
        let quiet = Duration::from_millis(400);
        while cast.crm().quiet_for().min(cast.erp().quiet_for()) < quiet && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// These scenarios are written for the ownership of the reference systems.
fn owned(side: Side) -> Vec<Meaning> {
    Ownership::default().owned(side)
}

async fn pause(cast: &mut Cast, up_to_ms: u64) {
    let pause_ms = cast.rng.u64(0..=up_to_ms);
    sleep(Duration::from_millis(pause_ms)).await;
}

async fn all_taken(cast: &Cast) {
    while cast.crm().pending_deliveries() + cast.erp().pending_deliveries() > UNTAKEN_MAX {
        sleep(Duration::from_millis(1)).await;
    }
}

/// What is refused did not happen and is not in the ledger: a record that never appeared on the far side cannot be
/// edited there. The audit says so in its own words.
fn did<T>(done: Result<T, crate::refused::Refused>) {
    drop(done);
}
