//! What a field holds: when two values are the same, and how each system writes them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::record::is_empty;

/// A value with everything removed that does not matter when two are compared. Null means there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Canonical(pub(super) Value);

impl Canonical {
    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// The value, for comparing and for showing.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

/// What kind of value a field holds; two values are the same when their canonical forms are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// Text, compared exactly.
    #[default]
    Text,
    /// An e-mail address: the case of its domain does not matter.
    Email,
    /// A phone number: only its digits and a leading plus matter.
    Phone,
    /// A decimal number, compared by value without rounding.
    Decimal,
    /// True or false.
    Boolean,
    /// A set of texts; order and repetition do not matter. As text it is separated by `;`.
    Set,
}

impl FieldKind {
    /// A value of this kind with everything removed that does not matter when two are compared.
    pub(super) fn canonical(self, value: &Value) -> Value {
        if is_empty(value) {
            return Value::Null;
        }
        match self {
            Self::Text => Value::String(as_text(value)),
            Self::Email => {
                let text = as_text(value);
                match text.rsplit_once('@') {
                    Some((local, domain)) => Value::String(format!("{local}@{}", domain.to_lowercase())),
                    None => Value::String(text),
                }
            }
            Self::Phone => {
                let text = as_text(value);
                let plus = if text.trim_start().starts_with('+') { "+" } else { "" };
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                // A text without a digit is no phone number; it is compared as it stands rather than lost.
                if digits.is_empty() { Value::String(text) } else { Value::String(format!("{plus}{digits}")) }
            }
            Self::Decimal => Value::String(decimal(&as_text(value))),
            Self::Boolean => match as_text(value).to_lowercase().as_str() {
                "true" | "1" | "yes" => Value::Bool(true),
                "false" | "0" | "no" => Value::Bool(false),
                other => Value::String(other.to_owned()),
            },
            Self::Set => {
                let members: BTreeSet<String> = members(value).into_iter().collect();
                if members.is_empty() { Value::Null } else { members.into_iter().map(Value::String).collect() }
            }
        }
    }

    /// How a system writes it unless the contract says otherwise.
    pub(super) fn written(self) -> Written {
        match self {
            Self::Decimal => Written::Number,
            Self::Boolean => Written::Boolean,
            Self::Set => Written::List,
            Self::Text | Self::Email | Self::Phone => Written::Text,
        }
    }
}

/// How a system writes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// As JSON text.
    Text,
    /// As a JSON number.
    Number,
    /// As a JSON boolean.
    Boolean,
    /// As a JSON array of texts.
    List,
}

impl Written {
    /// A canonical value, as a system gets it.
    pub(super) fn write(self, value: &Value) -> Value {
        match (self, value) {
            (_, Value::Null) => Value::Null,
            (Self::Text, Value::String(text)) => Value::String(text.clone()),
            (Self::Text, Value::Array(_)) => Value::String(members(value).join(";")),
            (Self::Text, other) => Value::String(as_text(other)),
            (Self::Number, Value::String(text)) => {
                // A number that a double would round is sent as text rather than changed silently.
                let number = text.parse::<i64>().ok().map(Number::from).or_else(|| {
                    let parsed = text.parse::<f64>().ok()?;
                    (decimal(&parsed.to_string()) == decimal(text)).then(|| Number::from_f64(parsed)).flatten()
                });
                number.map_or_else(|| Value::String(text.clone()), Value::Number)
            }
            (Self::List, Value::String(_)) => members(value).into_iter().map(Value::String).collect(),
            (_, other) => other.clone(),
        }
    }
}

pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(_) => members(value).join(";"),
        other => other.to_string(),
    }
}

pub(super) fn text_or_nothing(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

pub(super) fn members(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(as_text).filter(|text| !text.is_empty()).collect(),
        Value::Null => Vec::new(),
        other => as_text(other).split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect(),
    }
}

/// A decimal number without leading and trailing zeros, in digits; a text that is no number stays as it is.
fn decimal(text: &str) -> String {
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    if digits.contains(['e', 'E']) {
        return match trimmed.parse::<f64>() {
            Ok(number) if number.is_finite() && !format!("{number}").contains(['e', 'E']) => {
                decimal(&format!("{number}"))
            }
            _ => trimmed.to_owned(),
        };
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return trimmed.to_owned();
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && !(whole == "0" && fraction.is_empty()) { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

pub(super) fn larger(first: &Value, second: &Value) -> bool {
    let (first, second) = (as_text(first), as_text(second));
    match (first.parse::<f64>(), second.parse::<f64>()) {
        (Ok(first), Ok(second)) => first >= second,
        _ => first >= second,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_compare_by_value_and_never_round() {
        for (one, other) in
            [("1.0", "1"), ("-0", "0"), ("007.10", "7.1"), ("1e3", "1000"), ("9007199254740993.0", "9007199254740993")]
        {
            assert_eq!(decimal(one), decimal(other));
        }
        assert_ne!(decimal("9007199254740993"), decimal("9007199254740992"));
        assert_eq!(decimal("n/a"), "n/a");
        assert_eq!(Written::Number.write(&json!("0.1")), json!(0.1));
        assert_eq!(Written::Number.write(&json!("9007199254740993.5")), json!("9007199254740993.5"));
    }
}
