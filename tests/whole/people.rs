//! What people and other tools mean to do, by chance.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use pairline_fakes::judge::{Actor, Meaning, Ownership, Rule, Side};

use super::deed::{Deed, Typed, What};

/// Fields a person sometimes empties.
const EMPTIED: [Meaning; 4] = [Meaning::Phone, Meaning::BillingEmail, Meaning::VatId, Meaning::CreditLimit];

/// What people do that not everybody does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Habits {
    /// They delete and merge records.
    pub(super) deletes: bool,
    /// They copy records.
    pub(super) clones: bool,
    /// Another tool knows some of them already.
    pub(super) twins: bool,
}

/// Days in the life of both systems, before anybody knows what will come of them.
pub(super) struct People {
    rng: Rng,
    now_ms: u64,
    ownership: Ownership,
    habits: Habits,
    /// How many values each person has typed.
    serials: BTreeMap<u32, u32>,
    /// People with a twin, who are let be from then on.
    twins: BTreeSet<u32>,
}

impl People {
    pub(super) fn new(seed: u64, habits: Habits) -> Self {
        let (ownership, serials, twins) = (Ownership::default(), BTreeMap::new(), BTreeSet::new());
        Self { rng: Rng::with_seed(seed), now_ms: 0, ownership, habits, serials, twins }
    }

    /// So many deeds, with pauses between none and a while.
    pub(super) fn plan(mut self, deeds: usize) -> Vec<Deed> {
        (0..deeds).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Deed {
        self.pause();
        let people = u32::try_from(self.serials.len()).unwrap();
        let others: Vec<u32> = (1..=people).filter(|person| !self.twins.contains(person)).collect();
        if others.is_empty() || self.rng.u8(0..100) < 18 {
            return Deed { at_ms: self.now_ms, person: people + 1, what: self.newcomer(people + 1) };
        }
        let (person, side) = (others[self.rng.usize(0..others.len())], self.side());
        let what = match self.rng.u8(0..100) {
            0..3 if self.habits.deletes => What::Delete { side },
            3 if self.habits.deletes => {
                let into = others[self.rng.usize(0..others.len())];
                if into == person { What::Delete { side } } else { What::Merge { side, into } }
            }
            4..6 if self.habits.clones => What::Clone { side },
            0..12 => What::Trespass { side, typed: self.typed(person, side.other()) },
            12..22 => What::Edit { side, actor: Actor::Tool, typed: self.typed(person, side) },
            22..30 => {
                let typed = [(); 2].map(|()| self.value(person, Meaning::Phone));
                What::Collide { first: side, typed }
            }
            _ => What::Edit { side, actor: Actor::Person, typed: self.typed(person, side) },
        };
        Deed { at_ms: self.now_ms, person, what }
    }

    fn newcomer(&mut self, person: u32) -> What {
        self.serials.insert(person, 0);
        let (side, times, known) = (self.side(), self.rng.u32(1..=3), self.known());
        if self.habits.twins && self.rng.u8(0..10) == 0 {
            self.twins.insert(person);
            return What::Twin { known };
        }
        What::Enter { side, known, times }
    }

    fn pause(&mut self) {
        // Bursts, and now and then a while of nothing.
        self.now_ms += match self.rng.u8(0..10) {
            0..4 => 0,
            4..8 => self.rng.u64(0..60),
            8 => self.rng.u64(0..1_500),
            _ => self.rng.u64(0..6_000),
        };
    }

    fn side(&mut self) -> Side {
        if self.rng.bool() { Side::Crm } else { Side::Erp }
    }

    /// Nobody is without a name or an e-mail; the rest is sometimes filled in later.
    fn known(&mut self) -> Vec<Meaning> {
        let rng = &mut self.rng;
        let known = |meaning: &Meaning| matches!(meaning, Meaning::Email | Meaning::Name) || rng.u8(0..10) < 6;
        Meaning::ALL.into_iter().filter(known).collect()
    }

    /// Some fields that a side owns, and the shared one.
    fn typed(&mut self, person: u32, side: Side) -> Vec<Typed> {
        let theirs = Rule::Owned(side.other());
        let mut meanings: Vec<Meaning> =
            Meaning::ALL.into_iter().filter(|meaning| self.ownership.rule(*meaning) != theirs).collect();
        self.rng.shuffle(&mut meanings);
        meanings.truncate(self.rng.usize(1..=2));
        meanings.into_iter().map(|meaning| self.value(person, meaning)).collect()
    }

    fn value(&mut self, person: u32, meaning: Meaning) -> Typed {
        let serial = self.serials.entry(person).or_default();
        *serial += 1;
        let emptied = EMPTIED.contains(&meaning) && self.rng.u8(0..100) < 4;
        Typed { meaning, serial: (!emptied).then_some(*serial) }
    }
}
