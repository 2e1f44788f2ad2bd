//! Holds the stories, the ports and the page about them together: what is reached, as numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::sync::LazyLock;

use super::stories::STORIES;
use super::trouble::{Failure, Layer, Met, Plan};
use super::{LOOKS_AT_THE_CLOCK, Run, operations, run};
use crate::support::registry;
use crate::tidy::{at, read};

const PAGE: &str = "sdk/docs/steps.md";

/// Set, the page is written and not compared.
const REWRITE: &str = "STEPS_WRITE";

/// How the page is made anew.
const COMMAND: &str = "STEPS_WRITE=1 cargo test --test pairline nth::report";

/// The ports, and where their methods are.
const PORTS: [(&str, &str); 4] = [
    ("PairStore", "sdk/src/pair_store.rs"),
    ("Engine", "sdk/src/engine.rs"),
    ("Application", "sdk/src/application.rs"),
    ("Clock", "sdk/src/clock.rs"),
];

/// Methods that nothing in a flow and nothing in the runner calls, or that cannot fail.
const NOT_CALLED: [(&str, &str); 7] = [
    ("Application::profile", "cannot fail: it answers what the description says"),
    ("Engine::list", "the operator's `trash`, `status` and `explain`; after a failure the command is given again"),
    ("PairStore::cases", "the operator's `cases list` and `status`"),
    ("PairStore::close_case", "the operator's `cases close`"),
    ("PairStore::counterpart", "a `look` of which the id is all that is wanted, for nodes of other flows"),
    ("PairStore::history", "the operator's `explain` and `ids history`"),
    ("PairStore::pairs", "the operator's `ids list`"),
];

/// The one method that is failed by its calls: the poll asks the application itself, and not as a node does.
const BY_ITS_CALLS: (&str, [&str; 2]) = ("Application::changed", ["crm changed", "erp changed"]);

/// Routes that no story takes by itself.
const NOT_TAKEN: [(&str, &str); 2] = [
    (
        "persist: conflict",
        "two systems that keep their promises answer no create with a record that has another counterpart",
    ),
    (PENDING, "a failure takes it: the outcome of a create could not be written"),
];

const PENDING: &str = "resolve: pending";

static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| STORIES.iter().map(|story| run(story, None).unwrap()).collect());

/// The methods of the ports, as their traits have them.
fn methods() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for (port, file) in PORTS {
        let text = read(file);
        let (_, body) = text.split_once(&format!("pub trait {port}:")).unwrap();
        for line in body.lines().take_while(|line| *line != "}") {
            let code = line.trim_start();
            let plain = code.strip_prefix("async ").unwrap_or(code);
            let name = plain.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            methods.extend(name.map(|name| format!("{port}::{name}")));
        }
    }
    assert!(methods.len() > 30, "the traits are not where this test looks for them");
    methods
}

/// What all stories meet together.
fn met() -> Met {
    let mut sum = Met::new();
    for (operation, count) in RUNS.iter().flat_map(|run| &run.met) {
        *sum.entry(operation.clone()).or_default() += count;
    }
    sum
}

/// How often each operation is met, by its name.
fn by_name() -> BTreeMap<String, usize> {
    met().into_iter().map(|((_, name), count)| (name, count)).collect()
}

fn is_met(method: &str, met: &BTreeMap<String, usize>) -> bool {
    let names = if method == BY_ITS_CALLS.0 { &BY_ITS_CALLS.1[..] } else { &[method][..] };
    names.iter().all(|name| met.contains_key(*name))
}

/// The routes that runs have taken, as `node: route`.
fn taken<'a>(runs: impl IntoIterator<Item = &'a Run>) -> BTreeSet<String> {
    runs.into_iter().flat_map(|run| &run.routes).map(|(kind, route)| format!("{kind}: {route}")).collect()
}

fn page() -> String {
    let (met, by_name) = (met(), by_name());
    let reached = methods().iter().filter(|method| is_met(method, &by_name)).count();
    let every = |failure: Failure| if failure.layers() == [Layer::Reading] { LOOKS_AT_THE_CLOCK } else { 1 };
    let mut runs = 0;
    let mut failures = String::new();
    for failure in Failure::ALL {
        let can = operations(failure, &met);
        let played: usize = RUNS.iter().map(|run| operations(failure, &run.met).div_ceil(every(failure))).sum();
        runs += played;
        writeln!(failures, "| {} | {can} | {played} |", failure.name()).unwrap();
    }
    let mut page = format!(
        "# The so-many-th step\n\n\
         {} stories, {} operations of {} kinds, {runs} runs with one failure each.\n\
         Of {} methods of the ports, {} are called by the two flows and the runner: {reached} of them, 100 %, fail at\n\
         least once.\n\n\
         The two shipped topologies run as they are, on the real database, with two fake systems and a clock and a network\n\
         that a test decides. Each story below is played again and again: first its first operation fails, then its second,\n\
         and so on, until the story ends before it comes to that. Whatever has failed, once all is well again both sides\n\
         hold the same, nobody is there twice, each of the two carries the other's id, nothing that somebody entered is\n\
         lost, and no reservation, unknown outcome, hint or trash is left. `tests/nth/` does it.\n\n\
         With the test command, a clock is set at every eleventh look at it, and everything else fails every time. With\n\
         `PAIRLINE_STEPS_ALL=1` so does the clock:\n\n\
         ```sh\nPAIRLINE_STEPS_ALL=1 cargo test --test pairline nth::\n```\n\n\
         This page is made by that test, which also compares it. To write it anew:\n\n\
         ```sh\n{COMMAND}\n```\n\n\
         ## What fails\n\n\
         | failure | operations it can happen to | runs |\n|---|---|---|\n{failures}",
        STORIES.len(),
        met.values().sum::<usize>(),
        by_name.len(),
        methods().len(),
        methods().len() - NOT_CALLED.len(),
    );
    page += "\n## Operations\n\nHow often the stories come to each.\n\n| operation | times |\n|---|---|\n";
    for (name, times) in &by_name {
        writeln!(page, "| `{name}` | {times} |").unwrap();
    }
    page += "\n`Application::changed` is called by the poll; it fails with each of its calls, `crm changed` and `erp changed`.\n";
    page += "\nNot called by a flow or by the runner:\n\n| method | why |\n|---|---|\n";
    for (method, why) in NOT_CALLED {
        writeln!(page, "| `{method}` | {why} |").unwrap();
    }
    let (taken, all) = (taken(RUNS.iter()).len(), all_routes().len());
    writeln!(page, "\n## Routes\n\nThe stories take {taken} of the nodes' {all} routes by themselves. The others:\n")
        .unwrap();
    page += "| route | why |\n|---|---|\n";
    for (route, why) in NOT_TAKEN {
        writeln!(page, "| `{route}` | {why} |").unwrap();
    }
    page += "\n## Stories\n\n| story | operations |\n|---|---|\n";
    for (story, run) in STORIES.iter().zip(RUNS.iter()) {
        writeln!(page, "| {} | {} |", story.name, run.met.values().sum::<usize>()).unwrap();
    }
    page += "\n## What still does harm\n\nA clock that is set while the program runs is not seen by it; here that stands for one that was set between \
             two starts.\n\n| failure | story | at worst |\n|---|---|---|\n";
    for story in &STORIES {
        if let Some((failure, worst, _)) = &story.at_worst {
            writeln!(page, "| {} | {} | {worst} |", failure.name(), story.name).unwrap();
        }
    }
    page
}

/// Every route of every shipped node, as `node: route`.
fn all_routes() -> BTreeSet<String> {
    let registry = registry();
    let routes = registry.kinds().flat_map(|(_, kind)| {
        kind.routes.iter().map(|route| format!("{}: {}", kind.kind, route.name)).collect::<Vec<_>>()
    });
    routes.collect()
}

#[test]
fn every_method_that_is_called_fails_and_the_others_are_named() {
    let met = by_name();
    for method in methods() {
        let named = NOT_CALLED.iter().any(|(name, _)| *name == method);
        assert_ne!(is_met(&method, &met), named, "{method}: it is either met or named as not called");
    }
    for (name, _) in NOT_CALLED {
        assert!(methods().contains(name), "{name} is no method");
    }
}

#[test]
fn the_stories_take_every_route_and_the_others_are_named() {
    let named: BTreeSet<String> = NOT_TAKEN.iter().map(|(route, _)| (*route).to_owned()).collect();

    assert_eq!(all_routes().difference(&taken(RUNS.iter())).cloned().collect::<BTreeSet<_>>(), named);
}

#[test]
fn a_create_whose_outcome_could_not_be_written_is_pending() {
    // Its answer is lost, and nobody announces what it has made.
    let story = STORIES.iter().find(|story| story.name.starts_with("nobody knows whether the ERP")).unwrap();
    let mut runs = (1..).map(|at| run(story, Some(Plan { failure: Failure::PortRefuses, at })).unwrap());

    let not_settled = runs.find(|run| run.struck.as_deref() == Some("PairStore::settle")).unwrap();

    assert!(taken([&not_settled]).contains(PENDING));
}

#[test]
fn the_page_shows_what_is_reached() {
    let page = page();
    if std::env::var_os(REWRITE).is_some() {
        fs::write(at(PAGE), page).unwrap();
        return;
    }
    assert!(read(PAGE) == page, "{PAGE} is not as the stories are; write it anew: {COMMAND}");
}
