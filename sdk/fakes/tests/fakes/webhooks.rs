//! What webhooks say, and that they are signed.

use std::collections::BTreeSet;

use pairline_fakes::{CrmConfig, ErpConfig, crm_signature, erp_signature};
use serde_json::{Value, json};

use crate::caller::{CONTACTS, crm, erp};
use crate::receiver::Receiver;

async fn crm_for(receiver: &Receiver) -> (pairline_fakes::Crm, crate::caller::Caller) {
    crm(CrmConfig { webhook_url: Some(receiver.url.clone()), ..CrmConfig::default() }).await
}

async fn erp_for(receiver: &Receiver) -> (pairline_fakes::Erp, crate::caller::Caller) {
    erp(ErpConfig { webhook_url: Some(receiver.url.clone()), ..ErpConfig::default() }).await
}

#[tokio::test]
async fn a_creation_by_our_app_is_one_event_without_values() {
    let receiver = Receiver::good().await;
    let (_crm, caller) = crm_for(&receiver).await;

    caller.post(CONTACTS, json!({"properties": {"email": "a", "phone": "1"}})).await;

    let mut event = receiver.wait_for(1).await[0][0].clone();
    let fields = event.as_object_mut().unwrap();
    assert!(fields.remove("eventId").unwrap().is_u64());
    assert!(fields.remove("occurredAt").unwrap().as_i64() > Some(1_700_000_000_000));
    assert!(fields.remove("subscriptionId").unwrap().is_u64());
    assert!(fields.remove("portalId").unwrap().is_u64());
    assert_eq!(
        event,
        json!({
            "appId": 4242,
            "subscriptionType": "contact.creation",
            "attemptNumber": 0,
            "objectId": 101,
            "changeSource": "INTEGRATION",
            "sourceId": "4242",
        })
    );
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn an_update_is_one_event_per_property_that_changed_in_one_array() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm_for(&receiver).await;
    let id = crm.person_creates(json!({"email": "a", "phone": "1", "vat_id": "V"})).unwrap();
    receiver.wait_for(1).await;

    let sent = json!({"properties": {"email": "a", "phone": "2", "vat_id": ""}});
    caller.patch(&format!("{CONTACTS}/{id}"), sent).await;

    let update = &receiver.wait_for(2).await[1];
    let changes: Vec<_> = update
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["subscriptionType"], "contact.propertyChange");
            (event["propertyName"].clone(), event["propertyValue"].clone())
        })
        .collect();
    assert_eq!(changes, [(json!("phone"), json!("2")), (json!("vat_id"), json!(""))]);
    assert_ne!(update[0]["eventId"], update[1]["eventId"]);
}

#[tokio::test]
async fn an_update_that_changes_nothing_is_not_announced_and_does_not_touch_the_contact() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm_for(&receiver).await;
    let id = crm.person_creates(json!({"email": "a"})).unwrap();
    let before = caller.get(&format!("{CONTACTS}/{id}")).await.json();

    let sent = json!({"properties": {"email": "a", "phone": ""}});
    let answer = caller.patch(&format!("{CONTACTS}/{id}"), sent).await;

    assert_eq!(answer.json(), before);
    assert_eq!(crm.deliveries().announced, 1);
    assert_eq!(crm.history(&id)[1].changed, Vec::<String>::new());
}

#[tokio::test]
async fn people_and_other_tools_are_told_apart_from_our_app() {
    let receiver = Receiver::good().await;
    let (crm, _caller) = crm_for(&receiver).await;

    let id = crm.person_creates(json!({"email": "a"})).unwrap();
    let person = receiver.wait_for(1).await[0][0].clone();
    crm.other_tool_edits(&id, json!({"email": "b"}), "9001").unwrap();
    let tool = receiver.wait_for(2).await[1][0].clone();
    crm.person_deletes(&id).unwrap();
    let deletion = receiver.wait_for(3).await[2][0].clone();

    assert_eq!(person["changeSource"], "CRM_UI");
    assert_ne!(person["sourceId"], "4242");
    assert_eq!(tool["changeSource"], "INTEGRATION");
    assert_eq!(tool["sourceId"], "9001");
    assert_eq!(deletion["subscriptionType"], "contact.deletion");
    assert_eq!(deletion.get("propertyName"), None);
}

#[tokio::test]
async fn the_crm_signs_method_url_body_and_the_time_of_sending() {
    let receiver = Receiver::good().await;
    let (crm, _caller) = crm_for(&receiver).await;

    crm.person_creates(json!({"email": "a"})).unwrap();
    receiver.wait_for(1).await;

    let webhook = &receiver.received()[0];
    let timestamp = webhook.header("x-hubspot-request-timestamp");
    let expected = crm_signature("crm-client-secret", &receiver.url, &webhook.body, timestamp);
    assert_eq!(webhook.header("x-hubspot-signature-v3"), expected);
    assert!(timestamp.parse::<i64>().unwrap() > 1_700_000_000_000);
    assert_eq!(webhook.header("content-type"), "application/json");
}

#[tokio::test]
async fn the_erp_tells_what_changed_without_values_and_who_it_was() {
    let receiver = Receiver::good().await;
    let (erp, caller) = erp_for(&receiver).await;

    let sent = json!({"name": "Ada", "custom_fields": {"crm_id": "101"}});
    let origin = [("X-Sync-Origin", "pairline/op-1")];
    let id = caller.post_with("/customers", sent, &origin).await.id();
    let created = receiver.wait_for(1).await[0].clone();
    erp.person_edits(&id, json!({"name": "Eve", "phone": null})).unwrap();
    let edited = receiver.wait_for(2).await[1].clone();
    erp.other_tool_edits(&id, json!({"name": "Eve"}), "shop").unwrap();
    let saved = receiver.wait_for(3).await[2].clone();
    caller.delete(&format!("/customers/{id}")).await;
    let deleted = receiver.wait_for(4).await[3].clone();

    let told = |event: &Value| {
        assert!(event["event_id"].is_string());
        assert_eq!(event["customer_id"], json!(id));
        assert_eq!(event.as_object().unwrap().len(), 6);
        (event["type"].clone(), event["changed_fields"].clone(), event["origin"].clone())
    };
    assert_eq!(told(&created), (json!("customer.created"), json!(["name", "custom_fields"]), json!("pairline/op-1")));
    assert_eq!(told(&edited), (json!("customer.updated"), json!(["name"]), Value::Null));
    assert_eq!(told(&saved), (json!("customer.updated"), json!([]), json!("shop")));
    assert_eq!(told(&deleted), (json!("customer.deleted"), json!([]), Value::Null));
}

#[tokio::test]
async fn the_erp_signs_the_raw_body() {
    let receiver = Receiver::good().await;
    let (erp, _caller) = erp_for(&receiver).await;

    erp.person_creates(json!({"name": "Ada"})).unwrap();
    receiver.wait_for(1).await;

    let webhook = &receiver.received()[0];
    assert_eq!(webhook.header("x-signature"), erp_signature("erp-webhook-secret", &webhook.body));
}

#[tokio::test]
async fn one_new_record_is_announced_by_as_many_distinct_events_as_asked() {
    let receiver = Receiver::good().await;
    let (crm, _caller) = crm_for(&receiver).await;
    let (erp, _caller) = erp_for(&receiver).await;

    let id = crm.person_creates_announced(json!({"email": "a"}), 5).unwrap();
    crm.announce(&id, 3).unwrap();
    let contacts = receiver.wait_for(8).await;
    let id = erp.person_creates_announced(json!({"email": "a"}), 2).unwrap();
    erp.announce(&id, 1).unwrap();
    let all = receiver.wait_for(11).await;

    let mut event_ids = BTreeSet::new();
    for delivery in contacts {
        assert_eq!(delivery.as_array().unwrap().len(), 1);
        assert_eq!(delivery[0]["subscriptionType"], "contact.creation");
        event_ids.insert(delivery[0]["eventId"].to_string());
    }
    for event in &all[8..] {
        assert_eq!(event["type"], "customer.created");
        event_ids.insert(event["event_id"].to_string());
    }
    assert_eq!(event_ids.len(), 11);
    assert_eq!(crm.snapshot().len() + erp.snapshot().len(), 2);
}
