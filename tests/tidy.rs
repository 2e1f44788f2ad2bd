//! What must stay true of the repository itself: who imports whom, what files are called, and that the documentation
//! speaks of what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pairline_runner::project::{Project, Sources};
use pairline_sdk::{NodeDescription, PlatformKind, Registry, RouteDefault, SettingKind};

use crate::support::registry;

/// Where a reader looks something up.
const DOCS: [&str; 14] = [
    "README.md",
    "sdk/docs/architecture.md",
    "sdk/docs/components.md",
    "sdk/docs/components/c.md",
    "sdk/docs/components/js.md",
    "sdk/docs/components/python.md",
    "sdk/docs/components/rust.md",
    "sdk/docs/components/ts.md",
    "sdk/docs/fuzzing.md",
    "sdk/docs/guarantees.md",
    "sdk/docs/kills.md",
    "sdk/docs/simulation.md",
    "sdk/docs/writing-a-node.md",
    "sdk/docs/yaml.md",
];

/// The crates, and those of ours that each may import. A new edge is a change of design: see the architecture page.
const PICTURE: [(&str, &[&str]); 9] = [
    (".", &["pairline-sdk", "pairline-nodes", "pairline-store", "pairline-runner", "pairline-wasm", "pairline-fakes"]),
    ("sdk", &[]),
    ("nodes", &["pairline-sdk"]),
    ("sdk/store", &["pairline-sdk"]),
    ("sdk/runner", &["pairline-sdk"]),
    ("sdk/wasm", &["pairline-sdk"]),
    ("sdk/guest", &["pairline-sdk"]),
    ("sdk/fakes", &[]),
    ("sdk/model", &[]),
];

/// What gives a crate a database, a network or a runtime.
const DOES_IO: [&str; 8] = ["axum", "hyper", "reqwest", "rusqlite", "sqlx", "tokio", "tokio-util", "wasmtime"];

pub(crate) fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Every Rust file, by its path from the root.
pub(crate) fn rust_files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = ["src", "nodes", "sdk", "tests"].map(at).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(at("")).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 50, "the repository is not where this test looks for it");
    found
}

/// The names below a section of a manifest, `[target.'...'.dependencies]` included.
fn dependencies(folder: &str, section: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in read(&format!("{folder}/Cargo.toml")).lines() {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header.rsplit('.').next() == Some(section) && !header.starts_with("workspace");
        } else if inside && !line.starts_with('#') && line.contains('=') {
            let name = line.split(['=', '.']).next().unwrap_or_default();
            names.insert(name.trim().to_owned());
        }
    }
    names
}

fn ours(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(String::as_str).filter(|name| name.starts_with("pairline")).collect()
}

fn docs() -> String {
    DOCS.map(read).join("\n")
}

/// What `pairline <arguments> --help` says.
fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pairline"));
    let output = command.args(arguments).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "`pairline {} --help` fails", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// The commands a help text lists.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The words of a text that begin with `start`, up to the first character that no name has.
fn names_after<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let parts = text.split(start).skip(1);
    parts.map(|part| part.split(|c| !plain(c)).next().unwrap_or_default()).filter(|name| !name.is_empty()).collect()
}

/// The first fenced block of a language that contains this.
fn block(text: &str, language: &str, with: &str) -> String {
    let fence = format!("```{language}\n");
    let mut blocks = text.split(&fence).skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block);
    let found = blocks.find(|block| block.contains(with));
    found.unwrap_or_else(|| panic!("no {language} block with `{with}`")).to_owned()
}

#[test]
fn the_crates_import_each_other_as_the_picture_shows() {
    for (folder, allowed) in PICTURE {
        let found = dependencies(folder, "dependencies");
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(ours(&found), allowed, "the crate in `{folder}` imports other crates of ours than the picture");
    }
    let members = read("Cargo.toml");
    let members = members.lines().find(|line| line.starts_with("members")).unwrap();
    let members: BTreeSet<&str> = members.split('"').skip(1).step_by(2).collect();
    let pictured: BTreeSet<&str> = PICTURE.iter().map(|(folder, _)| *folder).filter(|folder| *folder != ".").collect();
    assert_eq!(members, pictured, "the picture does not show every crate");
}

#[test]
fn tests_of_a_crate_import_no_more_of_ours_than_the_contract_and_the_fakes() {
    for (folder, _) in PICTURE.iter().filter(|(folder, _)| *folder != ".") {
        let found = dependencies(folder, "dev-dependencies");
        // Its examples are our own nodes as components.
        let its_own = (*folder == "sdk/guest").then_some("pairline-nodes");
        let allowed = ["pairline-sdk", "pairline-fakes"].into_iter().chain(its_own).collect::<Vec<_>>();
        let other: Vec<&str> = ours(&found).into_iter().filter(|name| !allowed.contains(name)).collect();
        assert!(other.is_empty(), "the tests of `{folder}` import {other:?}");
    }
}

#[test]
fn the_contract_and_the_nodes_cannot_do_any_io() {
    for folder in ["sdk", "nodes"] {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let found = dependencies(folder, section);
            let io: Vec<&str> = DOES_IO.into_iter().filter(|name| found.contains(*name)).collect();
            assert!(io.is_empty(), "`{folder}` may not depend on {io:?}");
        }
    }
}

#[test]
fn what_a_system_looks_like_is_yaml_and_no_code_names_one() {
    let particular = ["customers", "hubspot"];
    for (file, text) in rust_files() {
        let is_test = ["tests/", "benches/", "sdk/src/testing/"].iter().any(|part| file.contains(part));
        if file.starts_with("sdk/fakes/") || is_test {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_lowercase();
        for word in particular {
            let line = code.lines().position(|line| line.contains(word)).map(|line| line + 1);
            assert_eq!(line, None, "{file} names `{word}`: expected it in a file under topologies/");
        }
    }
}

#[test]
fn one_node_is_one_file_with_the_name_of_its_kind() {
    let registry = registry();
    let kinds: BTreeSet<String> = registry.kinds().map(|(name, _)| name.to_owned()).collect();

    let mut files = BTreeSet::new();
    for (file, text) in rust_files() {
        let Some(name) = file.strip_prefix("nodes/src/").and_then(|name| name.strip_suffix(".rs")) else { continue };
        let described = text.matches("NodeDescription::new(").count();
        let registered = text.matches("registry.register(").count();
        if described + registered == 0 {
            continue;
        }
        assert_eq!((described, registered), (1, 1), "{file}: expected one node in one file");
        assert!(
            text.contains(&format!("\"{}\"", name.replace('_', "-"))),
            "{file} describes another kind than its name"
        );
        files.insert(name.replace('_', "-"));
    }

    assert_eq!(files, kinds);
}

#[test]
fn the_documentation_names_every_node_with_its_settings_and_routes() {
    let docs = docs();
    for (_, kind) in registry().kinds() {
        let settings = kind.settings.iter().map(|setting| setting.name.as_str());
        let routes = kind.routes.iter().map(|route| route.name.as_str());
        for name in settings.chain(routes).chain([kind.kind.as_str()]) {
            assert!(docs.contains(&format!("`{name}`")), "the documentation does not name `{name}` of `{}`", kind.kind);
        }
    }
}

#[test]
fn the_documentation_names_every_command_option_and_variable() {
    let docs = docs();
    let mut seen = String::new();
    let mut ways: Vec<Vec<String>> = vec![vec![]];
    while let Some(way) = ways.pop() {
        let arguments: Vec<&str> = way.iter().map(String::as_str).collect();
        let help = help(&arguments);
        let deeper = commands(&help);
        if deeper.is_empty() {
            let command = format!("`pairline {}", way.join(" "));
            assert!(docs.contains(&command), "the documentation does not name {command}`");
        }
        ways.extend(deeper.into_iter().map(|command| way.iter().cloned().chain([command]).collect()));
        seen.push_str(&help);
    }
    let descriptions: String = Sources::built_in().applications.iter().map(|source| source.text.to_string()).collect();

    for option in names_after(&seen, "  --").into_iter().chain(names_after(&seen, ", --")) {
        assert!(
            option == "help" || docs.contains(&format!("--{option}")),
            "the documentation does not name --{option}"
        );
    }
    // A help text is wrapped to the width of the terminal, in the middle of `[env: NAME]` too.
    let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    for variable in names_after(&seen, "[env: ").into_iter().chain(names_after(&descriptions, "${")) {
        let documented = docs.contains(&format!("`{variable}`")) || variable == "NAME";
        assert!(documented, "the documentation does not name the variable {variable}");
    }
}

/// Whether every test that a page names is there. Answers how many it names.
fn tests_named_by(page: &str) -> usize {
    let files = rust_files();
    let named = page.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once(".rs::"));
    named
        .map(|(file, test)| {
            let text = files
                .get(&format!("{file}.rs"))
                .unwrap_or_else(|| panic!("the page names {file}.rs, which is not there"));
            let is_there = text.contains(&format!("fn {test}(")) || text.contains(&format!("{test},"));
            assert!(is_there, "the page names the test {file}.rs::{test}, which is not there");
        })
        .count()
}

/// The parts of a page's chapter, each with its title in the first line.
fn parts<'a>(page: &'a str, chapter: &str) -> Vec<&'a str> {
    let chapter = page.split("\n## ").find(|part| part.starts_with(chapter)).unwrap();
    chapter.split("\n### ").skip(1).collect()
}

#[test]
fn every_rule_of_the_architecture_names_a_test_that_is_there() {
    let page = read("sdk/docs/architecture.md");

    let named = tests_named_by(&page);
    assert!(named >= 15, "the page names {named} tests");

    let rules = parts(&page, "What always holds");
    assert_eq!(rules.len(), 15, "expected the fifteen rules below `What always holds`");
    for rule in rules {
        let title = rule.lines().next().unwrap_or_default();
        assert!(rule.contains(".rs::"), "`{title}` names no test");
    }
}

#[test]
fn every_guarantee_names_its_assumption_and_tests_that_are_there() {
    let page = read("sdk/docs/guarantees.md");

    let named = tests_named_by(&page);
    assert!(named >= 20, "the page names {named} tests");

    let guarantees = parts(&page, "What is promised");
    assert_eq!(guarantees.len(), 11, "expected the guarantees below `What is promised`");
    for guarantee in guarantees {
        let title = guarantee.lines().next().unwrap_or_default();
        assert!(guarantee.contains("\n- *Rests on:* "), "`{title}` does not say what it rests on");
        let (_, shown) = guarantee.split_once("\n- *Shown by:* ").unwrap_or_else(|| panic!("`{title}` is not shown"));
        assert!(shown.contains(".rs::"), "`{title}` names no test");
    }
}

#[test]
fn the_readme_shows_a_node_and_a_topology_as_they_are() {
    let readme = read("README.md");

    let node = block(&readme, "rust", "impl ProcessAction for");
    let file = read("nodes/src/fetch.rs");
    assert_eq!(node.trim(), file.split("#[cfg(test)]").next().unwrap().trim());

    let topology = block(&readme, "yaml", "topology: ");
    assert_eq!(topology.trim(), read("topologies/crm-to-erp.yaml").trim());
}

#[test]
fn the_checks_of_a_change_end_with_the_test_command_of_the_readme() {
    let readme = read("README.md");
    let checks = read(".ci/run");
    let last = checks.lines().rfind(|line| !line.trim().is_empty()).unwrap();

    assert!(block(&readme, "sh", "tests/run").lines().any(|line| line == "sh tests/run"));
    assert!(last.contains("sh tests/run"), "expected `sh tests/run` at the end of .ci/run, found `{last}`");
    assert!(at("tests/run").is_file());
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    for page in DOCS.into_iter().chain(["CHANGELOG.md"]) {
        let folder = at(page).parent().unwrap().to_owned();
        for target in
            read(page).split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned())
        {
            let path = target.split('#').next().unwrap_or_default();
            let is_ours = !path.is_empty() && !path.contains("://");
            assert!(!is_ours || folder.join(path).exists(), "{page} leads to {target}, which is not there");
        }
    }
}

#[test]
fn the_guide_changes_the_program_as_it_is() {
    let guide = read("sdk/docs/writing-a-node.md");

    for line in block(&guide, "diff", "mod embedded;").lines() {
        let Some(context) = line.strip_prefix(' ') else { continue };
        assert!(read("src/main.rs").lines().any(|own| own == context), "src/main.rs has no line `{context}`");
    }
    for name in dependencies(".", "dependencies") {
        assert!(guide.contains(&format!("\n{name} = ")), "the guide's manifest lacks `{name}`");
    }
}

#[test]
fn the_topology_of_the_guide_is_sound() {
    let guide = read("sdk/docs/writing-a-node.md");
    let (mut sources, shipped) = (Sources::default(), Sources::built_in());
    let old = block(&guide, "yaml", "missing: create }");
    let new = block(&guide, "yaml", "uses: require-field");
    for source in shipped.topologies.iter().chain(&shipped.contracts).chain(&shipped.applications) {
        let name = source.file.strip_prefix("topologies/").unwrap_or(&source.file);
        let text = source.text.to_string();
        let text = if name == "crm-to-erp.yaml" {
            assert!(text.contains(&old), "topologies/{name} does not hold the lines that the guide replaces");
            text.replace(&old, &new)
        } else {
            text
        };
        sources.add(name, name, &text);
    }
    let mut registry: Registry = registry();
    let about = NodeDescription::new("require-field", "", PlatformKind::Custom)
        .route("present", "")
        .route_or("absent", "", RouteDefault::End)
        .setting("field", "", SettingKind::Field);
    registry.register(about, |_, _| Err("only described".to_owned()));

    let project = Project::load(&sources, &registry);

    assert!(project.findings.is_empty(), "{:?}", project.findings);
    assert_eq!(project.topologies.len(), 2);
}

#[test]
fn every_file_of_the_tests_is_a_module_that_runs() {
    let listed = read("tests/main.rs");
    for entry in fs::read_dir(at("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        let runs = name == "main" || listed.lines().any(|line| line == format!("mod {name};"));
        assert!(!is_module || runs, "tests/main.rs does not list `{name}`");
    }
}
