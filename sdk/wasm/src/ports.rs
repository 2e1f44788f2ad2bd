//! What a component may ask the program for: each interface of `sdk/wit` in a file of its own, linked only when it is granted.

mod applications;
mod clock;
mod http;
mod ledger;
mod log;
mod pairs;
mod random;
mod secrets;
mod settings;
mod writes;

use std::sync::{Arc, Mutex, PoisonError};

use pairline_sdk::{Application, Grants, Need, Ports, System, Usage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmtime::component::{HasSelf, Linker};

pub(crate) use ledger::{Won, settle_what_is_left};

use crate::bindings::pairline::node as wit;
use crate::failure::refused;
use crate::instances::Call;

/// A secret that is shorter is not looked for in what a component says, in bytes: it would be found in ordinary words.
const SHORTEST_SECRET: usize = 6;

/// What one use of a component was granted.
pub(crate) struct Granted {
    /// The component, for the log.
    name: String,
    settings: String,
    contract: String,
    grants: Grants,
    /// None for a component that is only asked what it is.
    ports: Option<Ports>,
    /// Secrets that were handed out: whatever the component says afterwards, they are taken out of it.
    handed_out: Mutex<Vec<String>>,
}

impl Granted {
    /// For a component that is only asked what it is.
    pub(crate) fn nothing() -> Self {
        Self {
            name: "component".to_owned(),
            settings: "{}".to_owned(),
            contract: "null".to_owned(),
            grants: Grants::default(),
            ports: None,
            handed_out: Mutex::default(),
        }
    }

    pub(crate) fn new(name: &str, usage: &Usage, ports: &Ports) -> Result<Self, String> {
        let settings = if usage.with.is_null() { "{}".to_owned() } else { usage.with.to_string() };
        for system in usage.grants.applications.iter().chain(&usage.grants.writes) {
            ports.application(system.as_str())?;
        }
        Ok(Self {
            name: name.to_owned(),
            settings,
            contract: json(ports.contract.document()),
            grants: usage.grants.clone(),
            ports: Some(ports.clone()),
            handed_out: Mutex::default(),
        })
    }

    /// Whether it may change the id mapping.
    pub(crate) fn may_pair(&self) -> bool {
        self.grants.give(Need::WritePairs)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn ports(&self) -> Result<&Ports, wit::types::Failure> {
        self.ports.as_ref().ok_or_else(|| refused("nothing may be asked for while a node describes itself"))
    }

    /// A system that may be read.
    fn readable(&self, system: &str) -> Result<Arc<dyn Application>, wit::types::Failure> {
        self.granted_system(system, &self.grants.applications, Need::Applications)
    }

    /// A system that may be written to.
    fn writable(&self, system: &str) -> Result<Arc<dyn Application>, wit::types::Failure> {
        self.granted_system(system, &self.grants.writes, Need::Writes)
    }

    fn granted_system(
        &self,
        system: &str,
        granted: &[System],
        need: Need,
    ) -> Result<Arc<dyn Application>, wit::types::Failure> {
        if !granted.iter().any(|granted| granted.as_str() == system) {
            return Err(refused(format!("`{system}` is not granted: add it to `grants.{}`", need.key())));
        }
        self.ports()?.application(system).map_err(refused)
    }

    fn hand_out(&self, secret: &str) {
        let mut handed_out = self.handed_out.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= SHORTEST_SECRET && !handed_out.iter().any(|known| known == secret) {
            handed_out.push(secret.to_owned());
            // The longest first: one may begin with another.
            handed_out.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// A line of the component without the secrets that it was given.
    pub(crate) fn without_secrets(&self, mut line: String) -> String {
        for secret in self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if line.contains(secret.as_str()) {
                line = line.replace(secret.as_str(), "***");
            }
        }
        line
    }
}

/// Links the log alone: for a component that is asked what it is.
pub(crate) fn link_log(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    wit::log::add_to_linker::<_, HasSelf<_>>(linker, |call| call)
}

/// Links what every component gets, and what is granted.
pub(crate) fn link(linker: &mut Linker<Call>, grants: &Grants) -> wasmtime::Result<()> {
    link_log(linker)?;
    wit::clock::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    wit::random::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    wit::settings::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    for need in Need::ALL.into_iter().filter(|need| grants.give(*need)) {
        match need {
            Need::ReadPairs => wit::pairs::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?,
            Need::WritePairs => wit::ledger::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?,
            Need::Applications => wit::applications::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?,
            Need::Writes => wit::writes::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?,
            Need::Http => wit::http::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?,
            Need::Secrets => wit::secrets::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?,
        }
    }
    Ok(())
}

/// What is ours, as JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// What a component says, as ours.
fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, wit::types::Failure> {
    serde_json::from_str(text).map_err(|error| refused(format!("expected {what} as JSON: {error}")))
}
