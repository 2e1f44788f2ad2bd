//! What the sandbox costs, as ratios in one run: `cargo bench --bench components`.
//!
//! A message of 1 KiB comes as text, as it does from another process; the node reads it, looks its record up in the id
//! mapping, puts the pair in and answers; the message leaves as text. Native and component are the same source. They take
//! turns, batch by batch, and the median of the batches counts, so that a busy machine slows both.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pairline_sdk::testing::{NodeTester, TestClock, TestRandom, contact_contract};
use pairline_sdk::{
    Application, Clock, Grants, Limits, NodeDescription, NodeError, NodeKind, NothingOutside, PairStore, PairsGrant,
    PlatformKind, Ports, ProcessAction, ProcessDto, Registry, System, Usage,
};
use pairline_wasm::{Host, HostOptions};
use serde_json::{Value, json};

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
            contract: Arc::new(contact_contract()),
            clock,
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            host: Host::new(HostOptions { cache: Some(cache) }).expect("an engine"),
            ports,
            message: message(),
        }
    }

    fn native(&self, kind: &str, with: Value) -> Arc<dyn ProcessAction> {
        let mut registry = Registry::new();
        pairline_nodes::register(&mut registry);
        registry.make(kind, &Usage::with(with), &self.ports).expect("a node")
    }

    fn component(&self, file: &Path, with: Value, calls: u32) -> Arc<dyn ProcessAction> {
        let both = vec![System::new("crm"), System::new("erp")];
        let grants = Grants {
            pairs: Some(PairsGrant::Write),
            applications: both,
            secrets: vec!["KEY".into()],
            ..Grants::default()
        };
        let limits = Limits { calls: Some(calls), timeout: Some(Duration::from_secs(3600)), memory: Some(256 << 20) };
        let kind = self.host.load(file).expect("a component");
        kind.make(&Usage { with, limits, grants }, &self.ports).expect("a node")
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

/// One KiB: the hint, a record that was read, and what somebody else has put in.
fn message() -> String {
    let mut body = json!({
        "hint": { "record": { "system": "crm", "id": "crm-1" }, "facts": { "kind": "updated", "ours": false } },
        "record": { "id": "crm-1", "version": "7", "fields": {
            "email": "ada@example.org", "phone": "+44 20 7946 0000", "firstname": "Ada", "lastname": "Lovelace",
            "erp_id": "erp-1", "lifecyclestage": "customer",
        } },
        "notes": "",
    });
    let missing = 1024 - body.to_string().len();
    body["notes"] = "x".repeat(missing).into();
    body.to_string()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components/fixtures/0.1").join(name)
}

fn line(name: &str, value: String, wanted: &str, holds: bool) {
    println!("{name:44} {value:>14}   {wanted:18} {}", if holds { "holds" } else { "DOES NOT HOLD" });
}

fn main() {
    let bench = Bench::new();
    let (with, nothing) = (json!({ "source": "crm", "target": "erp" }), json!({}));
    let resolve = fixture("resolve.wasm");
    let native = bench.native("resolve", with.clone());
    let reused = bench.component(&resolve, with.clone(), u32::MAX);
    let fresh = bench.component(&resolve, with, 1);
    let found = bench.compare(&bench.message, &[(&native, 2000), (&reused, 2000), (&fresh, 300)]);
    let [own, one, anew] = found[..] else { unreachable!("three nodes") };
    println!("1 KiB and a look at the mapping: native {own:.0} ns, reused {one:.0} ns, fresh {anew:.0} ns\n");
    line("Rust, reused, of native", format!("{:.2}", one / own), "at most 1.8", one / own <= 1.8);
    line("Rust, fresh, of native", format!("{:.2}", anew / own), "at most 6", anew / own <= 6.0);

    let empty = bench.component(&fixture("empty.wasm"), nothing, u32::MAX);
    let own = bench.batch(&(Arc::new(Passing::new()) as Arc<dyn ProcessAction>), "{}", 20_000);
    let call = bench.compare("{}", &[(&empty, 20_000)])[0] - own;
    line("a call that does nothing, beyond native", format!("{call:.0} ns"), "below 1000 ns", call < 1000.0);

    let loads = (0..BATCHES).map(|_| {
        let begun = Instant::now();
        black_box(bench.host.load(&resolve).expect("a component"));
        begun.elapsed().as_secs_f64() * 1000.0
    });
    let load = median(loads.collect());
    line("loading from the cache", format!("{load:.2} ms"), "below 3 ms", load < 3.0);

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
