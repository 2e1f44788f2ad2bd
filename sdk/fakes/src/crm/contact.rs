//! A contact: how it is shown, and how properties sent by a caller become the texts that are stored.

use std::sync::Arc;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::records::State;
use crate::refused::Refused;
use crate::stamp;

/// Properties the CRM keeps itself; a caller that writes one is refused.
pub(crate) const READ_ONLY: [&str; 3] = ["hs_object_id", "createdate", "lastmodifieddate"];

/// One version of one contact, written out as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    pub(crate) state: Arc<State>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: String,
    properties: Properties<'a>,
    created_at: &'a str,
    updated_at: &'a str,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<&'a str>,
}

struct Properties<'a> {
    id: &'a str,
    state: &'a State,
    created: &'a str,
    modified: &'a str,
}

impl Serialize for Contact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let id = self.id.to_string();
        let created = stamp::to_text(self.state.created_ms);
        let modified = stamp::to_text(self.state.updated_ms);
        let shown = Shown {
            properties: Properties { id: &id, state: &self.state, created: &created, modified: &modified },
            id: id.clone(),
            created_at: &created,
            updated_at: &modified,
            archived: self.state.gone,
            // Nothing changes a contact that is archived.
            archived_at: self.state.gone.then_some(modified.as_str()),
        };
        shown.serialize(serializer)
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = &self.state.fields;
        let mut map = serializer.serialize_map(Some(fields.len() + READ_ONLY.len()))?;
        for (name, value) in fields {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("hs_object_id", self.id)?;
        map.serialize_entry("createdate", self.created)?;
        map.serialize_entry("lastmodifieddate", self.modified)?;
        map.end()
    }
}

/// The body of a create or an update.
#[derive(Debug, Deserialize)]
pub(crate) struct ContactBody {
    pub(crate) properties: Map<String, Value>,
}

impl ContactBody {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refused> {
        serde_json::from_slice(body)
            .map_err(|error| Refused::bad(format!("expected {{\"properties\":{{...}}}}, found {error}")))
    }
}

/// Texts stay, numbers and booleans become text, null and "" empty the property (null here).
pub(crate) fn stored_texts(sent: &Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    let mut texts = Map::with_capacity(sent.len());
    for (name, value) in sent {
        if READ_ONLY.contains(&name.as_str()) {
            return Err(Refused::bad(format!("property `{name}` is read only")));
        }
        texts.insert(name.clone(), text_stored(name, value)?);
    }
    Ok(texts)
}

pub(crate) fn text_stored(name: &str, value: &Value) -> Result<Value, Refused> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        Value::String(_) => value.clone(),
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(truth) => Value::String(truth.to_string()),
        Value::Array(_) | Value::Object(_) => {
            return Err(Refused::bad(format!("expected a text in property `{name}`, found {value}")));
        }
    })
}

/// Puts texts into stored properties and answers the names whose value changed.
pub(crate) fn apply(properties: &mut Map<String, Value>, texts: &Map<String, Value>) -> Vec<String> {
    let mut changed = Vec::new();
    for (name, text) in texts {
        let before = properties.get(name).unwrap_or(&Value::Null);
        if before == text {
            continue;
        }
        if text.is_null() {
            properties.shift_remove(name);
        } else {
            properties.insert(name.clone(), text.clone());
        }
        changed.push(name.clone());
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_texts_and_empty_ones_are_removed() {
        let sent = json!({"a": "x", "b": 12.5, "c": true, "d": "", "e": null, "f": "kept"});
        let mut properties = Map::new();
        properties.insert("d".to_owned(), json!("old"));
        properties.insert("f".to_owned(), json!("kept"));

        let texts = stored_texts(sent.as_object().unwrap()).unwrap();
        let changed = apply(&mut properties, &texts);

        assert_eq!(changed, ["a", "b", "c", "d"]);
        assert_eq!(Value::Object(properties), json!({"f": "kept", "a": "x", "b": "12.5", "c": "true"}));
    }

    #[test]
    fn a_property_the_crm_keeps_itself_and_a_nested_value_are_refused() {
        for sent in [json!({"hs_object_id": "1"}), json!({"a": {"b": 1}})] {
            assert_eq!(stored_texts(sent.as_object().unwrap()).unwrap_err().status, 400);
        }
    }
}
