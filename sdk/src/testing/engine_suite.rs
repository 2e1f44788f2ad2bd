//! What every [`Engine`] must do.
//!
//! A new engine writes an [`EngineUnderTest`] and one line:
//!
//! ```ignore
//! pairline_sdk::engine_suite!(block_on, MyEngineUnderTest::make());
//! ```
//!
//! No test waits for something not to happen. Where a hint must not come, another one is sent after it, and comes first.

#![expect(missing_docs, reason = "the name of a test is its sentence")]
#![expect(clippy::unwrap_used, reason = "these are tests, in a library for the sake of those who run them")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::{Either, join, select};
use serde_json::{Value, json};

use super::TestClock;
use crate::{
    Arrival, Clock, Control, Create, Creates, Delivery, Disposition, Engine, EngineError, EventFacts, EventKind,
    Fields, Health, Hint, InboxEvent, ListQuery, Listed, Outcome, PairStore, Provenance, Record, RecordId, Request,
    Reserve, System, Taken, Timestamp, TrashId, TrashItem, Unreadable, WaitingHint, Worker,
};

/// A record settles this long between two hand-outs. The engine under test is made with it.
pub const SETTLE: Duration = Duration::from_millis(200);

/// What a test waits for comes within this time, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine, and what a test does to it.
pub trait EngineUnderTest: Sized + Send {
    /// The engine.
    fn engine(&self) -> Arc<dyn Engine>;

    /// The store whose pairs make lanes.
    fn store(&self) -> Arc<dyn PairStore>;

    /// The clock it reads.
    fn clock(&self) -> &TestClock;

    /// The program dies here, without a goodbye, and starts again on what is durable. Nobody else holds the engine.
    fn restart(self) -> impl Future<Output = Self> + Send;
}

/// Makes a module of tests of everything in [`engine_suite`](self): one test per behaviour.
///
/// `$block_on` runs a future to its end on the runtime the engine needs; `$make` is a future of an empty engine.
#[macro_export]
macro_rules! engine_suite {
    ($block_on:expr, $make:expr) => {
        $crate::engine_suite!(@tests $block_on, $make;
            an_event_key_is_taken_once
            what_is_settled_at_the_door_is_taken_once_and_makes_no_hint
            a_key_belongs_to_its_application
            a_delivery_taken_many_times_at_once_is_taken_once
            a_hint_carries_what_its_one_event_claims
            a_hint_merged_from_several_events_claims_nothing
            a_hint_of_our_own_claims_nothing
            news_during_work_stays_waiting_and_stands_for_itself
            more_news_during_work_is_merged
            news_during_work_that_is_to_be_repeated_joins_what_was_not_finished
            a_burst_of_events_becomes_two_looks
            a_record_settles_and_others_do_not_wait_for_it
            both_records_of_a_pair_share_a_lane_and_know_of_each_other
            different_records_are_at_work_together
            no_more_than_the_limit_is_at_work
            hints_are_handed_out_oldest_first
            a_repeat_comes_back_at_its_time_and_is_counted
            a_repeat_that_does_not_count_keeps_its_hops
            news_does_not_hurry_a_repeat
            what_cannot_be_delivered_waits_in_the_trash
            the_same_trash_is_one_item_that_counts
            an_approved_item_comes_back_as_a_hint_once
            a_rejected_item_is_gone_for_good
            a_worker_that_panics_stops_one_record
            a_paused_system_takes_hints_and_hands_none_out
            a_pause_survives_a_restart
            stop_waits_for_what_is_at_work
            an_engine_runs_again_after_a_stop
            only_one_runs_an_engine
            a_crash_hands_out_again_what_was_not_finished
            news_does_not_hide_what_a_crash_left_unfinished
            a_run_that_was_stopped_is_over_only_when_its_workers_are
            a_cursor_is_kept_with_what_it_found
            what_cannot_be_read_is_kept_as_text
            a_long_text_is_cut_between_characters
            old_event_keys_are_forgotten_in_batches
            events_are_listed_by_record
            an_idle_engine_is_healthy_and_empty
        );
    };
    (@tests $block_on:expr, $make:expr; $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $block_on(async { $crate::testing::engine_suite::$name($make.await).await });
            }
        )*
    };
}

/// A worker that shows the test what it was given and waits for its word.
#[derive(Default)]
struct Desk(Mutex<DeskState>);

#[derive(Default)]
struct DeskState {
    given: VecDeque<Hint>,
    answers: HashMap<i64, Option<Disposition>>,
    at_work: usize,
    most_at_work: usize,
    wakers: Vec<Waker>,
}

#[async_trait]
impl Worker for Desk {
    async fn work(&self, hint: Hint) -> Disposition {
        let id = hint.id;
        self.change(|state| {
            state.given.push_back(hint);
            state.at_work += 1;
            state.most_at_work = state.most_at_work.max(state.at_work);
        });
        let answer = self.until(|state| state.answers.remove(&id)).await;
        self.change(|state| state.at_work -= 1);
        answer.expect("a worker was told to panic")
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, DeskState> {
        self.0.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut DeskState)) {
        let mut state = self.state();
        change(&mut state);
        state.wakers.drain(..).for_each(Waker::wake);
    }

    async fn until<T>(&self, mut ready: impl FnMut(&mut DeskState) -> Option<T>) -> T {
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(value) = ready(&mut state) {
                return Poll::Ready(value);
            }
            state.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// The next hint that is handed out.
    async fn next(&self) -> Hint {
        self.until(|state| state.given.pop_front()).await
    }

    /// The next hint, which must be this record's.
    async fn next_is(&self, record: &RecordId) -> Hint {
        let hint = self.next().await;
        assert_eq!(hint.record, *record);
        hint
    }

    /// This record's hint, among others that are handed out at the same time.
    async fn one(&self, record: &RecordId) -> Hint {
        self.until(|state| {
            let place = state.given.iter().position(|hint| hint.record == *record)?;
            state.given.remove(place)
        })
        .await
    }

    fn end(&self, hint: &Hint, disposition: Disposition) {
        self.change(|state| drop(state.answers.insert(hint.id, Some(disposition))));
    }

    fn done(&self, hint: &Hint) {
        self.end(hint, Disposition::Done);
    }

    fn panic(&self, hint: &Hint) {
        self.change(|state| drop(state.answers.insert(hint.id, None)));
    }
}

/// Runs the engine for as long as a scene lasts. The end of the scene is a crash of the run.
async fn play<T>(engine: &Arc<dyn Engine>, parallel: usize, scene: impl AsyncFnOnce(&Desk) -> T) -> T {
    let desk = Arc::new(Desk::default());
    let run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, parallel);
    let scene = pin!(scene(&desk));
    match select(scene, run).await {
        Either::Left((value, _)) => value,
        Either::Right((ended, _)) => panic!("expected that the engine runs until it is stopped, found {ended:?}"),
    }
}

/// Waits until the engine is in this state of health.
async fn until(engine: &Arc<dyn Engine>, mut so: impl FnMut(&Health) -> bool) -> Health {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let health = engine.health().await.unwrap();
        if so(&health) {
            return health;
        }
        assert!(Instant::now() < deadline, "expected another state of the engine, found {health:?}");
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

fn crm() -> System {
    System::new("crm")
}

fn erp() -> System {
    System::new("erp")
}

fn contact(id: &str) -> RecordId {
    RecordId::new(&crm(), id)
}

fn customer(id: &str) -> RecordId {
    RecordId::new(&erp(), id)
}

fn updated(field: &str, value: &str) -> EventFacts {
    let values: Fields = [(field.to_owned(), json!(value))].into_iter().collect();
    EventFacts { kind: EventKind::Updated, operation: None, ours: false, values: Some(values), fields: Vec::new() }
}

fn arrival(record: &RecordId, key: &str, facts: EventFacts) -> Arrival {
    Arrival::event(record.clone(), key, facts)
}

fn delivery(arrivals: Vec<Arrival>) -> Delivery {
    Delivery { arrivals, ..Delivery::default() }
}

/// Sends one event about a record.
async fn tell(engine: &Arc<dyn Engine>, record: &RecordId, key: &str) {
    let arrival = arrival(record, key, updated("phone", key));
    let taken = engine.enqueue(delivery(vec![arrival])).await.unwrap();
    assert_eq!(taken, Taken { accepted: 1, duplicates: 0 });
}

fn again(at: Timestamp, counted: bool) -> Disposition {
    Disposition::Again { at, reason: "the ERP is paused".to_owned(), counted }
}

fn trash(reason: &str) -> Disposition {
    Disposition::Trash { reason: reason.to_owned(), topology: "crm-to-erp".to_owned(), node: "update".to_owned() }
}

async fn trash_of(engine: &Arc<dyn Engine>) -> Vec<TrashItem> {
    match engine.list(ListQuery::Trash, 100).await.unwrap() {
        Listed::Trash(items) => items,
        other => panic!("expected the trash, found {other:?}"),
    }
}

async fn waiting_in(engine: &Arc<dyn Engine>) -> Vec<WaitingHint> {
    match engine.list(ListQuery::Waiting, 100).await.unwrap() {
        Listed::Waiting(hints) => hints,
        other => panic!("expected what waits, found {other:?}"),
    }
}

async fn events_of(engine: &Arc<dyn Engine>, record: &RecordId) -> Vec<InboxEvent> {
    match engine.list(ListQuery::Events(record.clone()), 100).await.unwrap() {
        Listed::Events(events) => events,
        other => panic!("expected events, found {other:?}"),
    }
}

pub async fn what_is_settled_at_the_door_is_taken_once_and_makes_no_hint(test: impl EngineUnderTest) {
    let engine = test.engine();
    let record = contact("1");
    let settled = || delivery(vec![Arrival { settled: true, ..arrival(&record, "e-1", updated("phone", "1")) }]);

    assert_eq!(engine.enqueue(settled()).await.unwrap(), Taken { accepted: 1, duplicates: 0 });
    assert_eq!(engine.enqueue(settled()).await.unwrap(), Taken { accepted: 0, duplicates: 1 });

    assert_eq!(waiting_in(&engine).await, []);
    assert_eq!(events_of(&engine, &record).await.len(), 1, "whoever asks for the record's story sees it");
}

pub async fn an_event_key_is_taken_once(test: impl EngineUnderTest) {
    let engine = test.engine();
    let events = || {
        delivery(vec![
            arrival(&contact("1"), "e-1", updated("phone", "1")),
            arrival(&contact("2"), "e-2", updated("phone", "2")),
        ])
    };
    assert_eq!(engine.enqueue(events()).await.unwrap(), Taken { accepted: 2, duplicates: 0 });
    assert_eq!(engine.enqueue(events()).await.unwrap(), Taken { accepted: 0, duplicates: 2 });
    drop(engine);

    let test = test.restart().await;
    let engine = test.engine();
    assert_eq!(engine.enqueue(events()).await.unwrap(), Taken { accepted: 0, duplicates: 2 });

    // Not even within one delivery; and a redelivery does not merge into the hint it once made.
    let twice = vec![
        arrival(&contact("3"), "e-3", updated("phone", "3")),
        arrival(&contact("3"), "e-3", updated("phone", "3")),
    ];
    assert_eq!(engine.enqueue(delivery(twice)).await.unwrap(), Taken { accepted: 1, duplicates: 1 });
    play(&engine, 4, async |desk| {
        for _ in 0..3 {
            assert!(desk.next().await.facts.is_some());
        }
    })
    .await;
}

pub async fn a_key_belongs_to_its_application(test: impl EngineUnderTest) {
    let engine = test.engine();

    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &customer("1"), "e-1").await;

    assert_eq!(engine.health().await.unwrap().waiting, 2);
}

pub async fn a_delivery_taken_many_times_at_once_is_taken_once(test: impl EngineUnderTest) {
    let engine = test.engine();
    let events = || delivery(vec![arrival(&contact("1"), "e-1", updated("phone", "1"))]);

    let taken = futures_util::future::join_all((0..16).map(|_| engine.enqueue(events()))).await;

    assert_eq!(taken.iter().map(|taken| taken.as_ref().unwrap().accepted).sum::<u64>(), 1);
    assert_eq!(taken.iter().map(|taken| taken.as_ref().unwrap().duplicates).sum::<u64>(), 15);
}

pub async fn a_hint_carries_what_its_one_event_claims(test: impl EngineUnderTest) {
    let engine = test.engine();
    let now = test.clock().now();
    let mut claims = updated("phone", "1");
    claims.fields = vec!["email".to_owned()];
    claims.ours = true;
    engine.enqueue(delivery(vec![arrival(&contact("1"), "e-1", claims.clone())])).await.unwrap();
    let gone = EventFacts { kind: EventKind::Deleted, values: None, ..updated("", "") };
    engine.enqueue(delivery(vec![arrival(&contact("2"), "e-2", gone)])).await.unwrap();

    play(&engine, 4, async |desk| {
        let hint = desk.one(&contact("1")).await;
        assert_eq!(hint.facts, Some(claims));
        assert_eq!(hint.received, BTreeMap::from([("email".to_owned(), now), ("phone".to_owned(), now)]));
        assert_eq!((hint.since, hint.hops, hint.others.len()), (now, 0, 0));
        assert!(!hint.correlation_id.is_empty());
        // An event that does not speak of fields may be about any of them.
        let other = desk.one(&contact("2")).await;
        assert_eq!(other.received, BTreeMap::from([("*".to_owned(), now)]));
        assert_ne!(other.correlation_id, hint.correlation_id);
    })
    .await;
}

pub async fn a_hint_merged_from_several_events_claims_nothing(test: impl EngineUnderTest) {
    let engine = test.engine();
    let first = test.clock().now();
    let phone = arrival(&contact("1"), "e-1", updated("phone", "1"));
    let email = arrival(&contact("1"), "e-2", updated("email", "1"));
    engine.enqueue(delivery(vec![phone, email])).await.unwrap();
    test.clock().advance(Duration::from_secs(1));
    let later = test.clock().now();
    engine.enqueue(delivery(vec![arrival(&contact("1"), "e-3", updated("email", "2"))])).await.unwrap();

    assert_eq!(engine.health().await.unwrap().waiting, 1);
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        assert_eq!(hint.facts, None);
        assert_eq!(hint.received, BTreeMap::from([("email".to_owned(), later), ("phone".to_owned(), first)]));
        assert_eq!(hint.since, first);
    })
    .await;
}

pub async fn a_hint_of_our_own_claims_nothing(test: impl EngineUnderTest) {
    let engine = test.engine();
    let ours = Arrival::look_at(contact("1"));
    let taken = engine.enqueue(delivery(vec![ours.clone()])).await.unwrap();
    assert_eq!(taken, Taken { accepted: 1, duplicates: 0 });
    assert_eq!(engine.enqueue(delivery(vec![ours])).await.unwrap(), taken, "without a key nothing is a duplicate");

    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        assert_eq!(hint.facts, None);
        assert_eq!(hint.received, BTreeMap::from([("*".to_owned(), test.clock().now())]));
    })
    .await;
    assert_eq!(events_of(&engine, &contact("1")).await, Vec::new());
}

pub async fn news_during_work_stays_waiting_and_stands_for_itself(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        test.clock().advance(Duration::from_millis(50));
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-2", updated("email", "2"))])).await.unwrap();
        desk.done(&first);
        test.clock().advance(SETTLE);

        let second = desk.next_is(&contact("1")).await;

        // The echo filter may judge it by the one event it stands for.
        assert_eq!(second.facts, Some(updated("email", "2")));
        assert_eq!(second.received.keys().collect::<Vec<_>>(), ["email"]);
        assert_eq!(second.since, first.since.plus(Duration::from_millis(50)));
        assert_ne!(second.correlation_id, first.correlation_id);
        desk.done(&second);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
}

pub async fn more_news_during_work_is_merged(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-2", updated("email", "2"))])).await.unwrap();
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-3", updated("name", "3"))])).await.unwrap();
        desk.done(&first);
        test.clock().advance(SETTLE);

        let second = desk.next_is(&contact("1")).await;

        assert_eq!(second.facts, None);
        assert_eq!(second.received.keys().collect::<Vec<_>>(), ["email", "name"]);
    })
    .await;
}

pub async fn news_during_work_that_is_to_be_repeated_joins_what_was_not_finished(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        test.clock().advance(Duration::from_millis(50));
        engine.enqueue(delivery(vec![arrival(&contact("1"), "e-2", updated("email", "2"))])).await.unwrap();
        desk.end(&first, again(test.clock().now(), true));
        test.clock().advance(SETTLE);

        let second = desk.next_is(&contact("1")).await;

        // It stands for both events now.
        assert_eq!(second.facts, None);
        assert_eq!(second.received.keys().collect::<Vec<_>>(), ["email", "phone"]);
        assert_eq!((second.since, second.hops), (first.since, 1));
    })
    .await;
}

pub async fn a_burst_of_events_becomes_two_looks(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-0").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        for number in 1..50 {
            tell(&engine, &contact("1"), &format!("e-{number}")).await;
        }
        desk.done(&first);
        test.clock().advance(SETTLE);
        let second = desk.next_is(&contact("1")).await;
        desk.done(&second);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
}

pub async fn a_record_settles_and_others_do_not_wait_for_it(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        desk.done(&first);
        until(&engine, |health| health.waiting == 0).await;
        test.clock().advance(SETTLE - Duration::from_millis(1));
        tell(&engine, &contact("1"), "e-2").await;
        tell(&engine, &contact("2"), "e-3").await;

        desk.next_is(&contact("2")).await;
        test.clock().advance(Duration::from_millis(1));
        let second = desk.next_is(&contact("1")).await;
        desk.done(&second);
        until(&engine, |health| health.waiting == 1).await;

        // Long after, an edit is immediate again.
        test.clock().advance(Duration::from_secs(60));
        tell(&engine, &contact("1"), "e-4").await;
        desk.next_is(&contact("1")).await;
    })
    .await;
}

/// Writes a pair of two records of these ids.
async fn pair_up(store: &Arc<dyn PairStore>, id: &str, made: &str) {
    let create = Create {
        source: contact(id),
        target: erp(),
        contract: "contact".to_owned(),
        request: Request { method: "POST".to_owned(), path: "/customers".to_owned(), body: "{}".to_owned() }.into(),
        writes: Arc::default(),
        inverse: None,
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: Provenance::default(),
    };
    store.set_creates(&Creates::Allowed).await.unwrap();
    let Reserve::Won(intent) = store.reserve(&create).await.unwrap() else { panic!("expected a reservation") };
    let outcome = Outcome::Committed { record: Record::new(made, Fields::new()) };
    store.settle(&intent, &outcome).await.unwrap();
    store.persist(&intent.operation().id).await.unwrap();
}

pub async fn both_records_of_a_pair_share_a_lane_and_know_of_each_other(test: impl EngineUnderTest) {
    let engine = test.engine();
    pair_up(&test.store(), "1", "9").await;
    let now = test.clock().now();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &customer("9"), "e-2").await;
    tell(&engine, &customer("10"), "e-3").await;
    play(&engine, 4, async |desk| {
        let first = desk.one(&contact("1")).await;
        let news = BTreeMap::from([("phone".to_owned(), now)]);
        assert_eq!(first.others, BTreeMap::from([(customer("9"), news)]));
        // The other record of the pair waits; a stranger does not.
        desk.one(&customer("10")).await;
        tell(&engine, &contact("2"), "e-4").await;
        desk.next_is(&contact("2")).await;
        desk.done(&first);

        let second = desk.next_is(&customer("9")).await;

        assert_eq!(second.others, BTreeMap::new());
        // And the other way round.
        tell(&engine, &contact("1"), "e-5").await;
        tell(&engine, &contact("3"), "e-6").await;
        test.clock().advance(SETTLE);
        desk.next_is(&contact("3")).await;
        desk.done(&second);
        desk.next_is(&contact("1")).await;
    })
    .await;
}

pub async fn different_records_are_at_work_together(test: impl EngineUnderTest) {
    let engine = test.engine();
    for id in ["1", "2", "3", "4"] {
        tell(&engine, &contact(id), id).await;
    }
    play(&engine, 4, async |desk| {
        for id in ["1", "2", "3", "4"] {
            assert!(["1", "2", "3", "4"].contains(&desk.next().await.record.id.as_str()), "{id} of four");
        }
    })
    .await;
}

pub async fn no_more_than_the_limit_is_at_work(test: impl EngineUnderTest) {
    let engine = test.engine();
    for id in 0..20 {
        tell(&engine, &contact(&id.to_string()), &id.to_string()).await;
    }
    play(&engine, 2, async |desk| {
        let mut before = desk.next().await;
        for _ in 1..20 {
            let next = desk.next().await;
            desk.done(&before);
            before = next;
        }
        desk.done(&before);
        until(&engine, |health| health.waiting == 0).await;
        assert_eq!(desk.state().most_at_work, 2);
    })
    .await;
}

pub async fn hints_are_handed_out_oldest_first(test: impl EngineUnderTest) {
    let engine = test.engine();
    let ids = ["7", "3", "5", "1", "9"];
    for id in ids {
        tell(&engine, &contact(id), id).await;
    }
    // More news does not lose a record its place.
    test.clock().advance(Duration::from_secs(1));
    tell(&engine, &contact("7"), "more").await;
    play(&engine, 1, async |desk| {
        for id in ids {
            let hint = desk.next_is(&contact(id)).await;
            desk.done(&hint);
        }
    })
    .await;
}

pub async fn a_repeat_comes_back_at_its_time_and_is_counted(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        let at = test.clock().now().plus(Duration::from_secs(60));
        desk.end(&first, again(at, true));
        until_waiting(&engine, |hint| hint.reason.as_deref() == Some("the ERP is paused")).await;
        let waiting = waiting_in(&engine).await;
        assert_eq!((waiting[0].ready_at, waiting[0].hops, waiting[0].since), (at, 1, first.since));

        test.clock().advance(Duration::from_secs(59));
        tell(&engine, &contact("2"), "e-2").await;
        desk.next_is(&contact("2")).await;
        test.clock().advance(Duration::from_secs(1));
        let second = desk.next_is(&contact("1")).await;

        assert_eq!((second.hops, second.facts), (1, None));
        assert_eq!((&second.received, second.since), (&first.received, first.since));
        assert_eq!(second.correlation_id, first.correlation_id, "it is the same process");
    })
    .await;
}

async fn until_waiting(engine: &Arc<dyn Engine>, so: impl Fn(&WaitingHint) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !waiting_in(engine).await.iter().any(&so) {
        assert!(Instant::now() < deadline, "expected another hint to wait");
        until(engine, |_| true).await;
    }
}

pub async fn a_repeat_that_does_not_count_keeps_its_hops(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        for counted in [false, true, false] {
            let hint = desk.next_is(&contact("1")).await;
            desk.end(&hint, again(test.clock().now(), counted));
            test.clock().advance(SETTLE);
        }
        assert_eq!(desk.next_is(&contact("1")).await.hops, 1);
    })
    .await;
}

pub async fn news_does_not_hurry_a_repeat(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let first = desk.next_is(&contact("1")).await;
        desk.end(&first, again(test.clock().now().plus(Duration::from_secs(60)), true));
        until_waiting(&engine, |hint| hint.hops == 1).await;
        test.clock().advance(Duration::from_secs(1));
        tell(&engine, &contact("1"), "e-2").await;
        tell(&engine, &contact("2"), "e-3").await;
        desk.next_is(&contact("2")).await;

        test.clock().advance(Duration::from_secs(59));
        assert_eq!(desk.next_is(&contact("1")).await.hops, 1);
    })
    .await;
}

pub async fn what_cannot_be_delivered_waits_in_the_trash(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("1")).await;
        desk.end(&hint, trash("name: too long"));
        until(&engine, |health| health.trash == 1 && health.waiting == 0).await;
    })
    .await;
    drop(engine);

    let test = test.restart().await;
    let items = trash_of(&test.engine()).await;
    assert_eq!(
        items,
        [TrashItem {
            id: items[0].id,
            record: Some(contact("1")),
            system: crm(),
            topology: "crm-to-erp".to_owned(),
            node: "update".to_owned(),
            reason: "name: too long".to_owned(),
            count: 1,
            at: test.clock().now(),
            body: None,
        }]
    );
}

/// Lets a record fail.
async fn fail(test: &impl EngineUnderTest, engine: &Arc<dyn Engine>, desk: &Desk, record: &RecordId, why: &str) {
    test.clock().advance(SETTLE);
    let ours = Arrival::look_at(record.clone());
    engine.enqueue(delivery(vec![ours])).await.unwrap();
    let hint = desk.next_is(record).await;
    desk.end(&hint, trash(why));
    until(engine, |health| health.waiting == 0).await;
}

pub async fn the_same_trash_is_one_item_that_counts(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        fail(&test, &engine, desk, &contact("1"), "phone: not a number").await;
        fail(&test, &engine, desk, &contact("2"), "name: too long").await;
    })
    .await;

    let items = trash_of(&engine).await;

    let counts: Vec<_> = items.iter().map(|item| (item.record.clone().unwrap().id, item.count)).collect();
    assert_eq!(counts, [("2".to_owned(), 1), ("1".to_owned(), 1), ("1".to_owned(), 2)], "newest first");
    assert_eq!(engine.list(ListQuery::Trash, 1).await.unwrap(), Listed::Trash(items[..1].to_vec()));
}

pub async fn an_approved_item_comes_back_as_a_hint_once(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        let item = trash_of(&engine).await[0].id;
        test.clock().advance(SETTLE);

        engine.control(Control::Approve(item)).await.unwrap();

        let hint = desk.next_is(&contact("1")).await;
        assert_eq!((hint.facts.clone(), hint.hops, hint.since), (None, 0, test.clock().now()));
        desk.done(&hint);
        until(&engine, |health| health.waiting == 0 && health.trash == 0).await;
        for control in [Control::Approve(item), Control::Reject(item), Control::Approve(TrashId(item.0 + 1))] {
            assert!(matches!(engine.control(control).await, Err(EngineError::NotFound(_))));
        }
        // The same failure after it is news.
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        let items = trash_of(&engine).await;
        assert_eq!((items.len(), items[0].count), (1, 1));
    })
    .await;
}

pub async fn a_rejected_item_is_gone_for_good(test: impl EngineUnderTest) {
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        fail(&test, &engine, desk, &contact("1"), "name: too long").await;
        let item = trash_of(&engine).await[0].id;

        engine.control(Control::Reject(item)).await.unwrap();

        assert_eq!(trash_of(&engine).await, Vec::new());
        assert!(matches!(engine.control(Control::Approve(item)).await, Err(EngineError::NotFound(_))));
        let health = engine.health().await.unwrap();
        assert_eq!((health.trash, health.waiting), (0, 0));
    })
    .await;
}

pub async fn a_worker_that_panics_stops_one_record(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &contact("2"), "e-2").await;
    play(&engine, 4, async |desk| {
        let (first, second) = (desk.one(&contact("1")).await, desk.one(&contact("2")).await);
        desk.panic(&first);
        until(&engine, |health| health.trash == 1).await;
        desk.done(&second);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
    let item = trash_of(&engine).await.remove(0);
    assert_eq!(item.record, Some(contact("1")));
    assert!(item.reason.contains("a worker was told to panic"), "{}", item.reason);
}

fn pause() -> Control {
    Control::Pause { systems: vec![crm()], reason: "maintenance".to_owned() }
}

pub async fn a_paused_system_takes_hints_and_hands_none_out(test: impl EngineUnderTest) {
    let engine = test.engine();
    engine.control(pause()).await.unwrap();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 4, async |desk| {
        tell(&engine, &contact("2"), "e-2").await;
        tell(&engine, &customer("9"), "e-3").await;
        desk.next_is(&customer("9")).await;
        let health = engine.health().await.unwrap();
        assert_eq!(health.paused, [(crm(), "maintenance".to_owned())]);
        assert_eq!(health.waiting, 3);

        engine.control(Control::Resume { systems: vec![crm()] }).await.unwrap();

        desk.one(&contact("1")).await;
        desk.one(&contact("2")).await;
        assert_eq!(engine.health().await.unwrap().paused, []);
    })
    .await;
}

pub async fn a_pause_survives_a_restart(test: impl EngineUnderTest) {
    let engine = test.engine();
    engine.control(pause()).await.unwrap();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &customer("9"), "e-2").await;
    drop(engine);

    let test = test.restart().await;
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        desk.next_is(&customer("9")).await;
        engine.control(Control::Resume { systems: vec![crm()] }).await.unwrap();
        desk.next_is(&contact("1")).await;
    })
    .await;
}

pub async fn stop_waits_for_what_is_at_work(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &contact("2"), "e-2").await;
    let desk = Arc::new(Desk::default());
    let run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, 1);
    let scene = async {
        let hint = desk.next_is(&contact("1")).await;
        engine.control(Control::Stop).await.unwrap();
        // Taken all the same.
        tell(&engine, &contact("3"), "e-3").await;
        desk.done(&hint);
    };

    let (ended, ()) = join(run, scene).await;

    ended.unwrap();
    // The end of what was at work is written, and nothing else was begun.
    assert_eq!(engine.health().await.unwrap().waiting, 2);
    assert_eq!(desk.state().given.len(), 0);
}

pub async fn an_engine_runs_again_after_a_stop(test: impl EngineUnderTest) {
    let engine = test.engine();
    let desk = Arc::new(Desk::default());
    let run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, 1);
    let scene = async {
        tell(&engine, &contact("1"), "e-1").await;
        let hint = desk.next_is(&contact("1")).await;
        desk.done(&hint);
        engine.control(Control::Stop).await.unwrap();
    };
    join(run, scene).await.0.unwrap();
    tell(&engine, &contact("2"), "e-2").await;

    play(&engine, 1, async |desk| drop(desk.next_is(&contact("2")).await)).await;
}

pub async fn only_one_runs_an_engine(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    play(&engine, 1, async |desk| {
        desk.next_is(&contact("1")).await;
        let second = engine.run(Arc::new(Desk::default()), 1).await;
        assert!(matches!(second, Err(EngineError::Unavailable(_))), "{second:?}");
    })
    .await;
}

pub async fn a_crash_hands_out_again_what_was_not_finished(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    tell(&engine, &contact("2"), "e-2").await;
    play(&engine, 4, async |desk| {
        let (first, second) = (desk.one(&contact("1")).await, desk.one(&contact("2")).await);
        assert_eq!((first.hops, second.hops), (0, 0));
        desk.done(&first);
        until(&engine, |health| health.waiting == 1).await;
    })
    .await;
    // The run died. So does the program.
    for restarted in [false, true] {
        let again = engine.health().await.unwrap();
        assert_eq!(again.waiting, 1, "restarted: {restarted}");
        test.clock().advance(SETTLE);
        if !restarted {
            play(&engine, 4, async |desk| drop(desk.next_is(&contact("2")).await)).await;
        }
    }
    drop(engine);
    let test = test.restart().await;
    let engine = test.engine();
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&contact("2")).await;
        assert_eq!(hint.facts, Some(updated("phone", "e-2")), "nothing was done with it yet");
        desk.done(&hint);
        until(&engine, |health| health.waiting == 0).await;
    })
    .await;
}

pub async fn news_does_not_hide_what_a_crash_left_unfinished(test: impl EngineUnderTest) {
    let engine = test.engine();
    let record = contact("1");
    let news = |field: &str, key: &str| delivery(vec![arrival(&record, key, updated(field, key))]);
    engine.enqueue(news("phone", "e-1")).await.unwrap();
    play(&engine, 4, async |desk| {
        desk.next_is(&record).await;
        engine.enqueue(news("email", "e-2")).await.unwrap();
    })
    .await;
    let stands_for_both = |hint: &Hint| {
        assert_eq!(hint.facts, None, "the second event alone would hide the first");
        assert_eq!(hint.received.keys().collect::<Vec<_>>(), ["email", "phone"]);
    };
    // The run died. So does the program.
    test.clock().advance(SETTLE);
    play(&engine, 4, async |desk| stands_for_both(&desk.next_is(&record).await)).await;
    drop(engine);
    let test = test.restart().await;
    let engine = test.engine();
    test.clock().advance(SETTLE);
    play(&engine, 4, async |desk| {
        let hint = desk.next_is(&record).await;
        stands_for_both(&hint);
        // Nor does a try that has to be repeated.
        desk.end(&hint, again(test.clock().now(), false));
        test.clock().advance(SETTLE);
        let hint = desk.next_is(&record).await;
        stands_for_both(&hint);
        // What comes during the work stands for itself again, once that is done.
        engine.enqueue(news("name", "e-3")).await.unwrap();
        desk.done(&hint);
        test.clock().advance(SETTLE);
        let last = desk.next_is(&record).await;
        assert_eq!((last.facts, last.received.len()), (Some(updated("name", "e-3")), 1));
    })
    .await;
}

pub async fn a_run_that_was_stopped_is_over_only_when_its_workers_are(test: impl EngineUnderTest) {
    let engine = test.engine();
    tell(&engine, &contact("1"), "e-1").await;
    let desk = Arc::new(Desk::default());
    let mut run = engine.run(Arc::clone(&desk) as Arc<dyn Worker>, 4);
    let busy = async {
        let hint = desk.next_is(&contact("1")).await;
        engine.control(Control::Stop).await.unwrap();
        // Two runs would have one record at work twice.
        let second = engine.run(Arc::new(Desk::default()), 4).await;
        assert!(matches!(second, Err(EngineError::Unavailable(_))), "{second:?}");
        desk.done(&hint);
    };
    match select(pin!(busy), &mut run).await {
        Either::Left(((), _)) => run.await.unwrap(),
        Either::Right((ended, _)) => panic!("expected that the run waits for its worker, found {ended:?}"),
    }
    assert_eq!(waiting_in(&engine).await, []);
}

pub async fn a_cursor_is_kept_with_what_it_found(test: impl EngineUnderTest) {
    let engine = test.engine();
    assert_eq!(engine.cursor(&crm()).await.unwrap(), Value::Null);
    let page = |cursor: Value| Delivery {
        arrivals: vec![Arrival::look_at(contact("1"))],
        cursor: Some((crm(), cursor)),
        unreadable: Vec::new(),
    };
    engine.enqueue(page(json!({ "after": "1" }))).await.unwrap();
    engine.enqueue(page(json!({ "after": "2" }))).await.unwrap();
    drop(engine);

    let test = test.restart().await;
    let engine = test.engine();
    assert_eq!(engine.cursor(&crm()).await.unwrap(), json!({ "after": "2" }));
    assert_eq!(engine.cursor(&erp()).await.unwrap(), Value::Null);
    assert_eq!(engine.health().await.unwrap().waiting, 1);
    engine.rewind().await.unwrap();
    assert_eq!(engine.cursor(&crm()).await.unwrap(), Value::Null);
}

fn unreadable(body: &str) -> Delivery {
    let unreadable = Unreadable { system: crm(), reason: "no id at /objectId".to_owned(), body: body.to_owned() };
    Delivery { unreadable: vec![unreadable], ..Delivery::default() }
}

pub async fn what_cannot_be_read_is_kept_as_text(test: impl EngineUnderTest) {
    let engine = test.engine();
    assert_eq!(engine.enqueue(unreadable(r#"{"a":1}"#)).await.unwrap(), Taken::default());
    engine.enqueue(unreadable(r#"{"a":2}"#)).await.unwrap();

    let items = trash_of(&engine).await;

    let bodies: Vec<_> = items.iter().map(|item| (item.record.clone(), item.body.as_deref())).collect();
    assert_eq!(bodies, [(None, Some(r#"{"a":2}"#)), (None, Some(r#"{"a":1}"#))], "each is kept");
    assert!(matches!(engine.control(Control::Approve(items[0].id)).await, Err(EngineError::NotFound(_))));
    engine.control(Control::Reject(items[0].id)).await.unwrap();
    assert_eq!(trash_of(&engine).await, items[1..]);
}

pub async fn a_long_text_is_cut_between_characters(test: impl EngineUnderTest) {
    let engine = test.engine();
    let long = "é".repeat(1_000_000) + "e";
    engine.enqueue(unreadable(&format!("e{long}"))).await.unwrap();

    let body = trash_of(&engine).await[0].body.clone().expect("it is kept as text");

    assert!(body.len() < 1_000_000 && body.starts_with("eé") && body.ends_with('é'));
}

pub async fn old_event_keys_are_forgotten_in_batches(test: impl EngineUnderTest) {
    let engine = test.engine();
    for key in ["e-1", "e-2", "e-3"] {
        tell(&engine, &contact(key), key).await;
    }
    test.clock().advance(Duration::from_secs(60));
    let cutoff = test.clock().now();
    tell(&engine, &contact("e-4"), "e-4").await;

    assert_eq!(engine.prune(cutoff, 2).await.unwrap(), 2);
    assert_eq!(engine.prune(cutoff, 2).await.unwrap(), 1);
    assert_eq!(engine.prune(cutoff, 2).await.unwrap(), 0);

    tell(&engine, &contact("e-1"), "e-1").await;
    let known = delivery(vec![arrival(&contact("e-4"), "e-4", updated("phone", "4"))]);
    assert_eq!(engine.enqueue(known).await.unwrap(), Taken { accepted: 0, duplicates: 1 });
    assert_eq!(engine.health().await.unwrap().waiting, 4, "hints are not forgotten");
}

pub async fn events_are_listed_by_record(test: impl EngineUnderTest) {
    let engine = test.engine();
    let first = test.clock().now();
    tell(&engine, &contact("1"), "b").await;
    test.clock().advance(Duration::from_secs(1));
    let gone = EventFacts { kind: EventKind::Deleted, ..updated("", "") };
    engine.enqueue(delivery(vec![arrival(&contact("1"), "a", gone)])).await.unwrap();
    tell(&engine, &contact("2"), "c").await;

    let event = |key: &str, kind, received_at| InboxEvent { key: key.to_owned(), kind: Some(kind), received_at };
    assert_eq!(
        events_of(&engine, &contact("1")).await,
        [event("b", EventKind::Updated, first), event("a", EventKind::Deleted, test.clock().now()),]
    );
    assert_eq!(events_of(&engine, &customer("1")).await, []);
}

pub async fn an_idle_engine_is_healthy_and_empty(test: impl EngineUnderTest) {
    let engine = test.engine();
    assert_eq!(engine.health().await.unwrap(), Health::default());
    let since = test.clock().now();
    tell(&engine, &contact("1"), "e-1").await;
    test.clock().advance(Duration::from_secs(5));
    tell(&engine, &contact("2"), "e-2").await;

    let health = engine.health().await.unwrap();

    assert_eq!((health.waiting, health.oldest), (2, Some(since)));
    let waiting: Vec<_> = waiting_in(&engine).await.into_iter().map(|hint| hint.record).collect();
    assert_eq!(waiting, [contact("1"), contact("2")]);
    assert_eq!(engine.enqueue(Delivery::default()).await.unwrap(), Taken::default());
}
