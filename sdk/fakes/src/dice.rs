//! Dice: every decision of a server comes from its seed.
//!
//! A decision has a generator of its own, made from the seed and from what is decided: the number of the call, or the
//! moment it began where time is simulated. So the decisions of a run are reproducible, whatever each of them draws.
//! Which call becomes number `n` is up to the sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use crate::mishap::{Moment, Moments};

#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    thrown: AtomicU64,
    moments: Option<Arc<Moments>>,
}

/// One decision.
pub(crate) struct Throw {
    pub(crate) rng: Rng,
    moment: Option<(Arc<Moments>, Moment)>,
}

impl Dice {
    /// `stream` keeps two dice with one seed apart: a call must not change what happens to a delivery.
    pub(crate) fn new(seed: u64, stream: &str) -> Self {
        Self { seed: mixed(seed ^ hashed(stream)), thrown: AtomicU64::new(0), moments: None }
    }

    /// Decides by moments instead of numbers.
    #[must_use]
    pub(crate) fn by(mut self, moments: Option<Arc<Moments>>) -> Self {
        self.moments = moments;
        self
    }

    /// Throws for a call of this method and kind of path, or for a delivery.
    pub(crate) fn throw(&self, method: &'static str, path: &'static str) -> Throw {
        let Some(moments) = &self.moments else {
            let number = self.thrown.fetch_add(1, Ordering::Relaxed);
            return Throw { rng: self.rng(mixed(number)), moment: None };
        };
        let moment = moments.begin(method, path);
        let kind = hashed(method) ^ hashed(path).rotate_left(17);
        let rng = self.rng(mixed(mixed(moment.at_ms.unsigned_abs() ^ kind) ^ u64::from(moment.nth)));
        Throw { rng, moment: Some((Arc::clone(moments), moment)) }
    }

    fn rng(&self, what: u64) -> Rng {
        Rng::with_seed(mixed(self.seed.wrapping_add(what)))
    }
}

impl Throw {
    /// Whether what was thrown may go wrong in this way.
    pub(crate) fn strikes(&self, name: &'static str) -> bool {
        self.moment.as_ref().is_none_or(|(moments, moment)| moments.strike(*moment, name))
    }
}

/// True in `rate` of all cases; a rate of 0 never and a rate of 1 always.
pub(crate) fn happens(rng: &mut Rng, rate: f64) -> bool {
    rng.f64() < rate
}

fn hashed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
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
    use crate::wall::Wall;

    fn first_100(seed: u64, stream: &str) -> Vec<u64> {
        let dice = Dice::new(seed, stream);
        (0..100).map(|_| dice.throw("GET", "contact").rng.u64(..)).collect()
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

        let happened = (0..10_000).filter(|_| happens(&mut dice.throw("GET", "contact").rng, 0.2)).count();

        assert!((1_800..2_200).contains(&happened), "{happened} of 10000");
        assert!((0..1_000).all(|_| !happens(&mut dice.throw("GET", "contact").rng, 0.0)));
        assert!((0..1_000).all(|_| happens(&mut dice.throw("GET", "contact").rng, 1.0)));
    }

    #[tokio::test(start_paused = true)]
    async fn by_moments_a_decision_does_not_depend_on_what_happened_before() {
        let seconds = |skipped: u64| async move {
            let dice = Dice::new(1, "calls").by(Some(Arc::new(Moments::new(Wall::showing(0)))));
            let mut drawn = Vec::new();
            for second in 0..10 {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                if second != skipped {
                    drawn.push([(); 2].map(|()| dice.throw("GET", "contact").rng.u64(..)));
                }
            }
            drawn
        };

        let (all, some) = (seconds(99).await, seconds(4).await);

        assert_eq!((&all[..4], &all[5..]), (&some[..4], &some[4..]));
        assert_ne!(all[0][0], all[0][1], "two calls of one moment are two");
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_allowed_strikes() {
        let moments = Arc::new(Moments::new(Wall::showing(0)));
        let dice = Dice::new(1, "calls").by(Some(Arc::clone(&moments)));
        let strike = || dice.throw("GET", "contact").strikes("error_500");
        assert!(strike() && strike());
        let second = moments.struck()[1].clone();

        let moments = Arc::new(Moments::new(Wall::showing(0)));
        let dice = Dice::new(1, "calls").by(Some(Arc::clone(&moments)));
        moments.allow_only([second.clone()].into());
        let strikes = [(); 3].map(|()| dice.throw("GET", "contact").strikes("error_500"));

        assert_eq!(strikes, [false, true, false]);
        assert_eq!(moments.struck(), [second]);
    }
}
