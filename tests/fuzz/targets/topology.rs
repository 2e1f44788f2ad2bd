//! Topologies: findings point into the text; what checks clean can be drawn, and is the same topology when it is written
//! anew.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use pairline_runner::contract;
use pairline_runner::finding::Finding;
use pairline_runner::topology::{
    Feeds, Followers, Graph, GraphFormat, Known, NextDocument, TopologyDocument, TopologyText, lint, lint_together,
    render,
};
use pairline_runner::yaml::limit;
use pairline_sdk::{
    Limits, Misfit, Need, NodeDescription, NodeKind, PlatformKind, Ports, ProcessAction, Registry, RouteDefault,
    SettingKind, SyncContract, Usage,
};
use serde_json::{Map, Value, json};

use super::text::{findings_point_inside, utf8, yaml};

struct Around {
    registry: Registry,
    contracts: BTreeMap<String, Option<SyncContract>>,
    applications: BTreeMap<String, Feeds>,
}

static AROUND: LazyLock<Around> = LazyLock::new(|| {
    let mut registry = Registry::new();
    pairline_nodes::register(&mut registry);
    registry.put("./plugins/score.wasm", Arc::new(Score::new()));
    let text = include_str!("../../../topologies/contracts/contact.yaml");
    let (contract, findings) = contract::parse("contact.yaml", text);
    assert!(findings.is_empty(), "{findings:?}");
    let events = |names: &[&str]| {
        let events = names.iter().map(|&name| name.to_owned()).collect();
        Feeds { webhooks: true, events, listing: true }
    };
    let crm = events(&["contact.creation", "contact.propertyChange", "contact.deletion"]);
    let erp = events(&["customer.created", "customer.updated", "customer.deleted"]);
    Around {
        registry,
        contracts: [("contact".to_owned(), contract), ("broken".to_owned(), None)].into(),
        applications: [("crm".to_owned(), crm), ("erp".to_owned(), erp)].into(),
    }
});

/// A component, as far as a topology is checked with it.
struct Score(NodeDescription);

impl Score {
    fn new() -> Self {
        let described = NodeDescription::new("score", "Scores.", PlatformKind::Custom);
        Self(described.route("hot", "").route_or("cold", "", RouteDefault::End).optional_setting(
            "threshold",
            "",
            SettingKind::Number,
        ))
    }
}

impl NodeKind for Score {
    fn describe(&self) -> &NodeDescription {
        &self.0
    }

    fn needs(&self) -> Option<&[Need]> {
        Some(&[Need::ReadPairs, Need::Applications])
    }

    fn misfits(&self, with: &Value) -> Vec<Misfit> {
        let wrong = |(key, value): (&String, &Value)| {
            let misfit = || Misfit { path: vec![key.clone()], message: "more than 100".to_owned() };
            (value.as_u64() > Some(100)).then(misfit)
        };
        with.as_object().into_iter().flatten().filter_map(wrong).collect()
    }

    fn too_tight(&self, limits: &Limits) -> Option<String> {
        (limits.calls == Some(0)).then(|| "no calls".to_owned())
    }

    fn make(&self, _: &Usage, _: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
        Err("only described".to_owned())
    }
}

/// The topology, its wiring when nothing is wrong, and everything that is.
fn read(text: &str) -> (Option<TopologyText>, Option<Graph>, Vec<Finding>) {
    let around = &*AROUND;
    let known = Known { registry: &around.registry, contracts: &around.contracts, applications: &around.applications };
    let (topology, mut findings) = TopologyText::parse("fuzz.yaml", text);
    let Some(topology) = topology else { return (None, None, findings) };
    findings.extend(lint(&topology, &known));
    findings.extend(lint_together([&topology]));
    let sound = !findings.iter().any(Finding::is_error);
    let graph = Graph::wire(&topology.document, &around.registry);
    assert!(graph.is_some() || !sound, "nothing is wrong and it cannot be wired:\n{text}");
    (Some(topology), graph.filter(|_| sound), findings)
}

pub(super) fn run(input: &[u8]) {
    let Some(text) = utf8(input) else { return };
    let (topology, graph, findings) = read(text);
    findings_point_inside(text, &findings);
    assert!(topology.is_some() || findings.iter().any(Finding::is_error), "nothing was read and nothing is wrong");
    let (Some(topology), Some(graph)) = (topology, graph) else { return };
    let drawings = |graph: &Graph| {
        [GraphFormat::Text, GraphFormat::Mermaid, GraphFormat::Dot].map(|format| render(&[graph], format))
    };
    let drawn = drawings(&graph);
    assert!(drawn.iter().all(|drawing| !drawing.trim().is_empty()));

    let anew = written_anew(&topology.document);
    if anew.len() > limit::BYTES {
        return;
    }
    let (again, graph, findings) = read(&anew);
    assert!(
        findings.iter().all(|finding| !finding.is_error()),
        "clean, and not when it is written anew: {findings:?}\n{anew}"
    );
    assert_eq!(
        format!("{:?}", again.unwrap().document),
        format!("{:?}", topology.document),
        "another topology when it is written anew:\n{anew}"
    );
    assert_eq!(drawings(&graph.unwrap()), drawn);
}

fn written_anew(document: &TopologyDocument) -> String {
    let followers = |followers: &Followers| match followers {
        Followers::One(name) => json!(name),
        Followers::Many(names) => json!(names),
    };
    let mut nodes = Map::new();
    for (name, node) in document.nodes.iter() {
        let mut entry = Map::from_iter([("uses".to_owned(), json!(node.uses))]);
        if node.with != Value::Null {
            entry.insert("with".to_owned(), node.with.clone());
        }
        let next = node.next.as_ref().map(|next| match next {
            NextDocument::All(all) => followers(all),
            NextDocument::Routes(routes) => {
                Value::Object(routes.iter().map(|(route, to)| (route.to_owned(), followers(to))).collect())
            }
        });
        entry.extend(next.map(|next| ("next".to_owned(), next)));
        entry.extend(terms(&node.usage()));
        nodes.insert(name.to_owned(), Value::Object(entry));
    }
    let start = &document.start;
    let mut written = json!({
        "topology": document.topology,
        "about": document.about,
        "contract": document.contract,
        "start": {},
        "nodes": nodes,
    });
    if start.poll.application.is_empty() {
        let webhook = json!({ "application": start.webhook.application, "events": start.webhook.events });
        written["start"]["webhook"] = webhook;
    } else {
        written["start"]["poll"] = json!({ "application": start.poll.application });
    }
    if let Some(next) = &start.next {
        written["start"]["next"] = followers(next);
    }
    yaml(&written)
}

/// Limits and grants, written in another way than they were.
fn terms(usage: &Usage) -> Vec<(String, Value)> {
    let (limits, grants) = (&usage.limits, &usage.grants);
    let mut terms = Vec::new();
    let written = [
        ("timeout", limits.timeout.map(|timeout| json!(format!("{}ms", timeout.as_millis())))),
        ("memory", limits.memory.map(|memory| json!(format!("{}KiB", memory >> 10)))),
        ("calls", limits.calls.map(|calls| json!(calls))),
    ];
    let written: Map<_, _> = written.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    if !written.is_empty() {
        terms.push(("limits".to_owned(), Value::Object(written)));
    }
    let lists = [
        ("applications", json!(grants.applications)),
        ("writes", json!(grants.writes)),
        ("http", json!(grants.http)),
        ("secrets", json!(grants.secrets)),
    ];
    let mut written: Map<_, _> = grants.pairs.map(|pairs| ("pairs".to_owned(), json!(pairs))).into_iter().collect();
    written.extend(lists.into_iter().filter(|(_, list)| *list != json!([])).map(|(key, list)| (key.to_owned(), list)));
    if !written.is_empty() {
        terms.push(("grants".to_owned(), Value::Object(written)));
    }
    terms
}
