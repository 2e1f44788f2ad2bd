//! How webhooks are delivered, and what may go wrong on the way.

use std::time::{Duration, Instant};

use pairline_fakes::{Crm, CrmConfig, DeliveryRules, ErpConfig, Faults};
use serde_json::json;

use crate::caller::{CONTACTS, Caller, crm, erp, eventually};
use crate::receiver::{Receiver, Reply};

fn impatient() -> DeliveryRules {
    DeliveryRules { acknowledged_within: Duration::from_secs(1), again_after: vec![Duration::from_millis(5); 3] }
}

async fn crm_with(receiver: &Receiver, faults: Faults) -> (Crm, Caller) {
    crm(CrmConfig { webhook_url: Some(receiver.url.clone()), delivery: impatient(), faults, ..CrmConfig::default() })
        .await
}

async fn settled(crm: &Crm) {
    eventually("deliveries end", async || crm.pending_deliveries() == 0).await;
}

#[tokio::test]
async fn a_failed_delivery_comes_again_with_the_same_event_and_the_next_attempt_number() {
    let receiver = Receiver::start(&[500, 404, 302, 200].map(Reply::Status)).await;
    let (crm, _caller) = crm_with(&receiver, Faults::default()).await;

    crm.person_creates(json!({"email": "a"})).unwrap();
    let webhooks = receiver.wait_for(4).await;
    settled(&crm).await;

    for (number, webhook) in webhooks.iter().enumerate() {
        assert_eq!(webhook[0]["attemptNumber"], number);
        assert_eq!(webhook[0]["eventId"], webhooks[0][0]["eventId"]);
    }
    let deliveries = crm.deliveries();
    assert_eq!(deliveries.attempts, 4);
    assert_eq!(deliveries.failed_attempts, 3);
    assert_eq!(deliveries.acknowledged, 1);
    assert_eq!(deliveries.given_up, 0);
    assert_eq!(crm.ack_times().len(), 1);
}

#[tokio::test]
async fn a_delivery_nobody_acknowledges_is_given_up() {
    let receiver = Receiver::start(&[Reply::Status(500)]).await;
    let (erp, _caller) =
        erp(ErpConfig { webhook_url: Some(receiver.url.clone()), delivery: impatient(), ..ErpConfig::default() }).await;

    erp.person_creates(json!({})).unwrap();
    eventually("it is given up", async || erp.deliveries().given_up == 1).await;

    assert_eq!(erp.deliveries().attempts, 4);
    assert_eq!(erp.deliveries().acknowledged, 0);
    let bodies: Vec<_> = receiver.received().into_iter().map(|hook| hook.body).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_receiver_that_is_too_slow_has_not_acknowledged() {
    let receiver = Receiver::start(&[Reply::After(Duration::from_secs(60)), Reply::Status(200)]).await;
    let (crm, _caller) = crm_with(&receiver, Faults::default()).await;

    crm.person_creates(json!({})).unwrap();
    receiver.wait_for(2).await;
    settled(&crm).await;

    assert_eq!(crm.deliveries().failed_attempts, 1);
    assert_eq!(crm.deliveries().acknowledged, 1);
}

#[tokio::test]
async fn a_receiver_that_moved_gets_the_next_attempt_at_its_new_url() {
    let (crm, _caller) = crm(CrmConfig {
        webhook_url: Some("http://127.0.0.1:9/".to_owned()),
        delivery: DeliveryRules { again_after: vec![Duration::from_millis(20); 200], ..impatient() },
        ..CrmConfig::default()
    })
    .await;
    let receiver = Receiver::good().await;
    crm.person_creates(json!({})).unwrap();
    eventually("nobody is there", async || crm.deliveries().failed_attempts > 0).await;

    crm.set_webhook_url(&receiver.url);

    receiver.wait_for(1).await;
    settled(&crm).await;
    assert_eq!(crm.deliveries().acknowledged, 1);
}

#[tokio::test]
async fn without_an_address_nothing_is_sent_or_pending() {
    let (crm, _caller) = crm(CrmConfig::default()).await;

    crm.person_creates(json!({})).unwrap();

    assert_eq!(crm.pending_deliveries(), 0);
    assert_eq!(crm.deliveries().unaddressed, 1);
}

#[tokio::test]
async fn a_doubled_delivery_arrives_twice_with_the_same_event() {
    let receiver = Receiver::good().await;
    let (crm, _caller) = crm_with(&receiver, Faults { delivery_doubled_rate: 1.0, ..Faults::default() }).await;

    crm.person_creates(json!({})).unwrap();
    let webhooks = receiver.wait_for(2).await;
    settled(&crm).await;

    assert_eq!(webhooks[0], webhooks[1]);
    assert_eq!(receiver.count(), 2);
    assert_eq!(crm.deliveries().doubled, 1);
}

#[tokio::test]
async fn a_dropped_delivery_never_arrives() {
    let receiver = Receiver::good().await;
    let (crm, _caller) = crm_with(&receiver, Faults { delivery_dropped_rate: 1.0, ..Faults::default() }).await;

    crm.person_creates(json!({"email": "lost"})).unwrap();
    crm.set_faults(Faults::default()).unwrap();
    crm.person_creates(json!({"email": "kept"})).unwrap();
    settled(&crm).await;

    let webhooks = receiver.wait_for(1).await;
    assert_eq!(webhooks.len(), 1);
    assert_eq!(webhooks[0][0]["objectId"], 102);
    assert_eq!(crm.deliveries().dropped, 1);
}

#[tokio::test]
async fn reordered_deliveries_all_arrive_in_another_order() {
    let receiver = Receiver::good().await;
    let (crm, _caller) =
        crm_with(&receiver, Faults { delivery_reordered_rate: 0.5, delivery_reorder_max_ms: 200, ..Faults::default() })
            .await;

    for _ in 0..20 {
        crm.person_creates(json!({})).unwrap();
    }
    let webhooks = receiver.wait_for(20).await;

    let mut ids: Vec<_> = webhooks.iter().map(|webhook| webhook[0]["objectId"].as_u64().unwrap()).collect();
    assert!(!ids.is_sorted());
    ids.sort_unstable();
    assert_eq!(ids, (101..=120).collect::<Vec<_>>());
    assert!((1..20).contains(&crm.deliveries().reordered));
}

#[tokio::test]
async fn a_delayed_delivery_is_pending_until_it_arrives() {
    let receiver = Receiver::good().await;
    let (crm, _caller) =
        crm_with(&receiver, Faults { delivery_delayed_rate: 1.0, delivery_delay_max_ms: 400, ..Faults::default() })
            .await;

    let created = Instant::now();
    for _ in 0..10 {
        crm.person_creates(json!({})).unwrap();
    }
    assert_eq!(crm.pending_deliveries(), 10);
    assert_eq!(crm.quiet_for(), Duration::ZERO);
    receiver.wait_for(10).await;
    settled(&crm).await;

    // The latest of ten delays up to 400 ms is, for this seed, well above 100 ms.
    assert!(created.elapsed() > Duration::from_millis(100));
    assert_eq!(crm.deliveries().delayed, 10);
}

#[tokio::test]
async fn a_webhook_may_come_before_the_answer_to_the_write_that_caused_it() {
    let receiver = Receiver::good().await;
    let faults = Faults { announce_before_answer: true, ..Faults::default() };
    let (_crm, caller) = crm_with(&receiver, faults.clone()).await;
    let (_erp, erp_caller) =
        erp(ErpConfig { webhook_url: Some(receiver.url.clone()), faults, ..ErpConfig::default() }).await;

    for number in 0..10 {
        caller.post(CONTACTS, json!({"properties": {}})).await;
        assert_eq!(receiver.count(), 2 * number + 1);
        erp_caller.post("/customers", json!({})).await;
        assert_eq!(receiver.count(), 2 * number + 2);
    }
}

#[tokio::test]
async fn quiet_begins_when_the_last_delivery_ended_and_reads_do_not_end_it() {
    let receiver = Receiver::good().await;
    let (crm, caller) = crm_with(&receiver, Faults::default()).await;
    crm.person_creates(json!({})).unwrap();
    settled(&crm).await;

    eventually("it becomes quiet", async || {
        caller.get(CONTACTS).await;
        crm.quiet_for() > Duration::from_millis(300)
    })
    .await;
    caller.post(CONTACTS, json!({"properties": {}})).await;

    assert!(crm.quiet_for() < Duration::from_millis(300));
}

#[tokio::test]
async fn a_crm_that_stops_drops_what_it_has_not_delivered() {
    let receiver = Receiver::start(&[Reply::After(Duration::from_secs(60))]).await;
    let (crm, _caller) = crm(CrmConfig { webhook_url: Some(receiver.url.clone()), ..CrmConfig::default() }).await;
    for _ in 0..100 {
        crm.person_creates(json!({})).unwrap();
    }
    eventually("the wire is full", async || receiver.count() == 64).await;
    assert_eq!(crm.pending_deliveries(), 100);

    crm.shutdown().await;

    assert_eq!(crm.pending_deliveries(), 0);
    assert_eq!(receiver.count(), pairline_fakes::DELIVERIES_AT_ONCE);
}
