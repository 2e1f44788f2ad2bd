//! Contacts of Directus and parties of Tryton, with the shipped descriptions and nothing between the two but the program.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use super::postgres::Postgres;
use super::server::{Directus, SYNC};
use crate::bad_input::http::{GoBetween, Lie};
use crate::bad_input::runner::Runner;
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::until;
use crate::systems::project::{self, File, files_of_the_guide};
use crate::systems::report::{Both, Report};
use crate::systems::tryton::server::{Database, SYNC as TRYTON_SYNC, Tryton};
use crate::tidy::read;

/// How many are entered on each side at once.
const AT_ONCE: usize = 8;

const CONTRACT: &str = r"
contract: person
about: A contact of Directus and a party of Tryton.
systems: [directus, tryton]
inverse: { directus: erp_id, tryton: crm_id }
fields:
  name:
    owner: shared
    policy: newest
    in: { directus: name, tryton: name }
";

/// Directus, Tryton, and the program between them. What depends on another one ends before it.
struct Connected {
    directus: Directus,
    tryton: Tryton,
    _postgres: Postgres,
    before_directus: GoBetween,
    before_tryton: GoBetween,
    report: Report,
    stage: Stage,
}

/// The topology that the guide shows for a system without webhooks, from one such system, which keeps the id of the other one
/// in a field, to another.
fn topology(from: &str, inverse: &str, to: &str) -> File {
    let (_, guide) = files_of_the_guide().into_iter().find(|(file, _)| file == "books-to-crm.yaml").unwrap();
    let text = guide.replace("crm", to).replace("books", from).replace("field: ref", &format!("field: {inverse}"));
    (format!("{from}-to-{to}.yaml"), text)
}

fn shipped(system: &str) -> File {
    (format!("applications/{system}.yaml"), read(&format!("topologies/library/{system}.yaml")))
}

impl Connected {
    fn new() -> Self {
        let stage = Stage::new();
        let postgres = Postgres::start();
        let directus = Directus::start(&postgres);
        postgres.makes("erp");
        let uri = format!("postgresql://postgres:trusted@127.0.0.1:{}/", postgres.port());
        let tryton = Tryton::start(&Database { uri: &uri, drivers: include_str!("../tryton/postgresql.txt") });
        let before = |port| GoBetween::of(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let (before_directus, before_tryton) = (before(directus.port), before(tryton.port));
        stage.set("DIRECTUS_URL", before_directus.base_url());
        stage.set("DIRECTUS_TOKEN", SYNC);
        stage.set("TRYTON_URL", format!("{}/erp", before_tryton.base_url()));
        stage.set("TRYTON_USER", "sync");
        stage.set("TRYTON_PASSWORD", TRYTON_SYNC);
        let files = [
            shipped("directus"),
            shipped("tryton"),
            ("contracts/person.yaml".to_owned(), CONTRACT.to_owned()),
            topology("directus", "erp_id", "tryton"),
            topology("tryton", "crm_id", "directus"),
        ];
        project::write(&stage, files);
        let report = Report::of("directus", "Directus, Tryton");
        Self { directus, tryton, _postgres: postgres, before_directus, before_tryton, report, stage }
    }

    fn run(&self) -> Runner {
        self.stage.run(&["--config", "project"])
    }

    fn look(&self) -> Both {
        [self.directus.held(), self.tryton.held()]
    }

    /// Waits until everybody is on both sides once, and answers the party of each contact.
    fn in_step(&self, scene: &str) -> BTreeMap<String, String> {
        self.report.in_step(scene, || self.look())
    }

    fn enters_in_directus(&self, name: &str) -> String {
        self.report.enters(name);
        self.directus.enters(name)
    }

    fn enters_in_tryton(&self, name: &str) -> String {
        self.report.enters(name);
        self.tryton.enters(name)
    }

    fn renames_in_directus(&self, id: &str, name: &str, to: &str) {
        self.report.renames(name, to);
        self.directus.renames(id, to);
    }

    fn renames_in_tryton(&self, id: &str, name: &str, to: &str) {
        self.report.renames(name, to);
        self.tryton.writes(id, json!({ "name": to }));
    }

    /// Many are entered on both sides at once.
    fn all_enter(&self, round: &str) {
        let names =
            |system: &str| -> Vec<String> { (0..AT_ONCE).map(|number| format!("{system} {round}-{number}")).collect() };
        let (contacts, parties) = (names("Contact"), names("Party"));
        for name in contacts.iter().chain(&parties) {
            self.report.enters(name);
        }
        let (directus, tryton) = (&self.directus, &self.tryton);
        std::thread::scope(|scope| {
            scope.spawn(|| contacts.iter().for_each(|name| drop(directus.enters(name))));
            scope.spawn(|| parties.iter().for_each(|name| drop(tryton.enters(name))));
        });
    }

    fn asked(&self, args: &[&str]) -> Value {
        self.stage.asked(&[&["--config", "project"], args].concat())
    }
}

fn an_answer_is_lost(between: &GoBetween) {
    until("an answer is lost", || (between.told() > 0).then_some(()));
    between.tells(Lie::Truth);
}

#[test]
fn directus_and_tryton_stay_in_step_through_races_lost_answers_and_kills() {
    let connected = Connected::new();
    let runner = connected.run();

    let ada = connected.enters_in_directus("Ada Lovelace");
    let grace = connected.enters_in_tryton("Grace Hopper");
    let pairs = connected.in_step("created on either side");
    let of_ada = pairs[&ada].clone();
    let of_grace = pairs.iter().find(|(_, party)| **party == grace).unwrap().0.clone();

    connected.all_enter("race");
    connected.in_step("16 created on both sides at once");

    connected.renames_in_directus(&ada, "Ada Lovelace", "Ada King");
    connected.renames_in_tryton(&grace, "Grace Hopper", "Grace Murray Hopper");
    connected.in_step("renamed, each where it was made");
    connected.renames_in_tryton(&of_ada, "Ada King", "Ada Byron");
    connected.renames_in_directus(&of_grace, "Grace Murray Hopper", "Grace Murray");
    connected.in_step("renamed, each where its counterpart was made");

    connected.before_directus.tells(Lie::EmptyFor("Dijkstra"));
    connected.enters_in_tryton("Edsger Dijkstra");
    an_answer_is_lost(&connected.before_directus);
    connected.in_step("Directus' answer to a create was lost");
    connected.before_tryton.tells(Lie::EmptyFor("model.party.party.create"));
    connected.enters_in_directus("Barbara Liskov");
    an_answer_is_lost(&connected.before_tryton);
    connected.in_step("Tryton's answer to a create was lost");

    connected.before_directus.tells(Lie::EmptyFor("Ada Augusta"));
    connected.renames_in_tryton(&of_ada, "Ada Byron", "Ada Augusta");
    an_answer_is_lost(&connected.before_directus);
    connected.in_step("Directus' answer to an update was lost");
    connected.before_tryton.tells(Lie::EmptyFor("model.party.party.write"));
    connected.renames_in_directus(&of_grace, "Grace Murray", "Grace Brewster");
    an_answer_is_lost(&connected.before_tryton);
    connected.in_step("Tryton's answer to an update was lost");

    let mut runner = runner;
    for round in 0..3 {
        let before: usize = connected.look().iter().map(Vec::len).sum();
        connected.all_enter(&format!("kill {round}"));
        until("it is at work", || {
            let now: usize = connected.look().iter().map(Vec::len).sum();
            (now > before + 2 * AT_ONCE + AT_ONCE / 2).then_some(())
        });
        runner.child.kill().unwrap();
        runner.child.wait().unwrap();
        runner = connected.run();
    }
    connected.in_step("killed three times with creates under way");

    assert_eq!(connected.asked(&["trash", "list"])["trash"], json!([]));
    assert_eq!(connected.asked(&["cases", "list"])["cases"], json!([]));
    for secret in [SYNC, TRYTON_SYNC] {
        assert!(!runner.log().contains(secret), "a secret is in the log");
    }
    runner.stop();
    connected.in_step("at the end, when nothing is at work any more");

    // What makes all of that safe is measured, too. The scratch records that it takes are removed as both are described.
    let ids = || connected.look().map(|held| held.into_iter().map(|one| one.id).collect::<BTreeSet<_>>());
    let before = ids();
    let told = connected.stage.cli(&["--json", "--config", "project", "doctor", "--probe"]).json();
    let of = |system: &str| {
        told["applications"].as_array().unwrap().iter().find(|one| one["application"] == system).unwrap()
    };
    for (system, class) in [("directus", "A"), ("tryton", "C")] {
        assert_eq!([&of(system)["promised"], &of(system)["measured"]], [class, class], "{told:#}");
    }
    assert_eq!(told["errors"], 0, "{told:#}");
    for system in ["directus", "tryton"] {
        assert_eq!(of(system)["made"], json!([]), "{told:#}");
        assert!(!of(system)["removed"].as_array().unwrap().is_empty(), "{told:#}");
    }
    assert_eq!(ids(), before, "another record is held than before the probe");
}
