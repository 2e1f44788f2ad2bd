//! Broken texts are files in `broken/`, beside the findings they must give: all of them, and no other.
//!
//! A `*.yaml` is a topology (or a sync contract, when its name begins with `contract-`); a folder is a whole project.
//! With `UPDATE_EXPECTED=1` in the environment the findings are written instead of compared.

use std::path::{Path, PathBuf};

use pairline_runner::check::{CheckFormat, check};
use pairline_runner::project::{Project, Sources};

use crate::kinds;

#[test]
fn every_broken_text_gives_exactly_the_findings_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    assert!(cases.len() > 25, "{cases:?}");

    let different: Vec<String> = cases.iter().filter_map(|case| compare(case)).collect();

    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn compare(case: &Path) -> Option<String> {
    let found = findings_of(case);
    let expected_file = case.with_extension("txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&expected_file, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
    (found != expected).then(|| format!("{}\nexpected:\n{expected}\nfound:\n{found}", case.display()))
}

fn findings_of(case: &Path) -> String {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    let mut sources = kinds::surroundings();
    if case.is_dir() {
        let project = Sources::read(case).unwrap();
        sources.topologies = project.topologies;
        sources.contracts.extend(project.contracts);
        sources.applications.extend(project.applications);
    } else {
        let text = std::fs::read_to_string(case).unwrap();
        if name.starts_with("contract-") {
            sources.contracts.clear();
            sources.add(&format!("contracts/{name}"), &name, &text);
        } else {
            sources.add(&name, &name, &text);
        }
    }
    let project = Project::load(&sources, &kinds::registry());
    let findings = check(&project).findings;
    // What a broken contract's project lacks besides is not what its case is about.
    let about = |finding: &pairline_runner::finding::Finding| finding.code != "PL0601";
    let lines: Vec<String> = findings
        .iter()
        .filter(|finding| about(finding))
        .map(|finding| {
            let text = finding.to_string().replace(&format!("{}/", case.display()), "");
            format!("{} {} {text}\n", finding.severity, finding.code)
        })
        .collect();
    lines.concat()
}

#[test]
fn the_shipped_topologies_have_no_findings() {
    let project = Project::load(&Sources::built_in(), &kinds::registry());

    assert_eq!(check(&project).render(CheckFormat::Line, false), "");
    assert_eq!(project.topologies.len(), 2);
}

#[test]
fn a_check_is_text_lines_json_or_annotations_and_its_exit_code_says_whether_to_go_on() {
    let mut sources = kinds::surroundings();
    let stray = include_str!("../broken/unreachable.yaml");
    sources.add("stray.yaml", "stray.yaml", stray);
    let report = check(&Project::load(&sources, &kinds::registry()));

    let json: serde_json::Value = serde_json::from_str(&report.render(CheckFormat::Json, false)).unwrap();

    assert_eq!((report.exit_code(false), report.exit_code(true)), (0, 1));
    assert_eq!((&json["errors"], &json["warnings"], &json["findings"][0]["line"]), (&0.into(), &1.into(), &7.into()));
    assert!(report.render(CheckFormat::Text, false).ends_with("5 files, 0 errors, 1 warning\n"));
    assert!(
        report
            .render(CheckFormat::Github, false)
            .starts_with("::warning file=stray.yaml,line=7,col=3,title=PL0211::no message gets to node `stray`")
    );
}
