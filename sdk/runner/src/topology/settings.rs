//! What is wrong with the settings of a node: in a topology, and where a node runs by itself.

use std::collections::BTreeSet;

use pairline_sdk::{Misfit, NodeDescription, NodeKind, Setting, SettingKind, SyncContract, System};
use serde_json::{Map, Value};

use crate::finding::{code, suggest};
use crate::yaml::shown;

/// The settings of one use of a kind.
pub(crate) struct Settings<'a> {
    /// What the use is called.
    pub(crate) name: &'a str,
    /// What it uses.
    pub(crate) uses: &'a str,
    /// What that is.
    pub(crate) kind: &'a dyn NodeKind,
    /// The `with` block.
    pub(crate) with: &'a Value,
}

/// What settings speak of.
pub(crate) struct Around<'a> {
    /// The sync contract; none if it is wrong itself.
    pub(crate) contract: Option<&'a SyncContract>,
    /// The applications that have a description.
    pub(crate) applications: Vec<&'a str>,
    /// The one whose records come in, if that is known.
    pub(crate) start: Option<System>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What would have been right.
    pub(crate) help: String,
}

/// One thing that is wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongSetting {
    /// Keys from the top of the `with` block to the place.
    pub(crate) path: Vec<String>,
    /// Whether the last key is to blame and not what stands there.
    pub(crate) key: bool,
    pub(crate) what: Wrong,
}

impl Around<'_> {
    /// What is wrong with the name of an application that somebody means.
    pub(crate) fn application(&self, name: &str) -> Option<Wrong> {
        if !self.applications.contains(&name) {
            let message = format!("no description of an application `{name}`");
            let help = suggest(name, self.applications.iter().copied(), "applications");
            return Some(Wrong { code: code::UNKNOWN_APPLICATION, message, help });
        }
        let contract = self.contract.filter(|contract| !contract.covers(&System::new(name)))?;
        let [one, other] = contract.systems();
        let message = format!("the sync contract `{}` is not about `{name}`", contract.name());
        Some(Wrong { code: code::NOT_IN_CONTRACT, message, help: format!("it is about `{one}` and `{other}`") })
    }
}

impl Settings<'_> {
    /// Everything that is wrong with them: by the description of the kind, and by what else the kind says of them.
    pub(crate) fn wrong(&self, around: &Around<'_>) -> Vec<WrongSetting> {
        let mut held = Held { settings: self, around, wrong: Vec::new() };
        held.against_the_description();
        held.against_the_schema();
        held.wrong
    }
}

/// Settings that are held against something.
struct Held<'a> {
    settings: &'a Settings<'a>,
    around: &'a Around<'a>,
    wrong: Vec<WrongSetting>,
}

impl Held<'_> {
    fn error(&mut self, code: &'static str, setting: &str, message: String, help: String) {
        let what = Wrong { code, message, help };
        self.wrong.push(WrongSetting { path: vec![setting.to_owned()], key: false, what });
    }

    fn key_error(&mut self, code: &'static str, path: &[&str], message: String, help: String) {
        let path = path.iter().copied().map(str::to_owned).collect();
        self.wrong.push(WrongSetting { path, key: true, what: Wrong { code, message, help } });
    }

    fn against_the_description(&mut self) {
        let Settings { name, uses, kind, with } = self.settings;
        let description = kind.describe();
        let empty = Map::new();
        let with = match with {
            Value::Object(with) => with,
            Value::Null => &empty,
            other => {
                let help = format!("write `with: {{ {} }}`", example(description));
                let message = format!("expected a map of settings, found {}", kind_of(other));
                let what = Wrong { code: code::WRONG_SETTING, message, help };
                return self.wrong.push(WrongSetting { path: Vec::new(), key: false, what });
            }
        };
        for key in with.keys() {
            if !description.settings.iter().any(|setting| setting.name == *key) {
                let settings = description.settings.iter().map(|setting| setting.name.as_str());
                let help = suggest(key, settings, "settings");
                let message = format!("node kind `{uses}` has no setting `{key}`");
                self.key_error(code::UNKNOWN_SETTING, &[key], message, help);
            }
        }
        for setting in &description.settings {
            match with.get(&setting.name) {
                Some(value) => self.setting(with, setting, value),
                None if setting.required => {
                    let message = format!("node `{name}` lacks the setting `{}`", setting.name);
                    let help = format!("add `{}: ..` to `with`: {}", setting.name, mid_sentence(&setting.about));
                    self.key_error(code::MISSING_SETTING, &[], message, help);
                }
                None => {}
            }
        }
    }

    fn setting(&mut self, with: &Map<String, Value>, setting: &Setting, value: &Value) {
        let expected = match (setting.kind, value) {
            (SettingKind::Application, Value::String(application)) => {
                self.application(setting, application);
                return;
            }
            (SettingKind::Source | SettingKind::Target, Value::String(application)) => {
                return self.side(setting, application);
            }
            (SettingKind::Field, Value::String(field)) => return self.field(setting, field, with),
            (SettingKind::InverseField, Value::String(field)) => return self.inverse_field(setting, field, with),
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
        self.error(code::WRONG_SETTING, &setting.name, message, help);
    }

    /// Whether this application may be meant; if not, what is wrong with it is said.
    fn application(&mut self, setting: &Setting, named: &str) -> bool {
        let wrong = self.around.application(named);
        let may_be_meant = wrong.is_none();
        let path = vec![setting.name.clone()];
        self.wrong.extend(wrong.map(|what| WrongSetting { path, key: false, what }));
        may_be_meant
    }

    /// A message is about a record of the application that starts the topology. A node that is turned round would look
    /// for that record's counterpart where the record itself is, and make a second one there.
    fn side(&mut self, setting: &Setting, named: &str) {
        let may_be_meant = self.application(setting, named);
        let Some(start) = &self.around.start else { return };
        let Some(contract) = self.around.contract.filter(|contract| contract.covers(start)) else { return };
        let side = if setting.kind == SettingKind::Source { start } else { contract.other(start) };
        if may_be_meant && side.as_str() != named {
            let message = format!("`{}` is `{side}` here, found `{named}`", setting.name);
            let about = mid_sentence(&setting.about);
            let help = format!("{}: {about}; the topology starts with records of `{start}`", setting.name);
            self.error(code::WRONG_SIDE, &setting.name, message, help);
        }
    }

    /// The other's id goes where the contract says, and nowhere else: in any other field it would be taken for a value.
    fn inverse_field(&mut self, setting: &Setting, field: &str, with: &Map<String, Value>) {
        let application = with.get("application").and_then(Value::as_str);
        let (Some(contract), Some(application)) = (self.around.contract, application) else { return };
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
            self.error(code::NOT_THE_INVERSE, &setting.name, message, help);
        }
    }

    /// A field is named as the contract calls it, or as the application does whose node this is.
    fn field(&mut self, setting: &Setting, field: &str, with: &Map<String, Value>) {
        let Some(contract) = self.around.contract else { return };
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
            self.error(code::UNKNOWN_FIELD, &setting.name, message, suggest(field, names, "fields"));
        }
    }

    /// What a component's own schema says about them.
    fn against_the_schema(&mut self) {
        let Settings { uses, kind, with, .. } = self.settings;
        let nothing = Value::Object(Map::new());
        let with = if with.is_null() { &nothing } else { *with };
        for Misfit { path, message } in kind.misfits(with) {
            let help = format!("as the component `{uses}` says of its settings");
            let what = Wrong { code: code::WRONG_SETTING, message, help };
            self.wrong.push(WrongSetting { path, key: false, what });
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
        Value::String(text) => shown(text, true),
        other => format!("`{other}`"),
    }
}
