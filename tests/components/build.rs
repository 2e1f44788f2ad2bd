//! What the build of a template refuses, so that nobody finds it out while a node runs.

use std::fs;
use std::process::Command;

use super::language::{JS, PYTHON, TS};

/// Whether it has worked, and everything it said.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

#[test]
fn python_builds_with_the_packages_of_its_own_folder_and_not_with_those_of_the_machine() {
    let machine = tempfile::tempdir().unwrap();
    let mut asks = Command::new("python3");
    asks.args(["-c", "import site; print(site.getusersitepackages())"]).env("PYTHONUSERBASE", machine.path());
    let packages = said(&mut asks).1.trim().to_owned();
    assert!(packages.starts_with(machine.path().to_str().unwrap()), "{packages}");
    fs::create_dir_all(&packages).unwrap();
    fs::write(format!("{packages}/stray.py"), "KEPT = True\n").unwrap();
    let node = PYTHON.copied();
    node.begins_with("import stray");

    let (works, told) = said(node.step("componentize-py").env("PYTHONUSERBASE", machine.path()));

    assert!(!works && told.contains("No module named 'stray'"), "{told}");
}

#[test]
fn typescript_does_not_compile_with_what_only_its_tests_have() {
    let node = TS.copied();
    node.begins_with("export const bytes = new TextEncoder().encode(new TextDecoder().decode());");
    let (works, told) = said(&mut node.step("npm run build"));
    assert!(works, "{told}");

    node.begins_with("export const stray = [fetch, setTimeout, Buffer, console, require, document];");
    let (works, told) = said(&mut node.step("npm run build"));

    assert!(!works, "{told}");
    for name in ["fetch", "setTimeout", "Buffer", "console", "require", "document"] {
        assert!(told.contains(&format!("Cannot find name '{name}'")), "{name}: {told}");
    }
}

#[test]
fn an_import_of_what_only_node_js_has_is_told_as_what_it_is() {
    for language in [JS, TS] {
        let node = language.copied();
        node.begins_with("import \"node:fs\";");

        let (works, told) = said(&mut node.step("npm run build"));

        let sentence =
            "`node:fs` is part of Node.js, and a component has none of it: no files, no network, no processes.";
        assert!(!works && told.contains(sentence), "{}: {told}", language.name);
        assert!(!told.contains("platform") && !told.contains("    at "), "{}: {told}", language.name);
    }
}
