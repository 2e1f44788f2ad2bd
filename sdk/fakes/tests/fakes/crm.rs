//! The CRM's records over HTTP.

use std::collections::BTreeSet;

use pairline_fakes::{CrmConfig, Deed, UniqueRules, Writer};
use serde_json::{Value, json};

use crate::caller::{CONTACTS, Caller, crm};

pub(crate) fn properties(properties: Value) -> Value {
    json!({ "properties": properties, "associations": [] })
}

pub(crate) async fn created(caller: &Caller, sent: Value) -> String {
    let answer = caller.post(CONTACTS, properties(sent)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

fn is_rfc_3339_with_ms(text: &Value) -> bool {
    let text = text.as_str().unwrap_or_default();
    text.len() == "2026-01-01T00:00:00.000Z".len() && text.ends_with('Z') && &text[19..20] == "."
}

#[tokio::test]
async fn a_caller_without_the_token_is_refused_and_nothing_happens() {
    let (crm, mut caller) = crm(CrmConfig::default()).await;
    caller.token = "another".to_owned();

    for answer in
        [caller.post(CONTACTS, properties(json!({}))).await, caller.get(CONTACTS).await, caller.get("/nowhere").await]
    {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["category"], "INVALID_AUTHENTICATION");
    }
    assert!(crm.snapshot().is_empty());
    assert_eq!(crm.calls().answered(401), 3);
}

#[tokio::test]
async fn a_created_contact_is_answered_whole_with_texts_and_its_own_dates() {
    let (_crm, caller) = crm(CrmConfig::default()).await;

    let sent = json!({"email": "a@b.c", "credit_limit": 900, "phone": "", "vat_id": null, "mine": "x"});
    let answer = caller.post(CONTACTS, properties(sent)).await;

    let contact = answer.json();
    assert_eq!(answer.status, 201);
    assert_eq!(contact["id"], "101");
    assert_eq!(contact["archived"], false);
    let dates = [
        &contact["createdAt"],
        &contact["updatedAt"],
        &contact["properties"]["createdate"],
        &contact["properties"]["lastmodifieddate"],
    ];
    assert!(dates.into_iter().all(is_rfc_3339_with_ms), "{contact}");
    let mut held = contact["properties"].clone();
    for date in ["createdate", "lastmodifieddate"] {
        held.as_object_mut().unwrap().remove(date);
    }
    assert_eq!(held, json!({"email": "a@b.c", "credit_limit": "900", "mine": "x", "hs_object_id": "101"}));
}

#[tokio::test]
async fn ids_are_ascending_numbers_as_text() {
    let (_crm, caller) = crm(CrmConfig::default()).await;

    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(created(&caller, json!({})).await);
    }

    assert_eq!(ids, ["101", "102", "103"]);
}

#[tokio::test]
async fn a_contact_is_read_by_its_id_and_by_another_property() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({"erp_id": "WHS-000007"})).await;

    let by_id = caller.get(&format!("{CONTACTS}/{id}")).await;
    let by_erp_id = caller.get(&format!("{CONTACTS}/WHS-000007?idProperty=erp_id")).await;
    let nobody = caller.get(&format!("{CONTACTS}/WHS-000008?idProperty=erp_id")).await;

    assert_eq!(by_id.status, 200);
    assert_eq!(by_id.json(), by_erp_id.json());
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_answers_the_whole_contact() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({"email": "a@b.c", "phone": "1", "vat_id": "V"})).await;

    let sent = json!({"properties": {"phone": "2", "vat_id": ""}});
    let answer = caller.patch(&format!("{CONTACTS}/{id}"), sent).await;

    let held = &answer.json()["properties"];
    assert_eq!(answer.status, 200);
    assert_eq!(held["email"], "a@b.c");
    assert_eq!(held["phone"], "2");
    assert_eq!(held.get("vat_id"), None);
}

#[tokio::test]
async fn an_archived_contact_is_gone_for_every_call_but_not_for_the_audit() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({"erp_id": "W"})).await;
    let path = format!("{CONTACTS}/{id}");

    assert_eq!(caller.delete(&path).await.status, 204);

    assert_eq!(caller.get(&path).await.status, 404);
    assert_eq!(caller.patch(&path, properties(json!({}))).await.status, 404);
    let by_erp_id = format!("{CONTACTS}/W?idProperty=erp_id");
    assert_eq!(caller.get(&by_erp_id).await.status, 404);
    assert_eq!(caller.get(CONTACTS).await.json()["results"], json!([]));
    let found = caller.post(&format!("{CONTACTS}/search"), json!({})).await;
    assert_eq!(found.json()["total"], 0);
    assert_eq!(caller.delete(&path).await.status, 204);
    assert!(crm.snapshot()[0].gone);
}

#[tokio::test]
async fn an_unknown_contact_is_not_found() {
    let (_crm, caller) = crm(CrmConfig::default()).await;

    for id in ["101", "no-number", "-1"] {
        let path = format!("{CONTACTS}/{id}");
        assert_eq!(caller.get(&path).await.status, 404);
        assert_eq!(caller.patch(&path, properties(json!({}))).await.status, 404);
        assert_eq!(caller.delete(&path).await.status, 404);
    }
}

#[tokio::test]
async fn the_listing_pages_through_every_contact_once_and_ends_without_paging() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    for _ in 0..5 {
        created(&caller, json!({})).await;
    }

    let mut ids = Vec::new();
    let mut pages = 0;
    let mut path = format!("{CONTACTS}?limit=2");
    loop {
        let page = caller.get(&path).await.json();
        pages += 1;
        for contact in page["results"].as_array().unwrap() {
            ids.push(contact["id"].as_str().unwrap().to_owned());
        }
        match page.get("paging") {
            Some(paging) => {
                let after = paging["next"]["after"].as_str().unwrap();
                path = format!("{CONTACTS}?limit=2&after={after}");
            }
            None => break,
        }
    }

    assert_eq!(ids, ["101", "102", "103", "104", "105"]);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_last_page_that_is_full_has_no_paging_either() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    for _ in 0..2 {
        created(&caller, json!({})).await;
    }

    let page = caller.get(&format!("{CONTACTS}?limit=2")).await.json();

    assert_eq!(page["results"].as_array().unwrap().len(), 2);
    assert_eq!(page.get("paging"), None);
}

#[tokio::test]
async fn what_the_contract_does_not_allow_is_refused_in_json() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    let huge = "x".repeat(pairline_fakes::BODY_MAX_BYTES);

    for (answer, status) in [
        (caller.post(CONTACTS, json!([])).await, 400),
        (caller.post(CONTACTS, json!({})).await, 400),
        (caller.post(CONTACTS, properties(json!({"a": {"b": 1}}))).await, 400),
        (caller.post(CONTACTS, properties(json!({ "a": huge }))).await, 413),
        (caller.get(&format!("{CONTACTS}?limit=101")).await, 400),
        (caller.get(&format!("{CONTACTS}?limit=0")).await, 400),
        (caller.get(&format!("{CONTACTS}?after=x")).await, 400),
        (caller.get("/crm/v3/objects/deals").await, 404),
        (caller.delete(CONTACTS).await, 405),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.json()["status"], "error");
    }
}

#[tokio::test]
async fn two_contacts_may_share_everything_unless_a_rule_says_otherwise() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let sent = json!({"email": "a@b.c", "erp_id": "W"});

    created(&caller, sent.clone()).await;
    created(&caller, sent).await;

    assert_eq!(crm.snapshot().len(), 2);
}

#[tokio::test]
async fn a_unique_property_is_refused_with_the_other_id_in_the_text_only() {
    let unique = UniqueRules { email: true, erp_id: true };
    let (crm, caller) = crm(CrmConfig { enforce_unique: unique, ..CrmConfig::default() }).await;
    let first = created(&caller, json!({"email": "a@b.c", "erp_id": "W"})).await;
    let second = created(&caller, json!({"email": "other"})).await;
    let second_path = format!("{CONTACTS}/{second}");

    let answers = [
        caller.post(CONTACTS, properties(json!({"email": "a@b.c"}))).await,
        caller.post(CONTACTS, properties(json!({"erp_id": "W"}))).await,
        caller.patch(&second_path, properties(json!({"erp_id": "W"}))).await,
    ];

    for answer in answers {
        assert_eq!(answer.status, 409);
        let message = format!("Contact already exists. Existing ID: {first}");
        assert_eq!(answer.json()["message"], json!(message));
        assert_eq!(answer.json().get("id"), None);
    }
    assert_eq!(crm.snapshot().len(), 2);
    let own_value = caller.patch(&second_path, properties(json!({"email": "other", "phone": "1"})));
    assert_eq!(own_value.await.status, 200);
    caller.delete(&format!("{CONTACTS}/{first}")).await;
    created(&caller, json!({"email": "a@b.c", "erp_id": "W"})).await;
}

#[tokio::test]
async fn people_and_other_tools_edit_what_callers_see() {
    let (crm, caller) = crm(CrmConfig::default()).await;

    let id = crm.person_creates(json!({"email": "a", "erp_id": "W"})).unwrap();
    crm.person_edits(&id, json!({"phone": "1"})).unwrap();
    crm.other_tool_edits(&id, json!({"phone": "2"}), "9001").unwrap();
    let copy = crm.clone_contact(&id).unwrap();
    crm.person_deletes(&id).unwrap();
    crm.person_restores(&id).unwrap();

    let held = caller.get(&format!("{CONTACTS}/{id}")).await.json();
    assert_eq!(held["properties"]["phone"], "2");
    let copied = caller.get(&format!("{CONTACTS}/{copy}")).await.json();
    assert_eq!(copied["properties"]["erp_id"], "W");
    assert_eq!(crm.person_edits("999", json!({})).unwrap_err().status, 404);
    let deeds: Vec<_> = crm.history(&id).iter().map(|entry| entry.deed).collect();
    assert_eq!(deeds, [Deed::Created, Deed::Updated, Deed::Updated, Deed::Deleted, Deed::Restored]);
}

#[tokio::test]
async fn the_history_says_who_wrote_which_values_and_what_changed() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let id = crm.person_creates(json!({"phone": "1", "email": "a"})).unwrap();

    let sent = properties(json!({"phone": "2", "email": "a"}));
    caller.patch(&format!("{CONTACTS}/{id}"), sent).await;

    let history = crm.history(&id);
    let entry = &history[1];
    assert_eq!(history[0].writer, Writer::Person);
    let Writer::Caller { origin, visit } = &entry.writer else { panic!("it came over HTTP") };
    assert_eq!((origin.as_deref(), visit.answered), (Some("4242"), true));
    assert!(visit.came_ms <= entry.at_ms);
    assert_eq!(Value::Object(entry.fields.clone()), json!({"phone": "2", "email": "a"}));
    assert_eq!(entry.changed, ["phone"]);
    assert!(entry.at_ms >= history[0].at_ms);
}

#[tokio::test]
async fn a_crm_that_was_shut_down_or_dropped_answers_no_more() {
    let (first, caller_of_first) = crm(CrmConfig::default()).await;
    let (second, caller_of_second) = crm(CrmConfig::default()).await;
    assert_eq!(caller_of_first.get(CONTACTS).await.status, 200);
    assert_eq!(caller_of_second.get(CONTACTS).await.status, 200);

    first.shutdown().await;
    let clone = second.clone();
    drop(second);
    assert_eq!(caller_of_second.get(CONTACTS).await.status, 200);
    drop(clone);

    for caller in [caller_of_first, caller_of_second] {
        crate::caller::eventually("it is gone", async || {
            let answer = caller.try_send(reqwest::Method::GET, CONTACTS, None, &[]);
            answer.await.is_err()
        })
        .await;
    }
}

#[tokio::test]
async fn of_two_merged_contacts_one_goes_and_its_id_may_lead_to_the_other() {
    for merged_ids_forward in [false, true] {
        let (crm, caller) = crm(CrmConfig { merged_ids_forward, ..CrmConfig::default() }).await;
        let gone = created(&caller, json!({ "email": "a" })).await;
        let stays = created(&caller, json!({ "email": "b" })).await;

        crm.merge(&gone, &stays).unwrap();

        let read = caller.get(&format!("{CONTACTS}/{gone}")).await;
        assert_eq!(read.status, if merged_ids_forward { 200 } else { 404 });
        assert!(!merged_ids_forward || read.id() == stays);
        let written = caller.patch(&format!("{CONTACTS}/{gone}"), json!({ "properties": { "phone": "1" } })).await;
        assert_eq!(written.status, 404, "it is unknown to everything else");
        assert_eq!(crm.snapshot().iter().map(|view| view.gone).collect::<Vec<_>>(), [true, false]);
        assert!(crm.merge(&stays, &stays).is_err());
    }
}

#[tokio::test]
async fn every_refusal_has_a_correlation_id_of_its_own() {
    let (_crm, mut caller) = crm(CrmConfig::default()).await;

    let mut refusals = vec![
        caller.get(&format!("{CONTACTS}/999")).await,
        caller.get("/nowhere").await,
        caller.delete(CONTACTS).await,
        caller.post(&format!("{CONTACTS}/search"), json!({ "limit": 0 })).await,
    ];
    caller.token = "another".to_owned();
    refusals.push(caller.get(CONTACTS).await);

    let ids: BTreeSet<String> =
        refusals.iter().map(|refusal| refusal.json()["correlationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), refusals.len());
    assert!(ids.iter().all(|id| id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12])), "{ids:?}");
}

#[tokio::test]
async fn an_update_may_name_the_contact_by_another_property() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({ "email": "a@b.c" })).await;
    created(&caller, json!({ "email": "other" })).await;

    let updated =
        caller.patch(&format!("{CONTACTS}/a@b.c?idProperty=email"), properties(json!({ "phone": "1" }))).await;
    let by_id = caller.patch(&format!("{CONTACTS}/{id}?idProperty=hs_object_id"), properties(json!({}))).await;
    let nobody = caller.patch(&format!("{CONTACTS}/nobody?idProperty=email"), properties(json!({}))).await;

    assert_eq!((updated.status, by_id.status, nobody.status), (200, 200, 404));
    assert_eq!((updated.id(), by_id.id()), (id.clone(), id.clone()));
    assert_eq!(crm.history(&id)[1].changed, ["phone"]);
    assert_eq!(crm.snapshot()[1].fields.get("phone"), None);
}

#[tokio::test]
async fn the_api_merges_as_people_do() {
    let (crm, caller) = crm(CrmConfig { merged_ids_forward: true, ..CrmConfig::default() }).await;
    let gone = created(&caller, json!({ "email": "a", "phone": "1" })).await;
    let stays = created(&caller, json!({ "email": "b" })).await;
    let merge = |id: &str, into: &str| json!({ "objectIdToMerge": id, "primaryObjectId": into });
    let path = format!("{CONTACTS}/merge");

    let merged = caller.post(&path, merge(&gone, &stays)).await;

    assert_eq!((merged.status, merged.id()), (200, stays.clone()));
    assert_eq!(merged.json()["properties"]["email"], "b");
    assert_eq!(caller.get(&format!("{CONTACTS}/{gone}")).await.id(), stays);
    let last = crm.history(&gone).pop().unwrap();
    assert_eq!(last.deed, Deed::Deleted);
    assert!(matches!(last.writer, Writer::Caller { .. }), "{last:?}");
    for (body, status) in
        [(merge(&gone, &stays), 404), (merge(&stays, &stays), 400), (merge(&stays, "999"), 404), (json!({}), 400)]
    {
        assert_eq!(caller.post(&path, body.clone()).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_purged_contact_is_found_by_nobody_but_the_audit_and_holds_nothing() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let live = created(&caller, json!({ "email": "a" })).await;
    let archived = created(&caller, json!({ "email": "b" })).await;
    caller.delete(&format!("{CONTACTS}/{archived}")).await;
    let purge = |body: Value| caller.post("/crm/v3/objects/contacts/gdpr-delete", body);

    assert_eq!(purge(json!({ "objectId": "a", "idProperty": "email" })).await.status, 204);
    assert_eq!(purge(json!({ "objectId": archived })).await.status, 204);

    for id in [&live, &archived] {
        let path = format!("{CONTACTS}/{id}");
        assert_eq!(caller.get(&path).await.status, 404);
        assert_eq!(caller.get(&format!("{path}?archived=true")).await.status, 404);
        assert_eq!(caller.delete(&path).await.status, 404);
        assert_eq!(crm.person_restores(id).unwrap_err().status, 404);
        assert_eq!(crm.history(id).last().unwrap().deed, Deed::Deleted);
    }
    assert!(crm.snapshot().iter().all(|view| view.gone && view.fields.is_empty()), "{:?}", crm.snapshot());
    assert_eq!(purge(json!({ "objectId": live })).await.status, 404);
    assert_eq!(purge(json!({ "objectId": "nobody", "idProperty": "email" })).await.status, 204);
    assert_eq!(purge(json!({})).await.status, 400);
}

#[tokio::test]
async fn a_property_that_is_not_defined_is_refused_where_only_defined_ones_are_taken() {
    let (crm, caller) = crm(CrmConfig { defined_properties_only: true, ..CrmConfig::default() }).await;
    let id = created(&caller, json!({ "erp_id": "W" })).await;

    let sent = || properties(json!({ "email": "a", "no_such_property": "1" }));
    for answer in [
        caller.post(CONTACTS, sent()).await,
        caller.patch(&format!("{CONTACTS}/{id}"), sent()).await,
        caller.post(&format!("{CONTACTS}/batch/create"), json!({ "inputs": [sent()] })).await,
    ] {
        assert_eq!(answer.status, 400);
        assert!(answer.json()["message"].as_str().unwrap().contains("no_such_property"), "{}", answer.text);
    }
    assert_eq!((crm.snapshot().len(), crm.history(&id).len()), (1, 1));
}

#[tokio::test]
async fn the_properties_of_contacts_are_listed_with_what_may_be_done_to_them() {
    let unique = UniqueRules { erp_id: true, ..UniqueRules::default() };
    let (_crm, caller) = crm(CrmConfig { enforce_unique: unique, ..CrmConfig::default() }).await;

    let answer = caller.get("/crm/v3/properties/contacts").await;

    assert_eq!(answer.status, 200);
    assert_eq!(caller.get("/crm/v3/properties/deals").await.status, 404);
    let listed = answer.json()["results"].as_array().unwrap().clone();
    let said = |name: &str| {
        let property = listed.iter().find(|property| property["name"] == name).unwrap();
        let read_only = property["modificationMetadata"]["readOnlyValue"].clone();
        [property["type"].clone(), property["hasUniqueValue"].clone(), read_only]
    };
    assert_eq!(said("email"), [json!("string"), json!(false), json!(false)]);
    assert_eq!(said("erp_id"), [json!("string"), json!(true), json!(false)]);
    assert_eq!(said("lastmodifieddate"), [json!("datetime"), json!(false), json!(true)]);
    for property in &listed {
        for name in ["name", "label", "type", "fieldType", "groupName", "description"] {
            assert!(property[name].is_string(), "{name} of {property}");
        }
        assert!(property["options"].is_array(), "{property}");
    }
}

#[tokio::test]
async fn contacts_have_other_names_among_the_types_of_objects() {
    let (crm, caller) = crm(CrmConfig::default()).await;

    let id = caller.post("/crm/v3/objects/0-1", properties(json!({ "email": "a" }))).await.id();

    for name in ["contact", "contacts", "0-1"] {
        assert_eq!(caller.get(&format!("/crm/v3/objects/{name}/{id}")).await.id(), id);
    }
    assert_eq!(caller.get(&format!("/crm/v3/objects/contactsx/{id}")).await.status, 404);
    let calls = crm.calls();
    assert_eq!([calls.of("POST", "contacts"), calls.of("GET", "contact"), calls.of("GET", "other")], [1, 3, 1]);
}
