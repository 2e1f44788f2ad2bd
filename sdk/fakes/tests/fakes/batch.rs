//! Many contacts in one call.

use std::collections::BTreeMap;
use std::time::Duration;

use pairline_fakes::{CrmConfig, Deed, Faults, UniqueRules, Writer};
use serde_json::{Value, json};

use crate::caller::{Answer, CONTACTS, Caller, crm};
use crate::crm::created;
use crate::receiver::{Receiver, Reply};

async fn batch(caller: &Caller, what: &str, body: Value) -> Answer {
    caller.post(&format!("{CONTACTS}/batch/{what}"), body).await
}

fn ids(answer: &Answer) -> Vec<String> {
    let results = answer.json()["results"].as_array().expect("results").clone();
    results.iter().map(|contact| contact["id"].as_str().expect("an id").to_owned()).collect()
}

fn to_create(emails: &[&str]) -> Value {
    let input = |email: &&str| json!({ "properties": { "email": email }, "associations": [] });
    json!({ "inputs": emails.iter().map(input).collect::<Vec<_>>() })
}

fn unique() -> CrmConfig {
    CrmConfig { enforce_unique: UniqueRules { email: true, erp_id: true }, ..CrmConfig::default() }
}

#[tokio::test]
async fn contacts_are_made_together_each_with_its_history_and_its_webhook() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm(CrmConfig { webhook_url: Some(receiver.url.clone()), ..CrmConfig::default() }).await;

    let answer = batch(&caller, "create", to_create(&["a", "b", "c"])).await;

    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()["status"], "COMPLETE");
    assert_eq!(answer.json().get("errors"), None);
    assert!(answer.json()["startedAt"].as_str() <= answer.json()["completedAt"].as_str());
    assert_eq!(ids(&answer), ["101", "102", "103"]);
    assert_eq!(caller.get(&format!("{CONTACTS}/102")).await.json(), answer.json()["results"][1]);
    for id in ids(&answer) {
        let history = crm.history(&id);
        assert_eq!((history.len(), history[0].deed), (1, Deed::Created));
        assert!(matches!(history[0].writer, Writer::Caller { .. }));
    }
    let told = receiver.wait_for(3).await;
    let mut objects: Vec<_> = told.iter().map(|delivery| delivery[0]["objectId"].as_u64().unwrap()).collect();
    objects.sort_unstable();
    assert_eq!(objects, [101, 102, 103]);
    assert!(told.iter().all(|delivery| delivery[0]["subscriptionType"] == "contact.creation"), "{told:?}");
}

#[tokio::test]
async fn of_creates_whose_values_are_taken_none_is_made_unless_each_has_a_trace_id() {
    let (crm, caller) = crm(unique()).await;
    let taken = created(&caller, json!({ "email": "taken" })).await;

    let refused = batch(&caller, "create", to_create(&["new", "taken"])).await;
    let twice = batch(&caller, "create", to_create(&["new", "new"])).await;
    let mut traced = to_create(&["new", "taken", "new"]);
    for (number, input) in traced["inputs"].as_array_mut().unwrap().iter_mut().enumerate() {
        input["objectWriteTraceId"] = json!(format!("trace-{number}"));
    }
    let mut half_traced = traced.clone();
    half_traced["inputs"][0].as_object_mut().unwrap().remove("objectWriteTraceId");
    let half_traced = batch(&caller, "create", half_traced).await;

    assert_eq!((refused.status, twice.status, half_traced.status), (409, 409, 409));
    assert_eq!(refused.json()["message"], json!(format!("Contact already exists. Existing ID: {taken}")));
    assert_eq!(crm.snapshot().len(), 1);

    let partly = batch(&caller, "create", traced).await;

    let (said, new) = (partly.json(), ids(&partly));
    assert_eq!((partly.status, new.len(), said["numErrors"].as_u64()), (207, 1, Some(2)), "{said}");
    assert_eq!(said["results"][0]["objectWriteTraceId"], "trace-0");
    let errors: Vec<_> =
        said["errors"].as_array().unwrap().iter().map(|error| (&error["context"], &error["message"])).collect();
    let message = |id: &str| json!(format!("Contact already exists. Existing ID: {id}"));
    let (first, second) = (json!({ "objectWriteTraceId": ["trace-1"] }), json!({ "objectWriteTraceId": ["trace-2"] }));
    assert_eq!(errors, [(&first, &message(&taken)), (&second, &message(&new[0]))]);
    assert!(said["errors"].as_array().unwrap().iter().all(|error| error["category"] == "CONFLICT"), "{said}");
    assert_eq!(crm.snapshot().len(), 2);
}

#[tokio::test]
async fn contacts_are_read_together_and_the_missing_ones_are_an_error_beside_them() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    let ada = created(&caller, json!({ "email": "ada", "phone": "1" })).await;
    let gone = created(&caller, json!({ "email": "gone" })).await;
    caller.delete(&format!("{CONTACTS}/{gone}")).await;
    let read = async |query: &str, body: Value| batch(&caller, &format!("read{query}"), body).await;

    let one =
        read("", json!({ "inputs": [{ "id": ada }], "properties": ["email"], "propertiesWithHistory": [] })).await;
    let some = json!({ "inputs": [{ "id": "nobody" }, { "id": "ada" }, { "id": "gone" }], "idProperty": "email",
        "properties": [], "propertiesWithHistory": ["phone"] });
    let some = read("", some).await;
    let archived = read("?archived=true", json!({ "inputs": [{ "id": gone }] })).await;

    assert_eq!((one.status, ids(&one)), (200, vec![ada.clone()]));
    assert_eq!(one.json()["results"][0]["properties"].get("phone"), None);
    assert_eq!((some.status, ids(&some)), (207, vec![ada]));
    let said = some.json();
    assert_eq!(said["results"][0]["propertiesWithHistory"]["phone"][0]["value"], "1");
    assert_eq!(said["numErrors"], 1);
    assert_eq!(said["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(said["errors"][0]["context"], json!({ "ids": ["nobody", "gone"] }));
    assert_eq!((archived.status, ids(&archived)), (200, vec![gone]));
}

#[tokio::test]
async fn contacts_are_updated_together_and_what_cannot_be_is_an_error_beside_them() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm(CrmConfig { webhook_url: Some(receiver.url.clone()), ..unique() }).await;
    let (ada, grace) =
        (created(&caller, json!({ "email": "ada" })).await, created(&caller, json!({ "email": "grace" })).await);
    receiver.wait_for(2).await;

    let inputs = json!({ "inputs": [
        { "id": ada, "properties": { "phone": "1", "email": "ada" }, "objectWriteTraceId": "t" },
        { "id": "grace", "idProperty": "email", "properties": { "email": "ada" } },
        { "id": "999", "properties": { "phone": "1" } },
    ] });
    let answer = batch(&caller, "update", inputs).await;

    let said = answer.json();
    assert_eq!((answer.status, ids(&answer)), (207, vec![ada.clone()]), "{said}");
    assert_eq!(
        (&said["results"][0]["properties"]["phone"], &said["results"][0]["objectWriteTraceId"]),
        (&json!("1"), &json!("t"))
    );
    let errors: Vec<_> =
        said["errors"].as_array().unwrap().iter().map(|error| (&error["category"], &error["context"])).collect();
    let (taken, missing) = (json!({ "ids": ["grace"] }), json!({ "ids": ["999"] }));
    assert_eq!(errors, [(&json!("CONFLICT"), &taken), (&json!("OBJECT_NOT_FOUND"), &missing)]);
    assert_eq!(crm.history(&ada)[1].changed, ["phone"]);
    assert_eq!(crm.history(&grace).len(), 1);
    let told = receiver.wait_for(3).await;
    assert_eq!((&told[2][0]["objectId"], &told[2][0]["propertyName"]), (&json!(101), &json!("phone")));
    assert_eq!(crm.deliveries().announced, 3);
}

#[tokio::test]
async fn an_upsert_changes_who_has_the_value_and_makes_who_has_not() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm(CrmConfig { webhook_url: Some(receiver.url.clone()), ..unique() }).await;
    let ada = created(&caller, json!({ "email": "ada" })).await;
    let taken = created(&caller, json!({ "email": "x", "erp_id": "W" })).await;
    receiver.wait_for(2).await;
    let input =
        |email: &str, properties: Value| json!({ "id": email, "idProperty": "email", "properties": properties });

    let inputs = json!({ "inputs": [
        input("ada", json!({ "phone": "1" })), input("new", json!({ "phone": "2" })), input("other", json!({ "erp_id": "W" })),
    ] });
    let answer = batch(&caller, "upsert", inputs).await;

    let said = answer.json();
    assert_eq!(answer.status, 207, "{said}");
    let results: BTreeMap<String, bool> = said["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|contact| (contact["id"].as_str().unwrap().to_owned(), contact["new"].as_bool().unwrap()))
        .collect();
    assert_eq!(results, [(ada.clone(), false), ("103".to_owned(), true)].into());
    assert_eq!(said["results"][1]["properties"]["email"], "new");
    assert_eq!(said["errors"][0]["context"], json!({ "ids": ["other"] }));
    assert_eq!(said["errors"][0]["message"], json!(format!("Contact already exists. Existing ID: {taken}")));
    assert_eq!(crm.history(&ada)[1].deed, Deed::Updated);
    assert_eq!(Value::Object(crm.history("103")[0].fields.clone()), json!({ "phone": "2", "email": "new" }));
    let told = receiver.wait_for(4).await;
    let mut kinds: Vec<_> =
        told[2..].iter().map(|delivery| delivery[0]["subscriptionType"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["contact.creation", "contact.propertyChange"]);
    assert_eq!(crm.snapshot().len(), 3);
}

#[tokio::test]
async fn contacts_are_archived_together_whoever_is_gone_already() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm(CrmConfig { webhook_url: Some(receiver.url.clone()), ..CrmConfig::default() }).await;
    let made = ids(&batch(&caller, "create", to_create(&["a", "b"])).await);
    crm.person_deletes(&made[0]).unwrap();
    receiver.wait_for(3).await;

    let inputs = json!({ "inputs": [{ "id": made[0] }, { "id": made[1] }, { "id": made[1] }, { "id": "999" }] });
    let answer = batch(&caller, "archive", inputs).await;

    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert!(crm.snapshot().iter().all(|view| view.gone));
    assert_eq!(made.iter().map(|id| crm.history(id).len()).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(receiver.wait_for(4).await[3][0]["objectId"], json!(102));
    assert_eq!(crm.deliveries().announced, 4);
}

#[tokio::test]
async fn a_batch_that_makes_no_sense_is_refused_and_nothing_is_done() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({ "email": "a" })).await;
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let good = json!({ "id": id, "properties": { "phone": "1" } });
    let read_only = json!({ "id": id, "properties": { "createdate": "1" } });

    for (what, body) in [
        ("create", json!({})),
        ("create", json!({ "inputs": [] })),
        ("create", to_create(&many)),
        ("create", json!({ "inputs": [{ "properties": { "email": "b" } }, { "properties": { "createdate": "1" } }] })),
        ("read", json!({ "inputs": [] })),
        ("read?archived=maybe", json!({ "inputs": [{ "id": id }] })),
        ("update", json!({ "inputs": [good, read_only] })),
        ("update", json!({ "inputs": [good, good] })),
        ("update", json!({ "inputs": [{ "id": id }] })),
        ("upsert", json!({ "inputs": [good] })),
        ("archive", json!({ "inputs": [{}] })),
    ] {
        let answer = batch(&caller, what, body.clone()).await;
        assert_eq!(answer.status, 400, "{what} {body}: {}", answer.text);
    }
    assert_eq!(batch(&caller, "merge", json!({ "inputs": [good] })).await.status, 404);
    assert_eq!((crm.snapshot().len(), crm.history(&id).len()), (1, 1));
}

#[tokio::test]
async fn only_a_batch_of_reads_is_no_write_and_only_those_that_make_contacts_lose_ids() {
    let faults = Faults { created_without_id_rate: 1.0, ..Faults::default() };
    let (crm, caller) = crm(CrmConfig { faults, ..CrmConfig::default() }).await;

    let made = batch(&caller, "create", to_create(&["a"])).await;
    let read = batch(&caller, "read", json!({ "inputs": [{ "id": "101" }] })).await;
    let updated = batch(&caller, "update", json!({ "inputs": [{ "id": "101", "properties": {} }] })).await;

    assert_eq!(made.json()["results"][0].get("id"), None, "{}", made.text);
    assert_eq!(made.json()["results"][0]["properties"].get("hs_object_id"), None, "{}", made.text);
    assert_eq!((ids(&read), ids(&updated)), (vec!["101".to_owned()], vec!["101".to_owned()]));
    assert_eq!((crm.calls().writes(), crm.calls().reads()), (2, 1));
    assert_eq!(crm.calls().of("POST", "batch_read"), 1);
}

#[tokio::test]
async fn an_answer_that_waits_for_its_webhooks_waits_for_each_of_them() {
    let slower = [100, 200, 300].map(|ms| Reply::After(Duration::from_millis(ms)));
    let receiver = Receiver::start(&[&[Reply::Status(204)], slower.as_slice()].concat()).await;
    let faults = Faults { announce_before_answer: true, ..Faults::default() };
    let (crm, caller) =
        crm(CrmConfig { webhook_url: Some(receiver.url.clone()), faults, ..CrmConfig::default() }).await;

    assert_eq!(batch(&caller, "create", to_create(&["a", "b", "c", "d"])).await.status, 201);

    assert_eq!(crm.deliveries().acknowledged, 4);
}
