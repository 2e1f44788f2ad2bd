//! Templates, written by `pairline node new` and built by the commands of their README. What is built stays in the folder
//! of installed systems, until a template or the contract changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pairline_wasm::{ComponentKind, Host, HostOptions};
use serde_json::Value;

use crate::systems::installed::{Environment, has_node, run};
use crate::systems::project::File;
use crate::tidy::read;

/// A language with a template.
#[derive(Clone, Copy)]
pub(super) struct Language {
    /// As `node new` calls it.
    pub(super) name: &'static str,
    /// What the node of its template is called here, and in the guide.
    pub(super) called: &'static str,
    /// The file with the node's work.
    node: &'static str,
    /// What is in its place when the node is to misbehave.
    misbehaving: &'static str,
    /// Where the compiler is installed.
    packages: &'static str,
    /// The step of the README that builds.
    builds: &'static str,
}

const MISBEHAVING_JS: &str = include_str!("guests/misbehaving.js");

pub(super) const JS: Language = Language {
    name: "js",
    called: "lead-score",
    node: "src/node.js",
    misbehaving: MISBEHAVING_JS,
    packages: "node_modules",
    builds: "npm run build",
};

/// What misbehaves is not typed, so that the types are not checked.
pub(super) const TS: Language =
    Language { name: "ts", called: "phone", node: "src/node.ts", builds: "node build.mjs", ..JS };

pub(super) const PYTHON: Language = Language {
    name: "python",
    called: "match",
    node: "src/node.py",
    misbehaving: include_str!("guests/misbehaving.py"),
    packages: ".venv",
    builds: "componentize-py",
};

/// A component that is built and compiled.
pub(super) struct Built {
    environment: Environment,
    folder: PathBuf,
    pub(super) file: PathBuf,
    /// The commands of its README.
    pub(super) steps: Vec<String>,
}

impl Language {
    /// The template as it is shipped.
    pub(super) fn template(self) -> Built {
        if self.packages == JS.packages {
            has_node();
        }
        let (text, steps) = self.shown(self.called);
        let environment = Environment::made(&format!("node-{}", self.name), &text, |environment| {
            let folder = self.begun(self.called, environment);
            for step in &steps {
                run(&mut command(step, &folder));
            }
        });
        Built::new(environment, self.called, steps)
    }

    /// The same with a node that does what its body says, and that may ask for secrets.
    pub(super) fn misbehaving(self) -> Built {
        let name = "misbehaving";
        let (_, steps) = self.shown(name);
        let build = steps.into_iter().find(|step| step.contains(self.builds)).unwrap_or_else(|| self.builds.to_owned());
        let world = "wit/world.wit";
        let asked = read(&format!("sdk/templates/{}/{world}", self.name));
        let asks = asked.replacen("// import pairline:node/secrets", "import pairline:node/secrets", 1);
        assert_ne!(asked, asks, "the world of the template shows no import of secrets");
        let files = [(self.node.to_owned(), self.misbehaving.to_owned()), (world.to_owned(), asks)];
        self.changed(name, &files, &[build])
    }

    /// The template with other files and another name, built by these commands.
    pub(super) fn changed(self, name: &str, files: &[File], steps: &[String]) -> Built {
        let template = self.template();
        let (text, _) = self.shown(name);
        let pins = format!("{text}{files:?}{steps:?}");
        let environment = Environment::made(&format!("node-{}-{name}", self.name), &pins, |environment| {
            let folder = self.begun(name, environment);
            for (file, text) in files {
                fs::write(folder.join(file), text).unwrap();
            }
            std::os::unix::fs::symlink(template.folder.join(self.packages), folder.join(self.packages)).unwrap();
            for step in steps {
                run(&mut command(step, &folder));
            }
        });
        Built::new(environment, name, Vec::new())
    }

    /// A folder of its own with the template and what is installed for it, to be changed and built again.
    pub(super) fn copied(self) -> Copied {
        let template = self.template();
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join(self.called);
        let (_, steps) = written(self.name, self.called, &folder);
        std::os::unix::fs::symlink(template.folder.join(self.packages), folder.join(self.packages)).unwrap();
        Copied { _scratch: scratch, folder, steps, node: self.node }
    }

    /// The template under a name in a folder of its own, with nothing of an attempt that did not come to its end.
    fn begun(self, name: &str, environment: &Path) -> PathBuf {
        let folder = environment.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        written(self.name, name, &folder);
        folder
    }

    /// All text of the template under a name, and its steps.
    fn shown(self, name: &str) -> (String, Vec<String>) {
        let scratch = tempfile::tempdir().unwrap();
        written(self.name, name, &scratch.path().join(name))
    }
}

/// A template to be changed.
pub(super) struct Copied {
    _scratch: tempfile::TempDir,
    folder: PathBuf,
    steps: Vec<String>,
    node: &'static str,
}

impl Copied {
    /// Begins the node's file with a line.
    pub(super) fn begins_with(&self, line: &str) {
        let file = self.folder.join(self.node);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("{line}\n{text}")).unwrap();
    }

    /// The step of the README that this is part of.
    pub(super) fn step(&self, part: &str) -> Command {
        let step = self.steps.iter().find(|step| step.contains(part));
        command(step.unwrap_or_else(|| panic!("no `{part}` among {:?}", self.steps)), &self.folder)
    }
}

/// Writes the template, and answers all of its text and its steps.
pub(super) fn written(language: &str, name: &str, folder: &Path) -> (String, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pairline"));
    command.args(["--json", "node", "new", name, "--lang", language, "--into"]).arg(folder);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = |name: &str| -> Vec<String> { serde_json::from_value(told[name].clone()).unwrap() };
    let read = |file: &String| {
        let bytes = fs::read(folder.join(file)).unwrap();
        format!("{file}\n{}\n", String::from_utf8_lossy(&bytes))
    };
    (listed("files").iter().map(read).collect(), listed("next"))
}

impl Built {
    pub(super) fn new(environment: Environment, name: &str, steps: Vec<String>) -> Self {
        let folder = environment.path(name);
        let built = Self { file: folder.join(format!("{name}.wasm")), environment, folder, steps };
        // Others wait instead of compiling the same.
        built.environment.once("compiled", || drop(built.load()));
        built
    }

    /// The component as the program loads it.
    pub(super) fn load(&self) -> (Arc<Host>, ComponentKind) {
        let host = Host::new(HostOptions { cache: Some(code(&self.folder)), ..HostOptions::default() }).unwrap();
        let kind = host.load(&self.file).unwrap();
        (host, kind)
    }

    /// A command in its folder.
    pub(super) fn command(&self, text: &str) -> Command {
        command(text, &self.folder)
    }
}

/// Where the machine code of a component is kept.
fn code(folder: &Path) -> PathBuf {
    folder.with_file_name("code")
}

/// A command as it is typed, with this program as `pairline`.
pub(super) fn command(text: &str, folder: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_pairline")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new("sh");
    command.args(["-ec", text]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", path).env("PAIRLINE_COMPONENT_CACHE", code(folder)).env_remove("PAIRLINE_CONFIG");
    command
}
