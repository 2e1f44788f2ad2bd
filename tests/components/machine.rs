//! Languages whose compilers are the machine's own: `tests/components/compilers` finds them, or installs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::language::{Built, command, written};
use crate::systems::installed::{Environment, run};
use crate::systems::project::File;
use crate::tidy::at;

/// No compiler is here, and nobody may install it.
const MISSING: i32 = 69;

/// A language with a template and a compiler of the machine.
#[derive(Clone, Copy)]
pub(super) struct Machine {
    /// As `node new` calls it.
    pub(super) name: &'static str,
    /// What finds the compiler, and has the commands of a page use it.
    find: &'static str,
}

pub(super) const C: Machine = Machine { name: "c", find: "find_c; export CLANG=\"$clang\" SYSROOT=\"$sysroot\"" };

/// The tests are native, as everything is that the program itself is built with.
pub(super) const RUST: Machine = Machine {
    name: "rust",
    find: "find_rust
        cargo() {
            case $1 in
                rustc) (use_rust; \"$cargo\" \"$@\" $standard) ;;
                *) command cargo \"$@\" ;;
            esac
        }",
};

impl Machine {
    /// The template with other files and another name, after and before some commands; none where the compiler is missing.
    pub(super) fn built(self, name: &str, begins: &[String], files: &[File], builds: &[String]) -> Option<Built> {
        let checkout = at("");
        let compilers = format!("cd '{}'; . tests/components/compilers; cd - >/dev/null", checkout.display());
        let step = |step: &str, folder: &Path| -> Command {
            let mut command = command(&format!("{compilers}; {}\n{step}", self.find), folder);
            // What the tests were built with is not what the page says.
            for name in ["CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
                command.env_remove(name);
            }
            command
        };
        let found = step("", &checkout).output().unwrap();
        if found.status.code() == Some(MISSING) {
            let said = String::from_utf8_lossy(&found.stderr).into_owned();
            assert!(std::env::var_os("PAIRLINE_TEST_GUESTS").is_none(), "they were here a moment ago: {said}");
            eprintln!("not here: the compiler of `{name}` in {}: {said}", self.name);
            return None;
        }

        let scratch = tempfile::tempdir().unwrap();
        let (text, _) = written(self.name, "node", &scratch.path().join("node"));
        // A page finds Pairline beside the folder of a node.
        let pins = format!("{text}{}", checkout.display());
        let environment = Environment::made(&format!("node-{}", self.name), &pins, |environment| {
            fs::create_dir_all(environment.join("target")).unwrap();
            std::os::unix::fs::symlink(&checkout, environment.join("pairline")).unwrap();
        });
        let folder = environment.path(name);
        environment.once(name, || {
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
            written(self.name, name, &folder);
            // What they are all made of is compiled once.
            std::os::unix::fs::symlink("../target", folder.join("target")).unwrap();
        });
        for line in begins {
            run(&mut step(line, &folder));
        }
        for (file, text) in files {
            let file = folder.join(file);
            // One that is the same is not compiled again.
            if fs::read_to_string(&file).ok().as_ref() != Some(text) {
                fs::write(file, text).unwrap();
            }
        }
        for line in builds {
            run(&mut step(line, &folder));
        }
        Some(Built::new(environment, name, Vec::new()))
    }
}
