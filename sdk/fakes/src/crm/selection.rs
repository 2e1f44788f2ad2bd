//! Selection: which properties of a contact an answer shows, and of which ones the history.
//!
//! Whoever asks for nothing in particular is shown all properties, or six of them, as HubSpot does.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::crm::contact::{Contact, READ_ONLY};
use crate::crm::contacts::Contacts;
use crate::query::{Pairs, all};

/// What is shown beside what nobody can write, where nobody asks.
const USUAL: [&str; 3] = ["email", "firstname", "lastname"];

#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    properties: Vec<String>,
    with_history: Vec<String>,
}

impl Selection {
    pub(crate) fn new(properties: Vec<String>, with_history: Vec<String>) -> Self {
        Self { properties, with_history }
    }

    pub(crate) fn of_query(params: &Pairs) -> Self {
        Self::new(all(params, "properties"), all(params, "propertiesWithHistory"))
    }

    pub(crate) fn answered(&self, contacts: &Contacts, contact: &Contact) -> Response {
        if self.properties.is_empty() && self.with_history.is_empty() && !contacts.usual_properties_only {
            return Json(contact).into_response();
        }
        Json(self.shown(contacts, contact)).into_response()
    }

    /// The contact as it is answered. A property that was asked for and has no value is null.
    pub(crate) fn shown(&self, contacts: &Contacts, contact: &Contact) -> Value {
        let mut shown = json!(contact);
        let is_narrowed = !self.properties.is_empty() || contacts.usual_properties_only;
        if let Some(properties) = shown["properties"].as_object_mut().filter(|_| is_narrowed) {
            let usual = USUAL.iter().copied().filter(|_| self.properties.is_empty());
            let own = self.properties.iter().chain(&self.with_history).map(String::as_str);
            let asked: Vec<&str> = usual.chain(own).collect();
            properties.retain(|name, _| READ_ONLY.contains(&name.as_str()) || asked.contains(&name.as_str()));
            for name in asked.into_iter().filter(|name| contacts.has_property(name)) {
                properties.entry(name).or_insert(Value::Null);
            }
        }
        if !self.with_history.is_empty() {
            let known = self.with_history.iter().filter(|name| contacts.has_property(name));
            shown["propertiesWithHistory"] =
                known.map(|name| (name.clone(), json!(contacts.past_values(contact.id, name)))).collect();
        }
        shown
    }
}
