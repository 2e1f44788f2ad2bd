//! What a node in another language can do to the program: nothing, and the program goes on.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::testing::{Stage, contact_contract};
use pairline_sdk::{Grants, Limits, NodeError, NodeKind as _, Ports, ProcessAction, ProcessDto, Secrets, Usage};
use pairline_wasm::Host;
use serde_json::{Value, json};

use super::language::{JS, Language, PYTHON, TS};
use crate::support::Bench;

/// Long enough for whatever ends by itself, on a busy machine too.
const ROOMY: Duration = Duration::from_secs(60);
const SECRET: &str = "shibboleth-7";

/// Holds a secret by every name, so that a name alone keeps them apart.
struct Kept;

impl Secrets for Kept {
    fn secret(&self, _: &str) -> Option<String> {
        Some(SECRET.to_owned())
    }
}

/// A node that does what its body says.
struct Misbehaving {
    node: Arc<dyn ProcessAction>,
    _host: Arc<Host>,
}

impl Misbehaving {
    fn of(language: Language, timeout: Duration) -> Self {
        let (host, kind) = language.misbehaving().load();
        let bench = Bench::new(&Stage::default(), contact_contract());
        let ports = Ports { secrets: Arc::new(Kept), ..bench.ports };
        let limits = Limits { timeout: Some(timeout), ..Limits::default() };
        let grants = Grants { secrets: vec!["SCORE_KEY".into()], ..granted(language) };
        let node = kind.make(&Usage { limits, grants, ..Usage::default() }, &ports).unwrap();
        Self { node, _host: host }
    }

    async fn told(&self, body: Value) -> Result<Value, NodeError> {
        self.node.process_action(ProcessDto::new(body)).await.map(|dto| dto.data().clone())
    }

    /// The reason of a failure after which the record is looked at again, and the node has answered another message.
    async fn survived(&self, body: Value) -> String {
        let reason = match self.told(body).await.expect_err("it went on") {
            NodeError::Repeat { reason, counted: true, .. } => reason,
            other => panic!("it is not tried again: {other:?}"),
        };
        self.goes_on().await;
        reason
    }

    async fn goes_on(&self) {
        let answer = self.told(json!({ "deed": "answer", "number": 7 })).await.unwrap();
        assert_eq!(answer, json!({ "deed": "answer", "number": 7, "answered": true }));
    }
}

/// What the world of the template asks for.
fn granted(language: Language) -> Grants {
    let asks = language.name == PYTHON.name;
    let applications = if asks { vec!["erp".into()] } else { Vec::new() };
    Grants { pairs: asks.then_some(pairline_sdk::PairsGrant::Read), applications, ..Grants::default() }
}

async fn a_loop_without_end(language: Language) {
    let node = Misbehaving::of(language, Duration::from_secs(1));

    let reason = node.survived(json!({ "deed": "loop" })).await;

    assert_eq!(reason, "`misbehaving.wasm` took longer than its 1000 ms: `limits: { timeout: … }` gives it more");
}

async fn more_memory_than_there_is(language: Language) {
    let node = Misbehaving::of(language, ROOMY);

    let reason = node.survived(json!({ "deed": "memory" })).await;

    assert!(reason.to_lowercase().contains("memory"), "{reason}");
}

async fn calls_without_end(language: Language) {
    let node = Misbehaving::of(language, ROOMY);

    let reason = node.survived(json!({ "deed": "recursion" })).await;

    assert!(reason.contains("recursion"), "{reason}");
}

async fn an_error_that_nobody_catches(language: Language) {
    let node = Misbehaving::of(language, ROOMY);

    let reason = node.survived(json!({ "deed": "error" })).await;

    assert!(reason.contains("TypeError: nobody has thought of this"), "{reason}");
}

/// As the operator sees it, in the log of the program.
fn the_stack_of_an_error(language: Language) {
    let built = language.misbehaving();
    let run = "echo '{\"deed\":\"error\"}' | pairline node run misbehaving.wasm --secret SCORE_KEY --input -";

    let output = built.command(run).env("SCORE_KEY", SECRET).output().unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("careless") && said.contains("TypeError: nobody has thought of this"), "{said}");
    assert!(said.contains("the message is looked at again"), "{said}");
}

async fn an_answer_that_is_too_long(language: Language) {
    let node = Misbehaving::of(language, ROOMY);

    let failed = node.told(json!({ "deed": "huge" })).await.unwrap_err();

    assert!(matches!(&failed, NodeError::StopAndFail { reason } if reason.contains("expected at most")), "{failed:?}");
    node.goes_on().await;
}

async fn a_file_of_the_machine(language: Language) {
    let node = Misbehaving::of(language, ROOMY);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();

    let reason = node.survived(json!({ "deed": "file", "path": path })).await;

    assert!(reason.contains("broke off") && !reason.contains(SECRET), "{reason}");
}

async fn a_request_past_the_program(language: Language) {
    let node = Misbehaving::of(language, ROOMY);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());

    let reason = node.survived(json!({ "deed": "network", "url": url })).await;

    assert!(reason.contains("broke off"), "{reason}");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody has called");
}

async fn a_secret_by_another_name(language: Language) {
    let node = Misbehaving::of(language, ROOMY);

    let failed = node.told(json!({ "deed": "secret", "name": "OTHER_KEY" })).await.unwrap_err();

    let granted = "the secret `OTHER_KEY` is not granted";
    assert!(matches!(&failed, NodeError::StopAndFail { reason } if reason.starts_with(granted)), "{failed:?}");
    let own = node.told(json!({ "deed": "secret", "name": "SCORE_KEY" })).await.unwrap();
    assert_eq!(own["length"], SECRET.len());
}

macro_rules! in_each_language {
    ($($module:ident: $language:ident),*) => {$(
        mod $module {
            use super::$language;

            #[tokio::test]
            async fn a_loop_without_end_is_stopped() {
                super::a_loop_without_end($language).await;
            }

            #[tokio::test]
            async fn memory_ends_where_it_was_said_to_and_the_reason_says_so() {
                super::more_memory_than_there_is($language).await;
            }

            #[tokio::test]
            async fn calls_that_go_too_deep_end_in_the_node() {
                super::calls_without_end($language).await;
            }

            #[tokio::test]
            async fn an_error_that_nobody_catches_is_an_answer() {
                super::an_error_that_nobody_catches($language).await;
            }

            #[test]
            fn the_stack_of_an_error_reaches_the_operator() {
                super::the_stack_of_an_error($language);
            }

            #[tokio::test]
            async fn an_answer_that_is_too_long_is_refused() {
                super::an_answer_that_is_too_long($language).await;
            }

            #[tokio::test]
            async fn no_file_can_be_read() {
                super::a_file_of_the_machine($language).await;
            }

            #[tokio::test]
            async fn no_request_leaves_past_the_program() {
                super::a_request_past_the_program($language).await;
            }

            #[tokio::test]
            async fn a_secret_goes_by_its_own_name_alone() {
                super::a_secret_by_another_name($language).await;
            }
        }
    )*};
}

in_each_language!(js: JS, ts: TS, python: PYTHON);

#[tokio::test]
async fn nothing_of_the_machine_is_there_by_name() {
    let node = Misbehaving::of(JS, ROOMY);

    assert_eq!(node.told(json!({ "deed": "world" })).await.unwrap()["names"], json!([]));
}
