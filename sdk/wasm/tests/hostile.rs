//! The boundary under fire: answers, components and arguments that nobody would write, made by chance from seeds.
//!
//! Whatever comes, the program goes on: a call ends with an answer or with a reason, in time, and the next one is well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pairline_sdk::testing::TestRandom;
use pairline_sdk::{Limits, NodeError, NodeKind, ProcessDto, Random, Usage};
use pairline_wasm::parse_description;

use crate::guest::{Bench, ECHO, Guest, PLAIN, ROUTED, everything};

/// Chance that a test has written down.
#[derive(Default)]
struct Script(Mutex<VecDeque<u64>>);

impl Random for Script {
    fn bits(&self) -> u64 {
        self.0.lock().unwrap().pop_front().unwrap_or(0)
    }
}

/// Answers with whatever the program's chance says, word by word, at the place that it says last.
fn obedient() -> Guest {
    let words: String =
        (0..6).map(|word| format!("(i64.store (i32.const {}) (call $bits))", 8192 + 8 * word)).collect();
    Guest::new(&format!("{words} (return (i32.wrap_i64 (call $bits)))"))
        .importing(r#"(import "pairline:node/random@0.1.0" "bits" (func $bits (result i64)))"#)
        .describing(ROUTED)
        .with_text(4096, r#"{"a":1}yes"#)
}

/// A well-formed answer, `{"a":1}` along `yes`, and what chance makes of it.
fn answer(dice: &TestRandom) -> VecDeque<u64> {
    let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let mut words = [pair(0, 4096), pair(7, 0), pair(0, 1), pair(4103, 3), 0, 0, 8192];
    let nasty = [0, 1, 2, 3, 255, 4096, 65535, 65536, 131_071, 131_072, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    for _ in 0..dice.below(4) {
        let word = usize::try_from(dice.below(7)).unwrap();
        let value = match dice.below(3) {
            0 => dice.bits(),
            1 => pair(nasty[usize::try_from(dice.below(13)).unwrap()], nasty[usize::try_from(dice.below(13)).unwrap()]),
            _ => words[word] ^ (1 << dice.below(64)),
        };
        words[word] = value;
    }
    words.into()
}

#[tokio::test]
async fn no_answer_harms_the_program() {
    let script = Arc::new(Script::default());
    let mut bench = Bench::default();
    bench.ports.random = script.clone();
    let limits = Limits { calls: Some(50), timeout: Some(Duration::from_secs(5)), ..Limits::default() };
    let node = bench.node(&obedient(), &Usage { limits, ..Usage::default() });
    let mut ends = [0, 0, 0];
    for seed in 0..4000 {
        let dice = TestRandom::new(seed);
        *script.0.lock().unwrap() = answer(&dice);

        match node.process_action(ProcessDto::default()).await {
            Ok(dto) => {
                assert!(dto.route().is_none_or(|route| ["yes", "no"].contains(&route)), "seed {seed}: {dto:?}");
                ends[0] += 1;
            }
            Err(NodeError::Repeat { reason, .. }) => {
                assert!(!reason.is_empty() && reason.len() < 2000, "seed {seed}: {reason}");
                ends[1] += 1;
            }
            Err(NodeError::StopAndFail { reason }) => {
                assert!(reason.len() < 2000, "seed {seed}: {reason}");
                ends[2] += 1;
            }
        }
    }
    assert!(ends.iter().all(|end| *end > 50), "chance takes every way: {ends:?}");
}

#[test]
fn no_file_harms_the_program() {
    let bench = Bench::default();
    let sound = Guest::new(ECHO).component();
    let mut loaded = 0;
    for seed in 0..250 {
        let dice = TestRandom::new(seed);
        let mut bytes = sound.clone();
        for _ in 0..=dice.below(3) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            match dice.below(3) {
                0 => bytes[at] ^= 1 << dice.below(8),
                1 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                _ => bytes.truncate(at.max(1)),
            }
        }
        // Refused with a reason, or still the same node for all that the host can tell.
        match bench.load(&bytes) {
            Ok(kind) => {
                assert!(!kind.describe().kind.is_empty());
                loaded += 1;
            }
            Err(reason) => assert!(reason.contains("guest.wasm") && reason.len() < 4000, "seed {seed}: {reason}"),
        }
    }
    assert!(loaded < 200, "most of what is broken is refused, and {loaded} of 250 were not");
    assert!(bench.load(&sound).is_ok());
}

/// Passes the message's body to a function of the ledger, and fails whatever it is told.
fn passing(function: &str, before: &str, after: &str, parameters: usize) -> Guest {
    let signature = "i32 ".repeat(parameters);
    Guest::new(&format!(
        "(call $function {before} (local.get $b) (local.get $bl) {after} (i32.const 8320))
         (return (call $fail (i32.const 3) (i32.const 4096) (i32.const 11)))"
    ))
    .describing(r#"{"kind":"guest","about":"","effects":["creates"]}"#)
    .importing(&format!(r#"(import "pairline:node/ledger@0.1.0" "{function}" (func $function (param {signature})))"#))
    .with_text(4096, r#"op-00000001{"attempts":1,"nothing_was_made":true,"before":null}"#)
}

#[tokio::test]
async fn no_argument_harms_the_ledger() {
    let bench = Bench::default();
    let create = r#"{"source":{"system":"crm","id":"1"},"target":"erp","contract":"contact","request":{"method":"POST",
        "path":"/customers","body":"{}","precondition":null},"writes":[{"field":"email","seen_source":{},
        "seen_target":null,"value":{"email":"a"},"reason":"birth"}],"inverse":{"field":"custom_fields.crm_id","id":"1"},
        "deadline":{"secs":5,"nanos":0},"request_life":{"secs":30,"nanos":0},
        "provenance":{"correlation_id":"","topology":"","node":""}}"#;
    let adoption = r#"{"record":{"id":"1","version":null,"fields":{"erp_id":"9"}},"system":"crm",
        "names":{"system":"erp","id":"9"},"contract":"contact","verified":true,"topology":"t"}"#;
    let rebase = r#"{"pair":1,"revision":1,"changes":[["crm",{"email":"a"}]],"inverse_seen":["crm"],
        "supersedes":null,"notes":[{"kind":"conflict","field":"email","system":"crm","lost":{},"kept":null}]}"#;
    let case = r#"{"id":0,"kind":"copy","records":[{"system":"crm","id":"1"}],"detail":"","opened_at":0}"#;
    let settled = r#"{"outcome":"committed","record":{"id":"9","fields":{}}}"#;
    let own = "(i32.const 4096) (i32.const 11)";
    let subjects = [
        ("reserve", passing("reserve", "", "", 3), create),
        ("adopt", passing("adopt", "", "", 3), adoption),
        ("rebase", passing("rebase", "", "", 3), rebase),
        ("open-case", passing("open-case", "", "", 3), case),
        ("settle", passing("settle", own, "", 5), settled),
        ("persist", passing("persist", "", "", 3), "op-00000001"),
        ("arrived", passing("arrived", "", "", 3), create),
    ];
    let mut usage = everything();
    usage.limits.calls = Some(100);
    for (name, guest, sound) in subjects {
        let node = bench.node(&guest, &usage);
        for seed in 0..600 {
            let dice = TestRandom::new(seed);
            let mut text: Vec<char> = sound.chars().collect();
            let nasty: Vec<char> = "{}[]\":,0129-eE.\\u\u{0}\u{1F600}nulltrfaswdz ".chars().collect();
            for _ in 0..dice.below(4) {
                let at = usize::try_from(dice.below(text.len() as u64)).unwrap();
                text[at] = nasty[usize::try_from(dice.below(nasty.len() as u64)).unwrap()];
            }
            let body: String = text.into_iter().collect();
            // What is no JSON never gets into a message; as a text in one it does.
            let dto = ProcessDto::from_raw(body.clone()).unwrap_or_else(|_| ProcessDto::new(body.into()));

            let ended = node.process_action(dto).await;

            let Err(error) = ended else { panic!("{name}: the guest always fails") };
            assert!(!error.to_string().contains("broke off"), "{name}, seed {seed}: {error}");
        }
    }
    let node = bench.node(&Guest::new(ECHO), &Usage::default());
    node.process_action(ProcessDto::default()).await.unwrap();
}

#[test]
fn no_description_is_taken_that_a_topology_could_not_name() {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let mut read = 0;
    for seed in 0..20_000 {
        let dice = TestRandom::new(seed);
        let sound = if seed % 2 == 0 { PLAIN } else { ROUTED };
        let mut text = sound.as_bytes().to_vec();
        for _ in 0..=dice.below(2) {
            let at = usize::try_from(dice.below(text.len() as u64)).unwrap();
            text[at] = u8::try_from(32 + dice.below(95)).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        if let Ok((description, _)) = parse_description(&text) {
            let routes = description.routes.iter().map(|route| &route.name);
            assert!(routes.chain([&description.kind]).all(|name| is_name(name)), "{text}");
            read += 1;
        }
    }
    assert!(read > 1000, "{read} were read");
}
