//! Dice: every decision of a server comes from its seed.
//!
//! Decision number `n` has a generator of its own, made from the seed and `n`. So the decisions of a run are
//! reproducible as a sequence, whatever each of them draws. Which call becomes number `n` is up to the sockets.

use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    thrown: AtomicU64,
}

impl Dice {
    /// `stream` keeps two dice with one seed apart: a call must not change what happens to a delivery.
    pub(crate) fn new(seed: u64, stream: &str) -> Self {
        let salt = stream
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self { seed: mixed(seed ^ salt), thrown: AtomicU64::new(0) }
    }

    pub(crate) fn throw(&self) -> Rng {
        let number = self.thrown.fetch_add(1, Ordering::Relaxed);
        Rng::with_seed(mixed(self.seed.wrapping_add(mixed(number))))
    }
}

/// True in `rate` of all cases; a rate of 0 never and a rate of 1 always.
pub(crate) fn happens(rng: &mut Rng, rate: f64) -> bool {
    rng.f64() < rate
}

/// Neighbouring seeds and numbers must not give neighbouring generators.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_100(seed: u64, stream: &str) -> Vec<u64> {
        let dice = Dice::new(seed, stream);
        (0..100).map(|_| dice.throw().u64(..)).collect()
    }

    #[test]
    fn one_seed_decides_the_same_way_every_time() {
        assert_eq!(first_100(7, "crm calls"), first_100(7, "crm calls"));
        assert_ne!(first_100(7, "crm calls"), first_100(8, "crm calls"));
        assert_ne!(first_100(7, "crm calls"), first_100(7, "crm deliveries"));
    }

    #[test]
    fn a_rate_is_kept_over_many_decisions() {
        let dice = Dice::new(1, "rates");

        let happened = (0..10_000).filter(|_| happens(&mut dice.throw(), 0.2)).count();

        assert!((1_800..2_200).contains(&happened), "{happened} of 10000");
        assert!((0..1_000).all(|_| !happens(&mut dice.throw(), 0.0)));
        assert!((0..1_000).all(|_| happens(&mut dice.throw(), 1.0)));
    }
}
