//! Everything that is wrong with a topology, at once, each with its place and what would have been right.

mod terms;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use pairline_sdk::{NodeDescription, NodeKind, Registry, SyncContract, System};

use super::document::{END, NodeDocument, TopologyText, WebhookDocument};
use super::settings::{Around, Settings, Wrong};
use super::wiring::{Edge, Miswired, Target, edges};
use crate::finding::{Finding, code, suggest};

/// What there is besides the topology.
pub struct Known<'a> {
    /// The node kinds.
    pub registry: &'a Registry,
    /// The sync contracts by name; none for one that is there and is wrong itself.
    pub contracts: &'a BTreeMap<String, Option<SyncContract>>,
    /// The applications that have a description, and how each tells of its changes.
    pub applications: &'a BTreeMap<String, Feeds>,
}

/// How a system tells of its changes.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    /// Whether it sends webhooks.
    pub webhooks: bool,
    /// The events that they bring.
    pub events: BTreeSet<String>,
    /// Whether it can be asked what has changed.
    pub listing: bool,
}

/// Everything that is wrong with a topology by itself.
pub fn lint(topology: &TopologyText, known: &Known<'_>) -> Vec<Finding> {
    let contract = known.contracts.get(&topology.document.contract).and_then(Option::as_ref);
    let mut lint = Lint { topology, known, contract, findings: Vec::new(), names_broken: false };
    lint.contract_is_known();
    lint.start();
    let ways: Vec<Vec<Edge<'_>>> = topology.document.nodes.iter().map(|(name, node)| lint.node(name, node)).collect();
    lint.creates_are_persisted(&ways);
    lint.loops(&ways);
    lint.unreachable(&ways);
    lint.findings
}

/// Everything that is wrong between topologies: a name or an event that two of them claim.
pub fn lint_together<'a>(topologies: impl IntoIterator<Item = &'a TopologyText>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: BTreeMap<&str, &TopologyText> = BTreeMap::new();
    let mut events: BTreeMap<(&str, &str), (&TopologyText, usize)> = BTreeMap::new();
    let mut polls: BTreeMap<&str, &TopologyText> = BTreeMap::new();
    for topology in topologies {
        let TopologyText { document, tree } = topology;
        if let Some(first) = names.get(document.topology.as_str()).filter(|_| !document.topology.is_empty()) {
            let message = format!("topology `{}` is there twice", document.topology);
            let (file, place) = (&first.tree.source().file, first.tree.place(&["topology"]));
            let finding = tree.error(code::DUPLICATE_NAME, &["topology"], message);
            findings.push(finding.related(file, place, "the first is here").help("give one of them another name"));
        } else {
            names.insert(&document.topology, topology);
        }
        let webhook = &document.start.webhook;
        let polled = document.start.poll.application.as_str();
        if let Some(first) = polls.insert(polled, topology).filter(|_| !polled.is_empty()) {
            let path = ["start", "poll", "application"];
            let (file, place) = (&first.tree.source().file, first.tree.place(&path));
            let message = format!("what changes in `{polled}` starts two topologies");
            let finding = tree.error(code::SAME_START, &path, message).related(file, place, "the first is here");
            findings.push(finding.help("a change starts one topology; lead it to several nodes with `next: [.., ..]`"));
        }
        for (index, event) in webhook.events.iter().enumerate() {
            let at = |index: usize| index.to_string();
            let claim = (webhook.application.as_str(), event.as_str());
            let Some((first, first_index)) = events.insert(claim, (topology, index)) else { continue };
            events.insert(claim, (first, first_index));
            let path = ["start", "webhook", "events", &at(index)];
            let (file, place) =
                (&first.tree.source().file, first.tree.place(&["start", "webhook", "events", &at(first_index)]));
            let message = format!("`{event}` of `{}` starts two topologies", webhook.application);
            let finding = tree.error(code::SAME_START, &path, message).related(file, place, "the first is here");
            findings.push(finding.help("an event starts one topology; lead it to several nodes with `next: [.., ..]`"));
        }
    }
    findings
}

struct Lint<'a> {
    topology: &'a TopologyText,
    known: &'a Known<'a>,
    contract: Option<&'a SyncContract>,
    findings: Vec<Finding>,
    /// Whether a follower is not known: then what it leads to is not blamed for being unreachable.
    names_broken: bool,
}

impl<'a> Lint<'a> {
    fn error(&mut self, code: &'static str, path: &[&str], message: String, help: String) {
        self.findings.push(self.topology.tree.error(code, path, message).help(help));
    }

    fn key_error(&mut self, code: &'static str, path: &[&str], message: String, help: String) {
        self.findings.push(self.topology.tree.key_error(code, path, message).help(help));
    }

    /// Whether there is something at a path, if only something that could not be read.
    fn written(&self, path: &[&str]) -> bool {
        self.topology.tree.has(path) && !self.topology.tree.is_blank(path)
    }

    fn describe(&self, node: &NodeDocument) -> Option<&'a NodeDescription> {
        self.known.registry.describe(&node.uses)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.topology.document.nodes.0.iter().position(|(node, _)| node == name && name != END)
    }

    fn contract_is_known(&mut self) {
        let name = &self.topology.document.contract;
        if !name.is_empty() && !self.known.contracts.contains_key(name) {
            let help = suggest(name, self.known.contracts.keys().map(String::as_str), "sync contracts");
            self.error(code::UNKNOWN_CONTRACT, &["contract"], format!("no sync contract `{name}`"), help);
        }
    }

    fn start(&mut self) {
        let start = &self.topology.document.start;
        if self.topology.tree.has(&["start", "poll"]) {
            self.start_by_poll(&start.poll.application);
        } else {
            self.start_by_webhook(&start.webhook);
        }
        for (name, step) in start.next.iter().flat_map(|next| next.named()) {
            let path: Vec<&str> = ["start", "next"].into_iter().chain(step.as_deref()).collect();
            self.follower(name, &path);
        }
        if self.topology.tree.is_empty(&["nodes"]) {
            let help = "add a node, and lead `start` to it".to_owned();
            self.error(code::MISSING_KEY, &["nodes"], "the topology has no node".into(), help);
        }
    }

    fn start_by_webhook(&mut self, webhook: &WebhookDocument) {
        let path = ["start", "webhook", "application"];
        if !webhook.application.is_empty() {
            self.application(&webhook.application, &path);
        }
        if self.topology.tree.is_empty(&["start", "webhook", "events"]) {
            let help = "name at least one event".to_owned();
            let path = ["start", "webhook", "events"];
            self.error(code::MISSING_KEY, &path, "no event starts this topology".into(), help);
        }
        let Some(feeds) = self.known.applications.get(&webhook.application) else { return };
        if !feeds.webhooks {
            let message = format!("`{}` sends no webhooks", webhook.application);
            let help = format!("start with what has changed: `poll: {{ application: {} }}`", webhook.application);
            self.error(code::UNKNOWN_EVENT, &path, message, help);
        }
        for (index, event) in webhook.events.iter().enumerate() {
            if !feeds.events.is_empty() && !feeds.events.contains(event) {
                let message = format!("the webhooks of `{}` bring no event `{event}`", webhook.application);
                let help = suggest(event, feeds.events.iter().map(String::as_str), "events");
                self.error(code::UNKNOWN_EVENT, &["start", "webhook", "events", &index.to_string()], message, help);
            }
        }
    }

    fn start_by_poll(&mut self, application: &str) {
        let path = ["start", "poll", "application"];
        if self.topology.tree.has(&["start", "webhook"]) {
            let help = "keep `webhook`: what it misses is asked for, too".to_owned();
            self.key_error(code::SAME_START, &["start", "poll"], "a topology has one start".into(), help);
        }
        if application.is_empty() || !self.application(application, &path) {
            return;
        }
        if self.known.applications.get(application).is_some_and(|feeds| !feeds.listing) {
            let message = format!("`{application}` cannot be asked what has changed");
            let help = "describe `operations.changed` of it, or start with its webhooks".to_owned();
            self.error(code::UNKNOWN_EVENT, &path, message, help);
        }
    }

    fn node(&mut self, name: &'a str, node: &'a NodeDocument) -> Vec<Edge<'a>> {
        if name == END {
            let help = "`end` in `next` ends the message; give the node another name".to_owned();
            self.key_error(code::RESERVED_NAME, &["nodes", name], format!("a node cannot be called `{name}`"), help);
        }
        let description = self.describe(node);
        match description {
            None if node.uses.is_empty() => {}
            None => {
                let path = ["nodes", name, "uses"];
                if let Some(reason) = self.known.registry.why_unusable(&node.uses) {
                    let finding = self.topology.tree.error(code::UNUSABLE_COMPONENT, &path, reason.to_owned());
                    self.findings.push(finding);
                } else {
                    let help = suggest(&node.uses, self.known.registry.kinds().map(|(kind, _)| kind), "kinds");
                    self.error(code::UNKNOWN_KIND, &path, format!("no node kind `{}`", node.uses), help);
                }
            }
            Some(_) => {
                let kind = self.known.registry.kind(&node.uses);
                let fit = kind.is_some_and(|kind| self.settings_fit(name, node, &**kind));
                self.terms(name, node, fit);
            }
        }
        let (ways, wrong) = edges(node.next.as_ref(), description);
        for way in &ways {
            if let Target::Written(follower) = way.to {
                let path = below(name, way);
                self.follower(follower, &path);
            }
        }
        for miswired in wrong {
            self.miswired(name, node, &miswired);
        }
        ways
    }

    fn around(&self) -> Around<'a> {
        Around {
            contract: self.contract,
            applications: self.known.applications.keys().map(String::as_str).collect(),
            start: Some(System::new(self.topology.document.start.application())),
        }
    }

    /// Whether nothing is wrong with the settings; what is, is said.
    fn settings_fit(&mut self, name: &str, node: &NodeDocument, kind: &dyn NodeKind) -> bool {
        let settings = Settings { name, uses: &node.uses, kind, with: &node.with };
        let all = settings.wrong(&self.around());
        let fit = all.is_empty();
        for wrong in all {
            let Wrong { code, message, help } = wrong.what;
            let top = ["nodes", name, "with"];
            let steps: Vec<&str> = top.into_iter().chain(wrong.path.iter().map(String::as_str)).collect();
            match self.topology.tree.has(&steps) {
                // What is missing has no place of its own.
                false => self.key_error(code, &top, message, help),
                true if wrong.key => self.key_error(code, &steps, message, help),
                true => self.error(code, &steps, message, help),
            }
        }
        fit
    }

    /// Whether this application may be meant; if not, what is wrong with it is said.
    fn application(&mut self, name: &str, path: &[&str]) -> bool {
        let wrong = self.around().application(name);
        let may_be_meant = wrong.is_none();
        if let Some(Wrong { code, message, help }) = wrong {
            self.error(code, path, message, help);
        }
        may_be_meant
    }

    fn follower(&mut self, follower: &str, path: &[&str]) {
        if follower == END || self.position(follower).is_some() {
            return;
        }
        self.names_broken = true;
        // A node whose block cannot be read is there all the same; what is wrong with it has been said.
        if self.topology.tree.has(&["nodes", follower]) {
            return;
        }
        let names = self.topology.document.nodes.iter().map(|(node, _)| node).chain([END]);
        let help = suggest(follower, names, "nodes");
        self.error(code::UNKNOWN_FOLLOWER, path, format!("no node `{follower}` in this topology"), help);
    }

    fn miswired(&mut self, name: &str, node: &NodeDocument, miswired: &Miswired<'_>) {
        let written = |route: &str| self.topology.tree.has(&["nodes", name, "next", route]);
        match miswired {
            // What is written and cannot be read is not missing; it has been said what is wrong with it.
            Miswired::Missing if self.written(&["nodes", name, "next"]) => self.names_broken = true,
            Miswired::Unwired(route) if written(route) => self.names_broken = true,
            Miswired::Missing => {
                let help = "add `next: <node>`, or `next: end`".to_owned();
                let message = format!("node `{name}` does not say what comes next");
                self.key_error(code::UNWIRED_ROUTE, &["nodes", name], message, help);
            }
            Miswired::Unwired(route) => {
                self.names_broken = true;
                let help = format!("add `{route}: <node>` to `next`");
                let message = format!("node `{name}` leaves route `{route}` unwired");
                self.key_error(code::UNWIRED_ROUTE, &["nodes", name, "next"], message, help);
            }
            Miswired::UnknownRoute(route) => {
                let routes = self.describe(node).map(|kind| kind.routes.as_slice()).unwrap_or_default();
                let help = match routes {
                    [] => "it has no routes: write `next: <node>`".to_owned(),
                    routes => suggest(route, routes.iter().map(|route| route.name.as_str()), "routes"),
                };
                let message = format!("node kind `{}` has no route `{route}`", node.uses);
                self.key_error(code::UNKNOWN_ROUTE, &["nodes", name, "next", route], message, help);
                self.names_broken = true;
            }
            Miswired::Ambiguous(routes) => {
                let listed: Vec<String> = routes.iter().map(|route| format!("{route}: ..")).collect();
                let message = format!("node `{name}` answers with several routes, and this is one follower for them");
                let help = format!("write `next: {{ {} }}`", listed.join(", "));
                self.error(code::AMBIGUOUS_NEXT, &["nodes", name, "next"], message, help);
            }
        }
    }
}

fn below<'a>(node: &'a str, way: &'a Edge<'_>) -> Vec<&'a str> {
    ["nodes", node].into_iter().chain(way.path.iter().map(String::as_str)).collect()
}
