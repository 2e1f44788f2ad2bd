//! A component that is replaced while its program runs.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{ProcessAction, ProcessDto, Usage};

use crate::guest::{Bench, Guest, ROUTED};

/// Answers every message with a body.
fn saying(body: &str) -> Guest {
    let answer =
        format!("(return (call $answer (i32.const 4096) (i32.const {}) (local.get $h) (local.get $hl)))", body.len());
    Guest::new(&answer).with_text(4096, body)
}

async fn said(node: &Arc<dyn ProcessAction>) -> serde_json::Value {
    node.process_action(ProcessDto::default()).await.unwrap().data().clone()
}

/// Sends messages until a condition holds; the file is looked at once in a second.
async fn until(node: &Arc<dyn ProcessAction>, mut holds: impl FnMut(serde_json::Value) -> bool) {
    for _ in 0..2000 {
        if holds(said(node).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("that did not happen");
}

#[tokio::test]
async fn a_changed_file_is_taken_up_between_two_messages_and_a_bad_one_is_not() {
    let bench = Bench::default();
    let node = bench.node(&saying("1"), &Usage::with(serde_json::json!({})));
    let file = bench.folder.path().join("guest.wasm");
    assert_eq!(said(&node).await, 1);

    fs::write(&file, saying("22").component()).unwrap();
    until(&node, |said| said == 22).await;

    let stricter = r#"{"kind":"guest","about":"A guest.","schema":{"required":["threshold"]}}"#;
    for bad in [
        b"half a file".to_vec(),
        saying("333").describing(ROUTED).component(),
        saying("333").describing(stricter).component(),
    ] {
        let before = bench.host.counts().remove(0).reloads_refused;
        fs::write(&file, bad).unwrap();
        until(&node, |said| {
            assert_eq!(said, 22, "what ran before goes on");
            bench.host.counts().remove(0).reloads_refused > before
        })
        .await;
    }

    fs::remove_file(&file).unwrap();
    assert_eq!(said(&node).await, 22);
    fs::write(&file, saying("4444").component()).unwrap();
    until(&node, |said| said == 4444).await;
    assert_eq!(bench.host.counts().remove(0).reloads, 2);
}
