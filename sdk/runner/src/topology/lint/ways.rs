//! What is wrong with the ways a message may take.

use std::collections::BTreeSet;

use pairline_sdk::{Effect, NodeDescription};

use super::{Lint, below};
use crate::finding::code;
use crate::topology::document::END;
use crate::topology::wiring::{Edge, Target};

impl<'a> Lint<'a> {
    /// Between a create and its persist nothing may read the store or an application: it would see a record that
    /// nobody knows of, and a crash there would leave the pair to be found again.
    pub(super) fn creates_are_persisted(&mut self, ways: &[Vec<Edge<'a>>]) {
        for ((name, node), ways) in self.topology.document.nodes.iter().zip(ways) {
            let Some(kind) = self.describe(node).filter(|kind| kind.effects.contains(&Effect::Creates)) else {
                continue;
            };
            let success = |route: Option<&str>| {
                kind.routes.iter().all(|known| known.default.is_none() || Some(known.name.as_str()) != route)
            };
            for way in ways.iter().filter(|way| success(way.route)) {
                let Target::Written(follower) = way.to else { continue };
                let after = self.topology.document.nodes.get(follower).and_then(|node| self.describe(node));
                let persists = |kind: &NodeDescription| {
                    kind.effects.contains(&Effect::Persists) && !kind.effects.contains(&Effect::Reads)
                };
                let unknown = follower != END && after.is_none();
                if unknown || after.is_some_and(persists) {
                    continue;
                }
                let message = match follower {
                    END => format!("node `{name}` creates a record, and the message ends before the pair is stored"),
                    _ => format!("node `{name}` creates a record, and `{follower}` comes before the pair is stored"),
                };
                let kinds: Vec<&str> =
                    self.known.registry.kinds().filter(|(_, kind)| persists(kind)).map(|(name, _)| name).collect();
                let help = format!("a node that persists comes directly after: {}", kinds.join(", "));
                self.error(code::CREATE_WITHOUT_PERSIST, &below(name, way), message, help);
            }
        }
    }

    pub(super) fn loops(&mut self, ways: &[Vec<Edge<'a>>]) {
        let mut state = vec![Seen::Not; ways.len()];
        for start in 0..ways.len() {
            self.walk(start, ways, &mut state, &mut Vec::new());
        }
    }

    fn walk(&mut self, at: usize, ways: &[Vec<Edge<'a>>], state: &mut [Seen], path: &mut Vec<usize>) {
        if state[at] != Seen::Not {
            return;
        }
        state[at] = Seen::OnTheWay;
        path.push(at);
        for way in &ways[at] {
            let Target::Written(follower) = way.to else { continue };
            let Some(next) = self.position(follower) else { continue };
            if state[next] == Seen::OnTheWay {
                let name = |index: &usize| self.topology.document.nodes.0[*index].0.as_str();
                let from = path.iter().position(|node| *node == next).unwrap_or_default();
                let circle: Vec<&str> = path[from..].iter().chain([&next]).map(name).collect();
                let key = way.route.unwrap_or("next");
                let message = format!("`{key}: {follower}` closes a loop: {}", circle.join(" -> "));
                let help = "a message goes forward only; a record to be looked at again takes a route that repeats";
                let here = name(&at);
                self.error(code::LOOP, &below(here, way), message, help.to_owned());
            } else {
                self.walk(next, ways, state, path);
            }
        }
        path.pop();
        state[at] = Seen::Done;
    }

    pub(super) fn unreachable(&mut self, ways: &[Vec<Edge<'a>>]) {
        let Some(start) = self.topology.document.start.next.as_ref().filter(|_| !self.names_broken) else { return };
        let mut todo: Vec<usize> = start.named().iter().filter_map(|(name, _)| self.position(name)).collect();
        let mut reached = BTreeSet::new();
        while let Some(at) = todo.pop() {
            if reached.insert(at) {
                let followers = ways[at].iter().filter_map(|way| match way.to {
                    Target::Written(name) => self.position(name),
                    Target::Default(_) => None,
                });
                todo.extend(followers);
            }
        }
        for (index, (name, _)) in self.topology.document.nodes.iter().enumerate() {
            if !reached.contains(&index) {
                let message = format!("no message gets to node `{name}`");
                let finding = self.topology.tree.key_warning(code::UNREACHABLE, &["nodes", name], message);
                self.findings.push(finding.help("lead a route to it, or drop it"));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Not,
    OnTheWay,
    Done,
}
