//! Tryton itself: an administrator who sets it up, and a bookkeeper in front of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use pairline_fakes::Port;
use serde_json::{Value, json};

use super::super::installed::{Environment, Server, run};
use super::super::report::Held;
use crate::bad_input::http::call;
use crate::bad_input::wait::until;

const REQUIREMENTS: &str = include_str!("requirements.txt");
const ADMINISTRATOR: &str = "administrator-of-a-test";

/// The password of the sync's own user.
pub(super) const SYNC: &str = "canary-tryton-5e1d";

/// What an administrator does, and what a bookkeeper does in front of it.
pub(super) struct Tryton {
    pub(super) port: u16,
    session: String,
    _server: Server,
    _folder: tempfile::TempDir,
    _port: Port,
}

/// A party as an auditor sees it.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) name: String,
    pub(super) active: bool,
    /// The ids of ours that it carries.
    ours: Vec<String>,
}

fn config(folder: &Path, port: u16) -> PathBuf {
    let file = folder.join("trytond.conf");
    let text = format!("[database]\nuri = sqlite://\npath = {}\n[web]\nlisten = 127.0.0.1:{port}\n", folder.display());
    fs::write(&file, text).unwrap();
    file
}

impl Tryton {
    pub(super) fn start() -> Self {
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
    pub(super) fn enters(&self, name: &str) -> String {
        let create = || self.asked("model.party.party.create", json!([[{ "name": name }], {}]));
        until("a party is entered", || create().ok())[0].to_string()
    }

    pub(super) fn writes(&self, id: &str, fields: Value) {
        let id: u64 = id.parse().unwrap();
        self.call("model.party.party.write", json!([[id], fields, {}]));
    }

    pub(super) fn parties(&self) -> BTreeMap<String, Party> {
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

    /// All parties, with the ids of ours that they carry.
    pub(super) fn held(&self) -> Vec<Held> {
        let held = |(id, party): (String, Party)| Held { id, name: party.name, carries: party.ours };
        self.parties().into_iter().map(held).collect()
    }
}
