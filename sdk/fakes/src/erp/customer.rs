//! A customer: its id, how it is shown, and what may be stored in it.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::records::State;
use crate::refused::Refused;
use crate::stamp;

/// Fields the ERP keeps itself; a caller that writes one is refused.
const READ_ONLY: [&str; 3] = ["id", "created_at", "updated_at"];
const TEXTS: [&str; 6] = ["name", "email", "phone", "billing_email", "vat_id", "dunning_state"];
const CUSTOM_FIELDS: &str = "custom_fields";

pub(crate) fn id_text(number: u64) -> String {
    format!("WHS-{number:06}")
}

/// Only the text the ERP itself gives: `WHS-1` is not an id.
pub(crate) fn id_number(text: &str) -> Option<u64> {
    let number = text.strip_prefix("WHS-")?.parse().ok()?;
    (id_text(number) == text).then_some(number)
}

/// One version of one customer, written out as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) number: u64,
    pub(crate) state: Arc<State>,
}

impl Serialize for Customer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = &self.state.fields;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &id_text(self.number))?;
        for (name, value) in fields {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("created_at", &stamp::to_text(self.state.created_ms))?;
        map.serialize_entry("updated_at", &stamp::to_text(self.state.updated_ms))?;
        map.end()
    }
}

/// A new customer's fields. It always has `custom_fields`, empty or not.
pub(crate) fn new_fields(sent: &Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    let mut fields = Map::with_capacity(sent.len() + 1);
    merge(&mut fields, sent)?;
    if !fields.contains_key(CUSTOM_FIELDS) {
        fields.insert(CUSTOM_FIELDS.to_owned(), Value::Object(Map::new()));
    }
    Ok(fields)
}

/// What a system that tidies makes of texts it is given.
pub(crate) fn tidied(sent: &Map<String, Value>) -> Map<String, Value> {
    let tidied = |(name, value): (&String, &Value)| {
        let text = value.as_str().map(|text| match name.as_str() {
            "email" => text.trim().to_lowercase(),
            "phone" => text.chars().filter(|one| *one != ' ').collect(),
            _ => text.to_owned(),
        });
        (name.clone(), text.map_or_else(|| value.clone(), Value::String))
    };
    sent.iter().map(tidied).collect()
}

/// Replaces top-level fields, merges `custom_fields` (null takes a custom field away), and answers the names
/// of the top-level fields whose value changed.
pub(crate) fn merge(fields: &mut Map<String, Value>, sent: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    let mut changed = Vec::new();
    for (name, value) in sent {
        check(name, value)?;
        let before = fields.get(name);
        let after = match (name.as_str(), value) {
            (CUSTOM_FIELDS, Value::Object(custom)) => merged_custom(before, custom),
            _ => value.clone(),
        };
        if before.unwrap_or(&Value::Null) != &after {
            changed.push(name.clone());
        }
        fields.insert(name.clone(), after);
    }
    Ok(changed)
}

fn merged_custom(before: Option<&Value>, sent: &Map<String, Value>) -> Value {
    let before = before.and_then(Value::as_object);
    let mut custom = before.cloned().unwrap_or_default();
    for (name, value) in sent {
        if value.is_null() {
            custom.shift_remove(name);
        } else {
            custom.insert(name.clone(), value.clone());
        }
    }
    Value::Object(custom)
}

fn check(name: &str, value: &Value) -> Result<(), Refused> {
    if READ_ONLY.contains(&name) {
        return Err(Refused::bad(format!("field `{name}` is read only")));
    }
    let (fits, expected) = match name {
        CUSTOM_FIELDS => (value.is_object(), "an object"),
        "credit_limit" => (value.is_number() || value.is_null(), "a number or null"),
        _ if TEXTS.contains(&name) => (value.is_string() || value.is_null(), "a text or null"),
        _ => (true, "anything"),
    };
    if fits {
        return Ok(());
    }
    Err(Refused::bad(format!("expected {expected} in `{name}`, found {value}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn top_level_fields_are_replaced_and_custom_fields_merged() {
        let mut fields = object(json!({
            "name": "Ada", "phone": "1", "custom_fields": {"crm_id": "101", "sync_origin": "x"}
        }));

        let sent = json!({"name": "Ada", "phone": null, "custom_fields": {"sync_origin": "y"}});
        let changed = merge(&mut fields, &object(sent)).unwrap();

        assert_eq!(changed, ["phone", "custom_fields"]);
        assert_eq!(
            Value::Object(fields),
            json!({"name": "Ada", "phone": null, "custom_fields": {"crm_id": "101", "sync_origin": "y"}})
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused() {
        for sent in [
            json!({"credit_limit": "900"}),
            json!({"name": 1}),
            json!({"custom_fields": null}),
            json!({"id": "WHS-000001"}),
        ] {
            assert_eq!(new_fields(&object(sent)).unwrap_err().status, 400);
        }
    }

    #[test]
    fn a_tidied_text_is_the_same_in_another_spelling() {
        let sent = json!({"email": " Ada@Example.com", "phone": "+420 1 23", "name": "Ada L", "vat_id": null});

        let kept = tidied(&object(sent));

        assert_eq!(
            Value::Object(kept),
            json!({"email": "ada@example.com", "phone": "+420123", "name": "Ada L", "vat_id": null})
        );
    }

    #[test]
    fn an_id_has_six_digits_and_no_other_spelling() {
        assert_eq!(id_text(1), "WHS-000001");
        assert_eq!(id_number("WHS-000001"), Some(1));
        assert_eq!(id_number("WHS-1234567"), Some(1_234_567));
        assert_eq!(id_number("WHS-1"), None);
        assert_eq!(id_number("101"), None);
    }
}
