//! The contract: what a component says of itself, what it is handed, and what becomes of its answer.

use pairline_sdk::{Grants, NodeError, NodeKind, PairsGrant, ProcessDto, ResultCode, Usage};
use pairline_wasm::{WIT, wrap};
use serde_json::json;

use crate::guest::{Bench, ECHO, Guest, PLAIN, ROUTED, reason};

#[test]
fn a_component_is_asked_what_it_is() {
    let bench = Bench::default();

    let kind = bench.load(&Guest::new(ECHO).describing(ROUTED).component()).unwrap();

    assert_eq!(kind.describe().kind, "guest");
    assert_eq!(kind.describe().routes.len(), 2);
    assert_eq!(kind.needs(), Some([].as_slice()));
}

#[tokio::test]
async fn a_message_passes_through_untouched_with_what_others_have_put_in() {
    let bench = Bench::default();
    let node = bench.node(&Guest::new(ECHO), &Usage::default());
    let dto = ProcessDto::new(json!({ "id": "ü" })).with("record", json!({ "a": 1 })).with_header("repeat-hops", 3);

    let passed = node.process_action(dto.clone()).await.unwrap();

    assert_eq!(passed, dto);
    assert_eq!(passed.headers()["repeat-hops"], json!(3), "a number stays one");
}

#[tokio::test]
async fn a_component_changes_the_body_and_takes_a_route() {
    let follow = "(return (call $follow (i32.const 4096) (i32.const 7) (local.get $h) (local.get $hl) (i32.const 4200) (i32.const 3)))";
    let guest = Guest::new(follow).describing(ROUTED).with_text(4096, r#"{"a":1}"#).with_text(4200, "yes");
    let bench = Bench::default();

    let answer =
        bench.node(&guest, &Usage::default()).process_action(ProcessDto::default().with_header("user", "u")).await;

    let answer = answer.unwrap();
    assert_eq!((answer.route(), answer.result()), (Some("yes"), ResultCode::ForwardToTargetQueue));
    assert_eq!((answer.data(), answer.header("user")), (&json!({ "a": 1 }), Some("u")));
}

#[tokio::test]
async fn a_component_ends_a_message() {
    let end = "(return (call $end (local.get $b) (local.get $bl) (local.get $h) (local.get $hl) (i32.const 4096) (i32.const 4)))";
    let bench = Bench::default();

    let node = bench.node(&Guest::new(end).with_text(4096, "done"), &Usage::default());

    let answer = node.process_action(ProcessDto::default()).await.unwrap();
    assert_eq!((answer.result(), answer.message()), (ResultCode::DoNotContinue, Some("done")));
}

#[tokio::test]
async fn a_failure_says_what_happens_next() {
    let bench = Bench::default();
    for (code, expected) in [
        (1, NodeError::Repeat { reason: "busy".into(), after: None, counted: true }),
        (2, NodeError::Repeat { reason: "busy".into(), after: None, counted: false }),
        (3, NodeError::stop("busy")),
        (99, NodeError::stop("busy")),
    ] {
        let guest = Guest::new(&format!("(return (call $fail (i32.const {code}) (i32.const 4096) (i32.const 4)))"));
        let node = bench.node(&guest.with_text(4096, "busy"), &Usage::default());

        assert_eq!(node.process_action(ProcessDto::default()).await, Err(expected));
    }
}

#[tokio::test]
async fn what_the_program_has_put_in_is_not_for_a_component_to_change() {
    let answer = |length: usize| {
        format!("(return (call $answer (i32.const 4096) (i32.const {length}) (local.get $h) (local.get $hl)))")
    };
    let given = r#"{"hint":{"record":{"system":"crm","id":"1"}},"record":{"id":"1"}"#;
    let write = Usage { grants: Grants { pairs: Some(PairsGrant::Write), ..Grants::default() }, ..Usage::default() };
    let nothing = Usage::default();
    let bench = Bench::default();
    for (text, usage, changed) in [
        (format!(r#"{given},"note":1}}"#), &nothing, None),
        (format!(r#"{given},"pair":1}}"#), &write, None),
        (format!(r#"{given},"pair":1}}"#), &nothing, Some("`pair`")),
        (format!(r#"{given},"operation":"op-1"}}"#), &nothing, Some("`operation`")),
        (format!(r#"{given},"hint":{{"record":{{"system":"crm","id":"2"}}}}}}"#), &write, Some("`hint`")),
        (format!(r#"{given},"record":{{"id":"1"}}}}"#), &write, Some("`record`")),
        (r#"{"hint":{"record":{"system":"crm","id":"1"}},"record":{"id":"2"}}"#.to_owned(), &write, Some("`record`")),
        (r#"{"note":1}"#.to_owned(), &nothing, Some("`hint`")),
    ] {
        let guest = Guest::new(&answer(text.len())).with_text(4096, &text);
        let message = ProcessDto::from_raw(format!("{given}}}")).unwrap();

        let answer = bench.node(&guest, usage).process_action(message).await;

        match changed {
            None => assert_eq!(answer.unwrap().raw(), text),
            Some(part) => {
                let (reason, again) = reason(answer);
                let told = format!("`guest.wasm` changed {part} of the message");
                assert!(!again && reason.contains(&told), "{text}: {reason}");
            }
        }
    }
}

#[tokio::test]
async fn a_component_with_several_routes_chooses_one() {
    let bench = Bench::default();
    let guest = Guest::new(ECHO).describing(ROUTED);

    let (reason, again) = reason(bench.node(&guest, &Usage::default()).process_action(ProcessDto::default()).await);

    assert!(!again && reason.contains("took no route: expected one of `yes`, `no`"), "{reason}");
}

#[tokio::test]
async fn what_cannot_be_used_goes_to_the_trash_and_says_why() {
    let follow = "(return (call $follow (local.get $b) (local.get $bl) (local.get $h) (local.get $hl) (i32.const 4096) (i32.const 4)))";
    let no_json = "(return (call $answer (i32.const 4096) (i32.const 4) (local.get $h) (local.get $hl)))";
    let huge = "(return (call $answer (i32.const 0) (i32.const 5000000) (local.get $h) (local.get $hl)))";
    let bench = Bench::default();
    for (process, part) in
        [(follow, "`moon`, which it does not describe"), (no_json, "not JSON"), (huge, "5000000 bytes")]
    {
        let guest = Guest::new(&format!("(drop (memory.grow (i32.const 100))) {process}")).with_text(4096, "moon");

        let answer = bench.node(&guest, &Usage::default()).process_action(ProcessDto::default()).await;

        let (reason, again) = reason(answer);
        assert!(!again && reason.contains(part) && reason.contains("guest.wasm"), "{reason}");
    }
}

#[tokio::test]
async fn text_that_is_no_utf_8_and_pointers_that_lead_nowhere_are_the_end_of_that_call_alone() {
    let bench = Bench::default();
    for process in [
        "(i32.store8 (i32.const 4096) (i32.const 255)) (return (call $answer (i32.const 4096) (i32.const 4) (local.get $h) (local.get $hl)))",
        "(return (call $answer (i32.const -16) (i32.const 4) (local.get $h) (local.get $hl)))",
        "(return (call $answer (i32.const 0) (i32.const -1) (local.get $h) (local.get $hl)))",
        "(return (call $answer (local.get $b) (local.get $bl) (i32.const 0) (i32.const 268435455)))",
        "(return (call $answer (local.get $b) (local.get $bl) (i32.const 3) (i32.const 1)))",
        "(return (i32.const -4))",
        "(return (i32.const 3))",
    ] {
        let node = bench.node(&Guest::new(process), &Usage::default());

        let (reason, again) = reason(node.process_action(ProcessDto::default()).await);

        assert!(again && reason.contains("broke off"), "{process}: {reason}");
    }
    let node = bench.node(&Guest::new(ECHO), &Usage::default());
    node.process_action(ProcessDto::default()).await.unwrap();
}

#[test]
fn what_is_no_node_is_told_apart() {
    let bench = Bench::default();
    let core = Guest::new(ECHO).core();
    let nothing = wat::parse_str("(component)").unwrap();
    for (bytes, part) in [
        (b"<html>".as_slice(), "is not WebAssembly"),
        (b"\0asm".as_slice(), "core module"),
        (&core, "core module and no component"),
        (&nothing, "is no node: expected the export `pairline:node/action@0.1.0`"),
        (&Guest::new(ECHO).component()[..200], "is no component"),
    ] {
        let refused = bench.refused(bytes);
        assert!(refused.contains(part) && refused.contains("guest.wasm"), "{refused}");
    }
}

#[test]
fn a_description_that_cannot_be_used_is_told() {
    let bench = Bench::default();

    let refused = bench.refused(&Guest::new(ECHO).describing("{}").component());

    assert!(refused.contains("describes itself") && refused.contains("`kind`"), "{refused}");
}

#[test]
fn a_newer_patch_of_the_contract_runs_and_a_newer_minor_is_refused_by_its_name() {
    let bench = Bench::default();
    // The exports of the guest are named by the version that it was built against.
    let of = |version: &str| {
        let wit = WIT.replace("pairline:node@0.1.0", &format!("pairline:node@{version}"));
        let mut module = wat::parse_bytes(&Guest::new(ECHO).core()).unwrap().into_owned();
        let from = b"pairline:node/action@0.1.0";
        let to = format!("pairline:node/action@{version}");
        for at in 0..module.len() - from.len() {
            if module[at..].starts_with(from) {
                module[at..at + from.len()].copy_from_slice(to.as_bytes());
            }
        }
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("node.wit", &wit).unwrap();
        let world = resolve.select_world(&[package], Some("full")).unwrap();
        let utf8 = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
        wrap(&module).unwrap()
    };

    assert_eq!(bench.load(&of("0.1.7")).unwrap().describe().kind, "guest");
    let refused = bench.refused(&of("0.2.0"));
    assert!(refused.contains("version 0.2.0 of the contract: this program runs 0.1"), "{refused}");
}

#[test]
fn a_core_module_is_wrapped_and_a_component_stays_as_it_is() {
    let component = Guest::new(ECHO).component();

    assert_eq!(wrap(&component).unwrap(), component);
    assert!(wrap(&Guest::new(ECHO).core()).unwrap_err().contains("says nothing of what it was built against"));
    assert!(wrap(b"<html>").is_err());
}

#[test]
fn settings_are_held_against_the_schema_that_a_component_brings() {
    let bench = Bench::default();
    let schema = r#"{"kind":"guest","about":"","settings":[{"name":"weights","kind":"text"}],
        "schema":{"type":"object","properties":{"weights":{"type":"object","additionalProperties":{"type":"number"}}}}}"#;
    let kind = bench.load(&Guest::new(ECHO).describing(schema).component()).unwrap();

    let misfits = kind.misfits(&json!({ "weights": { "size": "big" } }));

    assert_eq!(kind.misfits(&json!({ "weights": { "size": 3 } })), []);
    assert_eq!(misfits[0].path, ["weights", "size"]);
    assert!(misfits[0].message.contains("number"), "{}", misfits[0].message);
    let broken = PLAIN.replace('}', r#","schema":{"type":"nonsense"}}"#);
    assert!(bench.refused(&Guest::new(ECHO).describing(&broken).component()).contains("schema"));
}

/// What a call costs by itself is measured with this one, in `benches/components.rs`.
#[test]
fn the_committed_guest_that_does_nothing_is_made_of_its_text() {
    let file = crate::guest::here("../../tests/components/fixtures/0.1/empty.wasm");
    let made = Guest::new(ECHO).component();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, &made).unwrap();
    }

    assert!(std::fs::read(&file).is_ok_and(|committed| committed == made), "UPDATE_EXPECTED=1 writes it anew");
}
