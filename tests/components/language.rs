//! Templates, written by `pairline node new` and built by the commands of their README. What is built stays in the folder
//! of installed systems, until a template or the contract changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pairline_wasm::{ComponentKind, Host, HostOptions};
use serde_json::Value;

use crate::systems::installed::{Environment, has_node, run};

/// What the node of every template is called here.
const NAME: &str = "my-node";

/// A language with a template.
#[derive(Clone, Copy)]
pub(super) struct Language {
    /// As `node new` calls it.
    pub(super) name: &'static str,
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
    node: "src/node.js",
    misbehaving: MISBEHAVING_JS,
    packages: "node_modules",
    builds: "npm run build",
};

/// What misbehaves is not typed, so that the types are not checked.
pub(super) const TS: Language = Language { name: "ts", node: "src/node.ts", builds: "node build.mjs", ..JS };

pub(super) const PYTHON: Language = Language {
    name: "python",
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
        let scratch = tempfile::tempdir().unwrap();
        let (text, steps) = self.written(&scratch.path().join(NAME));
        let environment = Environment::made(&format!("node-{}", self.name), &text, |environment| {
            let folder = environment.join(NAME);
            // What an attempt has left that did not come to its end.
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
            self.written(&folder);
            for step in &steps {
                run(&mut command(step, &folder));
            }
        });
        Built::new(environment, NAME, steps)
    }

    /// The same with a node that does what its body says, and that may ask for secrets.
    pub(super) fn misbehaving(self) -> Built {
        let template = self.template();
        let scratch = tempfile::tempdir().unwrap();
        let (text, _) = self.written(&scratch.path().join(NAME));
        let build = template.steps.iter().find(|step| step.contains(self.builds)).map_or(self.builds, String::as_str);
        let pins = format!("{text}{}", self.misbehaving);
        let environment = Environment::made(&format!("node-{}-misbehaving", self.name), &pins, |environment| {
            let folder = environment.join(NAME);
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
            self.written(&folder);
            fs::write(folder.join(self.node), self.misbehaving).unwrap();
            let world = folder.join("wit/world.wit");
            let asked = fs::read_to_string(&world).unwrap();
            let asks = asked.replacen("// import pairline:node/secrets", "import pairline:node/secrets", 1);
            assert_ne!(asked, asks, "the world of the template shows no import of secrets");
            fs::write(&world, asks).unwrap();
            std::os::unix::fs::symlink(template.folder.join(self.packages), folder.join(self.packages)).unwrap();
            run(&mut command(build, &folder));
        });
        Built::new(environment, NAME, Vec::new())
    }

    /// Writes the template, and answers all of its text and its steps.
    fn written(self, folder: &Path) -> (String, Vec<String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pairline"));
        command.args(["--json", "node", "new", NAME, "--lang", self.name, "--into"]).arg(folder);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let listed = |name: &str| -> Vec<String> { serde_json::from_value(told[name].clone()).unwrap() };
        let read = |file: &String| format!("{file}\n{}\n", fs::read_to_string(folder.join(file)).unwrap());
        (listed("files").iter().map(read).collect(), listed("next"))
    }
}

impl Built {
    fn new(environment: Environment, folder: &str, steps: Vec<String>) -> Self {
        let folder = environment.path(folder);
        let built = Self { file: folder.join(format!("{NAME}.wasm")), environment, folder, steps };
        // Others wait instead of compiling the same.
        built.environment.once("compiled", || drop(built.load()));
        built
    }

    /// The component as the program loads it.
    pub(super) fn load(&self) -> (Arc<Host>, ComponentKind) {
        let host = Host::new(HostOptions { cache: Some(code(&self.folder)) }).unwrap();
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
fn command(text: &str, folder: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_pairline")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new("sh");
    command.args(["-ec", text]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", path).env("PAIRLINE_COMPONENT_CACHE", code(folder)).env_remove("PAIRLINE_CONFIG");
    command
}
