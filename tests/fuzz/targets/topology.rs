//! Topologies: findings point into the text; what checks clean can be drawn, and is the same topology when it is written
//! anew.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pairline_runner::contract;
use pairline_runner::finding::Finding;
use pairline_runner::topology::{
    Feeds, Followers, Graph, GraphFormat, Known, NextDocument, TopologyDocument, TopologyText, lint, lint_together,
    render,
};
use pairline_runner::yaml::limit;
use pairline_sdk::{Registry, SyncContract};
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
