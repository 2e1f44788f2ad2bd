//! Topologies that use components by their files.

use pairline_runner::project::{Project, Sources};
use pairline_runner::story::{self, TestFormat};
use pairline_runner::topology::GraphFormat;

use super::{ALL, folder, host};
use crate::support::registry;

/// Loads components as the program does.
struct Loading;

impl pairline_runner::composition::Components for Loading {
    fn load(&self, file: &std::path::Path) -> Result<std::sync::Arc<dyn pairline_sdk::NodeKind>, String> {
        Ok(std::sync::Arc::new(host().load(file)?))
    }

    fn inspect(&self, _: &std::path::Path) -> Result<pairline_runner::composition::ComponentReport, String> {
        Err("nobody inspects here".to_owned())
    }

    fn wrap(&self, module: &[u8]) -> Result<Vec<u8>, String> {
        pairline_wasm::wrap(module)
    }

    fn contract(&self) -> &'static str {
        pairline_wasm::WIT
    }

    fn counts(&self) -> Vec<pairline_runner::composition::ComponentCounts> {
        Vec::new()
    }
}

fn names(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|kind| (*kind).to_owned()).collect()
}

fn project(folder: &std::path::Path) -> Project {
    Project::load_with(&Sources::read(folder).unwrap(), &registry(), Some(&Loading))
}

fn found(project: &Project) -> Vec<String> {
    project.findings.iter().map(|finding| finding.render(false)).collect()
}

#[tokio::test]
async fn every_story_holds_with_each_of_our_nodes_as_a_component_and_with_all_of_them() {
    for kinds in ALL.chunks(1).chain([&ALL[..]]) {
        let folder = folder(&names(kinds));
        let project = project(folder.path());
        assert!(found(&project).is_empty(), "{:?}", found(&project));

        let report = story::test(&project, &project.registry, "").await;

        assert_eq!(report.exit_code(), 0, "{kinds:?}: {}", report.render(TestFormat::Text, false));
        assert!(report.passed() >= 20, "expected the shipped stories, found {}", report.passed());
    }
}

#[test]
fn a_component_is_drawn_with_its_routes_like_any_node() {
    let folder = folder(&names(&["resolve"]));
    let (project, native) = (project(folder.path()), Project::load(&Sources::built_in(), &registry()));
    let drawn = |project: &Project| pairline_runner::check::graph(project, None, GraphFormat::Text).unwrap();

    assert_eq!(drawn(&project), drawn(&native));
}

/// The findings of a project with something changed in its topologies.
fn with(from: &str, to: &str) -> String {
    let folder = folder(&names(&["resolve"]));
    let file = folder.path().join("crm-to-erp.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "no `{from}`");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    found(&project(folder.path())).join("\n")
}

#[test]
fn what_is_wrong_with_a_use_of_a_component_is_told_at_its_place() {
    let grants = "    grants: { pairs: write, applications: [crm, erp] }\n";
    for (from, to, parts) in [
        (grants, "", ["PL0222", "add `pairs: write` to `grants`"].as_slice()),
        (grants, "    grants: { pairs: read, applications: [crm, erp] }\n", &["PL0222", "pairs: write"]),
        ("applications: [crm, erp] }", "applications: [crm, epr] }", &["PL0206", "`epr`", "did you mean `erp`"]),
        (
            "applications: [crm, erp] }",
            "applications: [crm, erp], http: [api.example.org] }",
            &["PL0223", "`api.example.org`"],
        ),
        ("applications: [crm, erp] }", "applications: [crm, erp], secrets: [KEY] }", &["PL0223", "never asks for"]),
        ("applications: [crm, erp] }", "applications: [crm, erp], files: all }", &["PL0104", "`files`"]),
        ("limits: { timeout: 60s }", "limits: { timeout: 60 }", &["PL0106"]),
        ("limits: { timeout: 60s }", "limits: { timeout: 1ms }", &["PL0224", "10 ms"]),
        ("limits: { timeout: 60s }", "limits: { memory: 64GiB }", &["PL0224", "1024 MiB"]),
        ("limits: { timeout: 60s }", "limits: { calls: 0 }", &["PL0224", "`calls: 0`"]),
        ("missing: create }", "mising: create }", &["PL0209", "`mising`", "`missing`"]),
        (
            "with: { source: crm, target: erp }\n    next: { found",
            "with: { sorce: crm }\n    next: { found",
            &["PL0202", "PL0204"],
        ),
        ("./plugins/resolve.wasm", "./plugins/resolv.wasm", &["PL0221", "cannot be read"]),
        ("./plugins/resolve.wasm", "./../resolve.wasm", &["PL0221", "leaves the folder"]),
        ("./plugins/resolve.wasm", "/etc/resolve.wasm", &["PL0221", "leaves the folder"]),
        ("    uses: fetch\n", "    uses: fetch\n    grants: { pairs: read }\n", &["PL0223", "is part of the program"]),
        ("    uses: fetch\n", "    uses: fetch\n    limits: { timeout: 1s }\n", &["PL0224", "is part of the program"]),
    ] {
        let found = with(from, to);
        for part in parts {
            assert!(found.contains(part), "{to}: no `{part}` in\n{found}");
        }
        assert!(found.contains("crm-to-erp.yaml:"), "{found}");
    }
}

#[test]
fn a_program_without_an_engine_says_so() {
    let folder = folder(&names(&["resolve"]));

    let project = Project::load(&Sources::read(folder.path()).unwrap(), &registry());

    assert!(found(&project).join("\n").contains("built without an engine for components"), "{:?}", found(&project));
}
