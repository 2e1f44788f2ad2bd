//! What `node run` says of settings is what `check` says of them in a topology.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::language::{JS, command};
use crate::bad_input::stage::copied;
use crate::tidy::at;

/// A project with one component, with which a topology is put together.
struct Project {
    folder: tempfile::TempDir,
    /// The topology, with `WITH` where the settings stand.
    topology: String,
    uses: String,
}

impl Project {
    /// In the shipped topology `old` is what stands in the component's place, and `new` uses it.
    fn with(component: &Path, old: &str, new: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copied(&at("topologies"), folder.path());
        fs::create_dir_all(folder.path().join("plugins")).unwrap();
        let name = component.file_name().unwrap().to_str().unwrap();
        fs::copy(component, folder.path().join("plugins").join(name)).unwrap();
        let shipped = fs::read_to_string(folder.path().join("crm-to-erp.yaml")).unwrap();
        assert!(shipped.contains(old), "{shipped}");
        let uses = format!("./plugins/{name}");
        let topology = shipped.replacen(old, &new.replace("COMPONENT", &uses), 1);
        Self { folder, topology, uses }
    }

    /// What `check` finds wrong with the settings.
    fn checked(&self, with: &str) -> Vec<String> {
        let topology = self.topology.replace("WITH", with);
        fs::write(self.folder.path().join("crm-to-erp.yaml"), topology).unwrap();
        let output = command("pairline --config . --json check", self.folder.path()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let texts = report["findings"].as_array().unwrap().iter().map(|finding| {
            let [message, help] = ["message", "help"].map(|key| finding[key].as_str().unwrap_or_default());
            format!("{message}; {help}")
        });
        texts.collect()
    }

    /// What `node run` finds wrong with them, and its exit code.
    fn ran(&self, with: &str) -> (Vec<String>, Option<i32>) {
        let body = r#"{"hint":{"record":{"system":"crm","id":"101"}},"record":{"id":"101","fields":{}}}"#;
        let run = format!("echo '{body}' | pairline node run {} --input - --with '{with}'", self.uses);
        let output = command(&run, self.folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let lines = said.lines().filter_map(|line| line.trim_start_matches("error: ").strip_prefix("--with"));
        let texts = lines.map(|line| line.split_once(": ").unwrap().1.to_owned());
        (texts.collect(), output.status.code())
    }

    /// Asserts that both find so much wrong, in the same words.
    fn is_wrong(&self, with: &str, findings: usize) {
        let (mut checked, (mut ran, code)) = (self.checked(with), self.ran(with));
        checked.sort();
        ran.sort();
        assert_eq!((checked.len(), code), (findings, Some(if findings > 0 { 64 } else { 0 })), "{with}: {checked:?}");
        assert_eq!(checked, ran, "{with}");
    }
}

#[test]
fn a_component_that_runs_by_itself_gets_the_settings_that_a_topology_could_give_it() {
    let resolve = Project::with(
        &at("tests/components/fixtures/0.1/resolve.wasm"),
        "    uses: resolve\n    with: { source: crm, target: erp }\n",
        "    uses: COMPONENT\n    with: WITH\n    grants: { pairs: write, applications: [erp] }\n",
    );
    for (with, findings) in [
        (r#"{"source":"crm","target":"erp"}"#, 0),
        (r#"{"source":"crm"}"#, 1),
        (r#"{"source":"crm","target":7}"#, 1),
        (r#"{"source":"crm","target":"wms"}"#, 1),
        (r#"{"source":"erp","target":"crm"}"#, 2),
        (r#"{"source":"crm","traget":"erp"}"#, 2),
        (r#"["crm","erp"]"#, 1),
    ] {
        resolve.is_wrong(with, findings);
    }
}

#[test]
fn a_setting_that_a_component_declares_and_describes_is_held_against_both() {
    let built = JS.template();
    let score = Project::with(
        &built.file,
        "  resolve:\n",
        "  score:\n    uses: COMPONENT\n    with: WITH\n    next: { hot: resolve }\n  resolve:\n",
    );
    let score = Project { topology: score.topology.replace("present: resolve", "present: score"), ..score };

    for (with, findings) in [
        (r#"{"threshold":60}"#, 0),
        (r#"{"threshold":101}"#, 1),
        (r#"{"threshold":"60"}"#, 2),
        (r#"{"treshold":60}"#, 2),
    ] {
        score.is_wrong(with, findings);
    }
}
