//! What people and other tools do, by chance.

use std::time::Duration;

use fastrand::Rng;
use pairline_fakes::judge::{Actor, Cast, Meaning, Ownership, Rule, Side};

/// Days in the life of both systems.
pub(super) struct People {
    pub(super) rng: Rng,
    pub(super) deletes: bool,
    pub(super) ownership: Ownership,
}

impl People {
    /// Does so many things, with pauses between none and a while.
    pub(super) async fn work(&mut self, cast: &mut Cast, deeds: usize) {
        for _ in 0..deeds {
            self.pause().await;
            let people = u32::try_from(cast.len()).unwrap();
            if people == 0 || self.rng.u8(0..100) < 18 {
                let (side, times) = (self.side(), self.rng.u32(1..=3));
                cast.create(side, times).unwrap();
                continue;
            }
            cast.look_around();
            let (number, side) = (self.rng.u32(1..=people), self.side());
            // Whoever has no record there yet, or none any more, is let be.
            drop(match self.rng.u8(0..100) {
                0..4 if self.deletes => cast.delete(number, side),
                // Before a counterpart is born there is no other side whose field it could be.
                0..12 if cast.is_paired(number) => cast.edit(number, side, &self.of(side.other()), Actor::Person),
                12..22 => cast.edit(number, side, &self.of(side), Actor::Tool),
                22..30 => cast
                    .edit(number, side, &[Meaning::Phone], Actor::Person)
                    .and_then(|()| cast.edit(number, side.other(), &[Meaning::Phone], Actor::Person)),
                _ => cast.edit(number, side, &self.of(side), Actor::Person),
            });
        }
    }

    async fn pause(&mut self) {
        // Bursts, and now and then a while of nothing.
        let pause_ms = match self.rng.u8(0..10) {
            0..4 => 0,
            4..8 => self.rng.u64(0..60),
            8 => self.rng.u64(0..1_500),
            _ => self.rng.u64(0..6_000),
        };
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }

    fn side(&mut self) -> Side {
        if self.rng.bool() { Side::Crm } else { Side::Erp }
    }

    /// Some fields that a side owns, and the shared one.
    fn of(&mut self, side: Side) -> Vec<Meaning> {
        let theirs = Rule::Owned(side.other());
        let mut meanings: Vec<Meaning> =
            Meaning::ALL.into_iter().filter(|meaning| self.ownership.rule(*meaning) != theirs).collect();
        self.rng.shuffle(&mut meanings);
        meanings.truncate(self.rng.usize(1..=2));
        meanings
    }
}
