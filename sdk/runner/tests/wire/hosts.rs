//! Where calls go, on real sockets: to the host that a description names, whatever is answered, looked up or filled in.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pairline_runner::application::{Description, Environment, HostGuard, Lookup};
use pairline_runner::machine::SystemClock;
use pairline_sdk::{Application, Clock, Fields, Intent, Outcome, ReadError, Write, testing};

use crate::calls::{DESCRIPTION, described, guarded, intent, record};
use crate::remote::{Remote, Reply};

/// A machine whose names lead where a test wants them.
struct Names {
    lead_to: Mutex<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    fn leading_to(address: &str) -> Arc<Self> {
        let names = Self { lead_to: Mutex::default(), asked: AtomicUsize::new(0) };
        names.lead_to(address);
        Arc::new(names)
    }

    fn lead_to(&self, address: &str) {
        *self.lead_to.lock().unwrap() = vec![address.parse().unwrap()];
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.lead_to.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn a_redirection_is_an_answer_and_nobody_is_called_there() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Remote::start(vec![]).await;
        for location in [format!("http://{}/records/7", elsewhere.address), format!("//{}/", elsewhere.address)] {
            let head = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            let remote = Remote::start(vec![Reply::Bytes(head.clone().into()), Reply::Bytes(head.into())]).await;
            let base_url = format!("http://{}", remote.address);
            let description = described(DESCRIPTION, &base_url);
            let guard = HostGuard::of(&description).unwrap();
            let application = guarded(description, guard);

            let outcome = application.send(&intent(&application)).await;
            let read = application.read("7").await;

            // 307 and 308 say that nothing was done here; after the others it may have been.
            let (written, looked) = match status {
                307 | 308 => (matches!(outcome, Outcome::Failed { .. }), matches!(read, Err(ReadError::Refused(_)))),
                _ => (matches!(outcome, Outcome::Unknown { .. }), matches!(read, Err(ReadError::Failed(_)))),
            };
            assert!(written && looked, "{status}: {outcome:?}, {read:?}");
            assert_eq!((remote.requests().len(), elsewhere.connections()), (2, 0), "{status} to {location}");
        }
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_or_a_neighbour_is_called_only_if_the_description_says_so() {
    let base_url = |remote: &Remote| format!("http://crm.example.org:{}", remote.address.port());
    for address in ["127.0.0.1", "::ffff:127.0.0.1"] {
        let remote = Remote::start(vec![Reply::Bytes(record())]).await;
        let strict = described(DESCRIPTION, &base_url(&remote));
        let guard = HostGuard::of(&strict).unwrap().asking(Names::leading_to(address));
        let application = guarded(strict, guard);

        let outcome = application.send(&intent(&application)).await;

        let Outcome::NotSent { reason, after: Some(_) } = outcome else { panic!("{address}: {outcome:?}") };
        for part in ["there: ", "`crm.example.org`", "a loopback address", "`private_network: true`"] {
            assert!(reason.contains(part), "expected `{part}`, found {reason}");
        }
        assert!(!reason.contains("token"), "{reason}");
        assert_eq!(remote.connections(), 0);
    }
    let remote = Remote::start(vec![Reply::Bytes(record())]).await;
    let lax = described(&format!("private_network: true\n{DESCRIPTION}"), &base_url(&remote));
    let guard = HostGuard::of(&lax).unwrap().asking(Names::leading_to("127.0.0.1"));
    let application = guarded(lax, guard);

    let outcome = application.send(&intent(&application)).await;

    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert!(remote.requests()[0].contains("host: crm.example.org"), "{:?}", remote.requests());
}

/// Rebinding: the name was all right when the program started, and leads to a neighbour when the next connection is made.
#[tokio::test]
async fn a_name_that_turns_private_is_refused_before_the_next_connection() {
    for (address, kind) in [("169.254.169.254", "link-local"), ("10.0.0.1", "private"), ("fd00::1", "private")] {
        let remote = Remote::start(vec![Reply::Close(record())]).await;
        let description = described(DESCRIPTION, &format!("http://localhost:{}", remote.address.port()));
        let names = Names::leading_to("127.0.0.1");
        let guard = HostGuard::of(&description).unwrap().asking(names.clone());
        let application = guarded(description, guard);
        assert!(application.read("7").await.is_ok_and(|record| record.is_some()));

        names.lead_to(address);
        let read = application.read("7").await;

        let Err(ReadError::Wait { reason, .. }) = read else { panic!("{address}: {read:?}") };
        assert!(reason.contains(kind) && reason.contains("`localhost`"), "{reason}");
        assert_eq!(names.asked.load(Ordering::SeqCst), 2, "the name is asked for once and then believed");
        assert_eq!(remote.connections(), 1);
    }
}

#[tokio::test]
async fn what_is_filled_into_a_path_or_stands_at_its_beginning_leads_no_call_to_another_host() {
    let elsewhere = Remote::start(vec![]).await;
    let there = elsewhere.address;
    let ids = [
        format!("//{there}/"),
        format!("/\\{there}"),
        format!("\\\\{there}\\x"),
        format!("@{there}/"),
        format!(":x@{there}/"),
        format!("http://{there}/"),
        format!("..//{there}"),
        format!("%2f%2f{there}"),
        format!("7#@{there}"),
        format!("7?@{there}"),
        format!("7;@{there}"),
    ];
    let mut called = 0;
    for path in ["/records/{id}", "/{id}", "//{id}", "/\\{id}", "/@{id}", "/records/:x@{id}/", "/../{id}"] {
        let written = serde_json::to_string(path).unwrap();
        let text = DESCRIPTION.replace("\"/records/{id}\"", &written);
        let answers = ids.iter().flat_map(|_| [Reply::Bytes(record()), Reply::Bytes(record())]).collect();
        let remote = Remote::start(answers).await;
        let base_url = format!("http://{}", remote.address);
        let description = described(&text, &base_url);
        let guard = HostGuard::of(&description).unwrap();
        let application = guarded(description, guard);
        for id in &ids {
            application.read(id).await.ok();
            let write = Write::Update { id: id.clone(), fields: Fields::new(), version: None };
            let intent = testing::intent(&application, &write, SystemClock.now());
            application.send(&intent).await;
        }
        for request in remote.requests() {
            assert!(request.contains(&format!("host: {}\r\n", remote.address)), "{path}: {request}");
            called += 1;
        }
    }
    assert_eq!(called, 7 * ids.len() * 2, "calls that were not made show nothing");
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_path_that_makes_a_user_of_the_host_is_refused_where_it_is_written_and_where_it_is_sent() {
    let (remote, elsewhere) = (Remote::start(vec![]).await, Remote::start(vec![]).await);
    let text = DESCRIPTION.replace("\"/records/{id}\"", &format!("\"@{}/{{id}}\"", elsewhere.address));
    let environment = Environment::of([("BASE_URL", "http://crm.example.org"), ("TOKEN", "token")]);
    let (_, findings) = Description::parse("there.yaml", &text, &environment);
    assert!(findings.iter().any(|finding| finding.message.contains("begins with `/`")), "{findings:?}");

    // As it may stand in a ledger that somebody else has written to.
    for path in [format!("@{}/records/7", elsewhere.address), format!(":x@{}/", elsewhere.address)] {
        let base_url = format!("http://{}", remote.address.ip());
        let description = described(DESCRIPTION, &base_url);
        let guard = HostGuard::of(&description).unwrap();
        let application = guarded(description, guard);
        let mut operation = intent(&application).operation().clone();
        Arc::make_mut(&mut operation.request).path = path;

        let outcome = application.send(&Intent::recorded(operation)).await;

        let Outcome::NotSent { reason, .. } = outcome else { panic!("expected not sent, found {outcome:?}") };
        assert!(reason.contains("another host"), "{reason}");
    }
    assert_eq!((remote.connections(), elsewhere.connections()), (0, 0));
}
