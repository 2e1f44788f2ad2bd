//! Deliveries nobody should send.

use std::time::{SystemTime, UNIX_EPOCH};

use pairline_fakes::Faults;
use serde_json::{Value, json};

use super::http::{Answer, call, call_announcing, spoken};
use super::stage::{CrmSigner, Stage, pairline};
use super::wait::until;

/// Neither system announces anything by itself.
fn silent() -> Faults {
    Faults { delivery_dropped_rate: 1.0, ..Faults::default() }
}

/// A change that a person made in the CRM.
fn change(event: u64, contact: impl Into<Value>) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    json!({
        "eventId": event, "subscriptionId": 1, "portalId": 1, "appId": 4242, "occurredAt": u64::try_from(now).unwrap(),
        "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": contact.into(),
        "changeSource": "CRM_UI", "sourceId": "userId:1", "propertyName": "phone", "propertyValue": "1",
    })
}

fn nested(depth: usize) -> Vec<u8> {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

/// Asserts the status, and that the problem document says it in words.
fn refused(name: &str, answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{name}: {answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}: {answer:?}");
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["status"], status, "{name}: {answer:?}");
    assert!(problem["detail"].as_str().unwrap().contains(part), "{name}: expected `{part}`, found {answer:?}");
}

#[test]
fn a_bad_delivery_is_refused_in_words_and_a_good_one_still_works() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(pairline());
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org", "firstname": "Ada" })).unwrap();
    let good = json!([change(1, contact.parse::<u64>().unwrap())]).to_string().into_bytes();
    let crm = |body: &[u8]| stage.crm_webhook(body, 0);
    let post = |path: &str, body: &[u8]| call(stage.port, "POST", path, &[], body);
    let minutes = |minutes: i64| minutes * 60_000;
    let wrong = CrmSigner { secret: "a-guess", beside_now_ms: 0 };
    let hex = |text: &str| call(stage.port, "POST", "/webhooks/erp", &[("x-signature", text)], b"{}");

    for (name, answer, status, part) in [
        ("malformed", crm(b"[{\"eventId\": 1,"), 400, "expected JSON, found something else"),
        ("no JSON at all", crm(b"eventId=1"), 400, "expected JSON, found something else"),
        ("nothing", crm(b""), 400, "expected JSON, found something else"),
        ("not UTF-8", crm(b"[\"\xff\xfe\"]"), 400, "expected JSON, found something else"),
        ("one event without its list", crm(b"{}"), 400, "expected a list of events"),
        ("a list where one event belongs", stage.erp_webhook(b"[]"), 400, "expected one event as an object"),
        ("a key twice", stage.erp_webhook(br#"{"event_id":"a","event_id":"b"}"#), 400, "expected"),
        ("deeply nested", crm(&nested(40)), 400, "at most 32 deep"),
        ("far too deeply nested", crm(&nested(100_000)), 400, "at most 32 deep"),
        ("unsigned", post("/webhooks/crm", &good), 401, "expected a signature"),
        ("unsigned, by the ERP", post("/webhooks/erp", b"{}"), 401, "expected a signature"),
        ("wrongly signed", wrong.post(stage.port, &good), 401, "found another"),
        ("wrongly signed, by the ERP", hex(&format!("sha256={}", "0".repeat(64))), 401, "found another"),
        ("a signature that is none", hex("sha256=zz"), 401, "found another"),
        ("stale", stage.crm_webhook(&good, minutes(-6)), 401, "expected a timestamp of now"),
        ("from the future", stage.crm_webhook(&good, minutes(6)), 401, "expected a timestamp of now"),
        ("of an unknown application", post("/webhooks/wms", &good), 404, "no application of this name"),
        ("to nowhere", post("/hooks/crm", &good), 404, "there is nothing here"),
        ("read instead of sent", call(stage.port, "GET", "/webhooks/crm", &[], b""), 405, "expected another method"),
        ("by a wrong method", call(stage.port, "PUT", "/webhooks/crm", &[], &good), 405, "expected another method"),
    ] {
        refused(name, &answer, status, part);
    }

    assert_eq!(stage.writes(), 0, "a bad delivery was written");
    assert_eq!(stage.asked(&["status"])["waiting"], 0, "a bad delivery left something");
    assert_eq!(stage.asked(&["trash", "list"])["trash"], json!([]));
    let taken = stage.crm_webhook(&good, 0);
    assert_eq!(taken.status, 202, "{taken:?}");
    stage.agrees_on(1);
    let metrics = stage.get("/metrics").body;
    assert!(metrics.contains(r#"pairline_webhook_deliveries_total{application="crm",status="401"} 4"#), "{metrics}");
    runner.stop();
}

#[test]
fn fm_011_a_delivery_that_is_too_large_is_refused_before_it_is_read_whole() {
    const MOST: usize = 1 << 20;
    let stage = Stage::new();
    let runner = stage.run_on_webhooks_only(pairline());
    let signed = [("x-signature", "sha256=00")];

    // It says how long it is: refused by that alone. Nothing of the body is ever sent.
    let announced = call_announcing(stage.port, "POST", "/webhooks/erp", &signed, MOST + 1, b"");
    refused("announced", &announced, 413, "expected at most 1048576 bytes");
    // It does not say how long it is: refused once it is too long.
    let mut chunked = b"POST /webhooks/erp HTTP/1.1\r\nhost: a\r\nx-signature: sha256=00\r\n".to_vec();
    chunked.extend_from_slice(b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    chunked.extend_from_slice(format!("{:x}\r\n", MOST + 1).as_bytes());
    chunked.resize(chunked.len() + MOST + 1, b' ');
    refused("in pieces", &spoken(stage.port, &chunked), 413, "expected at most 1048576 bytes");
    // Just not too large, and not signed right.
    let largest = call(stage.port, "POST", "/webhooks/erp", &signed, &vec![b' '; MOST]);
    refused("the largest", &largest, 401, "found another");

    assert_eq!(stage.get("/livez").status, 200);
    runner.stop();
}

#[test]
fn fm_006_an_event_that_cannot_be_read_goes_to_the_trash_and_the_others_proceed() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(pairline());
    let person = |name: &str| {
        let email = format!("{name}@example.org");
        stage.crm.person_creates(json!({ "email": email, "firstname": name })).unwrap().parse::<u64>().unwrap()
    };
    let (ada, grace) = (person("ada"), person("grace"));
    let mut unknown = change(2, ada);
    unknown["subscriptionType"] = json!("contact.sang");
    let batch = json!([change(1, ada), unknown, 7, change(3, 1.5), change(4, grace)]);

    let answer = stage.crm_webhook(batch.to_string().as_bytes(), 0);

    assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"accepted":2,"duplicates":0,"unreadable":3}"#));
    stage.agrees_on(2);
    let listed = stage.asked(&["trash", "list"])["trash"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 3, "{listed:?}");
    let bodies: Vec<&str> = listed.iter().map(|item| item["body"].as_str().unwrap()).collect();
    assert!(bodies.iter().any(|body| body.contains("contact.sang")) && bodies.contains(&"7"), "{bodies:?}");
    // Each says why, and shows what was sent; and the way out of it works.
    let first = listed[0]["id"].to_string();
    let shown = stage.cli(&["trash", "show", &first]);
    assert!(
        shown.code == 0 && shown.stdout.contains("expected") && shown.stdout.contains("what was sent"),
        "{shown:?}"
    );
    stage.cli(&["trash", "approve", &first]).fails_with(1, &["can only be rejected"]);
    let rejected = stage.cli(&["trash", "reject", "all"]);
    assert_eq!((rejected.code, rejected.stdout.as_str()), (0, "3 rejected\n"));
    assert_eq!(stage.cli(&["trash", "list"]).stdout, "the trash is empty\n");
    runner.stop();
}

#[test]
fn fm_012_an_id_beyond_what_a_float_holds_is_taken_exactly_or_not_at_all() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(pairline());
    // 2^53 + 1 is the first whole number a float cannot hold; it would become the neighbour.
    let (exact, neighbour) = (9_007_199_254_740_993_u64, 9_007_199_254_740_992_u64);
    // Too large for any whole number of the machine: it could only be rounded.
    let larger = json!([change(3, 1)]).to_string().replace(r#""objectId":1,"#, r#""objectId":18446744073709551616,"#);
    let reads = stage.crm.calls().of("GET", "contact");

    let taken = stage.crm_webhook(json!([change(1, exact), change(2, u64::MAX)]).to_string().as_bytes(), 0);
    let rounded = stage.crm_webhook(larger.as_bytes(), 0);

    assert_eq!((taken.status, taken.body.as_str()), (202, r#"{"accepted":2,"duplicates":0,"unreadable":0}"#));
    assert_eq!((rounded.status, rounded.body.as_str()), (202, r#"{"accepted":0,"duplicates":0,"unreadable":1}"#));
    until("both are looked at", || (stage.crm.calls().of("GET", "contact") >= reads + 2).then_some(()));
    for (id, known) in [(exact, 0), (u64::MAX, 0), (neighbour, 1)] {
        let said = stage.cli(&["--json", "explain", &format!("crm:{id}")]);
        assert_eq!(said.code, known, "{said:?}");
        assert_eq!(said.json()["record"], format!("crm:{id}"));
    }
    let trash = stage.asked(&["trash", "list"]);
    assert!(trash["trash"][0]["reason"].as_str().unwrap().contains("exact number"), "{trash}");
    assert_eq!(stage.writes(), 0);
    runner.stop();
}
