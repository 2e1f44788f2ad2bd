//! The doctor: what it says of systems that are as described, and of systems that are not.

mod findings;
mod precondition;
mod probe;
mod remote;
mod removal;
mod subscriptions;

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bad_input::stage::{Said, Stage, copied};

/// Copies the shipped folder to `project` and changes one of its files.
fn project(stage: &Stage, file: &str, change: impl FnOnce(String) -> String) {
    let folder = stage.path("project");
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies"), &folder);
    // Whoever has examples is told by `check`; here a system is another one than everybody thinks.
    changed(stage, file, |text| change(text.split("\nexamples:\n").next().unwrap().to_owned() + "\n"));
}

/// Changes a file of `project`, or makes it; something of it must be another then.
fn changed(stage: &Stage, file: &str, change: impl FnOnce(String) -> String) {
    let path = stage.path("project").join(file);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let after = change(before.clone());
    assert_ne!(before, after, "{file} was to be changed");
    fs::write(path, after).unwrap();
}

/// Asks the doctor about `project`, or about what is shipped where there is none.
fn asked(stage: &Stage, args: &[&str]) -> (Said, Value) {
    let config: &[&str] = if stage.path("project").exists() { &["--config", "project"] } else { &[] };
    let said = stage.cli(&[&["--json"], config, &["doctor"], args].concat());
    assert!(said.code <= 1, "{said:?}");
    let told = said.json();
    assert_eq!(
        u8::from(!told["findings"].as_array().unwrap().is_empty()),
        u8::try_from(said.code).unwrap(),
        "{told:#}"
    );
    (said, told)
}

/// What was told of one application.
fn of<'a>(told: &'a Value, application: &str) -> &'a Value {
    let all = told["applications"].as_array().unwrap();
    all.iter().find(|one| one["application"] == application).unwrap_or_else(|| panic!("no {application} in {told:#}"))
}

/// What was said about something.
fn fact<'a>(examined: &'a Value, about: &str) -> &'a str {
    let facts = examined["facts"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["about"] == about);
    fact.and_then(|fact| fact["said"].as_str()).unwrap_or_else(|| panic!("nothing about {about} in {examined:#}"))
}

/// Asserts that there is this finding, in the line of a file of `project` that holds this; answers it.
fn found<'a>(stage: &Stage, told: &'a Value, code: &str, file: &str, in_line: &str) -> &'a Value {
    let all = told["findings"].as_array().unwrap();
    let finding = all.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("no {code} in {told:#}"));
    let text = fs::read_to_string(stage.path("project").join(file)).unwrap();
    let line = text.lines().position(|line| line.contains(in_line)).unwrap() + 1;
    let at = (finding["file"].as_str().unwrap(), finding["line"].as_u64().unwrap());
    assert!(at.0.ends_with(file) && at.1 == line as u64, "expected {file}:{line}, found {finding:#}");
    finding
}

fn codes(told: &Value) -> Vec<&str> {
    told["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}
