//! A real ERP: Tryton 8.2 on SQLite, in step with the CRM over JSON-RPC, with the shipped description and nothing written
//! for it in Rust.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use pairline_fakes::{Port, RecordView};
use serde_json::{Value, json};

use super::installed::{Environment, Server, run};
use super::unlike::files_of_the_guide;
use crate::bad_input::http::{GoBetween, Lie, call};
use crate::bad_input::runner::Runner;
use crate::bad_input::stage::Stage;
use crate::bad_input::wait::{SOON, until, within};
use crate::tidy::read;

const REQUIREMENTS: &str = include_str!("tryton/requirements.txt");
const ADMINISTRATOR: &str = "administrator-of-a-test";
const SYNC: &str = "canary-tryton-5e1d";

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

/// What an administrator does, and what a bookkeeper does in front of it.
struct Tryton {
    port: u16,
    session: String,
    _server: Server,
    _folder: tempfile::TempDir,
    _port: Port,
}

/// A party as an auditor sees it.
#[derive(Debug)]
struct Party {
    name: String,
    active: bool,
    /// The ids of ours that it carries.
    ours: Vec<String>,
}

fn config(folder: &std::path::Path, port: u16) -> std::path::PathBuf {
    let file = folder.join("trytond.conf");
    let text = format!("[database]\nuri = sqlite://\npath = {}\n[web]\nlisten = 127.0.0.1:{port}\n", folder.display());
    fs::write(&file, text).unwrap();
    file
}

impl Tryton {
    fn start() -> Self {
        let environment = Environment::with("tryton", REQUIREMENTS);
        let template = environment.path("template");
        environment.once("template", || {
            fs::create_dir_all(&template).unwrap();
            fs::write(template.join("erp.sqlite"), "").unwrap();
            let password = template.join("password");
            fs::write(&password, ADMINISTRATOR).unwrap();
            let mut admin = environment.program("trytond-admin");
            admin.env("TRYTONPASSFILE", &password).arg("-c").arg(config(&template, 0));
            run(admin.args(["-d", "erp", "--email", "a@example.test", "-u", "party", "--activate-dependencies"]));
        });
        let folder = tempfile::tempdir().unwrap();
        fs::copy(template.join("erp.sqlite"), folder.path().join("erp.sqlite")).unwrap();
        let held = Port::free().unwrap();
        let port = held.number();
        let mut trytond = environment.program("trytond");
        trytond.arg("-c").arg(config(folder.path(), port)).args(["-d", "erp"]);
        let server = Server::start(trytond, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        let mut tryton = Self { port, session: String::new(), _server: server, _folder: folder, _port: held };
        let login = json!(["admin", { "password": ADMINISTRATOR }, "en"]);
        let signed_in = tryton.call("common.db.login", login);
        let text = format!("admin:{}:{}", signed_in[0], signed_in[1].as_str().unwrap());
        tryton.session =
            format!("Session {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text));
        let user = json!([[{ "name": "Sync", "login": "sync", "password": SYNC }], {}]);
        tryton.call("model.res.user.create", user);
        tryton
    }

    fn call(&self, method: &str, params: Value) -> Value {
        self.asked(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn asked(&self, method: &str, params: Value) -> Result<Value, Value> {
        let body = json!({ "id": 1, "method": method, "params": params }).to_string();
        let mut headers = vec![("content-type", "application/json"), ("accept-encoding", "identity")];
        if !self.session.is_empty() {
            headers.push(("authorization", &self.session));
        }
        let answer = call(self.port, "POST", "/erp/rpc/", &headers, body.as_bytes());
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        said.get("error").map_or_else(|| Ok(said["result"].clone()), |error| Err(error.clone()))
    }

    /// Two who enter somebody at once may be given the same number on SQLite; one of them enters it again.
    fn enters(&self, name: &str) -> String {
        let create = || self.asked("model.party.party.create", json!([[{ "name": name }], {}]));
        until("a party is entered", || create().ok())[0].to_string()
    }

    fn writes(&self, id: &str, fields: Value) {
        let id: u64 = id.parse().unwrap();
        self.call("model.party.party.write", json!([[id], fields, {}]));
    }

    fn parties(&self) -> BTreeMap<String, Party> {
        let fields = ["name", "active", "identifiers.code"];
        let mut found = Vec::new();
        // A few at a time: longer answers say that they are compressed, and are not.
        loop {
            let page = json!([[["active", "in", [true, false]]], found.len(), 6, [["id", "ASC"]], fields, {}]);
            let page = self.call("model.party.party.search_read", page);
            match page.as_array().unwrap().as_slice() {
                [] => break,
                page => found.extend_from_slice(page),
            }
        }
        let party = |party: &Value| {
            let codes = party["identifiers."].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap());
            let ours = codes.filter_map(|code| code.strip_prefix("crm:")).map(str::to_owned).collect();
            let name = party["name"].as_str().unwrap().to_owned();
            (party["id"].to_string(), Party { name, active: party["active"] != json!(0), ours })
        };
        found.iter().map(party).collect()
    }
}

/// The CRM, Tryton, and the program between them.
struct Connected {
    stage: Stage,
    tryton: Tryton,
    between: GoBetween,
}

impl Connected {
    fn new() -> Self {
        let stage = Stage::new();
        let tryton = Tryton::start();
        let between = GoBetween::of(SocketAddr::from((Ipv4Addr::LOCALHOST, tryton.port)));
        stage.set("TRYTON_URL", format!("{}/erp", between.base_url()));
        stage.set("TRYTON_USER", "sync");
        stage.set("TRYTON_PASSWORD", SYNC);
        let project = stage.path("project");
        let turned = files_of_the_guide().into_iter().filter(|(file, _)| file.contains("-to-")).map(|(file, text)| {
            (file.replace("books", "tryton"), text.replace("books", "tryton").replace("field: ref", "field: crm_id"))
        });
        let described = [
            ("applications/crm.yaml".to_owned(), read("topologies/applications/crm.yaml")),
            ("applications/tryton.yaml".to_owned(), read("topologies/library/tryton.yaml")),
            ("contracts/person.yaml".to_owned(), CONTRACT.to_owned()),
        ];
        for (file, text) in turned.chain(described) {
            let path = project.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { stage, tryton, between }
    }

    fn run(&self) -> Runner {
        self.stage.run(&["--config", "project", "--poll-ms", "300"])
    }

    fn contacts(&self) -> BTreeMap<String, RecordView> {
        self.stage.crm.snapshot().into_iter().map(|contact| (contact.id.clone(), contact)).collect()
    }

    /// Waits until there are so many of both, each with the other's id and the same name, and answers the party of each
    /// contact.
    fn linked(&self, what: &str, many: usize) -> BTreeMap<String, String> {
        let looked = until(&format!("{what}: {many} pairs in step"), || {
            let (contacts, parties) = (self.contacts(), self.tryton.parties());
            let pair = |(id, contact): (&String, &RecordView)| {
                let text = |name: &str| contact.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let party = parties.get(&text("erp_id"))?;
                let name = format!("{} {}", text("firstname"), text("lastname"));
                (party.ours == [id.clone()] && party.name == name.trim()).then(|| (id.clone(), text("erp_id")))
            };
            let pairs: Option<BTreeMap<String, String>> = contacts.iter().map(pair).collect();
            pairs.filter(|pairs| pairs.len() == many && parties.len() == many)
        });
        println!("{what:45} {many:3} contacts, {many:3} parties, each with the other's id; doubled 0, lost 0");
        looked
    }

    fn enters(&self, first: &str, last: &str) -> String {
        let person = json!({ "firstname": first, "lastname": last });
        // A creation that is told three times, as busy systems do.
        self.stage.crm.person_creates_announced(person, 3).unwrap()
    }
}

#[test]
fn tryton_and_the_crm_stay_in_step_through_races_lost_answers_and_kills() {
    let connected = Connected::new();
    let runner = connected.run();

    let ada = connected.enters("Ada", "Lovelace");
    let grace = connected.tryton.enters("Grace Hopper");
    let pairs = connected.linked("created on either side, told three times", 2);
    let in_crm = pairs.iter().find(|(_, party)| **party == grace).unwrap().0.clone();

    connected.stage.crm.person_edits(&ada, json!({ "lastname": "King" })).unwrap();
    connected.tryton.writes(&grace, json!({ "name": "Grace Murray Hopper" }));
    until("the renamed", || (connected.tryton.parties()[&pairs[&ada]].name == "Ada King").then_some(()));
    until("the renamed", || (connected.contacts()[&in_crm].fields["lastname"] == "Murray Hopper").then_some(()));
    assert_eq!(connected.linked("renamed, one on each side", 2), pairs);

    connected.between.tells(Lie::EmptyFor("model.party.party.create"));
    connected.enters("Edsger", "Dijkstra");
    until("an answer is lost", || (connected.between.told() > 0).then_some(()));
    connected.between.tells(Lie::Truth);
    connected.linked("the answer to a create was lost", 3);

    connected.between.tells(Lie::EmptyFor("model.party.party.write"));
    connected.stage.crm.person_edits(&ada, json!({ "lastname": "Byron" })).unwrap();
    until("an answer is lost", || (connected.between.told() > 0).then_some(()));
    connected.between.tells(Lie::Truth);
    connected.linked("the answer to an update was lost", 3);

    let mut runner = runner;
    for round in 0..3 {
        for number in 0..4 {
            connected.enters("Number", &format!("{round}-{number}"));
            connected.tryton.enters(&format!("Party {round}-{number}"));
        }
        until("it is at work", || (connected.tryton.parties().len() > 3 + 8 * round + 4).then_some(()));
        runner.child.kill().unwrap();
        runner.child.wait().unwrap();
        runner = connected.run();
    }
    let pairs = connected.linked("killed three times with creates under way", 27);

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
