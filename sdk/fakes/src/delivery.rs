//! Delivery: webhooks on their way to the receiver, until acknowledged or given up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::{Activity, UnderWay};
use crate::dice::{Dice, happens};
use crate::faults::Faults;
use crate::post::Post;
use crate::signature::Signer;
use crate::wall::Wall;

/// Deliveries on the wire at once. Those that wait are counted by `pending_deliveries`.
pub const DELIVERIES_AT_ONCE: usize = 64;

/// Acknowledgement times kept for the percentiles; the newest overwrite the oldest.
const ACK_SAMPLES_MAX: usize = 100_000;

/// How patient a server is with its receiver. The default is the contract; only tests want another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRules {
    /// A receiver that has not answered 2xx by then has not acknowledged.
    pub acknowledged_within: Duration,
    /// The waits before each further attempt. After the last one the delivery is given up.
    pub again_after: Vec<Duration>,
}

impl Default for DeliveryRules {
    fn default() -> Self {
        Self {
            acknowledged_within: Duration::from_secs(5),
            again_after: [250, 500, 1_000, 2_000, 4_000, 8_000].map(Duration::from_millis).to_vec(),
        }
    }
}

/// What became of the deliveries so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// Webhooks that had to be delivered, doubles not counted.
    pub announced: u64,
    /// POSTs sent to the receiver.
    pub attempts: u64,
    /// Attempts that were not acknowledged.
    pub failed_attempts: u64,
    /// Deliveries a 2xx ended.
    pub acknowledged: u64,
    /// Deliveries that ran out of attempts.
    pub given_up: u64,
    /// Deliveries lost on purpose.
    pub dropped: u64,
    /// Deliveries doubled on purpose.
    pub doubled: u64,
    /// Deliveries held back on purpose, to be late.
    pub delayed: u64,
    /// Deliveries held back on purpose, to be overtaken.
    pub reordered: u64,
    /// Deliveries nobody could make because no webhook URL was set.
    pub unaddressed: u64,
}

#[derive(Debug, Default)]
struct Tally {
    announced: AtomicU64,
    attempts: AtomicU64,
    failed_attempts: AtomicU64,
    acknowledged: AtomicU64,
    given_up: AtomicU64,
    dropped: AtomicU64,
    doubled: AtomicU64,
    delayed: AtomicU64,
    reordered: AtomicU64,
    unaddressed: AtomicU64,
}

/// What is delivered. Its events keep their ids over all attempts.
pub(crate) trait Letter: Send + Sync + 'static {
    fn body(&self, attempt: u32) -> Vec<u8>;
}

/// Tells when a delivery has been tried for the first time, for answers that must come after it.
#[derive(Clone, Debug)]
pub(crate) struct FirstAttempt(Vec<watch::Receiver<bool>>);

impl FirstAttempt {
    /// That of several deliveries is made when all have been tried.
    pub(crate) fn of_all(attempts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let attempts: Vec<_> = attempts.into_iter().flat_map(|attempt| attempt.0).collect();
        (!attempts.is_empty()).then_some(Self(attempts))
    }

    pub(crate) async fn wait(self) {
        for mut made in self.0 {
            // An error means the delivery was dropped at shutdown: nobody is left to wait for.
            drop(made.wait_for(|made| *made).await);
        }
    }
}

pub(crate) struct Courier {
    post: Arc<dyn Post>,
    wall: Wall,
    address: RwLock<Option<Arc<str>>>,
    signer: Signer,
    rules: DeliveryRules,
    dice: Dice,
    wire: Semaphore,
    pending: AtomicUsize,
    tally: Tally,
    acks: Mutex<Acks>,
    activity: Arc<Activity>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Acks {
    samples: Vec<Duration>,
    next: usize,
}

impl Courier {
    #[expect(clippy::too_many_arguments, reason = "its parts, each made by the server it belongs to")]
    pub(crate) fn new(
        address: Option<String>,
        signer: Signer,
        rules: DeliveryRules,
        dice: Dice,
        (post, wall): (Arc<dyn Post>, Wall),
        activity: Arc<Activity>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            post,
            wall,
            address: RwLock::new(address.map(Arc::from)),
            signer,
            rules,
            dice,
            wire: Semaphore::new(DELIVERIES_AT_ONCE),
            pending: AtomicUsize::new(0),
            tally: Tally::default(),
            acks: Mutex::default(),
            activity,
            stop,
            tasks,
        }
    }

    pub(crate) fn set_address(&self, address: Option<String>) {
        *self.address.write().expect("nobody panics holding it") = address.map(Arc::from);
    }

    fn address(&self) -> Option<Arc<str>> {
        let address = self.address.read().expect("nobody panics holding it");
        address.clone()
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    pub(crate) fn deliveries(&self) -> Deliveries {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.tally;
        Deliveries {
            announced: read(&tally.announced),
            attempts: read(&tally.attempts),
            failed_attempts: read(&tally.failed_attempts),
            acknowledged: read(&tally.acknowledged),
            given_up: read(&tally.given_up),
            dropped: read(&tally.dropped),
            doubled: read(&tally.doubled),
            delayed: read(&tally.delayed),
            reordered: read(&tally.reordered),
            unaddressed: read(&tally.unaddressed),
        }
    }

    pub(crate) fn ack_times(&self) -> Vec<Duration> {
        let acks = self.acks.lock().expect("nobody panics holding it");
        acks.samples.clone()
    }

    /// Sends a letter on its way and returns at once. Nothing comes back when there is nothing to wait for.
    pub(crate) fn send(self: &Arc<Self>, faults: &Faults, letter: Arc<dyn Letter>) -> Option<FirstAttempt> {
        let tally = &self.tally;
        count(&tally.announced);
        let mut throw = self.dice.throw("webhook", "delivery");
        if self.address().is_none() {
            count(&tally.unaddressed);
            return None;
        }
        // All of it is drawn whatever comes of it, so that one mishap more or less changes no other.
        let rng = &mut throw.rng;
        let rates = [
            faults.delivery_dropped_rate,
            faults.delivery_reordered_rate,
            faults.delivery_delayed_rate,
            faults.delivery_doubled_rate,
        ];
        let [dropped, reordered, delayed, doubled] = rates.map(|rate| happens(rng, rate));
        let overtaken_ms = rng.u64(0..=faults.delivery_reorder_max_ms);
        let delayed_ms = rng.u64(0..=faults.delivery_delay_max_ms);
        if dropped && throw.strikes("delivery_dropped") {
            count(&tally.dropped);
            return None;
        }
        let mut held_back_ms = 0;
        if reordered && throw.strikes("delivery_reordered") {
            count(&tally.reordered);
            held_back_ms += overtaken_ms;
        }
        if delayed && throw.strikes("delivery_delayed") {
            count(&tally.delayed);
            held_back_ms += delayed_ms;
        }
        let held_back = Duration::from_millis(held_back_ms);
        if doubled && throw.strikes("delivery_doubled") {
            count(&tally.doubled);
            self.start(held_back, letter.clone());
        }
        Some(self.start(held_back, letter))
    }

    fn start(self: &Arc<Self>, held_back: Duration, letter: Arc<dyn Letter>) -> FirstAttempt {
        let (made, first_attempt) = watch::channel(false);
        let made = Arc::new(made);
        let courier = self.clone();
        let pending = Pending::of(self);
        let course = async move {
            if !held_back.is_zero() {
                tokio::time::sleep(held_back).await;
            }
            let again_after = courier.rules.again_after.clone();
            let acknowledged = until_acknowledged(&again_after, |number| {
                let (courier, letter, made) = (courier.clone(), letter.clone(), made.clone());
                async move {
                    let acknowledged = courier.attempt(letter.as_ref(), number).await;
                    made.send_replace(true);
                    acknowledged
                }
            })
            .await;
            count(if acknowledged { &courier.tally.acknowledged } else { &courier.tally.given_up });
            drop(pending);
        };
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(course));
        FirstAttempt(vec![first_attempt])
    }

    async fn attempt(&self, letter: &dyn Letter, number: u32) -> bool {
        let Ok(_on_the_wire) = self.wire.acquire().await else {
            return false;
        };
        let Some(url) = self.address() else {
            return false;
        };
        let body = letter.body(number);
        let headers = self.signer.headers(&url, &body, self.wall.now_ms());
        count(&self.tally.attempts);
        let sent = Instant::now();
        let acknowledged = self.post.carry(&url, headers, body, self.rules.acknowledged_within).await;
        if acknowledged {
            self.note_ack(sent.elapsed());
        } else {
            count(&self.tally.failed_attempts);
        }
        acknowledged
    }

    fn note_ack(&self, after: Duration) {
        let mut acks = self.acks.lock().expect("nobody panics holding it");
        if acks.samples.len() < ACK_SAMPLES_MAX {
            acks.samples.push(after);
            return;
        }
        let next = acks.next;
        acks.samples[next] = after;
        acks.next = (next + 1) % ACK_SAMPLES_MAX;
    }
}

/// Attempts until one is acknowledged, with the given waits in between.
async fn until_acknowledged<A, F>(again_after: &[Duration], mut attempt: A) -> bool
where
    A: FnMut(u32) -> F,
    F: Future<Output = bool>,
{
    let mut waits = again_after.iter();
    for number in 0.. {
        if attempt(number).await {
            return true;
        }
        match waits.next() {
            Some(wait) => tokio::time::sleep(*wait).await,
            None => break,
        }
    }
    false
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts a delivery as pending, also when it ends by being cancelled.
struct Pending {
    courier: Arc<Courier>,
    _under_way: UnderWay,
}

impl Pending {
    fn of(courier: &Arc<Courier>) -> Self {
        courier.pending.fetch_add(1, Ordering::AcqRel);
        Self { courier: courier.clone(), _under_way: courier.activity.begin() }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.courier.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the contract's schedule on paused time and answers when each attempt was made.
    async fn attempts_at_ms(acknowledged_by: Option<u32>) -> (Vec<u128>, bool) {
        let started = Instant::now();
        let rules = DeliveryRules::default();
        let mut at_ms = Vec::new();
        let acknowledged = until_acknowledged(&rules.again_after, |number| {
            at_ms.push(started.elapsed().as_millis());
            async move { Some(number) == acknowledged_by }
        })
        .await;
        (at_ms, acknowledged)
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_nobody_acknowledges_is_sent_seven_times_and_given_up() {
        let (at_ms, acknowledged) = attempts_at_ms(None).await;

        assert_eq!(at_ms, [0, 250, 750, 1_750, 3_750, 7_750, 15_750]);
        assert!(!acknowledged);
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledged_delivery_is_not_sent_again() {
        let (at_ms, acknowledged) = attempts_at_ms(Some(2)).await;

        assert_eq!(at_ms, [0, 250, 750]);
        assert!(acknowledged);
    }

    #[test]
    fn a_receiver_has_five_seconds() {
        assert_eq!(DeliveryRules::default().acknowledged_within, Duration::from_secs(5));
    }
}
