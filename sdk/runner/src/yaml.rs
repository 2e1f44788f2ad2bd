//! YAML with the place of everything in it, and a budget that an alias bomb exhausts at once.
//!
//! A text becomes a [`Tree`]; [`Tree::read`] turns it into a type by serde. Both report everything that is wrong, not
//! just the first thing: what cannot be read is set aside and the rest is read on. Whoever needs a place later asks
//! the tree by the path of keys: [`Tree::place`] of a value, [`Tree::key`] of a key.

mod compose;
mod misfit;
mod read;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use crate::finding::{Finding, Place, SourceText};

pub(crate) use read::shown;

/// The most a text may hold.
pub mod limit {
    /// Bytes of a text.
    pub const BYTES: usize = 256 * 1024;
    /// Values in a text, those an alias repeats counted again.
    pub const NODES: usize = 20_000;
    /// Aliases in a text.
    pub const ALIASES: usize = 200;
    /// Lists and maps within each other.
    pub const DEPTH: usize = 32;
    /// Findings in a text; the rest is not looked for.
    pub const FINDINGS: usize = 100;
}

/// A text as YAML, with the place of everything in it.
#[derive(Clone, Debug)]
pub struct Tree {
    source: SourceText,
    root: Node,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
struct Node {
    /// Unique within a tree, also when an alias repeats a value.
    id: usize,
    place: Place,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// Text, and whether it stands without quotes: then it may be a number, a truth value or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
struct Key {
    id: usize,
    name: String,
    place: Place,
}

/// Reads a text as a type.
///
/// The value may be partial when there are errors among the findings: what was wrong is left out. It is there so that
/// the rest can be checked all the same.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> (Option<T>, Vec<Finding>) {
    let (tree, mut findings) = Tree::parse(file, text);
    let Some(tree) = tree else { return (None, findings) };
    let (value, more) = tree.read();
    findings.extend(more);
    (value, findings)
}

impl Tree {
    /// Reads a text. Nothing when it is not YAML or exceeds a [limit].
    pub fn parse(file: &str, text: &str) -> (Option<Self>, Vec<Finding>) {
        compose::compose(SourceText::new(file, text))
    }

    /// The text.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// As a type; what cannot be read is left out and is a finding.
    pub fn read<T: DeserializeOwned>(&self) -> (Option<T>, Vec<Finding>) {
        read::read(self)
    }

    /// Whether there is something at a path of keys; the items of a list are `0`, `1` and so on.
    pub fn has(&self, path: &[&str]) -> bool {
        self.descend(path).2 == path.len()
    }

    /// Whether there is something at a path that says nothing: `next:` and nothing behind it, or `""`.
    pub fn is_blank(&self, path: &[&str]) -> bool {
        match self.descend(path) {
            (_, Node { content: Content::Scalar { text, plain }, .. }, depth) if depth == path.len() => {
                text.is_empty() || (*plain && is_null(text))
            }
            _ => false,
        }
    }

    /// The text of a scalar at a path.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        match self.descend(path) {
            (_, Node { content: Content::Scalar { text, .. }, .. }, depth) if depth == path.len() => Some(text),
            _ => None,
        }
    }

    /// The names of the keys of a map at a path.
    pub fn keys(&self, path: &[&str]) -> Vec<&str> {
        match self.descend(path) {
            (_, Node { content: Content::Map(entries), .. }, depth) if depth == path.len() => {
                entries.iter().map(|(key, _)| key.name.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How many items the list at a path has.
    pub fn items(&self, path: &[&str]) -> usize {
        match self.descend(path) {
            (_, Node { content: Content::List(items), .. }, depth) if depth == path.len() => items.len(),
            _ => 0,
        }
    }

    /// Whether there is a list or a map at a path, with nothing in it.
    pub fn is_empty(&self, path: &[&str]) -> bool {
        let (_, node, depth) = self.descend(path);
        depth == path.len()
            && match &node.content {
                Content::List(items) => items.is_empty(),
                Content::Map(entries) => entries.is_empty(),
                Content::Scalar { .. } => false,
            }
    }

    /// Where the value at a path stands: a scalar itself, a list or a map by its key. What is not there is where it
    /// would have to be: at the nearest thing around it.
    pub fn place(&self, path: &[&str]) -> Place {
        let (key, node, depth) = self.descend(path);
        match (&node.content, key) {
            (Content::Scalar { .. }, _) if depth == path.len() && node.place.length > 0 => node.place,
            (_, Some(key)) => key.place,
            _ => node.place,
        }
    }

    /// Where the last key of a path stands.
    pub fn key(&self, path: &[&str]) -> Place {
        let (key, node, _) = self.descend(path);
        key.map_or(node.place, |key| key.place)
    }

    /// An error at the value of a path.
    pub fn error(&self, code: &'static str, path: &[&str], message: impl Into<String>) -> Finding {
        Finding::error(code, &self.source, self.place(path), message)
    }

    /// An error at the last key of a path.
    pub fn key_error(&self, code: &'static str, path: &[&str], message: impl Into<String>) -> Finding {
        Finding::error(code, &self.source, self.key(path), message)
    }

    /// A warning at the last key of a path.
    pub fn key_warning(&self, code: &'static str, path: &[&str], message: impl Into<String>) -> Finding {
        Finding::warning(code, &self.source, self.key(path), message)
    }

    /// As far down a path as there is something: the last key, the node, and how many steps that was.
    fn descend(&self, path: &[&str]) -> (Option<&Key>, &Node, usize) {
        let (mut key, mut node) = (None, &self.root);
        for (depth, step) in path.iter().enumerate() {
            let below = match &node.content {
                Content::Map(entries) => {
                    entries.iter().find(|(key, _)| key.name == *step).map(|(key, value)| (Some(key), value))
                }
                Content::List(items) => {
                    step.parse::<usize>().ok().and_then(|index| items.get(index)).map(|item| (None, item))
                }
                Content::Scalar { .. } => None,
            };
            let Some((next_key, next)) = below else { return (key, node, depth) };
            // An item of a list has no key of its own; its list's key would point too far up.
            key = next_key;
            node = next;
        }
        (key, node, path.len())
    }
}

impl Node {
    /// What kind of thing it is, for messages.
    fn kind(&self) -> String {
        match &self.content {
            Content::Scalar { plain: true, text } if is_null(text) => "nothing".to_owned(),
            Content::Scalar { text, plain } => shown(text, !plain),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        }
    }
}

fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

/// A map that keeps the order it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::time::Instant;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Shop {
        name: String,
        #[serde(default)]
        port: u16,
        #[serde(default)]
        tags: Vec<String>,
    }

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let text = "nam: Ada\nport: many\ntags: [one, [two]]\nport: 3\n";

        let (shop, findings) = read::<Shop>("shop.yaml", text);

        assert_eq!(shop, None);
        assert_eq!(
            lines(&findings),
            [
                "shop.yaml:4:1: key `port` is there twice; the first is in line 2",
                "shop.yaml:1:1: no key `nam` here; did you mean `name`?",
                "shop.yaml:2:7: expected a whole number that is not negative, found `many`",
                "shop.yaml:3:13: expected a string, found a list",
                "shop.yaml:1:1: key `name` is missing",
            ]
        );
    }

    #[test]
    fn a_number_in_quotes_is_told_as_the_text_that_it_is() {
        for (written, told) in [("'80'", "`80` in quotes, which is text"), ("'many'", "`many`"), ("many", "`many`")] {
            let (_, findings) = read::<Shop>("shop.yaml", &format!("name: Ada\nport: {written}\n"));

            let expected = format!("shop.yaml:2:7: expected a whole number that is not negative, found {told}");
            assert_eq!(lines(&findings), [expected]);
        }
    }

    #[test]
    fn what_can_be_read_is_read_although_something_else_is_wrong() {
        let (shop, findings) = read::<Shop>("shop.yaml", "name: Ada\nport: many\n");

        assert_eq!(shop, Some(Shop { name: "Ada".into(), port: 0, tags: vec![] }));
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn a_text_stays_the_text_that_was_written() {
        let text = "[no, 'true', 1.10, 0042, 12345678901234567890123, ~, 1, true, 1.5, 0x10]";

        let (values, _) = read::<Vec<Value>>("a.yaml", text);
        let (texts, findings) = read::<Vec<Option<String>>>("a.yaml", text);

        assert_eq!(
            json!(values.unwrap()),
            json!(["no", "true", 1.1, "0042", "12345678901234567890123", null, 1, true, 1.5, 16])
        );
        assert!(findings.is_empty());
        assert_eq!(texts.unwrap()[2], Some("1.10".to_owned()));
    }

    #[test]
    fn an_alias_bomb_ends_at_once_as_a_finding() {
        let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            writeln!(bomb, "a{level}: &a{level} [{}]", vec![before; 10].join(", ")).unwrap();
        }
        let started = Instant::now();

        let (tree, findings) = Tree::parse("bomb.yaml", &bomb);

        assert!(tree.is_none());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].code, "PL0102");
        assert!(started.elapsed().as_millis() < 500);
    }

    #[test]
    fn every_limit_is_a_finding_with_its_number() {
        let deep = "[".repeat(40) + &"]".repeat(40);
        let many = format!("[{}]", "1, ".repeat(20_001));
        let aliases = format!("a: &a 1\nb: [{}]", "*a, ".repeat(201));
        let long = format!("# {}\na: 1", "x".repeat(limit::BYTES));
        for (text, number) in [(deep, "32"), (many, "20000"), (aliases, "200"), (long, "262144")] {
            let (tree, findings) = Tree::parse("a.yaml", &text);

            assert!(tree.is_none());
            assert!(findings[0].message.contains(number), "{}", findings[0].message);
        }
    }

    #[test]
    fn what_is_not_yaml_is_a_finding_at_its_place() {
        for (text, place) in [("a: [1, 2\nb: 3", 2), ("a: 1\n b: 2", 2), ("a: *nobody", 1), ("a: 1\n---\nb: 2", 2)] {
            let (_, findings) = Tree::parse("a.yaml", text);

            assert_eq!(findings.len(), 1, "{text}: {findings:?}");
            assert_eq!(findings[0].place.line, place, "{text}: {findings:?}");
        }
    }

    #[test]
    fn what_is_wrong_behind_the_text_is_found_at_its_end() {
        let (_, findings) = Tree::parse("a.yaml", "a: \"never closed\n\n");

        assert_eq!(findings[0].place, Place { line: 2, column: 1, length: 0 }, "{findings:?}");
    }

    #[test]
    fn the_place_of_a_path_is_its_value_or_where_it_would_have_to_be() {
        let (tree, _) = Tree::parse("a.yaml", "nodes:\n  create:\n    with: { application: erp, tags: [one, two] }\n");
        let tree = tree.unwrap();
        let at = |path: &[&str]| {
            let Place { line, column, length } = tree.place(path);
            (line, column, length)
        };

        assert_eq!(at(&["nodes", "create", "with", "application"]), (3, 26, 3));
        assert_eq!(at(&["nodes", "create", "with", "tags", "1"]), (3, 43, 3));
        assert_eq!(at(&["nodes", "create", "with", "field"]), (3, 5, 4));
        assert_eq!(at(&["nodes", "create", "next"]), (2, 3, 6));
        assert_eq!(tree.key(&["nodes", "create", "with", "application"]).column, 13);
    }
}
