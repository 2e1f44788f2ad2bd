//! The CRM's search.

use std::time::{Duration, Instant};

use pairline_fakes::{Crm, CrmConfig};
use serde_json::{Value, json};

use crate::caller::{Answer, CONTACTS, Caller, crm, eventually};

async fn searched(caller: &Caller, body: Value) -> Answer {
    caller.post(&format!("{CONTACTS}/search"), body).await
}

async fn found(caller: &Caller, body: Value) -> Vec<String> {
    let answer = searched(caller, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let page = answer.json();
    let results = page["results"].as_array().expect("a page").iter();
    results.map(|contact| contact["id"].as_str().expect("an id").to_owned()).collect()
}

fn one(name: &str, operator: &str, value: Value) -> Value {
    json!({"filterGroups": [{"filters": [
        {"propertyName": name, "operator": operator, "value": value}
    ]}]})
}

async fn three_contacts() -> (Crm, Caller) {
    let (crm, caller) = crm(CrmConfig::default()).await;
    for properties in [
        json!({"email": "a", "credit_limit": "900", "erp_id": "W-1"}),
        json!({"email": "b", "credit_limit": "1000"}),
        json!({"email": "c", "credit_limit": "50", "erp_id": "W-3"}),
    ] {
        crm.person_creates(properties).expect("no rule");
    }
    (crm, caller)
}

#[tokio::test]
async fn every_operator_finds_what_it_says() {
    let (_crm, caller) = three_contacts().await;

    for (name, operator, value, expected) in [
        ("email", "EQ", json!("b"), vec!["102"]),
        ("email", "EQ", json!("B"), vec![]),
        ("email", "NEQ", json!("b"), vec!["101", "103"]),
        ("erp_id", "NEQ", json!("W-1"), vec!["102", "103"]),
        ("email", "IN", json!(["a", "c", "x"]), vec!["101", "103"]),
        ("email", "NOT_IN", json!(["a", "c", "x"]), vec!["102"]),
        ("erp_id", "NOT_IN", json!(["W-1"]), vec!["102", "103"]),
        ("erp_id", "CONTAINS_TOKEN", json!("W-*"), vec!["101", "103"]),
        ("erp_id", "CONTAINS_TOKEN", json!("w"), vec!["101", "103"]),
        ("erp_id", "CONTAINS_TOKEN", json!("W-"), vec![]),
        ("erp_id", "NOT_CONTAINS_TOKEN", json!("*-1"), vec!["102", "103"]),
        ("erp_id", "HAS_PROPERTY", Value::Null, vec!["101", "103"]),
        ("erp_id", "NOT_HAS_PROPERTY", Value::Null, vec!["102"]),
        ("credit_limit", "GT", json!("900"), vec!["102"]),
        ("credit_limit", "GTE", json!(900), vec!["101", "102"]),
        ("credit_limit", "LT", json!("900"), vec!["103"]),
        ("credit_limit", "LTE", json!("900"), vec!["101", "103"]),
        ("hs_object_id", "EQ", json!("102"), vec!["102"]),
        ("hs_object_id", "GT", json!("102"), vec!["103"]),
    ] {
        let ids = found(&caller, one(name, operator, value.clone())).await;
        assert_eq!(ids, expected, "{name} {operator} {value}");
    }
}

#[tokio::test]
async fn filters_of_a_group_must_all_hold_and_of_the_groups_one() {
    let (_crm, caller) = three_contacts().await;
    let filter =
        |name: &str, operator: &str, value: &str| json!({"propertyName": name, "operator": operator, "value": value});

    let ids = found(
        &caller,
        json!({"filterGroups": [
            {"filters": [filter("email", "EQ", "a"), filter("credit_limit", "GT", "900")]},
            {"filters": [filter("email", "EQ", "a"), filter("credit_limit", "GTE", "900")]},
            {"filters": [filter("email", "EQ", "c")]},
        ]}),
    )
    .await;

    assert_eq!(ids, ["101", "103"]);
}

#[tokio::test]
async fn between_holds_at_both_of_its_ends() {
    let (crm, caller) = three_contacts().await;
    let between = |name: &str, value: Value, high: Value| {
        json!({"filterGroups": [{"filters": [
            {"propertyName": name, "operator": "BETWEEN", "value": value, "highValue": high}
        ]}]})
    };
    let made_ms = crm.snapshot().iter().map(|view| view.updated_at_ms).max().unwrap();

    for (name, low, high, expected) in [
        ("credit_limit", json!("50"), json!("900"), vec!["101", "103"]),
        ("credit_limit", json!("51"), json!("899"), vec![]),
        ("hs_object_id", json!("102"), json!("103"), vec!["102", "103"]),
        ("lastmodifieddate", json!(0), json!(made_ms), vec!["101", "102", "103"]),
        ("lastmodifieddate", json!(0), json!(1), vec![]),
    ] {
        let ids = found(&caller, between(name, low.clone(), high.clone())).await;
        assert_eq!(ids, expected, "{name} {low} {high}");
    }
    assert_eq!(searched(&caller, between("credit_limit", json!("1"), Value::Null)).await.status, 400);
}

#[tokio::test]
async fn a_query_looks_into_names_and_addresses_and_the_filters_hold_beside_it() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    for (first, last, email) in
        [("Ada", "Lovelace", "ada@example.org"), ("Ada", "King", "king@example.org"), ("Alan", "Turing", "t@ada.test")]
    {
        crm.person_creates(json!({ "firstname": first, "lastname": last, "email": email, "vat_id": "ada" })).unwrap();
    }

    for (query, expected) in [
        ("ada", vec!["101", "102", "103"]),
        ("ada king", vec!["102"]),
        ("T@ADA.TEST", vec!["103"]),
        ("example", vec!["101", "102"]),
        ("dalan", vec![]),
        (" ", vec!["101", "102", "103"]),
    ] {
        assert_eq!(found(&caller, json!({ "query": query })).await, expected, "{query}");
    }
    let mut both = one("lastname", "EQ", json!("Lovelace"));
    both["query"] = json!("ada");
    assert_eq!(found(&caller, both.clone()).await, ["101"]);
    both["query"] = json!("alan");
    assert!(found(&caller, both).await.is_empty());
}

#[tokio::test]
async fn a_search_shows_the_properties_that_it_asks_for() {
    let (_crm, caller) = three_contacts().await;
    let mut search = one("email", "EQ", json!("b"));
    search["properties"] = json!(["credit_limit", "erp_id"]);

    let page = searched(&caller, search).await.json();

    let shown = page["results"][0]["properties"].as_object().unwrap().clone();
    let names: Vec<_> = shown.keys().map(String::as_str).collect();
    assert_eq!(names, ["credit_limit", "hs_object_id", "createdate", "lastmodifieddate", "erp_id"]);
    assert_eq!((&shown["credit_limit"], &shown["erp_id"]), (&json!("1000"), &Value::Null));
}

#[tokio::test]
async fn in_takes_its_values_as_hubspot_sends_them_too() {
    let (_crm, caller) = three_contacts().await;

    let ids = found(
        &caller,
        json!({"filterGroups": [{"filters": [
            {"propertyName": "email", "operator": "IN", "values": ["a", "b"]}
        ]}]}),
    )
    .await;

    assert_eq!(ids, ["101", "102"]);
}

#[tokio::test]
async fn results_are_sorted_both_ways_with_missing_values_last() {
    let (_crm, caller) = three_contacts().await;

    for (sort, expected) in [
        (json!({"propertyName": "credit_limit", "direction": "ASCENDING"}), ["103", "101", "102"]),
        (json!({"propertyName": "credit_limit", "direction": "DESCENDING"}), ["102", "101", "103"]),
        (json!("-hs_object_id"), ["103", "102", "101"]),
        (json!("erp_id"), ["101", "103", "102"]),
    ] {
        let ids = found(&caller, json!({ "sorts": [sort.clone()] })).await;
        assert_eq!(ids, expected, "{sort}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_with_the_total_on_each() {
    let (_crm, caller) = three_contacts().await;

    let first = searched(&caller, json!({"limit": 2})).await.json();
    let after = first["paging"]["next"]["after"].clone();
    let second = searched(&caller, json!({"limit": 2, "after": after})).await.json();

    assert_eq!(first["total"], 3);
    assert_eq!(first["results"].as_array().unwrap().len(), 2);
    assert_eq!(second["total"], 3);
    assert_eq!(second["results"][0]["id"], "103");
    assert_eq!(second.get("paging"), None);
}

#[tokio::test]
async fn a_search_that_makes_no_sense_is_refused() {
    let (_crm, caller) = three_contacts().await;

    for body in [
        json!({"limit": 201}),
        json!({"after": "x"}),
        json!({"filter": []}),
        json!([]),
        one("email", "LIKE", json!("a")),
        one("email", "EQ", Value::Null),
        one("lastmodifieddate", "GT", json!("yesterday")),
        one("lastmodifieddate", "CONTAINS_TOKEN", json!("2026*")),
        json!({"sorts": [{"propertyName": "email", "direction": "UP"}]}),
    ] {
        assert_eq!(searched(&caller, body.clone()).await.status, 400, "{body}");
    }
    assert_eq!(searched(&caller, json!({"limit": 200})).await.status, 200);
}

#[tokio::test]
async fn changes_are_found_by_time_as_text_and_as_milliseconds() {
    let (crm, caller) = three_contacts().await;
    // Two changes within one millisecond could not be told apart.
    tokio::time::sleep(Duration::from_millis(3)).await;
    crm.person_edits("102", json!({"phone": "1"})).unwrap();
    let contact = caller.get(&format!("{CONTACTS}/102")).await.json();
    let text = contact["properties"]["lastmodifieddate"].clone();
    let changed_ms = crm.snapshot()[1].updated_at_ms;

    for value in [text, json!(changed_ms.to_string()), json!(changed_ms)] {
        let gte = one("lastmodifieddate", "GTE", value.clone());
        assert_eq!(found(&caller, gte).await, ["102"], "{value}");
        let gt = one("lastmodifieddate", "GT", value.clone());
        assert!(found(&caller, gt).await.is_empty());
        let lt = one("lastmodifieddate", "LT", value.clone());
        assert_eq!(found(&caller, lt).await, ["101", "103"]);
        let eq = one("lastmodifieddate", "EQ", value);
        assert_eq!(found(&caller, eq).await, ["102"]);
    }
    let mut by_time = one("lastmodifieddate", "GTE", json!("0"));
    by_time["sorts"] = json!([{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]);
    assert_eq!(found(&caller, by_time).await, ["101", "103", "102"]);
}

#[tokio::test]
async fn a_lagging_search_sees_contacts_as_they_were() {
    let (crm, caller) = crm(CrmConfig { search_lag_ms: 400, ..CrmConfig::default() }).await;

    let created = Instant::now();
    let id = crm.person_creates(json!({"email": "old"})).unwrap();
    let at_once = found(&caller, one("email", "EQ", json!("old"))).await;
    // A machine too busy to search within the lag proves nothing either way.
    assert!(at_once.is_empty() || created.elapsed() > Duration::from_millis(400));
    eventually("the new contact is found", async || !found(&caller, one("email", "EQ", json!("old"))).await.is_empty())
        .await;
    assert!(created.elapsed() >= Duration::from_millis(399));

    let edited = Instant::now();
    crm.person_edits(&id, json!({"email": "new"})).unwrap();
    let as_it_was = found(&caller, one("email", "EQ", json!("old"))).await;
    assert!(as_it_was == ["101"] || edited.elapsed() > Duration::from_millis(400));
    eventually("the new value is found", async || !found(&caller, one("email", "EQ", json!("new"))).await.is_empty())
        .await;
    assert!(found(&caller, one("email", "EQ", json!("old"))).await.is_empty());

    crm.person_deletes(&id).unwrap();
    eventually("the archived contact is no more found", async || {
        found(&caller, one("email", "EQ", json!("new"))).await.is_empty()
    })
    .await;
    assert_eq!(caller.get(&format!("{CONTACTS}/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_search_by_time_is_current_within_a_second_however_far_the_search_lags() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    crm.set_search_lag_ms(60_000);
    let created = Instant::now();
    crm.person_creates(json!({"email": "a"})).unwrap();

    eventually("the change is listed", async || {
        !found(&caller, one("lastmodifieddate", "GTE", json!("0"))).await.is_empty()
    })
    .await;
    let listed_after = created.elapsed();
    let by_email = found(&caller, one("email", "EQ", json!("a"))).await;
    let searched_after = created.elapsed();

    assert!(listed_after >= Duration::from_millis(999));
    assert!(by_email.is_empty() || searched_after >= Duration::from_secs(3));
    eventually("the search lags three seconds at most", async || {
        !found(&caller, one("email", "EQ", json!("a"))).await.is_empty()
    })
    .await;
}
