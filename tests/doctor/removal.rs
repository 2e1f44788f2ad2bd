//! Scratch records go again where it is described how, and nothing else does.

use serde_json::{Value, json};

use super::remote::{Remote, Ways};
use super::{asked, changed, codes, fact, found, of, project};
use crate::bad_input::stage::{Said, Stage};

const CRM: &str = "applications/crm.yaml";
const SHOP: &str = "applications/shop.yaml";

/// A shop whose description says how a record is removed.
fn removing(stage: &Stage, ways: Ways) -> Remote {
    Remote::connected(stage, ways, |text| {
        let update = "  update: { method: PATCH, path: \"/items/{id}\" }\n";
        let delete = "  delete: { method: DELETE, path: \"/items/{id}\" }\n";
        assert!(text.contains(update));
        text.replacen(update, &format!("{update}{delete}"), 1)
    })
}

fn probed(stage: &Stage) -> (Said, Value) {
    asked(stage, &["shop", "--probe"])
}

#[test]
fn the_reference_systems_hold_nothing_of_a_probe_when_it_is_over() {
    let stage = Stage::new();
    let mine = stage.crm.person_creates(json!({ "email": "ada@example.test", "firstname": "pairline" })).unwrap();

    let (said, told) = asked(&stage, &["--probe"]);

    assert_eq!(codes(&told), [""; 0], "{told:#}");
    let (crm, erp) = (stage.crm.snapshot(), stage.erp.snapshot());
    assert_eq!((crm.len(), erp.len()), (3, 2), "{told:#}");
    assert!(crm.iter().chain(&erp).all(|record| record.gone == (record.id != mine)), "{crm:?} {erp:?}");
    for system in ["crm", "erp"] {
        let examined = of(&told, system);
        assert_eq!((&examined["made"], examined["removed"].as_array().unwrap().len()), (&json!([]), 2), "{told:#}");
        assert_eq!(fact(examined, "scratch records"), "2 made and removed again");
    }
    assert!(!said.stdout.contains("delete by hand"), "{said:?}");
}

#[test]
fn what_is_not_described_stays_to_be_deleted_by_hand() {
    let stage = Stage::new();
    project(&stage, CRM, |text| {
        let (before, behind) = text.split_once("  delete: ").unwrap();
        format!("{before}{}", behind.split_once('\n').unwrap().1)
    });

    let said = stage.cli(&["--config", "project", "doctor", "crm", "--probe"]);

    assert_eq!(said.code, 0, "{said:?}");
    let ids: Vec<String> = stage.crm.snapshot().iter().map(|record| format!("crm:{}", record.id)).collect();
    assert_eq!(ids.len(), 2);
    assert!(said.stdout.contains(&format!("makes counterparts: {} (", ids.join(", "))), "{said:?}");
    assert!(stage.crm.snapshot().iter().all(|record| !record.gone));
}

#[test]
fn what_was_found_wrong_is_removed_all_the_same() {
    let stage = Stage::new();
    let remote = removing(&stage, Ways { doubles: true, forgets: vec!["tel"], ..Ways::default() });

    let (_, told) = probed(&stage);

    // Nobody was told of two of them; they were found by what they hold.
    found(&stage, &told, "PL0716", SHOP, "create:");
    found(&stage, &told, "PL0708", SHOP, "record:");
    assert_eq!((remote.records(), remote.removals()), (0, 4), "{told:#}");
    assert_eq!(of(&told, "shop")["made"], json!([]));
}

#[test]
fn a_probe_that_gets_no_further_removes_what_it_has_made() {
    let stage = Stage::new();
    // It takes a second record with none of the values of the first, and no update at all.
    let remote = removing(&stage, Ways { refuses_second: Some("no-such-field"), ..Ways::default() });
    changed(&stage, SHOP, |text| {
        text.replacen("update: { method: PATCH, path: \"/items", "update: { method: PATCH, path: \"/nowhere", 1)
    });

    let (_, told) = probed(&stage);

    assert!(fact(of(&told, "shop"), "updates").contains("could not be changed"), "{told:#}");
    assert_eq!((remote.records(), remote.removals()), (0, 1), "{told:#}");
}

#[test]
fn a_record_whose_answer_was_lost_is_found_by_its_mark_and_removed() {
    let stage = Stage::new();
    let remote = removing(&stage, Ways { loses_answers: true, ..Ways::default() });

    let (_, told) = probed(&stage);

    found(&stage, &told, "PL0717", SHOP, "create:");
    assert_eq!((remote.records(), remote.removals(), codes(&told).len()), (0, 1, 1), "{told:#}");
    assert_eq!(of(&told, "shop")["removed"], json!(["I-1"]));
}

#[test]
fn a_record_that_cannot_be_removed_is_told_and_left_to_be_deleted_by_hand() {
    for (ways, reason, calls) in [
        (Ways { removes_with: Some(422), ..Ways::default() }, "422", 2),
        (Ways { removes_with: Some(403), ..Ways::default() }, "refuses our credentials (403)", 1),
        (Ways { keeps: true, ..Ways::default() }, "it was answered that it is gone, and it is not", 1),
    ] {
        let stage = Stage::new();
        let remote = removing(&stage, ways);

        let (_, told) = probed(&stage);

        let finding = found(&stage, &told, "PL0720", SHOP, "delete:");
        assert_eq!((&told["errors"], &finding["severity"]), (&json!(0), &json!("warning")), "{told:#}");
        assert!(finding["message"].as_str().unwrap().contains(reason), "{told:#}");
        assert_eq!(of(&told, "shop")["made"].as_array().unwrap().len(), remote.records(), "{told:#}");
        assert_eq!(remote.removals(), calls, "{reason}");
        assert_eq!((remote.records(), fact(of(&told, "shop"), "scratch records")), (2, "2 made, 0 removed again"));
        let said = stage.cli(&["--config", "project", "doctor", "shop", "--probe"]);
        assert!(said.stdout.contains("delete by hand") && said.stdout.contains("shop:I-3"), "{said:?}");
    }
}

#[test]
fn a_record_that_a_create_was_answered_with_and_that_is_somebodys_is_not_removed() {
    let stage = Stage::new();
    let remote = removing(&stage, Ways { names_the_first: true, ..Ways::default() });
    remote.enters(json!({ "id": "I-1", "at": 1_700_000_000_000_i64, "mail": "ada@example.test" }));

    let (_, told) = probed(&stage);

    let finding = found(&stage, &told, "PL0720", SHOP, "delete:");
    assert_eq!(finding["severity"], "warning", "{told:#}");
    assert!(finding["message"].as_str().unwrap().starts_with("scratch record I-1 was not removed: it does not hold"));
    assert_eq!((remote.removals(), of(&told, "shop")["made"].clone()), (0, json!(["I-1"])), "{told:#}");
}

#[test]
fn a_record_that_has_a_counterpart_by_now_is_not_removed() {
    let stage = Stage::new();
    let remote = removing(&stage, Ways { pairs_by: Some("ref"), ..Ways::default() });

    let (_, told) = probed(&stage);

    let finding = found(&stage, &told, "PL0720", SHOP, "delete:");
    assert!(finding["message"].as_str().unwrap().ends_with("it has `101` for its counterpart by now"), "{told:#}");
    assert_eq!((remote.removals(), remote.records()), (0, of(&told, "shop")["made"].as_array().unwrap().len()));
}

#[test]
fn a_record_that_is_not_found_where_it_was_made_is_not_taken_for_removed() {
    let stage = Stage::new();
    let remote = removing(&stage, Ways::default());
    changed(&stage, SHOP, |text| {
        text.replacen("read: { method: GET, path: \"/items/{id}", "read: { method: GET, path: \"/items/none-{id}", 1)
    });

    let (_, told) = probed(&stage);

    found(&stage, &told, "PL0720", SHOP, "delete:");
    assert_eq!((remote.removals(), remote.records()), (0, of(&told, "shop")["made"].as_array().unwrap().len()));
}
