//! What is measured with `--probe`: the classes are told apart, and a promise that is not kept is found.

use std::time::Duration;

use pairline_fakes::{CrmConfig, UniqueRules};
use serde_json::json;

use super::remote::{Remote, SESSION, TOKEN, Ways};
use super::{asked, codes, fact, found, of, project};
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::until;

const CRM: &str = "applications/crm.yaml";
const SHOP: &str = "applications/shop.yaml";
const FIND: &str = "find: { index_lag: 3s }";

/// A CRM that takes an e-mail address once only, or one that does not, and a description that promises that it does.
fn unique(email: bool) -> Stage {
    let stage = Stage::with_crm(|config| CrmConfig { enforce_unique: UniqueRules { email, erp_id: false }, ..config });
    project(&stage, CRM, |text| text.replacen(FIND, "unique_field: email\n  find: { index_lag: 3s }", 1));
    stage
}

#[test]
fn a_field_that_is_taken_once_is_class_a() {
    let stage = unique(true);

    let (_, told) = asked(&stage, &["crm", "--probe"]);

    let crm = of(&told, "crm");
    assert_eq!((&crm["promised"], &crm["measured"]), (&json!("A"), &json!("A")), "{told:#}");
    assert_eq!(codes(&told), [""; 0], "{told:#}");
    // The refused one made nothing, and the one there is can be told from others.
    let records = stage.crm.snapshot();
    assert_eq!((json!([records[0].id]), records.len()), (crm["removed"].clone(), 1));
    let marker = crm["marker"].as_str().unwrap();
    assert!(records[0].fields["erp_id"].as_str().unwrap().contains(marker), "{records:?}");
}

#[test]
fn a_field_that_is_taken_twice_is_not_class_a_whatever_is_promised() {
    let stage = unique(false);

    let (_, told) = asked(&stage, &["crm", "--probe"]);

    found(&stage, &told, "PL0711", CRM, "unique_field: email");
    let crm = of(&told, "crm");
    assert_eq!((&crm["promised"], &crm["measured"]), (&json!("A"), &json!("C")), "{told:#}");
    assert_eq!(crm["removed"].as_array().unwrap().len(), stage.crm.snapshot().len());
    assert_eq!(stage.crm.snapshot().len(), 2);
}

#[test]
fn a_field_that_is_taken_once_is_found_although_nothing_is_promised() {
    let stage =
        Stage::with_crm(|config| CrmConfig { enforce_unique: UniqueRules { email: false, erp_id: true }, ..config });

    let (_, told) = asked(&stage, &["crm", "--probe"]);

    let crm = of(&told, "crm");
    assert_eq!((&crm["promised"], &crm["measured"]), (&json!("C"), &json!("A")), "{told:#}");
    assert!(fact(crm, "uniqueness").contains("`capabilities.unique_field: erp_id`"), "{told:#}");
    assert_eq!(stage.crm.snapshot().len(), 2);
}

#[test]
fn a_key_that_is_honoured_is_class_b() {
    let stage = Stage::new();

    let (said, told) = asked(&stage, &["erp", "--probe"]);

    let erp = of(&told, "erp");
    assert_eq!((&erp["promised"], &erp["measured"]), (&json!("B"), &json!("B")), "{told:#}");
    assert_eq!(codes(&told), [""; 0], "{told:#}");
    assert!(said.stderr.starts_with("writing: "), "{said:?}");
    // One that was asked for twice with one key, and one with another key.
    assert_eq!(stage.erp.snapshot().len(), 2);
    assert_eq!(stage.crm.calls().total(), 0);
}

#[test]
fn a_key_that_is_ignored_is_not_class_b_whatever_is_promised() {
    let stage = Stage::new();
    let key = "idempotency_key: { header: Idempotency-Key, ttl: 24h, margin: 1h }";
    let remote = Remote::connected(&stage, Ways::default(), |text| {
        text.replacen("capabilities:\n", &format!("capabilities:\n  {key}\n"), 1)
    });

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    found(&stage, &told, "PL0712", SHOP, "idempotency_key");
    let shop = of(&told, "shop");
    assert_eq!((&shop["promised"], &shop["measured"]), (&json!("B"), &json!("C")), "{told:#}");
    assert_eq!((remote.records(), shop["made"].clone()), (2, json!(["I-1", "I-2"])));
}

#[test]
fn a_search_is_class_c_and_its_lag_is_measured() {
    let stage = Stage::new();
    stage.crm.set_search_lag_ms(1_000);

    let (_, told) = asked(&stage, &["crm", "--probe"]);

    let crm = of(&told, "crm");
    assert_eq!((&crm["promised"], &crm["measured"]), (&json!("C"), &json!("C")), "{told:#}");
    assert_eq!(codes(&told), [""; 0], "{told:#}");
    let median = crm["index_lag"]["median_ms"].as_u64().unwrap();
    assert!((800..=1_200).contains(&median), "{told:#}");
    assert_eq!(crm["index_lag"]["samples"], 5);
}

#[test]
fn a_lag_that_is_longer_than_promised_is_found() {
    let stage = Stage::new();
    stage.crm.set_search_lag_ms(1_000);
    project(&stage, CRM, |text| text.replacen(FIND, "find: { index_lag: 500ms }", 1));

    let (_, told) = asked(&stage, &["crm", "--probe"]);

    let finding = found(&stage, &told, "PL0714", CRM, "index_lag: 500ms");
    assert!(finding["help"].as_str().unwrap().starts_with("write at least `"), "{told:#}");
}

#[test]
fn a_system_that_offers_nothing_is_class_d() {
    let stage = Stage::new();
    let remote = Remote::connected(&stage, Ways::default(), |text| {
        let (before, rest) = text.split_once("  find:\n").unwrap();
        let (_, after) = rest.split_once("records: /items }\n").unwrap();
        format!("{before}{after}").replacen("  find: { index_lag: 1s }\n", "", 1)
    });

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    let shop = of(&told, "shop");
    assert_eq!((&shop["promised"], &shop["measured"]), (&json!("D"), &json!("D")), "{told:#}");
    assert_eq!(codes(&told), [""; 0], "{told:#}");
    assert_eq!(remote.records(), 2);
}

#[test]
fn a_field_that_is_forgotten_and_one_that_is_renamed_are_found() {
    let stage = Stage::new();
    let ways = Ways { forgets: vec!["tel"], renames: [("ref", "ext_ref")].into(), ..Ways::default() };
    Remote::connected(&stage, ways, |text| text);

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    assert_eq!(codes(&told).len(), 2, "{told:#}");
    let forgotten = found(&stage, &told, "PL0708", SHOP, "record:");
    assert!(forgotten["message"].as_str().unwrap().starts_with("`tel` was sent"), "{told:#}");
    let renamed = found(&stage, &told, "PL0709", SHOP, "record:");
    assert_eq!(renamed["help"], "write `renamed: { ref: ext_ref }` below `record`");
    assert_eq!(of(&told, "shop")["measured"], "D", "{told:#}");
}

#[test]
fn what_the_doctor_says_to_write_is_right() {
    let stage = Stage::new();
    let ways = Ways { renames: [("ref", "ext_ref")].into(), ..Ways::default() };
    Remote::connected(&stage, ways, |text| text.replacen("record:\n", "record:\n  renamed: { ref: ext_ref }\n", 1));

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    assert_eq!(codes(&told), [""; 0], "{told:#}");
    assert_eq!(of(&told, "shop")["measured"], "C", "{told:#}");
}

#[test]
fn a_second_record_that_is_refused_without_saying_why_is_found() {
    let stage = Stage::new();
    let ways = Ways { refuses_second: Some("mail"), ..Ways::default() };
    let remote = Remote::connected(&stage, ways, |text| {
        text.replacen("capabilities:\n", "capabilities:\n  unique_field: mail\n", 1)
    });

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    found(&stage, &told, "PL0713", SHOP, "rules:");
    assert_eq!((&of(&told, "shop")["measured"], remote.records()), (&json!("A"), 1), "{told:#}");
}

#[test]
fn a_record_that_is_made_by_a_path_with_our_id_is_class_a() {
    let stage = Stage::new();
    let remote = Remote::connected(&stage, Ways::default(), |text| {
        let text = text.replacen("{ method: POST, path: /items }", "{ method: PUT, path: \"/by-ref/{field ref}\" }", 1);
        text.replacen("capabilities:\n", "capabilities:\n  upsert: true\n", 1)
    });

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    let shop = of(&told, "shop");
    assert_eq!((&shop["promised"], &shop["measured"]), (&json!("A"), &json!("A")), "{told:#}");
    assert_eq!(codes(&told), [""; 0], "{told:#}");
    assert_eq!(remote.records(), 1);
}

#[test]
fn a_record_that_nobody_was_told_of_is_found() {
    let stage = Stage::new();
    let remote = Remote::connected(&stage, Ways { doubles: true, ..Ways::default() }, |text| text);

    let (_, told) = asked(&stage, &["shop", "--probe"]);

    let stray = found(&stage, &told, "PL0716", SHOP, "create:");
    // The last one is left of the record that was made with all the same values.
    assert_eq!(stray["message"], "there are records that no create was answered with: I-2, I-4", "{told:#}");
    assert_eq!(of(&told, "shop")["made"].as_array().unwrap().len(), remote.records());
}

#[test]
fn a_value_that_comes_back_as_another_is_shown_without_the_secret_in_it() {
    let session = r#"auth: { session: { path: /login, body: { key: "${SHOP_TOKEN}" }, take: { token: /token }, prefix: "Bearer ", value: "{token}" } }"#;
    for (auth, what) in [(None, TOKEN), (Some(session), SESSION)] {
        let stage = Stage::new();
        let ways = Ways { tells: Some(("title", what)), ..Ways::default() };
        Remote::connected(&stage, ways, |text| match auth {
            Some(session) => text.replacen(r#"auth: { bearer: "${SHOP_TOKEN}" }"#, session, 1),
            None => text,
        });

        let (said, told) = asked(&stage, &["shop", "--probe"]);
        let as_text = stage.cli(&["--config", "project", "doctor", "shop", "--probe"]);

        found(&stage, &told, "PL0710", SHOP, "record:");
        for said in [said, as_text] {
            assert!(!said.stdout.contains("canary") && !said.stderr.contains("canary"), "{said:?}");
            assert!(said.stdout.contains("***"), "{said:?}");
        }
    }
}

#[test]
fn how_late_a_request_is_applied_that_was_given_up_is_measured() {
    for (slow, promised, is_kept) in [(400, "5s", true), (400, "300ms", false)] {
        let stage = Stage::new();
        let ways = Ways { slow: Some(Duration::from_millis(slow)), ..Ways::default() };
        Remote::connected(&stage, ways, |text| {
            text.replacen("request_life: 5s", &format!("request_life: {promised}"), 1)
        });

        let (_, told) = asked(&stage, &["shop", "--probe"]);

        if is_kept {
            assert_eq!(codes(&told), [""; 0], "{told:#}");
            let said = fact(of(&told, "shop"), "late requests");
            let late: u64 = said.split(" was applied ").nth(1).unwrap().split(" ms").next().unwrap().parse().unwrap();
            // A busy machine looks later.
            assert!((400..5000).contains(&late), "{said}");
        } else {
            let finding = found(&stage, &told, "PL0722", SHOP, "request_life:");
            assert!(finding["message"].as_str().unwrap().contains("promises 300 ms"), "{finding:#}");
        }
    }
}

#[test]
fn nothing_is_written_without_being_asked_for() {
    let stage = Stage::new();
    let remote = Remote::connected(&stage, Ways::default(), |text| text);
    stage.crm.person_creates(json!({ "email": "ada@example.test" })).unwrap();

    let (said, told) = asked(&stage, &[]);

    assert_eq!(told["applications"].as_array().unwrap().len(), 3);
    for application in ["crm", "erp", "shop"] {
        assert!(fact(of(&told, application), "reached").contains("the credentials are accepted"), "{told:#}");
        assert!(of(&told, application)["made"].as_array().unwrap().is_empty());
    }
    assert_eq!((stage.writes(), remote.writes()), (0, 0));
    assert!(said.stderr.is_empty() && !stage.path("data").exists(), "{said:?}");
}

#[test]
fn a_running_program_is_not_given_scratch_records() {
    let stage = Stage::new();
    let runner = stage.run(&[]);

    let said = stage.cli(&["doctor", "erp", "--probe"]);
    said.fails_with(75, &["nothing was written", "pairline pause"]);
    let (_, told) = asked(&stage, &[]);
    assert!(fact(of(&told, "crm"), "webhook").contains("the program is reached by it"), "{told:#}");
    assert_eq!(stage.writes(), 0);

    stage.cli(&["pause"]);
    until("the program has been paused, and the probe is let through", || {
        (stage.cli(&["doctor", "erp", "--probe"]).code == 0).then_some(())
    });
    runner.stop();
}
