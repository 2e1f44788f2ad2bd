//! What is wrong with the terms on which a component runs: its grants and its limits.

use pairline_sdk::{Need, Setting, SettingKind, System};
use serde_json::Value;

use super::Lint;
use crate::finding::code;
use crate::topology::document::NodeDocument;

impl Lint<'_> {
    /// What is wrong with the settings, if they do not fit, is not told of the grants again.
    pub(super) fn terms(&mut self, name: &str, node: &NodeDocument, settings_fit: bool) {
        let Some(kind) = self.known.registry.kind(&node.uses) else { return };
        let Some(needs) = kind.needs() else { return self.native(name, node) };
        self.grants(name, node, needs);
        if settings_fit {
            self.systems_are_those_of_the_settings(name, node, needs);
        }
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

    /// A component may well ask other systems than those that its settings name, but hardly none of these.
    fn systems_are_those_of_the_settings(&mut self, name: &str, node: &NodeDocument, needs: &[Need]) {
        let grants = node.usage().grants;
        let names = |setting: &&Setting| {
            matches!(setting.kind, SettingKind::Application | SettingKind::Source | SettingKind::Target)
        };
        let settings = self.describe(node).map(|kind| kind.settings.as_slice()).unwrap_or_default();
        let value = |setting: &Setting| node.with.get(&setting.name).and_then(Value::as_str).map(System::new);
        let named: Vec<System> = settings.iter().filter(names).filter_map(value).collect();
        for (need, systems) in [(Need::Applications, &grants.applications), (Need::Writes, &grants.writes)] {
            let apart = !systems.iter().any(|system| named.contains(system));
            if needs.contains(&need) && apart && !systems.is_empty() && !named.is_empty() {
                let path = ["nodes", name, "grants", need.key()];
                let message = format!("the settings name {}, and {} is granted", listed(&named), listed(systems));
                let help = format!("grant what it is to reach: `{}: [{}]`", need.key(), bare(&named));
                let finding = self.topology.tree.key_warning(code::WRONG_GRANT, &path, message);
                self.findings.push(finding.help(help));
            }
        }
    }
}

fn listed(systems: &[System]) -> String {
    let names: Vec<String> = systems.iter().map(|system| format!("`{system}`")).collect();
    names.join(" and ")
}

fn bare(systems: &[System]) -> String {
    let names: Vec<&str> = systems.iter().map(System::as_str).collect();
    names.join(", ")
}

/// Scheme, host and port, and nothing else.
fn origin(text: &str) -> Result<(), String> {
    let wrong = || format!("expected the origin of a host, found `{text}`");
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let plain = url.origin().ascii_serialization() == text.trim_end_matches('/');
    if plain && matches!(url.scheme(), "http" | "https") { Ok(()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use pairline_sdk::{NodeDescription, NodeKind, PlatformKind, Ports, ProcessAction, Registry, Usage};

    use crate::finding::Finding;
    use crate::topology::{Feeds, Known, TopologyText, lint};

    use super::*;

    /// A component that reads systems.
    struct Reads(NodeDescription);

    impl NodeKind for Reads {
        fn describe(&self) -> &NodeDescription {
            &self.0
        }

        fn needs(&self) -> Option<&[Need]> {
            Some(&[Need::Applications])
        }

        fn make(&self, _: &Usage, _: &Ports) -> Result<Arc<dyn ProcessAction>, String> {
            Err("only described".to_owned())
        }
    }

    fn findings(with: &str, granted: &str) -> Vec<Finding> {
        let about = NodeDescription::new("match", "Looks for a record.", PlatformKind::Custom).optional_setting(
            "application",
            "Where.",
            SettingKind::Target,
        );
        let mut registry = Registry::new();
        drop(registry.put("./match.wasm", Arc::new(Reads(about))));
        let text = format!(
            "topology: small\ncontract: contact\nstart:\n  webhook: {{ application: crm, events: [made] }}\n  next: match\n\
             nodes:\n  match:\n    uses: ./match.wasm\n    with: {with}\n    grants: {{ applications: {granted} }}\n    next: end\n"
        );
        let (topology, broken) = TopologyText::parse("small.yaml", &text);
        assert!(broken.is_empty(), "{broken:?}");
        let feeds = || Feeds { webhooks: true, ..Feeds::default() };
        let applications = ["crm", "erp"].map(|system| (system.to_owned(), feeds())).into();
        let contracts = BTreeMap::from([("contact".to_owned(), None)]);
        let known = Known { registry: &registry, contracts: &contracts, applications: &applications };
        lint(&topology.unwrap(), &known)
    }

    #[test]
    fn a_grant_for_none_of_the_systems_that_the_settings_name_is_noticed() {
        let [apart] = &findings("{ application: erp }", "[crm]")[..] else { panic!("expected one finding") };

        assert!(!apart.is_error());
        assert_eq!(
            apart.to_string(),
            "small.yaml:10:15: the settings name `erp`, and `crm` is granted; grant what it is to reach: `applications: [erp]`"
        );
        assert_eq!(findings("{ application: wms }", "[crm]").len(), 1, "one mistake is told once");
        for (with, granted) in
            [("{ application: erp }", "[erp]"), ("{ application: erp }", "[crm, erp]"), ("{}", "[crm]")]
        {
            assert_eq!(findings(with, granted), [], "{with} {granted}");
        }
    }
}
