//! What the templates answer, with the limits that a component has unless a topology says otherwise.

use pairline_sdk::testing::{Stage, contact_contract};
use pairline_sdk::{
    Adoption, Grants, Need, NodeError, NodeKind as _, PairStore as _, PairsGrant, ProcessDto, RecordId, System, Usage,
};
use serde_json::{Value, json};

use super::language::{JS, PYTHON, TS};
use crate::support::Bench;
use crate::systems::installed::run;
use crate::tidy::read;

fn bench() -> Bench {
    Bench::new(&Stage::default(), contact_contract())
}

/// With what the template that asks for most asks for.
fn granted(with: Value) -> Usage {
    let applications = vec![System::new("erp")];
    Usage {
        with,
        grants: Grants { pairs: Some(PairsGrant::Read), applications, ..Grants::default() },
        ..Usage::default()
    }
}

fn contact(fields: Value) -> ProcessDto {
    ProcessDto::new(json!({
        "hint": { "record": { "system": "crm", "id": "101" } },
        "record": { "id": "101", "version": "7", "fields": fields },
    }))
}

fn trashed(answer: Result<ProcessDto, NodeError>) -> String {
    match answer.unwrap_err() {
        NodeError::StopAndFail { reason } => reason,
        NodeError::Repeat { reason, .. } => panic!("it is tried again: {reason}"),
    }
}

#[tokio::test]
async fn a_lead_in_javascript_is_hot_or_cold_by_the_threshold_of_the_topology() {
    let (bench, (_host, kind)) = (bench(), JS.template().load());
    let lead = contact(json!({ "email": "ada@analytical.example", "phone": "+442079460958" }));

    for (threshold, route) in [(65, "hot"), (66, "cold")] {
        let node = kind.make(&Usage::with(json!({ "threshold": threshold })), &bench.ports).unwrap();
        let answer = node.process_action(lead.clone()).await.unwrap();

        assert_eq!(answer.route(), Some(route));
        assert_eq!(answer.data()["lead"], json!({ "score": 65, "threshold": threshold }));
        assert_eq!(answer.data()["record"], lead.data()["record"]);
    }
    assert!(!kind.misfits(&json!({ "threshold": 101 })).is_empty());
}

#[tokio::test]
async fn a_number_in_typescript_gets_its_one_spelling_or_goes_to_the_trash_with_a_reason() {
    let (bench, (_host, kind)) = (bench(), TS.template().load());
    let node = kind.make(&Usage::with(json!({ "field": "phone", "country": "44" })), &bench.ports).unwrap();
    let phone = |text: &str| node.process_action(contact(json!({ "phone": text })));

    let answer = phone("(020) 7946 0958").await.unwrap();
    let reason = trashed(phone("ask Ada").await);

    assert_eq!((answer.route(), &answer.data()["phone"]["number"]), (None, &json!("+442079460958")));
    assert_eq!(reason, "crm:101: `phone` holds something that is neither a digit nor between digits");
}

#[tokio::test]
async fn a_counterpart_is_found_in_python_and_never_picked_of_two() {
    let (bench, (_host, kind)) = (bench(), PYTHON.template().load());
    let grants = Grants { pairs: Some(PairsGrant::Read), applications: vec![System::new("erp")], ..Grants::default() };
    let usage = Usage { with: json!({ "application": "erp" }), grants, ..Usage::default() };
    let node = kind.make(&usage, &bench.ports).unwrap();
    let look = || node.process_action(contact(json!({ "email": "ada@example.com", "vat_id": "GB 1" })));

    assert_eq!(look().await.unwrap().route(), Some("none"));

    let ada = bench.erp.person_creates(&json!({ "email": "ada@example.com" }));
    let found = look().await.unwrap();
    assert_eq!(found.route(), Some("matched"));
    assert_eq!(found.data()["match"], json!({ "record": ada, "by": ["email"] }));

    let firm = bench.erp.person_creates(&json!({ "vat_id": "GB1" }));
    let ambiguous = look().await.unwrap();
    assert_eq!(ambiguous.route(), Some("ambiguous"));
    assert_eq!(ambiguous.data()["match"]["records"], json!([ada, firm]));

    // What belongs to another contact is nobody's to take, also when it is the only one.
    bench.erp.person_deletes(&firm.id);
    let record = bench.erp.saved().record(&ada.id).unwrap();
    let names = RecordId::new(&System::new("crm"), "202");
    let (system, contract, topology) = (System::new("erp"), "contact".to_owned(), "crm-to-erp".to_owned());
    bench.store.adopt(&Adoption { record, system, names, contract, verified: true, topology }).await.unwrap();
    let taken = look().await.unwrap();
    assert_eq!((taken.route(), &taken.data()["match"]["taken"]), (Some("ambiguous"), &json!([ada.id])));
}

#[tokio::test]
async fn a_record_goes_on_as_it_came_with_numbers_that_javascript_would_round() {
    let bench = bench();
    let fields =
        json!({ "phone": "+442079460958", "no": 12_345_678_901_234_567_890_u64, "least": i64::MIN, "rate": 1.0 });
    for (language, with, part) in [
        (JS, json!({}), "lead"),
        (TS, json!({ "field": "phone" }), "phone"),
        (PYTHON, json!({ "application": "erp" }), "match"),
    ] {
        let (_host, kind) = language.template().load();
        let node = kind.make(&granted(with), &bench.ports).unwrap();
        let message = contact(fields.clone()).with("own", json!({ "no": u64::MAX })).with(part, "of another time");

        let answer = node.process_action(message.clone()).await.unwrap();

        for kept in ["hint", "record", "own"] {
            assert_eq!(answer.data()[kept].to_string(), message.data()[kept].to_string(), "{}", language.name);
        }
        let is_its_own = answer.data()[part].is_object();
        assert_eq!(is_its_own, answer.route() != Some("none"), "{}: {}", language.name, answer.data());
    }
}

/// What reads JSON and writes it again says the same in other words, and whoever compares texts sees an edit.
#[tokio::test]
async fn what_is_in_a_message_keeps_its_text_spaces_and_all() {
    let bench = bench();
    bench.erp.person_creates(&json!({ "email": "ada@example.com" }));
    let body = r#"{"hint":{"record":{"system":"crm","id":"101"}}, "own":{"no":1e2,"rate":0.10000000000000000001,"name":"\u00e9"},
        "record":{"id":"101","version":"7","fields":{"email":"ada@example.com","phone":"+442079460958"}} }"#;
    let kept = body.strip_suffix('}').unwrap().trim_end();
    for (language, with, part) in [
        (JS, json!({}), "lead"),
        (TS, json!({ "field": "phone" }), "phone"),
        (PYTHON, json!({ "application": "erp" }), "match"),
    ] {
        let (_host, kind) = language.template().load();
        let node = kind.make(&granted(with), &bench.ports).unwrap();

        let answer = node.process_action(ProcessDto::from_raw(body).unwrap()).await.unwrap();

        assert!(answer.raw().starts_with(kept), "{}: {}", language.name, answer.raw());
        assert!(answer.data()[part].is_object(), "{}: {}", language.name, answer.raw());
    }
}

#[tokio::test]
async fn what_a_template_asks_for_is_granted_by_name_and_nothing_else_is_asked_for() {
    let bench = bench();
    for (language, with, needs, missing) in [
        (JS, json!({}), vec![], None),
        (TS, json!({ "field": "phone" }), vec![], None),
        (PYTHON, json!({ "application": "erp" }), vec![Need::ReadPairs, Need::Applications], Some("pairs: read")),
    ] {
        let built = language.template();
        let (host, kind) = built.load();

        let imports = host.inspect(&built.file).unwrap().imports;
        assert!(imports.iter().all(|name| name.starts_with("pairline:node/")), "{}: {imports:?}", language.name);
        assert_eq!(kind.needs(), Some(needs.as_slice()), "{}", language.name);
        let refused = kind.make(&Usage::with(with), &bench.ports).err();
        let told = match missing {
            Some(grant) => refused.as_ref().is_some_and(|reason| reason.contains(grant)),
            None => refused.is_none(),
        };
        assert!(told, "{}: {refused:?}", language.name);
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_a_node_expects_goes_to_the_trash_with_a_reason() {
    let bench = bench();
    for (language, with) in
        [(JS, json!({})), (TS, json!({ "field": "phone" })), (PYTHON, json!({ "application": "erp" }))]
    {
        let (_host, kind) = language.template().load();
        let node = kind.make(&granted(with), &bench.ports).unwrap();

        for body in [
            json!({}),
            json!([]),
            json!("text"),
            json!(7),
            json!({ "hint": null, "record": null }),
            json!({ "hint": { "record": { "system": "crm", "id": "101" } }, "record": { "fields": [] } }),
            json!({ "hint": { "record": { "system": "crm", "id": "101" } }, "record": { "fields": "none" } }),
        ] {
            let reason = trashed(node.process_action(ProcessDto::new(body.clone())).await);
            assert!(reason.starts_with("expected "), "{}: {body}: {reason}", language.name);
        }
    }
}

#[tokio::test]
async fn one_instance_serves_one_message_after_another_within_the_usual_limits() {
    let bench = bench();
    for (language, with) in
        [(JS, json!({})), (TS, json!({ "field": "phone" })), (PYTHON, json!({ "application": "erp" }))]
    {
        let (host, kind) = language.template().load();
        let node = kind.make(&granted(with), &bench.ports).unwrap();

        for _ in 0..50 {
            node.process_action(contact(json!({ "phone": "+442079460958" }))).await.unwrap();
        }

        assert_eq!(host.counts()[0].instances, 1, "{}", language.name);
    }
}

#[test]
fn the_tests_of_a_template_need_no_webassembly() {
    for language in [JS, TS, PYTHON] {
        let built = language.template();
        let tests = |step: &&String| step.contains("test") && !step.contains("pairline");
        let step = built.steps.iter().find(tests).unwrap_or_else(|| panic!("{}: no tests", language.name));

        run(&mut built.command(step));
    }
}

/// The functions of the contract, by their interfaces.
fn functions() -> Vec<(String, String)> {
    let (mut interface, mut functions) = (String::new(), Vec::new());
    for line in read("sdk/wit/node.wit").lines() {
        if let Some(name) = line.strip_prefix("interface ") {
            interface = name.trim_end_matches(" {").to_owned();
        } else if let Some((name, _)) = line.trim().split_once(": func(") {
            functions.push((interface.clone(), name.to_owned()));
        }
    }
    functions
}

#[test]
fn typescript_knows_every_function_that_a_node_may_call() {
    let types = read("sdk/templates/ts/src/pairline.d.ts");
    let imported: Vec<_> = functions().into_iter().filter(|(interface, _)| interface != "action").collect();
    assert!(imported.len() > 25, "the contract is not where this test looks for it");

    for (interface, function) in imported {
        let mut words = function.split('-');
        let mut name = words.next().unwrap().to_owned();
        for word in words {
            name += &word[..1].to_uppercase();
            name += &word[1..];
        }
        let module = types.split(&format!("declare module \"pairline:node/{interface}@0.1.0\"")).nth(1);
        let module = module.and_then(|rest| rest.split("\n}").next()).unwrap_or_default();
        assert!(module.contains(&format!("export function {name}(")), "{interface}: no `{name}`");
    }
}
