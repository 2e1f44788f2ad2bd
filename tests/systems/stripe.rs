//! localstripe, a server that many test against in place of Stripe. It takes idempotency keys and ignores them, which makes
//! it the negative control: what a promise is worth that a system does not keep, and who says so before it does harm.

mod server;

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use self::server::{KEY, Stripe, WEBHOOK_SECRET};
use super::project;
use super::report::{Both, Report, contacts};
use crate::bad_input::http::{GoBetween, Lie};
use crate::bad_input::runner::Runner;
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::until;

const CONTRACT: &str = r"
contract: person
about: A contact of the CRM and a customer of Stripe.
systems: [crm, stripe]
inverse: { crm: erp_id, stripe: metadata.crm_id }
fields:
  name:
    owner: shared
    policy: newest
    in: { crm: [firstname, lastname], stripe: name }
    transform: [join-words]
  email:
    owner: crm
    type: email
    in: { crm: email, stripe: email }
";

/// What the system really is.
const DESCRIPTION: &str = include_str!("stripe/stripe.yaml");

/// What it makes believe, and where that would stand.
const PROMISE: (&str, &str) =
    ("capabilities:\n", "capabilities:\n  idempotency_key: { header: Idempotency-Key, ttl: 24h, margin: 1h }\n");

/// The start of a topology, and the same by webhooks.
const BY_POLL: &str = "  poll: { application: stripe }
  next: fetch

nodes:
";
const BY_WEBHOOK: &str =
    "  webhook: { application: stripe, events: [customer.created, customer.updated, customer.deleted] }
  next: echo-filter

nodes:
  echo-filter: { uses: echo-filter, with: { application: stripe }, next: { foreign: fetch } }
";

/// So seldom that nothing but webhooks brings news.
const SELDOM: &str = "600000";

/// The CRM, localstripe, and the program between them.
struct Connected {
    stage: Stage,
    stripe: Stripe,
    between: GoBetween,
    report: Report,
}

impl Connected {
    fn new(test: &str, description: &str) -> Self {
        let stage = Stage::new();
        let stripe = Stripe::start();
        let between = GoBetween::of(SocketAddr::from((Ipv4Addr::LOCALHOST, stripe.port)));
        stage.set("STRIPE_BASE_URL", between.base_url());
        stage.set("STRIPE_SECRET_KEY", KEY);
        stage.set("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET);
        let mut files = project::topologies_of_the_guide("stripe", "metadata.crm_id");
        let back = files.iter_mut().find(|(file, _)| file == "stripe-to-crm.yaml").unwrap();
        assert!(back.1.contains(BY_POLL), "{}", back.1);
        back.1 = back.1.replace(BY_POLL, BY_WEBHOOK);
        files.push(("applications/stripe.yaml".to_owned(), description.to_owned()));
        files.push(("contracts/person.yaml".to_owned(), CONTRACT.to_owned()));
        files.push(project::crm());
        project::write(&stage, files);
        Self { stage, stripe, between, report: Report::of(test, "CRM, localstripe") }
    }

    /// localstripe tells the program of everything from now on.
    fn is_told(&self) {
        self.stripe.tells(&format!("http://127.0.0.1:{}/webhooks/stripe", self.stage.port));
    }

    fn run(&self, poll_ms: &str) -> Runner {
        self.stage.run(&["--config", "project", "--poll-ms", poll_ms])
    }

    fn look(&self) -> Both {
        [contacts(&self.stage), self.stripe.held()]
    }

    fn in_step(&self, scene: &str) {
        self.report.in_step(scene, || self.look());
    }

    fn enters(&self, first: &str, last: &str) -> String {
        self.report.enters(&format!("{first} {last}"));
        let person = json!({ "firstname": first, "lastname": last, "email": format!("{last}@example.test") });
        self.stage.crm.person_creates_announced(person, 3).unwrap()
    }

    fn enters_in_stripe(&self, name: &str) -> String {
        self.report.enters(name);
        self.stripe.enters(name)
    }

    /// Somebody is entered in the CRM, and the answer to the first create of a customer is lost.
    fn enters_and_the_answer_is_lost(&self, first: &str, last: &'static str) {
        self.between.tells(Lie::EmptyFor(last));
        self.enters(first, last);
        self.an_answer_is_lost();
    }

    fn an_answer_is_lost(&self) {
        until("an answer is lost", || (self.between.told() > 0).then_some(()));
        self.between.tells(Lie::Truth);
    }

    /// What the doctor says of localstripe. Its scratch records are deleted then, as it asks for.
    fn probed(&self) -> Value {
        let told = self.stage.cli(&["--json", "--config", "project", "doctor", "stripe", "--probe"]).json();
        for scratch in self.stripe.held() {
            self.stripe.deletes(&scratch.id);
        }
        told
    }

    fn asked(&self, args: &[&str]) -> Value {
        self.stage.asked(&[&["--config", "project"], args].concat())
    }
}

#[test]
fn a_system_that_ignores_keys_gets_no_second_customer_when_it_is_described_as_it_is() {
    let connected = Connected::new("stripe", DESCRIPTION);
    connected.is_told();
    let runner = connected.run(SELDOM);

    let ada = connected.enters("Ada", "Lovelace");
    let grace = connected.enters_in_stripe("Grace Hopper");
    connected.in_step("created on either side, told by webhooks alone");

    connected.stage.crm.person_edits(&ada, json!({ "lastname": "King" })).unwrap();
    connected.report.renames("Ada Lovelace", "Ada King");
    connected.stripe.renames(&grace, "Grace Murray Hopper");
    connected.report.renames("Grace Hopper", "Grace Murray Hopper");
    connected.in_step("renamed, one on each side");

    connected.enters_and_the_answer_is_lost("Edsger", "Dijkstra");
    connected.in_step("the answer to a create was lost");

    connected.between.tells(Lie::EmptyFor("Byron"));
    connected.stage.crm.person_edits(&ada, json!({ "lastname": "Byron" })).unwrap();
    connected.report.renames("Ada King", "Ada Byron");
    connected.an_answer_is_lost();
    connected.in_step("the answer to an update was lost");

    let mut runner = runner;
    for round in 0..3 {
        for number in 0..4 {
            connected.enters("Number", &format!("{round}-{number}"));
            connected.enters_in_stripe(&format!("Customer {round}-{number}"));
        }
        until("it is at work", || (connected.stripe.held().len() > 3 + 8 * round + 4).then_some(()));
        runner.child.kill().unwrap();
        runner.child.wait().unwrap();
        runner = connected.run("300");
    }
    connected.in_step("killed three times with creates under way");

    assert_eq!(connected.asked(&["trash", "list"])["trash"], json!([]));
    assert_eq!(connected.asked(&["cases", "list"])["cases"], json!([]));
    for secret in [KEY, WEBHOOK_SECRET] {
        assert!(!runner.log().contains(secret), "a secret is in the log");
    }
    runner.stop();
    connected.in_step("at the end, when nothing is at work any more");
}

#[test]
fn a_promise_of_keys_that_is_not_kept_makes_no_second_customer_and_the_doctor_says_so_before() {
    let (without, with) = PROMISE;
    let promised = DESCRIPTION.replacen(without, with, 1);
    let connected = Connected::new("stripe-with-a-key", &promised);

    let told = connected.probed();

    let findings = told["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "PL0712").unwrap_or_else(|| panic!("{told:#}"));
    assert!(finding["help"].as_str().unwrap().starts_with("take `idempotency_key` out"), "{finding:#}");
    let line = promised.lines().position(|line| line.contains("idempotency_key")).unwrap() + 1;
    assert_eq!(finding["line"], json!(line), "{finding:#}");
    assert!(told.to_string().contains("C, and B is promised: that makes second copies"), "{told:#}");

    // Whoever does not listen: the answer to a create is lost. Nobody tells of the customer that was made, and whoever sent it
    // again with its key would make another. It is seen before.
    let runner = connected.run(SELDOM);
    connected.enters_and_the_answer_is_lost("Edsger", "Dijkstra");
    connected.in_step("described with a key, a create's answer lost");
    runner.stop();
    connected.in_step("described with a key, at the end");
    assert_eq!(connected.asked(&["cases", "list"])["cases"], json!([]));

    // Whoever does: what stands there is taken out. Nobody tells of the customer here either.
    let corrected: String =
        promised.lines().filter(|line| !line.contains("idempotency_key")).map(|line| format!("{line}\n")).collect();
    let connected = Connected::new("stripe-without-it", &corrected);
    let told = connected.probed();
    assert!(told.to_string().contains("C, as promised"), "{told:#}");
    let runner = connected.run(SELDOM);
    connected.enters_and_the_answer_is_lost("Edsger", "Dijkstra");
    connected.in_step("without it, as the doctor says, the answer lost");
    runner.stop();
    connected.in_step("without it, when nothing is at work any more");
}
