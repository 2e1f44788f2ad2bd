//! Directus itself: an administrator who sets it up, and somebody who keeps contacts in it.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use pairline_fakes::Port;
use serde_json::{Value, json};

use super::postgres::Postgres;
use crate::bad_input::http::call;
use crate::systems::installed::{Environment, Server, run};
use crate::systems::report::Held;

const PACKAGE: &str = include_str!("package.json");
const LOCK: &str = include_str!("package-lock.json");
const ADMINISTRATOR: &str = "token-of-an-administrator-of-a-test";

/// The token of the sync's own user.
pub(crate) const SYNC: &str = "canary-directus-27ae";

pub(crate) struct Directus {
    pub(crate) port: u16,
    _server: Server,
    _folder: tempfile::TempDir,
    _port: Port,
}

impl Directus {
    /// Starts it on a database of its own, with a collection of contacts.
    pub(crate) fn start(postgres: &Postgres) -> Self {
        let environment = Environment::made("directus", LOCK, install);
        postgres.makes("directus");
        let folder = tempfile::tempdir().unwrap();
        let held = Port::free().unwrap();
        let port = held.number();
        let program = environment.path("node_modules/directus/cli.js");
        let directus = |what: &str| {
            let mut command = Command::new("node");
            command.arg(&program).arg(what).current_dir(folder.path());
            let settings = [
                ("HOST", "127.0.0.1"),
                ("DB_CLIENT", "pg"),
                ("DB_HOST", "127.0.0.1"),
                ("DB_DATABASE", "directus"),
                ("DB_USER", "postgres"),
                ("DB_PASSWORD", "trusted"),
                ("SECRET", "secret-of-a-directus-of-a-test"),
                ("ADMIN_EMAIL", "administrator@example.com"),
                ("ADMIN_PASSWORD", ADMINISTRATOR),
                ("ADMIN_TOKEN", ADMINISTRATOR),
                ("TELEMETRY", "false"),
            ];
            command.envs(settings).env("PORT", port.to_string()).env("DB_PORT", postgres.port().to_string());
            command
        };
        run(&mut directus("bootstrap"));
        let server = Server::start(directus("start"), || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        let directus = Self { port, _server: server, _folder: folder, _port: held };
        directus.is_set_up();
        directus
    }

    /// A collection as the shipped description wants it, and a user who may do with that what is described, and no more.
    fn is_set_up(&self) {
        let date = |name: &str, special: &str| json!({ "field": name, "type": "timestamp", "meta": { "special": [special] }, "schema": {} });
        let text =
            |name: &str, unique: bool| json!({ "field": name, "type": "string", "schema": { "is_unique": unique } });
        let id = json!({ "field": "id", "type": "integer", "schema": { "is_primary_key": true, "has_auto_increment": true } });
        let fields = json!([
            id,
            date("date_created", "date-created"),
            date("date_updated", "date-updated"),
            text("name", false),
            text("email", true),
            text("erp_id", true),
        ]);
        self.call(
            "POST",
            "/collections",
            &json!({ "collection": "contacts", "schema": {}, "meta": {}, "fields": fields }),
        );
        let may = ["create", "read", "update", "delete"]
            .map(|action| json!({ "collection": "contacts", "action": action, "fields": ["*"] }));
        let policy = self.call("POST", "/policies", &json!({ "name": "sync", "permissions": may }));
        let user = json!({
            "email": "sync@example.com", "token": SYNC, "status": "active", "policies": [{ "policy": policy["id"] }],
        });
        self.call("POST", "/users", &user);
    }

    /// Somebody is entered.
    pub(crate) fn enters(&self, name: &str) -> String {
        self.call("POST", "/items/contacts", &json!({ "name": name }))["id"].to_string()
    }

    /// Somebody is given another name.
    pub(crate) fn renames(&self, id: &str, name: &str) {
        self.call("PATCH", &format!("/items/contacts/{id}"), &json!({ "name": name }));
    }

    /// All contacts, with the ids of ours that they carry.
    pub(crate) fn held(&self) -> Vec<Held> {
        let all = self.call("GET", "/items/contacts?limit=-1", &Value::Null);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let held = |contact: &Value| {
            let carries = Some(text(&contact["erp_id"])).filter(|id| !id.is_empty()).into_iter().collect();
            Held { id: contact["id"].to_string(), name: text(&contact["name"]), carries }
        };
        all.as_array().unwrap().iter().map(held).collect()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let authorization = format!("Bearer {ADMINISTRATOR}");
        let headers = [("content-type", "application/json"), ("authorization", &authorization)];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = call(self.port, method, path, &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        // What comes in chunks has their lengths around it.
        let json = &answer.body[answer.body.find('{').unwrap()..=answer.body.rfind('}').unwrap()];
        let said: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        said["data"].clone()
    }
}

/// What the lock file says and nothing else. The one package with a part that is compiled brings it along for some versions
/// of Node, and is built for any other.
fn install(folder: &Path) {
    fs::write(folder.join("package.json"), PACKAGE).unwrap();
    fs::write(folder.join("package-lock.json"), LOCK).unwrap();
    let npm = |words: &[&str]| {
        let mut npm = Command::new("npm");
        npm.args(words).args(["--no-audit", "--no-fund"]).current_dir(folder);
        npm
    };
    run(&mut npm(&["ci", "--ignore-scripts"]));
    let mut fits = Command::new("node");
    fits.args(["-e", "require('isolated-vm')"]).current_dir(folder);
    if !fits.output().unwrap().status.success() {
        run(&mut npm(&["rebuild", "isolated-vm"]));
    }
}
