//! What is wrong with the terms on which a component runs: its grants and its limits.

use pairline_sdk::Need;

use super::Lint;
use crate::finding::code;
use crate::topology::document::NodeDocument;

impl Lint<'_> {
    pub(super) fn terms(&mut self, name: &str, node: &NodeDocument) {
        let Some(kind) = self.known.registry.kind(&node.uses) else { return };
        let Some(needs) = kind.needs() else { return self.native(name, node) };
        self.grants(name, node, needs);
        if let Some(message) = kind.too_tight(&node.usage().limits) {
            let help = "raise it, or leave it out".to_owned();
            self.error(code::WRONG_LIMIT, &["nodes", name, "limits"], message, help);
        }
    }

    /// A native node is part of the program: nothing holds it back, and nobody should believe that something does.
    fn native(&mut self, name: &str, node: &NodeDocument) {
        for key in ["limits", "grants"] {
            let path = ["nodes", name, key];
            if self.topology.tree.has(&path) {
                let message = format!("`{}` is part of the program, and has no {key}", node.uses);
                let code = if key == "limits" { code::WRONG_LIMIT } else { code::WRONG_GRANT };
                let help = format!("drop `{key}`; a component (`uses: ./plugins/<file>.wasm`) takes them");
                self.key_error(code, &path, message, help);
            }
        }
    }

    fn grants(&mut self, name: &str, node: &NodeDocument, needs: &[Need]) {
        let grants = node.usage().grants;
        for need in needs {
            // Who may change the mapping may look at it: one line is missing, not two.
            let covered = *need == Need::ReadPairs && needs.contains(&Need::WritePairs);
            if !grants.give(*need) && !covered {
                let message = format!("`{}` asks for `{}`, which is not granted to it", node.uses, need.key());
                let help = format!("if it is to have that, add `{}` to `grants`", need.line());
                self.error(code::NOT_GRANTED, &["nodes", name, "uses"], message, help);
            }
        }
        for need in Need::ALL {
            let asked = needs.contains(&need) || (need == Need::ReadPairs && needs.contains(&Need::WritePairs));
            let more_than_asked = match need {
                // Said of `pairs: write`, if that is what stands there.
                Need::ReadPairs => !grants.give(Need::WritePairs),
                _ => true,
            };
            if grants.give(need) && !asked && more_than_asked {
                let path = ["nodes", name, "grants", need.key()];
                let message = format!("`{}` never asks for `{}`", node.uses, need.line());
                let help = match need {
                    Need::WritePairs if needs.contains(&Need::ReadPairs) => "`pairs: read` is enough",
                    _ => "drop it: what is granted may be used by the next version",
                };
                let finding = self.topology.tree.key_warning(code::WRONG_GRANT, &path, message);
                self.findings.push(finding.help(help));
            }
        }
        for (key, systems) in [("applications", &grants.applications), ("writes", &grants.writes)] {
            for (index, system) in systems.iter().enumerate() {
                self.application(system.as_str(), &["nodes", name, "grants", key, &index.to_string()]);
            }
        }
        for (index, host) in grants.http.iter().enumerate() {
            let path = ["nodes", name, "grants", "http", &index.to_string()];
            if let Err(message) = origin(host) {
                let help = "write `https://api.example.org`: scheme, host, and a port if it is not the usual one";
                self.error(code::WRONG_GRANT, &path, message, help.to_owned());
            }
        }
    }
}

/// Scheme, host and port, and nothing else.
fn origin(text: &str) -> Result<(), String> {
    let wrong = || format!("expected the origin of a host, found `{text}`");
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let plain = url.origin().ascii_serialization() == text.trim_end_matches('/');
    if plain && matches!(url.scheme(), "http" | "https") { Ok(()) } else { Err(wrong()) }
}
