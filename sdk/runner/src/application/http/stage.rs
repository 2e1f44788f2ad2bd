//! An application on a stage, for the tests of this room: its transport is played, its clock is moved.

use std::collections::BTreeMap;
use std::sync::Arc;

use pairline_sdk::testing::{TestClock, TestRandom, intent};
use pairline_sdk::{Clock, Fields, Intent, Write};
use serde_json::{Value, json};

use super::HttpApplication;
use crate::application::played::{Exchange, Expected, Played, PlayedTransport};
use crate::application::{Description, Environment};
use crate::metrics::Metrics;

pub(super) const CRM: &str = include_str!("../../../../../topologies/applications/crm.yaml");
pub(super) const ERP: &str = include_str!("../../../../../topologies/applications/erp.yaml");

pub(super) struct Stage {
    pub(super) application: HttpApplication,
    pub(super) transport: Arc<PlayedTransport>,
    pub(super) clock: Arc<TestClock>,
    pub(super) metrics: Metrics,
}

pub(super) fn stage(text: &str, exchanges: Vec<Exchange>) -> Stage {
    let (description, findings) = Description::parse("a.yaml", text, &Environment::lenient());
    assert!(findings.is_empty(), "{findings:?}");
    let description = description.unwrap();
    let transport = Arc::new(PlayedTransport::new(&description, exchanges));
    let (clock, metrics) = (Arc::new(TestClock::default()), Metrics::default());
    let random = Arc::new(TestRandom::default());
    let application = HttpApplication::new(description, transport.clone(), clock.clone(), random, &metrics).unwrap();
    Stage { application, transport, clock, metrics }
}

impl Stage {
    pub(super) fn intent(&self, write: &Write) -> Intent {
        intent(&self.application, write, self.clock.now())
    }

    pub(super) fn is_as_expected(&self) {
        assert_eq!(self.transport.finish(), Vec::<String>::new());
    }
}

pub(super) fn exchange(method: &str, path: &str, answer: Played) -> Exchange {
    let expect = Expected { method: method.to_owned(), path: path.to_owned(), json: None, headers: BTreeMap::new() };
    Exchange { expect, answer }
}

pub(super) fn answer(status: u16, text: &str) -> Played {
    Played { status, text: Some(text.to_owned()), ..Played::default() }
}

pub(super) fn ok(json: Value) -> Played {
    Played { json: Some(json), ..Played::default() }
}

pub(super) fn fields(json: Value) -> Fields {
    json.as_object().unwrap().clone()
}

pub(super) fn create() -> Write {
    Write::Create { fields: fields(json!({ "email": "a@b.test" })) }
}

pub(super) fn update() -> Write {
    Write::Update { id: "7".to_owned(), fields: fields(json!({ "email": "a@b.test" })), version: None }
}
