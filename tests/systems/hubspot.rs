//! HubSpot's own client for JavaScript: it drives the fake CRM through every call that it has for contacts, and judges
//! signatures: those of the fake, and with them what the program believes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use pairline_fakes::{Crm, CrmConfig, UniqueRules, crm_signature};
use pairline_runner::application::{self, Description};
use pairline_runner::metrics::Metrics;
use pairline_runner::webhook::Receiver;
use pairline_sdk::Timestamp;
use pairline_sdk::testing::{MemoryEngine, MemoryStore, TestClock, TestRandom};
use serde_json::{Value, json};

use super::installed::{Environment, finished};
use super::project;
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::until;
use crate::canary::OpenDoor;
use crate::tidy::read;

const PACKAGE: &str = include_str!("hubspot/package.json");
const LOCK: &str = include_str!("hubspot/package-lock.json");

/// It takes a second or two, on a machine with nothing else to do.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// How old a delivery may be, in milliseconds.
const OLDEST: i64 = 300_000;

fn client() -> Environment {
    Environment::of_node("hubspot", PACKAGE, LOCK)
}

/// Runs a script of ours beside the client and answers the lines of JSON that it prints.
fn lines_of(script: &str, variables: &[(&str, &str)], input: &str) -> Vec<Value> {
    let mut node = client().node(&format!("tests/systems/hubspot/{script}"));
    let output = finished(node.envs(variables.iter().copied()), input, ENDS_WITHIN);
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{script}: {:?}\n{stdout}\n{stderr}", output.status);
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubspots_own_client_is_answered_as_documented_whatever_it_calls_for_contacts() {
    let config = CrmConfig {
        enforce_unique: UniqueRules { email: true, erp_id: true },
        defined_properties_only: true,
        ..CrmConfig::default()
    };
    let token = config.token.clone();
    let crm = Crm::start(config).await.unwrap();

    let mut lines = lines_of("drive.mjs", &[("BASE_URL", &crm.base_url()), ("TOKEN", &token)], "");

    let last = lines.pop().unwrap();
    for line in &lines {
        let text = |name: &str| line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned);
        println!("{:48} {:5} {:5} {}", text("call"), text("status"), text("ok"), text("detail"));
    }
    let wrong: Vec<_> = lines.iter().filter(|line| line["ok"] != json!(true)).collect();
    assert!(wrong.is_empty(), "{} of {} calls: {wrong:#?}", wrong.len(), lines.len());
    let (methods, uncalled) = (names(&last["methods"]), names(&last["uncalled"]));
    assert!(uncalled.is_empty(), "the driver does not call {uncalled:?}");
    // Whether the client was asked for its methods at all.
    for method in ["basicApi.purge", "batchApi.upsert", "searchApi.doSearch", "objects.batchApi.read"] {
        assert!(methods.contains(method), "the client has no {method} any more: {methods:?}");
    }
    println!("{} calls of {} methods, each answered as documented", lines.len(), methods.len());
}

/// A delivery as it came, and when it is judged.
#[derive(Clone, Debug)]
struct Delivery {
    method: &'static str,
    url: String,
    body: String,
    timestamp: String,
    secret: String,
    signature: String,
    now_ms: i64,
}

impl Delivery {
    /// As HubSpot's class is given it.
    fn line(&self) -> String {
        let Self { method, url, body, timestamp, secret, signature, now_ms } = self;
        let line = json!({
            "method": method, "url": url, "body": body, "timestamp": timestamp, "secret": secret,
            "signature": signature, "now": now_ms,
        });
        format!("{line}\n")
    }

    /// Whether a program with the description of HubSpot believes it. What it says is another matter.
    async fn is_believed(&self) -> bool {
        let variables = [
            ("HUBSPOT_TOKEN", "a-token"),
            ("HUBSPOT_APP_ID", "4242"),
            ("HUBSPOT_CLIENT_SECRET", self.secret.as_str()),
            ("HUBSPOT_WEBHOOK_URL", self.url.as_str()),
        ];
        let environment = application::Environment::of(variables);
        let text = read("topologies/library/hubspot.yaml");
        let (description, findings) = Description::parse("hubspot.yaml", &text, &environment);
        let description = description.unwrap_or_else(|| panic!("{findings:?}"));
        let (clock, random) = (Arc::new(TestClock::default()), Arc::new(TestRandom::default()));
        clock.set(Timestamp::from_millis(self.now_ms));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let engine = Arc::new(MemoryEngine::new(store, clock.clone(), random));
        let receiver =
            Receiver::new(vec![description], engine, Arc::new(OpenDoor), &Arc::new(Metrics::default()), clock).unwrap();
        let request = Request::builder()
            .method(self.method)
            .header("x-hubspot-signature-v3", &self.signature)
            .header("x-hubspot-request-timestamp", &self.timestamp)
            .body(Body::from(self.body.clone()));
        let status = receiver.receive("hubspot", request.unwrap()).await.status();
        assert!(matches!(status.as_u16(), 202 | 400 | 401), "{status}: {self:?}");
        status != StatusCode::UNAUTHORIZED
    }

    fn sent_ms(&self) -> i64 {
        self.timestamp.parse().unwrap()
    }

    /// The same with something else about it.
    fn but(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }
}

/// What arrived where the CRM sends its webhooks.
#[derive(Clone, Default)]
struct Mailbox(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

impl Mailbox {
    /// Opens it, and answers where it is.
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// Waits for so many deliveries to this URL.
    fn deliveries(&self, many: usize, url: &str, secret: &str) -> Vec<Delivery> {
        let arrived = until(&format!("{many} deliveries"), || {
            let arrived = self.0.lock().unwrap().clone();
            (arrived.len() >= many).then_some(arrived)
        });
        let delivery = |(headers, body): &(HeaderMap, Bytes)| {
            let text = |name: &str| headers[name].to_str().unwrap().to_owned();
            let timestamp = text("x-hubspot-request-timestamp");
            Delivery {
                method: "POST",
                url: url.to_owned(),
                body: String::from_utf8(body.to_vec()).unwrap(),
                now_ms: timestamp.parse().unwrap(),
                timestamp,
                secret: secret.to_owned(),
                signature: text("x-hubspot-signature-v3"),
            }
        };
        arrived.iter().map(delivery).collect()
    }
}

async fn take(State(mailbox): State<Mailbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    mailbox.0.lock().unwrap().push((headers, body));
    StatusCode::NO_CONTENT
}

/// A delivery that is signed here with what the fake signs with.
fn signed(url: &str, body: &str, secret: &str) -> Delivery {
    let (url, timestamp) = (url.to_owned(), "1700000000000".to_owned());
    let signature = crm_signature(secret, &url, body.as_bytes(), &timestamp);
    let (body, secret) = (body.to_owned(), secret.to_owned());
    Delivery { method: "POST", url, body, timestamp, secret, signature, now_ms: 1_700_000_000_000 }
}

/// Each delivery, and with something else about it: a name, and whether HubSpot and we should believe it.
fn cases(genuine: &[(String, Delivery)]) -> Vec<(String, Delivery, [bool; 2])> {
    let mut cases = Vec::new();
    for (name, whole) in genuine {
        let mut case = |what: &str, believed, delivery| cases.push((format!("{name}, {what}"), delivery, believed));
        let at = |now_ms| whole.but(|it| it.now_ms = now_ms);
        case("as it came", [true; 2], whole.clone());
        case("as late as may be", [true; 2], at(whole.sent_ms() + OLDEST));
        case("too late", [false; 2], at(whole.sent_ms() + OLDEST + 1));
        // HubSpot's class has nothing against it; a delivery for next year could be sent again all year long.
        case("from the future", [true, false], at(whole.sent_ms() - OLDEST - 1));
        case("another body", [false; 2], whole.but(|it| it.body.push(' ')));
        case("another URL", [false; 2], whole.but(|it| it.url.push('x')));
        case("another method", [false; 2], whole.but(|it| it.method = "PUT"));
        case("another secret", [false; 2], whole.but(|it| it.secret.push('x')));
        case("another time", [false; 2], whole.but(|it| it.timestamp = (whole.sent_ms() + 1).to_string()));
        case("no signature", [false; 2], whole.but(|it| it.signature.clear()));
        case("half a signature", [false; 2], whole.but(|it| it.signature.truncate(20)));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubspots_own_check_and_the_program_believe_the_same_signatures_those_of_the_fake() {
    let mailbox = Mailbox::default();
    let url = format!("{}/web%20hooks/%C3%A9%2Fa?tenant=1&name=%C4%8Capek&to=%2Fa%3Fb", mailbox.open().await);
    let secret = "canary-hubspot-secret-07d3";
    let config = CrmConfig {
        webhook_url: Some(url.clone()),
        client_secret: secret.to_owned(),
        app_id: "4242".to_owned(),
        ..CrmConfig::default()
    };
    let crm = Crm::start(config).await.unwrap();
    let id = crm.person_creates(json!({ "firstname": "Karel" })).unwrap();
    crm.person_edits(&id, json!({ "lastname": "Čapek 😀\u{2028}\"\\\n", "company": "東京" })).unwrap();
    crm.person_deletes(&id).unwrap();

    let came = mailbox.deliveries(3, &url, secret);
    assert!(came.iter().any(|delivery| delivery.body.contains("Čapek 😀") && delivery.body.contains("東京")));
    let mut genuine: Vec<_> = came.into_iter().zip(1..).map(|(it, number)| (format!("webhook {number}"), it)).collect();
    let plain = "https://hooks.example.test/webhooks/hubspot";
    for (name, made) in [
        ("no body", signed(plain, "", secret)),
        ("a query", signed(&format!("{plain}?tenant=1&name=a%20b"), "[]", secret)),
        ("no Latin letter", signed(plain, "[{\"propertyValue\":\"Žluťoučký 東京 \u{1f600}\"}]", "klíč-東京")),
        // The vector of HubSpot's own tests.
        (
            "the published one",
            Delivery {
                method: "POST",
                url: "https://www.example.com/webhook_uri".to_owned(),
                body: "{'example_field':'example_value'}".to_owned(),
                timestamp: "15000000".to_owned(),
                secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy".to_owned(),
                signature: "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw=".to_owned(),
                now_ms: 15_000_000,
            },
        ),
    ] {
        genuine.push((name.to_owned(), made));
    }
    let cases = cases(&genuine);
    let input: String = cases.iter().map(|(_, delivery, _)| delivery.line()).collect();

    let judged = lines_of("signature.mjs", &[], &input);

    assert_eq!(judged.len(), cases.len());
    for ((name, delivery, believed), theirs) in cases.iter().zip(&judged) {
        let found = [theirs["accepted"].as_bool().unwrap(), delivery.is_believed().await];
        println!("{name:40} HubSpot {:5}  the program {:5}", found[0], found[1]);
        assert_eq!(found, *believed, "{name}, by HubSpot's class and by the program: {delivery:?}");
    }
}

const CONTRACT: &str = r"
contract: contact
about: A contact of HubSpot and a customer of the ERP.
systems: [crm, erp]
inverse: { crm: erp_id, erp: custom_fields.crm_id }
fields:
  email: { owner: crm, type: email, in: { crm: email, erp: email } }
  name: { owner: crm, in: { crm: [firstname, lastname], erp: name }, transform: [join-words] }
  phone: { owner: shared, policy: newest, in: { crm: phone, erp: phone } }
";

/// The shipped topologies with a CRM that is described as HubSpot is, and that shows what it is asked for and no more.
fn as_hubspot(description: &str) -> Stage {
    let stage = Stage::with_crm(|config| CrmConfig { usual_properties_only: true, ..config });
    let variable = |name: &str| stage.variable(name);
    for (hubspots, ours) in [
        ("HUBSPOT_BASE_URL", "CRM_BASE_URL"),
        ("HUBSPOT_TOKEN", "CRM_TOKEN"),
        ("HUBSPOT_APP_ID", "CRM_APP_ID"),
        ("HUBSPOT_CLIENT_SECRET", "CRM_CLIENT_SECRET"),
        ("HUBSPOT_WEBHOOK_URL", "CRM_WEBHOOK_URL"),
    ] {
        stage.set(hubspots, variable(ours));
    }
    let shipped = |file: &str| (file.to_owned(), read(&format!("topologies/{file}")));
    project::write(
        &stage,
        vec![
            ("applications/crm.yaml".to_owned(), description.replacen("application: hubspot", "application: crm", 1)),
            ("contracts/contact.yaml".to_owned(), CONTRACT.to_owned()),
            shipped("applications/erp.yaml"),
            shipped("crm-to-erp.yaml"),
            shipped("erp-to-crm.yaml"),
        ],
    );
    stage
}

#[test]
fn what_hubspot_shows_only_when_it_is_asked_is_asked_for() {
    let stage = as_hubspot(&read("topologies/library/hubspot.yaml"));
    let runner = stage.run(&["--config", "project", "--poll-ms", "300"]);
    let ada = json!({ "email": "ada@example.test", "firstname": "Ada", "lastname": "Lovelace", "phone": "+44 1" });
    let ada = stage.crm.person_creates(ada).unwrap();
    let customer = until("a customer with a phone", || {
        let customers = stage.erp.snapshot();
        customers.first().filter(|customer| customer.fields["phone"] == "+44 1").map(|customer| customer.id.clone())
    });

    stage.erp.person_edits(&customer, json!({ "phone": "+44 2" })).unwrap();
    until("the phone in HubSpot", || (stage.crm.snapshot()[0].fields["phone"] == "+44 2").then_some(()));
    stage.crm.person_edits(&ada, json!({ "lastname": "King" })).unwrap();
    until("the name in the ERP", || (stage.erp.snapshot()[0].fields["name"] == "Ada King").then_some(()));
    runner.stop();

    let (contact, customer) = (&stage.crm.snapshot()[0], &stage.erp.snapshot()[0]);
    assert_eq!(contact.fields["phone"], "+44 2");
    assert_eq!(customer.fields["phone"], "+44 2");
    assert_eq!(contact.fields["erp_id"], customer.id.as_str());
    assert_eq!((stage.crm.snapshot().len(), stage.erp.snapshot().len()), (1, 1));
}

#[test]
fn what_nobody_asks_for_is_unknown_and_empties_nothing() {
    let described = read("topologies/library/hubspot.yaml");
    let unasked = described.replacen("lastname,phone,erp_id", "lastname,erp_id", 1);
    assert_ne!(described, unasked);
    let stage = as_hubspot(&unasked);
    let runner = stage.run(&["--config", "project", "--poll-ms", "300"]);
    stage.erp.person_creates(json!({ "name": "Ada Lovelace", "phone": "+44 1" })).unwrap();

    let trash = until("somebody is told", || {
        let trash = stage.asked(&["--config", "project", "trash", "list"]);
        (!trash["trash"].as_array().unwrap().is_empty()).then_some(trash)
    });
    runner.stop();

    assert!(trash.to_string().contains("answers without `phone`"), "{trash:#}");
    assert_eq!(stage.erp.snapshot()[0].fields["phone"], "+44 1");
}
