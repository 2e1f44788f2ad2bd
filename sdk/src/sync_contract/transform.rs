//! The closed list of transforms, and how several names are one text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::value::{as_text, text_or_nothing};
use crate::Fields;

/// The closed list of transforms. Each is idempotent, so that carrying a value there and back changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// Several names joined by spaces on one side; the first word and the rest on the other.
    JoinWords,
    /// White space at both ends goes.
    Trim,
    /// Runs of white space become one space.
    CollapseSpaces,
    /// Upper case.
    Uppercase,
    /// Lower case.
    Lowercase,
}

impl Transform {
    /// A canonical value, transformed.
    pub(super) fn apply(self, value: Value) -> Value {
        match (self, value) {
            (Self::Trim, Value::String(text)) => text_or_nothing(text.trim()),
            (Self::CollapseSpaces | Self::JoinWords, Value::String(text)) => {
                text_or_nothing(&text.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            (Self::Uppercase, Value::String(text)) => Value::String(text.to_uppercase()),
            (Self::Lowercase, Value::String(text)) => Value::String(text.to_lowercase()),
            (_, other) => other,
        }
    }
}

/// Several values as one text, in their order.
pub(super) fn join<'a>(values: impl Iterator<Item = &'a Value>) -> Value {
    let words: Vec<String> = values.map(as_text).filter(|text| !text.trim().is_empty()).collect();
    text_or_nothing(&words.join(" "))
}

/// The first word to the first name, and so on; the last name takes the rest.
pub(super) fn split(names: &[String], text: &str) -> Fields {
    let mut rest = text.trim();
    let mut fields = Fields::new();
    for (position, name) in names.iter().enumerate() {
        let (word, remainder) = if position + 1 == names.len() {
            (rest, "")
        } else {
            rest.split_once(char::is_whitespace).unwrap_or((rest, ""))
        };
        fields.insert(name.clone(), text_or_nothing(word));
        rest = remainder.trim_start();
    }
    fields
}
