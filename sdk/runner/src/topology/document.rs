//! A topology as it is written.

use std::fmt;
use std::time::Duration;

use pairline_sdk::{Grants, Limits, PairsGrant, System, Usage};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::Error as _};
use serde_json::Value;

use crate::finding::{Finding, code};
use crate::units;
use crate::yaml::{Ordered, Tree};

/// Where a message ends, as a follower.
pub(crate) const END: &str = "end";

/// A topology as it is written. What must be there and is not is empty here, and a finding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopologyDocument {
    /// Its name.
    #[serde(default)]
    pub topology: String,
    /// One sentence about it.
    #[serde(default)]
    pub about: String,
    /// The sync contract its nodes go by.
    #[serde(default)]
    pub contract: String,
    /// What starts it.
    #[serde(default)]
    pub start: StartDocument,
    /// Its nodes, in the order of the flow.
    #[serde(default)]
    pub nodes: Ordered<NodeDocument>,
}

/// What starts a topology.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartDocument {
    /// The events that start it.
    #[serde(default)]
    pub webhook: WebhookDocument,
    /// Or: the system that is asked what has changed, and sends no events.
    #[serde(default)]
    pub poll: PollDocument,
    /// The first node.
    #[serde(default)]
    pub next: Option<Followers>,
}

impl StartDocument {
    /// Whose records start it.
    pub fn application(&self) -> &str {
        if self.poll.application.is_empty() { &self.webhook.application } else { &self.poll.application }
    }
}

/// Whose changes start a topology.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollDocument {
    /// Who is asked.
    #[serde(default)]
    pub application: String,
}

/// The events that start a topology.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookDocument {
    /// Who sends them.
    #[serde(default)]
    pub application: String,
    /// What the sender calls them.
    #[serde(default)]
    pub events: Vec<String>,
}

/// One use of a node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeDocument {
    /// Its kind.
    #[serde(default)]
    pub uses: String,
    /// Its settings.
    #[serde(default)]
    pub with: Value,
    /// What comes next.
    #[serde(default)]
    pub next: Option<NextDocument>,
    /// What it may use up, if it is a component.
    #[serde(default)]
    pub limits: LimitsDocument,
    /// What it may ask for, if it is a component.
    #[serde(default)]
    pub grants: GrantsDocument,
}

impl NodeDocument {
    /// How the topology uses the node.
    pub fn usage(&self) -> Usage {
        let LimitsDocument { timeout, memory, calls } = &self.limits;
        let limits = Limits {
            timeout: timeout.as_ref().map(|timeout| timeout.0),
            memory: memory.as_ref().map(|memory| memory.0),
            calls: *calls,
        };
        let GrantsDocument { pairs, applications, writes, http, secrets } = self.grants.clone();
        Usage { with: self.with.clone(), limits, grants: Grants { pairs, applications, writes, http, secrets } }
    }
}

/// What a component may use up for one message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsDocument {
    /// How long it may take.
    #[serde(default)]
    pub timeout: Option<WrittenDuration>,
    /// How much memory an instance may have.
    #[serde(default)]
    pub memory: Option<WrittenSize>,
    /// How many messages an instance serves.
    #[serde(default)]
    pub calls: Option<u32>,
}

/// What a component may ask the program for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantsDocument {
    /// The id mapping.
    #[serde(default)]
    pub pairs: Option<PairsGrant>,
    /// Systems to be read.
    #[serde(default)]
    pub applications: Vec<System>,
    /// Systems to be written to.
    #[serde(default)]
    pub writes: Vec<System>,
    /// Other hosts.
    #[serde(default)]
    pub http: Vec<String>,
    /// Secrets by name.
    #[serde(default)]
    pub secrets: Vec<String>,
}

/// `200ms`, `5s`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct WrittenDuration(pub Duration);

impl TryFrom<String> for WrittenDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        units::duration(&text).map(Self)
    }
}

/// `512KiB`, `64MiB`: bytes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct WrittenSize(pub u64);

impl TryFrom<String> for WrittenSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        units::size(&text).map(Self)
    }
}

/// What comes next: the same for every answer, or by route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextDocument {
    /// A node, a list of nodes, or `end`.
    All(Followers),
    /// By the route the node answers with.
    Routes(Ordered<Followers>),
}

/// A node's name, `end`, or a list of nodes that all get the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followers {
    /// `next: fetch`
    One(String),
    /// `next: [fetch, publish]`
    Many(Vec<String>),
}

impl Followers {
    /// Their names, each with its step below the place where they are written.
    pub(crate) fn named(&self) -> Vec<(&str, Option<String>)> {
        match self {
            Self::One(name) => vec![(name, None)],
            Self::Many(names) => {
                names.iter().enumerate().map(|(index, name)| (name.as_str(), Some(index.to_string()))).collect()
            }
        }
    }
}

const FOLLOWERS: &str = "the name of a node, a list of them, or `end`";

struct FollowersVisitor;

impl<'de> Visitor<'de> for FollowersVisitor {
    type Value = Followers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FOLLOWERS)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Followers, E> {
        Ok(Followers::One(name.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Followers, A::Error> {
        let mut all = Vec::new();
        while let Some(name) = names.next_element()? {
            all.push(name);
        }
        if all.is_empty() {
            return Err(A::Error::custom(format!("expected {FOLLOWERS}, found an empty list")));
        }
        Ok(Followers::Many(all))
    }
}

impl<'de> Deserialize<'de> for Followers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FollowersVisitor)
    }
}

// A visitor of its own and not an untagged enum, which would forget where in the text the mistake is.
impl<'de> Deserialize<'de> for NextDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NextVisitor;

        impl<'de> Visitor<'de> for NextVisitor {
            type Value = NextDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{FOLLOWERS}, or a map of routes")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<NextDocument, E> {
                FollowersVisitor.visit_str(name).map(NextDocument::All)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<NextDocument, A::Error> {
                FollowersVisitor.visit_seq(names).map(NextDocument::All)
            }

            fn visit_map<A: MapAccess<'de>>(self, routes: A) -> Result<NextDocument, A::Error> {
                Ordered::deserialize(de::value::MapAccessDeserializer::new(routes)).map(NextDocument::Routes)
            }
        }

        deserializer.deserialize_any(NextVisitor)
    }
}

/// A topology and its text, so that every later finding has its place.
#[derive(Clone, Debug)]
pub struct TopologyText {
    /// The topology.
    pub document: TopologyDocument,
    /// Its text.
    pub tree: Tree,
}

impl TopologyText {
    /// Reads a topology. Nothing only when the text is not YAML, or not a map; otherwise what could be read of it.
    pub fn parse(file: &str, text: &str) -> (Option<Self>, Vec<Finding>) {
        let (tree, mut findings) = Tree::parse(file, text);
        let Some(tree) = tree else { return (None, findings) };
        let (document, more) = tree.read::<TopologyDocument>();
        findings.extend(more);
        let Some(document) = document else { return (None, findings) };
        findings.extend(missing_keys(&tree, &document));
        (Some(Self { document, tree }), findings)
    }
}

fn missing_keys(tree: &Tree, document: &TopologyDocument) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut need = |path: &[&str], help: &str| {
        let (key, around) = path.split_last().map_or(("", path), |(key, around)| (*key, around));
        // One missing key is one finding: what belongs below it is not missed as well.
        if !tree.has(path) && (around.is_empty() || tree.has(around)) {
            findings.push(tree.key_error(code::MISSING_KEY, path, format!("key `{key}` is missing")).help(help));
        }
        // Nothing at all where a text or a map belongs is a finding of the reader; an empty text, and nothing where there
        // may be nothing, is none.
        if tree.is_blank(path) && (key == "next" || tree.text(path) == Some("") && tree.place(path).length > 0) {
            findings.push(tree.key_error(code::MISSING_KEY, path, format!("key `{key}` is empty")).help(help));
        }
    };
    need(&["topology"], "add `topology: <name>`");
    need(&["contract"], "add `contract: <name of a sync contract>`: it says which system owns which field");
    need(&["start"], "add `start: { webhook: { application: .., events: [..] }, next: <node> }`");
    if tree.has(&["start", "poll"]) {
        need(&["start", "poll", "application"], "add `application: <name>`: whose changes start this topology");
    } else {
        let help =
            "add `webhook: { application: .., events: [..] }`, or `poll: { application: .. }` if it sends no webhooks";
        need(&["start", "webhook"], help);
    }
    need(&["start", "webhook", "application"], "add `application: <name>`: whose events start this topology");
    need(&["start", "webhook", "events"], "add `events: [..]`: what the application calls them");
    need(&["start", "next"], "add `next: <node>`");
    need(&["nodes"], "add `nodes:` with at least one node");
    for (name, _) in document.nodes.iter() {
        need(&["nodes", name, "uses"], "add `uses: <node kind>`");
    }
    findings
}
