//! What a read and a listing show: some properties, their history, archived contacts.

use pairline_fakes::CrmConfig;
use serde_json::{Value, json};

use crate::caller::{CONTACTS, crm};
use crate::crm::{created, properties};

fn names(contact: &Value) -> Vec<String> {
    contact["properties"].as_object().expect("properties").keys().cloned().collect()
}

#[tokio::test]
async fn a_read_shows_the_properties_that_it_asks_for_and_those_the_crm_keeps() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({"email": "a", "phone": "1", "vat_id": "V"})).await;
    let kept = ["hs_object_id", "createdate", "lastmodifieddate"];

    for (query, asked) in [
        ("properties=email", vec!["email"]),
        ("properties=email&properties=vat_id", vec!["email", "vat_id"]),
        ("properties=email,%20vat_id", vec!["email", "vat_id"]),
        ("properties=createdate", vec![]),
        ("properties=email&propertiesWithHistory=phone", vec!["email", "phone"]),
        ("properties=", vec!["email", "phone", "vat_id"]),
        ("propertiesWithHistory=phone", vec!["email", "phone", "vat_id"]),
    ] {
        let read = caller.get(&format!("{CONTACTS}/{id}?{query}")).await.json();
        let listed = caller.get(&format!("{CONTACTS}?{query}")).await.json();
        let expected: Vec<_> = asked.into_iter().chain(kept).collect();
        assert_eq!(names(&read), expected, "{query}");
        assert_eq!(names(&listed["results"][0]), expected, "{query}");
    }
    let nothing = caller.get(&format!("{CONTACTS}/{id}?properties=company")).await.json();
    assert_eq!(nothing["properties"].get("company"), Some(&Value::Null));
}

#[tokio::test]
async fn a_property_that_is_not_defined_is_not_shown_where_only_defined_ones_are_taken() {
    let (_crm, caller) = crm(CrmConfig { defined_properties_only: true, ..CrmConfig::default() }).await;
    let id = created(&caller, json!({"email": "a"})).await;

    let query = "properties=no_such_property,company&propertiesWithHistory=no_such_property";
    let read = caller.get(&format!("{CONTACTS}/{id}?{query}")).await.json();

    assert_eq!(names(&read), ["hs_object_id", "createdate", "lastmodifieddate", "company"]);
    assert_eq!(read["propertiesWithHistory"], json!({}));
}

#[tokio::test]
async fn a_history_begins_with_the_newest_value_and_says_who_wrote_each() {
    let (crm, caller) = crm(CrmConfig::default()).await;
    let id = created(&caller, json!({"phone": 1, "email": "a"})).await;
    crm.person_edits(&id, json!({"phone": "2"})).unwrap();
    crm.other_tool_edits(&id, json!({"phone": ""}), "9001").unwrap();
    crm.person_edits(&id, json!({"email": "b"})).unwrap();

    let path = format!("{CONTACTS}/{id}?propertiesWithHistory=phone&propertiesWithHistory=company");
    let read = caller.get(&path).await.json();

    let past = read["propertiesWithHistory"]["phone"].as_array().unwrap().clone();
    let told = |value: &Value| [value["value"].clone(), value["sourceType"].clone(), value["sourceId"].clone()];
    assert_eq!(
        past.iter().map(told).collect::<Vec<_>>(),
        [
            [json!(""), json!("INTEGRATION"), json!("9001")],
            [json!("2"), json!("CRM_UI"), json!("userId:1")],
            [json!("1"), json!("INTEGRATION"), json!("4242")],
        ]
    );
    assert_eq!(
        past.iter().map(|value| value.get("updatedByUserId").is_some()).collect::<Vec<_>>(),
        [false, true, false]
    );
    assert_eq!(past[2]["timestamp"], read["createdAt"]);
    assert_eq!(read["propertiesWithHistory"]["company"], json!([]));
}

#[tokio::test]
async fn archived_contacts_are_shown_to_whoever_asks_for_them_and_no_others_are() {
    let (_crm, caller) = crm(CrmConfig::default()).await;
    let there = created(&caller, json!({"email": "a"})).await;
    let archived = created(&caller, json!({"email": "b"})).await;
    caller.delete(&format!("{CONTACTS}/{archived}")).await;
    let read = async |what: &str| caller.get(&format!("{CONTACTS}{what}")).await;

    let contact = read(&format!("/{archived}?archived=true")).await.json();

    assert_eq!((&contact["id"], &contact["archived"]), (&json!(archived), &json!(true)));
    assert_eq!(contact["archivedAt"], contact["updatedAt"]);
    assert_eq!(read("/b?idProperty=email&archived=true").await.id(), archived);
    assert_eq!(read(&format!("/{there}?archived=true")).await.status, 404);
    assert_eq!(read("/a?idProperty=email&archived=true").await.status, 404);
    let listed = read("?archived=true").await.json();
    assert_eq!(listed["results"], json!([contact]));
    assert_eq!(read("?archived=maybe").await.status, 400);
    for path in [format!("/{there}"), format!("/{there}?archived=false")] {
        let held = read(&path).await.json();
        assert_eq!((&held["archived"], held.get("archivedAt")), (&json!(false), None));
    }
    let written = caller.patch(&format!("{CONTACTS}/{archived}?archived=true"), properties(json!({}))).await;
    assert_eq!(written.status, 404);
}
