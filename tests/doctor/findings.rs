//! What is found without writing anything: reachability, credentials, clocks, secrets, webhooks, promises.

use super::remote::{Remote, Ways};
use super::{asked, changed, codes, fact, found, of, project};
use crate::bad_input::stage::{CANARIES, Stage};

const CRM: &str = "applications/crm.yaml";
const ERP: &str = "applications/erp.yaml";
const SHOP: &str = "applications/shop.yaml";

/// The shipped folder as `project`, with a line more at the end of one of its files, so that there is a copy to point into.
fn copy(stage: &Stage) {
    project(stage, CRM, |text| text + "# a copy\n");
}

#[test]
fn systems_that_are_as_described_are_fine() {
    let stage = Stage::new();

    let said = stage.cli(&["doctor"]);

    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.ends_with("2 applications, 0 errors, 0 warnings\n"), "{said:?}");
    for (about, part) in [
        ("subscriptions", "look in its settings for contact.creation, contact.propertyChange, contact.deletion"),
        ("clock", "within 1 s of ours"),
        ("class", "C promised"),
        ("class", "B promised"),
    ] {
        let is_said = said.stdout.lines().any(|line| line.trim_start().starts_with(about) && line.contains(part));
        assert!(is_said, "expected {about} {part}, found {}", said.stdout);
    }
}

#[test]
fn a_system_that_does_not_answer_and_one_that_refuses_us_are_told_apart() {
    let stage = Stage::new();
    copy(&stage);
    stage.set("CRM_BASE_URL", "http://127.0.0.1:9");
    stage.set("ERP_TOKEN", "canary-which-is-not-its-token");

    let (_, told) = asked(&stage, &[]);

    found(&stage, &told, "PL0701", CRM, "base_url");
    let denied = found(&stage, &told, "PL0702", ERP, "auth:");
    assert_eq!(denied["help"], "look at ERP_TOKEN");
    assert_eq!(codes(&told).len(), 2, "{told:#}");
}

#[test]
fn a_listing_that_is_not_as_described_is_found_at_its_operation() {
    let stage = Stage::new();
    project(&stage, ERP, |text| text.replace("records: /data", "records: /dates"));

    let (_, told) = asked(&stage, &["erp"]);

    let text = std::fs::read_to_string(stage.path("project").join(ERP)).unwrap();
    let changed = text.lines().position(|line| line.trim() == "changed:").unwrap() as u64;
    let finding = &told["findings"][0];
    assert_eq!((&finding["code"], codes(&told).len()), (&"PL0706".into(), 1), "{told:#}");
    assert!(finding["line"].as_u64() > Some(changed), "{told:#}");
}

#[test]
fn a_clock_that_shows_another_time_is_found() {
    let stage = Stage::new();
    Remote::connected(&stage, Ways { date: Some("Tue, 14 Nov 2023 22:13:50 GMT"), ..Ways::default() }, |text| text);

    let (_, told) = asked(&stage, &["shop"]);

    let clock = found(&stage, &told, "PL0703", SHOP, "base_url");
    assert!(clock["message"].as_str().unwrap().contains("s behind ours"), "{told:#}");
    assert_eq!(codes(&told).len(), 1, "{told:#}");
}

#[test]
fn secrets_that_are_short_or_the_same_are_found_and_never_said() {
    let stage = Stage::new();
    copy(&stage);
    stage.set("CRM_TOKEN", "zyx-short");
    stage.set("ERP_WEBHOOK_SECRET", CANARIES[2].1);
    changed(&stage, ERP, |text| text.replace("${ERP_TOKEN}", "written-by-hand"));

    let (_, told) = asked(&stage, &[]);
    let as_text = stage.cli(&["--config", "project", "doctor"]);

    let short = found(&stage, &told, "PL0704", CRM, "auth:");
    assert_eq!(short["message"], "`auth.bearer` is a secret of 9 characters");
    let all = told["findings"].as_array().unwrap();
    let same = all.iter().find(|finding| finding["message"].as_str().unwrap().contains("is the same as")).unwrap();
    assert_eq!(same["message"], "`webhook.signature.secret` is the same as `webhook.signature.secret` of crm");
    assert!(same["related"]["file"].as_str().unwrap().ends_with(CRM), "{told:#}");
    for said in [told.to_string(), as_text.stdout, as_text.stderr] {
        assert!(!said.contains("zyx-short") && !said.contains("written-by-hand"), "{said}");
    }
}

#[test]
fn a_secret_that_is_missing_is_found_and_the_other_system_is_asked_all_the_same() {
    let stage = Stage::new();
    copy(&stage);
    stage.set("CRM_TOKEN", "");

    let (_, told) = asked(&stage, &[]);

    found(&stage, &told, "PL0401", CRM, "auth:");
    assert_eq!(fact(of(&told, "crm"), "not asked"), "its description has errors");
    assert!(fact(of(&told, "erp"), "reached").contains("credentials are accepted"));
}

#[test]
fn webhooks_that_cannot_arrive_or_can_be_read_on_their_way_are_found() {
    let stage = Stage::new();
    copy(&stage);

    // Nobody else can reach this machine by its loopback address.
    stage.set("CRM_BASE_URL", "https://crm.invalid");
    let (_, told) = asked(&stage, &["crm"]);
    let lost = found(&stage, &told, "PL0705", CRM, "    url: ");
    assert_eq!(lost["severity"], "error");

    stage.set("CRM_BASE_URL", stage.crm.base_url());
    stage.set("CRM_WEBHOOK_URL", "http://sync.invalid/webhooks/crm");
    let (_, told) = asked(&stage, &["crm"]);
    let read = found(&stage, &told, "PL0705", CRM, "    url: ");
    assert_eq!(read["severity"], "warning");

    stage.set("CRM_WEBHOOK_URL", "http://127.0.0.1:9/webhooks/crm");
    let (_, told) = asked(&stage, &["crm"]);
    let elsewhere = found(&stage, &told, "PL0705", CRM, "    url: ");
    assert!(elsewhere["message"].as_str().unwrap().contains("the program listens on"), "{told:#}");
}

#[test]
fn a_promise_that_the_operations_cannot_make_use_of_is_found() {
    let stage = Stage::new();
    Remote::connected(&stage, Ways::default(), |text| {
        let text = text.replacen("  find:\n", "  find:\n    fields: [mail]\n", 1);
        text.replacen("capabilities:\n", "capabilities:\n  unique_field: vat\n", 1)
    });

    let (_, told) = asked(&stage, &["shop"]);

    let all = told["findings"].as_array().unwrap();
    let lines: Vec<u64> =
        all.iter().filter(|one| one["code"] == "PL0707").map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!((codes(&told), lines.len()), (vec!["PL0707", "PL0707"], 2), "{told:#}");
    found(&stage, &told, "PL0707", SHOP, "unique_field: vat");
}

#[test]
fn an_application_that_is_not_there_is_a_wrong_command() {
    let stage = Stage::new();

    stage.cli(&["doctor", "crn"]).fails_with(64, &["no application `crn`", "crm, erp"]);
}
