//! localstripe itself, and a clerk in front of it.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};

use pairline_fakes::Port;
use serde_json::Value;

use super::super::installed::{Environment, Server};
use super::super::report::Held;
use crate::bad_input::http::{Answer, call};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// What it is called with; it takes any that looks like one.
pub(super) const KEY: &str = "sk_test_canary_stripe_8d03";

/// The key of its webhooks' signature.
pub(super) const WEBHOOK_SECRET: &str = "whsec_canary_stripe_41c7";

/// A localstripe that ends with the test, and keeps nothing.
pub(super) struct Stripe {
    pub(super) port: u16,
    _server: Server,
    _folder: tempfile::TempDir,
    _port: Port,
}

impl Stripe {
    pub(super) fn start() -> Self {
        let environment = Environment::with("stripe", REQUIREMENTS);
        let folder = tempfile::tempdir().unwrap();
        let serve = folder.path().join("serve.py");
        fs::write(&serve, include_str!("serve.py")).unwrap();
        let held = Port::free().unwrap();
        let port = held.number();
        let mut python = environment.program("python");
        python.arg(&serve).arg(port.to_string()).current_dir(folder.path());
        let server = Server::start(python, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self { port, _server: server, _folder: folder, _port: held }
    }

    /// Has it tell this URL of everything, signed.
    pub(super) fn tells(&self, url: &str) {
        let answer = self.post("/_config/webhooks/sync", &format!("url={url}&secret={WEBHOOK_SECRET}"));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A clerk enters somebody.
    pub(super) fn enters(&self, name: &str) -> String {
        let answer = self.post("/v1/customers", &format!("name={}", name.replace(' ', "+")));
        said(&answer)["id"].as_str().unwrap().to_owned()
    }

    /// A clerk corrects a name.
    pub(super) fn renames(&self, id: &str, name: &str) {
        said(&self.post(&format!("/v1/customers/{id}"), &format!("name={}", name.replace(' ', "+"))));
    }

    /// A clerk deletes somebody.
    pub(super) fn deletes(&self, id: &str) {
        said(&self.call("DELETE", &format!("/v1/customers/{id}"), ""));
    }

    /// All customers, with the ids of ours that they carry.
    pub(super) fn held(&self) -> Vec<Held> {
        let all = said(&self.call("GET", "/v1/customers?limit=1000", ""));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let held = |customer: &Value| {
            let crm_id = text(&customer["metadata"]["crm_id"]);
            let carries = Some(crm_id).filter(|id| !id.is_empty()).into_iter().collect();
            Held { id: text(&customer["id"]), name: text(&customer["name"]), carries }
        };
        all["data"].as_array().unwrap().iter().map(held).collect()
    }

    fn post(&self, path: &str, form: &str) -> Answer {
        self.call("POST", path, form)
    }

    fn call(&self, method: &str, path: &str, form: &str) -> Answer {
        let authorization = format!("Bearer {KEY}");
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", &authorization)];
        call(self.port, method, path, &headers, form.as_bytes())
    }
}

fn said(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}
