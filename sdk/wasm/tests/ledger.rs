//! Writes of a component: through the ledger, once, and with the answer that the program has seen itself.

use std::time::Duration;

use pairline_sdk::{
    Application, Create, FieldWrite, Fields, Grants, InverseWrite, Operation, OperationState, PairsGrant, ProcessDto,
    Provenance, RecordId, System, Usage, Write, WriteReason,
};

use crate::guest::{Bench, Guest, everything, reason};

const WRITES: &str = r#"{"kind":"guest","about":"","effects":["creates"]}"#;
/// What stands before the id of an operation that was won.
const WON: &str = r#"{"answer":"won","of":{"id":""#;
/// How long an id of the store in memory is.
const ID: usize = 11;

/// Reserves a create of a contact's counterpart, whose request it has rendered before; what it was told then stands at 8324,
/// and `then` goes on.
fn reserving(bench: &Bench, target: &str, then: &str) -> Guest {
    asking(target, &create(bench, target), then)
}

/// The same, with a create that may have been changed since it was rendered.
fn asking(target: &str, create: &Create, then: &str) -> Guest {
    let create = serde_json::to_string(create).unwrap();
    let write = serde_json::to_string(&Write::Create { fields: fields() }).unwrap();
    let id = format!("(i32.add (i32.load (i32.const 8324)) (i32.const {}))", WON.len());
    let process = format!(
        "(local $id i32)
         (call $render (i32.const 12000) (i32.const 3) (i32.const 12008) (i32.const {}) (i32.const 8320))
         (if (i32.load8_u (i32.const 8320)) (then (return (call $told))))
         (call $reserve (i32.const 12288) (i32.const {}) (i32.const 8320))
         (if (i32.load8_u (i32.const 8320)) (then (return (call $told))))
         (local.set $id {id}) {then}",
        write.len(),
        create.len()
    );
    let guest = Guest::new(&process).describing(WRITES).importing(IMPORTS);
    guest.with_text(12000, target).with_text(12008, &write).with_text(12288, &create)
}

const IMPORTS: &str = r#"
    (import "pairline:node/ledger@0.1.0" "arrived" (func $arrived (param i32 i32 i32)))
    (import "pairline:node/ledger@0.1.0" "reserve" (func $reserve (param i32 i32 i32)))
    (import "pairline:node/ledger@0.1.0" "begin" (func $begin (param i32 i32 i64 i32)))
    (import "pairline:node/ledger@0.1.0" "settle" (func $settle (param i32 i32 i32 i32 i32)))
    (import "pairline:node/ledger@0.1.0" "resend" (func $resend (param i32 i32 i32 i32 i32)))
    (import "pairline:node/writes@0.1.0" "render" (func $render (param i32 i32 i32 i32 i32)))
    (import "pairline:node/writes@0.1.0" "send" (func $send (param i32 i32 i32)))"#;

fn fields() -> Fields {
    serde_json::from_str(r#"{"email":"ada@example.org"}"#).unwrap()
}

fn create(bench: &Bench, target: &str) -> Create {
    let email = FieldWrite {
        field: "email".into(),
        seen_source: fields(),
        seen_target: None,
        value: fields(),
        reason: WriteReason::Birth,
    };
    Create {
        source: RecordId::new(&System::new("crm"), "1"),
        target: System::new(target),
        contract: "contact".into(),
        request: bench.erp.render(&Write::Create { fields: fields() }).unwrap().into(),
        writes: vec![email].into(),
        inverse: None,
        deadline: bench.erp.profile().deadline,
        request_life: bench.erp.profile().request_life,
        provenance: Provenance::default(),
    }
}

fn send() -> String {
    format!("(call $send (local.get $id) (i32.const {ID}) (i32.const 8320))")
}

fn operations(bench: &Bench) -> Vec<Operation> {
    bench.store.saved().operations.into_values().collect()
}

fn states(bench: &Bench) -> Vec<OperationState> {
    operations(bench).into_iter().map(|operation| operation.state).collect()
}

async fn run(bench: &Bench, guest: &Guest, usage: &Usage) -> String {
    reason(bench.node(guest, usage).process_action(ProcessDto::default()).await).0
}

#[tokio::test]
async fn what_was_answered_is_committed_though_the_component_breaks_off_before_it_says_so() {
    let bench = Bench::default();
    let guest = reserving(&bench, "erp", &format!("{} (unreachable)", send()));

    let reason = run(&bench, &guest, &everything()).await;

    assert!(reason.contains("broke off"), "{reason}");
    assert_eq!(states(&bench), [OperationState::Committed]);
    assert_eq!(bench.erp.saved().records.len(), 1);
}

#[tokio::test]
async fn what_was_never_sent_is_known_not_to_have_been() {
    let bench = Bench::default();

    run(&bench, &reserving(&bench, "erp", "(unreachable)"), &everything()).await;
    run(&bench, &reserving(&bench, "erp", "(unreachable)"), &everything()).await;

    let left = operations(&bench);
    assert_eq!(left.len(), 1, "one reservation");
    assert_ne!(left[0].state, OperationState::Pending, "nobody waits for it");
    assert_eq!(bench.erp.saved().writes, 0);
}

#[tokio::test]
async fn an_operation_is_sent_once() {
    let bench = Bench::default();
    let guest = reserving(&bench, "erp", &format!("{} {} (return (call $told))", send(), send()));

    let told = run(&bench, &guest, &everything()).await;

    assert!(told.contains("was sent already"), "{told}");
    assert_eq!((bench.erp.saved().writes, bench.erp.saved().records.len()), (1, 1));
}

#[tokio::test]
async fn a_component_cannot_say_that_something_else_became_of_it() {
    let lie = r#"{"outcome":"failed","reason":"it was refused"}"#;
    let settle = format!(
        "(call $settle (local.get $id) (i32.const {ID}) (i32.const 4096) (i32.const {}) (i32.const 8320)) (return (call $told))",
        lie.len()
    );
    for (sent, records) in [(send(), 1), (String::new(), 0)] {
        let bench = Bench::default();
        let guest = reserving(&bench, "erp", &format!("{sent} {settle}")).with_text(4096, lie);

        let told = run(&bench, &guest, &everything()).await;

        assert!(told.contains("that is not what became of op-"), "{told}");
        assert_eq!(bench.erp.saved().records.len(), records);
        assert_eq!(states(&bench) == [OperationState::Committed], records == 1, "{:?}", states(&bench));
        assert_ne!(states(&bench), [OperationState::Failed]);
    }
}

#[tokio::test]
async fn nothing_is_sent_or_settled_that_this_message_has_not_won() {
    let bench = Bench::default();
    run(&bench, &reserving(&bench, "erp", "(unreachable)"), &everything()).await;
    let settled = r#"{"outcome":"gone"}"#;
    let other = |call: &str| {
        Guest::new(&format!("{call} (return (call $told))"))
            .describing(WRITES)
            .importing(IMPORTS)
            .with_text(4096, "op-00000001")
            .with_text(4200, settled)
    };
    let send = other("(call $send (i32.const 4096) (i32.const 11) (i32.const 8320))");
    let settle =
        other("(call $settle (i32.const 4096) (i32.const 11) (i32.const 4200) (i32.const 18) (i32.const 8320))");
    let begin = other("(call $begin (i32.const 4200) (i32.const 18) (i64.const 1) (i32.const 8320))");

    for guest in [send, settle] {
        let told = run(&bench, &guest, &everything()).await;
        assert!(told.contains("was not begun by this message"), "{told}");
    }
    let told = run(&bench, &begin, &everything()).await;
    assert!(told.contains("expected an update as JSON"), "{told}");
    assert_eq!(bench.erp.saved().writes, 0);
}

#[tokio::test]
async fn a_system_that_may_not_be_written_to_gets_no_reservation() {
    let bench = Bench::default();
    let grants = Grants {
        pairs: Some(PairsGrant::Write),
        applications: vec![System::new("erp")],
        writes: vec![System::new("crm")],
        ..Grants::default()
    };
    let usage = Usage { grants, ..Usage::default() };

    let told = run(&bench, &reserving(&bench, "erp", "(return (call $told))"), &usage).await;

    assert!(told.contains("`erp` is not granted: add it to `grants.writes`"), "{told}");
    assert_eq!(operations(&bench), []);
}

#[tokio::test]
async fn a_request_is_what_the_program_has_rendered_of_the_writes_that_stand_in_the_ledger() {
    let bench = Bench::default();
    let sound = create(&bench, "erp");
    let request = |change: fn(&mut pairline_sdk::Request)| {
        let mut request = (*sound.request).clone();
        change(&mut request);
        Create { request: request.into(), ..sound.clone() }
    };
    let inverse = InverseWrite { field: "custom_fields.crm_id".into(), id: "7".into() };
    for forged in [
        request(|request| request.method = "DELETE".into()),
        request(|request| request.path = "/customers/7".into()),
        request(|request| request.body = r#"{"email":"eve@example.org"}"#.into()),
        request(|request| request.precondition = Some("7".into())),
        Create { writes: vec![].into(), ..sound.clone() },
        Create { inverse: Some(inverse), ..sound.clone() },
    ] {
        let told = run(&bench, &asking("erp", &forged, "(return (call $told))"), &everything()).await;

        assert!(told.contains("not what `render` has made"), "{told}");
    }
    assert_eq!((operations(&bench), bench.erp.saved().writes), (vec![], 0));
}

#[tokio::test]
async fn how_long_a_request_lives_and_where_it_comes_from_is_known_to_the_program() {
    let bench = Bench::default();
    let lie = Create {
        deadline: Duration::ZERO,
        request_life: Duration::ZERO,
        contract: "another".into(),
        provenance: Provenance { node: "somebody else".into(), ..Provenance::default() },
        ..create(&bench, "erp")
    };

    let node = bench.node(&asking("erp", &lie, &format!("{} (unreachable)", send())), &everything());
    let dto = ProcessDto::default().with_header("node-name", "score").with_header("topology-name", "crm-to-erp");
    node.process_action(dto).await.unwrap_err();

    let operation = operations(&bench).remove(0);
    let profile = bench.erp.profile();
    assert_eq!((operation.deadline, operation.request_life), (profile.deadline, profile.request_life));
    assert_eq!((operation.provenance.node.as_str(), operation.provenance.topology.as_str()), ("score", "crm-to-erp"));
    assert_eq!(operation.contract, "contact");
}

#[tokio::test]
async fn nothing_is_sent_again_on_the_word_of_a_component() {
    let bench = Bench::default();
    run(&bench, &reserving(&bench, "erp", "(unreachable)"), &everything()).await;
    let again = r#"{"attempts":1,"nothing_was_made":true,"before":null}"#;
    let call = format!(
        "(call $resend (i32.const 4096) (i32.const 11) (i32.const 4200) (i32.const {}) (i32.const 8320)) (return (call $told))",
        again.len()
    );
    let guest = Guest::new(&call).describing(WRITES).importing(IMPORTS);

    let told = run(&bench, &guest.with_text(4096, "op-00000001").with_text(4200, again), &everything()).await;

    assert!(told.contains("by no component"), "{told}");
    assert_eq!(bench.erp.saved().writes, 0);
}

#[tokio::test]
async fn an_update_has_arrived_when_the_program_has_seen_its_echo_and_not_before() {
    let bench = Bench::default();
    run(&bench, &reserving(&bench, "erp", "(unreachable)"), &everything()).await;
    let operation = serde_json::to_string(&operations(&bench)[0]).unwrap();
    let call = format!(
        "(call $arrived (i32.const 12288) (i32.const {}) (i32.const 8320))
         (if (i32.load8_u (i32.const 8320)) (then (return (call $told))))
         (return (call $fail (i32.const 3) (i32.const 12288) (i32.const 4)))",
        operation.len()
    );
    let before = states(&bench);

    let guest = Guest::new(&call).describing(WRITES).importing(IMPORTS).with_text(12288, &operation);
    let told = run(&bench, &guest, &everything()).await;

    assert!(told.contains("is the echo of op-00000001"), "{told}");
    assert_eq!(states(&bench), before);
}
