//! How long the hot paths take on a large database, beside what the disk takes by itself.
//!
//! `cargo bench -p pairline-store --bench store`. A million pairs and a million waiting hints are written in bulk first,
//! which takes some seconds each.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails is to stop")]

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pairline_sdk::testing::{TestClock, TestRandom};
use pairline_sdk::{Arrival, Delivery, Disposition, Hint, Look, Random, RecordId, System, Worker};
use pairline_store::{Database, Options};
use sqlx::{Connection, SqliteConnection};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

const MANY: u64 = 1_000_000;

fn options() -> Options {
    Options::new(Arc::<TestClock>::default(), Arc::<TestRandom>::default())
}

/// A database with rows written past the ports.
async fn filled(folder: &Path, rows: &'static str) -> Database {
    let database = Database::open(folder, options()).await.unwrap();
    let path = database.path().to_owned();
    database.close().await;
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(rows).bind(i64::try_from(MANY).unwrap()).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    Database::open(folder, options()).await.unwrap()
}

const PAIRS: &str = "\
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
    INSERT INTO pair SELECT i, 'contact', 'crm', i, '{\"firstname\":\"Ada\",\"phone\":\"+1\"}', 1, NULL, 0, \
        'erp', 'WHS-' || i, '{\"name\":\"Ada\",\"phone\":\"+1\"}', 1, NULL, 1, NULL, NULL, 1, 0, 0, 'bench', 0 FROM n";

const HINTS: &str = "\
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
    INSERT INTO hint SELECT i, iif(i % 2, 'crm', 'erp'), i, NULL, '{\"*\":0}', i, i, 0, NULL, 'bench', i FROM n";

fn look(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = runtime.block_on(filled(folder.path(), PAIRS));
    let (pairs, erp, crm) = (database.pairs(), System::new("erp"), System::new("crm"));
    let random = TestRandom::default();
    criterion.bench_function("look up one of 1 000 000 pairs", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let record = RecordId::new(&crm, (random.below(MANY) + 1).to_string());
            assert!(matches!(black_box(pairs.look(&record, &erp).await), Ok(Look::Found(_))));
        });
    });
    runtime.block_on(database.close());
}

fn enqueue(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = runtime.block_on(Database::open(folder.path(), options())).unwrap();
    let engine = database.engine();
    let crm = System::new("crm");
    let next = AtomicU64::new(0);
    let mut group = criterion.benchmark_group("take events durably");
    for at_once in [1_u64, 16, 128] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(BenchmarkId::new("deliveries at once", at_once), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let deliveries = (0..at_once).map(|_| {
                    let number = next.fetch_add(1, Ordering::Relaxed).to_string();
                    let record = RecordId::new(&crm, number.as_str());
                    let arrivals = vec![Arrival { event_key: Some(number), ..Arrival::look_at(record) }];
                    engine.enqueue(Delivery { arrivals, ..Delivery::default() })
                });
                for taken in futures_util::future::join_all(deliveries).await {
                    assert_eq!(taken.unwrap().accepted, 1);
                }
            });
        });
    }
    // What no group can be quicker than: one page appended and synced.
    let mut file = std::fs::File::create(folder.path().join("disk")).unwrap();
    group.throughput(Throughput::Elements(1));
    group.bench_function("the disk alone: 4 KiB and a sync", |bencher| {
        bencher.iter(|| {
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
        });
    });
    group.finish();
    runtime.block_on(database.close());
}

/// Finishes at once.
struct Count {
    left: AtomicU64,
    done: Notify,
}

#[async_trait]
impl Worker for Count {
    async fn work(&self, _hint: Hint) -> Disposition {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.done.notify_one();
        }
        Disposition::Done
    }
}

fn hand_out(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = runtime.block_on(filled(folder.path(), HINTS));
    let engine = database.engine();
    criterion.bench_function("hand out and finish one of 1 000 000 waiting hints, 16 at once", |bencher| {
        bencher.iter_custom(|hints| {
            runtime.block_on(async {
                let worker = Arc::new(Count { left: AtomicU64::new(hints), done: Notify::new() });
                let began = Instant::now();
                let mut running = std::pin::pin!(engine.run(worker.clone(), 16));
                tokio::select! {
                    ended = &mut running => panic!("expected that there is enough to do, found {ended:?}"),
                    () = worker.done.notified() => {}
                }
                began.elapsed()
            })
        });
    });
    runtime.block_on(database.close());
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = look, enqueue, hand_out
}
criterion_main!(benches);
