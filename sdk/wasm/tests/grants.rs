//! What a component may ask for: what is granted to it by name, and nothing else.

use std::sync::{Arc, Mutex};

use pairline_sdk::{
    Grants, HttpClient, HttpError, HttpRequest, HttpResponse, Need, NodeKind, PairsGrant, ProcessDto, RecordId,
    Secrets, System, Usage,
};
use pairline_wasm::WIT;

use crate::guest::{Bench, ECHO, Guest, everything, reason};

/// Asks the id mapping for the counterpart of `crm:1`, and fails with what it is told.
fn looking(system: &str) -> Guest {
    Guest::new(
        "(call $look (i32.const 4096) (i32.const 3) (i32.const 4104) (i32.const 1) (i32.const 4112) (i32.const 3) (i32.const 8320))
         (return (call $told))",
    )
    .importing(r#"(import "pairline:node/pairs@0.1.0" "look" (func $look (param i32 i32 i32 i32 i32 i32 i32)))"#)
    .with_text(4096, system)
    .with_text(4104, "1")
    .with_text(4112, "erp")
}

/// Reads record `1` of a system.
fn reading(system: &str) -> Guest {
    Guest::new(
        "(call $read (i32.const 4096) (i32.const 3) (i32.const 4104) (i32.const 1) (i32.const 8320)) (return (call $told))",
    )
    .importing(r#"(import "pairline:node/applications@0.1.0" "read" (func $read (param i32 i32 i32 i32 i32)))"#)
    .with_text(4096, system)
    .with_text(4104, "1")
}

fn asking_secret(name: &str, then: &str) -> Guest {
    Guest::new(&format!("(call $get (i32.const 4096) (i32.const {}) (i32.const 8320)) {then}", name.len()))
        .importing(r#"(import "pairline:node/secrets@0.1.0" "get" (func $get (param i32 i32 i32)))"#)
        .with_text(4096, name)
}

/// Sends a request, and fails with what it is told.
pub(crate) fn asking_http(url: &str) -> Guest {
    // method, url, headers (none), body (none): eight values, then where the answer goes.
    Guest::new(&format!(
        "(call $send (i32.const 4096) (i32.const 3) (i32.const 4112) (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8320))
         (if (i32.load8_u (i32.const 8320)) (then (return (call $told))))
         (return (call $fail (i32.const 3) (i32.load (i32.const 8336)) (i32.load (i32.const 8340))))",
        url.len()
    ))
    .importing(r#"(import "pairline:node/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#)
    .with_text(4096, "GET")
    .with_text(4112, url)
}

struct OneSecret;

impl Secrets for OneSecret {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "SCORE_KEY").then(|| "s3cr3t-value".to_owned())
    }
}

/// Answers every request with `hello`, and remembers where it went.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl HttpClient for Heard {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.0.lock().unwrap().push(request.url);
        Ok(HttpResponse { status: 200, headers: vec![], body: b"hello".to_vec() })
    }
}

async fn told(bench: &Bench, guest: &Guest, usage: &Usage) -> String {
    reason(bench.node(guest, usage).process_action(ProcessDto::default()).await).0
}

#[test]
fn what_a_component_needs_is_known_before_it_runs_and_an_ungranted_need_is_named() {
    let bench = Bench::default();
    for (guest, need, line) in [
        (looking("crm"), Need::ReadPairs, "pairs: read"),
        (reading("crm"), Need::Applications, "applications: [<name>]"),
        (asking_secret("SCORE_KEY", "(return (call $told))"), Need::Secrets, "secrets: [<NAME>]"),
        (asking_http("https://a.example"), Need::Http, "http: [<origin>]"),
    ] {
        let kind = bench.load(&guest.component()).unwrap();

        assert_eq!(kind.needs(), Some([need].as_slice()));
        let refused = kind.make(&Usage::default(), &bench.ports).err().unwrap();
        assert!(refused.contains(line), "{refused}");
    }
}

#[test]
fn files_and_sockets_are_for_nobody() {
    let bench = Bench::default();
    let wit = format!("{WIT}\ninterface extra {{ open: func(path: string) -> u32; }}\n");
    let wit = wit.replace("    import http;\n", "    import http;\n    import extra;\n");
    let guest = Guest::new(ECHO)
        .importing(r#"(import "pairline:node/extra@0.1.0" "open" (func (param i32 i32) (result i32)))"#);

    let refused = bench.refused(&guest.component_of(&wit));

    assert!(refused.contains("asks for `pairline:node/extra@0.1.0`, which no grant gives it"), "{refused}");
    let wasi = wat::parse_str(r#"(component (import "wasi:filesystem/types@0.2.9" (instance (export "f" (func)))))"#);
    let refused = bench.refused(&wasi.unwrap());
    assert!(refused.contains("wasi:filesystem") && refused.contains("without WASI"), "{refused}");
}

#[tokio::test]
async fn the_mapping_is_looked_at() {
    let bench = Bench::default();
    let usage = Usage { grants: Grants { pairs: Some(PairsGrant::Read), ..Grants::default() }, ..Usage::default() };

    assert_eq!(told(&bench, &looking("crm"), &usage).await, r#"{"answer":"missing"}"#);
}

#[tokio::test]
async fn a_system_that_is_not_granted_is_not_read() {
    let bench = Bench::default();
    bench.crm.person_creates(&serde_json::json!({ "email": "ada@example.org" }));
    let grants = Grants { applications: vec![System::new("crm")], ..Grants::default() };
    let usage = Usage { grants, ..Usage::default() };

    assert!(
        told(&bench, &reading("erp"), &usage).await.contains("`erp` is not granted: add it to `grants.applications`")
    );
    assert_eq!(bench.erp.saved().reads, 0);
    told(&bench, &reading("crm"), &usage).await;
    assert_eq!(bench.crm.saved().reads, 1);
}

#[tokio::test]
async fn a_secret_is_given_by_its_name_alone_and_is_repeated_nowhere() {
    let mut bench = Bench::default();
    bench.ports.secrets = Arc::new(OneSecret);
    let usage = everything();

    let other = told(&bench, &asking_secret("ERP_TOKEN", "(return (call $told))"), &usage).await;
    let own = told(&bench, &asking_secret("SCORE_KEY", "(return (call $told))"), &usage).await;

    assert!(other.contains("the secret `ERP_TOKEN` is not granted"), "{other}");
    assert_eq!(own, "***", "it was given, and what the component says of it is not shown");
    bench.ports.secrets = Arc::new(pairline_sdk::NothingOutside);
    let unset = told(&bench, &asking_secret("SCORE_KEY", "(return (call $told))"), &usage).await;
    assert_eq!(unset, "the secret `SCORE_KEY` has no value here");
}

#[tokio::test]
async fn a_request_goes_to_the_origin_that_is_granted_and_nowhere_else() {
    let mut bench = Bench::default();
    let heard = Arc::new(Heard::default());
    bench.ports.http = heard.clone();
    let usage = everything();

    assert_eq!(told(&bench, &asking_http("https://api.example.org/a?b=c"), &usage).await, "hello");
    for url in [
        "http://api.example.org/",
        "https://api.example.org:8443/",
        "https://api.example.org@evil.test/",
        "https://user@api.example.org/",
        "https://api.example.org.evil.test/",
        "https://evil.test/?https://api.example.org/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "//api.example.org/",
        "",
    ] {
        let refused = told(&bench, &asking_http(url), &usage).await;
        assert!(refused.contains("is not granted") || refused.contains("expected a URL"), "{url}: {refused}");
    }
    assert_eq!(*heard.0.lock().unwrap(), ["https://api.example.org/a?b=c"]);
}

#[test]
fn what_a_component_says_of_its_effects_fits_what_it_asks_for() {
    use pairline_sdk::Effect;
    let bench = Bench::default();
    let importing = |interface: &str, effects: &str| {
        let import = match interface {
            "pairs" => r#"(import "pairline:node/pairs@0.1.0" "look" (func (param i32 i32 i32 i32 i32 i32 i32)))"#,
            "ledger" => r#"(import "pairline:node/ledger@0.1.0" "persist" (func (param i32 i32 i32)))"#,
            _ => r#"(import "pairline:node/writes@0.1.0" "send" (func (param i32 i32 i32)))"#,
        };
        let description = format!(r#"{{"kind":"guest","about":"","effects":[{effects}]}}"#);
        Guest::new(ECHO).importing(import).describing(&description).component()
    };
    let effects = |interface, effects| bench.load(&importing(interface, effects)).unwrap().describe().effects.clone();

    assert_eq!(effects("pairs", ""), [Effect::Reads], "nothing said: it reads");
    assert_eq!(effects("ledger", r#""persists""#), [Effect::Persists], "no create may be followed by one that reads");
    assert_eq!(effects("writes", r#""creates""#), [Effect::Creates]);
    for (interface, said) in
        [("writes", ""), ("writes", r#""reads""#), ("pairs", r#""persists""#), ("writes", r#""writes","deactivates""#)]
    {
        let refused = bench.refused(&importing(interface, said));

        assert!(
            refused.contains("so that a topology can be checked") || refused.contains("what it cannot do"),
            "{interface} {said}: {refused}"
        );
    }
}

#[test]
fn a_grant_for_a_system_that_is_not_there_is_told() {
    let bench = Bench::default();
    let usage =
        Usage { grants: Grants { applications: vec![System::new("shop")], ..Grants::default() }, ..Usage::default() };

    let refused = bench.load(&Guest::new(ECHO).component()).unwrap().make(&usage, &bench.ports).err().unwrap();

    assert!(refused.contains("no application `shop`"), "{refused}");
    let _ = RecordId::new(&System::new("crm"), "1");
}
