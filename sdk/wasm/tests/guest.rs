//! Guests in WebAssembly's text, made into components without any tool, and what is needed to run one.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairline_sdk::testing::{MemoryApplication, MemoryStore, TestClock, TestRandom, contact_contract};
use pairline_sdk::{
    Application, Clock, Grants, HttpClient, NodeError, NodeKind, NothingOutside, OwnerGuard, PairStore, PairsGrant,
    Ports, ProcessAction, ProcessDto, Random, Secrets, System, Timestamp, Usage,
};
use pairline_wasm::{ComponentKind, Host, HostOptions, WIT};
use wit_component::StringEncoding;
use wit_parser::Resolve;

pub(crate) const PLAIN: &str = r#"{"kind":"guest","about":"A guest."}"#;
pub(crate) const ROUTED: &str =
    r#"{"kind":"guest","about":"A guest.","routes":[{"name":"yes"},{"name":"no","default":"end"}]}"#;

/// Answers with the message as it came. `$body`, `$body-length`, `$headers`, `$headers-length` are the parameters.
pub(crate) const ECHO: &str = "(return (call $answer (local.get $b) (local.get $bl) (local.get $h) (local.get $hl)))";

/// A guest as text.
pub(crate) struct Guest {
    describe: String,
    imports: String,
    process: String,
    data: String,
    more: String,
}

impl Guest {
    /// One that passes every message on.
    pub(crate) fn new(process: &str) -> Self {
        Self {
            describe: PLAIN.into(),
            imports: String::new(),
            process: process.into(),
            data: String::new(),
            more: String::new(),
        }
    }

    pub(crate) fn describing(self, describe: &str) -> Self {
        Self { describe: describe.to_owned(), ..self }
    }

    /// With imports, and texts that stand at given places of its memory.
    pub(crate) fn importing(mut self, imports: &str) -> Self {
        self.imports += imports;
        self
    }

    pub(crate) fn with_text(mut self, at: usize, text: &str) -> Self {
        self.data += &format!("(data (i32.const {at}) {})\n", quoted(text));
        self
    }

    pub(crate) fn with(mut self, more: &str) -> Self {
        self.more += more;
        self
    }

    pub(crate) fn core(&self) -> Vec<u8> {
        let Self { describe, imports, process, data, more } = self;
        let text = format!(
            r#"(module
  {imports}
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 16) {describe_text})
  {data}
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $need i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.set $need (i32.sub (i32.shr_u (i32.add (global.get $heap) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $need) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $need)) (i32.const -1)) (then (unreachable)))))
    (if (local.get $old_size)
      (then (memory.copy (local.get $at) (local.get $old) (local.get $old_size))))
    (local.get $at))
  ;; A message that goes on, along no route.
  (func $answer (param $b i32) (param $bl i32) (param $h i32) (param $hl i32) (result i32)
    (memory.fill (i32.const 8192) (i32.const 0) (i32.const 64))
    (i32.store (i32.const 8196) (local.get $b)) (i32.store (i32.const 8200) (local.get $bl))
    (i32.store (i32.const 8204) (local.get $h)) (i32.store (i32.const 8208) (local.get $hl))
    (i32.const 8192))
  ;; The same along a route.
  (func $follow (param $b i32) (param $bl i32) (param $h i32) (param $hl i32) (param $route i32) (param $length i32) (result i32)
    (drop (call $answer (local.get $b) (local.get $bl) (local.get $h) (local.get $hl)))
    (i32.store8 (i32.const 8212) (i32.const 1))
    (i32.store (i32.const 8216) (local.get $route)) (i32.store (i32.const 8220) (local.get $length))
    (i32.const 8192))
  ;; The end of the message, with a line.
  (func $end (param $b i32) (param $bl i32) (param $h i32) (param $hl i32) (param $line i32) (param $length i32) (result i32)
    (drop (call $answer (local.get $b) (local.get $bl) (local.get $h) (local.get $hl)))
    (i32.store8 (i32.const 8224) (i32.const 1))
    (i32.store (i32.const 8228) (local.get $line)) (i32.store (i32.const 8232) (local.get $length))
    (i32.const 8192))
  ;; A failure.
  (func $fail (param $code i32) (param $reason i32) (param $length i32) (result i32)
    (memory.fill (i32.const 8192) (i32.const 0) (i32.const 64))
    (i32.store8 (i32.const 8192) (i32.const 1))
    (i32.store (i32.const 8196) (local.get $code))
    (i32.store (i32.const 8200) (local.get $reason)) (i32.store (i32.const 8204) (local.get $length))
    (i32.const 8192))
  ;; The failure that a call of the program has left at 8320, or the text there as the reason of one.
  (func $told (result i32)
    (if (result i32) (i32.load8_u (i32.const 8320))
      (then
        (memory.copy (i32.const 8192) (i32.const 8320) (i32.const 32))
        (i32.const 8192))
      (else (call $fail (i32.const 3) (i32.load (i32.const 8324)) (i32.load (i32.const 8328))))))
  (func (export "pairline:node/action@0.1.0#describe") (result i32)
    (i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const {describe_length}))
    (i32.const 8))
  (func $process (export "pairline:node/action@0.1.0#process")
    (param $b i32) (param $bl i32) (param $h i32) (param $hl i32) (result i32)
    {process})
  (func (export "cabi_post_pairline:node/action@0.1.0#process") (param i32)
    (global.set $heap (i32.const 65536)))
  {more})"#,
            describe_text = quoted(describe),
            describe_length = describe.len(),
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The component, built against a version of the contract.
    pub(crate) fn component_of(&self, wit: &str) -> Vec<u8> {
        let mut module = self.core();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("node.wit", wit).unwrap();
        let world = resolve.select_world(&[package], Some("full")).unwrap();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        pairline_wasm::wrap(&module).unwrap()
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        self.component_of(WIT)
    }
}

fn quoted(text: &str) -> String {
    let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!("\"{bytes}\"")
}

/// Time and chance of the machine, waiting in real time.
pub(crate) struct RealClock;

#[async_trait::async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}

/// A folder with components, a host, and ports in memory.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) host: Arc<Host>,
    pub(crate) crm: Arc<MemoryApplication>,
    pub(crate) erp: Arc<MemoryApplication>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) ports: Ports,
}

impl Default for Bench {
    fn default() -> Self {
        Self::with_clock(Arc::new(RealClock))
    }
}

impl Bench {
    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(HostOptions::default()).unwrap();
        let crm = Arc::new(MemoryApplication::crm(Arc::clone(&clock)));
        let erp = Arc::new(MemoryApplication::erp(Arc::clone(&clock)));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        let contract = Arc::new(contact_contract());
        let guarded = |application: &Arc<MemoryApplication>| {
            let inner = Arc::clone(application) as Arc<dyn Application>;
            (
                application.system().clone(),
                Arc::new(OwnerGuard::new(inner, Arc::clone(&contract))) as Arc<dyn Application>,
            )
        };
        let ports = Ports {
            store: Arc::clone(&store) as Arc<dyn PairStore>,
            applications: [guarded(&crm), guarded(&erp)].into_iter().collect(),
            contract: Arc::clone(&contract).into(),
            clock,
            random: Arc::new(TestRandom::default()) as Arc<dyn Random>,
            secrets: Arc::new(NothingOutside) as Arc<dyn Secrets>,
            http: Arc::new(NothingOutside) as Arc<dyn HttpClient>,
        };
        Self { folder, host, crm, erp, store, ports }
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn load(&self, bytes: &[u8]) -> Result<ComponentKind, String> {
        self.host.load(&self.put("guest.wasm", bytes))
    }

    pub(crate) fn refused(&self, bytes: &[u8]) -> String {
        self.load(bytes).err().expect("it is loaded")
    }

    pub(crate) fn node(&self, guest: &Guest, usage: &Usage) -> Arc<dyn ProcessAction> {
        self.load(&guest.component()).unwrap().make(usage, &self.ports).unwrap()
    }
}

/// Everything there is to grant.
pub(crate) fn everything() -> Usage {
    let both = vec![System::new("crm"), System::new("erp")];
    let grants = Grants {
        pairs: Some(PairsGrant::Write),
        applications: both.clone(),
        writes: both,
        http: vec!["https://api.example.org".into()],
        secrets: vec!["SCORE_KEY".into()],
    };
    Usage { grants, ..Usage::default() }
}

/// The reason of a failure, and whether the message is tried again.
pub(crate) fn reason(answer: Result<ProcessDto, NodeError>) -> (String, bool) {
    match answer.expect_err("it went on") {
        NodeError::Repeat { reason, .. } => (reason, true),
        NodeError::StopAndFail { reason } => (reason, false),
    }
}

pub(crate) fn test_clock() -> Arc<TestClock> {
    Arc::new(TestClock::default())
}

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
