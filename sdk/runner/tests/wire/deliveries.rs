//! Deliveries from senders that misbehave: what they are told, and what reaches the engine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pairline_runner::application::{Description, Environment};
use pairline_runner::metrics::Metrics;
use pairline_runner::webhook::{Door, Listener, Measured, Receiver};
use pairline_sdk::testing::TestClock;
use pairline_sdk::{
    Clock, Control, Delivery, Engine, EngineError, EventFacts, Health, ListQuery, Listed, RecordId, System, Taken,
    Timestamp, Worker,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const CRM: &str = include_str!("../../../../topologies/applications/crm.yaml");
const ERP: &str = include_str!("../../../../topologies/applications/erp.yaml");
const URL: &str = "http://127.0.0.1:18090/webhooks/crm";

/// An engine that keeps what it is given.
#[derive(Default)]
struct Inbox {
    taken: Mutex<Vec<Delivery>>,
    full: Mutex<bool>,
    /// When it is there, a delivery is not durable before somebody says so.
    slow: Option<Slow>,
}

struct Slow {
    /// A permit for each delivery that has come.
    came: Semaphore,
    /// A permit for each that may become durable.
    go: Semaphore,
}

impl Inbox {
    fn slow() -> Self {
        let slow = Slow { came: Semaphore::new(0), go: Semaphore::new(0) };
        Self { slow: Some(slow), ..Self::default() }
    }

    async fn has_one_under_way(&self) {
        self.slow.as_ref().unwrap().came.acquire().await.unwrap().forget();
    }

    fn go(&self) {
        self.slow.as_ref().unwrap().go.add_permits(1);
    }
}

#[async_trait]
impl Engine for Inbox {
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError> {
        if *self.full.lock().unwrap() {
            return Err(EngineError::Unavailable("database or disk is full".to_owned()));
        }
        if let Some(slow) = &self.slow {
            slow.came.add_permits(1);
            slow.go.acquire().await.unwrap().forget();
        }
        let accepted = delivery.arrivals.len() as u64;
        self.taken.lock().unwrap().push(delivery);
        Ok(Taken { accepted, duplicates: 0 })
    }

    async fn cursor(&self, _: &System) -> Result<Value, EngineError> {
        Ok(Value::Null)
    }

    async fn rewind(&self) -> Result<(), EngineError> {
        Ok(())
    }

    async fn run(&self, _: Arc<dyn Worker>, _: usize) -> Result<(), EngineError> {
        Ok(())
    }

    async fn control(&self, _: Control) -> Result<(), EngineError> {
        Ok(())
    }

    async fn list(&self, _: ListQuery, _: usize) -> Result<Listed, EngineError> {
        Ok(Listed::Waiting(vec![]))
    }

    async fn health(&self) -> Result<Health, EngineError> {
        Ok(Health::default())
    }

    async fn probe(&self) -> Result<(), EngineError> {
        if *self.full.lock().unwrap() { Err(EngineError::Unavailable("full".to_owned())) } else { Ok(()) }
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<u64, EngineError> {
        Ok(0)
    }
}

#[async_trait]
impl Measured for Inbox {
    async fn ready(&self) -> Result<(), String> {
        if *self.full.lock().unwrap() { Err("the database cannot be written".to_owned()) } else { Ok(()) }
    }

    async fn measure(&self) -> Result<(), String> {
        Ok(())
    }
}

#[async_trait]
impl Door for Inbox {
    async fn settles(&self, _: &RecordId, _: &EventFacts) -> bool {
        false
    }
}

struct House {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    clock: Arc<TestClock>,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

async fn house(inbox: Inbox) -> House {
    let environment = Environment::of([
        ("CRM_TOKEN", "t"),
        ("ERP_TOKEN", "t"),
        ("CRM_CLIENT_SECRET", "crm-secret"),
        ("ERP_WEBHOOK_SECRET", "erp-secret"),
    ]);
    let descriptions = [CRM, ERP].map(|text| Description::parse("a.yaml", text, &environment).0.unwrap());
    let (inbox, clock, metrics) = (Arc::new(inbox), Arc::new(TestClock::default()), Arc::new(Metrics::default()));
    let receiver = Receiver::new(descriptions.into(), inbox.clone(), inbox.clone(), &metrics, clock.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(Listener::new(receiver, metrics, inbox.clone()).serve(listener, stop.clone()));
    House { address, inbox, clock, stop, served }
}

fn mac(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn erp_headers(body: &[u8]) -> String {
    let hex: String = mac("erp-secret", &[body]).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X-Signature: sha256={hex}\r\n")
}

fn crm_headers(body: &[u8], at: Timestamp) -> String {
    let at = at.as_millis().to_string();
    let signature = STANDARD.encode(mac("crm-secret", &[b"POST", URL.as_bytes(), body, at.as_bytes()]));
    format!("X-HubSpot-Signature-v3: {signature}\r\nX-HubSpot-Request-Timestamp: {at}\r\n")
}

/// An answer's status, head and body.
struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl House {
    /// Sends bytes and reads until the other side closes.
    async fn raw(&self, bytes: &[u8]) -> Answered {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The answer may come, and the connection be closed, before everything is sent.
        stream.write_all(bytes).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answered { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    async fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answered {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }

    async fn crm(&self, body: &Value) -> Answered {
        let body = body.to_string().into_bytes();
        self.request("POST", "/webhooks/crm", &crm_headers(&body, self.clock.now()), &body).await
    }

    async fn erp(&self, body: &[u8]) -> Answered {
        self.request("POST", "/webhooks/erp", &erp_headers(body), body).await
    }

    fn taken(&self) -> Vec<Delivery> {
        self.inbox.taken.lock().unwrap().clone()
    }
}

fn contact_event(id: u64, property: &str) -> Value {
    json!({
        "eventId": id, "occurredAt": 1_700_000_000_000_i64, "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0, "objectId": 9_007_199_254_740_993_u64, "changeSource": "CRM_UI", "sourceId": "userId:1",
        "propertyName": property, "propertyValue": "x",
    })
}

fn customer_event() -> Vec<u8> {
    json!({
        "event_id": "e1", "type": "customer.updated", "customer_id": "WHS-1", "occurred_at": "2026-01-01T00:00:00Z",
        "changed_fields": ["phone"], "origin": null,
    })
    .to_string()
    .into_bytes()
}

#[tokio::test]
async fn a_signed_delivery_is_taken_and_acknowledged() {
    let house = house(Inbox::default()).await;

    let crm = house.crm(&json!([contact_event(1, "email"), 7, contact_event(2, "phone")])).await;
    let erp = house.erp(&customer_event()).await;

    assert_eq!((crm.status, crm.body.as_str()), (202, r#"{"accepted":1,"duplicates":0,"unreadable":1}"#));
    assert_eq!(erp.status, 202);
    let taken = house.taken();
    assert_eq!(taken[0].arrivals[0].record.id, "9007199254740993");
    assert_eq!(taken[0].unreadable.len(), 1);
    assert_eq!(taken[1].arrivals[0].record.to_string(), "erp:WHS-1");
}

#[tokio::test]
async fn a_signature_is_checked_over_the_bytes_as_they_came() {
    let house = house(Inbox::default()).await;
    let plain = customer_event();
    // The same JSON, as another writer of it would have it.
    let spaced = [b" ".as_slice(), &plain, b"\n"].concat();

    let as_it_came = house.erp(&spaced).await;
    let of_the_same_json = house.request("POST", "/webhooks/erp", &erp_headers(&plain), &spaced).await;

    assert_eq!((as_it_came.status, of_the_same_json.status), (202, 401));
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let house = Arc::new(house(Inbox::slow()).await);
    let sender = tokio::spawn({
        let house = house.clone();
        async move { house.erp(&customer_event()).await.status }
    });
    house.inbox.has_one_under_way().await;
    // Whoever asks later is answered sooner.
    assert_eq!(house.request("GET", "/livez", "", b"").await.status, 200);
    assert!(!sender.is_finished());

    house.inbox.go();

    assert_eq!(sender.await.unwrap(), 202);
    assert_eq!(house.taken().len(), 1);
}

#[tokio::test]
async fn whoever_is_not_believed_is_told_so_and_nothing_is_taken() {
    let house = house(Inbox::default()).await;
    let body = json!([contact_event(1, "email")]).to_string().into_bytes();
    let now = house.clock.now();
    let (stale, ahead) = (now.minus(Duration::from_secs(301)), now.plus(Duration::from_secs(301)));
    let post = async |path: &str, headers: &str, body: &[u8]| house.request("POST", path, headers, body).await.status;

    assert_eq!(post("/webhooks/crm", "", &body).await, 401);
    assert_eq!(post("/webhooks/crm", &crm_headers(&body, stale), &body).await, 401);
    assert_eq!(post("/webhooks/crm", &crm_headers(&body, ahead), &body).await, 401);
    assert_eq!(post("/webhooks/crm", &crm_headers(b"[]", now), &body).await, 401);
    assert_eq!(post("/webhooks/erp", &erp_headers(b"{}"), &customer_event()).await, 401);
    assert_eq!(post("/webhooks/erp", "X-Signature: sha256=00\r\n", b"not JSON").await, 401);
    assert_eq!(house.taken(), []);
}

#[tokio::test]
async fn what_is_not_as_agreed_is_refused_with_what_was_expected() {
    let house = house(Inbox::default()).await;
    let deep = "[".repeat(100) + &"]".repeat(100);
    for body in ["", "{", "not JSON", "[]", "7", &deep, r#"{"a":1,"a":2}"#, "{\"type\":\"\u{0}\"}"] {
        let answered = house.erp(body.as_bytes()).await;

        assert_eq!(answered.status, 400, "{body}");
        assert!(answered.head.contains("content-type: application/problem+json"), "{}", answered.head);
        let problem: Value = serde_json::from_str(&answered.body).unwrap();
        assert!(problem["detail"].as_str().unwrap().starts_with("expected "), "{problem}");
    }
    assert_eq!(house.crm(&json!({})).await.status, 400);
    assert_eq!(house.crm(&json!([])).await.status, 202);
    assert_eq!(house.request("POST", "/webhooks/other", "", b"{}").await.status, 404);
    assert_eq!(house.request("POST", "/nowhere", "", b"{}").await.status, 404);
    assert_eq!(house.request("GET", "/webhooks/erp", "", b"").await.status, 405);
    assert_eq!(house.taken(), []);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let house = house(Inbox::default()).await;
    let headers = erp_headers(b"");

    // A hundred megabytes are announced and one byte is sent: the answer does not wait for the rest.
    let announced = format!("POST /webhooks/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n{headers}\r\nx");
    assert_eq!(house.raw(announced.as_bytes()).await.status, 413);

    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let mut chunked =
        format!("POST /webhooks/erp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{headers}\r\n").into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(&chunk);
    }
    assert_eq!(house.raw(&chunked).await.status, 413);
}

#[tokio::test]
async fn a_full_inbox_asks_the_sender_to_come_back() {
    let house = house(Inbox::default()).await;
    *house.inbox.full.lock().unwrap() = true;

    let answered = house.erp(&customer_event()).await;

    assert_eq!(answered.status, 503);
    assert!(answered.head.contains("retry-after: 1"), "{}", answered.head);
    assert_eq!(house.request("GET", "/readyz", "", b"").await.status, 503);
    assert_eq!(house.request("GET", "/livez", "", b"").await.status, 200);
    *house.inbox.full.lock().unwrap() = false;
    assert_eq!(house.erp(&customer_event()).await.status, 202);
    assert_eq!(house.request("GET", "/readyz", "", b"").await.status, 200);
}

#[tokio::test]
async fn what_came_is_counted_and_shown() {
    let house = house(Inbox::default()).await;
    house.erp(&customer_event()).await;
    house.request("POST", "/webhooks/erp", "", b"{}").await;

    let shown = house.request("GET", "/metrics", "", b"").await;

    assert!(shown.head.contains("content-type: text/plain"), "{}", shown.head);
    for line in [
        "pairline_events_received_total{application=\"erp\",result=\"accepted\"} 1",
        "pairline_events_received_total{application=\"erp\",result=\"rejected\"} 1",
        "pairline_webhook_deliveries_total{application=\"erp\",status=\"202\"} 1",
        "pairline_webhook_deliveries_total{application=\"erp\",status=\"401\"} 1",
    ] {
        assert!(shown.body.contains(line), "{line} in\n{}", shown.body);
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_closes_what_is_idle() {
    let house = Arc::new(house(Inbox::slow()).await);
    let mut idle = TcpStream::connect(house.address).await.unwrap();
    let sender = tokio::spawn({
        let house = house.clone();
        async move { house.erp(&customer_event()).await.status }
    });
    house.inbox.has_one_under_way().await;

    house.stop.cancel();
    let mut nothing = Vec::new();
    idle.read_to_end(&mut nothing).await.unwrap();
    house.inbox.go();

    assert_eq!(sender.await.unwrap(), 202);
    let house = Arc::try_unwrap(house).ok().unwrap();
    house.served.await.unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
}

#[tokio::test]
async fn more_deliveries_at_once_than_there_is_room_for_are_asked_to_come_back() {
    let house = Arc::new(house(Inbox::slow()).await);
    let mut senders = Vec::new();
    for _ in 0..256 {
        let house = house.clone();
        senders.push(tokio::spawn(async move { house.erp(&customer_event()).await.status }));
    }
    for _ in 0..256 {
        house.inbox.has_one_under_way().await;
    }

    let answered = house.erp(&customer_event()).await;

    assert_eq!(answered.status, 503);
    assert!(answered.head.contains("retry-after: 1"), "{}", answered.head);
    senders.iter().for_each(|_| house.inbox.go());
    for sender in senders {
        assert_eq!(sender.await.unwrap(), 202);
    }
}
