//! Whom the program believes, and what it tells to whom.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pairline_fakes::{Faults, erp_signature};
use pairline_runner::application::{Call, Description, Environment, HostGuard, ReqwestTransport, Transport};
use pairline_runner::project::Sources;
use serde_json::{Value, json};

use super::remote::{Line, answer};
use crate::bad_input::http::{Lie, call};
use crate::bad_input::stage::{CrmSigner, Stage, pairline, there};
use crate::bad_input::wait::until;

fn silent() -> Faults {
    Faults { delivery_dropped_rate: 1.0, ..Faults::default() }
}

fn change(event: u64, contact: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let event = json!([{
        "eventId": event, "subscriptionId": 1, "portalId": 1, "appId": 4242, "occurredAt": u64::try_from(now).unwrap(),
        "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": contact.parse::<u64>().unwrap(),
        "changeSource": "CRM_UI", "sourceId": "userId:1", "propertyName": "phone", "propertyValue": "1",
    }]);
    event.to_string().into_bytes()
}

fn counted(stage: &Stage, status: u16) -> u64 {
    let metrics = stage.get("/metrics").body;
    let line = format!("pairline_webhook_deliveries_total{{application=\"crm\",status=\"{status}\"}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn fm_089_a_forged_delivery_is_refused_counted_and_never_read() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(pairline());
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    let forger = CrmSigner { secret: "a-guess", beside_now_ms: 0 };
    for round in 0..50 {
        assert_eq!(forger.post(stage.port, &change(round, &contact)).status, 401);
    }
    // A body that no parser gets through is refused for its signature as well: nothing has looked into it.
    for body in [&b"[[[[[["[..], b"\xff\xfe", &vec![b'['; 200_000]] {
        assert_eq!(forger.post(stage.port, body).status, 401);
    }

    assert_eq!(counted(&stage, 401), 53);
    let status = stage.asked(&["status"]);
    assert_eq!((&status["waiting"], &status["trash"]), (&json!(0), &json!(0)));
    assert_eq!(stage.writes(), 0);
    runner.stop();
}

#[test]
fn fm_090_a_delivery_that_is_played_again_is_a_duplicate_at_first_and_too_old_later() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(pairline());
    let contact = stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();
    let body = change(1, &contact);
    assert!(stage.crm_webhook(&body, 0).body.contains(r#""accepted":1"#));
    stage.agrees_on(1);
    let writes = stage.writes();

    for beside_now in [0, -60_000, -4 * 60_000] {
        let again = stage.crm_webhook(&body, beside_now);
        assert!(again.status == 202 && again.body.contains(r#""duplicates":1"#), "{again:?}");
    }
    for beside_now in [-6 * 60_000, -24 * 3_600_000, 6 * 60_000] {
        assert_eq!(stage.crm_webhook(&body, beside_now).status, 401);
    }

    assert_eq!(stage.writes(), writes);
    runner.stop();
}

#[test]
fn fm_091_without_a_signature_nothing_is_taken_and_no_description_can_ask_for_that() {
    let stage = Stage::with_faults(silent());
    let runner = stage.run_on_webhooks_only(pairline());
    for path in ["/webhooks/crm", "/webhooks/erp"] {
        let body = change(1, "101");
        assert_eq!(call(stage.port, "POST", path, &[], &body).status, 401);
        let empty = [("x-signature", ""), ("x-hubspot-signature-v3", ""), ("x-hubspot-request-timestamp", "0")];
        assert_eq!(call(stage.port, "POST", path, &empty, &body).status, 401);
    }
    runner.stop();

    for source in &Sources::built_in().applications {
        let (before, webhook) = source.text.split_once("\n  signature:\n").unwrap();
        let rest = webhook.find("\n  body:").unwrap();
        let unsigned = format!("{before}{}", &webhook[rest..]);
        assert!(!unsigned.contains("hmac"), "{unsigned}");
        let (_, findings) = Description::parse(&source.file, &unsigned, &Environment::lenient());
        let told = findings.iter().any(|finding| finding.is_error() && finding.message.contains("signature"));
        assert!(told, "{}: a webhook without a signature: {findings:?}", source.file);
    }
}

#[test]
fn fm_092_while_a_secret_is_replaced_both_are_believed_and_then_the_new_one_alone() {
    let stage = Stage::with_faults(silent());
    let event = br#"{"event_id":"e1","type":"customer.updated","customer_id":"WHS-000001","changed_fields":["phone"]}"#;
    let signed_with = |secret: &str| {
        let signature = erp_signature(secret, event);
        call(stage.port, "POST", "/webhooks/erp", &[("x-signature", &signature)], event).status
    };
    for (before, with_the_old_one) in [("old-key", 202), ("", 401)] {
        stage.set("ERP_WEBHOOK_SECRET", "new-key");
        stage.set("ERP_WEBHOOK_SECRET_BEFORE", before);
        let runner = stage.run_on_webhooks_only(pairline());

        assert_eq!(signed_with("new-key"), 202);
        assert_eq!(signed_with("old-key"), with_the_old_one);
        assert_eq!(signed_with("any-key"), 401);
        runner.stop();
    }
}

/// A system that sends its callers elsewhere.
#[tokio::test]
async fn fm_093_a_system_cannot_send_a_call_with_its_token_elsewhere() {
    let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = elsewhere.local_addr().unwrap();
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    std::thread::spawn(move || {
        while elsewhere.accept().is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    for status in [301, 302, 303, 307, 308] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            drop(stream.read(&mut [0; 4096]));
            let head = format!(
                "HTTP/1.1 {status} Elsewhere\r\nlocation: http://{target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            drop(stream.write_all(head.as_bytes()));
        });
        let call = Call {
            method: "GET".parse().unwrap(),
            url: format!("http://127.0.0.1:{port}/"),
            headers: Default::default(),
            body: None,
            deadline: Duration::from_secs(5),
            longest_answer: 1_000,
        };
        let guard = HostGuard::new(&format!("http://127.0.0.1:{port}"), false).unwrap();
        let answer = ReqwestTransport::new(guard).unwrap().call(call).await.unwrap();
        assert_eq!(answer.status, status);
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0, "a redirection was followed");
}

/// A proxy is somebody who sees every call, token included; the machine's variables name it, and not the description.
#[test]
fn fm_093_a_proxy_that_the_environment_names_is_not_asked() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    proxy.set_nonblocking(true).unwrap();
    let stage = Stage::new();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        stage.set(name, format!("http://{}", proxy.local_addr().unwrap()));
    }
    let runner = stage.run(&[]);

    stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();

    stage.agrees_on(1);
    runner.stop();
    let asked = proxy.accept().map(|(_, caller)| caller);
    assert!(asked.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{asked:?}");
}

/// The real program, by the names that every machine has.
#[test]
fn fm_093_a_base_url_may_name_this_machine_as_it_is_called() {
    let stage = Stage::new();
    stage.set("CRM_BASE_URL", format!("http://localhost:{}", stage.crm.address().port()));
    let runner = stage.run(&[]);

    stage.crm.person_creates(json!({ "email": "ada@example.org" })).unwrap();

    stage.agrees_on(1);
    runner.stop();
}

#[tokio::test]
async fn fm_093_an_id_cannot_lead_a_call_to_another_place() {
    use pairline_sdk::{Application, Fields, Write};
    let line = Line::to("erp", Box::new(|_, _| Ok(answer(404, &json!({})))));
    for id in
        ["../admin", "..", ".", "", "7/../../admin", "7?x=1", "7#x", "//evil.example/7", "7\r\nhost: evil", "%2e%2e"]
    {
        let rendered =
            line.application.render(&Write::Update { id: id.to_owned(), fields: Fields::new(), version: None });
        let Ok(request) = rendered else { continue };
        let own = request.path.strip_prefix("/customers/").unwrap_or_else(|| panic!("{id:?} became {}", request.path));
        let plain = own.chars().all(|c| c.is_ascii_alphanumeric() || "%-_.~".contains(c));
        assert!(plain && own != ".." && own != ".", "{id:?} became {}", request.path);
    }
}

/// What a person is called is in no log, no metric and no reason, whatever a system sends back.
#[test]
fn fm_094_a_persons_values_are_in_no_log_and_no_reason() {
    let stage = Stage::new();
    let erp = stage.between("erp");
    let runner = stage.run_on_webhooks_only(pairline());
    let (mail, phone) = ("canary-person@example.org", "+420777000111");
    let contact = stage.crm.person_creates(json!({ "email": mail, "phone": phone })).unwrap();
    stage.agrees_on(1);
    erp.tells(Lie::TellsAll);
    stage.crm.person_edits(&contact, json!({ "phone": format!("{phone}2") })).unwrap();
    // What was still under way when the lies began may be refused as well.
    until("the edit is refused for good", || (stage.asked(&["status"])["trash"] != 0).then_some(()));
    erp.tells(Lie::Truth);

    let shown = stage.cli(&["--json", "trash", "show", "1"]).stdout;
    for (what, text) in [("the log", runner.log()), ("the metrics", stage.get("/metrics").body), ("the trash", shown)] {
        assert!(!text.is_empty());
        for canary in [mail, phone] {
            assert!(!text.contains(canary), "{canary} is in {what}:\n{text}");
        }
    }
    runner.stop();
}

/// There is nothing to administer it with over the network, and nobody but this machine can reach it.
#[test]
fn fm_096_the_network_can_change_nothing_and_by_default_reaches_nothing() {
    let stage = Stage::new();
    let runner = stage.run(&[]);
    for path in ["/pause", "/resume", "/trash", "/trash/1/approve", "/api/pause", "/admin", "/cases/1", "/creates", "/"]
    {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let answer = call(stage.port, method, path, &[("origin", "http://evil.example")], b"{}");
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        }
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(call(stage.port, "POST", path, &[], b"{}").status, 405, "{path}");
    }
    let address = format!("127.0.0.1:{}", stage.port);
    let log = runner.log();
    let ready: Vec<&str> = log.lines().filter(|line| line.contains(r#""message":"ready""#)).collect();
    assert!(ready.len() == 1 && ready[0].contains(&address), "{ready:?}");
    // No other address of this machine takes a connection.
    let listening = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} ", stage.port);
    let listeners: Vec<&str> =
        listening.lines().filter(|line| line.split_whitespace().nth(3) == Some("0A") && line.contains(&port)).collect();
    assert!(!listeners.is_empty() && listeners.iter().all(|line| line.contains("0100007F:")), "{listeners:?}");
    runner.stop();
}

#[test]
fn fm_097_values_that_are_code_somewhere_are_carried_as_they_are() {
    let stage = Stage::new();
    let runner = stage.run(&["--poll-ms", "500"]);
    let nasty = [
        "'; DROP TABLE pairs; --@example.org",
        "=HYPERLINK(\"http://evil.example\")@example.org",
        "<script>alert(1)</script>@example.org",
        "$(touch pwned)`touch pwned`@example.org",
        "\u{1b}[31mred\u{1b}[0m\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}@example.org",
        "\u{202e}gro.elpmaxe@example.org",
    ];
    for (number, email) in nasty.iter().enumerate() {
        stage.crm.person_creates(json!({ "email": email, "phone": number.to_string() })).unwrap();
    }
    stage.agrees_on(nasty.len());

    let emails: Vec<Value> = there(stage.erp.snapshot()).values().map(|customer| customer["email"].clone()).collect();
    assert!(nasty.iter().all(|email| emails.contains(&json!(email))), "{emails:?}");
    for contact in there(stage.crm.snapshot()).keys() {
        let told = stage.cli(&["explain", &format!("crm:{contact}")]);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(!told.stdout.contains('\u{1b}'), "an escape sequence reaches the terminal: {told:?}");
    }
    assert_eq!(stage.asked(&["status"])["pairs"]["active"], nasty.len());
    assert!(!stage.path("pwned").exists());
    let log = runner.log();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        assert_ne!(line["message"], "forged");
    }
    runner.stop();
}

#[tokio::test]
async fn fm_098_an_answer_that_is_not_as_described_is_no_record() {
    use pairline_sdk::Application;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (name, body) in [
        ("too deep", deep),
        ("a list", "[]".to_owned()),
        ("no id", json!({ "properties": {} }).to_string()),
        ("an id that is none", json!({ "id": { "x": 1 }, "properties": {} }).to_string()),
        ("fields that are none", json!({ "id": "7", "properties": 7 }).to_string()),
        ("a page", "<html>".to_owned()),
        ("nothing", String::new()),
    ] {
        let line = Line::to(
            "crm",
            Box::new(move |_, _| {
                let mut answer = answer(200, &Value::Null);
                answer.body = body.clone().into_bytes().into();
                Ok(answer)
            }),
        );
        let read = line.application.read("7").await;
        assert!(read.is_err(), "{name}: {read:?}");
    }
}

#[test]
fn fm_095_a_topology_that_is_too_large_is_refused_quickly() {
    let stage = Stage::new();
    let folder = stage.path("project");
    crate::bad_input::stage::copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies"), &folder);
    let mut text = fs::read_to_string(folder.join("crm-to-erp.yaml")).unwrap();
    for node in 0..200_000 {
        text += &format!("\n  fetch-{node}:\n    uses: fetch\n    with: {{ application: crm }}\n    next: end");
    }
    fs::write(folder.join("crm-to-erp.yaml"), text).unwrap();
    let began = std::time::Instant::now();

    let checked = stage.cli(&["check", "--config", &folder.display().to_string()]);

    assert_eq!(checked.code, 1, "{} bytes", checked.stdout.len());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn fm_099_every_dependency_is_of_the_registry_with_its_checksum_and_no_check_changes_that() {
    let lock = crate::tidy::read("Cargo.lock");
    let mut foreign = 0;
    for package in lock.split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        if name.starts_with("\"pairline") {
            assert!(!package.contains("source = "), "{name} is not ours");
            continue;
        }
        foreign += 1;
        assert!(package.contains("source = \"registry+https://github.com/rust-lang/crates.io-index\""), "{package}");
        assert!(package.contains("checksum = "), "{package}");
    }
    assert!(foreign > 50, "{foreign} dependencies");
    let checks = crate::tidy::read(".ci/run");
    let builds: Vec<&str> = checks.lines().filter(|line| line.contains("step") && !line.contains("()")).collect();
    let unlocked: Vec<&&str> =
        builds.iter().filter(|line| !line.contains("--locked") && !line.contains("cargo fmt")).collect();
    assert!(builds.len() >= 4 && unlocked.is_empty(), "{unlocked:?}");
}
