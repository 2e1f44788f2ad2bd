//! What one edit costs in CPU time: a webhook, a look, an update begun and settled, and the echo of it.
//!
//! `cargo bench -p pairline-store --bench edit -- [edits [at once]]`. Prints microseconds of CPU (user and system) per edit for
//! records that change one at a time and for many that change at once. Criterion measures how long something takes;
//! this measures how much of the machine it uses, which is what a small server runs out of.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails is to stop")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use pairline_sdk::testing::TestRandom;
use pairline_sdk::{
    Arrival, Begin, Clock, Control, Create, Creates, Delivery, Disposition, Echo, Engine, EventFacts, EventKind,
    FieldWrite, Fields, Hint, Look, Outcome, PairStore, Provenance, Record, RecordId, Request, Reserve, System,
    Timestamp, Update, Worker, WriteReason,
};
use pairline_store::{Database, Options};
use serde_json::json;
use tokio::sync::Notify;

struct MachineClock;

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}

fn fields(value: serde_json::Value) -> Fields {
    serde_json::from_value(value).unwrap()
}

fn writes(text: &str) -> Vec<FieldWrite> {
    vec![FieldWrite {
        field: "phone".to_owned(),
        seen_source: fields(json!({ "phone": text })),
        seen_target: Some(fields(json!({ "phone": "before" }))),
        value: fields(json!({ "phone": text })),
        reason: WriteReason::OwnerEdit,
    }]
}

/// Does what the shipped nodes do with the store, and nothing else.
struct Sync {
    pairs: Arc<dyn PairStore>,
    engine: Arc<dyn Engine>,
    edited: AtomicU64,
    news: Notify,
}

#[async_trait]
impl Worker for Sync {
    async fn work(&self, hint: Hint) -> Disposition {
        if let Some(facts) = &hint.facts
            && self.pairs.echo(&hint.record, facts).await.unwrap() == Echo::Own
        {
            self.edited.fetch_add(1, Ordering::SeqCst);
            self.news.notify_one();
            return Disposition::Done;
        }
        let erp = System::new("erp");
        let Look::Found(pair) = self.pairs.look(&hint.record, &erp).await.unwrap() else { panic!("expected a pair") };
        let update = Update {
            pair: pair.id,
            target: erp.clone(),
            request: Request {
                method: "PATCH".into(),
                path: "/customers/9".into(),
                body: r#"{"phone":"1"}"#.into(),
                precondition: None,
            }
            .into(),
            writes: writes(&hint.correlation_id).into(),
            inverse: None,
            rebase: Vec::new(),
            supersedes: None,
            notes: Vec::new(),
            deadline: Duration::from_secs(10),
            request_life: Duration::from_secs(60),
            provenance: Provenance { correlation_id: hint.correlation_id.clone(), ..Provenance::default() },
        };
        let Begin::Won(intent) = self.pairs.begin(&update, pair.revision).await.unwrap() else {
            panic!("expected that the update begins")
        };
        let made = &pair.side(&erp).record;
        let answer = Record::new(&made.id, fields(json!({ "phone": hint.correlation_id, "name": "Ada" })));
        self.pairs.settle(&intent, &Outcome::Committed { record: answer }).await.unwrap();
        let echo = EventFacts {
            kind: EventKind::Updated,
            operation: Some(intent.operation().id.clone()),
            ours: true,
            values: None,
            fields: vec!["phone".to_owned()],
            of_several: false,
        };
        let key = format!("echo-{}", intent.operation().id);
        self.engine.enqueue(event(made, key, echo)).await.unwrap();
        Disposition::Done
    }
}

fn event(record: &RecordId, key: String, facts: EventFacts) -> Delivery {
    let arrival = Arrival::event(record.clone(), key, facts);
    Delivery { arrivals: vec![arrival], ..Delivery::default() }
}

fn edited() -> EventFacts {
    let values = Some(fields(json!({ "phone": "1" })));
    EventFacts { kind: EventKind::Updated, operation: None, ours: false, values, fields: Vec::new(), of_several: false }
}

async fn pair_up(pairs: &Arc<dyn PairStore>, id: u64) {
    let create = Create {
        source: RecordId::new(&System::new("crm"), id.to_string()),
        target: System::new("erp"),
        contract: "contact".into(),
        request: Request { method: "POST".into(), path: "/customers".into(), body: "{}".into(), precondition: None }
            .into(),
        writes: writes("before").into(),
        inverse: None,
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: Provenance::default(),
    };
    let Reserve::Won(intent) = pairs.reserve(&create).await.unwrap() else { panic!("expected a reservation") };
    let outcome = Outcome::Committed { record: Record::new(format!("E{id}"), fields(json!({ "phone": "before" }))) };
    pairs.settle(&intent, &outcome).await.unwrap();
    pairs.persist(&intent.operation().id).await.unwrap();
}

/// CPU time of this process so far, user and system, in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    let edits: u64 = numbers.next().unwrap_or(4000);
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(Arc::new(MachineClock), Arc::new(TestRandom::default()));
    let database = Database::open(folder.path(), options).await.unwrap();
    let (pairs, engine) = (database.pairs(), database.engine());
    pairs.set_creates(&Creates::Allowed).await.unwrap();
    let began = (Instant::now(), cpu());
    futures_util::future::join_all((0..edits).map(|id| pair_up(&pairs, id))).await;
    report("created", edits, began);

    let sync = Arc::new(Sync { pairs, engine: engine.clone(), edited: AtomicU64::new(0), news: Notify::new() });
    let running = tokio::spawn({
        let (engine, sync) = (engine.clone(), sync.clone());
        async move { engine.run(sync, 16).await }
    });
    let crm = System::new("crm");
    let ways = numbers.next().map_or(vec![1, 8, 64], |way| vec![way]);
    for at_once in ways {
        let name = format!("{at_once} at a time");
        let count = edits.min(500 * at_once);
        let began = (Instant::now(), cpu());
        let before = sync.edited.load(Ordering::SeqCst);
        let mut sent = 0;
        while sync.edited.load(Ordering::SeqCst) - before < count {
            let done = sync.edited.load(Ordering::SeqCst) - before;
            let batch: Vec<_> = (sent..count.min(done + at_once))
                .map(|id| {
                    let record = RecordId::new(&crm, id.to_string());
                    let engine = engine.clone();
                    let key = format!("{name}-{id}");
                    async move { engine.enqueue(event(&record, key, edited())).await.unwrap() }
                })
                .collect();
            sent += u64::try_from(batch.len()).unwrap();
            futures_util::future::join_all(batch).await;
            if sync.edited.load(Ordering::SeqCst) - before < count {
                sync.news.notified().await;
            }
        }
        report(&name, count, began);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    engine.control(Control::Stop).await.unwrap();
    running.await.unwrap().unwrap();
    database.close().await;
}

fn report(name: &str, count: u64, (began, cpu_before): (Instant, Duration)) {
    let micros = (cpu() - cpu_before).as_micros() / u128::from(count);
    let per_second = f64::from(u32::try_from(count).unwrap()) / began.elapsed().as_secs_f64();
    println!("{name:>14}: {count} edits, {micros} us of CPU each, {per_second:.0} per second");
}
