//! Planted bugs: each patch beside this file takes one safety step out of the code, and names the test that notices.
//!
//! To plant them all takes many builds, so that is a command of its own, `tests/planted/run`. Here only what would make
//! the command fail for another reason is looked at: that each patch still fits the code and that its test is there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use pairline_model::{SafetyStep, Standing, recipes};

use crate::tidy::{at, read, rust_files};

const FOLDER: &str = "tests/planted";

const PAGE: &str = "sdk/docs/planted-bugs.md";

/// Set, the page is written and not compared.
const REWRITE: &str = "PLANTED_WRITE";

/// How the bugs are planted and the page is made anew.
const COMMAND: &str = "sh tests/planted/run";

/// One bug: what its patch says of it, and what it changes.
struct Bug {
    name: String,
    step: String,
    without: String,
    package: String,
    caught_by: Vec<String>,
    changes: Vec<Change>,
}

/// Lines of a file, before and after.
#[derive(Default)]
struct Change {
    file: String,
    before: String,
    after: String,
}

impl Bug {
    fn read(name: &str, text: &str) -> Self {
        let (head, diff) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: expected a head and a diff"));
        let all = |field: &str| -> Vec<String> {
            let start = format!("{field}: ");
            head.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
        };
        let one = |field: &str| {
            let found = all(field);
            assert_eq!(found.len(), 1, "{name}: expected one line `{field}`");
            found[0].clone()
        };
        let (step, without, package) = (one("step"), one("without it"), one("package"));
        Self {
            name: name.to_owned(),
            step,
            without,
            package,
            caught_by: all("caught by"),
            changes: changes(name, diff),
        }
    }
}

/// The hunks of a unified diff.
fn changes(name: &str, diff: &str) -> Vec<Change> {
    let (mut file, mut changes) = ("", Vec::<Change>::new());
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = path;
        } else if line.starts_with("@@ ") {
            changes.push(Change { file: file.to_owned(), ..Change::default() });
        } else if !line.starts_with("--- ") {
            let change = changes.last_mut().unwrap_or_else(|| panic!("{name}: `{line}` is in no hunk"));
            let (kind, text) = line.split_at_checked(1).unwrap_or((" ", ""));
            for (is_there, lines) in [(kind != "+", &mut change.before), (kind != "-", &mut change.after)] {
                if is_there {
                    writeln!(lines, "{text}").unwrap();
                }
            }
        }
    }
    changes
}

fn bugs() -> Vec<Bug> {
    let mut names: Vec<String> = fs::read_dir(at(FOLDER))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".patch").map(str::to_owned))
        .collect();
    names.sort_unstable();
    names.iter().map(|name| Bug::read(name, &read(&format!("{FOLDER}/{name}.patch")))).collect()
}

/// What each step of the model does, by its name: the comment above it.
fn model_steps() -> BTreeMap<String, String> {
    let text = read("sdk/model/src/step.rs");
    let (_, list) = text.split_once("pub enum SafetyStep {\n").unwrap();
    let mut steps = BTreeMap::new();
    let mut about = "";
    for line in list.lines().take_while(|line| *line != "}").map(str::trim) {
        match line.strip_prefix("/// ") {
            Some(comment) => about = comment,
            None => drop(steps.insert(line.trim_end_matches(',').to_owned(), about.trim_end_matches('.').to_owned())),
        }
    }
    steps
}

fn page() -> String {
    let bugs = bugs();
    let mut page = format!(
        "# Planted bugs\n\n\
         {} safety steps taken out of the code one at a time, and {} out of the model: a test notices each of them.\n\n\
         A test that has never failed may be one that cannot. So each step below is taken out, and the test beside it must\n\
         fail without it and pass with it. The patches are in `tests/planted/`. This plants all of them in a copy of the\n\
         working tree, which takes a few minutes, and writes this page when every one is caught:\n\n\
         ```sh\n{COMMAND}\n```\n\n\
         With each run of the tests, `tests/planted/mod.rs` looks whether each patch still fits the code, and whether this\n\
         page says what the patches do.\n\n\
         ## In the code\n\n\
         | step | without it | caught by | patch |\n|---|---|---|---|\n",
        bugs.len(),
        SafetyStep::ALL.len(),
    );
    for bug in &bugs {
        let tests: Vec<String> = bug.caught_by.iter().map(|test| format!("`{test}`")).collect();
        writeln!(page, "| {} | {} | {} | `{}` |", bug.step, bug.without, tests.join("<br>"), bug.name).unwrap();
    }
    page += "\n## In the model\n\n\
        `sdk/model/src/recipes.rs::every_step_is_missed_when_it_is_left_out` takes each step out of the model of the create\n\
        protocol, and finds a second record, or something as bad, in the scenario beside it. *Wanted*: the nodes do not take\n\
        the step yet.\n\n\
        | step | what it does | missed in the scenario | |\n|---|---|---|---|\n";
    let about = model_steps();
    for step in SafetyStep::ALL {
        let (name, scenario) = (format!("{step:?}"), recipes::without(step).name);
        let standing = if step.standing() == Standing::Wanted { "wanted" } else { "" };
        writeln!(page, "| `{name}` | {} | {scenario} | {standing} |", about[&name]).unwrap();
    }
    page
}

#[test]
fn every_patch_fits_the_code_and_names_a_test_that_is_there() {
    let (bugs, files) = (bugs(), rust_files());
    assert!(bugs.len() >= 15, "found {} planted bugs", bugs.len());
    for Bug { name, package, caught_by, changes, .. } in &bugs {
        assert!(!changes.is_empty(), "{name} changes nothing");
        for Change { file, before, after } in changes {
            let text = files.get(file).unwrap_or_else(|| panic!("{name} changes {file}, which is not there"));
            assert_eq!(
                text.matches(before.as_str()).count(),
                1,
                "{name}: {file} does not hold these lines once:\n{before}"
            );
            assert_ne!(before, after, "{name} changes nothing in {file}");
        }
        assert!(!caught_by.is_empty(), "{name} names no test");
        for test in caught_by {
            let (file, test) = test.split_once("::").unwrap();
            let text = files.get(file).unwrap_or_else(|| panic!("{name} names {file}, which is not there"));
            assert!(text.contains(&format!("fn {test}(")), "{name} names the test {test}, which is not there");
            assert!(package.starts_with("pairline"), "{name}: expected a crate of ours, found {package}");
        }
    }
}

#[test]
fn the_page_shows_every_planted_bug() {
    let page = page();
    if std::env::var_os(REWRITE).is_some() {
        fs::write(at(PAGE), page).unwrap();
        return;
    }
    assert!(read(PAGE) == page, "{PAGE} is not as the patches are; plant the bugs again: {COMMAND}");
}
