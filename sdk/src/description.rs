//! What a node says about itself, as data: the linter, the docs and the platform read it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a node is. Everything here is data, so that a component can serve it too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeDescription {
    /// The kind a topology names in `uses`: a kebab-case verb or verb-noun.
    pub kind: String,
    /// One sentence: what it is for.
    pub about: String,
    /// What the platform takes it for.
    pub platform_kind: PlatformKind,
    /// What it does to the world; the linter reads this.
    pub effects: Vec<Effect>,
    /// The routes it may answer with. None: success goes to every follower.
    pub routes: Vec<Route>,
    /// The `with` block it takes.
    pub settings: Vec<Setting>,
    /// Whether it may be the first to run already at the door, while its event is still being taken: it needs nothing
    /// but the hint and a look at the store. If it ends the message there, nothing is left to wait for.
    #[serde(default)]
    pub at_the_door: bool,
}

/// What the platform takes a node for: its limiter never throttles a custom node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformKind {
    /// Works on the message alone, or on the store.
    Custom,
    /// Calls an application.
    Connector,
    /// Turns one message into many.
    Batch,
}

/// What a node does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Reads the store or an application.
    Reads,
    /// Creates a record in an application. The linter asks that a node that persists follows.
    Creates,
    /// Writes a pair into the id mapping.
    Persists,
    /// Marks a pair of the id mapping inactive.
    Deactivates,
    /// Writes to a record that exists in an application.
    Writes,
}

/// One way a message may leave a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its name under `next`.
    pub name: String,
    /// When it is taken.
    pub about: String,
    /// Where it leads when a topology does not wire it. None: it must be wired.
    pub default: Option<RouteDefault>,
}

/// Where a route leads that a topology leaves unwired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteDefault {
    /// The message has reached its end.
    End,
    /// The record is looked at again later.
    Repeat,
}

/// One key of a node's `with` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The key.
    pub name: String,
    /// What it decides.
    pub about: String,
    /// What its value must be.
    pub kind: SettingKind,
    /// Whether it may be left out.
    pub required: bool,
}

/// What the value of a setting must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// Any text.
    Text,
    /// A whole number that is not negative.
    Number,
    /// True or false.
    Flag,
    /// The name of an application the topologies know.
    Application,
    /// The application whose webhooks start the topology: a message is about one of its records.
    Source,
    /// The other application of the sync contract, where the counterparts are.
    Target,
    /// The name of a field the sync contract knows.
    Field,
    /// The field in which the sync contract keeps the other's id, in the node's `application`.
    InverseField,
}

impl NodeDescription {
    /// A description with neither effects, routes nor settings.
    pub fn new(kind: &str, about: &str, platform_kind: PlatformKind) -> Self {
        Self {
            kind: kind.to_owned(),
            about: about.to_owned(),
            platform_kind,
            effects: Vec::new(),
            routes: Vec::new(),
            settings: Vec::new(),
            at_the_door: false,
        }
    }

    /// May run at the door.
    #[must_use]
    pub fn at_the_door(mut self) -> Self {
        self.at_the_door = true;
        self
    }

    /// Adds an effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Adds a route that a topology must wire.
    #[must_use]
    pub fn route(mut self, name: &str, about: &str) -> Self {
        self.routes.push(Route { name: name.to_owned(), about: about.to_owned(), default: None });
        self
    }

    /// Adds a route that leads somewhere sensible when a topology does not wire it.
    #[must_use]
    pub fn route_or(mut self, name: &str, about: &str, default: RouteDefault) -> Self {
        self.routes.push(Route { name: name.to_owned(), about: about.to_owned(), default: Some(default) });
        self
    }

    /// Adds a setting that must be given.
    #[must_use]
    pub fn setting(mut self, name: &str, about: &str, kind: SettingKind) -> Self {
        self.settings.push(Setting { name: name.to_owned(), about: about.to_owned(), kind, required: true });
        self
    }

    /// Adds a setting that may be left out.
    #[must_use]
    pub fn optional_setting(mut self, name: &str, about: &str, kind: SettingKind) -> Self {
        self.settings.push(Setting { name: name.to_owned(), about: about.to_owned(), kind, required: false });
        self
    }

    /// The `with` block as a JSON Schema, for editors.
    pub fn settings_schema(&self) -> Value {
        let properties: serde_json::Map<String, Value> = self
            .settings
            .iter()
            .map(|setting| {
                let kind = match setting.kind {
                    SettingKind::Number => "integer",
                    SettingKind::Flag => "boolean",
                    SettingKind::Text
                    | SettingKind::Application
                    | SettingKind::Source
                    | SettingKind::Target
                    | SettingKind::Field
                    | SettingKind::InverseField => "string",
                };
                (setting.name.clone(), json!({ "type": kind, "description": setting.about }))
            })
            .collect();
        let required: Vec<&str> =
            self.settings.iter().filter(|setting| setting.required).map(|setting| setting.name.as_str()).collect();
        json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
    }
}
