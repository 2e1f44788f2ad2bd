//! The contract of a run: the shipped one, or, for an ERP that tidies what it is given, one that says how to compare.

use std::sync::LazyLock;

use pairline_runner::project::{Project, Sources};

use crate::support::{project, registry};

/// Fields that are compared as texts in the shipped contract, and what they are where a system has its own spelling.
/// Without it, a value that a write of unknown outcome has brought looks like somebody's edit.
const KINDS: [(&str, &str); 2] =
    [("  email:\n", "  email:\n    type: email\n"), ("  phone:\n", "  phone:\n    type: phone\n")];

/// The shipped project, as somebody would have it whose ERP tidies, or does not.
pub(super) fn project_for(tidies: bool) -> &'static Project {
    static TIDY: LazyLock<Project> = LazyLock::new(|| {
        let shipped = Sources::built_in();
        let mut sources = Sources::default();
        for source in shipped.topologies.iter().chain(&shipped.contracts).chain(&shipped.applications) {
            let name = source.file.strip_prefix("topologies/").unwrap_or(&source.file);
            let mut text = source.text.to_string();
            for (plain, kind) in KINDS.iter().filter(|_| name.starts_with("contracts/")) {
                assert!(text.contains(plain), "{name} does not hold `{plain}`");
                text = text.replace(plain, kind);
            }
            sources.add(name, name, &text);
        }
        let project = Project::load(&sources, &registry());
        assert!(project.is_sound(), "{:?}", project.findings);
        project
    });
    if tidies { &TIDY } else { project() }
}
