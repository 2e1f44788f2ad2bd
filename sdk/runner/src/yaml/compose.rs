//! The events of the tokenizer, put together into a tree within the limits.
//!
//! A deserializer that streams ends at the first thing it cannot take; a tree lets every finding be reported.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Content, Key, Node, Tree, limit};
use crate::finding::{Finding, Place, SourceText, code};

pub(super) fn compose(source: SourceText) -> (Option<Tree>, Vec<Finding>) {
    let text = source.text.clone();
    if text.len() > limit::BYTES {
        let message = format!("expected at most {} bytes, found {}", limit::BYTES, text.len());
        return (None, vec![Finding::error(code::TOO_LARGE, &source, Place::default(), message)]);
    }
    let mut composer = Composer {
        source: &source,
        lines: text.lines().collect(),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        root: None,
        documents: 0,
        next_id: 0,
        aliases: 0,
        findings: Vec::new(),
    };
    let options = granit_parser::options! { emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(&text, options) {
        let taken = match event {
            Ok((event, span)) => composer.take(event, span),
            Err(error) => {
                let mark = *error.marker();
                let message = format!("cannot read this as YAML: {}", error.info());
                Err(Box::new(composer.finding(code::NOT_YAML, composer.place(Span::new(mark, mark)), message)))
            }
        };
        if let Err(finding) = taken {
            let mut findings = composer.findings;
            findings.push(*finding);
            return (None, findings);
        }
    }
    let Composer { root, mut findings, .. } = composer;
    if root.is_none() {
        let place = Place { line: 1, column: 1, length: 1 };
        findings.push(Finding::error(code::NOT_YAML, &source, place, "expected a map, found an empty text"));
    }
    (root.map(|root| Tree { source, root }), findings)
}

struct Composer<'a> {
    source: &'a SourceText,
    lines: Vec<&'a str>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    root: Option<Node>,
    documents: usize,
    next_id: usize,
    aliases: usize,
    findings: Vec<Finding>,
}

/// A list or a map that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    /// How many values it holds so far, itself included, and how deep they go.
    size: usize,
    height: usize,
    /// In a map: the key whose value comes next.
    key: Option<Key>,
}

struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

impl<'a> Composer<'a> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Finding>> {
        let place = self.place(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "expected one document, found another".to_owned();
                    return Err(Box::new(self.finding(code::NOT_YAML, place, message)));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let as_text = tag.as_deref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let plain = style == ScalarStyle::Plain && !as_text;
                let node = self.node(place, Content::Scalar { text: text.into_owned(), plain })?;
                self.close(node, anchor, 1, 0)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(place, anchor, Content::List(Vec::new()))?,
            Event::MappingStart(_, anchor, _) => self.begin(place, anchor, Content::Map(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, size, height, .. }) = self.open.pop() {
                    self.close(node, anchor, size, height)?;
                }
            }
            Event::Alias(anchor) => self.repeat(anchor, place)?,
            Event::UnresolvedAlias(name) => {
                let message = format!("no anchor `&{name}` before this alias");
                self.report(code::NOT_YAML, place, message);
                let node = self.node(place, Content::Scalar { text: String::new(), plain: true })?;
                self.close(node, 0, 1, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), Box<Finding>> {
        let node = self.node(place, content)?;
        self.not_too_deep(1, place)?;
        self.open.push(Open { node, anchor, size: 1, height: 1, key: None });
        Ok(())
    }

    /// Puts a finished value where it belongs: into the list or map around it, or on top.
    fn close(&mut self, node: Node, anchor: usize, size: usize, height: usize) -> Result<(), Box<Finding>> {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, height });
        }
        let Some(around) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        around.size += size;
        around.height = around.height.max(height + 1);
        match (&mut around.node.content, around.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some(key)) => {
                let first = entries.iter().find(|(known, _)| known.name == key.name).map(|(known, _)| known.place.line);
                match first {
                    None => entries.push((key, node)),
                    Some(first) => {
                        let message = format!("key `{}` is there twice", key.name);
                        let finding = self.finding(code::DUPLICATE_KEY, key.place, message);
                        self.push(finding.help(format!("the first is in line {first}")));
                    }
                }
            }
            (Content::Map(_), None) => match node.content {
                Content::Scalar { text, .. } => {
                    around.key = Some(Key { id: node.id, name: text, place: node.place });
                }
                _ => {
                    let message = format!("expected text as a key, found {}", node.kind());
                    return Err(Box::new(self.finding(code::NOT_YAML, node.place, message)));
                }
            },
            (Content::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    fn repeat(&mut self, anchor: usize, place: Place) -> Result<(), Box<Finding>> {
        self.aliases += 1;
        if self.aliases > limit::ALIASES {
            let message = format!("expected at most {} aliases, found more", limit::ALIASES);
            return Err(Box::new(self.finding(code::TOO_LARGE, place, message)));
        }
        let Some(&Anchored { size, height, .. }) = self.anchors.get(&anchor) else {
            return Err(Box::new(self.finding(code::NOT_YAML, place, "an alias within its own anchor".into())));
        };
        // Looked at before anything is copied: a bomb costs as much as its fuse.
        self.not_too_many(size, place)?;
        self.not_too_deep(height, place)?;
        let mut copy = self.anchors[&anchor].node.clone();
        self.number_anew(&mut copy);
        copy.place = place;
        self.close(copy, 0, size, height)
    }

    fn number_anew(&mut self, node: &mut Node) {
        node.id = self.take_id();
        match &mut node.content {
            Content::Scalar { .. } => {}
            Content::List(items) => items.iter_mut().for_each(|item| self.number_anew(item)),
            Content::Map(entries) => {
                for (key, value) in entries {
                    key.id = self.take_id();
                    self.number_anew(value);
                }
            }
        }
    }

    fn node(&mut self, place: Place, content: Content) -> Result<Node, Box<Finding>> {
        self.not_too_many(1, place)?;
        Ok(Node { id: self.take_id(), place, content })
    }

    fn take_id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    fn not_too_many(&self, more: usize, place: Place) -> Result<(), Box<Finding>> {
        if self.next_id + more <= limit::NODES {
            return Ok(());
        }
        let message = format!("expected at most {} values, found more", limit::NODES);
        Err(Box::new(self.finding(code::TOO_LARGE, place, message)))
    }

    fn not_too_deep(&self, more: usize, place: Place) -> Result<(), Box<Finding>> {
        if self.open.len() + more <= limit::DEPTH {
            return Ok(());
        }
        let message = format!("expected at most {} lists and maps within each other, found more", limit::DEPTH);
        Err(Box::new(self.finding(code::TOO_LARGE, place, message)))
    }

    /// The part of a span that is on its first line, in characters. What begins behind the text is at its end.
    fn place(&self, span: Span) -> Place {
        let last = self.lines.len().max(1);
        let (line, column) = match span.start.line().max(1) {
            line if line > last => (last, usize::MAX),
            line => (line, span.start.col() + 1),
        };
        let text: &'a str = self.lines.get(line - 1).copied().unwrap_or_default();
        let column = column.min(text.chars().count() + 1);
        let rest = text.trim_end().chars().count().saturating_sub(column - 1);
        let length = span.end.index().saturating_sub(span.start.index());
        Place { line, column, length: length.min(rest) }
    }

    fn finding(&self, code: &'static str, place: Place, message: String) -> Finding {
        Finding::error(code, self.source, place, message)
    }

    fn report(&mut self, code: &'static str, place: Place, message: String) {
        let finding = self.finding(code, place, message);
        self.push(finding);
    }

    fn push(&mut self, finding: Finding) {
        if self.findings.len() < limit::FINDINGS {
            self.findings.push(finding);
        }
    }
}
