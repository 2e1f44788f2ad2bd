//! What the sandbox costs, as ratios in one run: `cargo bench --bench components`.
//!
//! A message of 1 KiB comes as text, as it does from another process; the node reads it, looks its record up in the id
//! mapping, puts the id of its counterpart in and answers; the message leaves as text. Native and component are the same
//! source, and JavaScript and Python do the same. They take turns, batch by batch, and the median of the batches counts, so
//! that a busy machine slows both.
//!
//! The guests of JavaScript and Python are built by `sh benches/guests/build`; without them the bench says so.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pairline_sdk::testing::{NodeTester, TestClock, TestRandom, contact_contract};
use pairline_sdk::{
    Adoption, Application, Clock, Grants, Limits, NodeDescription, NodeError, NodeKind, NothingOutside, PairStore,
    PairsGrant, PlatformKind, Ports, ProcessAction, ProcessDto, RecordId, Registry, System, Usage,
};
use pairline_store::{Database, Options};
use pairline_wasm::{Host, HostOptions};
use serde_json::{Value, json};

#[path = "../sdk/guest/examples/counterpart/node.rs"]
mod counterpart;

/// Batches of each, which take turns.
const BATCHES: usize = 31;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

struct Bench {
    runtime: tokio::runtime::Runtime,
    host: Arc<Host>,
    ports: Ports,
    message: String,
}

impl Bench {
    fn new() -> Self {
        let pair = json!({ "email": "ada@example.org", "phone": "+44 20 7946 0000" });
        let tester = NodeTester::new(pairline_nodes::register).with_pair("crm-1", "erp-1", pair.clone(), pair);
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let ports = Ports {
            store: Arc::clone(&tester.store) as Arc<dyn PairStore>,
            applications: [("crm", &tester.crm), ("erp", &tester.erp)]
                .map(|(name, system)| (System::new(name), Arc::clone(system) as Arc<dyn Application>))
                .into(),
            contract: Arc::new(contact_contract()).into(),
            clock,
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            host: Host::new(HostOptions { cache: Some(cache), ..HostOptions::default() }).expect("an engine"),
            ports,
            message: message(),
        }
    }

    /// The id mappings that a node may look into: one in memory, which costs next to nothing, and the program's own database,
    /// for a record that it has had lately and for one that it has not.
    fn mappings(&self, folder: &Path) -> [(&'static str, Arc<dyn PairStore>, Option<Database>); 3] {
        let options = || Options::new(Arc::clone(&self.ports.clock), Arc::clone(&self.ports.random));
        let database = |name: &'static str, file: &str, options: Options| {
            self.runtime.block_on(async {
                let database = Database::open(folder.join(file), options).await.expect("a database");
                database.pairs().adopt(&adoption()).await.expect("a pair");
                (name, database.pairs(), Some(database))
            })
        };
        [
            ("a mapping in memory", Arc::clone(&self.ports.store), None),
            database("the database, had lately", "warm.db", options()),
            database("the database", "cold.db", Options { memory: 0, ..options() }),
        ]
    }

    fn native(ports: &Ports, register: fn(&mut Registry), kind: &str, with: Value) -> Arc<dyn ProcessAction> {
        let mut registry = Registry::new();
        register(&mut registry);
        registry.make(kind, &Usage::with(with), ports).expect("a node")
    }

    fn component(&self, ports: &Ports, file: &Path, with: Value, calls: u32) -> Arc<dyn ProcessAction> {
        let both = vec![System::new("crm"), System::new("erp")];
        let grants = Grants {
            pairs: Some(PairsGrant::Write),
            applications: both,
            secrets: vec!["KEY".into()],
            ..Grants::default()
        };
        let limits = Limits { calls: Some(calls), timeout: Some(Duration::from_secs(3600)), memory: Some(256 << 20) };
        let kind = self.host.load(file).expect("a component");
        kind.make(&Usage { with, limits, grants }, ports).expect("a node")
    }

    /// How long one message takes, in nanoseconds, for a batch of them.
    fn batch(&self, node: &Arc<dyn ProcessAction>, message: &str, times: u32) -> f64 {
        let begun = Instant::now();
        self.runtime.block_on(async {
            for _ in 0..times {
                let dto = ProcessDto::from_raw(message).expect("a message").with_header("correlation-id", "4711");
                let dto = node.process_action(dto).await.expect("an answer");
                black_box(dto.raw().len());
            }
        });
        begun.elapsed().as_nanos() as f64 / f64::from(times)
    }

    /// The medians of several, in turns.
    fn compare(&self, message: &str, nodes: &[(&Arc<dyn ProcessAction>, u32)]) -> Vec<f64> {
        let mut found = vec![Vec::new(); nodes.len()];
        for batch in 0..=BATCHES {
            for (index, (node, times)) in nodes.iter().enumerate() {
                let took = self.batch(node, message, *times);
                // The first makes what is kept.
                if batch > 0 {
                    found[index].push(took);
                }
            }
        }
        found.into_iter().map(median).collect()
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The pair of the bench's record.
fn adoption() -> Adoption {
    let fields = json!({ "email": "ada@example.org", "erp_id": "erp-1" });
    let record = json!({ "id": "crm-1", "version": "7", "fields": fields });
    Adoption {
        record: serde_json::from_value(record).expect("a record"),
        system: System::new("crm"),
        names: RecordId::new(&System::new("erp"), "erp-1"),
        contract: "contact".to_owned(),
        verified: true,
        topology: "bench".to_owned(),
    }
}

/// One KiB, as it comes from a system: the hint, and a record of many fields.
fn message() -> String {
    let mut body = json!({
        "hint": { "record": { "system": "crm", "id": "crm-1" }, "facts": { "kind": "updated", "ours": false } },
        "record": { "id": "crm-1", "version": "7", "fields": {
            "email": "ada@example.org", "phone": "+44 20 7946 0000", "firstname": "Ada", "lastname": "Lovelace",
            "erp_id": "erp-1", "lifecyclestage": "customer", "company": "Analytical Engines Ltd", "city": "London",
            "country": "GB", "zip": "W1J 7NT", "address": "12 St James's Square", "website": "https://example.org",
            "jobtitle": "Countess", "hs_lead_status": "OPEN", "numemployees": 12, "annualrevenue": 184_300.5,
            "is_public": false, "closedate": null, "createdate": "2026-11-02T09:14:07.512Z",
            "lastmodifieddate": "2026-11-20T17:40:01.088Z", "owner_id": 7_301_558, "notes": "",
        } },
    });
    let missing = 1024 - body.to_string().len();
    body["record"]["fields"]["notes"] = "x".repeat(missing).into();
    body.to_string()
}

/// Where the guests of other languages are built.
fn guests() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components/fixtures/0.1").join(name)
}

fn line(name: &str, value: String, wanted: &str, holds: bool) {
    println!("{name:44} {value:>14}   {wanted:18} {}", if holds { "holds" } else { "DOES NOT HOLD" });
}

fn main() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (ports, with) = (&bench.ports, json!({ "target": "erp" }));
    let file = fixture("counterpart.wasm");
    for (name, store, _open) in bench.mappings(folder.path()) {
        let ports = Ports { store, ..ports.clone() };
        let native = Bench::native(&ports, counterpart::register, "counterpart", with.clone());
        let reused = bench.component(&ports, &file, with.clone(), u32::MAX);
        let fresh = bench.component(&ports, &file, with.clone(), 1);
        let found = bench.compare(&bench.message, &[(&native, 1000), (&reused, 1000), (&fresh, 300)]);
        let [own, one, anew] = found[..] else { unreachable!("three nodes") };
        println!("1 KiB and a look at {name}: native {own:.0} ns, reused {one:.0} ns, fresh {anew:.0} ns");
        line("  Rust, reused, of native", format!("{:.2}", one / own), "at most 1.8", one / own <= 1.8);
        line("  Rust, fresh, of native", format!("{:.2}", anew / own), "at most 6", anew / own <= 6.0);
        for language in ["JavaScript", "Python"] {
            let label = format!("  {language}, reused, of native");
            let file = guests().join(format!("{}.wasm", language.to_lowercase()));
            if !file.exists() {
                println!("{label:44} {:>14}   `sh benches/guests/build` builds it", "not there");
                continue;
            }
            let node = bench.component(&ports, &file, with.clone(), u32::MAX);
            let found = bench.compare(&bench.message, &[(&native, 500), (&node, 100)]);
            let ratio = found[1] / found[0];
            line(&label, format!("{ratio:.2}"), "at most 20", ratio <= 20.0);
        }
    }

    // For comparison: one of our own nodes, which takes the whole pair across.
    let both = json!({ "source": "crm", "target": "erp" });
    let native = Bench::native(ports, pairline_nodes::register, "resolve", both.clone());
    let whole = bench.component(ports, &fixture("resolve.wasm"), both, u32::MAX);
    let found = bench.compare(&bench.message, &[(&native, 1000), (&whole, 1000)]);
    println!("{:44} {:>14}", "`resolve`, in memory, reused, of native", format!("{:.2}", found[1] / found[0]));

    let empty = bench.component(ports, &fixture("empty.wasm"), json!({}), u32::MAX);
    let own = bench.batch(&(Arc::new(Passing::new()) as Arc<dyn ProcessAction>), "{}", 20_000);
    let call = bench.compare("{}", &[(&empty, 20_000)])[0] - own;
    line("a call that does nothing, beyond native", format!("{call:.0} ns"), "below 1000 ns", call < 1000.0);

    let loads = (0..BATCHES).map(|_| {
        let begun = Instant::now();
        black_box(bench.host.load(&file).expect("a component"));
        begun.elapsed().as_secs_f64() * 1000.0
    });
    let load = median(loads.collect());
    line("loading from the cache", format!("{load:.2} ms"), "below 3 ms", load < 3.0);

    let reused = bench.component(ports, &file, with.clone(), u32::MAX);
    let fresh = bench.component(ports, &file, with, 1);
    let (before, after) = (resident(), {
        bench.batch(&reused, &bench.message, 100_000);
        bench.batch(&fresh, &bench.message, 20_000);
        resident()
    });
    let grown = after.saturating_sub(before);
    line("memory after 100 000 calls more", format!("+{grown} KiB"), "below 4096 KiB", grown < 4096);
}

/// Passes messages on.
struct Passing(NodeDescription);

impl Passing {
    fn new() -> Self {
        Self(NodeDescription::new("passing", "Passes messages on.", PlatformKind::Custom))
    }
}

#[async_trait]
impl ProcessAction for Passing {
    fn describe(&self) -> &NodeDescription {
        &self.0
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        Ok(dto)
    }
}

/// What this process holds of the machine's memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
