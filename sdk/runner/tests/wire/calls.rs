//! Calls to systems that misbehave: what is known afterwards, and that nothing is sent twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pairline_runner::application::{
    Description, Environment, HostGuard, HttpApplication, ReqwestTransport, Transport, TransportError,
};
use pairline_runner::machine::{SystemClock, SystemRandom};
use pairline_runner::metrics::Metrics;
use pairline_sdk::{Application, Clock, Fields, Intent, Outcome, ReadError, Record, Write, testing};
use serde_json::json;

use crate::remote::{Remote, Reply, answer};

pub(crate) const DESCRIPTION: &str = r#"
application: there
about: A system for tests.
base_url: ${BASE_URL}
auth: { bearer: "${TOKEN}" }
capabilities: { deadline: 250ms, request_life: 1s }
record: { id: /id, modified: [/at], whole: true }
operations:
  read: { method: GET, path: "/records/{id}" }
  create: { method: POST, path: /records }
  update: { method: PATCH, path: "/records/{id}" }
errors: { rules: [{ status: 404, means: gone }] }
echo: { operation: { header: X-Origin, value: "here/{operation}" } }
limits: { response_bytes: 1000 }
"#;

fn application(base_url: &str) -> HttpApplication {
    let description = described(DESCRIPTION, base_url);
    let guard = HostGuard::of(&description).unwrap();
    guarded(description, guard)
}

/// A description below this URL.
pub(crate) fn described(text: &str, base_url: &str) -> Description {
    let environment = Environment::of([("BASE_URL", base_url), ("TOKEN", "token")]);
    let (description, findings) = Description::parse("there.yaml", text, &environment);
    assert!(findings.is_empty(), "{findings:?}");
    description.unwrap()
}

/// Its application, whose calls are kept at their host like this.
pub(crate) fn guarded(description: Description, guard: HostGuard) -> HttpApplication {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new(guard).unwrap());
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
    HttpApplication::new(description, transport, clock, random, &Metrics::default()).unwrap()
}

async fn remote(script: Vec<Reply>) -> (Remote, HttpApplication) {
    let remote = Remote::start(script).await;
    let application = application(&format!("http://{}", remote.address));
    (remote, application)
}

pub(crate) fn intent(application: &HttpApplication) -> Intent {
    let fields: Fields = json!({ "name": "Ada" }).as_object().unwrap().clone();
    let write = Write::Update { id: "7".to_owned(), fields, version: None };
    testing::intent(application, &write, SystemClock.now())
}

pub(crate) fn record() -> Vec<u8> {
    answer("200 OK", r#"{"id":"7","name":"Ada"}"#)
}

#[tokio::test]
async fn a_request_has_its_head_and_its_body_and_connections_are_kept() {
    let (remote, application) =
        remote(vec![Reply::Bytes(record()), Reply::Bytes(record()), Reply::Bytes(record())]).await;

    let outcome = application.send(&intent(&application)).await;
    let read = application.read("7").await;
    application.send(&intent(&application)).await;

    let mut fields = Fields::new();
    fields.insert("id".to_owned(), json!("7"));
    fields.insert("name".to_owned(), json!("Ada"));
    assert_eq!(outcome, Outcome::Committed { record: Record::new("7", fields.clone()) });
    assert_eq!(read, Ok(Some(Record::new("7", fields))));
    assert_eq!(remote.connections(), 1);
    let request = &remote.requests()[0];
    assert!(request.starts_with("PATCH /records/7 HTTP/1.1\r\n"), "{request}");
    for line in ["authorization: Bearer token", "x-origin: here/0199-op", "content-type: application/json"] {
        assert!(request.contains(&format!("{line}\r\n")), "{line} in {request}");
    }
    assert!(request.ends_with("\r\n\r\n{\"name\":\"Ada\"}"), "{request}");
}

#[tokio::test]
async fn a_write_that_got_no_whole_answer_is_unknown_and_is_not_sent_again() {
    let whole = record();
    let huge = answer("200 OK", &format!(r#"{{"id":"7","x":"{}"}}"#, "x".repeat(2_000)));
    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"3e8\r\n".to_vec(), vec![b' '; 1_000], b"\r\n".to_vec()].concat();
    for (what, reply) in [
        ("a reset", Reply::Reset(vec![])),
        ("a reset amid the answer", Reply::Reset(whole[..60].to_vec())),
        ("a close", Reply::Close(vec![])),
        ("a close amid the head", Reply::Close(whole[..20].to_vec())),
        ("a close amid the body", Reply::Close(whole[..whole.len() - 5].to_vec())),
        ("a hang", Reply::Hang(vec![])),
        ("a hang amid the body", Reply::Hang(whole[..whole.len() - 5].to_vec())),
        ("a page", Reply::Bytes(answer("200 OK", "<html>down</html>"))),
        ("nothing", Reply::Bytes(answer("200 OK", ""))),
        ("half of the JSON", Reply::Bytes(answer("200 OK", r#"{"id":"7","na"#))),
        ("too long an answer", Reply::Bytes(huge)),
        ("too long an answer in pieces", Reply::Close([endless, chunk.clone(), chunk].concat())),
        (
            "a redirection",
            Reply::Bytes(b"HTTP/1.1 302 Found\r\nlocation: /records/8\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ),
        ("not HTTP", Reply::Close(b"220 mail.test ESMTP\r\n".to_vec())),
        ("a gateway", Reply::Bytes(answer("504 Gateway Timeout", "<html>"))),
    ] {
        let (remote, application) = remote(vec![reply]).await;
        let began = Instant::now();

        let outcome = application.send(&intent(&application)).await;

        assert!(matches!(outcome, Outcome::Unknown { .. }), "{what}: {outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{what}");
        assert_eq!(remote.requests().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_read_that_got_no_whole_answer_failed() {
    for reply in [Reply::Reset(vec![]), Reply::Close(record()[..50].to_vec()), Reply::Hang(vec![])] {
        let (remote, application) = remote(vec![reply]).await;

        assert!(matches!(application.read("7").await, Err(ReadError::Failed(_))));
        assert_eq!(remote.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_deadline_of_a_write_counts_from_its_intent() {
    let (_remote, application) = remote(vec![Reply::Hang(vec![])]).await;
    let intent = intent(&application);
    let mut earlier = intent.operation().clone();
    earlier.sent_at = earlier.sent_at.minus(Duration::from_millis(150));
    let began = Instant::now();

    let outcome = application.send(&Intent::recorded(earlier)).await;

    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_millis(240), "{:?}", began.elapsed());
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_sent_and_the_application_is_left_alone() {
    let address = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let application = application(&format!("http://{address}"));

    let outcome = application.send(&intent(&application)).await;

    let Outcome::NotSent { reason, after: Some(_) } = outcome else { panic!("expected not sent, found {outcome:?}") };
    assert!(reason.contains("refused"), "{reason}");
    assert!(application.limiter().paused().is_some());
    assert!(matches!(self::application("http://no-such-host.invalid").read("7").await, Err(ReadError::Wait { .. })));
}

#[tokio::test]
async fn the_texts_of_errors_hold_no_url() {
    let remote = Remote::start(vec![Reply::Reset(vec![]), Reply::Hang(vec![])]).await;
    let guard = HostGuard::new(&format!("http://{}", remote.address), false).unwrap();
    let transport = ReqwestTransport::new(guard).unwrap();
    for _ in 0..2 {
        let call = pairline_runner::application::Call {
            method: axum::http::Method::GET,
            url: format!("http://{}/?email=ada%40example.test", remote.address),
            headers: axum::http::HeaderMap::new(),
            body: None,
            deadline: Duration::from_millis(100),
            longest_answer: 10,
        };

        let error = transport.call(call).await.unwrap_err();

        assert!(matches!(&error, TransportError::Lost(reason) if !reason.contains("example")), "{error:?}");
    }
}
