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
pub(crate) const SYNC: &str = "canary-tryton-5e1d";

/// What an administrator does, and what a bookkeeper does in front of it.
pub(crate) struct Tryton {
    pub(crate) port: u16,
    session: String,
    _server: Server,
    _folder: tempfile::TempDir,
    _port: Port,
}

/// A party as an auditor sees it.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) active: bool,
    /// The ids of ours that it carries.
    ours: Vec<String>,
}

/// Which database it keeps its data in, and the packages that it takes to speak to that.
pub(crate) struct Database<'a> {
    pub(crate) uri: &'a str,
    pub(crate) drivers: &'a str,
}

impl Database<'_> {
    /// A file, for which nothing is needed.
    pub(crate) const FILE: Self = Self { uri: "sqlite://", drivers: "" };

    fn is_file(&self) -> bool {
        self.uri.starts_with("sqlite:")
    }

    fn config(&self, folder: &Path, port: u16) -> PathBuf {
        let file = folder.join("trytond.conf");
        let (uri, path) = (self.uri, folder.display());
        fs::write(&file, format!("[database]\nuri = {uri}\npath = {path}\n[web]\nlisten = 127.0.0.1:{port}\n"))
            .unwrap();
        file
    }

    /// Makes the tables, and somebody who may do everything.
    fn set_up(&self, environment: &Environment, folder: &Path) {
        let password = folder.join("password");
        fs::write(&password, ADMINISTRATOR).unwrap();
        let mut admin = environment.program("trytond-admin");
        admin.env("TRYTONPASSFILE", &password).arg("-c").arg(self.config(folder, 0));
        run(admin.args(["-d", "erp", "--email", "a@example.test", "-u", "party", "--activate-dependencies"]));
    }
}

impl Tryton {
    /// Starts it on its database `erp`, which must be there and empty if it is no file.
    pub(crate) fn start(database: &Database<'_>) -> Self {
        let pins = [REQUIREMENTS, database.drivers].concat();
        let environment = Environment::with("tryton", &pins);
        let folder = tempfile::tempdir().unwrap();
        if database.is_file() {
            let template = environment.path("template");
            environment.once("template", || {
                fs::create_dir_all(&template).unwrap();
                fs::write(template.join("erp.sqlite"), "").unwrap();
                database.set_up(&environment, &template);
            });
            fs::copy(template.join("erp.sqlite"), folder.path().join("erp.sqlite")).unwrap();
        } else {
            database.set_up(&environment, folder.path());
        }
        let held = Port::free().unwrap();
        let port = held.number();
        let mut trytond = environment.program("trytond");
        trytond.arg("-c").arg(database.config(folder.path(), port)).args(["-d", "erp"]);
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
    pub(crate) fn enters(&self, name: &str) -> String {
        let create = || self.asked("model.party.party.create", json!([[{ "name": name }], {}]));
        until("a party is entered", || create().ok())[0].to_string()
    }

    pub(crate) fn writes(&self, id: &str, fields: Value) {
        let id: u64 = id.parse().unwrap();
        self.call("model.party.party.write", json!([[id], fields, {}]));
    }

    pub(crate) fn parties(&self) -> BTreeMap<String, Party> {
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
    pub(crate) fn held(&self) -> Vec<Held> {
        let held = |(id, party): (String, Party)| Held { id, name: party.name, carries: party.ours };
        self.parties().into_iter().map(held).collect()
    }
}
