//! Texts that are wrong: the place is named, and nothing is started.

use std::fs;
use std::path::{Path, PathBuf};

use super::stage::{Said, Stage, copied, pairline};

/// A copy of the shipped folder with one file changed; its name in the messages.
fn broken(stage: &Stage, file: &str, change: impl FnOnce(String) -> String) -> PathBuf {
    let folder = stage.path("project");
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies"), &folder);
    let path = folder.join(file);
    let text = change(fs::read_to_string(&path).unwrap_or_default());
    fs::write(&path, text).unwrap();
    path
}

/// Asserts that `check` and `run` say all of this, and that nothing was started.
fn told(stage: &Stage, parts: &[&str]) {
    let folder = stage.path("project").display().to_string();
    let checked = stage.cli(&["check", "--config", &folder]);
    assert_eq!(checked.code, 1, "{checked:?}");
    let ran = stage.refused(&["--config", &folder]);
    ran.fails_with(78, &["nothing was started"]);
    for part in parts {
        assert!(checked.stdout.contains(part), "expected `{part}`, found {}", checked.stdout);
        assert!(ran.stderr.contains(part), "expected `{part}`, found {}", ran.stderr);
    }
    assert!(!stage.path("data").exists(), "a database was made");
    let document = stage.cli(&["--json", "check", "--config", &folder]);
    assert!(document.code == 1 && document.json()["errors"].as_u64() > Some(0), "{document:?}");
}

#[test]
fn yaml_that_is_none_is_located() {
    let stage = Stage::new();
    let path = broken(&stage, "crm-to-erp.yaml", |text| text.replace("contract: contact", "contract: [contact"));

    told(&stage, &["error[PL0", &format!("{}:", path.display()), "|"]);
}

#[test]
fn fm_095_an_alias_bomb_is_refused_at_once() {
    let stage = Stage::new();
    let path = broken(&stage, "bomb.yaml", |_| {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{below}]\n");
        }
        bomb
    });

    told(&stage, &[&format!("{}:", path.display()), "20000 values"]);
}

#[test]
fn an_unknown_key_is_located_with_what_was_meant() {
    let stage = Stage::new();
    let path = broken(&stage, "crm-to-erp.yaml", |text| text.replacen("    uses: fetch", "    user: fetch", 1));
    told(&stage, &[&format!("{}:15:5", path.display()), "`user`", "did you mean `uses`?"]);

    let path = broken(&stage, "applications/erp.yaml", |text| text.replace("base_url:", "base_ulr:"));
    told(&stage, &[&format!("{}:6:1", path.display()), "`base_ulr`", "did you mean `base_url`?"]);

    let path = broken(&stage, "contracts/contact.yaml", |text| text.replace("contract: contact", "contracts: contact"));
    told(&stage, &[&format!("{}:", path.display()), "`contracts`"]);
}

#[test]
fn a_word_that_is_none_is_the_only_error_it_makes() {
    let stage = Stage::new();
    for (from, to, message) in [
        ("policy: newest", "policy: latest", "no policy `latest`; known policies: newest"),
        ("[join-words]", "[join-wrods]", "did you mean `join-words`?"),
    ] {
        broken(&stage, "contracts/contact.yaml", |text| text.replace(from, to));
        told(&stage, &[message, "contracts/contact.yaml:"]);
        let folder = stage.path("project").display().to_string();
        let report = stage.cli(&["--json", "check", "--config", &folder]).json();
        assert_eq!(report["errors"], 1, "{report:#}");
    }
}

#[test]
fn a_file_that_is_no_text_is_named_with_the_cause() {
    let stage = Stage::new();
    let path = broken(&stage, "crm-to-erp.yaml", |text| text);
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let folder = stage.path("project").display().to_string();
    let name = path.display().to_string();

    for said in [stage.cli(&["check", "--config", &folder]), stage.refused(&["--config", &folder])] {
        said.fails_with(78, &["cannot read", &name, "UTF-8"]);
    }
}

#[test]
fn a_folder_that_is_not_there_or_holds_no_topology_is_named() {
    let stage = Stage::new();
    let nowhere = stage.path("nowhere").display().to_string();
    let empty = stage.path("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.display().to_string();
    let all = |folder: &str| -> [Said; 4] {
        let run = stage.refused(&["--config", folder]);
        [
            run,
            stage.cli(&["check", "-c", folder]),
            stage.cli(&["test", "-c", folder]),
            stage.cli(&["graph", "-c", folder]),
        ]
    };

    for said in all(&nowhere) {
        said.fails_with(78, &["no folder", &nowhere, "expected one with topologies"]);
    }
    for said in all(&empty) {
        said.fails_with(78, &["no topology in", &empty, "expected *.yaml files"]);
    }
    assert!(!stage.path("data").exists());
}

#[test]
fn a_variable_that_is_missing_is_named_with_the_file_that_wants_it() {
    for (variable, file) in [
        ("CRM_TOKEN", "topologies/applications/crm.yaml:7:"),
        ("CRM_CLIENT_SECRET", "topologies/applications/crm.yaml:"),
        ("ERP_WEBHOOK_SECRET", "topologies/applications/erp.yaml:"),
    ] {
        let stage = Stage::new();
        stage.set(variable, "");

        let said = stage.refused(&[]);

        said.fails_with(78, &[&format!("the environment variable {variable} is not set"), file, "nothing was started"]);
        assert_eq!(stage.crm.calls().total() + stage.erp.calls().total(), 0);
        let said = stage.refused(&["--json"]);
        let error: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
        assert_eq!(error["exit_code"], 78);
        assert!(error["error"].as_str().unwrap().contains(file), "{error}");
        assert!(!stage.path("data").exists(), "a start that cannot be has made a data folder");
    }
}

#[test]
fn a_variable_that_is_empty_is_not_called_missing() {
    let stage = Stage::new();
    stage.set_empty("CRM_TOKEN");
    stage.refused(&[]).fails_with(78, &["the environment variable CRM_TOKEN is empty; `auth.bearer` needs it"]);

    // Some supervisors set every variable; the file counts then.
    let file = stage.path("token");
    stage.set("CRM_TOKEN_FILE", file.display().to_string());
    fs::write(&file, "\n").unwrap();
    let found = format!("the file `{}` that CRM_TOKEN_FILE names is empty", file.display());
    stage.refused(&[]).fails_with(78, &[&found, "applications/crm.yaml"]);
}

#[test]
fn a_variable_that_names_no_url_or_an_unreadable_file_is_told_apart_from_one_that_is_missing() {
    let stage = Stage::new();
    stage.set("CRM_BASE_URL", "127.0.0.1:1");
    stage.refused(&[]).fails_with(78, &["base_url", "applications/crm.yaml"]);
    for (url, found) in [
        ("localhost:18081", "found `localhost:18081`, which lacks `http://`; it comes from CRM_BASE_URL"),
        ("ftp://crm.test", "found a text that does not begin with `http://` or `https://`; it comes from CRM_BASE_URL"),
        ("http://crm.test/?a=b", "found one with a `?` or a `#`; it comes from CRM_BASE_URL"),
    ] {
        stage.set("CRM_BASE_URL", url);
        stage.refused(&[]).fails_with(78, &["expected an http or https URL without a query", found]);
    }
    assert!(!stage.path("data").exists(), "a start that cannot be has made a data folder");

    let stage = Stage::new();
    stage.set("ERP_TOKEN", "");
    let nowhere = stage.path("nowhere").display().to_string();
    stage.set("ERP_TOKEN_FILE", nowhere.as_str());
    let found = format!("cannot read the file `{nowhere}` that ERP_TOKEN_FILE names: No such file");
    stage.refused(&[]).fails_with(78, &[&found, "applications/erp.yaml"]);
}

#[test]
fn a_token_that_is_refused_is_told_with_its_variable() {
    let stage = Stage::new();
    stage.set("ERP_TOKEN", "of-last-year");

    let runner = stage.start(pairline(), &[]);

    runner.says(r#""check":"ERP_TOKEN""#);
    runner.says("refuses our credentials (401): check ERP_TOKEN");
}
