//! The tests of a topology as they are written.

use std::collections::BTreeMap;
use std::fmt;

use pairline_sdk::EventKind;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::application::Exchange;
use crate::finding::{Finding, code};
use crate::yaml::{Ordered, Tree};

/// The keys of a test; any other is the name of an application.
const KEYS: [&str; 5] = ["name", "message", "messages", "mapping", "then"];

/// One test: a story of what happens to a message.
#[derive(Clone, Debug, Default)]
pub struct StoryDocument {
    /// What it tells, as a sentence.
    pub name: String,
    /// The messages that walk through the topology, one after the other.
    pub messages: Vec<Value>,
    /// The pairs there are before.
    pub mapping: Vec<Ordered<Value>>,
    /// What each application is asked, in order, and what it answers.
    pub exchanges: Ordered<Vec<Exchange>>,
    /// What must be so afterwards.
    pub then: ThenDocument,
}

/// What must be so afterwards. What is not said does not matter, but for the result: it is `done` unless said.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThenDocument {
    /// The nodes the message came through.
    #[serde(default)]
    pub path: Option<PathDocument>,
    /// All pairs there are.
    #[serde(default)]
    pub mapping: Option<Vec<Ordered<Value>>>,
    /// What became of the last message.
    #[serde(default)]
    pub result: ResultDocument,
    /// A part of the reason for it.
    #[serde(default)]
    pub reason: Option<String>,
    /// How many calls each application got.
    #[serde(default)]
    pub calls: BTreeMap<String, usize>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultDocument {
    /// It reached its end.
    #[default]
    Done,
    /// Its record is looked at again later.
    Repeat,
    /// It is in the trash.
    Trash,
}

impl fmt::Display for ResultDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Repeat => "repeat",
            Self::Trash => "trash",
        })
    }
}

/// The nodes of one walk, or those of each walk when there are several messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathDocument(pub Vec<Vec<String>>);

impl<'de> Deserialize<'de> for PathDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walks;

        impl<'de> Visitor<'de> for Walks {
            type Value = PathDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of nodes, or one such list per message")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut steps: A) -> Result<PathDocument, A::Error> {
                let (mut first, mut walks) = (Vec::new(), Vec::new());
                while let Some(step) = steps.next_element::<Step>()? {
                    match step {
                        Step::Node(name) => first.push(name),
                        Step::Walk(names) => walks.push(names),
                    }
                }
                Ok(PathDocument(if walks.is_empty() { vec![first] } else { walks }))
            }
        }

        deserializer.deserialize_seq(Walks)
    }
}

enum Step {
    Node(String),
    Walk(Vec<String>),
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeOrWalk;

        impl<'de> Visitor<'de> for NodeOrWalk {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a node, or a list of them")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Step, E> {
                Ok(Step::Node(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Step, A::Error> {
                let mut walk = Vec::new();
                while let Some(name) = names.next_element()? {
                    walk.push(name);
                }
                Ok(Step::Walk(walk))
            }
        }

        deserializer.deserialize_any(NodeOrWalk)
    }
}

// The keys that are not ours are the names of applications.
impl<'de> Deserialize<'de> for StoryDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Story;

        impl<'de> Visitor<'de> for Story {
            type Value = StoryDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with `name`, `message` and `then`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<StoryDocument, A::Error> {
                let mut story = StoryDocument::default();
                while let Some(key) = keys.next_key::<String>()? {
                    match key.as_str() {
                        "name" => story.name = keys.next_value()?,
                        "message" => story.messages.push(keys.next_value()?),
                        "messages" => story.messages.extend(keys.next_value::<Vec<Value>>()?),
                        "mapping" => story.mapping = keys.next_value()?,
                        "then" => story.then = keys.next_value()?,
                        _ => story.exchanges.0.push((key, keys.next_value()?)),
                    }
                }
                Ok(story)
            }
        }

        deserializer.deserialize_map(Story)
    }
}

/// A message as a hint, when it is not the body of a webhook.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HintDocument {
    /// The id of the record, in the system whose events start the topology.
    pub(super) record: String,
    /// What the event says has happened; none: a hint of our own.
    pub(super) kind: Option<EventKind>,
    /// The fields it names.
    #[serde(default)]
    pub(super) fields: Vec<String>,
    /// The values it carries.
    pub(super) values: Option<serde_json::Map<String, Value>>,
    /// Whether it names our own client as the actor.
    #[serde(default)]
    pub(super) ours: bool,
    /// Our operation id, when the system gives it back.
    pub(super) operation: Option<String>,
}

/// A file of stories.
#[derive(Clone, Debug)]
pub struct StoryText {
    /// The stories, each with its position in the file.
    pub stories: Vec<(usize, StoryDocument)>,
    /// The text.
    pub tree: Tree,
}

impl StoryText {
    /// Reads the tests of a topology. A story that cannot be read is a finding, and is not among them.
    pub fn parse(file: &str, text: &str, applications: &[&str]) -> (Option<Self>, Vec<Finding>) {
        let (tree, mut findings) = Tree::parse(file, text);
        let Some(tree) = tree else { return (None, findings) };
        let (stories, more) = tree.read::<Vec<StoryDocument>>();
        findings.extend(more);
        let Some(stories) = stories.filter(|_| findings.is_empty()) else { return (None, findings) };
        for (index, story) in stories.iter().enumerate() {
            findings.extend(incomplete(&tree, &index.to_string(), story, applications));
        }
        let stories = stories.into_iter().enumerate().collect();
        (Some(Self { stories, tree }), findings)
    }
}

fn incomplete(tree: &Tree, index: &str, story: &StoryDocument, applications: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, help) in [("name", "add `name: <what it tells>`"), ("then", "add `then: { path: [..] }`")] {
        if !tree.has(&[index, key]) {
            findings.push(tree.key_error(code::MISSING_KEY, &[index], format!("key `{key}` is missing")).help(help));
        }
    }
    if story.messages.is_empty() {
        let finding = tree.key_error(code::MISSING_KEY, &[index], "key `message` is missing");
        findings.push(finding.help("add `message: { record: <id> }`, or the body of a webhook"));
    }
    let unknown = |name: &str| !applications.contains(&name);
    let help = format!("known applications: {}", applications.join(", "));
    for (name, _) in story.exchanges.iter().filter(|(name, _)| unknown(name)) {
        let message = format!("no application `{name}`, nor a key of a test");
        let help = format!("known keys: {}; {help}", KEYS.join(", "));
        findings.push(tree.key_error(code::UNKNOWN_APPLICATION, &[index, name], message).help(help));
    }
    for name in story.then.calls.keys().filter(|name| unknown(name)) {
        let path = [index, "then", "calls", name];
        let message = format!("no application `{name}`");
        findings.push(tree.key_error(code::UNKNOWN_APPLICATION, &path, message).help(help.as_str()));
    }
    let walks = story.then.path.as_ref().map_or(story.messages.len(), |path| path.0.len());
    if walks != story.messages.len() {
        let message = format!("expected the paths of {} messages, found {walks}", story.messages.len());
        findings.push(tree.key_error(code::TEST, &[index, "then", "path"], message));
    }
    findings
}
