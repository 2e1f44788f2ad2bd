//! A real ERP: Tryton 8.2 on SQLite, in step with the CRM over JSON-RPC, with the shipped description and nothing written
//! for it in Rust.

mod server;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::json;

use self::server::{Database, SYNC, Tryton};
use super::project;
use super::report::{Report, contacts};
use crate::bad_input::http::{GoBetween, Lie};
use crate::bad_input::runner::Runner;
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::{SOON, until, within};
use crate::tidy::read;

const CONTRACT: &str = r"
contract: person
about: A contact of the CRM and a party of Tryton.
systems: [crm, tryton]
inverse: { crm: erp_id, tryton: crm_id }
fields:
  name:
    owner: shared
    policy: newest
    in: { crm: [firstname, lastname], tryton: name }
    transform: [join-words]
";

/// The CRM, Tryton, and the program between them.
struct Connected {
    stage: Stage,
    tryton: Arc<Tryton>,
    between: GoBetween,
    report: Report,
}

impl Connected {
    fn new() -> Self {
        let stage = Stage::new();
        let tryton = Arc::new(Tryton::start(&Database::FILE));
        let between = GoBetween::of(SocketAddr::from((Ipv4Addr::LOCALHOST, tryton.port)));
        stage.set("TRYTON_URL", format!("{}/erp", between.base_url()));
        stage.set("TRYTON_USER", "sync");
        stage.set("TRYTON_PASSWORD", SYNC);
        let described = [
            project::crm(),
            ("applications/tryton.yaml".to_owned(), read("topologies/library/tryton.yaml")),
            ("contracts/person.yaml".to_owned(), CONTRACT.to_owned()),
        ];
        let topologies = project::topologies_of_the_guide("tryton", "crm_id");
        project::write(&stage, topologies.into_iter().chain(described));
        Self { stage, tryton, between, report: Report::of("tryton", "CRM, Tryton 8.2") }
    }

    fn run(&self) -> Runner {
        self.stage.run(&["--config", "project", "--poll-ms", "300"])
    }

    /// Waits until everybody is on both sides once, and answers the party of each contact.
    fn in_step(&self, scene: &str) -> BTreeMap<String, String> {
        self.report.in_step(scene, || [contacts(&self.stage), self.tryton.held()])
    }

    fn enters(&self, first: &str, last: &str) -> String {
        self.report.enters(&format!("{first} {last}"));
        let person = json!({ "firstname": first, "lastname": last });
        // A creation that is told three times, as busy systems do.
        self.stage.crm.person_creates_announced(person, 3).unwrap()
    }

    fn enters_in_tryton(&self, name: &str) -> String {
        self.report.enters(name);
        self.tryton.enters(name)
    }
}

#[test]
fn tryton_and_the_crm_stay_in_step_through_races_lost_answers_and_kills() {
    let connected = Connected::new();
    let runner = connected.run();

    let ada = connected.enters("Ada", "Lovelace");
    let grace = connected.enters_in_tryton("Grace Hopper");
    let pairs = connected.in_step("created on either side, told three times");
    let in_crm = pairs.iter().find(|(_, party)| **party == grace).unwrap().0.clone();

    connected.stage.crm.person_edits(&ada, json!({ "lastname": "King" })).unwrap();
    connected.report.renames("Ada Lovelace", "Ada King");
    connected.tryton.writes(&grace, json!({ "name": "Grace Murray Hopper" }));
    connected.report.renames("Grace Hopper", "Grace Murray Hopper");
    assert_eq!(connected.in_step("renamed, one on each side"), pairs);

    connected.between.tells(Lie::EmptyFor("model.party.party.create"));
    connected.enters("Edsger", "Dijkstra");
    until("an answer is lost", || (connected.between.told() > 0).then_some(()));
    connected.between.tells(Lie::Truth);
    connected.in_step("the answer to a create was lost");

    connected.between.tells(Lie::EmptyFor("model.party.party.write"));
    connected.stage.crm.person_edits(&ada, json!({ "lastname": "Byron" })).unwrap();
    connected.report.renames("Ada King", "Ada Byron");
    until("an answer is lost", || (connected.between.told() > 0).then_some(()));
    connected.between.tells(Lie::Truth);
    connected.in_step("the answer to an update was lost");

    // Both are edited, and the party once more when it has been read and not been written yet.
    let (tryton, party) = (Arc::clone(&connected.tryton), pairs[&ada].clone());
    connected
        .between
        .before("model.party.party.write", move || tryton.writes(&party, json!({ "name": "Ada Milbanke" })));
    connected.stage.crm.person_edits(&ada, json!({ "lastname": "Noel" })).unwrap();
    connected.report.renames("Ada Byron", "Ada Milbanke");
    connected.in_step("edited right before it was written");

    let mut runner = runner;
    for round in 0..3 {
        for number in 0..4 {
            connected.enters("Number", &format!("{round}-{number}"));
            connected.enters_in_tryton(&format!("Party {round}-{number}"));
        }
        until("it is at work", || (connected.tryton.parties().len() > 3 + 8 * round + 4).then_some(()));
        runner.child.kill().unwrap();
        runner.child.wait().unwrap();
        runner = connected.run();
    }
    let pairs = connected.in_step("killed three times with creates under way");

    // A party that is put aside rests, and is not made again for its contact.
    connected.tryton.writes(&grace, json!({ "active": false }));
    within(SOON, || {
        let pair = connected.stage.asked(&["--config", "project", "ids", "get", &format!("crm:{in_crm}")]);
        if pair.to_string().contains("inactive") { Ok(()) } else { Err(pair) }
    })
    .unwrap_or_else(|pair| panic!("the pair does not rest: {pair}, {:?}", connected.tryton.parties()[&grace]));
    connected.stage.crm.person_edits(&in_crm, json!({ "lastname": "Nobody" })).unwrap();
    connected.stage.crm.person_edits(&ada, json!({ "lastname": "Lovelace" })).unwrap();
    until("another edit", || (connected.tryton.parties()[&pairs[&ada]].name == "Ada Lovelace").then_some(()));
    let parties = connected.tryton.parties();
    assert_eq!(parties.len(), 27, "nothing is made again");
    assert!(!parties[&grace].active && parties[&grace].name == "Grace Murray Hopper", "{:?}", parties[&grace]);

    let trash = connected.stage.asked(&["--config", "project", "trash", "list"]);
    assert_eq!(trash["trash"], json!([]));
    assert!(!runner.log().contains(SYNC), "the password is in no line of the log");
    runner.stop();
}
