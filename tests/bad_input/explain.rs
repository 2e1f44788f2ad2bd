//! `explain`, as somebody reads it at night: why is this record not in step?

use serde_json::json;

use super::http::Lie;
use super::stage::{Said, Stage, pairline, there};
use super::wait::until;

impl Said {
    /// Asserts that each of these is in what was said on stdout.
    fn tells(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stdout.contains(part), "expected `{part}`, found {}", self.stdout);
        }
    }
}

#[test]
fn what_could_not_be_delivered_is_told_with_what_was_decided_about_it() {
    let stage = Stage::new();
    let erp = stage.between("erp");
    let runner = stage.run_on_webhooks_only(pairline());
    erp.tells(Lie::TellsAll);
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    until("the create is refused for good", || (stage.asked(&["status"])["trash"] == 1).then_some(()));
    let record = format!("crm:{contact}");
    let explained = || stage.cli(&["explain", &record]);

    let open = explained();

    assert_eq!(open.code, 0, "{open:?}");
    let reason = stage.asked(&["trash", "list"])["trash"][0]["reason"].as_str().unwrap().to_owned();
    open.tells(&[
        &format!("{record} has no counterpart"),
        &format!("trash 1, open: {reason}"),
        "next: pairline trash approve 1",
        "or pairline trash reject 1",
    ]);
    assert_eq!(stage.asked(&["explain", &record])["trash"][0]["state"], "open");
    let shown = stage.cli(&["trash", "show", "1"]);
    shown.tells(&[
        &format!("{record}  crm-to-erp/create\n       {reason}\n"),
        "state      open: it waits for your decision",
        "count      once\n",
        "created (key ",
        &format!("pairline explain {record}"),
        "next: pairline trash approve 1",
    ]);
    stage.crm.person_edits(&contact, json!({ "firstname": "Augusta Ada" })).unwrap();
    until("it is refused once more", || (stage.asked(&["trash", "show", "1"])["count"] == 2).then_some(()));
    let shown = stage.cli(&["trash", "show", "1"]);
    shown.tells(&["(2 times)", "count      2 times: since it is here, further looks", "updated (key "]);
    stage.cli(&["trash", "reject", "1"]);
    stage.cli(&["trash", "show", "1"]).tells(&["rejected at 2"]);
    explained().tells(&[&format!("trash 1, rejected: {reason}"), "rejected at 2"]);
    // The next event fails again, and that is approved once the system is itself.
    stage.crm.person_edits(&contact, json!({ "email": "ada@example.com" })).unwrap();
    until("it is refused again", || (stage.asked(&["status"])["trash"] == 1).then_some(()));
    erp.tells(Lie::Truth);
    stage.cli(&["trash", "approve", "2"]);
    stage.agrees_on(1);
    let both = explained();
    both.tells(&["trash 2, approved: ", "approved at 2", "trash 1, rejected: "]);
    // The same is said of its counterpart.
    let customer = there(stage.erp.snapshot()).into_keys().next().unwrap();
    stage.cli(&["explain", &format!("erp:{customer}")]).tells(&["trash 2, approved: ", &record]);
    runner.stop();
}

#[test]
fn a_record_that_waits_says_for_what() {
    let stage = Stage::new();
    let crm = stage.between("crm");
    let runner = stage.run_on_webhooks_only(pairline());
    // For somebody who takes a pause back.
    stage.cli(&["pause", "--application", "erp", "--reason", "finance asked"]);
    runner.stop();
    let runner = stage.run_on_webhooks_only(pairline());
    let customer = stage.erp.person_creates(json!({ "email": "grace@example.org", "name": "Grace" })).unwrap();
    let record = format!("erp:{customer}");

    let paused = until("it waits", || Some(stage.cli(&["explain", &record])).filter(|said| said.code == 0));

    paused.tells(&["waits: the erp is paused: finance asked", "next: pairline resume --application erp"]);
    assert_eq!(stage.asked(&["explain", &record])["waiting"][0]["paused"], "finance asked");
    // For another try.
    crm.tells(Lie::ErrorObjectUnsent);
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    let record = format!("crm:{contact}");
    let explained = || stage.cli(&["explain", &record]);
    let waits = until("it is to be tried again", || Some(explained()).filter(|said| said.stdout.contains("next try")));
    let hint = stage.asked(&["explain", &record])["waiting"][0].clone();
    let reason = hint["reason"].as_str().unwrap();
    assert!(reason.starts_with("at `fetch`: "), "{reason}");
    waits.tells(&[&format!("waits: {reason}; next try after "), " at 2", &format!("({record}, since 2")]);
    // For its turn, which comes when the program runs.
    runner.stop();
    crm.tells(Lie::Truth);
    stage.cli(&["resume"]);
    stage.cli(&["explain", &format!("erp:{customer}")]).tells(&["waits: in the queue", "pairline run"]);
    let runner = stage.run(&["--poll-ms", "500"]);
    stage.agrees_on(2);
    until("nothing waits", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));
    assert!(!explained().stdout.contains("waits:"), "{:?}", explained());
    runner.stop();
}

#[test]
fn a_record_that_creates_are_held_back_from_says_so() {
    let stage = Stage::new();
    let runner = stage.run_on_webhooks_only(pairline());
    stage.cli(&["creates", "hold", "--reason", "an audit"]);
    let reads = stage.crm.calls().of("GET", "contact");
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    until("it was looked at", || (stage.crm.calls().of("GET", "contact") > reads).then_some(()));
    until("nothing waits", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));

    let told = stage.cli(&["explain", &format!("crm:{contact}")]);

    told.tells(&["has no counterpart", "held: creates are held back: an audit", "next: pairline creates allow --yes"]);
    stage.cli(&["creates", "allow", "--yes"]);
    runner.stop();
}

/// A cloned contact claims its original's counterpart.
#[test]
fn a_case_is_told_with_its_records_and_whether_it_is_open() {
    let stage = Stage::new();
    let runner = stage.run_on_webhooks_only(pairline());
    let original = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    let customer = there(stage.erp.snapshot()).into_keys().next().unwrap();
    let clone = json!({ "email": "ada@example.org", "firstname": "Ada", "erp_id": customer });
    let clone = stage.crm.person_creates(clone).unwrap();
    let record = format!("crm:{clone}");
    until("a case is open", || (stage.asked(&["cases", "list"])["cases"] != json!([])).then_some(()));

    let told = stage.cli(&["explain", &record]);

    told.tells(&[
        "copy: the first record names a record that is paired with the second",
        &format!("({record}, crm:{original}, erp:{customer})"),
        "next: settle it in the systems, then pairline cases close 1",
    ]);
    stage.crm.person_deletes(&clone).unwrap();
    stage.cli(&["cases", "close", "1"]);
    let told = stage.cli(&["explain", &record]);
    told.tells(&["closed: a person has decided it"]);
    assert_eq!(stage.asked(&["explain", &record])["cases"][0]["open"], false);
    runner.stop();
}

/// An edit on the side that does not own the field is taken back; its value is somebody's, and shown if it is asked for.
#[test]
fn the_values_of_a_pair_are_told_to_whoever_asks_for_them() {
    let stage = Stage::new();
    let runner = stage.run_on_webhooks_only(pairline());
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    let customer = there(stage.erp.snapshot()).into_keys().next().unwrap();
    stage.erp.person_edits(&customer, json!({ "billing_email": "bills@example.org" })).unwrap();
    stage.agrees_on(1);
    stage.crm.person_edits(&contact, json!({ "billing_email": "mine@example.org" })).unwrap();
    let record = format!("crm:{contact}");
    let explained = |args: &[&str]| stage.cli(&[&["explain", &record], args].concat());
    until("the edit is taken back", || explained(&[]).stdout.contains("violation").then_some(()));
    stage.agrees_on(1);

    let quiet = explained(&[]);
    let told = explained(&["--values"]);

    quiet.tells(&[&format!("was not kept (its value: pairline explain --values {record})")]);
    told.tells(&[
        r#"lost billing_email: "mine@example.org"; kept "bills@example.org""#,
        r#"billing_email: "mine@example.org" → "bills@example.org""#,
        r#"email: "ada@example.org""#,
        r#"crm: billing_email: "bills@example.org"; erp: billing_email: "bills@example.org""#,
    ]);
    let document = |args: &[&str]| stage.asked(&[&["explain", &record], args].concat());
    for silent in [quiet.stdout, document(&[]).to_string()] {
        assert!(!silent.contains("@example.org"), "a value is told unasked: {silent}");
    }
    let lost = document(&["--values"]);
    let lost = lost["story"].as_array().unwrap().iter().find_map(|line| line["values"]["lost"].as_object()).unwrap();
    assert_eq!(lost["billing_email"], "mine@example.org");
    runner.stop();
}

/// The write to the contact has its cause on the other side.
#[test]
fn the_events_of_both_records_of_a_pair_are_told_in_the_order_of_time() {
    let stage = Stage::new();
    let runner = stage.run_on_webhooks_only(pairline());
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    let customer = there(stage.erp.snapshot()).into_keys().next().unwrap();
    stage.erp.person_edits(&customer, json!({ "vat_id": "CZ1" })).unwrap();
    stage.agrees_on(1);

    let told = stage.cli(&["explain", &format!("crm:{contact}")]).stdout;

    let mut rest = told.as_str();
    for part in [
        &format!("event    created: crm:{contact} (key "),
        &format!("create   crm:{contact} → erp:{customer} committed; email, name"),
        &format!("event    updated: erp:{customer} (key "),
        &format!("update   erp:{customer} → crm:{contact} committed; vat_id (the owner changed it)"),
    ] {
        let at = rest.find(part.as_str()).unwrap_or_else(|| panic!("expected `{part}` after the others, found {told}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(told.matches("the record was created with the value the other side had").count(), 2, "{told}");
    runner.stop();
}

#[test]
fn of_a_record_with_very_many_events_the_newest_are_told() {
    let stage = Stage::new();
    let runner = stage.run_on_webhooks_only(pairline());
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    for edit in 0..201 {
        stage.crm.person_edits(&contact, json!({ "phone": edit.to_string() })).unwrap();
    }
    until("all of them are taken", || (stage.crm.pending_deliveries() == 0).then_some(()));

    let told = stage.cli(&["explain", &format!("crm:{contact}")]);

    told.tells(&[&format!("of crm:{contact} the newest 200 events are shown")]);
    assert_eq!(told.stdout.matches(&format!("event    updated: crm:{contact} (key ")).count(), 200, "{told:?}");
    assert!(!told.stdout.contains("event    created: crm:"), "{told:?}");
    runner.stop();
}
