//! What may go wrong with a call, and that exactly that goes wrong.

use std::time::{Duration, Instant};

use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig, Faults};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};

use crate::caller::{CONTACTS, Caller, crm, erp, eventually};

async fn crm_with(faults: Faults) -> (Crm, Caller) {
    crm(CrmConfig { faults, ..CrmConfig::default() }).await
}

async fn erp_with(faults: Faults) -> (Erp, Caller) {
    erp(ErpConfig { faults, ..ErpConfig::default() }).await
}

fn contact() -> Value {
    json!({"properties": {"email": "a"}})
}

#[tokio::test]
async fn a_rate_that_is_no_share_is_refused_wherever_it_is_set() {
    let faults = || Faults { delivery_dropped_rate: 5.0, ..Faults::default() };
    let told = "expected a rate from 0 to 1 for delivery_dropped_rate, found 5";

    let started = Crm::start(CrmConfig { faults: faults(), ..CrmConfig::default() }).await;
    assert_eq!(started.err().unwrap().to_string(), told);
    let (erp, _) = erp_with(Faults::default()).await;
    assert_eq!(erp.set_faults(faults()).unwrap_err().message, told);
    assert_eq!(*erp.faults(), Faults::default());
}

#[tokio::test]
async fn an_error_500_applies_nothing() {
    let (crm, caller) = crm_with(Faults { error_500_rate: 1.0, ..Faults::default() }).await;

    assert_eq!(caller.post(CONTACTS, contact()).await.status, 500);
    assert_eq!(caller.get(CONTACTS).await.status, 500);

    assert!(crm.snapshot().is_empty());
    assert_eq!(crm.faults_happened()["error_500"], 2);
}

#[tokio::test]
async fn a_hung_call_is_applied_once_and_answered_504_after_a_while() {
    let (erp, caller) = erp_with(Faults { applied_then_hung_rate: 1.0, hang_ms: 150, ..Faults::default() }).await;

    let sent = Instant::now();
    let answer = caller.post("/customers", json!({"name": "Ada"})).await;

    assert_eq!(answer.status, 504);
    assert!(sent.elapsed() >= Duration::from_millis(150));
    assert_eq!(erp.snapshot().len(), 1);
    assert_eq!(erp.history("WHS-000001").len(), 1);
    assert_eq!(Faults::default().hang_ms, 10_000);
}

#[tokio::test]
async fn a_write_is_finished_when_its_caller_died() {
    let (crm, mut caller) = crm_with(Faults { latency_from_ms: 400, latency_to_ms: 400, ..Faults::default() }).await;
    let impatient = pairline_fakes::loopback_client().timeout(Duration::from_millis(50));
    caller.http = impatient.build().unwrap();

    for _ in 0..5 {
        let answer = caller.try_send(Method::POST, CONTACTS, Some(contact()), &[]);
        assert!(answer.await.unwrap_err().is_timeout());
    }

    eventually("all are applied", async || crm.snapshot().len() == 5).await;
    eventually("all are counted", async || crm.calls().answered(0) == 5).await;
    assert_eq!(crm.deliveries().announced, 5);
}

#[tokio::test]
async fn a_late_call_is_answered_504_and_applied_once_afterwards() {
    let (crm, caller) =
        crm_with(Faults { applied_late_rate: 1.0, late_max_ms: 500, hang_ms: 5, ..Faults::default() }).await;

    let sent = Instant::now();
    let mut not_yet_applied = 0;
    for number in 0..10 {
        assert_eq!(caller.post(CONTACTS, contact()).await.status, 504);
        not_yet_applied += usize::from(crm.snapshot().len() <= number);
    }

    assert!(not_yet_applied > 0);
    eventually("all are applied", async || crm.snapshot().len() == 10).await;
    assert!(sent.elapsed() < Duration::from_secs(5) + Duration::from_millis(10 * 500));
    let snapshot = crm.snapshot();
    assert!(snapshot.iter().all(|contact| crm.history(&contact.id).len() == 1));
}

#[tokio::test]
async fn a_call_reset_before_it_was_applied_never_is() {
    let (crm, caller) = crm_with(Faults { reset_before_rate: 1.0, ..Faults::default() }).await;

    let answer = caller.try_send(Method::POST, CONTACTS, Some(contact()), &[]);

    assert!(answer.await.is_err());
    assert!(crm.snapshot().is_empty());
    eventually("it is counted", async || crm.calls().answered(0) > 0).await;
}

#[tokio::test]
async fn a_call_reset_after_it_was_applied_is_applied() {
    let (erp, caller) = erp_with(Faults { reset_after_rate: 1.0, ..Faults::default() }).await;
    let key = [("Idempotency-Key", "k")];

    let answer = caller.try_send(Method::POST, "/customers", Some(json!({})), &key).await;
    erp.set_faults(Faults::default()).unwrap();
    let again = caller.post_with("/customers", json!({}), &key).await;

    assert!(answer.is_err());
    assert_eq!(again.id(), "WHS-000001");
    assert_eq!(erp.snapshot().len(), 1);
}

/// A plain socket tells a reset from a tidy close, which an HTTP client does not.
#[tokio::test]
async fn a_reset_connection_is_reset_and_not_merely_closed() {
    use std::io::{ErrorKind, Read, Write};

    let (crm, _caller) = crm_with(Faults { reset_before_rate: 1.0, ..Faults::default() }).await;
    let address = crm.address();

    let read = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.write_all(
            b"GET /crm/v3/objects/contacts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer crm-token\r\n\r\n",
        )?;
        socket.read(&mut [0; 64])
    })
    .await
    .unwrap();

    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_truncated_answer_has_the_status_of_success_and_is_no_json() {
    let (crm, caller) = crm_with(Faults { truncated_json_rate: 1.0, ..Faults::default() }).await;

    let created = caller.post(CONTACTS, contact()).await;
    let listed = caller.get(CONTACTS).await;
    let missing = caller.get(&format!("{CONTACTS}/999")).await;

    assert_eq!([created.status, listed.status], [201, 200]);
    for answer in [created, listed] {
        assert!(answer.text.starts_with('{'));
        assert!(serde_json::from_str::<Value>(&answer.text).is_err());
    }
    assert_eq!(missing.json()["status"], "error");
    assert_eq!(crm.snapshot().len(), 1);
}

#[tokio::test]
async fn an_html_page_says_200_whether_or_not_the_call_was_applied() {
    let (crm, caller) = crm_with(Faults { html_200_rate: 1.0, ..Faults::default() }).await;

    for _ in 0..40 {
        let answer = caller.post(CONTACTS, contact()).await;
        assert_eq!(answer.status, 200);
        let content_type = answer.headers[CONTENT_TYPE].to_str().unwrap();
        assert!(content_type.starts_with("text/html"));
        assert!(answer.text.starts_with("<!DOCTYPE html>"));
    }

    assert!((5..35).contains(&crm.snapshot().len()));
}

#[tokio::test]
async fn a_create_may_be_answered_without_its_id_and_an_update_may_not() {
    let faults = Faults { created_without_id_rate: 1.0, ..Faults::default() };
    let (crm, crm_caller) = crm_with(faults.clone()).await;
    let (erp, erp_caller) = erp_with(faults).await;

    let contact = crm_caller.post(CONTACTS, contact()).await;
    let customer = erp_caller.post("/customers", json!({"name": "Ada"})).await;
    let updated = erp_caller.patch("/customers/WHS-000001", json!({})).await;

    assert_eq!([contact.status, customer.status], [201, 201]);
    assert_eq!(contact.json().get("id"), None);
    assert_eq!(contact.json()["properties"].get("hs_object_id"), None);
    assert_eq!(contact.json()["properties"]["email"], "a");
    assert_eq!(customer.json().get("id"), None);
    assert_eq!(customer.json()["name"], "Ada");
    assert_eq!(updated.id(), "WHS-000001");
    assert_eq!(crm.snapshot().len() + erp.snapshot().len(), 2);
}

#[tokio::test]
async fn calls_past_the_rate_limit_are_answered_429_with_and_without_retry_after() {
    let faults = Faults { rate_limit_per_s: 3, retry_after_s: 2, ..Faults::default() };
    let (crm, caller) = crm_with(faults.clone()).await;

    let began = Instant::now();
    let mut throttled = Vec::new();
    for _ in 0..10 {
        let answer = caller.post(CONTACTS, contact()).await;
        if answer.status == 429 {
            throttled.push(answer);
        }
    }
    // A machine that needs longer than a second for this has seen more than one second's share.
    assert!(throttled.len() == 7 || began.elapsed() > Duration::from_secs(1));
    assert_eq!(throttled[0].headers[RETRY_AFTER], "2");
    assert_eq!(crm.snapshot().len(), 10 - throttled.len());

    crm.set_faults(Faults { error_429_rate: 1.0, retry_after_header: false, ..Faults::default() }).unwrap();
    let answer = caller.get(CONTACTS).await;
    assert_eq!(answer.status, 429);
    assert!(!answer.headers.contains_key(RETRY_AFTER));

    crm.set_faults(faults).unwrap();
    eventually("the next second begins", async || caller.get(CONTACTS).await.status == 200).await;
}

#[tokio::test]
async fn a_slow_call_takes_at_least_its_latency() {
    let (crm, caller) = crm_with(Faults { latency_from_ms: 60, latency_to_ms: 80, ..Faults::default() }).await;

    for _ in 0..3 {
        let sent = Instant::now();
        assert_eq!(caller.post(CONTACTS, contact()).await.status, 201);
        assert!(sent.elapsed() >= Duration::from_millis(60));
    }

    assert_eq!(crm.snapshot().len(), 3);
}

#[tokio::test]
async fn people_meet_no_faults() {
    let (crm, _caller) = crm_with(Faults { error_500_rate: 1.0, rate_limit_per_s: 1, ..Faults::default() }).await;

    for _ in 0..5 {
        crm.person_creates(json!({})).unwrap();
    }

    assert_eq!(crm.snapshot().len(), 5);
    assert_eq!(crm.calls().total(), 0);
}

/// The fate of call number n is the same in every run with the same seed.
#[tokio::test]
async fn one_seed_gives_the_same_sequence_of_fates() {
    let faults = Faults { error_500_rate: 0.3, truncated_json_rate: 0.3, ..Faults::default() };
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let (_crm, caller) = crm(CrmConfig { seed, faults: faults.clone(), ..CrmConfig::default() }).await;
        let mut fates = Vec::new();
        for _ in 0..40 {
            let answer = caller.get(CONTACTS).await;
            let whole = serde_json::from_str::<Value>(&answer.text).is_ok();
            fates.push((answer.status, whole));
        }
        runs.push(fates);
    }

    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn calls_are_counted_by_method_path_status_and_by_whether_they_write() {
    let (crm, caller) = crm_with(Faults::default()).await;

    caller.post(CONTACTS, contact()).await;
    caller.post(&format!("{CONTACTS}/search"), json!({})).await;
    caller.get(CONTACTS).await;
    caller.get(&format!("{CONTACTS}/999")).await;
    caller.patch(&format!("{CONTACTS}/101"), contact()).await;

    let calls = crm.calls();
    assert_eq!(calls.total(), 5);
    assert_eq!(calls.writes(), 2);
    assert_eq!(calls.reads(), 3);
    assert_eq!(calls.of("POST", "search"), 1);
    assert_eq!(calls.of("POST", "contacts"), 1);
    assert_eq!(calls.of("PATCH", "contact"), 1);
    assert_eq!(calls.answered(404), 1);
    assert_eq!(calls.answered(201), 1);
}
