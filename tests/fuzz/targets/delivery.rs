//! Deliveries: a signature covers every byte it says it covers, nothing reaches the engine without one, and what reaches
//! it has ids that are ids and stand in the delivery as they are.
//!
//! The first line of an input names a scheme, the next ones are headers until an empty line, the rest is the body. The
//! header `sign: yes` signs it; the timestamp is now, unless there is a header with another one.

use std::cell::OnceCell;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pairline_runner::application::Description;
use pairline_runner::metrics::Metrics;
use pairline_runner::webhook::{Door, Receiver};
use pairline_sdk::testing::TestClock;
use pairline_sdk::{
    Clock, Control, Delivery, Engine, EngineError, EventFacts, Health, ListQuery, Listed, RecordId, System, Taken,
    Timestamp, Worker,
};
use serde_json::Value;
use sha2::Sha256;
use tokio::runtime::Runtime;

use super::stage::{CRM, ERP, head_and_body, is_id, stands_in, varied};

/// A way to sign. The secrets of the lenient environment are their variables' names.
struct Scheme {
    name: &'static str,
    application: &'static str,
    secret: &'static [u8],
    signature: &'static str,
    prefix: &'static str,
    hex: bool,
    /// The header of the timestamp, and its unit in milliseconds.
    timestamp: Option<(&'static str, i64)>,
    /// What is signed: method, URL, body and timestamp by their first letters.
    signs: &'static str,
    description: Description,
}

const URL: &str = "http://127.0.0.1:18090/webhooks/crm";

static SCHEMES: LazyLock<[Scheme; 5]> = LazyLock::new(|| {
    let crm = |name, changes: &[(&str, &str)]| Scheme {
        name,
        application: "crm",
        secret: b"CRM_CLIENT_SECRET",
        signature: "x-hubspot-signature-v3",
        prefix: "",
        hex: false,
        timestamp: Some(("x-hubspot-request-timestamp", 1)),
        signs: "mubt",
        description: varied(CRM, changes),
    };
    let erp = |name, changes: &[(&str, &str)]| Scheme {
        name,
        application: "erp",
        secret: b"ERP_WEBHOOK_SECRET",
        signature: "x-signature",
        prefix: "sha256=",
        hex: true,
        timestamp: None,
        signs: "b",
        description: varied(ERP, changes),
    };
    let stamped = "signs: \"{timestamp}{body}\"\n    timestamp: { header: X-Time, unit: seconds, tolerance: 10s }";
    [
        crm("crm", &[]),
        erp("erp", &[]),
        Scheme {
            hex: true,
            prefix: "v3=",
            ..crm("crm-hex", &[("encoding: base64", "encoding: hex\n    prefix: v3=")])
        },
        Scheme {
            hex: false,
            signs: "mb",
            ..erp("erp-base64", &[("encoding: hex", "encoding: base64"), ("\"{body}\"", "\"{method}{body}\"")])
        },
        Scheme {
            timestamp: Some(("x-time", 1000)),
            signs: "tb",
            ..erp("erp-stamped", &[("signs: \"{body}\"", stamped)])
        },
    ]
});

/// What a sender sends.
#[derive(Clone)]
struct Parcel {
    method: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Scheme {
    fn signed(&self, parcel: &Parcel) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret).unwrap();
        for part in self.signs.chars() {
            match part {
                'm' => mac.update(parcel.method.as_bytes()),
                'u' => mac.update(URL.as_bytes()),
                'b' => mac.update(&parcel.body),
                _ => mac.update(self.timestamp.and_then(|(name, _)| parcel.header(name)).unwrap_or_default()),
            }
        }
        let bytes = mac.finalize().into_bytes();
        let text =
            if self.hex { bytes.iter().map(|byte| format!("{byte:02x}")).collect() } else { STANDARD.encode(bytes) };
        format!("{}{text}", self.prefix).into_bytes()
    }
}

impl Parcel {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    fn put(&mut self, name: &str, value: Vec<u8>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value));
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri("/webhooks");
        for (name, value) in &self.headers {
            // What is no header does not get past the HTTP server.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                request = request.header(name, value);
            }
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

/// An engine that keeps what it is given.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Vec<Delivery>>);

#[async_trait]
impl Engine for Inbox {
    async fn enqueue(&self, delivery: Delivery) -> Result<Taken, EngineError> {
        let accepted = delivery.arrivals.len() as u64;
        self.0.lock().unwrap().push(delivery);
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
        Ok(())
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<u64, EngineError> {
        Ok(0)
    }
}

/// A door at which no event ends.
pub(super) struct OpenDoor;

#[async_trait]
impl Door for OpenDoor {
    async fn settles(&self, _: &RecordId, _: &EventFacts) -> bool {
        false
    }
}

thread_local! {
    /// The receiver waits for a body with a timeout, which takes a runtime.
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// The status of the answer, its text, and what reached the engine.
fn receive(scheme: &Scheme, receiver: &Receiver, inbox: &Inbox, parcel: &Parcel) -> (u16, String, Vec<Delivery>) {
    let answer = RUNTIME.with(|runtime| {
        let runtime =
            runtime.get_or_init(|| tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap());
        runtime.block_on(async {
            let answer = receiver.receive(scheme.application, parcel.request()).await;
            let status = answer.status().as_u16();
            (status, axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap())
        })
    });
    let text = String::from_utf8(answer.1.to_vec()).expect("an answer of ours is text");
    (answer.0, text, std::mem::take(&mut *inbox.0.lock().unwrap()))
}

pub(super) fn run(input: &[u8]) {
    let (head, body) = head_and_body(input);
    let Some((name, lines)) = head.split_first() else { return };
    let Some(scheme) = SCHEMES.iter().find(|scheme| scheme.name == *name) else { return };
    let clock = Arc::new(TestClock::default());
    let now = clock.now().as_millis();
    let inbox = Arc::new(Inbox::default());
    let receiver = Receiver::new(
        vec![scheme.description.clone()],
        inbox.clone(),
        Arc::new(OpenDoor),
        &Arc::new(Metrics::default()),
        clock,
    );
    let receiver = receiver.unwrap();
    let mut parcel = Parcel { method: "POST", headers: vec![], body: body.to_vec() };
    parcel
        .headers
        .extend(scheme.timestamp.map(|(name, unit)| (name.to_owned(), (now / unit).to_string().into_bytes())));
    let mut sign = false;
    for line in lines {
        match line.split_once(": ") {
            Some(("sign", _)) => sign = true,
            Some((name, value)) => parcel.put(name, value.as_bytes().to_vec()),
            None => {}
        }
    }
    let right = scheme.signed(&parcel);
    if sign {
        parcel.put(scheme.signature, right.clone());
    }
    let (status, text, taken) = receive(scheme, &receiver, &inbox, &parcel);

    if status == 202 {
        assert!(
            parcel.header(scheme.signature).is_some_and(|given| given.eq_ignore_ascii_case(&right)),
            "believed unsigned"
        );
    } else {
        assert!(taken.is_empty(), "refused with {status}, and taken");
        assert!((400..500).contains(&status), "{status}: {text}");
        assert!(!text.contains("secret"), "a refusal repeats what was sent: {text}");
    }
    let answered: Value = serde_json::from_str(&text).expect("an answer of ours is JSON");
    for delivery in &taken {
        accepted(scheme, &parcel.body, delivery, &answered);
    }
    assert_eq!(receive(scheme, &receiver, &inbox, &parcel), (status, text, taken), "another answer the second time");
    // One that is too long is refused before anything else is looked at.
    if !matches!(status, 401 | 413) {
        one_bit_more_is_refused(scheme, &receiver, &inbox, &parcel);
    }
}

/// What was taken can be worked with.
fn accepted(scheme: &Scheme, body: &[u8], delivery: &Delivery, answered: &Value) {
    assert_eq!(answered["accepted"], delivery.arrivals.len() as u64);
    assert_eq!(answered["unreadable"], delivery.unreadable.len() as u64);
    assert!(delivery.cursor.is_none());
    for arrival in &delivery.arrivals {
        assert_eq!(arrival.record.system.as_str(), scheme.application);
        assert!(is_id(&arrival.record.id), "`{}` was taken for an id", arrival.record.id);
        assert!(stands_in(&arrival.record.id, body), "`{}` is not in the delivery", arrival.record.id);
        assert!(arrival.event_key.as_ref().is_none_or(|key| !key.is_empty() && key.len() < 8192));
        let facts = arrival.facts.as_ref().expect("an event has facts");
        assert!(facts.operation.as_ref().is_none_or(|operation| !operation.0.is_empty()));
        assert_eq!(RecordId::parse(&arrival.record.to_string()).as_ref(), Some(&arrival.record));
    }
    for part in &delivery.unreadable {
        assert!(part.reason.starts_with("expected "), "{}", part.reason);
        assert!(part.body.len() <= 17 * 1024, "{} bytes are kept", part.body.len());
    }
}

/// A believed delivery is not believed any more when a bit of what is signed is another, or of the signature.
fn one_bit_more_is_refused(scheme: &Scheme, receiver: &Receiver, inbox: &Inbox, parcel: &Parcel) {
    let refused = |other: &Parcel, what: &str| {
        let (status, _, taken) = receive(scheme, receiver, inbox, other);
        assert!(status != 202 && taken.is_empty(), "{what}, and it is believed");
        assert_eq!(status, 401, "{what}, and it is looked at");
    };
    let length = parcel.body.len();
    for (index, at) in [0, length / 3, length / 2, length.saturating_sub(1)].into_iter().enumerate() {
        let mut other = parcel.clone();
        let Some(byte) = other.body.get_mut(at) else { continue };
        *byte ^= 1 << (index * 2 + length % 2);
        refused(&other, "a bit of the body is another");
    }
    for longer in [[parcel.body.as_slice(), b" "].concat(), [b" ", parcel.body.as_slice()].concat()] {
        refused(&Parcel { body: longer, ..parcel.clone() }, "the body is longer");
    }
    if scheme.signs.contains('m') {
        refused(&Parcel { method: "PUT", ..parcel.clone() }, "the method is another");
    }
    let signature = parcel.header(scheme.signature).unwrap_or_default().to_vec();
    // Of the last sign of Base64 not every bit counts, and of hexadecimal digits the case does not.
    for at in [scheme.prefix.len(), scheme.prefix.len() + 9, signature.len() - 4] {
        let mut other = parcel.clone();
        let mut changed = signature.clone();
        changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
        other.put(scheme.signature, changed);
        refused(&other, "the signature is another");
    }
    let mut short = parcel.clone();
    short.put(scheme.signature, signature[..signature.len() - 4].to_vec());
    refused(&short, "the signature is shorter");
    if let Some((name, unit)) = scheme.timestamp {
        let stamp: i64 = String::from_utf8_lossy(parcel.header(name).unwrap_or_default()).parse().unwrap();
        for text in
            [(stamp + 1).to_string(), format!("+{stamp}"), format!("0{stamp}"), (stamp + 3_600_000 / unit).to_string()]
        {
            if parcel.header(name) == Some(text.as_bytes()) {
                continue;
            }
            let mut other = parcel.clone();
            other.put(name, text.into_bytes());
            refused(&other, "the timestamp is another");
        }
    }
}
