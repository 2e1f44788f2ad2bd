//! What is wrong with the settings of a node.

use std::collections::BTreeSet;

use pairline_sdk::{NodeDescription, Setting, SettingKind, System};
use serde_json::Value;

use super::Lint;
use crate::finding::{code, suggest};
use crate::topology::document::NodeDocument;

impl Lint<'_> {
    pub(super) fn settings(&mut self, name: &str, node: &NodeDocument, description: &NodeDescription) {
        let empty = serde_json::Map::new();
        let with = match &node.with {
            Value::Object(with) => with,
            Value::Null => &empty,
            other => {
                let help = format!("write `with: {{ {} }}`", example(description));
                let message = format!("expected a map of settings, found {}", kind_of(other));
                return self.error(code::WRONG_SETTING, &["nodes", name, "with"], message, help);
            }
        };
        for key in with.keys() {
            if !description.settings.iter().any(|setting| setting.name == *key) {
                let settings = description.settings.iter().map(|setting| setting.name.as_str());
                let help = suggest(key, settings, "settings");
                let message = format!("node kind `{}` has no setting `{key}`", node.uses);
                self.key_error(code::UNKNOWN_SETTING, &["nodes", name, "with", key], message, help);
            }
        }
        for setting in &description.settings {
            match with.get(&setting.name) {
                Some(value) => self.setting(name, with, setting, value),
                None if setting.required => {
                    let message = format!("node `{name}` lacks the setting `{}`", setting.name);
                    let help = format!("add `{}: ..` to `with`: {}", setting.name, mid_sentence(&setting.about));
                    self.key_error(code::MISSING_SETTING, &["nodes", name, "with"], message, help);
                }
                None => {}
            }
        }
    }

    fn setting(&mut self, node: &str, with: &serde_json::Map<String, Value>, setting: &Setting, value: &Value) {
        let path = ["nodes", node, "with", setting.name.as_str()];
        let expected = match (setting.kind, value) {
            (SettingKind::Application, Value::String(application)) => {
                self.application(application, &path);
                return;
            }
            (SettingKind::Source | SettingKind::Target, Value::String(application)) => {
                return self.side(setting, application, &path);
            }
            (SettingKind::Field, Value::String(field)) => return self.field(field, with, &path),
            (SettingKind::InverseField, Value::String(field)) => return self.inverse_field(field, with, &path),
            (SettingKind::Text, Value::String(_)) | (SettingKind::Flag, Value::Bool(_)) => return,
            (SettingKind::Number, Value::Number(number)) if number.is_u64() => return,
            (SettingKind::Text, _) => "text",
            (SettingKind::Number, _) => "a whole number that is not negative",
            (SettingKind::Flag, _) => "true or false",
            (SettingKind::Application | SettingKind::Source | SettingKind::Target, _) => "the name of an application",
            (SettingKind::Field | SettingKind::InverseField, _) => "the name of a field",
        };
        let message = format!("`{}` takes {expected}, found {}", setting.name, kind_of(value));
        let help = format!("{}: {}", setting.name, mid_sentence(&setting.about));
        self.error(code::WRONG_SETTING, &path, message, help);
    }

    /// Whether this application may be meant; if not, what is wrong with it is said.
    pub(super) fn application(&mut self, name: &str, path: &[&str]) -> bool {
        if !self.known.applications.contains_key(name) {
            let help = suggest(name, self.known.applications.keys().map(String::as_str), "applications");
            self.error(code::UNKNOWN_APPLICATION, path, format!("no description of an application `{name}`"), help);
            return false;
        }
        if let Some(contract) = self.contract
            && !contract.covers(&System::new(name))
        {
            let [one, other] = contract.systems();
            let message = format!("the sync contract `{}` is not about `{name}`", contract.name());
            self.error(code::NOT_IN_CONTRACT, path, message, format!("it is about `{one}` and `{other}`"));
            return false;
        }
        true
    }

    /// A message is about a record of the application that starts the topology. A node that is turned round would look
    /// for that record's counterpart where the record itself is, and make a second one there.
    fn side(&mut self, setting: &Setting, named: &str, path: &[&str]) {
        let may_be_meant = self.application(named, path);
        let start = System::new(self.topology.document.start.application());
        let Some(contract) = self.contract.filter(|contract| contract.covers(&start)) else { return };
        let side = if setting.kind == SettingKind::Source { &start } else { contract.other(&start) };
        if may_be_meant && side.as_str() != named {
            let message = format!("`{}` is `{side}` here, found `{named}`", setting.name);
            let about = mid_sentence(&setting.about);
            let help = format!("{}: {about}; the topology starts with records of `{start}`", setting.name);
            self.error(code::WRONG_SIDE, path, message, help);
        }
    }

    /// The other's id goes where the contract says, and nowhere else: in any other field it would be taken for a value.
    fn inverse_field(&mut self, field: &str, with: &serde_json::Map<String, Value>, path: &[&str]) {
        let (Some(contract), Some(application)) = (self.contract, with.get("application").and_then(Value::as_str))
        else {
            return;
        };
        let system = System::new(application);
        if !contract.covers(&system) {
            return;
        }
        let kept_in = contract.inverse_field(&system);
        if kept_in != Some(field) {
            let message = format!("the sync contract `{}` keeps no id in `{field}` of `{system}`", contract.name());
            let help = match kept_in {
                Some(kept_in) => format!("it keeps the other's id in `{kept_in}`"),
                None => format!("it keeps none in `{system}`: drop the node, or add the field to `inverse`"),
            };
            self.error(code::NOT_THE_INVERSE, path, message, help);
        }
    }

    /// A field is named as the contract calls it, or as the application does whose node this is.
    fn field(&mut self, field: &str, with: &serde_json::Map<String, Value>, path: &[&str]) {
        let Some(contract) = self.contract else { return };
        let own = with.get("application").and_then(Value::as_str).map(System::new);
        let systems: Vec<&System> = match own.as_ref().filter(|system| contract.covers(system)) {
            Some(system) => vec![system],
            None => contract.systems().iter().collect(),
        };
        let mut names: BTreeSet<&str> = contract.fields().iter().map(pairline_sdk::Field::name).collect();
        for system in systems {
            names.extend(contract.inverse_field(system));
            names.extend(contract.fields().iter().flat_map(|field| field.names(contract, system)).map(String::as_str));
        }
        if !names.contains(field) {
            let message = format!("the sync contract `{}` has no field `{field}`", contract.name());
            self.error(code::UNKNOWN_FIELD, path, message, suggest(field, names, "fields"));
        }
    }
}

fn example(description: &NodeDescription) -> String {
    let settings: Vec<String> = description.settings.iter().map(|setting| format!("{}: ..", setting.name)).collect();
    settings.join(", ")
}

/// A sentence of a description within one of ours.
fn mid_sentence(about: &str) -> String {
    let mut letters = about.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        other => format!("`{}`", other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
}
