//! What a field holds: when two values are the same, and how each system writes them.

use std::cmp::Ordering;
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
            Self::Text => text_or_nothing(&as_text(value)),
            Self::Email => {
                let text = as_text(value);
                match text.rsplit_once('@') {
                    Some((local, domain)) => Value::String(format!("{local}@{}", domain.to_lowercase())),
                    None => text_or_nothing(&text),
                }
            }
            Self::Phone => {
                let text = as_text(value);
                let plus = if text.trim_start().starts_with('+') { "+" } else { "" };
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                // A text without a digit is no phone number; it is compared as it stands rather than lost.
                if digits.is_empty() { text_or_nothing(&text) } else { Value::String(format!("{plus}{digits}")) }
            }
            Self::Decimal => text_or_nothing(&decimal(&as_text(value))),
            Self::Boolean => match as_text(value).trim().to_lowercase().as_str() {
                "true" | "1" | "yes" => Value::Bool(true),
                "false" | "0" | "no" => Value::Bool(false),
                other => text_or_nothing(other),
            },
            Self::Set => set(members(value).into_iter().collect()),
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
    /// A number as JSON text with a decimal comma, as in `1.234,50`.
    Comma,
}

impl Written {
    /// A value as its kind understands it, from the way a system writes it.
    pub(super) fn read(self, value: &Value) -> Value {
        match (self, value) {
            (Self::Comma, Value::String(text)) if is_with_comma(text) => {
                let point = |c: char| match c {
                    ',' => Some('.'),
                    '.' | ' ' | '\u{a0}' | '\u{202f}' | '\'' => None,
                    other => Some(other),
                };
                Value::String(text.chars().filter_map(point).collect())
            }
            (_, other) => other.clone(),
        }
    }

    /// A canonical value of a kind, as a system gets it.
    pub(super) fn write(self, kind: FieldKind, value: &Value) -> Value {
        match (self, value) {
            (_, Value::Null) => Value::Null,
            (Self::Text, Value::String(text)) => Value::String(text.clone()),
            (Self::Text, Value::Array(_)) => Value::String(members(value).join(";")),
            (Self::Text, other) => Value::String(as_text(other)),
            (Self::Number, Value::String(text)) => {
                // What a number would not say as it is goes as text rather than changed silently: more digits than a
                // double holds, and the zeros in front of a number that is no amount.
                let whole = text.parse::<i64>().ok().map(Number::from);
                let number = whole.or_else(|| Number::from_f64(text.parse().ok()?)).map(Value::Number);
                number.filter(|number| kind.canonical(number) == *value).unwrap_or_else(|| value.clone())
            }
            (Self::Comma, Value::String(text)) => Value::String(text.replace('.', ",")),
            (Self::List, Value::String(_)) => members(value).into_iter().map(Value::String).collect(),
            (_, other) => other.clone(),
        }
    }
}

/// Whether a text may be a number with a decimal comma, or points between its thousands; anything else is left as it is.
fn is_with_comma(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || "+-.,' \u{a0}\u{202f}".contains(c);
    let thousands = || {
        let mut groups = text.trim_start_matches(['+', '-']).split('.');
        let is_first = |group: &str| (1..=3).contains(&group.len());
        groups.next().is_some_and(is_first) && text.contains('.') && groups.all(|group| group.len() == 3)
    };
    text.chars().all(plain) && text.matches(',').count() <= 1 && (text.contains(',') || thousands())
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

/// Members as a set; one without any is no value.
pub(super) fn set(members: BTreeSet<String>) -> Value {
    if members.is_empty() { Value::Null } else { members.into_iter().map(Value::String).collect() }
}

/// The members of a set. One that holds a `;` is several: a system that keeps the set as text says no more than that.
pub(super) fn members(value: &Value) -> Vec<String> {
    let apart = |text: &str| -> Vec<String> {
        text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    };
    match value {
        Value::Array(values) => values.iter().flat_map(|value| apart(&as_text(value))).collect(),
        Value::Null => Vec::new(),
        other => apart(&as_text(other)),
    }
}

/// Zeros that a number with an exponent is written out with, at most.
const LONGEST_SHIFT: usize = 400;

/// A decimal number: whether it is negative, and its digits before and behind the point, without zeros that say nothing.
struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    /// Reads it digit by digit: a double would round.
    fn read(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let shift = usize::try_from(exponent.unsigned_abs()).ok().filter(|shift| *shift <= LONGEST_SHIFT)?;
        let zeros = "0".repeat(shift);
        let (whole, fraction) = if exponent < 0 {
            let all = format!("{zeros}{whole}");
            let (whole, behind) = all.split_at(all.len() - shift);
            (whole.to_owned(), format!("{behind}{fraction}"))
        } else {
            let all = format!("{fraction}{zeros}");
            let (before, fraction) = all.split_at(shift);
            (format!("{whole}{before}"), fraction.to_owned())
        };
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole: whole.to_owned(), fraction: fraction.to_owned() })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole.clone(), number.fraction.clone());
        match (self.negative, other.negative) {
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

/// A decimal number without leading and trailing zeros, in digits; a text that is no number stays as it is.
fn decimal(text: &str) -> String {
    let trimmed = text.trim();
    let Some(Decimal { negative, whole, fraction }) = Decimal::read(trimmed) else { return trimmed.to_owned() };
    let whole = if whole.is_empty() { "0" } else { &whole };
    let sign = if negative { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The larger number, or the later text. Of two texts for one number it is the later one too, so that it does not matter
/// which is asked about.
pub(super) fn larger(first: &Value, second: &Value) -> bool {
    let (first, second) = (as_text(first), as_text(second));
    match (Decimal::read(&first), Decimal::read(&second)) {
        (Some(one), Some(other)) => one.compare(&other).then_with(|| first.cmp(&second)).is_ge(),
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
        assert_ne!(decimal("9007199254740993e0"), decimal("9007199254740992"));
        assert_eq!(decimal("-12.5e-3"), "-0.0125");
        assert_eq!(decimal("1e999999999"), "1e999999999");
        let sent = |text: &str| Written::Number.write(FieldKind::Decimal, &json!(text));
        assert_eq!(sent("0.1"), json!(0.1));
        assert_eq!(sent("9007199254740993.5"), json!("9007199254740993.5"));
    }

    #[test]
    fn a_number_may_have_a_decimal_comma() {
        let read = |text: &str| FieldKind::Decimal.canonical(&Written::Comma.read(&json!(text)));

        for text in ["1234,5", "1.234,50", "1 234,5", "1'234,5", "1234.5"] {
            assert_eq!(read(text), json!("1234.5"), "{text}");
        }
        for text in ["1.234.567", "-1.234.567,00"] {
            assert_eq!(read(text).as_str().unwrap().trim_start_matches('-'), "1234567", "{text}");
        }
        for text in ["no, thanks", "1,234,5"] {
            assert_eq!(read(text), json!(text), "what is no number stays as it is");
        }
        assert_eq!(Written::Comma.write(FieldKind::Decimal, &json!("1234.5")), json!("1234,5"));
        assert_eq!(Written::Comma.write(FieldKind::Decimal, &json!(null)), json!(null));
    }

    #[test]
    fn the_zeros_in_front_of_a_number_that_is_no_amount_are_sent() {
        assert_eq!(Written::Number.write(FieldKind::Text, &json!("007")), json!("007"));
        assert_eq!(Written::Number.write(FieldKind::Phone, &json!("+420777")), json!("+420777"));
        assert_eq!(Written::Number.write(FieldKind::Text, &json!("7")), json!(7));
    }

    #[test]
    fn what_holds_nothing_is_no_value_of_any_kind() {
        use FieldKind::{Boolean, Decimal, Email, Phone, Set, Text};
        for kind in [Text, Email, Phone, Decimal, Boolean, Set] {
            for nothing in [json!(null), json!(""), json!([]), json!([""])] {
                assert_eq!(kind.canonical(&nothing), Value::Null, "{kind:?} of {nothing}");
            }
        }
        assert_eq!(Decimal.canonical(&json!(" ")), Value::Null);
        assert_eq!(Boolean.canonical(&json!(" true ")), json!(true));
    }

    #[test]
    fn a_member_is_the_same_whether_a_set_is_kept_as_text_or_as_a_list() {
        let set = FieldKind::Set.canonical(&json!(["a;b", " c "]));

        assert_eq!(set, json!(["a", "b", "c"]));
        assert_eq!(FieldKind::Set.canonical(&Written::Text.write(FieldKind::Set, &set)), set);
    }

    #[test]
    fn the_larger_of_two_is_the_same_whoever_is_asked_about() {
        let exact = (json!("9007199254740993"), json!("9007199254740992"));
        for (one, other) in [exact, (json!("1"), json!("1.0")), (json!("NaN"), json!("2")), (json!("-3"), json!("-20"))]
        {
            assert!(larger(&one, &other) != larger(&other, &one), "{one} and {other}");
        }
        assert!(larger(&json!("10"), &json!("9")) && larger(&json!("0.5"), &json!("0.45")));
    }
}
