//! `pairline chaos`, as somebody types it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pairline_runner::project::Sources;
use serde_json::Value;
use tempfile::TempDir;

/// Runs it to its end. What it leaves behind would be in the folder.
fn chaos(temporary: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pairline"));
    command.arg("chaos").args(args).env_clear().env("TMPDIR", temporary).current_dir(temporary);
    command.envs(["PATH", "LLVM_PROFILE_FILE"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_owned()).unwrap()
}

/// The built-in texts in a folder, with a part of one of them changed.
fn changed(file: &str, from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Sources::built_in();
    for source in shipped.topologies.iter().chain(&shipped.contracts).chain(&shipped.applications) {
        let name = source.file.strip_prefix("topologies/").unwrap_or(&source.file);
        let mut text = source.text.to_string();
        if name == file {
            assert!(text.contains(from), "{file} has no `{from}`");
            text = text.replace(from, to);
        }
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn chaos_finds_no_harm_in_the_built_in_topologies_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();

    let output = chaos(temporary.path(), &["--size", "150", "--kill", "1", "--seed", "7"]);

    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    let last = said.lines().last().unwrap();
    let (faults, rest) = last.split_once(' ').unwrap();
    assert!(faults.replace(',', "").parse::<u64>().unwrap() > 50, "{said}");
    assert_eq!(rest, "faults, 1 kill: no harm found (seed 7)");
    assert!(!said.contains('\x1b') && output.stderr.is_empty(), "{said}{}", text(&output.stderr));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

/// A topology that forgets to carry edits over: nobody is missing, and what people typed is.
#[test]
fn chaos_finds_the_harm_a_topology_does_and_keeps_what_there_is_to_look_at() {
    let temporary = tempfile::tempdir().unwrap();
    let config = changed("crm-to-erp.yaml", "found: update", "found: end");
    let config = config.path().to_str().unwrap();

    let args = ["--config", config, "--size", "10", "--kill", "0", "--drop-responses", "0", "--json"];
    let output = chaos(temporary.path(), &args);

    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told:#}");
    assert!(told["harm"]["lost_edits"].as_u64() > Some(0), "{told:#}");
    assert_eq!((&told["harm"]["duplicates"], &told["kills"], &told["quiet"]), (&0.into(), &0.into(), &true.into()));
    let verdict = told["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("HARM: ") && verdict.contains(" lost edit"), "{verdict}");
    let again = format!("--config {config} chaos --seed 1 --size 10 --kill 0 --drop-responses 0");
    assert!(verdict.contains("not the exact run: ") && verdict.ends_with(&again), "{verdict}");
    assert!(Path::new(told["data_dir"].as_str().unwrap()).join("pairline.db").is_file(), "{told:#}");
    assert!(Path::new(told["log"].as_str().unwrap()).is_file(), "{told:#}");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

/// What is not called at the address the fakes give would be called for real.
#[test]
fn chaos_starts_nothing_when_a_description_speaks_to_another_system() {
    let temporary = tempfile::tempdir().unwrap();
    for (from, to, told) in [
        ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "https://erp.example.com", "is called at https://erp.example.com"),
        ("\"${ERP_TOKEN}\"", "\"${MY_TOKEN}\"", "MY_TOKEN is not set"),
    ] {
        let config = changed("applications/erp.yaml", from, to);

        let output = chaos(temporary.path(), &["--config", config.path().to_str().unwrap()]);

        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(69), ""), "{said}");
        assert!(said.contains("chaos cannot play these systems; nothing was started"), "{said}");
        assert!(said.contains(told) && said.contains("erp: ERP_BASE_URL, "), "{said}");
    }
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}
