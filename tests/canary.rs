//! Secrets stay inside. Whatever a system answers, whatever comes as a webhook and however the program was set up: no
//! token and no key is in a reason, a log line, a metric, an answer of ours, a finding or a `Debug` text.
//!
//! The line: what a system says in a success is the data of its records, which is carried as it is, even if a secret of
//! ours is among it. Everything that the program says by itself, or repeats of a refusal, is free of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use pairline_fakes::{crm_signature, erp_signature};
use pairline_runner::application::{
    Answer, Call, Description, Environment, HostGuard, HttpApplication, ReqwestTransport, Transport, TransportError,
};
use pairline_runner::metrics::Metrics;
use pairline_runner::webhook::{Door, Receiver};
use pairline_sdk::testing::{MemoryEngine, MemoryStore, TestClock, TestRandom, intent};
use pairline_sdk::{Application, Clock, Engine, EventFacts, Fields, ListQuery, Outcome, RecordId, Write};
use serde_json::{Value, json};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::bad_input::http::Lie;
use crate::bad_input::stage::{Stage, pairline};
use crate::bad_input::wait::until;

const CRM: &str = include_str!("../topologies/applications/crm.yaml");
const ERP: &str = include_str!("../topologies/applications/erp.yaml");

/// Every secret that the program is given. Some look like the constants that refusals are known by, some need to be
/// spelled in another way wherever they are written.
const SECRETS: [(&str, &str); 6] = [
    ("CRM_TOKEN", "CANARY_TOKEN_ABC"),
    ("CRM_CLIENT_SECRET", "canary secret/+\"\\=%7d"),
    ("CRM_CLIENT_SECRET_BEFORE", "CANARY-SECRET.BEFORE"),
    ("ERP_TOKEN", "canary-erp-token-90c2"),
    ("ERP_WEBHOOK_SECRET", "CANARY_OF_THE_ERP"),
    ("ERP_WEBHOOK_SECRET_BEFORE", "canary-erp-before-77aa"),
];

const STATUSES: [u16; 28] = [
    200, 201, 202, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 425, 429, 451,
    500, 502, 503, 504, 599,
];

fn environment() -> Environment {
    Environment::of(SECRETS)
}

fn description(system: &str) -> Description {
    let text = if system == "crm" { CRM } else { ERP };
    let (description, findings) = Description::parse("a.yaml", text, &environment());
    assert!(findings.is_empty(), "{findings:?}");
    description.unwrap()
}

/// The secrets of one system: it knows no others.
fn secrets_of(system: &str) -> impl Iterator<Item = &'static str> {
    let prefix = system.to_uppercase();
    SECRETS.into_iter().filter(move |(name, _)| name.starts_with(&prefix)).map(|(_, secret)| secret)
}

/// A text as it stands in a URL.
fn in_url(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A text as JSON that spells each of its characters.
fn spelled(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()
}

/// Asserts that a text holds no secret, in whatever way it is written.
fn keeps(what: &str, text: &str) {
    let small = text.to_lowercase();
    for (name, way) in WAYS.iter() {
        assert!(!small.contains(way), "the value of {name} is in {what}:\n{text}");
    }
}

/// The secrets as they may stand in a text, in small letters.
static WAYS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let ways = SECRETS.into_iter().flat_map(|(name, secret)| {
        let debugged = format!("{secret:?}");
        let twice = format!("{debugged:?}");
        let ways = [
            secret.to_owned(),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            in_url(secret),
            debugged[1..debugged.len() - 1].to_owned(),
            twice[3..twice.len() - 3].to_owned(),
            spelled(secret),
        ];
        ways.map(|way| (name, way.to_lowercase()))
    });
    ways.collect()
});

/// What the program writes to its log, as text and as JSON.
#[derive(Clone, Default)]
struct Ears(Arc<Mutex<Vec<u8>>>);

impl Ears {
    /// Hears all that is said on this thread, of every level, until the other one is dropped.
    fn open() -> (Self, impl Sized) {
        let ears = Self::default();
        let (text, json) = (ears.clone(), ears.clone());
        let text = fmt::layer().with_ansi(false).with_writer(move || text.clone());
        let json = fmt::layer().json().with_writer(move || json.clone());
        let open = tracing_subscriber::registry().with(text).with(json).set_default();
        (ears, open)
    }

    /// What was said since the last time.
    fn heard(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Ears {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a system goes wrong, with a secret in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wrong {
    system: &'static str,
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// It sends back all headers it was sent, besides.
    echoes: bool,
}

/// Answers each call with the same mistake.
struct Mistaken(Wrong);

#[async_trait]
impl Transport for Mistaken {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        // What a failed assertion of ours would show.
        keeps("the Debug text of a call", &format!("{call:?}"));
        let Wrong { status, headers, body, echoes, .. } = &self.0;
        let sent: String = call
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        assert!(sent.contains("Bearer "), "the token is not even sent: this test sees nothing");
        let body = if *echoes {
            json!({ "error": { "headers": sent }, "message": sent, "category": sent }).to_string()
        } else {
            body.clone()
        };
        let headers = headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).ok()?))
        });
        Ok(Answer { status: *status, headers: HeaderMap::from_iter(headers), body: body.into() })
    }
}

/// The bodies in which a system may repeat a secret.
fn bodies(secret: &str) -> Vec<String> {
    let there_is_one =
        |id: &str| json!({ "message": format!("There is one. Existing ID: {id}"), "category": "CONFLICT" });
    let coded = spelled(secret);
    vec![
        json!({ "status": "error", "message": format!("wrong credentials: Bearer {secret}") }).to_string(),
        json!({ secret: "is no key", "error": { secret: secret } }).to_string(),
        json!({ "category": secret, "code": secret, "error": secret }).to_string(),
        json!({ "category": secret.to_uppercase(), "error": { "code": secret.to_uppercase() } }).to_string(),
        format!(r#"{{"category":"{coded}","message":"Existing ID: {coded}"}}"#),
        there_is_one(secret).to_string(),
        there_is_one(&format!("x-{secret}-x")).to_string(),
        there_is_one(&URL_SAFE_NO_PAD.encode(secret)).to_string(),
        there_is_one(&in_url(secret)).to_string(),
        format!("Existing ID: {secret}\n"),
        format!("<html><head><title>{secret}</title></head><body>Authorization: Bearer {secret}</body></html>"),
        format!(r#"{{"category":"{secret}"#),
        format!(r#"{{"{secret}":1,"{secret}":2}}"#),
        json!(secret).to_string(),
        json!([secret, { "error": secret }]).to_string(),
        format!("{}{}{}", format!(r#"{{"{}":"#, secret.replace(['"', '\\'], "")).repeat(60), 1, "}".repeat(60)),
        json!({ "results": secret, "data": { secret: [] } }).to_string(),
        json!({ "results": [secret], "data": [{ secret: secret }] }).to_string(),
        STANDARD.encode(format!("user:{secret}")),
        secret.to_owned(),
    ]
}

/// A thousand mistakes and more, each another one.
fn mistakes() -> BTreeSet<Wrong> {
    let mut all = BTreeSet::new();
    for system in ["crm", "erp"] {
        for secret in secrets_of(system) {
            let usual = vec![
                ("retry-after", secret.to_owned()),
                ("location", format!("http://127.0.0.1:9/{}?key={}", in_url(secret), in_url(secret))),
                ("www-authenticate", format!("Bearer error=\"{secret}\"")),
                ("content-type", format!("application/json; {secret}")),
                ("date", secret.to_owned()),
            ];
            for status in STATUSES {
                let wrong = |body: String, echoes| Wrong { system, status, headers: usual.clone(), body, echoes };
                all.extend(bodies(secret).into_iter().map(|body| wrong(body, false)));
                all.insert(wrong(String::new(), true));
            }
        }
    }
    all
}

fn shown(what: &str, value: &impl Debug) {
    keeps(what, &format!("{value:?}"));
    keeps(what, &format!("{value:#?}"));
}

#[tokio::test]
async fn a_thousand_mistakes_of_a_system_bring_no_secret_into_a_reason_a_log_line_or_a_metric() {
    let (ears, _open) = Ears::open();
    let mistakes = mistakes();
    let described = BTreeMap::from(["crm", "erp"].map(|system| (system, description(system))));
    assert!(mistakes.len() >= 1000, "{} mistakes", mistakes.len());
    let (mut reasons, mut lines) = (BTreeSet::new(), 0);
    for wrong in mistakes {
        let what = format!("what is said of {} of the {}", wrong.status, wrong.system);
        let metrics = Metrics::default();
        // Each call has an application of its own: one that was refused may be left alone for a while.
        let application = || {
            let transport = Arc::new(Mistaken(wrong.clone()));
            let (clock, random) = (Arc::new(TestClock::default()), Arc::new(TestRandom::default()));
            HttpApplication::new(described[wrong.system].clone(), transport, clock, random, &metrics).unwrap()
        };
        let fields = || Fields::from_iter([("email".to_owned(), json!("a@b.test"))]);
        for write in
            [Write::Create { fields: fields() }, Write::Update { id: "7".to_owned(), fields: fields(), version: None }]
        {
            let application = application();
            let outcome = application.send(&intent(&application, &write, TestClock::default().now())).await;
            assert!(!matches!(outcome, Outcome::Committed { .. }), "{wrong:?} was taken for a success");
            shown(&what, &outcome);
            reasons.insert(format!("{outcome:?}"));
            shown("what the limiter says", &application.limiter().paused());
            application.measure();
        }
        let said = [
            application().read("7").await.map(|_| ()).err(),
            application().find("email", "a@b.test").await.map(|_| ()).err(),
            application().changed(&Value::Null, None).await.map(|_| ()).err(),
        ];
        for error in said.into_iter().flatten() {
            shown(&what, &error);
            keeps(&what, &error.to_string());
        }
        keeps("the metrics", &metrics.render());
        let heard = ears.heard();
        lines += heard.lines().count();
        keeps(&format!("the log, of {wrong:?}"), &heard);
    }
    // Otherwise nobody was listening, or everything was said to be the same.
    assert!(lines > 1000 && reasons.len() > 20, "{lines} lines, {reasons:#?}");
}

/// Breaks down with all it has in its hands.
struct Panics;

#[async_trait]
impl Transport for Panics {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        panic!("nobody has expected {call:?}")
    }
}

/// The engine takes the text of a panic into the trash.
#[tokio::test]
async fn a_panic_over_a_call_tells_no_secret() {
    for system in ["crm", "erp"] {
        let (clock, random) = (Arc::new(TestClock::default()), Arc::new(TestRandom::default()));
        let application =
            HttpApplication::new(description(system), Arc::new(Panics), clock, random, &Metrics::default()).unwrap();

        let ended = tokio::spawn(async move { application.read("7").await.map(|_| ()) }).await;

        let text = ended.unwrap_err().into_panic().downcast::<String>().unwrap();
        assert!(text.contains("authorization"), "the token is not even sent: {text}");
        keeps("a panic", &text);
    }
}

/// A door at which no event ends.
pub(crate) struct OpenDoor;

#[async_trait]
impl Door for OpenDoor {
    async fn settles(&self, _: &RecordId, _: &EventFacts) -> bool {
        false
    }
}

/// Deliveries that hold a secret where none belongs.
fn deliveries(secret: &str) -> Vec<String> {
    let change = |key: &str, value: Value| {
        let mut event = json!({
            "eventId": 1, "objectId": 7, "subscriptionType": "contact.propertyChange", "occurredAt": 1,
            "propertyName": "phone", "propertyValue": "1",
            "event_id": "e", "type": "customer.updated", "customer_id": "WHS-1", "occurred_at": "x", "changed_fields": [],
        });
        event[key] = value;
        event
    };
    let events = [
        change("subscriptionType", json!(secret)),
        change("type", json!(secret)),
        change("objectId", json!({ secret: secret })),
        change("customer_id", json!([secret])),
        change("occurredAt", json!(secret.repeat(100))),
        change("occurred_at", json!({ "key": secret })),
        json!({ secret: secret }),
        json!({ "note": in_url(secret), "more": STANDARD_NO_PAD.encode(secret) }),
        json!(secret),
    ];
    let mut bodies: Vec<String> =
        events.iter().flat_map(|event| [event.to_string(), json!([event]).to_string()]).collect();
    bodies.extend([
        secret.to_owned(),
        format!(r#"[{{"{secret}"#),
        format!(r#"{{"{secret}":1,"{secret}":2}}"#),
        format!("{}1", format!(r#"{{"{}":"#, secret.replace(['"', '\\'], "")).repeat(60)),
    ]);
    bodies
}

#[tokio::test]
async fn no_delivery_brings_a_secret_into_an_answer_a_log_line_a_metric_or_the_trash() {
    let (ears, _open) = Ears::open();
    let (clock, random) = (Arc::new(TestClock::default()), Arc::new(TestRandom::default()));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let engine = Arc::new(MemoryEngine::new(store, clock.clone(), random));
    let metrics = Arc::new(Metrics::default());
    let described = vec![description("crm"), description("erp")];
    let receiver = Receiver::new(described, engine.clone(), Arc::new(OpenDoor), &metrics, clock.clone()).unwrap();
    let now = clock.now().as_millis().to_string();
    let (mut taken, mut refused) = (0, 0);
    for system in ["crm", "erp"] {
        let [_, key, before] = secrets_of(system).collect::<Vec<_>>()[..] else { panic!("a token and two keys") };
        for secret in secrets_of(system) {
            for body in deliveries(secret) {
                let signed = |key: &str| match system {
                    "crm" => crm_signature(key, "http://127.0.0.1:18090/webhooks/crm", body.as_bytes(), &now),
                    _ => erp_signature(key, body.as_bytes()),
                };
                let signatures =
                    [signed(key), signed(before), signed("a-guess"), secret.to_owned(), format!("sha256={secret}")];
                for (signature, at) in
                    signatures.iter().flat_map(|signature| [(signature, now.as_str()), (signature, secret)])
                {
                    let names = [
                        "x-hubspot-signature-v3",
                        "x-signature",
                        "x-hubspot-request-timestamp",
                        "authorization",
                        "user-agent",
                    ];
                    let mut request =
                        Request::builder().method("POST").uri(format!("/webhooks/{system}?key={}", in_url(secret)));
                    for (name, value) in names.into_iter().zip([signature.as_str(), signature, at, secret, secret]) {
                        request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
                    }

                    let answer = receiver.receive(system, request.body(Body::from(body.clone())).unwrap()).await;

                    if answer.status().is_success() {
                        taken += 1
                    } else {
                        refused += 1
                    }
                    shown("the head of an answer to a sender", answer.headers());
                    let told = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                    keeps("an answer to a sender", std::str::from_utf8(&told).unwrap());
                    keeps("the log", &ears.heard());
                }
            }
        }
    }
    assert!(taken > 100 && refused > 500, "{taken} taken, {refused} refused: this test sees nothing");
    keeps("the metrics", &metrics.render());
    let trash = engine.list(ListQuery::Trash, usize::MAX).await.unwrap().into_trash().unwrap();
    assert!(trash.len() > 50, "{} items", trash.len());
    for item in trash {
        shown("the trash", &item);
    }
}

/// A person who takes one variable for another, or writes a secret in a way that it cannot be used in.
#[tokio::test]
async fn a_program_that_is_set_up_wrongly_does_not_show_with_what() {
    let others = ["CRM_BASE_URL", "CRM_APP_ID", "CRM_WEBHOOK_URL", "SYNC_ORIGIN", "ERP_BASE_URL"];
    let names = others.into_iter().chain(SECRETS.map(|(name, _)| name));
    let (mut cases, mut findings_seen) = (0, 0);
    for name in names {
        for (_, secret) in SECRETS {
            for value in [
                secret.to_owned(),
                format!("{secret}\n"),
                format!("{secret}\r\nx: y"),
                format!("{{{secret}"),
                format!("{{{secret}}}"),
                format!("${{{secret}"),
                format!("http://user:{}@127.0.0.1:9", in_url(secret)),
                format!("http://{secret}@127.0.0.1:9"),
                format!("ftp://user:{secret}@127.0.0.1"),
                format!("http://127.0.0.1/?key={}", in_url(secret)),
                format!("http://127.0.0.1/#{}", in_url(secret)),
                format!("http://127.0.0.1:{secret}"),
                format!("http://[{secret}"),
                format!("//{secret}"),
            ] {
                let mut variables = BTreeMap::from(SECRETS.map(|(name, secret)| (name.to_owned(), secret.to_owned())));
                variables.insert(name.to_owned(), value);
                let environment = Environment::of_map(variables);
                shown("the Debug text of the environment", &environment);
                for text in [CRM, ERP] {
                    cases += 1;
                    let (description, findings) = Description::parse("a.yaml", text, &environment);
                    findings_seen += findings.len();
                    for finding in &findings {
                        keeps("a finding", &finding.to_string());
                        keeps("a finding as it is shown", &finding.render(false));
                        shown("the Debug text of a finding", finding);
                    }
                    let Some(description) = description.filter(|_| findings.is_empty()) else { continue };
                    if let Err(said) = HostGuard::of(&description).and_then(ReqwestTransport::new) {
                        keeps("why there is no transport", &said);
                    }
                }
            }
        }
    }
    assert!(cases > 1000 && findings_seen > 200, "{cases} cases, {findings_seen} findings");
    shown("the Debug text of the descriptions", &[description("crm"), description("erp")]);
}

/// The real program, with refusals that hold what it was given; and all that its commands show of it.
#[test]
fn the_program_and_its_commands_show_no_secret_that_a_system_repeats() {
    const BEFORE: &str = "CANARY_BEFORE_OF_THE_CRM";
    let stage = Stage::new();
    stage.set("PAIRLINE_LOG", "trace");
    stage.set("CRM_CLIENT_SECRET_BEFORE", BEFORE);
    let crm = stage.between("crm");
    let runner = stage.run_on_webhooks_only(pairline());
    let mut customers = Vec::new();
    for (number, (status, body)) in [
        ("400 Bad Request", r#"{"category":"CANARY_BEFORE_OF_THE_CRM","message":"canary-crm-token-6b1f"}"#),
        ("400 Bad Request", r#"{"category":"\u0043ANARY_BEFORE_OF_THE_CRM"}"#),
        ("409 Conflict", r#"{"message":"Existing ID: canary-crm-token-6b1f"}"#),
        ("409 Conflict", r#"{"message":"Existing ID: CANARY_BEFORE_OF_THE_CRM"}"#),
        ("413 Too Large", "<html>canary-crm-token-6b1f</html>"),
        ("307 Temporary Redirect", "canary-crm-token-6b1f"),
    ]
    .into_iter()
    .enumerate()
    {
        crm.tells(Lie::Refuses(status, body));
        let email = format!("{number}@example.org");
        customers.push(stage.erp.person_creates(json!({ "email": email, "name": "Ada" })).unwrap());
        until("the create is refused", || (crm.told() > 0).then_some(()));
    }
    crm.tells(Lie::Truth);
    until("all of it is dealt with", || (stage.asked(&["status"])["waiting"] == 0).then_some(()));

    let mut said = String::new();
    let records = customers.iter().map(|customer| format!("erp:{customer}"));
    let mut commands: Vec<Vec<String>> = records
        .flat_map(|record| {
            [
                vec!["explain".into(), record.clone()],
                vec!["explain".into(), "--values".into(), record.clone()],
                vec!["ids".into(), "history".into(), record],
            ]
        })
        .collect();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    commands.extend(["status", "trash list", "cases list", "ids list", "check"].map(words));
    commands.extend((1..=customers.len()).map(|item| words(&format!("trash show {item}"))));
    for command in commands {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        for args in [command.clone(), [&["--json"], command.as_slice()].concat()] {
            // `cli` looks for the other secrets itself.
            let told = stage.cli(&args);
            said += &format!("{args:?}: {}{}\n", told.stdout, told.stderr);
        }
    }
    said += &stage.get("/metrics").body;
    said += &stage.get("/readyz").body;
    assert!(said.contains("refused with status 400"), "{said}");
    let log = runner.log();
    runner.stop();
    for (what, text) in [("what the commands say", said), ("the log", log)] {
        assert!(!text.to_uppercase().contains(BEFORE), "{BEFORE} is in {what}:\n{text}");
    }
}
