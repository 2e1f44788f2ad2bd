//! The ERP's records over HTTP.

use std::time::{Duration, Instant};

use pairline_fakes::{Erp, ErpConfig, Writer};
use serde_json::{Value, json};

use crate::caller::{Caller, erp, eventually};

const KEY: &str = "Idempotency-Key";

async fn listed(caller: &Caller, query: &str) -> Vec<String> {
    let answer = caller.get(&format!("/customers?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let page = answer.json();
    let data = page["data"].as_array().expect("a page").iter();
    data.map(|customer| customer["id"].as_str().expect("an id").to_owned()).collect()
}

async fn three_customers() -> (Erp, Caller) {
    let (erp, caller) = erp(ErpConfig::default()).await;
    for fields in [json!({"email": "a", "vat_id": "V"}), json!({"email": "b", "vat_id": "V"}), json!({"email": "a"})] {
        erp.person_creates(fields).expect("no rule");
    }
    (erp, caller)
}

#[tokio::test]
async fn a_created_customer_is_answered_flat_with_id_dates_and_custom_fields() {
    let (_erp, caller) = erp(ErpConfig::default()).await;

    let sent = json!({"name": "Ada Lovelace", "credit_limit": 900.5, "anything": [1]});
    let answer = caller.post("/customers", sent).await;

    let mut customer = answer.json();
    assert_eq!(answer.status, 201);
    let fields = customer.as_object_mut().unwrap();
    for date in ["created_at", "updated_at"] {
        let text = fields.remove(date).unwrap();
        assert_eq!(text.as_str().unwrap().len(), "2026-01-01T00:00:00.000Z".len());
    }
    assert_eq!(
        customer,
        json!({
            "id": "WHS-000001", "name": "Ada Lovelace", "credit_limit": 900.5,
            "anything": [1], "custom_fields": {}
        })
    );
}

#[tokio::test]
async fn an_update_replaces_fields_and_merges_custom_fields() {
    let (_erp, caller) = erp(ErpConfig::default()).await;
    let sent = json!({"name": "Ada", "phone": "1", "custom_fields": {"crm_id": "101"}});
    let id = caller.post("/customers", sent).await.id();

    let sent = json!({"phone": "2", "custom_fields": {"sync_origin": "pairline"}});
    let answer = caller.patch(&format!("/customers/{id}"), sent).await;

    let customer = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(customer["name"], "Ada");
    assert_eq!(customer["phone"], "2");
    assert_eq!(customer["custom_fields"], json!({"crm_id": "101", "sync_origin": "pairline"}));
    assert_eq!(caller.get(&format!("/customers/{id}")).await.json(), customer);
}

#[tokio::test]
async fn a_deleted_or_unknown_customer_is_not_found() {
    let (erp, caller) = erp(ErpConfig::default()).await;
    let id = caller.post("/customers", json!({"email": "a"})).await.id();
    assert_eq!(caller.delete(&format!("/customers/{id}")).await.status, 204);

    for id in [id.as_str(), "WHS-000002", "1", "WHS-1"] {
        let path = format!("/customers/{id}");
        assert_eq!(caller.get(&path).await.status, 404);
        assert_eq!(caller.patch(&path, json!({})).await.status, 404);
        assert_eq!(caller.delete(&path).await.status, 404);
    }
    assert!(listed(&caller, "").await.is_empty());
    assert!(listed(&caller, "email=a").await.is_empty());
    assert!(erp.snapshot()[0].gone);
    erp.person_restores(&id).unwrap();
    assert_eq!(listed(&caller, "email=a").await, [id]);
}

#[tokio::test]
async fn a_key_used_again_answers_the_stored_answer_and_makes_no_second_record() {
    let (erp, caller) = erp(ErpConfig::default()).await;
    let keyed = |key: &'static str, name: &'static str| {
        let caller = caller.clone();
        async move { caller.post_with("/customers", json!({ "name": name }), &[(KEY, key)]).await }
    };

    let first = keyed("k1", "Ada").await;
    let path = format!("/customers/{}", first.id());
    caller.patch(&path, json!({"name": "changed since"})).await;
    let again = keyed("k1", "another body").await;
    caller.delete(&path).await;
    let after_deletion = keyed("k1", "Ada").await;
    let other = keyed("k2", "Ada").await;

    assert_eq!([again.status, after_deletion.status], [201, 201]);
    assert_eq!(again.json(), first.json());
    assert_eq!(after_deletion.json(), first.json());
    assert_ne!(other.id(), first.id());
    assert_eq!(erp.snapshot().len(), 2);
}

#[tokio::test]
async fn a_key_used_by_many_at_once_makes_one_record() {
    let (erp, caller) = erp(ErpConfig {
        faults: pairline_fakes::Faults { latency_to_ms: 20, ..Default::default() },
        ..ErpConfig::default()
    })
    .await;

    let calls: Vec<_> = (0..50)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.post_with("/customers", json!({"name": "Ada"}), &[(KEY, "k")]).await })
        })
        .collect();
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 201);
        assert_eq!(answer.id(), "WHS-000001");
    }

    assert_eq!(erp.snapshot().len(), 1);
    assert_eq!(erp.history("WHS-000001").len(), 1);
    assert_eq!(erp.deliveries().announced, 1);
}

#[tokio::test]
async fn a_key_that_was_refused_or_has_died_is_free_again() {
    let (erp, caller) = erp(ErpConfig { key_life: Duration::ZERO, ..ErpConfig::default() }).await;
    let bad = json!({"credit_limit": "a lot"});
    assert_eq!(caller.post_with("/customers", bad, &[(KEY, "k")]).await.status, 400);

    for _ in 0..2 {
        let answer = caller.post_with("/customers", json!({}), &[(KEY, "k")]).await;
        assert_eq!(answer.status, 201);
    }

    assert_eq!(erp.snapshot().len(), 2);
    assert_eq!(ErpConfig::default().key_life, Duration::from_secs(86_400));
}

#[tokio::test]
async fn the_listing_goes_by_id_with_a_cursor_that_ends_in_null() {
    let (_erp, caller) = three_customers().await;

    let first = caller.get("/customers?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = caller.get(&format!("/customers?limit=2&cursor={cursor}")).await.json();

    assert_eq!(first["data"][0]["id"], "WHS-000001");
    assert_eq!(first["data"][1]["id"], "WHS-000002");
    assert_eq!(second["data"][0]["id"], "WHS-000003");
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(listed(&caller, "limit=3").await.len(), 3);
}

#[tokio::test]
async fn the_listing_filters_by_email_and_by_vat_id() {
    let (_erp, caller) = three_customers().await;

    for (query, expected) in [
        ("email=a", vec!["WHS-000001", "WHS-000003"]),
        ("vat_id=V", vec!["WHS-000001", "WHS-000002"]),
        ("email=a&vat_id=V", vec!["WHS-000001"]),
        ("email=a&cursor=WHS-000001", vec!["WHS-000003"]),
        ("email=nobody", vec![]),
    ] {
        assert_eq!(listed(&caller, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn updated_since_is_inclusive_and_pages_by_id() {
    let (erp, caller) = three_customers().await;
    tokio::time::sleep(Duration::from_millis(3)).await;
    for id in ["WHS-000003", "WHS-000001"] {
        erp.person_edits(id, json!({})).unwrap();
    }
    let customer = caller.get("/customers/WHS-000003").await.json();
    let text = customer["updated_at"].as_str().unwrap();
    let changed_ms = erp.snapshot()[2].updated_at_ms;

    for since in [text.to_owned(), changed_ms.to_string()] {
        let query = format!("updated_since={since}");
        assert_eq!(listed(&caller, &query).await, ["WHS-000001", "WHS-000003"]);
        let first = format!("updated_since={since}&limit=1");
        assert_eq!(listed(&caller, &first).await, ["WHS-000001"]);
        let rest = format!("updated_since={since}&limit=1&cursor=WHS-000001");
        assert_eq!(listed(&caller, &rest).await, ["WHS-000003"]);
    }
    let later = erp.snapshot()[0].updated_at_ms + 1;
    assert!(listed(&caller, &format!("updated_since={later}")).await.is_empty());
}

#[tokio::test]
async fn the_listing_of_changes_may_lag_a_second_and_no_other_listing_does() {
    let (erp, caller) = erp(ErpConfig { changes_lag_ms: 60_000, ..ErpConfig::default() }).await;
    let created = Instant::now();
    erp.person_creates(json!({"email": "a"})).unwrap();

    let by_email = listed(&caller, "email=a").await;
    eventually("the change is listed", async || !listed(&caller, "updated_since=0").await.is_empty()).await;

    assert_eq!(by_email.len(), 1);
    assert!(created.elapsed() >= Duration::from_millis(999));
}

#[tokio::test]
async fn what_the_contract_does_not_allow_is_refused_in_json() {
    let (_erp, mut caller) = three_customers().await;

    for (answer, status) in [
        (caller.post("/customers", json!([])).await, 400),
        (caller.post("/customers", json!({"credit_limit": "1"})).await, 400),
        (caller.post("/customers", json!({"id": "WHS-000009"})).await, 400),
        (caller.get("/customers?limit=501").await, 400),
        (caller.get("/customers?cursor=x").await, 400),
        (caller.get("/customers?updated_since=x").await, 400),
        (caller.get("/customers?crm_id=101").await, 400),
        (caller.get("/suppliers").await, 404),
        (caller.delete("/customers").await, 405),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.json()["error"]["code"], status);
    }
    caller.token.clear();
    assert_eq!(caller.get("/customers").await.status, 401);
}

#[tokio::test]
async fn the_history_keeps_the_origin_of_every_caller_and_the_copy_its_inverse_id() {
    let (erp, caller) = erp(ErpConfig::default()).await;
    let sent = json!({"custom_fields": {"crm_id": "101"}});
    let origin = "pairline/op-1";
    let id = caller.post_with("/customers", sent, &[("X-Sync-Origin", origin)]).await.id();
    erp.other_tool_edits(&id, json!({"phone": "1"}), "shop").unwrap();

    let copy = erp.clone_customer(&id).unwrap();

    let history = erp.history(&id);
    let Writer::Caller { origin: told, visit } = &history[0].writer else { panic!("it came over HTTP") };
    assert_eq!((told.as_deref(), visit.answered), (Some(origin), true));
    assert_eq!(history[1].writer, Writer::Tool { name: "shop".to_owned() });
    let copied = caller.get(&format!("/customers/{copy}")).await.json();
    assert_eq!(copied["custom_fields"]["crm_id"], "101");
    assert_eq!(copied["phone"], "1");
}

#[tokio::test]
async fn of_two_merged_customers_one_goes_and_its_id_may_lead_to_the_other() {
    for merged_ids_forward in [false, true] {
        let (erp, caller) = erp(ErpConfig { merged_ids_forward, ..ErpConfig::default() }).await;
        let gone = erp.person_creates(json!({ "email": "a" })).unwrap();
        let stays = erp.person_creates(json!({ "email": "b" })).unwrap();

        erp.merge(&gone, &stays).unwrap();

        let read = caller.get(&format!("/customers/{gone}")).await;
        assert_eq!(read.status, if merged_ids_forward { 200 } else { 404 });
        assert!(!merged_ids_forward || read.json()["id"] == json!(stays));
        let written = caller.patch(&format!("/customers/{gone}"), json!({ "phone": "1" })).await;
        assert_eq!(written.status, 404, "it is unknown to everything else");
        assert!(erp.merge(&stays, &stays).is_err());
    }
}

#[tokio::test]
async fn an_erp_that_tidies_keeps_its_own_spelling() {
    let (_erp, caller) = erp(ErpConfig { tidies: true, ..ErpConfig::default() }).await;

    let made = caller.post("/customers", json!({ "email": "A@B.test", "phone": "1 2" })).await.json();

    assert_eq!((&made["email"], &made["phone"]), (&json!("a@b.test"), &json!("12")));
}
