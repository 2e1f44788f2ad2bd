//! The sandbox: what a component can do to the program it runs in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pairline_sdk::{Limits, ProcessDto, Usage};
use pairline_wasm::{Ended, Host, HostOptions};

use crate::guest::{Bench, ECHO, Guest, reason};

const FOREVER: &str = "(loop $again (br $again)) (unreachable)";

fn limited(limits: Limits) -> Usage {
    Usage { limits, ..Usage::default() }
}

fn brief() -> Usage {
    limited(Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() })
}

#[tokio::test]
async fn a_loop_without_end_is_stopped_while_others_on_the_same_thread_go_on() {
    let bench = Bench::default();
    let stuck = bench.node(&Guest::new(FOREVER), &brief());
    let other = bench.node(&Guest::new(ECHO), &Usage::default());
    let begun = Instant::now();
    let beats = async {
        let mut longest = Duration::ZERO;
        let mut beats = 0;
        while begun.elapsed() < Duration::from_millis(100) {
            let before = Instant::now();
            other.process_action(ProcessDto::default()).await.unwrap();
            tokio::task::yield_now().await;
            longest = longest.max(before.elapsed());
            beats += 1;
        }
        (beats, longest)
    };

    let (stopped, (beats, longest)) = tokio::join!(stuck.process_action(ProcessDto::default()), beats);

    let (reason, again) = reason(stopped);
    assert!(
        again && reason == "`guest.wasm` took longer than its 100 ms: `limits: { timeout: … }` gives it more",
        "{reason}"
    );
    assert!(beats >= 3, "{beats} beats, the longest took {longest:?}");
    // By the ticks of the program's own clock, with room for a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_start_that_never_ends_is_stopped_too() {
    let bench = Bench::default();
    let guest = Guest::new(ECHO).with("(func $begin (loop $again (br $again))) (start $begin)");

    let refused = bench.refused(&guest.component());

    assert!(refused.contains("cannot be asked what it is: it took too long"), "{refused}");
}

#[tokio::test]
async fn memory_ends_where_it_was_said_to_and_the_reason_says_so() {
    let bench = Bench::default();
    let bomb = "(loop $again (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $again)) (unreachable)";
    let usage = limited(Limits { memory: Some(4 << 20), ..Limits::default() });

    let (reason, again) = reason(bench.node(&Guest::new(bomb), &usage).process_action(ProcessDto::default()).await);

    assert!(again && reason.contains("it wanted 4224 KiB of memory, and may have 4096"), "{reason}");
}

#[tokio::test]
async fn who_is_refused_memory_and_says_something_else_is_told_on() {
    let bench = Bench::default();
    let guest = Guest::new(
        "(drop (memory.grow (i32.const 1000))) (return (call $fail (i32.const 1) (i32.const 4096) (i32.const 4)))",
    );
    let usage = limited(Limits { memory: Some(4 << 20), ..Limits::default() });
    let node = bench.node(&guest.with_text(4096, "busy"), &usage);

    let (reason, again) = reason(node.process_action(ProcessDto::default()).await);

    assert!(again && reason.contains("may have 4096") && reason.ends_with("`guest.wasm` said: busy"), "{reason}");
}

#[tokio::test]
async fn a_host_without_a_clock_of_the_machine_interrupts_nobody() {
    let long = "(local $n i32) (loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 400000000))))";
    let guest = Guest::new(&format!("{long} {ECHO}"));
    let usage = limited(Limits { timeout: Some(Duration::from_millis(10)), ..Limits::default() });
    let timed = Bench::default();
    let untimed =
        Bench { host: Host::new(HostOptions { untimed: true, ..HostOptions::default() }).unwrap(), ..Bench::default() };

    let stopped = timed.node(&guest, &usage).process_action(ProcessDto::default()).await;
    let ended = untimed.node(&guest, &usage).process_action(ProcessDto::default()).await;

    assert!(reason(stopped).0.contains("took longer"), "the test takes long enough to be one");
    ended.unwrap();
}

#[tokio::test]
async fn a_message_too_large_for_its_memory_is_refused_with_that_reason() {
    let bench = Bench::default();
    let usage = limited(Limits { memory: Some(256 << 10), ..Limits::default() });
    let node = bench.node(&Guest::new(ECHO), &usage);
    let large = ProcessDto::new(serde_json::json!({ "text": "x".repeat(1 << 20) }));

    let (reason, _) = reason(node.process_action(large).await);

    assert!(reason.contains("KiB of memory, and may have 256"), "{reason}");
    node.process_action(ProcessDto::default()).await.unwrap();
}

#[tokio::test]
async fn a_component_that_asks_for_more_than_it_may_have_from_the_start_is_never_made() {
    let bench = Bench::default();
    let guest = Guest::new(ECHO);
    let usage = limited(Limits { memory: Some(64 << 10), ..Limits::default() });

    let (reason, _) = reason(bench.node(&guest, &usage).process_action(ProcessDto::default()).await);

    assert!(reason.contains("it wanted 128 KiB of memory, and may have 64"), "{reason}");
}

#[tokio::test]
async fn tables_end_as_well() {
    let bench = Bench::default();
    let grow = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 90000000)) (i32.const -1)) (then (unreachable))) (unreachable)";
    let guest = Guest::new(grow).with("(table $t 1 funcref)");

    let (reason, _) = reason(bench.node(&guest, &Usage::default()).process_action(ProcessDto::default()).await);

    assert!(reason.contains("a table of 90000001 elements"), "{reason}");
}

#[tokio::test]
async fn calls_that_go_too_deep_end_in_the_component() {
    let bench = Bench::default();
    let guest = Guest::new("(return (call $deeper (i32.const 1)))")
        .with("(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))");

    let (reason, again) = reason(bench.node(&guest, &Usage::default()).process_action(ProcessDto::default()).await);

    assert!(again && reason.contains("it called itself too deeply"), "{reason}");
}

#[tokio::test]
async fn a_trap_throws_the_instance_away_and_carries_the_last_words_out() {
    let bench = Bench::default();
    let guest = Guest::new(
        "(call $log (i32.const 1) (i32.const 4096) (i32.const 12)) (global.set $seen (i32.const 1)) (unreachable)",
    )
    .importing(r#"(import "pairline:node/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#)
    .with("(global $seen (mut i32) (i32.const 0))")
    .with_text(4096, "panic: oh no");
    let usage = limited(Limits { calls: Some(100), ..Limits::default() });
    let node = bench.node(&guest, &usage);

    for _ in 0..3 {
        let (reason, again) = reason(node.process_action(ProcessDto::default()).await);
        assert!(again && reason.contains("broke off") && reason.contains("it said: panic: oh no"), "{reason}");
    }

    let counts = bench.host.counts().remove(0);
    assert_eq!(counts.instances, 3, "none is used again");
    assert!(counts.calls.contains(&(Ended::Trapped, 3)));
}

/// Counts the messages that its instance has seen, and answers with that as its body.
fn counting() -> Guest {
    let process = "(global.set $seen (i32.add (global.get $seen) (i32.const 1)))
        (i32.store8 (i32.const 4096) (i32.add (i32.const 48) (global.get $seen)))
        (return (call $answer (i32.const 4096) (i32.const 1) (local.get $h) (local.get $hl)))";
    Guest::new(process).with("(global $seen (mut i32) (i32.const 0))").with_text(4096, "0")
}

#[tokio::test]
async fn a_fresh_instance_knows_nothing_of_the_message_before_and_a_reused_one_serves_so_many() {
    let bench = Bench::default();
    let fresh = bench.node(&counting(), &Usage::default());
    let reused = bench.node(&counting(), &limited(Limits { calls: Some(3), ..Limits::default() }));

    let mut seen = (Vec::new(), Vec::new());
    for _ in 0..7 {
        seen.0.push(fresh.process_action(ProcessDto::default()).await.unwrap().data().clone());
        seen.1.push(reused.process_action(ProcessDto::default()).await.unwrap().data().clone());
    }

    assert_eq!(seen.0, [1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(seen.1, [1, 2, 3, 1, 2, 3, 1]);
}

#[tokio::test]
async fn an_instance_that_holds_half_of_its_memory_serves_nobody_else() {
    let bench = Bench::default();
    let grow = counting().with("(func $hold (drop (memory.grow (i32.const 40)))) (start $hold)");
    let usage = limited(Limits { calls: Some(100), memory: Some(4 << 20), ..Limits::default() });
    let node = bench.node(&grow, &usage);

    for _ in 0..3 {
        assert_eq!(node.process_action(ProcessDto::default()).await.unwrap().data(), &1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_at_once_all_get_their_turn() {
    let bench = Bench::default();
    for calls in [None, Some(1000)] {
        let limits = Limits { calls, timeout: Some(Duration::from_secs(60)), ..Limits::default() };
        let node = bench.node(&Guest::new(ECHO), &limited(limits));

        let calls: Vec<_> = (0..10_000)
            .map(|number| {
                let node = Arc::clone(&node);
                let dto = ProcessDto::new(serde_json::json!({ "number": number }));
                tokio::spawn(async move { node.process_action(dto).await.unwrap().data()["number"] == number })
            })
            .collect();

        for call in calls {
            assert!(call.await.unwrap(), "another message's answer");
        }
    }
}

#[tokio::test]
async fn a_slow_port_is_given_up_after_the_components_own_time() {
    struct Stuck;
    #[async_trait::async_trait]
    impl pairline_sdk::HttpClient for Stuck {
        async fn send(
            &self,
            _: pairline_sdk::HttpRequest,
        ) -> Result<pairline_sdk::HttpResponse, pairline_sdk::HttpError> {
            std::future::pending().await
        }
    }
    let mut bench = Bench::default();
    bench.ports.http = Arc::new(Stuck);
    let mut usage = crate::guest::everything();
    usage.limits.timeout = Some(Duration::from_millis(50));
    let guest = crate::grants::asking_http("https://api.example.org/score");

    let (reason, again) = reason(bench.node(&guest, &usage).process_action(ProcessDto::default()).await);

    assert!(again && reason.contains("took longer than its 50 ms"), "{reason}");
}

#[tokio::test]
async fn a_component_that_logs_without_end_is_heard_a_hundred_times() {
    let bench = Bench::default();
    let guest = Guest::new(&format!(
        "(local $n i32) (loop $again (call $log (i32.const 3) (i32.const 4096) (i32.const 4))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const 100000)))) {ECHO}"
    ))
    .importing(r#"(import "pairline:node/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#)
    .with_text(4096, "line");

    bench.node(&guest, &Usage::default()).process_action(ProcessDto::default()).await.unwrap();
}
