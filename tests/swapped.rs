//! Our own nodes as components, in place of those that are part of the program.
//!
//! With their names in `PAIRLINE_TEST_COMPONENTS`, separated by commas, every test of the suite that walks through
//! topologies does so with these nodes in the sandbox: the stories, the searches, the simulations, and the program itself as
//! it is judged from outside. `tests/run` plays those that tell most.

mod flow;
mod same;
mod topologies;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use pairline_fakes::judge::Program;
use pairline_runner::project::Sources;
use pairline_sdk::{
    Grants, Limits, NodeDescription, NodeKind, PairsGrant, Ports, ProcessAction, Registry, System, Usage,
};
use pairline_wasm::{ComponentKind, Host, HostOptions};
use tempfile::TempDir;

/// Which kinds are swapped, by name.
pub(crate) const SWAPPED: &str = "PAIRLINE_TEST_COMPONENTS";

/// As long as nothing in a test takes: what is simulated may stand still for hours while a node waits.
const LONG: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many messages an instance serves: so few that both kinds of its lives are met.
const CALLS: u32 = 20;

/// Those kinds that were asked for.
pub(crate) fn asked_for() -> Vec<String> {
    let names = std::env::var(SWAPPED).unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The committed component of one of our nodes.
pub(crate) fn fixture(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components/fixtures/0.1").join(format!("{kind}.wasm"))
}

/// Those of our nodes that can be components. `fetch` says what a message is about, and `create` what is sent again: both are
/// for the program alone.
pub(crate) const ALL: [&str; 6] = ["deactivate", "echo-filter", "inverse-id-writer", "persist", "resolve", "update"];

/// Whether a component of this kind is refused without the grant to write, and with it otherwise.
fn writes(kind: &str) -> bool {
    ["inverse-id-writer", "update"].contains(&kind)
}

/// One host for all, and machine code that is kept: a test is a process of its own. What is simulated goes the same way
/// every time, however busy the machine is.
pub(crate) fn host() -> &'static Arc<Host> {
    static HOST: LazyLock<Arc<Host>> =
        LazyLock::new(|| Host::new(HostOptions { cache: Some(cache()), untimed: true }).unwrap());
    &HOST
}

/// A component that is given everything its node has in the program; an instance serves so many messages.
struct Trusted {
    kind: ComponentKind,
    calls: u32,
}

/// One of our nodes, loaded from its file and given everything.
pub(crate) fn trusted(kind: &str, calls: u32) -> Arc<dyn NodeKind> {
    Arc::new(Trusted { kind: host().load(&fixture(kind)).unwrap(), calls })
}

impl NodeKind for Trusted {
    fn describe(&self) -> &NodeDescription {
        self.kind.describe()
    }

    fn make(&self, usage: &Usage, ports: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
        self.kind.make(&trusting(usage.with.clone(), self.calls), ports)
    }
}

/// A use that is granted all of the mapping and both systems; `calls` messages are served by one instance.
pub(crate) fn trusting(with: serde_json::Value, calls: u32) -> Usage {
    let both = vec![System::new("crm"), System::new("erp")];
    let grants =
        Grants { pairs: Some(PairsGrant::Write), applications: both.clone(), writes: both, ..Grants::default() };
    Usage { with, grants, limits: Limits { timeout: Some(LONG), calls: Some(calls), ..Limits::default() } }
}

/// Puts the components that were asked for into the place of the program's own nodes.
pub(crate) fn swap(registry: &mut Registry) {
    static KINDS: OnceLock<Vec<(String, Arc<dyn NodeKind>)>> = OnceLock::new();
    let kinds = KINDS.get_or_init(|| {
        let load = |kind: String| (kind.clone(), trusted(&kind, CALLS));
        asked_for().into_iter().map(load).collect()
    });
    for (name, kind) in kinds {
        let before = registry.put(name, Arc::clone(kind)).unwrap_or_else(|| panic!("no node `{name}` to be swapped"));
        assert_eq!(before.describe(), kind.describe(), "a component says of itself what its node does");
    }
}

/// The program with the components that were asked for, in one folder for all its starts.
pub(crate) fn in_place(program: Program) -> Program {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let kinds = asked_for();
    if kinds.is_empty() {
        return program;
    }
    let folder = FOLDER.get_or_init(|| folder(&kinds)).path();
    program.env("PAIRLINE_CONFIG", folder).env("PAIRLINE_COMPONENT_CACHE", cache())
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("components")
}

/// The shipped project in a folder, with components in the place of these nodes.
pub(crate) fn folder(kinds: &[String]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Sources::built_in();
    let texts = [&shipped.topologies, &shipped.contracts, &shipped.applications, &shipped.tests];
    for source in texts.into_iter().flatten() {
        let name = source.file.strip_prefix("topologies/").unwrap_or(&source.file);
        let mut text = source.text.to_string();
        for kind in kinds {
            let native = format!("    uses: {kind}\n");
            let writes = if writes(kind) { ", writes: [crm, erp]" } else { "" };
            let grants = format!(
                "    grants: {{ pairs: write, applications: [crm, erp]{writes} }}\n    limits: {{ timeout: 60s }}\n"
            );
            text = text.replace(&native, &format!("    uses: ./plugins/{kind}.wasm\n{grants}"));
        }
        put(&folder.path().join(name), text.as_bytes());
    }
    for (name, text) in &shipped.fixtures {
        put(&folder.path().join(name), text.as_bytes());
    }
    for kind in kinds {
        put(&folder.path().join(format!("plugins/{kind}.wasm")), &std::fs::read(fixture(kind)).unwrap());
    }
    folder
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
