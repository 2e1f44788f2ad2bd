//! Everything that can be wrong with a contract as it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::field::FieldSide;
use super::{ContractDocument, Field, FieldDocument, FieldKind, Owner, Policy, SyncContract, Transform, Written};
use crate::System;

/// What is wrong with a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractProblem {
    /// Keys from the top of the document to the place, such as `["fields", "phone", "owner"]`.
    pub path: Vec<String>,
    /// What is wrong there.
    pub message: String,
    /// What would have been right.
    pub help: String,
    /// The key that is missing, when the problem is only that. Whoever has read the document from a text knows whether it
    /// is written there and could not be read; then the problem is another.
    pub for_want_of: Option<Vec<String>>,
}

impl ContractProblem {
    /// It is there only because this key is missing.
    fn is_for_want_of(&mut self, key: &[&str]) {
        self.for_want_of = Some(owned(key));
    }
}

/// Checks a contract and makes it usable, or answers everything that is wrong with it.
pub(super) fn check(document: &ContractDocument) -> Result<SyncContract, Vec<ContractProblem>> {
    Check { document, problems: Vec::new() }.run()
}

struct Check<'a> {
    document: &'a ContractDocument,
    problems: Vec<ContractProblem>,
}

impl Check<'_> {
    fn run(mut self) -> Result<SyncContract, Vec<ContractProblem>> {
        if self.document.contract.is_empty() {
            let help = "topologies refer to it by its name".to_owned();
            self.problem(&["contract"], "the contract has no name".to_owned(), help);
        }
        let systems = self.systems();
        self.inverse(&systems);
        let fields: Vec<Field> =
            self.document.fields.iter().filter_map(|(name, field)| self.field(name, field, &systems)).collect();
        self.claimed_twice(&systems);
        self.within_each_other(&systems);
        match <[System; 2]>::try_from(systems) {
            Ok(systems) if self.problems.is_empty() => {
                let inverse = [0, 1].map(|side: usize| self.document.inverse.get(&systems[side]).cloned());
                let document = Arc::new(self.document.clone());
                Ok(SyncContract { name: self.document.contract.clone(), systems, inverse, fields, document })
            }
            _ => Err(self.problems),
        }
    }

    fn problem(&mut self, path: &[&str], message: String, help: String) -> &mut ContractProblem {
        self.problems.push_mut(ContractProblem { path: owned(path), message, help, for_want_of: None })
    }

    fn systems(&mut self) -> Vec<System> {
        let systems = self.document.systems.clone();
        if systems.len() != 2 || systems[0] == systems[1] {
            let found = list(&systems);
            self.problem(
                &["systems"],
                format!("expected two different systems, found {found}"),
                "a contract is between two systems; write one contract per pair of systems".to_owned(),
            )
            .is_for_want_of(&["systems"]);
        }
        systems
    }

    fn inverse(&mut self, systems: &[System]) {
        for system in self.document.inverse.keys() {
            if !systems.contains(system) {
                self.problem(
                    &["inverse", system.as_str()],
                    format!("the contract is not about a system `{system}`"),
                    format!("one of {}", list(systems)),
                );
            }
        }
    }

    fn field(&mut self, name: &str, field: &FieldDocument, systems: &[System]) -> Option<Field> {
        for system in field.names.keys().chain(field.written.keys()) {
            if !systems.contains(system) {
                self.problem(
                    &["fields", name, "in"],
                    format!("the contract is not about a system `{system}`"),
                    format!("one of {}", list(systems)),
                );
            }
        }
        let mut sides = Vec::new();
        for system in systems {
            match field.names.get(system) {
                Some(names) if !names.0.is_empty() => {
                    let written = field.written.get(system).copied().unwrap_or_else(|| field.kind.written());
                    sides.push(FieldSide { names: names.0.clone(), written });
                }
                _ => {
                    self.problem(
                        &["fields", name, "in"],
                        format!("`{name}` has no name in `{system}`"),
                        format!("add `{system}: <field>` to `in`"),
                    )
                    .is_for_want_of(&["fields", name, "in", system.as_str()]);
                }
            }
        }
        let several = sides.iter().any(|side| side.names.len() > 1);
        if several && !field.transform.contains(&Transform::JoinWords) {
            self.problem(
                &["fields", name],
                format!("`{name}` is several fields in one system and nothing says how they join"),
                "add `transform: [join-words]`".to_owned(),
            )
            .is_for_want_of(&["fields", name, "transform"]);
        }
        self.kind(name, field, several);
        let owner = self.owner(name, field, systems)?;
        let sides = <[FieldSide; 2]>::try_from(sides).ok()?;
        Some(Field {
            name: name.to_owned(),
            owner,
            kind: field.kind,
            violation: field.violation,
            transform: field.transform.clone(),
            sides,
        })
    }

    /// What a kind of value cannot be: it would be lost on the way, or come back as another value.
    fn kind(&mut self, name: &str, field: &FieldDocument, several: bool) {
        let is_set = field.kind == FieldKind::Set;
        if several && (is_set || field.kind == FieldKind::Boolean) {
            let message = format!("`{name}` is several fields in one system, and only texts can be joined");
            self.problem(&["fields", name], message, "give it one name in each system".to_owned());
        }
        if !is_set && field.written.values().any(|written| *written == Written::List) {
            let message = format!("`{name}` is written as a list and is no set");
            self.problem(&["fields", name, "as"], message, "add `type: set`, or write it as text".to_owned())
                .is_for_want_of(&["fields", name, "type"]);
        }
        if field.kind != FieldKind::Decimal && field.written.values().any(|written| *written == Written::Comma) {
            let message = format!("`{name}` is written with a decimal comma and is no number");
            self.problem(&["fields", name, "as"], message, "add `type: decimal`, or write it as text".to_owned())
                .is_for_want_of(&["fields", name, "type"]);
        }
        if !is_set && field.policy == Some(Policy::SetUnion) {
            let message = format!("`{name}` is no set, so there is no union of two of them");
            self.problem(&["fields", name, "policy"], message, "add `type: set`, or choose another policy".to_owned())
                .is_for_want_of(&["fields", name, "type"]);
        }
        if field.transform.contains(&Transform::Uppercase) && field.transform.contains(&Transform::Lowercase) {
            let message = format!("`{name}` cannot be upper and lower case");
            self.problem(&["fields", name, "transform"], message, "keep one of the two".to_owned());
        }
    }

    fn owner(&mut self, name: &str, field: &FieldDocument, systems: &[System]) -> Option<Owner> {
        if field.owner.as_str() == "shared" {
            let Some(policy) = field.policy.clone() else {
                self.problem(
                    &["fields", name, "owner"],
                    format!("`{name}` is shared and nothing says who wins when both sides changed"),
                    "add `policy: newest`, `prefer <system>`, `set-union`, `max` or `ask`".to_owned(),
                )
                .is_for_want_of(&["fields", name, "policy"]);
                return None;
            };
            if let Policy::Prefer(system) = &policy
                && !systems.contains(system)
            {
                self.problem(
                    &["fields", name, "policy"],
                    format!("the contract is not about a system `{system}`"),
                    format!("one of {}", list(systems)),
                );
            }
            return Some(Owner::Shared(policy));
        }
        if !systems.contains(&field.owner) {
            self.problem(
                &["fields", name, "owner"],
                format!("`{}` cannot own `{name}`", field.owner),
                format!("one of {} or `shared`", list(systems)),
            );
            return None;
        }
        if field.policy.is_some() {
            self.problem(
                &["fields", name, "policy"],
                format!("`{name}` has one owner, so there is nothing to decide"),
                "drop `policy`, or make the owner `shared`".to_owned(),
            );
        }
        Some(Owner::System(field.owner.clone()))
    }

    /// A system's field that two meanings claim would have two owners, and each sync would undo the other.
    fn claimed_twice(&mut self, systems: &[System]) {
        for system in systems {
            let mut claimed: BTreeMap<&str, &str> = BTreeMap::new();
            let mut twice = Vec::new();
            if let Some(inverse) = self.document.inverse.get(system) {
                claimed.insert(inverse, "the inverse id");
            }
            for (name, field) in &self.document.fields {
                for own in field.names.get(system).into_iter().flat_map(|names| &names.0) {
                    if let Some(first) = claimed.insert(own, name) {
                        twice.push((name.clone(), own.clone(), first.to_owned()));
                    }
                }
            }
            for (name, own, first) in twice {
                self.problem(
                    &["fields", &name, "in"],
                    format!("`{own}` of `{system}` is claimed by `{first}` and by `{name}`: it would have two owners"),
                    "a system's field belongs to one meaning".to_owned(),
                );
            }
        }
    }
}

impl Check<'_> {
    /// What cannot be written: a name with nothing between its dots, or a value that would have to hold another one.
    fn within_each_other(&mut self, systems: &[System]) {
        let mut problems = Vec::new();
        for system in systems {
            let mut names: Vec<(Vec<&str>, &str)> = Vec::new();
            for (field, written) in &self.document.fields {
                let own = written.names.get(system).into_iter().flat_map(|names| &names.0);
                names.extend(own.map(|own| (vec!["fields", field.as_str(), "in"], own.as_str())));
            }
            let inverse = self.document.inverse.get(system);
            names.extend(inverse.map(|inverse| (vec!["inverse", system.as_str()], inverse.as_str())));
            for (path, name) in &names {
                if name.split('.').any(str::is_empty) {
                    let message = format!("`{name}` of `{system}` is no name of a field");
                    problems.push((path.clone(), message, "expected words, with dots between them at most".to_owned()));
                }
                let inside = |(_, other): &&(Vec<&str>, &str)| {
                    name.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'))
                };
                if let Some((_, other)) = names.iter().find(inside) {
                    let message = format!("`{name}` of `{system}` is within `{other}`, which is a value");
                    problems.push((path.clone(), message, "a field that holds others has no value itself".to_owned()));
                }
            }
        }
        for (path, message, help) in problems {
            self.problem(&path, message, help);
        }
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

fn list(systems: &[System]) -> String {
    systems.iter().map(|system| format!("`{system}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Names;

    #[test]
    fn a_field_two_meanings_claim_is_refused() {
        let mut document = crate::testing::contact_document();
        document.fields.get_mut("vat_id").unwrap().names.insert(System::new("erp"), Names(vec!["email".into()]));

        let problems = SyncContract::check(&document).unwrap_err();

        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("two owners"), "{}", problems[0].message);
        assert_eq!(problems[0].path, ["fields", "vat_id", "in"]);
    }

    #[test]
    fn a_value_that_would_not_come_back_as_it_was_is_refused() {
        let problem = |field: serde_json::Value| {
            let document = json!({ "contract": "c", "systems": ["crm", "erp"], "fields": { "f": field } });
            let problems = SyncContract::check(&serde_json::from_value(document).unwrap()).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            problems[0].message.clone()
        };
        let one = json!({ "crm": "a", "erp": "b" });
        let two = json!({ "crm": ["a", "c"], "erp": "b" });

        for kind in ["boolean", "set"] {
            let joined = json!({ "owner": "crm", "in": two, "type": kind, "transform": ["join-words"] });
            assert!(problem(joined).contains("only texts can be joined"));
        }
        assert!(problem(json!({ "owner": "crm", "in": one, "as": { "erp": "list" } })).contains("no set"));
        assert!(problem(json!({ "owner": "shared", "policy": "set-union", "in": one })).contains("no union"));
        let both = json!({ "owner": "crm", "in": one, "transform": ["uppercase", "lowercase"] });
        assert!(problem(both).contains("upper and lower"));
    }

    #[test]
    fn names_that_cannot_be_written_are_refused() {
        let problems = |crm: &str, inverse: &str| {
            let document = json!({
                "contract": "c",
                "systems": ["crm", "erp"],
                "inverse": { "crm": inverse },
                "fields": { "f": { "owner": "crm", "in": { "crm": crm, "erp": "b" } } },
            });
            SyncContract::check(&serde_json::from_value(document).unwrap()).err().unwrap_or_default()
        };

        assert_eq!(problems("a.b", "a.c"), []);
        assert_eq!(problems("a.b", "a.bc"), []);
        for (crm, inverse) in [("", "x"), ("a.", "x"), (".a", "x"), ("a..b", "x"), ("a.b", "a"), ("a", "a.b.c")] {
            assert_eq!(problems(crm, inverse).len(), 1, "{crm}, {inverse}");
        }
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let document: ContractDocument = serde_json::from_value(json!({
            "contract": "contact",
            "systems": ["crm", "erp"],
            "fields": {
                "email": { "owner": "shop", "in": { "crm": "email", "erp": "email" } },
                "phone": { "owner": "shared", "in": { "crm": "phone" } },
            }
        }))
        .unwrap();

        let problems = SyncContract::check(&document).unwrap_err();

        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
