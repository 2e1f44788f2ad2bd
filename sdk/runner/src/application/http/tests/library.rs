//! The descriptions of the library at work: what is sent as their systems' documentation has it, and what is understood.

use pairline_sdk::{Application, Outcome, ReadError, Write};
use serde_json::{Value, json};

use super::super::stage::{Stage, answer, exchange, fields, ok, stage};
use crate::application::played::{Exchange, Played};

const TRYTON: &str = include_str!("../../../../../../topologies/library/tryton.yaml");
const SALESFORCE: &str = include_str!("../../../../../../topologies/library/salesforce.yaml");
const STRIPE: &str = include_str!("../../../../../../topologies/library/stripe.yaml");
const DIRECTUS: &str = include_str!("../../../../../../topologies/library/directus.yaml");

fn sent(mut exchange: Exchange, json: Value) -> Exchange {
    exchange.expect.json = Some(json);
    exchange
}

fn with_header(mut exchange: Exchange, name: &str, value: &str) -> Exchange {
    exchange.expect.headers.insert(name.to_owned(), value.to_owned());
    exchange
}

fn rpc(answer: Played) -> Exchange {
    exchange("POST", "/rpc/", answer)
}

/// A login that is answered with this token.
fn login(token: &str) -> Exchange {
    let params = json!(["TRYTON_USER", { "password": "TRYTON_PASSWORD" }, "en"]);
    let body = json!({ "id": 1, "method": "common.db.login", "params": params });
    sent(rpc(ok(json!({ "id": 1, "result": [2, token, null] }))), body)
}

fn party() -> Value {
    json!({
        "id": 7, "name": "Ada", "active": 1, "_timestamp": "1795330620.8878",
        "write_date": { "__class__": "datetime", "year": 2026, "month": 11, "day": 22, "hour": 6, "minute": 57,
            "second": 0, "microsecond": 887_799 },
        "identifiers.": [{ "id": 1, "code": "CZ123" }, { "id": 2, "code": "crm:101" }],
    })
}

#[tokio::test]
async fn one_login_is_enough_until_the_session_is_over() {
    let read = || rpc(ok(json!({ "id": 1, "result": [party()] })));
    let header = |token| {
        let text = format!("TRYTON_USER:2:{token}");
        format!("Session {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text))
    };
    let stage = stage(
        TRYTON,
        vec![
            login("first"),
            with_header(read(), "authorization", &header("first")),
            with_header(read(), "authorization", &header("first")),
            with_header(rpc(answer(401, "")), "authorization", &header("first")),
            login("second"),
            with_header(read(), "authorization", &header("second")),
        ],
    );

    for _ in 0..2 {
        let record = stage.application.read("7").await.unwrap().unwrap();
        assert_eq!(record.value("crm_id"), Some(&json!("101")));
        assert_eq!(record.version.as_deref(), Some("1795330620.8878"));
    }
    let over = stage.application.read("7").await;
    assert!(matches!(&over, Err(ReadError::Wait { reason, .. }) if reason.contains("sign in again")), "{over:?}");
    stage.application.read("7").await.unwrap().unwrap();
    stage.is_as_expected();
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_and_not_tried_again_at_once() {
    let stage = stage(TRYTON, vec![rpc(answer(401, "<html>"))]);

    for _ in 0..2 {
        let refused = stage.application.read("7").await;
        let Err(ReadError::Wait { reason, .. }) = refused else { panic!("{refused:?}") };
        assert!(reason.contains("does not let us sign in: check") || reason.contains("credentials"), "{reason}");
    }
    stage.is_as_expected();
}

#[tokio::test]
async fn a_party_is_made_changed_and_found_by_json_rpc() {
    let call = |method: &str, params: Value| json!({ "id": 1, "method": method, "params": params });
    let identifiers = json!([["create", [{ "code": "crm:101" }]]]);
    let stage = stage(
        TRYTON,
        vec![
            login("t"),
            sent(
                rpc(ok(json!({ "id": 1, "result": [7] }))),
                call("model.party.party.create", json!([[{ "identifiers": identifiers, "name": "Ada" }], {}])),
            ),
            sent(
                rpc(ok(json!({ "id": 1, "result": null }))),
                call(
                    "model.party.party.write",
                    json!([[7], { "name": "Ada King" }, { "_timestamp": { "party.party,7": "1.000007" } }]),
                ),
            ),
            rpc(ok(json!({ "id": 1, "error": ["ConcurrencyException", ["Somebody was faster"]] }))),
            rpc(ok(json!({ "id": 1, "error": ["UserError", ["You are not allowed.", "", null]] }))),
            rpc(ok(json!({ "id": 1, "result": [] }))),
            rpc(ok(json!({ "id": 1, "result": [party()] }))),
        ],
    );
    let update = |fields| Write::Update { id: "7".to_owned(), fields, version: Some("1.000007".to_owned()) };

    let made = stage.send(&Write::Create { fields: fields(json!({ "name": "Ada", "crm_id": "101" })) }).await;
    let Outcome::Committed { record } = made else { panic!("{made:?}") };
    assert_eq!(record.id, "7");
    let changed = stage.send(&update(fields(json!({ "name": "Ada King" })))).await;
    let Outcome::Committed { record } = changed else { panic!("{changed:?}") };
    assert_eq!(record.id, "7");
    let outdated = stage.send(&update(fields(json!({ "name": "Ada" })))).await;
    assert!(matches!(outdated, Outcome::Outdated { .. }), "{outdated:?}");
    let refused = stage.send(&update(fields(json!({ "name": "Ada" })))).await;
    assert!(matches!(refused, Outcome::Failed { .. }), "{refused:?}");
    assert_eq!(stage.application.read("9").await, Ok(None));
    let found = stage.application.find("crm_id", "101").await.unwrap();
    assert_eq!(found.len(), 1);
    stage.is_as_expected();
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_no_proof_that_anything_was_changed() {
    let html = || rpc(answer(200, "<html>"));
    let stage = stage(TRYTON, vec![login("t"), html(), html(), rpc(answer(200, r#"{"id":1}"#))]);

    let update = Write::Update { id: "7".to_owned(), fields: fields(json!({ "name": "Ada" })), version: None };
    let create = Write::Create { fields: fields(json!({ "name": "Ada" })) };
    for write in [&update, &create, &create] {
        let outcome = stage.send(write).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    }
    stage.is_as_expected();
}

#[tokio::test]
async fn a_listing_goes_on_behind_its_last_id() {
    let page = |first: u64, many: u64| {
        let parties = (first..first + many).map(|id| {
            let mut party = party();
            party["id"] = json!(id);
            party
        });
        rpc(ok(json!({ "id": 1, "result": parties.collect::<Value>() })))
    };
    let stage = stage(TRYTON, vec![login("t"), page(1, 100), page(101, 2)]);

    let first = stage.application.changed(&Value::Null, None).await.unwrap();
    let second = stage.application.changed(&Value::Null, first.next.as_ref()).await.unwrap();

    assert_eq!((first.records.len(), second.records.len(), second.next), (100, 2, None));
    assert!(first.next.unwrap().to_string().contains(r#""100""#));
    stage.is_as_expected();
}

#[tokio::test]
async fn an_upsert_names_our_id_in_its_path_and_nowhere_else() {
    let token = ok(json!({ "access_token": "token-1", "expires_in": 3600 }));
    let path = "/services/data/v62.0/sobjects/Contact/CrmId__c/101";
    let made = answer(201, r#"{"id":"003A","success":true,"errors":[]}"#);
    let upsert = with_header(exchange("PATCH", path, made), "authorization", "Bearer token-1");
    let stage = stage(
        SALESFORCE,
        vec![
            exchange("POST", "/services/oauth2/token", token),
            sent(upsert, json!({ "LastName": "King" })),
            exchange("PATCH", "/services/data/v62.0/sobjects/Contact/003A", answer(204, "")),
        ],
    );

    let create = Write::Create { fields: fields(json!({ "LastName": "King", "CrmId__c": "101" })) };
    let Outcome::Committed { record } = stage.send(&create).await else { panic!("expected a record") };
    assert_eq!(record.id, "003A");
    let update =
        Write::Update { id: "003A".to_owned(), fields: fields(json!({ "LastName": "Lovelace" })), version: None };
    assert!(matches!(stage.send(&update).await, Outcome::Committed { .. }));
    let nameless = Write::Create { fields: fields(json!({ "LastName": "King" })) };
    assert!(stage.application.render(&nameless).unwrap_err().contains("`CrmId__c`"));
    stage.is_as_expected();
}

#[tokio::test]
async fn a_listing_goes_on_where_its_answer_says_but_not_at_another_host() {
    let token = || exchange("POST", "/services/oauth2/token", ok(json!({ "access_token": "token-1" })));
    let contact = json!({ "Id": "003A", "SystemModstamp": "2026-11-22T06:57:00.000+0000", "LastName": "King" });
    for (next, is_ours) in [
        ("/services/data/v62.0/query/01g-2000", true),
        ("https://example.my.salesforce.com/services/data/v62.0/query/01g-2000", true),
        ("https://elsewhere.example/services/data/v62.0/query/01g-2000", false),
        ("//elsewhere.example/query", false),
        ("http://example.my.salesforce.com/query", false),
        ("https://user@example.my.salesforce.com/query", false),
        ("https://example.my.salesforce.com:8443/query", false),
        ("http://169.254.169.254/latest", false),
        ("file:///etc/passwd", false),
    ] {
        let query = "SELECT Id, FirstName, LastName, Email, Phone, CrmId__c, IsDeleted, SystemModstamp FROM Contact WHERE \
                     SystemModstamp >= 1970-01-01T00:00:00.000Z ORDER BY Id";
        let escaped = [(" ", "%20"), (",", "%2C"), (">", "%3E"), ("=", "%3D"), (":", "%3A")];
        let query = escaped.iter().fold(query.to_owned(), |query, (sign, escaped)| query.replace(sign, escaped));
        let path = format!("/services/data/v62.0/query?q={query}");
        let page = ok(json!({ "records": [contact.clone()], "nextRecordsUrl": next }));
        let mut exchanges = vec![token(), exchange("GET", &path, page)];
        if is_ours {
            exchanges.push(exchange("GET", "/services/data/v62.0/query/01g-2000", ok(json!({ "records": [] }))));
        }
        let stage = stage(SALESFORCE, exchanges);

        let first = stage.application.changed(&Value::Null, None).await;

        match first {
            Ok(first) => {
                assert!(is_ours, "{next}");
                stage.application.changed(&Value::Null, first.next.as_ref()).await.unwrap();
            }
            Err(error) => assert!(!is_ours && matches!(error, ReadError::Refused(_)), "{next}: {error:?}"),
        }
        stage.is_as_expected();
    }
}

#[test]
fn a_customer_is_sent_as_a_form() {
    let stage = stage(STRIPE, vec![]);

    let write = Write::Create { fields: fields(json!({ "name": "Ada", "metadata.crm_id": "101" })) };

    let request = stage.application.render(&write).unwrap();
    assert_eq!(request.body, "name=Ada&metadata%5Bcrm_id%5D=101");
}

#[tokio::test]
async fn a_record_may_be_wrapped_and_what_is_not_there_be_forbidden() {
    let contact = json!({ "id": "u-1", "erp_id": "7", "date_updated": "2026-11-22T06:57:00.000Z" });
    let forbidden = answer(403, r#"{"errors":[{"extensions":{"code":"FORBIDDEN"}}]}"#);
    let stage = stage(
        DIRECTUS,
        vec![
            exchange("POST", "/items/contacts", ok(json!({ "data": contact }))),
            exchange("GET", "/items/contacts/u-1", ok(json!({ "data": contact }))),
            exchange("GET", "/items/contacts/u-2", forbidden),
            exchange("GET", "/items/contacts/u-3", ok(json!({}))),
        ],
    );

    let made = stage.send(&Write::Create { fields: fields(json!({ "erp_id": "7" })) }).await;
    let Outcome::Committed { record } = made else { panic!("{made:?}") };
    assert_eq!((record.id.as_str(), record.value("erp_id")), ("u-1", Some(&json!("7"))));
    assert!(stage.application.read("u-1").await.unwrap().is_some());
    assert_eq!(stage.application.read("u-2").await, Ok(None));
    assert!(stage.application.read("u-3").await.is_err(), "an answer without a record is no proof that it is gone");
    stage.is_as_expected();
}

#[tokio::test]
async fn what_was_made_and_never_changed_is_listed_too() {
    let directus = "/items/contacts?filter%5B_or%5D%5B0%5D%5Bdate_updated%5D%5B_gte%5D=1970-01-01T00%3A00%3A00.000Z\
        &filter%5B_or%5D%5B1%5D%5Bdate_created%5D%5B_gte%5D=1970-01-01T00%3A00%3A00.000Z&sort=id&limit=100";
    let made = json!({ "id": 1, "date_created": "2026-11-22T06:57:00.000Z", "date_updated": null });
    let customer = json!({ "id": "cus_1", "created": 1_795_331_088 });
    for (text, path, record) in
        [(DIRECTUS, directus, made), (STRIPE, "/v1/customers?created%5Bgte%5D=0&limit=100", customer)]
    {
        let stage = stage(text, vec![exchange("GET", path, ok(json!({ "data": [record] })))]);

        let page = stage.application.changed(&Value::Null, None).await.unwrap();

        assert_eq!((page.records.len(), page.next), (1, None));
        stage.is_as_expected();
    }
}

impl Stage {
    async fn send(&self, write: &Write) -> Outcome {
        self.application.send(&self.intent(write)).await
    }
}
