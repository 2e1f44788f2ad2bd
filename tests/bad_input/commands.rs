//! The command line, as somebody types it while a runner works on the same data.

use std::time::Duration;

use serde_json::{Value, json};

use super::runner::STOPS_WITHIN;
use super::stage::{Stage, pairline, there};
use super::wait::{until, within};

#[test]
fn a_mistyped_command_is_answered_with_the_one_that_was_meant() {
    let stage = Stage::new();

    for (args, parts) in [
        (vec!["statu"], ["unrecognized subcommand 'statu'", "'status'"]),
        (vec!["trsh", "list"], ["unrecognized subcommand 'trsh'", "'trash'"]),
        (vec!["ids", "lits"], ["unrecognized subcommand 'lits'", "'list'"]),
        (vec!["check", "--cofnig", "x"], ["unexpected argument '--cofnig'", "'--config'"]),
        (vec!["run", "--port", "many"], ["invalid value 'many'", "--port"]),
        (vec!["run", "--port", "70000"], ["invalid value '70000'", "--port"]),
        (vec!["run", "--kill-at", "craete-sent:1"], ["no moment `craete-sent`", "create-sent, create-answered"]),
        (vec!["run", "--kill-at", "create-sent"], ["expected a moment and a count", "`create-sent:1`"]),
        (vec!["chaos", "--dup", "120"], ["invalid value '120'", "expected a percentage from 0 to 100"]),
        (vec!["chaos", "--drop", "-5"], ["invalid value '-5'", "expected a percentage from 0 to 100"]),
        (vec!["chaos", "--size", "5001"], ["invalid value '5001'", "2..=5000"]),
        (vec!["graph", "--format", "png"], ["invalid value 'png'", "mermaid"]),
        (vec!["graph", "crm-to-epr"], ["no topology `crm-to-epr`", "crm-to-erp"]),
        (vec!["explain", "nonsense"], ["expected a record such as `crm:101`", "`nonsense`"]),
        (vec!["ids", "get", "crm:"], ["expected a record such as `crm:101`", "`crm:`"]),
        (vec!["trash", "approve", "some"], ["expected a number or `all`", "'some'"]),
        (vec!["pause", "--application", "wms"], ["no application `wms`", "crm, erp"]),
        (vec!["ids", "get"], ["required", "<RECORD>"]),
        (vec![], ["Usage: pairline", "Commands:"]),
    ] {
        let said = stage.cli(&args);
        said.fails_with(64, &parts);
        assert_eq!(said.stdout, "", "{args:?}");
    }
    let help = stage.cli(&["--help"]);
    assert!(help.code == 0 && help.stdout.contains("Usage: pairline") && help.stderr.is_empty(), "{help:?}");
}

/// A mistyped name must not look like tests that passed.
#[test]
fn a_test_that_there_is_not_has_not_passed() {
    let stage = Stage::new();
    let all = stage.asked(&["test"]);
    let tests = all["passed"].as_u64().unwrap();
    assert!(tests > 10, "{all:#}");

    for json in [&["--json"][..], &[]] {
        let said = stage.cli(&[json, &["test", "--filter", "emptide"]].concat());

        said.fails_with(64, &["no test has `emptide` in its name", &format!("there are {tests} tests")]);
        assert_eq!(said.stdout, "");
    }
}

/// As the commands show it, so that a line of the log is found beside one of a record's story.
#[test]
fn the_log_tells_the_time_in_milliseconds() {
    let stage = Stage::new();
    let runner = stage.run(&[]);

    let line: Value = serde_json::from_str(runner.log().lines().next().unwrap()).unwrap();

    let at = line["timestamp"].as_str().unwrap();
    assert_eq!(at.len(), "2026-03-02T01:12:40.120Z".len(), "{at}");
    runner.stop();
}

/// A test that kills nothing must not look like one that did.
#[test]
fn a_mistyped_moment_in_the_environment_starts_nothing() {
    let stage = Stage::new();

    for text in ["create-sent", "create-sent:0", "create_sent:1"] {
        stage.set("PAIRLINE_KILL_AT", text);
        stage.cli(&["run"]).fails_with(64, &["--kill-at", "create-sent"]);
    }
}

#[test]
fn a_value_of_the_environment_is_blamed_on_its_variable() {
    let stage = Stage::new();
    for (variable, value, args) in [
        ("PORT", "abc", vec!["run"]),
        ("PORT", "abc", vec!["dev"]),
        ("PAIRLINE_WORKERS", "many", vec!["run"]),
        ("PAIRLINE_COLOR", "blue", vec!["check"]),
    ] {
        let before = if variable == "PORT" { stage.port.to_string() } else { String::new() };
        stage.set(variable, value);
        stage.cli(&args).fails_with(64, &[&format!("invalid value '{value}' for '{variable} (a variable of the")]);
        stage.set(variable, before);
    }
    // Who types the same is told of what was typed.
    stage.set("PORT", "abc");
    let said = stage.cli(&["run", "--port", "abc"]);
    said.fails_with(64, &["invalid value 'abc' for '--port"]);
    assert!(!said.stderr.contains("PORT (a variable"), "{said:?}");
}

#[test]
fn a_failure_with_json_is_json_on_stderr_and_nothing_on_stdout() {
    let stage = Stage::new();

    for (args, code) in [(vec!["--json", "explain", "nonsense"], 64), (vec!["--json", "status"], 65)] {
        let said = stage.cli(&args);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{said:?}");
        let error: Value = serde_json::from_str(&said.stderr).unwrap();
        assert_eq!(error["exit_code"], code);
        assert!(error["error"].is_string());
    }
}

#[test]
fn a_log_filter_that_is_none_is_told_and_does_not_stop_anything() {
    let stage = Stage::new();
    for (filter, found) in [
        ("pairline=loud", "found `pairline=loud`"),
        ("bogus", "found `bogus`: `bogus` is no level; `info` is used"),
        ("info,pairline_runner", "`pairline_runner` is no level"),
    ] {
        stage.set("PAIRLINE_LOG", filter);

        let said = stage.cli(&["check"]);

        said.fails_with(0, &["warning: expected PAIRLINE_LOG to be off, error, warn, info, debug, trace", found]);
    }
}

/// Every command beside a runner at work: each leaves stdout to its result.
#[test]
fn every_command_works_beside_a_runner_and_its_json_is_one_document() {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "500"]);
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    let record = format!("crm:{contact}");
    let customer = there(stage.erp.snapshot()).into_keys().next().unwrap();
    let broken = stage.erp_webhook(br#"{"event_id":"e1","type":"customer.vanished","customer_id":"WHS-000001"}"#);
    assert_eq!(broken.status, 202, "{broken:?}");

    // The command, its exit code, what is in its text, and where something is in its document.
    let table: [(&[&str], i32, &str, &str); 22] = [
        (&["status"], 1, "trash      1", "/pairs/active"),
        (&["ids", "list"], 0, "⇄", "/pairs/0/records/1"),
        (&["ids", "list", "--limit", "1"], 0, "more: pairline ids list --after", "/pairs/0/created_at"),
        (&["ids", "get", &record], 0, &customer, "/inverse_written/crm"),
        (&["ids", "history", &record], 0, "inverse id in `erp_id`", "/operations/0/request/method"),
        (&["explain", &record], 0, "owned by crm", "/story/0/at"),
        (&["explain", "crm:999"], 1, "nothing is known of crm:999", "/record"),
        (&["explain", "cmr:101"], 1, "did you mean `crm`?", "/record"),
        (&["trash", "list"], 1, "next: pairline trash show", "/trash/0/reason"),
        (&["trash", "show", "1"], 0, "customer.vanished", "/body"),
        (&["pause"], 0, "next: pairline resume", "/paused/0"),
        (&["resume"], 0, "next: pairline status", "/resumed/0"),
        (&["creates", "hold", "--reason", "a test"], 0, "next: pairline creates allow --yes", "/reason"),
        (&["creates", "allow", "--yes"], 0, "next: pairline status", "/creates"),
        (&["graph"], 0, "crm-to-erp", "/topologies/1"),
        (&["graph", "erp-to-crm", "--format", "text"], 0, "echo-filter", "/topologies/0"),
        (&["graph", "--format", "mermaid"], 0, "flowchart", "/topologies/0"),
        (&["graph", "--format", "dot"], 0, "digraph", "/topologies/0"),
        (&["check"], 0, "0 errors, 0 warnings", "/errors"),
        (&["test", "--filter", "emptied"], 0, "1 passed, 0 failed", "/passed"),
        (&["version"], 0, "pairline ", "/version"),
        (&["trash", "reject", "1"], 0, "1 rejected", ""),
    ];
    for (args, code, text, pointer) in table {
        if !pointer.is_empty() {
            let said = stage.cli(&[&["--json"], args].concat());
            assert!(said.code == code && said.stderr.is_empty(), "{args:?}: {said:?}");
            let document = said.json();
            assert!(
                document.pointer(pointer).is_some_and(|found| !found.is_null()),
                "{args:?}: no {pointer} in {document:#}"
            );
        }
        let said = stage.cli(args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        assert!(said.stdout.contains(text), "{args:?}: expected `{text}`, found {said:?}");
        assert!(said.stderr.is_empty(), "{args:?}: {said:?}");
    }
    for (args, parts) in [
        (["ids", "get", "crm:999"], ["crm:999 has no counterpart", ""]),
        (["ids", "get", "epr:1"], ["no application `epr`", "did you mean `erp`?"]),
        (["trash", "show", "7"], ["nothing in the trash has the number 7", ""]),
        (["trash", "approve", "7"], ["nothing in the trash has the number 7", ""]),
        (["trash", "reject", "1"], ["trash 1 was rejected before", ""]),
    ] {
        stage.cli(&args).fails_with(1, &parts);
    }
    // The runner never noticed.
    stage.crm.person_edits(&contact, json!({ "email": "ada@example.com" })).unwrap();
    stage.agrees_on(1);
    runner.stop();
}

#[test]
fn fm_100_a_pause_takes_deliveries_and_writes_nothing_and_a_resume_writes_only_the_newest_state() {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "500"]);
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    let edit = |email: &str| {
        stage.crm.person_edits(&contact, json!({ "email": email })).unwrap();
        until("the edit is acknowledged", || (stage.crm.pending_deliveries() == 0).then_some(()));
    };

    assert_eq!(stage.cli(&["pause", "--application", "crm", "--reason", "an audit"]).code, 0);
    // The runner looks a few times a second whether it is to pause. Once a record waits for as long as no poll and no
    // settling explains, it has looked; until then an edit may still get through.
    let mut edits = 0;
    until("the pause is noticed", || {
        edits += 1;
        edit(&format!("ada-{edits}@example.org"));
        within(Duration::from_millis(700), || stage.agreement()).err()
    });
    let (writes, acknowledged) = (stage.writes(), stage.crm.deliveries().acknowledged);
    for edit_again in 0..20 {
        edit(&format!("ada-again-{edit_again}@example.org"));
    }

    assert_eq!(stage.writes(), writes, "something was written while paused");
    assert_eq!(stage.crm.deliveries().acknowledged, acknowledged + 20);
    assert_eq!(stage.crm.deliveries().failed_attempts, 0);
    let status = stage.cli(&["status"]);
    assert!(status.stdout.contains("paused     crm: an audit"), "{status:?}");
    // It survives a restart.
    runner.stop();
    let runner = stage.run(&["--poll-ms", "500"]);
    edit("ada-newest@example.org");
    assert_eq!(stage.writes(), writes, "something was written while paused");

    assert_eq!(stage.cli(&["resume"]).code, 0);
    stage.agrees_on(1);
    let customer = there(stage.erp.snapshot()).into_values().next().unwrap();
    assert_eq!(customer["email"], "ada-newest@example.org");
    // A call is counted once it is answered, a moment after its record has changed.
    until("the write is counted", || (stage.writes() > writes).then_some(()));
    assert_eq!(stage.writes(), writes + 1, "only the newest state is written");
    runner.stop();
}

#[test]
fn the_demo_can_be_watched_by_a_program() {
    let stage = Stage::new();
    let folder = stage.path("demo").display().to_string();
    let mut dev = stage.launch(pairline(), &["--json", "dev", "--db", &folder]);
    dev.comes_to_say("the demo shows a picture", |log| log.lines().count() >= 2);

    let (code, took) = dev.terminate();

    assert!(code == Some(0) && took < STOPS_WITHIN, "{code:?} after {took:?}");
    let log = dev.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["address"], format!("127.0.0.1:{}", stage.port));
    assert_eq!(lines[1]["pairs"], 0);
}

#[test]
fn the_demo_keeps_its_database_where_it_is_told_and_nowhere_near_real_records() {
    let stage = Stage::new();
    let folder = stage.path("demo").display().to_string();
    let mut dev = stage.launch(pairline(), &["--data-dir", &folder, "dev", "--json"]);
    dev.comes_to_say("the demo shows a picture", |log| log.lines().count() >= 2);
    let shown = stage.cli(&["--data-dir", &folder, "status"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert_eq!(dev.terminate().0, Some(0));
    assert!(stage.path("demo").join("pairline.db").is_file(), "the database was not kept");
    // DATA_DIR is the runner's.
    assert!(!stage.path("data").exists());
    let elsewhere = stage.path("elsewhere").display().to_string();
    let both = stage.cli(&["dev", "--data-dir", &folder, "--db", &elsewhere]);
    both.fails_with(64, &["expected one folder", "--data-dir", "--db"]);

    let runner = stage.run(&[]);
    stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    stage.agrees_on(1);
    runner.stop();
    let data = stage.path("data").display().to_string();
    stage.cli(&["dev", "--data-dir", &data]).fails_with(64, &["knows records", "choose another folder"]);
    assert_eq!(stage.asked(&["ids", "list"])["pairs"].as_array().unwrap().len(), 1);
}

/// A cloned contact claims its original's counterpart. Nobody but a person can say which of the two is meant.
#[test]
fn a_case_is_listed_closed_and_opened_again_while_its_cause_is_there() {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "200"]);
    stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.agrees_on(1);
    let customer = there(stage.erp.snapshot()).into_keys().next().unwrap();
    let clone = json!({ "email": "ada@example.org", "firstname": "Ada", "erp_id": customer });
    let clone = stage.crm.person_creates(clone).unwrap();
    let case = || stage.asked(&["cases", "list"])["cases"][0].clone();
    let opened = until("a case is open", || (!case().is_null()).then(case));
    assert_eq!(opened["kind"], "copy", "{opened:#}");
    let number = opened["id"].to_string();
    stage.cli(&["cases", "list"]).fails_with(1, &[]);

    let closed = stage.cli(&["cases", "close", &number]);

    assert!(closed.code == 0 && closed.stdout.contains("looked at again"), "{closed:?}");
    let again = until("it is asked again", || (!case().is_null()).then(case));
    assert_ne!(again["id"], opened["id"]);

    stage.crm.person_deletes(&clone).unwrap();
    assert_eq!(stage.cli(&["cases", "close", &again["id"].to_string()]).code, 0);
    until("nothing needs a person", || (stage.cli(&["status"]).code == 0).then_some(()));
    stage.cli(&["cases", "close", &number]).fails_with(1, &["no case"]);
    runner.stop();
}
