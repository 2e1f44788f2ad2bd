//! Two systems that have lived side by side for years are not doubled by the first start.

use serde_json::json;

use super::stage::Stage;
use super::wait::until;

#[test]
fn records_on_both_sides_hold_creates_back_until_an_operator_allows_them() {
    let stage = Stage::new();
    // Nobody announces them: they were there long before.
    let nowhere = "http://127.0.0.1:9/";
    stage.crm.set_webhook_url(nowhere);
    stage.erp.set_webhook_url(nowhere);
    stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    stage.erp.person_creates(json!({ "email": "grace@example.org", "name": "Grace Hopper" })).unwrap();

    let runner = stage.run(&["--poll-ms", "200"]);

    runner.says("creates are held back");
    let looked = || stage.crm.calls().of("GET", "contact") > 0 && stage.erp.calls().of("GET", "customer") > 0;
    until("both records were looked at", || looked().then_some(()));
    let status = stage.cli(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    for part in ["creates", "held back", "`crm` and `erp` had records that are not linked", "creates allow --yes"] {
        assert!(status.stdout.contains(part), "expected `{part}`, found {status:?}");
    }
    assert!(stage.asked(&["status"])["creates"]["held"].as_str().unwrap().contains("not linked"));
    // It stays so over a restart, and over a careless `allow`.
    runner.stop();
    let runner = stage.run(&["--poll-ms", "200"]);
    stage.cli(&["creates", "allow"]).fails_with(64, &["every record without a link will get a counterpart", "--yes"]);
    assert!(stage.asked(&["status"])["creates"]["held"].is_string());
    assert_eq!(stage.writes(), 0, "something was written while creates were held back");

    let allowed = stage.cli(&["creates", "allow", "--yes"]);

    assert_eq!(allowed.code, 0, "{allowed:?}");
    assert!(allowed.stdout.contains("every record is looked at again"), "{allowed:?}");
    stage.agrees_on(2);
    assert_eq!(stage.cli(&["status"]).code, 0);
    runner.stop();
}
