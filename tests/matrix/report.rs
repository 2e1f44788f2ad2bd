//! Holds the rows, their tests and the page about them together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use super::rows::{Proof, ROWS, Row, State};
use crate::tidy::{at, read, rust_files};

const PAGE: &str = "sdk/docs/fault-matrix.md";

/// Set, the page is written and not compared.
const REWRITE: &str = "FAULT_MATRIX_WRITE";

/// How the page is made anew.
const COMMAND: &str = "FAULT_MATRIX_WRITE=1 cargo test --test pairline matrix::report";

/// The tests of rows, as `file::name` without the file's ending, by their rows.
fn tests_of_rows() -> BTreeMap<u8, BTreeSet<String>> {
    let mut found: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in rust_files() {
        let mut attribute = "";
        for line in text.lines() {
            let code = line.trim_start();
            if code.starts_with("#[") {
                attribute = if code.contains("test]") || code.contains("::test(") { "test" } else { attribute };
                continue;
            }
            let plain = code.strip_prefix("async ").unwrap_or(code);
            let name = plain.strip_prefix("fn ").and_then(|rest| rest.split('(').next()).unwrap_or_default();
            if let Some(rest) = name.strip_prefix("fm_") {
                let number = rest.split('_').next().filter(|digits| digits.len() == 3);
                let number = number.and_then(|digits| digits.parse().ok());
                let number = number.unwrap_or_else(|| panic!("{file}: expected fm_ and three digits, found {name}"));
                assert_eq!(attribute, "test", "{file}: {name} is not a test");
                assert!(file.starts_with("tests/"), "{file}: {name} belongs into tests/");
                found.entry(number).or_default().insert(format!("{file}::{name}"));
            }
            attribute = "";
        }
    }
    found
}

fn state(row: &Row) -> &'static str {
    match row.state {
        State::Tested => "tested",
        State::Part => "part",
        State::Pending => "pending",
    }
}

fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Simulation => "simulation",
        Proof::Model => "model",
        Proof::Kill => "kill",
        Proof::Property => "property",
        Proof::Fuzz => "fuzz",
        Proof::BlackBox => "black box",
        Proof::Unit => "unit",
    }
}

fn page() -> String {
    let tests = tests_of_rows();
    let count = |state: State| ROWS.iter().filter(|row| row.state == state).count();
    let mut page = format!(
        "# Fault matrix\n\n\
         {} rows: {} tested, {} in part, {} pending.\n\n\
         A hundred ways in which two systems that are kept in step drift apart. *Tested*: what should happen does, and a\n\
         test shows it. *In part*: the test shows a part of it; below the table stands what is missing. *Pending*: it is\n\
         not built, or nothing shows it yet.\n\n\
         This page is made from `tests/matrix/rows.rs` and the names of the tests; a test compares it. To write it anew:\n\n\
         ```sh\n{COMMAND}\n```\n\n\
         | row | failure | state | proof | tests |\n|---|---|---|---|---|\n",
        ROWS.len(),
        count(State::Tested),
        count(State::Part),
        count(State::Pending),
    );
    for row in &ROWS {
        let own = tests.get(&row.number).into_iter().flatten().map(String::as_str);
        let shown: Vec<String> = own.chain(row.also.iter().copied()).map(|test| format!("`{test}`")).collect();
        let proofs: Vec<&str> = row.proof.iter().copied().map(proof).collect();
        let (number, failure, state) = (row.number, row.failure, state(row));
        writeln!(page, "| {number} | {failure} | {state} | {} | {} |", proofs.join(", "), shown.join("<br>")).unwrap();
    }
    page += "\n## What is missing\n\n| row | state | what is missing |\n|---|---|---|\n";
    for row in ROWS.iter().filter(|row| row.state != State::Tested) {
        writeln!(page, "| {} | {} | {} |", row.number, state(row), row.missing).unwrap();
    }
    page
}

#[test]
fn every_row_is_there_once_and_has_the_tests_it_says() {
    let tests = tests_of_rows();
    let files = rust_files();
    for (row, number) in ROWS.iter().zip(1..) {
        assert_eq!(row.number, number, "the rows are not in order");
        assert!(!row.failure.is_empty());
        let own = tests.get(&row.number).map_or(0, BTreeSet::len);
        let (has_test, wants_test) = (own > 0, row.state != State::Pending);
        assert_eq!(has_test, wants_test, "row {number} is {} and has {own} tests called fm_{number:03}_", state(row));
        assert_eq!(row.proof.is_empty(), !wants_test, "row {number} is {}: how is it shown?", state(row));
        let lacks_something = row.state != State::Tested;
        assert_eq!(row.missing.is_empty(), !lacks_something, "row {number} is {}: what is missing?", state(row));
        for test in row.also {
            let (file, name) = test.split_once("::").unwrap();
            let text = files.get(file).unwrap_or_else(|| panic!("row {number} names {file}, which is not there"));
            let is_there = text.contains(&format!("fn {name}(")) || text.contains(&format!("{name},"));
            assert!(is_there, "row {number} names the test {test}, which is not there");
        }
    }
    let unknown: Vec<u8> = tests.into_keys().filter(|number| !(1..=100).contains(number)).collect();
    assert!(unknown.is_empty(), "there are tests of the rows {unknown:?}, which are not there");
}

#[test]
fn the_page_shows_the_rows_as_they_are() {
    let page = page();
    if std::env::var_os(REWRITE).is_some() {
        fs::write(at(PAGE), page).unwrap();
        return;
    }
    assert!(read(PAGE) == page, "{PAGE} is not as the rows are; write it anew: {COMMAND}");
}
