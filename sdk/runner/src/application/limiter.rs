//! How fast an application may be called: one limiter for all topologies that call it.
//!
//! It starts without a rate, because nobody knows the right one. A 429 pauses the whole application for as long as it
//! says, and then the rate goes on below what was too fast; it grows again until the limit was nowhere to be seen.
//! A call has a `permit` and ends with a word on how it went; what that says of the `rate` is arithmetic.

mod permit;
mod rate;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairline_sdk::{Clock, Random, ReadError, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};

use permit::OUTAGE_FIRST;
pub(super) use permit::Permit;
use rate::{Begun, Rate};

/// Whoever asks waits this long in place; for longer, something else is done meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest pause a system can ask for.
const PAUSE_LONGEST: Duration = Duration::from_secs(3600);
/// A call that was admitted and not made within this time gives its place back.
const CREDIT_LIFE: Duration = Duration::from_secs(3);
/// How soon to look again whether the probe has come back.
const PROBE_EVERY: Duration = Duration::from_millis(25);
/// Whoever found all slots taken comes back after this.
const SLOT_AFTER: Duration = Duration::from_millis(100);
/// Nobody is told to come back sooner.
const WAIT_SHORTEST: Duration = Duration::from_millis(10);
/// Calls at once, whatever a description says.
const IN_FLIGHT_AT_MOST: usize = 10_000;

/// Holds calls to one application back.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    slots: Semaphore,
    state: Mutex<State>,
    waits: AtomicU64,
    throttled: AtomicU64,
}

#[derive(Default)]
struct State {
    paused_until: Timestamp,
    reason: String,
    /// How often in a row the system was not to be reached.
    outages: u32,
    /// Whether the one call is under way that finds out whether it is back.
    probing: bool,
    /// How often in a row there was a 429 without a time.
    throttles: u32,
    rate: Option<Rate>,
    begun: Begun,
    /// Places in the rate that were given out by `admit` and not used yet.
    credits: u32,
    credits_until: Timestamp,
}

impl Limiter {
    /// At most this many calls at once.
    pub fn new(in_flight: usize, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let slots = Semaphore::new(in_flight.clamp(1, IN_FLIGHT_AT_MOST));
        Self { clock, random, slots, state: Mutex::default(), waits: AtomicU64::new(0), throttled: AtomicU64::new(0) }
    }

    /// Waits a while until a call may be made, or says how long that will be.
    ///
    /// # Errors
    ///
    /// [`ReadError::Wait`].
    pub async fn admit(&self) -> Result<(), ReadError> {
        let until = self.clock.now().plus(PATIENCE);
        let probe = self.start(until, false).await?;
        let slot = if self.slots.available_permits() == 0 { self.slot(until).await.map(drop) } else { Ok(()) };
        let mut state = self.state();
        // Whoever was only admitted is no probe.
        state.probing &= !probe;
        slot?;
        if state.rate.is_some() {
            let now = self.clock.now();
            state.credits = if now > state.credits_until { 1 } else { state.credits + 1 };
            state.credits_until = now.plus(CREDIT_LIFE);
        }
        Ok(())
    }

    /// A call that was admitted begins; it waits no longer than `until`.
    ///
    /// # Errors
    ///
    /// [`ReadError::Wait`].
    pub async fn enter_admitted(&self, until: Timestamp) -> Result<Permit<'_>, ReadError> {
        self.enter_until(until, true).await
    }

    /// A call begins; it waits a while for its turn.
    ///
    /// # Errors
    ///
    /// [`ReadError::Wait`].
    pub async fn enter(&self) -> Result<Permit<'_>, ReadError> {
        self.enter_until(self.clock.now().plus(PATIENCE), false).await
    }

    /// Makes no calls for a while.
    pub fn pause(&self, after: Duration, reason: &str) {
        let until = self.clock.now().plus(after.min(PAUSE_LONGEST));
        let mut state = self.state();
        if until > state.paused_until {
            state.paused_until = until;
            reason.clone_into(&mut state.reason);
        }
    }

    /// Makes calls again at once.
    pub fn resume(&self) {
        let mut state = self.state();
        state.paused_until = Timestamp::default();
        state.outages = 0;
    }

    /// How long it still makes no calls, and why.
    pub fn paused(&self) -> Option<(Duration, String)> {
        let now = self.clock.now();
        let state = self.state();
        (state.paused_until > now).then(|| (state.paused_until.since(now), state.reason.clone()))
    }

    /// Whether it makes no calls now.
    pub fn is_paused(&self) -> bool {
        let now = self.clock.now();
        self.state().paused_until > now
    }

    /// Calls a second, when there is a limit.
    pub fn rate(&self) -> Option<f64> {
        self.state().rate.as_ref().map(Rate::calls_per_second)
    }

    /// How often somebody had to wait.
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// How often a call was answered 429.
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    async fn enter_until(&self, until: Timestamp, admitted: bool) -> Result<Permit<'_>, ReadError> {
        let probe = self.start(until, admitted).await?;
        let slot = match self.slots.try_acquire() {
            Ok(slot) => Ok(slot),
            Err(_) => self.slot(until).await,
        };
        match slot {
            Ok(slot) => Ok(Permit { limiter: self, started: self.clock.now(), probe, _slot: slot }),
            Err(wait) => {
                if probe {
                    self.state().probing = false;
                }
                Err(wait)
            }
        }
    }

    async fn slot(&self, until: Timestamp) -> Result<SemaphorePermit<'_>, ReadError> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            biased;
            slot = self.slots.acquire() => Ok(slot.expect("the semaphore is never closed")),
            () = self.clock.sleep_until(until) => {
                Err(wait("the application has as many calls under way as it may", SLOT_AFTER))
            }
        }
    }

    /// Waits until pauses, the probe and the rate let a call start. Answers whether it is the probe.
    async fn start(&self, until: Timestamp, admitted: bool) -> Result<bool, ReadError> {
        let mut waited = false;
        loop {
            let now = self.clock.now();
            let at = match self.next_start(now, until, admitted)? {
                Start::Now { probe } => return Ok(probe),
                Start::Reserved(at) => {
                    self.waits.fetch_add(u64::from(!waited), Ordering::Relaxed);
                    self.clock.sleep_until(at).await;
                    if !self.is_paused() {
                        return Ok(false);
                    }
                    continue;
                }
                Start::LookAgain(at) => at,
            };
            self.waits.fetch_add(u64::from(!waited), Ordering::Relaxed);
            waited = true;
            self.clock.sleep_until(at).await;
        }
    }

    fn next_start(&self, now: Timestamp, until: Timestamp, admitted: bool) -> Result<Start, ReadError> {
        let mut state = self.state();
        if now < state.paused_until {
            if state.paused_until > until {
                return Err(wait(&state.reason, state.paused_until.since(now)));
            }
            return Ok(Start::LookAgain(state.paused_until));
        }
        let mut probe = false;
        if state.outages > 0 {
            if state.probing {
                let again = now.plus(PROBE_EVERY);
                return if again > until {
                    Err(wait(&state.reason, OUTAGE_FIRST))
                } else {
                    Ok(Start::LookAgain(again))
                };
            }
            state.probing = true;
            probe = true;
        }
        state.begun.turn_to(now);
        if admitted && state.credits > 0 && now <= state.credits_until {
            state.credits -= 1;
        } else if let Some(rate) = &mut state.rate {
            match rate.take(now, until) {
                Ok(at) if at > now && !probe => {
                    state.begun.add_one();
                    return Ok(Start::Reserved(at));
                }
                Ok(_) => {}
                Err(at) => {
                    state.probing &= !probe;
                    return Err(wait("the application asked for fewer calls", at.since(now)));
                }
            }
        }
        state.begun.add_one();
        Ok(Start::Now { probe })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is a few numbers, each right by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a call may start.
enum Start {
    /// At once, perhaps as the probe.
    Now { probe: bool },
    /// Then, and nobody else has that place in the rate.
    Reserved(Timestamp),
    /// Not before, if then.
    LookAgain(Timestamp),
}

fn wait(reason: &str, after: Duration) -> ReadError {
    ReadError::Wait { reason: reason.to_owned(), after: after.max(WAIT_SHORTEST) }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{TestClock, TestRandom};

    use super::permit::OUTAGE_LONGEST;
    use super::*;

    fn limiter(in_flight: usize) -> (Arc<Limiter>, Arc<TestClock>) {
        let clock = Arc::new(TestClock::default());
        (Arc::new(Limiter::new(in_flight, clock.clone(), Arc::new(TestRandom::default()))), clock)
    }

    /// Lets time pass in small steps until a future is ready.
    async fn while_time_passes<T>(clock: &TestClock, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        for _ in 0..100_000 {
            tokio::select! {
                biased;
                done = &mut future => return done,
                () = tokio::task::yield_now() => clock.advance(Duration::from_millis(5)),
            }
        }
        panic!("it never gets ready");
    }

    fn after(error: ReadError) -> Duration {
        match error {
            ReadError::Wait { after, .. } => after,
            other => panic!("expected to wait, found {other:?}"),
        }
    }

    #[tokio::test]
    async fn without_a_429_nobody_waits() {
        let (limiter, _) = limiter(2);

        for _ in 0..1_000 {
            limiter.admit().await.unwrap();
            limiter.enter().await.unwrap().answered();
        }

        assert_eq!((limiter.waits(), limiter.rate()), (0, None));
    }

    #[tokio::test]
    async fn no_more_calls_are_under_way_than_agreed() {
        let (limiter, clock) = limiter(2);
        let first = limiter.enter().await.unwrap();
        let _second = limiter.enter().await.unwrap();

        let began = clock.now();
        let third = while_time_passes(&clock, limiter.enter()).await;
        assert!(after(third.err().unwrap()) < Duration::from_secs(1));
        assert!(clock.now().since(began) >= PATIENCE);
        assert!(while_time_passes(&clock, limiter.admit()).await.is_err());

        first.answered();
        assert!(limiter.enter().await.is_ok());
    }

    #[tokio::test]
    async fn a_429_pauses_everybody_for_exactly_as_long_as_it_says() {
        let (limiter, clock) = limiter(8);

        limiter.enter().await.unwrap().throttled(Some(Duration::from_secs(7)));

        assert_eq!(after(limiter.admit().await.unwrap_err()), Duration::from_secs(7));
        clock.advance(Duration::from_millis(5_500));
        let began = clock.now();
        while_time_passes(&clock, limiter.admit()).await.unwrap();
        assert_eq!(clock.now().since(began), Duration::from_millis(1_500));
    }

    #[tokio::test]
    async fn a_429_without_a_time_pauses_longer_each_time() {
        let (limiter, clock) = limiter(8);
        let mut last = Duration::ZERO;

        for _ in 0..5 {
            let pause = while_time_passes(&clock, limiter.enter()).await.unwrap().throttled(None);
            assert!(pause > last, "{pause:?}");
            last = pause;
            clock.advance(pause);
            clock.advance(Duration::from_secs(1));
        }
        limiter.resume();
        while_time_passes(&clock, limiter.enter()).await.unwrap().answered();
        let pause = while_time_passes(&clock, limiter.enter()).await.unwrap().throttled(None);
        assert!(pause < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn the_rate_falls_once_for_calls_that_ran_together_and_grows_until_it_is_forgotten() {
        let (limiter, clock) = limiter(200);
        let permits: Vec<_> = futures_util::future::join_all((0..100).map(|_| limiter.enter())).await;
        for permit in permits {
            permit.unwrap().throttled(Some(Duration::from_millis(100)));
        }
        let rate = limiter.rate().unwrap();
        assert!((rate - 70.0).abs() < 0.1, "{rate}");

        clock.advance(Duration::from_millis(100));
        let began = clock.now();
        for _ in 0..70 {
            let permit = while_time_passes(&clock, limiter.enter()).await.unwrap();
            permit.lost();
        }
        let took = clock.now().since(began);
        assert!((900..1_100).contains(&took.as_millis()), "{took:?}");

        for _ in 0..1_000 {
            while_time_passes(&clock, limiter.enter()).await.unwrap().answered();
        }
        assert_eq!(limiter.rate(), None);
        assert!(clock.now().since(began) < Duration::from_secs(12));
        assert_eq!(limiter.throttled(), 100);
    }

    #[tokio::test]
    async fn a_call_that_was_admitted_does_not_wait_a_second_time() {
        let (limiter, clock) = limiter(8);
        limiter.enter().await.unwrap().throttled(Some(Duration::ZERO));
        for _ in 0..10 {
            while_time_passes(&clock, limiter.admit()).await.unwrap();
        }
        let waits = limiter.waits();

        let until = clock.now().plus(Duration::from_secs(1));
        limiter.enter_admitted(until).await.unwrap().lost();
        assert_eq!(limiter.waits(), waits);
    }

    #[tokio::test]
    async fn an_outage_is_probed_by_one_call_at_a_time() {
        let (limiter, clock) = limiter(8);
        let pause = limiter.enter().await.unwrap().unreachable();
        assert!(pause < Duration::from_millis(200));
        clock.advance(pause);

        let probe = limiter.enter().await.unwrap();
        let other = while_time_passes(&clock, limiter.enter()).await;
        assert!(other.is_err());
        assert!(probe.unreachable() > pause);

        clock.advance(OUTAGE_LONGEST);
        limiter.enter().await.unwrap().answered();
        let (_one, _two) = (limiter.enter().await.unwrap(), limiter.enter().await.unwrap());
    }

    #[tokio::test]
    async fn a_probe_that_is_dropped_lets_another_one_go() {
        let (limiter, clock) = limiter(8);
        clock.advance(limiter.enter().await.unwrap().unreachable());

        drop(limiter.enter().await.unwrap());

        assert!(limiter.enter().await.is_ok());
    }

    #[tokio::test]
    async fn refused_credentials_pause_for_half_a_minute_and_say_so() {
        let (limiter, _) = limiter(8);

        limiter.enter().await.unwrap().denied();

        let (left, reason) = limiter.paused().unwrap();
        assert_eq!(left, Duration::from_secs(30));
        assert!(reason.contains("credentials"));
    }
}
