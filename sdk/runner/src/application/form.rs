//! A field that is sent and answered in a form of its own: as one of a list, with something before it, within another thing.

use pairline_sdk::Fields;
use serde_json::{Map, Value};

use super::json;
use super::pointer::Pointer;
use super::template::{BodyTemplate, Template};

/// The place of the value in a form.
pub(super) const VALUE: &str = "value";

/// The form of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    /// The field, as a contract calls it.
    pub(super) name: String,
    /// Where in a record it is.
    pub(super) at: Pointer,
    /// There is a list there, and this is where in each of its items.
    pub(super) each: Option<Pointer>,
    /// The text that is there.
    pub(super) is: Template,
    /// What is sent.
    pub(super) sent: BodyTemplate,
}

impl Form {
    /// The value in a record. A text that is not in this form is something else's.
    pub(super) fn read(&self, record: &Value) -> Option<String> {
        let found = self.at.of(record)?;
        let value = |text: &Value| self.is.matched(&json::plain_text(text)?).map(str::to_owned);
        match (&self.each, found) {
            (None, found) => value(found),
            (Some(each), Value::Array(items)) => items.iter().find_map(|item| value(each.of(item)?)),
            (Some(_), _) => None,
        }
    }
}

/// Puts fields that have a form into a body; the others are answered.
///
/// # Errors
///
/// One line when a field is to be emptied, which a form cannot say.
pub(super) fn put_forms(forms: &[Form], target: &mut Map<String, Value>, fields: &Fields) -> Result<Fields, String> {
    let mut rest = fields.clone();
    for form in forms {
        let Some(value) = rest.swap_remove(&form.name) else { continue };
        let text = json::plain_text(&value).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| format!("expected a text for `{}`, found none", form.name))?;
        let Some(Value::Object(sent)) = form.sent.fill(&[(VALUE, &text)]) else { continue };
        for (key, value) in sent {
            match (target.get_mut(&key), value) {
                // Two fields of one list.
                (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
                (_, value) => {
                    target.insert(key, value);
                }
            }
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(name: &str, before: &str) -> Form {
        let text = format!("{before}{{value}}");
        Form {
            name: name.to_owned(),
            at: Pointer::parse("/ids").unwrap(),
            each: Some(Pointer::parse("/code").unwrap()),
            is: Template::parse(&text, &[VALUE]).unwrap(),
            sent: BodyTemplate::parse(&json!({ "ids": [["create", { "code": text }]] }), &[VALUE]).unwrap(),
        }
    }

    #[test]
    fn one_of_a_list_is_known_by_what_stands_before_it() {
        let record =
            |codes: &[&str]| json!({ "ids": codes.iter().map(|code| json!({ "code": code })).collect::<Value>() });

        assert_eq!(form("crm_id", "crm:").read(&record(&["CZ123", "crm:7", "crm:8"])).as_deref(), Some("7"));
        assert_eq!(form("crm_id", "crm:").read(&record(&["CZ123"])), None);
        assert_eq!(form("crm_id", "crm:").read(&json!({ "ids": "crm:7" })), None);
    }

    #[test]
    fn two_forms_of_one_list_are_sent_together_and_the_rest_is_left() {
        let fields = json!({ "crm_id": "7", "vat": "CZ1", "name": "Ada" }).as_object().unwrap().clone();
        let mut body = Map::new();

        let rest = put_forms(&[form("crm_id", "crm:"), form("vat", "vat:")], &mut body, &fields).unwrap();

        assert_eq!(json!(rest), json!({ "name": "Ada" }));
        let sent = json!({ "ids": [["create", { "code": "crm:7" }], ["create", { "code": "vat:CZ1" }]] });
        assert_eq!(json!(body), sent);
        let emptied = json!({ "vat": null }).as_object().unwrap().clone();
        assert!(put_forms(&[form("vat", "")], &mut body, &emptied).is_err());
    }
}
