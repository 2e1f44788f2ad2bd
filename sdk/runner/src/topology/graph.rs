//! A topology as wired: what the runner walks. Pure data; every name is resolved and every default applied.

use pairline_sdk::{PlatformKind, Ports, Registry, RouteDefault, System, Usage};
use serde::Serialize;

use super::document::{END, TopologyDocument};
use super::wiring::{Target as Way, edges};
use crate::flow::{Flow, FlowNode, Target};

/// A topology as wired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// One sentence about it.
    pub about: String,
    /// The sync contract its nodes go by.
    pub contract: String,
    /// What starts it.
    pub start: Start,
    /// The uses of nodes, in the order of the file.
    pub nodes: Vec<NodeUse>,
}

/// What starts a topology.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Start {
    /// The application whose records it is about.
    pub application: System,
    /// What the application calls the events; none if it sends none and is asked for its changes.
    pub events: Vec<String>,
    /// Where a message begins.
    pub next: Vec<Step>,
}

/// One use of a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeUse {
    /// Its name in the topology.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What the platform takes it for.
    pub platform_kind: PlatformKind,
    /// Its settings, and on what terms it runs if it is a component.
    #[serde(flatten)]
    pub usage: Usage,
    /// What comes next.
    pub next: Next,
}

/// What comes after a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Next {
    /// By the route the node answers with, in the order its kind names them.
    pub routes: Vec<RouteUse>,
    /// After a success without a route: every follower, each once, or the end.
    pub success: Vec<Step>,
}

/// Where one route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteUse {
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub steps: Vec<Step>,
    /// Whether the topology left it to the node's default.
    pub by_default: bool,
}

/// One thing that happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The message goes to this node: an index into [`Graph::nodes`].
    Node(usize),
    /// The message has reached its end.
    End,
    /// The record is looked at again later.
    Repeat,
}

impl From<Step> for Target {
    fn from(step: Step) -> Self {
        match step {
            Step::Node(index) => Self::Node(index),
            Step::End => Self::End,
            Step::Repeat => Self::Repeat,
        }
    }
}

impl Next {
    /// Where a route leads; nothing for a route the node's kind does not have.
    pub fn route(&self, name: &str) -> Option<&[Step]> {
        self.routes.iter().find(|route| route.name == name).map(|route| route.steps.as_slice())
    }
}

impl Graph {
    /// Wires a topology. Nothing when a name in it cannot be resolved; the linter says which.
    pub fn wire(document: &TopologyDocument, registry: &Registry) -> Option<Self> {
        let position = |name: &str| document.nodes.0.iter().position(|(node, _)| node == name);
        let step = |target: &Way<'_>| match target {
            Way::Written(END) | Way::Default(RouteDefault::End) => Some(Step::End),
            Way::Default(RouteDefault::Repeat) => Some(Step::Repeat),
            Way::Written(name) => position(name).map(Step::Node),
        };
        let mut nodes = Vec::new();
        for (name, node) in document.nodes.iter() {
            let description = registry.describe(&node.uses)?;
            let (edges, wrong) = edges(node.next.as_ref(), Some(description));
            if !wrong.is_empty() {
                return None;
            }
            let mut next = Next::default();
            for route in &description.routes {
                let ways: Vec<_> = edges.iter().filter(|edge| edge.route == Some(&route.name)).collect();
                next.routes.push(RouteUse {
                    name: route.name.clone(),
                    steps: ways.iter().map(|edge| step(&edge.to)).collect::<Option<_>>()?,
                    by_default: ways.iter().all(|edge| matches!(edge.to, Way::Default(_))),
                });
            }
            for edge in edges.iter().filter(|edge| matches!(edge.to, Way::Written(_))) {
                let follower = step(&edge.to)?;
                if follower != Step::End && !next.success.contains(&follower) {
                    next.success.push(follower);
                }
            }
            if next.success.is_empty() {
                next.success.push(Step::End);
            }
            nodes.push(NodeUse {
                name: name.to_owned(),
                kind: node.uses.clone(),
                platform_kind: description.platform_kind,
                usage: node.usage(),
                next,
            });
        }
        let first = document.start.next.as_ref()?.named();
        Some(Self {
            name: document.topology.clone(),
            about: document.about.clone(),
            contract: document.contract.clone(),
            start: Start {
                application: System::new(document.start.application()),
                events: document.start.webhook.events.clone(),
                next: first.iter().map(|(name, _)| step(&Way::Written(name))).collect::<Option<_>>()?,
            },
            nodes,
        })
    }

    /// Makes the nodes, so that messages can walk.
    ///
    /// # Errors
    ///
    /// One line that names the node that cannot be made.
    pub fn make(&self, registry: &Registry, ports: &Ports) -> Result<Flow, String> {
        let targets = |steps: &[Step]| steps.iter().map(|step| Target::from(*step)).collect::<Vec<_>>();
        let mut nodes = Vec::new();
        for node in &self.nodes {
            let made = registry
                .make(&node.kind, &node.usage, ports)
                .map_err(|error| format!("cannot make node `{}` of topology `{}`: {error}", node.name, self.name))?;
            nodes.push(FlowNode {
                name: node.name.clone(),
                node: made,
                routes: node.next.routes.iter().map(|route| (route.name.clone(), targets(&route.steps))).collect(),
                followers: targets(&node.next.success),
            });
        }
        Ok(Flow { name: self.name.clone(), nodes, start: targets(&self.start.next) })
    }

    /// The use of a node by its name.
    pub fn node(&self, name: &str) -> Option<&NodeUse> {
        self.nodes.iter().find(|node| node.name == name)
    }
}
