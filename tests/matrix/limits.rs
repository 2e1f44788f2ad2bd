//! Limits, outages, and listings that are longer than a page.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pairline_runner::application::{Call, HostGuard, ReqwestTransport, Transport, TransportError};
use pairline_sdk::{
    Application, Arrival, Clock, Delivery, EventFacts, EventKind, ReadError, RecordId, System, Timestamp,
};
use serde_json::{Value, json};

use super::remote::{Line, answer};
use super::storage::database;
use super::world::World;
use crate::bad_input::stage::{Stage, pairline};
use crate::bad_input::wait::until;

const SECOND: Duration = Duration::from_secs(1);

/// So many callers that read again and again, each for itself, until a read is answered.
fn callers(line: &Line, count: usize) -> Vec<tokio::task::JoinHandle<()>> {
    (0..count)
        .map(|_| {
            let (application, clock) = (Arc::clone(&line.application), Arc::clone(&line.clock));
            tokio::spawn(async move {
                loop {
                    match application.read("7").await {
                        Ok(_) => return,
                        Err(ReadError::Wait { after, .. }) => clock.sleep_until(clock.now().plus(after)).await,
                        Err(_) => clock.sleep_until(clock.now().plus(SECOND / 10)).await,
                    }
                }
            })
        })
        .collect()
}

fn contact() -> Value {
    json!({ "id": "7", "properties": { "email": "ada@example.org" } })
}

#[tokio::test]
async fn fm_062_a_429_that_names_a_time_pauses_every_call_for_exactly_that_long() {
    let first = AtomicBool::new(true);
    let line = Line::to(
        "crm",
        Box::new(move |_, _| {
            let mut busy = answer(429, &json!({}));
            busy.headers.insert("retry-after", "7".parse().unwrap());
            Ok(if first.swap(false, Ordering::SeqCst) { busy } else { answer(200, &contact()) })
        }),
    );
    assert!(matches!(line.application.read("7").await, Err(ReadError::Wait { after, .. }) if after == 7 * SECOND));
    let callers = callers(&line, 20);

    line.pass(SECOND * 69 / 10, SECOND / 10).await;
    assert_eq!(line.calls().len(), 1, "somebody called during the pause");
    line.pass(30 * SECOND, SECOND / 10).await;

    assert!(callers.iter().all(tokio::task::JoinHandle::is_finished), "somebody still waits");
    let since = line.calls()[1].since(line.calls()[0]);
    assert!(since >= 7 * SECOND && since <= SECOND * 71 / 10, "the second call came after {since:?}");
}

#[tokio::test]
async fn fm_063_a_429_that_names_no_time_is_waited_for_longer_each_time_and_never_in_step() {
    let waits = |seed: u64| async move {
        let line = Line::to("crm", Box::new(|_, _| Ok(answer(429, &json!({})))));
        // Another seed begins somewhere else in the same chance.
        for _ in 0..seed {
            drop(line.application.read("7").await);
            line.clock.advance(60 * SECOND);
        }
        let before = line.calls().len();
        let callers = callers(&line, 20);
        line.pass(60 * SECOND, SECOND / 20).await;
        callers.iter().for_each(tokio::task::JoinHandle::abort);
        let calls = line.calls().split_off(before);
        calls.windows(2).map(|two| two[1].since(two[0])).collect::<Vec<Duration>>()
    };
    let gaps = waits(0).await;
    assert!(gaps.len() >= 4 && gaps.len() <= 8, "twenty callers called {} times in a minute: {gaps:?}", gaps.len() + 1);
    for (round, two) in gaps.windows(2).enumerate() {
        assert!(two[1] >= two[0] * 3 / 2, "round {round}: {gaps:?}");
    }
    assert!(gaps[0] >= SECOND / 2, "{gaps:?}");
}

/// Another program takes a share of the same quota that nobody knows and that changes.
#[tokio::test]
async fn fm_064_a_quota_that_others_use_too_is_found_out_and_used() {
    let taken = Arc::new(AtomicU64::new(0));
    let (others, refused) = (Arc::clone(&taken), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&refused);
    let second = Mutex::new((Timestamp::default(), 0_u64));
    let line = Line::to(
        "crm",
        Box::new(move |_, now| {
            let mut second = second.lock().unwrap();
            if now.since(second.0) >= SECOND {
                *second = (now, 0);
            }
            second.1 += 1;
            if second.1 + others.load(Ordering::SeqCst) <= 100 {
                return Ok(answer(200, &contact()));
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let mut busy = answer(429, &json!({}));
            busy.headers.insert("retry-after", "1".parse().unwrap());
            Ok(busy)
        }),
    );
    let done = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..40)
        .map(|_| {
            let (application, clock) = (Arc::clone(&line.application), Arc::clone(&line.clock));
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                loop {
                    match application.read("7").await {
                        Ok(_) => {
                            done.fetch_add(1, Ordering::SeqCst);
                            clock.sleep_until(clock.now().plus(SECOND / 50)).await;
                        }
                        Err(ReadError::Wait { after, .. }) => clock.sleep_until(clock.now().plus(after)).await,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for (share, least) in [(0, 100), (70, 30), (20, 80)] {
        taken.store(share, Ordering::SeqCst);
        let (done_before, refused_before) = (done.load(Ordering::SeqCst), refused.load(Ordering::SeqCst));
        line.pass(60 * SECOND, SECOND / 100).await;
        let done = done.load(Ordering::SeqCst) - done_before;
        let refused = refused.load(Ordering::SeqCst) - refused_before;
        assert!(done >= 60 * least / 4, "with {share} taken by others: {done} calls in a minute, {refused} refused");
        assert!(refused * 5 <= done, "with {share} taken by others: {refused} of {done} calls were refused");
    }
    callers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn fm_066_an_outage_is_probed_by_one_call_at_a_time() {
    let back = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&back);
    let line = Line::to(
        "crm",
        Box::new(move |_, _| {
            if up.load(Ordering::SeqCst) {
                return Ok(answer(200, &contact()));
            }
            Err(TransportError::NotSent("connection refused".to_owned()))
        }),
    );
    let callers = callers(&line, 50);
    // The callers that were under way when it began are one outage.
    line.pass(10 * SECOND, SECOND / 20).await;
    let before = line.calls().len();
    line.pass(3600 * SECOND, SECOND).await;
    let probes = line.calls().len() - before;
    assert!((600..=2400).contains(&probes), "fifty callers called {probes} times in an hour");

    back.store(true, Ordering::SeqCst);
    line.pass(20 * SECOND, SECOND / 20).await;
    assert!(callers.iter().all(tokio::task::JoinHandle::is_finished), "somebody still waits");
}

fn saved(record: &RecordId, event: usize) -> Arrival {
    let facts = EventFacts::of(EventKind::Updated);
    Arrival::event(record.clone(), format!("e{event}"), facts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fm_066_news_that_comes_during_an_outage_waits_once_for_each_record() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path(), Duration::from_secs(5)).await;
    let engine = database.engine();
    for batch in 0..20 {
        let arrivals = (0..500).map(|number| {
            let record = RecordId::new(&System::new("crm"), (number % 25).to_string());
            saved(&record, batch * 500 + number)
        });
        let taken = engine.enqueue(Delivery { arrivals: arrivals.collect(), ..Delivery::default() }).await;
        assert_eq!(taken.unwrap().accepted, 500);
    }

    assert_eq!(engine.health().await.unwrap().waiting, 25);
    database.close().await;
}

/// A mass edit, while nothing is handed out: and then each record is looked at once, with the newest values.
#[test]
fn fm_070_a_mass_edit_is_one_look_and_one_write_for_each_record() {
    let mut world = World::new();
    let pairs: Vec<_> = (0..50).map(|_| world.pair(&json!({ "email": "a", "phone": "0" }))).collect();
    let mut writes = world.writes();
    // All news of a record that waits becomes one hint, as in the lanes.
    world.tamper = Box::new(|events| {
        let mut seen = BTreeSet::new();
        let mut merged: Vec<_> = events.into_iter().rev().filter(|(record, _)| seen.insert(record.clone())).collect();
        merged.reverse();
        for (_, facts) in &mut merged {
            *facts = EventFacts::of(EventKind::Updated);
        }
        merged
    });
    for round in 0..100 {
        for (contact, _) in &pairs {
            world.crm().person_edits(contact, &json!({ "phone": round.to_string() }));
        }
    }

    world.rest();

    writes = world.writes() - writes;
    assert_eq!(writes, 50, "5000 edits of 50 records");
    world.holds(50);
    assert!(pairs.iter().all(|(_, customer)| world.of_customer(customer, "phone") == "99"));
}

/// A server that takes a request and answers a byte at a time, or nothing at all.
fn slow(pause: Duration, byte: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(stream.read(&mut [0; 4096]));
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        drop(stream.write_all(head));
        // Until the caller hangs up.
        while stream.write_all(byte).and_then(|()| stream.flush()).is_ok() {
            std::thread::sleep(pause);
        }
    });
    port
}

fn transport(port: u16) -> ReqwestTransport {
    let base_url = format!("http://127.0.0.1:{port}");
    ReqwestTransport::new(HostGuard::new(&base_url, false).unwrap()).unwrap()
}

fn get(port: u16, deadline: Duration, longest_answer: usize) -> Call {
    Call {
        method: "GET".parse().unwrap(),
        url: format!("http://127.0.0.1:{port}/"),
        headers: Default::default(),
        body: None,
        deadline,
        longest_answer,
    }
}

#[tokio::test]
async fn fm_067_a_system_that_answers_a_byte_at_a_time_is_given_up_at_the_deadline() {
    let port = slow(Duration::from_millis(20), b"1\r\n \r\n");
    let began = Instant::now();

    let answer = transport(port).call(get(port, SECOND / 2, 1 << 20)).await;

    let took = began.elapsed();
    assert!(matches!(answer, Err(TransportError::Lost(_))), "{answer:?}");
    assert!(took >= SECOND / 2 && took < 5 * SECOND, "given up after {took:?}");
}

#[tokio::test]
async fn fm_098_an_answer_that_never_ends_is_cut_at_the_limit() {
    let port = slow(Duration::ZERO, b"8\r\n12345678\r\n");

    let answer = transport(port).call(get(port, 20 * SECOND, 100_000)).await;

    assert!(matches!(&answer, Err(TransportError::Lost(reason)) if reason.contains("100000 bytes")), "{answer:?}");
}

#[tokio::test]
async fn fm_068_a_system_that_refuses_our_credentials_is_left_alone_and_asked_again_later() {
    let good = Arc::new(AtomicBool::new(false));
    let valid = Arc::clone(&good);
    let line = Line::to(
        "crm",
        Box::new(move |_, _| {
            Ok(if valid.load(Ordering::SeqCst) { answer(200, &contact()) } else { answer(401, &json!({})) })
        }),
    );
    let callers = callers(&line, 20);

    line.pass(300 * SECOND, SECOND / 2).await;

    // Twenty that are under way at once are told so at once; from then on it is a matter of the pauses.
    let calls = line.calls();
    let first = calls[0];
    let later = calls.iter().filter(|call| call.since(first) > SECOND).count();
    assert!(calls.len() - later <= 20 && later <= 10 * 20, "{} and {later} calls", calls.len() - later);
    let rounds: BTreeSet<u64> = calls.iter().map(|call| call.since(first).as_secs() / 30).collect();
    let instants: BTreeSet<Timestamp> = calls.iter().copied().collect();
    assert!(instants.len() <= rounds.len() + 1, "called at {} instants in five minutes", instants.len());
    good.store(true, Ordering::SeqCst);
    line.pass(60 * SECOND, SECOND / 2).await;
    assert!(callers.iter().all(tokio::task::JoinHandle::is_finished), "somebody still waits");
}

#[test]
fn fm_068_deliveries_are_taken_while_our_credentials_are_refused() {
    let stage = Stage::new();
    stage.run(&[]).stop();
    stage.set("ERP_TOKEN", "revoked");
    let runner = stage.run_as(pairline(), &["--poll-ms", "600000"]);

    for person in 0..10 {
        stage.crm.person_creates(json!({ "email": format!("{person}@example.org") })).unwrap();
    }
    until("every delivery is acknowledged", || (stage.crm.deliveries().acknowledged >= 10).then_some(()));
    runner.says("refuses our credentials");

    assert_eq!(stage.crm.deliveries().failed_attempts, 0);
    assert_eq!(stage.erp.snapshot().len(), 0);
    assert_eq!(stage.asked(&["status"])["waiting"], 10);
    assert_eq!(stage.asked(&["status"])["trash"], 0);
    runner.stop();
}

/// Contacts by id, each with the stamp of its last change, and the search as the CRM has it.
#[derive(Clone, Default)]
struct Contacts(Arc<Mutex<std::collections::BTreeMap<u64, i64>>>);

impl Contacts {
    fn save(&self, id: u64, stamp: i64) {
        self.0.lock().unwrap().insert(id, stamp);
    }

    /// A page of a search by time or, within one instant, by id.
    fn search(&self, body: &Value) -> Value {
        let filters = body["filterGroups"][0]["filters"].as_array().unwrap();
        let of = |name: &str, operator: &str| {
            let found = filters.iter().find(|filter| filter["propertyName"] == name && filter["operator"] == operator);
            found.map(|filter| filter["value"].as_str().unwrap().parse::<i64>().unwrap())
        };
        let (since, exact) = (of("lastmodifieddate", "GTE"), of("lastmodifieddate", "EQ"));
        let above = of("hs_object_id", "GT").unwrap_or(-1);
        let contacts = self.0.lock().unwrap();
        let mut hits: Vec<(i64, u64)> = contacts
            .iter()
            .filter(|(_, stamp)| since.is_none_or(|since| **stamp >= since) && exact.is_none_or(|at| **stamp == at))
            .filter(|(id, _)| i64::try_from(**id).unwrap() > above)
            .map(|(id, stamp)| (*stamp, *id))
            .collect();
        hits.sort_unstable();
        let limit = usize::try_from(body["limit"].as_u64().unwrap()).unwrap();
        let more = hits.len() > limit;
        hits.truncate(limit);
        let results: Vec<Value> = hits
            .iter()
            .map(|(stamp, id)| {
                let at = Timestamp::from_millis(*stamp).as_millis().to_string();
                json!({ "id": id.to_string(), "properties": { "email": "a", "lastmodifieddate": at }, "updatedAt": at })
            })
            .collect();
        let mut page = json!({ "total": contacts.len(), "results": results });
        if more {
            page["paging"] = json!({ "next": { "after": hits.len().to_string() } });
        }
        page
    }
}

const NOON: i64 = 1_780_000_000_000;

fn listing(contacts: &Contacts) -> Line {
    let contacts = contacts.clone();
    Line::to(
        "crm",
        Box::new(move |call, _| {
            let body: Value = serde_json::from_slice(call.body.as_deref().unwrap()).unwrap();
            Ok(answer(200, &contacts.search(&body)))
        }),
    )
}

/// One pass of the listing: what it shows, where the next one begins, and what happens after each page.
async fn pass(line: &Line, from: &Value, mut after_page: impl FnMut(usize)) -> (Vec<String>, Value) {
    let (mut seen, mut page) = (vec![], None);
    for number in 0..2_000 {
        let listed = line.application.changed(from, page.as_ref()).await.unwrap();
        seen.extend(listed.records.into_iter().map(|record| record.id));
        page = listed.next;
        after_page(number);
        if page.is_none() {
            return (seen, listed.cursor);
        }
    }
    panic!("the listing does not end")
}

#[tokio::test]
async fn fm_071_twelve_thousand_records_with_one_stamp_are_all_listed_and_the_listing_ends() {
    let contacts = Contacts::default();
    (1..=12_000).for_each(|id| contacts.save(id, NOON));
    (12_001..=12_100).for_each(|id| contacts.save(id, NOON + 1 + i64::try_from(id).unwrap() - 12_000));
    let line = listing(&contacts);

    let (seen, _) = pass(&line, &Value::Null, |_| {}).await;

    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), 12_100);
    assert!(line.calls().len() < 200, "{} pages", line.calls().len());
}

/// While the listing goes through its pages, records it has shown already change, and records show up behind it.
#[tokio::test]
async fn fm_072_a_change_during_a_pass_is_listed_by_this_pass_or_the_next() {
    let contacts = Contacts::default();
    (1..=1_000).for_each(|id| contacts.save(id, NOON + i64::try_from(id).unwrap() * 10));
    let line = listing(&contacts);
    let mut changed = BTreeSet::new();
    let mut cursor = Value::Null;
    let mut listed: BTreeSet<String> = BTreeSet::new();
    let mut since_change: BTreeSet<String> = BTreeSet::new();
    for round in 0..6_u64 {
        let edits = contacts.clone();
        let mut edited = BTreeSet::new();
        let (seen, next) = pass(&line, &cursor, |page| {
            if round < 3 && page < 4 {
                let page = i64::try_from(page).unwrap();
                let id = round * 100 + u64::try_from(page).unwrap() + 1;
                // The remote clock goes on; the change is of a moment before the end of the pass.
                edits.save(id, NOON + 10_000 + i64::try_from(round).unwrap() * 1_000 + page);
                edited.insert(id.to_string());
            }
        })
        .await;
        since_change.extend(seen.iter().cloned());
        listed.extend(seen.iter().cloned());
        // What was changed in an earlier pass must have been listed since.
        let missed: Vec<&String> = changed.iter().filter(|id| !since_change.contains(*id)).collect();
        assert!(missed.is_empty(), "round {round}: {missed:?} were changed and never listed");
        changed = edited;
        since_change = BTreeSet::new();
        cursor = next;
    }
    assert_eq!(listed.len(), 1_000);
}

/// The listing shows a little of what it has shown before, every time.
#[test]
fn fm_073_what_a_poll_lists_again_makes_no_write() {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "50"]);
    for person in 0..5 {
        stage.crm.person_creates(json!({ "email": format!("{person}@example.org") })).unwrap();
    }
    stage.agrees_on(5);
    until("nothing is left to be done", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));
    let (writes, polls) = (stage.writes(), [stage.crm.calls().reads(), stage.erp.calls().reads()]);

    until("both systems were polled ten times more", || {
        let now = [stage.crm.calls().reads(), stage.erp.calls().reads()];
        now.iter().zip(polls).all(|(now, before)| *now >= before + 10).then_some(())
    });

    assert_eq!(stage.writes(), writes);
    runner.stop();
}
