//! Meaning: what the fields of both systems are about, and the values people type into them.

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The CRM, where a person is a contact.
    Crm,
    /// The ERP, where a person is a customer.
    Erp,
}

impl Side {
    /// Both of them.
    pub const BOTH: [Side; 2] = [Side::Crm, Side::Erp];

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Side::Crm => Side::Erp,
            Side::Erp => Side::Crm,
        }
    }

    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Side::Crm => "crm",
            Side::Erp => "erp",
        }
    }

    /// The field that keeps the id of the other side's record.
    pub fn inverse_field(self) -> &'static str {
        match self {
            Side::Crm => "erp_id",
            Side::Erp => "custom_fields.crm_id",
        }
    }

    /// The id of the other side's record, as this side's record keeps it.
    pub(crate) fn inverse(self, fields: &Map<String, Value>) -> Option<&str> {
        let kept = match self {
            Side::Crm => fields.get("erp_id"),
            Side::Erp => fields.get("custom_fields").and_then(|custom| custom.get("crm_id")),
        };
        kept.and_then(Value::as_str).filter(|id| !id.is_empty())
    }
}

/// What a field is about, on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Nobody is without one, and people are recognized by it.
    Email,
    /// The CRM keeps it in two properties.
    Name,
    /// Any text.
    Phone,
    /// Any text.
    BillingEmail,
    /// Any text.
    VatId,
    /// In the ERP it is a number.
    CreditLimit,
    /// Any text.
    DunningState,
}

/// What follows the person's number in a credit limit.
const SERIALS: u32 = 10_000;
/// What precedes it in a phone number.
const PHONE_BASE: u32 = 4_000_000;

impl Meaning {
    /// All of them.
    pub const ALL: [Meaning; 7] = [
        Meaning::Email,
        Meaning::Name,
        Meaning::Phone,
        Meaning::BillingEmail,
        Meaning::VatId,
        Meaning::CreditLimit,
        Meaning::DunningState,
    ];

    /// The fields of one side that hold it.
    pub fn fields(self, side: Side) -> &'static [&'static str] {
        match (self, side) {
            (Meaning::Email, _) => &["email"],
            (Meaning::Name, Side::Crm) => &["firstname", "lastname"],
            (Meaning::Name, Side::Erp) => &["name"],
            (Meaning::Phone, _) => &["phone"],
            (Meaning::BillingEmail, _) => &["billing_email"],
            (Meaning::VatId, _) => &["vat_id"],
            (Meaning::CreditLimit, _) => &["credit_limit"],
            (Meaning::DunningState, _) => &["dunning_state"],
        }
    }

    /// Whether a write names it.
    pub(crate) fn is_in(self, side: Side, sent: &Map<String, Value>) -> bool {
        self.fields(side).iter().any(|field| sent.contains_key(*field))
    }

    /// Whether it is among the names of changed fields.
    pub(crate) fn is_among(self, side: Side, changed: &[String]) -> bool {
        self.fields(side).iter().any(|field| changed.iter().any(|name| name == field))
    }

    /// The value as both sides can be compared by; missing, null and empty are nothing.
    pub fn read(self, side: Side, record: &Map<String, Value>) -> Option<String> {
        let parts = self.fields(side).iter().filter_map(|field| text(record.get(*field)?));
        let joined = parts.collect::<Vec<_>>().join(" ");
        let joined = joined.trim();
        if joined.is_empty() {
            return None;
        }
        if self == Meaning::CreditLimit
            && let Ok(number) = joined.parse::<f64>()
        {
            return Some(number.to_string());
        }
        Some(joined.to_owned())
    }

    /// Types a value into one side's fields; nothing empties them.
    pub(crate) fn type_into(self, side: Side, value: Option<&str>, fields: &mut Map<String, Value>) {
        let typed = |value: Option<&str>| value.map_or(Value::Null, Value::from);
        match (self, side) {
            (Meaning::Name, Side::Crm) => {
                let (first, last) = match value.and_then(|name| name.split_once(' ')) {
                    Some((first, last)) => (Some(first), Some(last)),
                    None => (value, None),
                };
                fields.insert("firstname".to_owned(), typed(first));
                fields.insert("lastname".to_owned(), typed(last));
            }
            (Meaning::CreditLimit, Side::Erp) => {
                let number = value.and_then(|text| text.parse::<f64>().ok()).and_then(whole_or_not);
                fields.insert("credit_limit".to_owned(), number.map_or(Value::Null, Value::Number));
            }
            _ => {
                fields.insert(self.fields(side)[0].to_owned(), typed(value));
            }
        }
    }

    /// A value as people type it into one side's fields.
    pub fn typed(self, side: Side, value: &str) -> Map<String, Value> {
        let mut fields = Map::new();
        self.type_into(side, Some(value), &mut fields);
        fields
    }

    /// The value number `serial` of a person; no two people ever type the same.
    pub fn value(self, person: u32, serial: u32) -> String {
        match self {
            Meaning::Email => format!("q{person:05}q.s{serial}@example.com"),
            Meaning::Name if serial.is_multiple_of(3) => format!("Ada{serial} van q{person:05}q"),
            Meaning::Name => format!("Ada{serial} q{person:05}q"),
            Meaning::Phone => format!("+{:07}{:05}", PHONE_BASE + person, serial),
            Meaning::BillingEmail => format!("bill-q{person:05}q.s{serial}@example.com"),
            Meaning::VatId => format!("CZ-q{person:05}q-{serial}"),
            Meaning::CreditLimit => {
                let whole = u64::from(person) * u64::from(SERIALS) + u64::from(serial % SERIALS);
                if serial.is_multiple_of(2) { whole.to_string() } else { format!("{whole}.5") }
            }
            Meaning::DunningState => format!("level-{serial}-q{person:05}q"),
        }
    }

    /// A value as somebody in a hurry types it; [`Meaning::tidied`] makes it itself again.
    pub(crate) fn untidy(self, value: &str) -> String {
        match self {
            Meaning::Email => match value.split_once('@') {
                Some((local, domain)) => format!("{local}@{}", domain.to_uppercase()),
                None => value.to_owned(),
            },
            Meaning::Phone if value.len() > 4 => format!("{} {}", &value[..4], &value[4..]),
            _ => value.to_owned(),
        }
    }

    /// A value as it is kept by a system that tidies what it is given.
    pub(crate) fn tidied(self, value: &str) -> String {
        match self {
            Meaning::Email => value.trim().to_lowercase(),
            Meaning::Phone => value.chars().filter(|one| *one != ' ').collect(),
            _ => value.to_owned(),
        }
    }

    /// Whose value this is.
    pub(crate) fn person_of(self, value: &str) -> Option<u32> {
        match self {
            Meaning::Phone => {
                let number: u32 = value.strip_prefix('+')?.get(..7)?.parse().ok()?;
                number.checked_sub(PHONE_BASE)
            }
            Meaning::CreditLimit => {
                let number: f64 = value.parse().ok()?;
                let person = (number / f64::from(SERIALS)).floor();
                (person >= 1.0).then_some(person as u32)
            }
            _ => value.split('q').find_map(|part| part.parse().ok().filter(|_| part.len() >= 5)),
        }
    }
}

/// Whole amounts are typed without a decimal point.
fn whole_or_not(number: f64) -> Option<Number> {
    if number.fract() == 0.0 { Some(Number::from(number as i64)) } else { Number::from_f64(number) }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_sides_id_is_read_where_it_is_said_to_be() {
        for side in Side::BOTH {
            let kept = side
                .inverse_field()
                .rsplit('.')
                .fold(Value::from("7"), |kept, name| Value::Object(Map::from_iter([(name.to_owned(), kept)])));
            assert_eq!(side.inverse(kept.as_object().unwrap()), Some("7"));
        }
    }

    #[test]
    fn every_value_tells_whose_it_is() {
        for meaning in Meaning::ALL {
            for (person, serial) in [(1, 0), (42, 1), (42, 9_999), (123_456, 3)] {
                let value = meaning.value(person, serial);
                assert_eq!(meaning.person_of(&value), Some(person), "{value}");
            }
        }
    }

    #[test]
    fn a_value_typed_in_a_hurry_is_itself_when_it_is_tidied() {
        for meaning in Meaning::ALL {
            let value = meaning.value(42, 3);
            let typed = meaning.untidy(&value);
            assert_eq!(meaning.tidied(&typed), value);
            assert_eq!(typed != value, matches!(meaning, Meaning::Email | Meaning::Phone), "{typed}");
        }
    }

    #[test]
    fn a_value_typed_on_either_side_reads_the_same() {
        for meaning in Meaning::ALL {
            for serial in [1, 2, 3] {
                let value = meaning.value(42, serial);
                for side in Side::BOTH {
                    let mut fields = Map::new();
                    meaning.type_into(side, Some(&value), &mut fields);
                    assert_eq!(meaning.read(side, &fields), Some(value.clone()));
                    meaning.type_into(side, None, &mut fields);
                    assert_eq!(meaning.read(side, &fields), None);
                }
            }
        }
    }

    #[test]
    fn a_number_and_its_text_are_the_same_value() {
        for text in ["420001", "420001.0", "420001.00"] {
            let fields = Map::from_iter([("credit_limit".to_owned(), Value::from(text))]);
            assert_eq!(Meaning::CreditLimit.read(Side::Crm, &fields).as_deref(), Some("420001"));
        }
    }
}
