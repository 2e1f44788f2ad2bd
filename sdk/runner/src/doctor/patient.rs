//! One system under examination: what is known of it, what it is asked without being written to, and what was found.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{Application, CapabilityClass, ReadError, Record, SyncContract, System};
use serde_json::Value;

use super::ear::Ear;
use super::report::{Examined, Fact, Lag};
use super::secrets::Secrets;
use super::webhook::origin;
use super::{Orders, code, letter};
use crate::application::{Description, HostGuard, HttpApplication, ReqwestTransport, Transport};
use crate::finding::{Finding, Place, SourceText};
use crate::metrics::Metrics;
use crate::yaml::Tree;

/// Clocks may be apart this far, in milliseconds: nobody keeps them closer without taking trouble.
const SKEW_AT_MOST_MS: i64 = 3_000;

/// One system under examination.
pub(super) struct Patient<'a> {
    /// The port: every call goes through it, its limiter and its errors.
    pub(super) application: HttpApplication,
    /// The contracts that are about it.
    pub(super) contracts: Vec<&'a SyncContract>,
    ear: Arc<Ear>,
    tree: Tree,
    /// The description as it may be shown: a secret that somebody has written into it is not in there.
    shown: SourceText,
    listen: SocketAddr,
    examined: Examined,
    findings: Vec<Finding>,
}

/// What is told of a system that is not asked at all.
type Refused = (Examined, Vec<Finding>);

impl<'a> Patient<'a> {
    /// A system by its description, or what is wrong with that.
    ///
    /// # Errors
    ///
    /// One line when no calls can be made to it from this machine.
    pub(super) fn admit(
        name: &str,
        source: &SourceText,
        orders: &Orders<'a>,
        secrets: &Secrets,
    ) -> Result<Result<Self, Refused>, String> {
        let (description, findings) = Description::parse(&source.file, &source.text, orders.environment);
        let examined = |address: String, class| Examined {
            application: name.to_owned(),
            file: source.file.to_string(),
            address,
            promised: class,
            ..Examined::default()
        };
        let (Some(description), (Some(tree), _)) = (description, Tree::parse(&source.file, &source.text)) else {
            return Ok(Err((examined(String::new(), None), findings)));
        };
        if findings.iter().any(Finding::is_error) {
            let mut examined = examined(String::new(), None);
            examined.facts.push(Fact { about: "not asked".to_owned(), said: "its description has errors".to_owned() });
            return Ok(Err((examined, findings)));
        }
        let examined = examined(origin(description.base_url()), Some(letter(description.profile.class)));
        let transport = Arc::new(ReqwestTransport::new(HostGuard::of(&description)?)?);
        let ear = Arc::new(Ear::new(transport, Arc::clone(&orders.wall)));
        let (clock, random) = (Arc::clone(&orders.clock), Arc::clone(&orders.random));
        let below = Arc::clone(&ear) as Arc<dyn Transport>;
        let application = HttpApplication::new(description, below, clock, random, &Metrics::default())?;
        let system = System::new(name);
        let contracts = orders.project.contracts.values().filter(|contract| contract.covers(&system)).collect();
        let shown = SourceText::new(&source.file, &secrets.hidden_in(&source.text));
        Ok(Ok(Self { application, contracts, ear, tree, shown, listen: orders.listen, examined, findings }))
    }

    /// What there is to tell of it.
    pub(super) fn discharged(self) -> (Examined, Vec<Finding>) {
        (self.examined, self.findings)
    }

    pub(super) fn system(&self) -> &System {
        self.description().system()
    }

    pub(super) fn description(&self) -> &Description {
        self.application.description()
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Something to know that asks for nothing.
    pub(super) fn note(&mut self, about: &str, said: impl Into<String>) {
        self.examined.facts.push(Fact { about: about.to_owned(), said: said.into() });
    }

    /// The class that was measured.
    pub(super) fn measured(&mut self, class: char) {
        self.examined.measured = Some(class);
    }

    /// How long what was written was not found.
    pub(super) fn lagged(&mut self, lag: Lag) {
        self.examined.index_lag = Some(lag);
    }

    /// A scratch record, which stays until it is removed.
    pub(super) fn made(&mut self, id: &str) {
        if !self.examined.made.iter().any(|made| made == id) {
            self.examined.made.push(id.to_owned());
        }
    }

    /// A scratch record that is gone again.
    pub(super) fn unmade(&mut self, id: &str) {
        self.examined.made.retain(|made| made != id);
        self.examined.removed.push(id.to_owned());
    }

    /// The scratch records that there are.
    pub(super) fn made_ids(&self) -> &[String] {
        &self.examined.made
    }

    /// What every scratch record says of itself.
    pub(super) fn marked(&mut self, marker: &str) {
        self.examined.marker = Some(marker.to_owned());
    }

    /// Something that makes the sync go wrong.
    pub(super) fn error(&mut self, code: &'static str, path: &[&str], message: String, help: String) {
        let finding = Finding::error(code, &self.shown, self.tree.place(path), message).help(help);
        self.findings.push(finding);
    }

    /// Something that is better otherwise.
    pub(super) fn warning(&mut self, code: &'static str, path: &[&str], message: String, help: String) {
        let finding = Finding::warning(code, &self.shown, self.tree.place(path), message).help(help);
        self.findings.push(finding);
    }

    /// The same, with another place that has to do with it.
    pub(super) fn warning_related(
        &mut self,
        code: &'static str,
        path: &[&str],
        message: String,
        help: String,
        (file, place, why): (&str, Place, &str),
    ) {
        let finding = Finding::warning(code, &self.shown, self.tree.place(path), message).help(help);
        self.findings.push(finding.related(file, place, why));
    }

    /// Whether the operations can do what the promises need.
    pub(super) fn look_at_promises(&mut self) {
        let class = self.description().profile.class;
        let said = match class {
            CapabilityClass::A => "A promised: a create is sent again, and the system keeps a second record away",
            CapabilityClass::B { .. } => "B promised: a create is sent again with its key",
            CapabilityClass::C => "C promised: a create whose answer is lost is looked for before it is sent again",
            CapabilityClass::D => "D: nothing is promised, so a create whose answer is lost waits for a person",
        };
        self.note("class", said);
        let system = self.system().clone();
        let promises_find = self.tree.has(&["capabilities", "find"]);
        for contract in self.contracts.clone() {
            let Some(field) = contract.inverse_field(&system) else {
                if class == CapabilityClass::C {
                    let message =
                        format!("a lost create is to be found by our id, and `{}` keeps none", contract.name());
                    let help = format!("name the field for it, as `inverse.{system}` of the contract");
                    self.error(code::USELESS_PROMISE, &["capabilities", "find"], message, help);
                }
                continue;
            };
            if promises_find && !self.can_find(field) {
                let message =
                    format!("a lost create is to be found by `{field}`, and the system is not asked for that");
                let help = format!("add `{field}` to the fields, or an `otherwise` that lists everything");
                self.error(code::USELESS_PROMISE, &["operations", "find", "fields"], message, help);
            }
        }
        let unique = self.tree.text(&["capabilities", "unique_field"]).map(str::to_owned);
        if let Some(unique) = unique.filter(|unique| !self.writes(unique)) {
            let message =
                format!("`{unique}` keeps a second record away only where it is written, and no contract writes it");
            let help = "let the contract write it to this system, or take the promise out".to_owned();
            self.error(code::USELESS_PROMISE, &["capabilities", "unique_field"], message, help);
        }
    }

    /// Whether it can be asked for the records that hold a value in a field.
    pub(super) fn can_find(&self, field: &str) -> bool {
        let at = ["operations", "find", "fields"];
        let mut fields = (0..self.tree.items(&at)).map(|index| index.to_string());
        let is_listed = fields.any(|index| self.tree.text(&["operations", "find", "fields", &index]) == Some(field));
        self.tree.has(&["operations", "find"])
            && (!self.tree.has(&at) || is_listed || self.tree.has(&["operations", "find", "otherwise"]))
    }

    /// Whether a create writes a field of this name.
    fn writes(&self, name: &str) -> bool {
        let system = self.system();
        self.contracts
            .iter()
            .any(|contract| contract.inverse_field(system) == Some(name) || contract.meaning_of(system, name).is_some())
    }

    /// Asks for a listing and for one of its records, and writes nothing. Answers whether the system does as described.
    pub(super) async fn look_at_answers(&mut self) -> bool {
        let (asked, listed) = self.listed().await;
        let took = self.ear.heard().took;
        let records = match listed {
            Ok(records) => records,
            Err(error) => {
                self.no_answer(&asked, &error);
                return false;
            }
        };
        let address = self.examined.address.clone();
        self.note("reached", format!("{address}, in {} ms; the credentials are accepted", took.as_millis()));
        let Some(first) = records.first() else { return true };
        match self.application.read(&first.id).await {
            Ok(Some(_)) => true,
            Ok(None) => {
                let message = "a record that was just listed is gone when it is read".to_owned();
                let help =
                    "unless somebody has just deleted it, `path`, `answer` or `record.id` is not right".to_owned();
                self.error(code::NOT_AS_DESCRIBED, &["operations", "read", "path"], message, help);
                false
            }
            Err(error) => {
                self.no_answer(&["operations", "read", "path"], &error);
                false
            }
        }
    }

    /// A page of what it holds, and by which operation.
    async fn listed(&self) -> ([&'static str; 3], Result<Vec<Record>, ReadError>) {
        if self.tree.has(&["operations", "changed"]) {
            let page = self.application.changed(&Value::Null, None).await;
            return (["operations", "changed", "list"], page.map(|page| page.records));
        }
        let inverse = self.contracts.iter().find_map(|contract| contract.inverse_field(self.system()));
        match inverse.filter(|field| self.can_find(field)) {
            Some(field) => (["operations", "find", "list"], self.application.find(field, "pairline-doctor").await),
            // A record that is not there is an answer, too.
            None => {
                let record = self.application.read("pairline-doctor").await;
                (["operations", "read", "path"], record.map(|record| record.into_iter().collect()))
            }
        }
    }

    /// Tells why there was no answer that can be used.
    fn no_answer(&mut self, asked: &[&str], error: &ReadError) {
        let address = self.examined.address.clone();
        if let Some(silence) = self.ear.heard().silence {
            let message = format!("{address} does not answer: {silence}");
            let help = "look whether it runs there and whether this machine may call it".to_owned();
            return self.error(code::UNREACHABLE, &["base_url"], message, help);
        }
        let from = self.description().credentials_are_from().to_owned();
        match error {
            ReadError::Wait { reason, .. } if reason.contains("credentials") || reason.contains("sign in") => {
                let message = format!("{address} answers and does not accept our credentials: {reason}");
                self.error(code::DENIED, &["auth"], message, format!("look at {from}"));
            }
            other => {
                let message = format!("{address} answers, and not as is described: {other}");
                let help =
                    "ask it the same by hand, and compare the path, and what `errors` makes of its answer".to_owned();
                self.error(code::NOT_AS_DESCRIBED, asked, message, help);
            }
        }
    }

    /// Compares its clock with ours, by the answers that were heard.
    pub(super) fn look_at_clock(&mut self) {
        let Some(skew) = self.ear.heard().skew_ms() else {
            if self.ear.heard().silence.is_none() {
                self.note("clock", "its answers have no `Date`, so its clock is not known");
            }
            return;
        };
        let far = Duration::from_millis(skew.unsigned_abs());
        if skew.abs() <= SKEW_AT_MOST_MS {
            self.note("clock", format!("within {} s of ours", far.as_secs() + 1));
            return;
        }
        let side = if skew > 0 { "ahead of" } else { "behind" };
        let message = format!("its clock is at least {} s {side} ours", far.as_secs());
        let tolerance = self.description().webhook.as_ref().and_then(|webhook| webhook.signature.timestamp.as_ref());
        let tolerance = tolerance.map(|signed| signed.tolerance);
        let help = "set both clocks by a time server (NTP)";
        match tolerance {
            Some(tolerance) if far >= tolerance => {
                let message = format!(
                    "{message}, and its webhooks are refused when they are more than {} s old or early",
                    tolerance.as_secs()
                );
                self.error(code::CLOCK, &["webhook", "signature", "timestamp", "tolerance"], message, help.to_owned());
            }
            _ => self.warning(code::CLOCK, &["base_url"], message, help.to_owned()),
        }
    }
}
