//! Guests of compilers: the committed components in C and in Rust, of every version of the contract that was released, that
//! do what the `mode` of a message says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{NodeKind, ProcessAction, ProcessDto, Secrets, Usage};
use pairline_wasm::wrap;
use serde_json::{Value, json};

use crate::guest::{Bench, everything, here, reason};

const LANGUAGES: [&str; 2] = ["c", "rust"];

/// Folders of fixtures: one for each version that components may have been built against, and those that were just built
/// again from their sources, if `PAIRLINE_TEST_GUESTS` names a folder of them.
fn versions() -> Vec<PathBuf> {
    let folder = here("../../tests/components/fixtures");
    let mut versions: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    versions.sort();
    versions.extend(std::env::var_os("PAIRLINE_TEST_GUESTS").map(PathBuf::from));
    versions
}

/// The guests of every language and version, with everything granted and little of time and memory.
fn guests(bench: &Bench) -> Vec<(String, Arc<dyn ProcessAction>)> {
    let mut usage = everything();
    usage.limits.timeout = Some(Duration::from_millis(500));
    usage.limits.memory = Some(8 << 20);
    let mut guests = Vec::new();
    for version in versions() {
        for language in LANGUAGES {
            let file = version.join(format!("{language}.wasm"));
            let kind = bench.host.load(&file).unwrap();
            for calls in [1, 100] {
                usage.limits.calls = Some(calls);
                let name = format!("{} for {calls}", file.display());
                guests.push((name, kind.make(&usage, &bench.ports).unwrap()));
            }
        }
    }
    guests
}

fn message(mode: &str, more: Value) -> ProcessDto {
    let mut body = json!({ "mode": mode, "unknown": { "left": "alone, ü" } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ProcessDto::new(body)
}

struct OneSecret;

impl Secrets for OneSecret {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "SCORE_KEY").then(|| "s3cr3t-value".to_owned())
    }
}

#[tokio::test]
async fn what_a_guest_does_wrong_is_the_end_of_that_message_and_of_nothing_else() {
    let bench = Bench::default();
    let other_secret = json!({ "name": "ERP_TOKEN" });
    for (name, node) in guests(&bench) {
        for (mode, more, again, part) in [
            ("loop", json!({}), true, "took longer than its 500 ms"),
            ("memory", json!({}), true, "KiB of memory, and may have 8192"),
            ("recursion", json!({}), true, "broke off"),
            ("trap", json!({}), true, "broke off"),
            ("huge", json!({}), false, "bytes: expected at most"),
            ("malformed", json!({}), false, "not JSON"),
            ("route", json!({}), false, "`nowhere`, which it does not describe"),
            ("headers", json!({}), false, "101 headers"),
            ("secret", other_secret.clone(), false, "the secret `ERP_TOKEN` is not granted"),
            ("no such mode", json!({}), false, "mode"),
        ] {
            // A large answer needs more memory than the rest may have.
            let (reason, tried_again) = reason(node.process_action(message(mode, more)).await);

            let too_large = mode == "huge" && reason.contains("of memory");
            assert!(too_large || reason.contains(part), "{name}, {mode}: {reason}");
            assert!(too_large || tried_again == again, "{name}, {mode}: {reason}");

            let well = message("echo", json!({}));
            assert_eq!(node.process_action(well.clone()).await.map(|dto| dto.data().clone()), Ok(well.data().clone()));
        }
    }
}

#[tokio::test]
async fn a_panic_says_why() {
    let bench = Bench::default();
    for (name, node) in guests(&bench).into_iter().filter(|(name, _)| name.contains("rust.wasm")) {
        let (reason, _) = reason(node.process_action(message("trap", json!({}))).await);

        assert!(reason.contains("it said: ") && reason.contains("the guest gives up"), "{name}: {reason}");
    }
}

#[tokio::test]
async fn there_are_no_files_and_no_network() {
    let bench = Bench::default();
    for (name, node) in guests(&bench).into_iter().filter(|(name, _)| name.contains("rust.wasm")) {
        for mode in ["file", "network"] {
            let (reason, _) = reason(node.process_action(message(mode, json!({}))).await);

            assert!(reason.contains("not supported"), "{name}, {mode}: {reason}");
        }
    }
    // The library of C asks for files when it is linked, and no component can be made of that.
    for version in versions() {
        let module = std::fs::read(version.join("c-file.module.wasm")).unwrap();
        assert!(wrap(&module).unwrap_err().contains("wasi_snapshot_preview1"));
    }
}

#[tokio::test]
async fn an_honest_guest_looks_records_up_and_reads_the_secret_that_it_was_given() {
    let mut bench = Bench::default();
    bench.ports.secrets = Arc::new(OneSecret);
    for (name, node) in guests(&bench) {
        let lookup = json!({ "system": "crm", "id": "1", "target": "erp" });
        let found = node.process_action(message("lookup", lookup)).await.unwrap();
        assert!(found.data().to_string().contains("missing"), "{name}: {}", found.data());

        let secret = node.process_action(message("secret", json!({ "name": "SCORE_KEY" }))).await.unwrap();
        assert!(secret.data().to_string().contains("s3cr3t-value"), "{name}: {}", secret.data());

        let phone = json!({ "phone": "020 7946 0000", "country": "44" });
        let normalized = node.process_action(message("normalize", phone)).await.unwrap();
        assert_eq!(normalized.data()["phone"], "+442079460000", "{name}");
        assert_eq!(normalized.data()["unknown"]["left"], "alone, ü", "{name}");
    }
}

#[test]
fn components_of_every_released_version_are_the_nodes_they_were() {
    let bench = Bench::default();
    for version in versions() {
        for kind in ["resolve", "echo-filter", "persist"] {
            let loaded = bench.host.load(&version.join(format!("{kind}.wasm"))).unwrap();

            assert_eq!(loaded.describe().kind, kind);
            assert!(loaded.make(&Usage::default(), &bench.ports).is_err(), "nothing is granted");
        }
    }
}
