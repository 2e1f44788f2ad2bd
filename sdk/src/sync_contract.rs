//! The sync contract: which system owns which field, and how names and values translate.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Number, Value};

use crate::record::is_empty;
use crate::{Fields, Pair, Record, System};

/// A sync contract as it is written, before it is checked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContractDocument {
    /// Its name; topologies refer to it.
    pub contract: String,
    /// One sentence about it.
    #[serde(default)]
    pub about: String,
    /// The two systems it is between.
    pub systems: Vec<System>,
    /// Where each system keeps the other's id. A system without such a field is left out.
    #[serde(default)]
    pub inverse: BTreeMap<System, String>,
    /// The fields, by meaning.
    pub fields: BTreeMap<String, FieldDocument>,
}

/// A field of a contract as it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDocument {
    /// Who owns it: one of the two systems, or `shared`.
    pub owner: System,
    /// What it is called in each system. Several names are one value, joined in this order.
    #[serde(rename = "in")]
    pub names: BTreeMap<System, Names>,
    /// What kind of value it holds; `text` unless given.
    #[serde(default, rename = "type")]
    pub kind: FieldKind,
    /// How a system writes the value when it differs from its kind: a number kept as text.
    #[serde(default, rename = "as")]
    pub written: BTreeMap<System, Written>,
    /// Transforms from the closed list, applied in order whenever the value is compared or carried over.
    #[serde(default)]
    pub transform: Vec<Transform>,
    /// Who wins when both sides of a shared field changed.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// What happens when a person edits the field on the side that does not own it.
    #[serde(default)]
    pub violation: Violation,
}

/// One name, or several in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> de::Visitor<'de> for OneOrMany {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a field name or a list of field names")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Names, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(Names(all))
            }
        }

        deserializer.deserialize_any(OneOrMany)
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

/// Who wins when both sides of a shared field changed since they last agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Policy {
    /// This system's value.
    Prefer(System),
    /// The side whose edit reached us last. Never decided by the systems' clocks.
    Newest,
    /// Both: the union of two sets.
    SetUnion,
    /// The larger number, or the later text.
    Max,
    /// A person decides; until then both stay as they are.
    Ask,
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "newest" => Ok(Self::Newest),
            "set-union" => Ok(Self::SetUnion),
            "max" => Ok(Self::Max),
            "ask" => Ok(Self::Ask),
            other => match other.strip_prefix("prefer ") {
                Some(system) if !system.trim().is_empty() => Ok(Self::Prefer(System::new(system.trim()))),
                _ => Err(de::Error::custom(format!(
                    "no policy `{other}`; known policies: newest, prefer <system>, set-union, max, ask"
                ))),
            },
        }
    }
}

/// What happens when a person edits a field on the side that does not own it. It is always logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Violation {
    /// The owner's value is written back.
    #[default]
    Revert,
    /// It stays until the owner changes the field.
    Ignore,
    /// It stays, and a case is opened.
    Ask,
}

/// Who may write a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This system only; the other side gets its value.
    System(System),
    /// Both; simultaneous edits are settled by the policy.
    Shared(Policy),
}

/// What is wrong with a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractProblem {
    /// Keys from the top of the document to the place, such as `["fields", "phone", "owner"]`.
    pub path: Vec<String>,
    /// What is wrong there.
    pub message: String,
    /// What would have been right.
    pub help: String,
}

/// A checked sync contract between two systems.
#[derive(Clone, Debug)]
pub struct SyncContract {
    name: String,
    systems: [System; 2],
    inverse: [Option<String>; 2],
    fields: Vec<Field>,
}

/// One field of a contract: one meaning, a name or several in each system.
#[derive(Clone, Debug)]
pub struct Field {
    name: String,
    owner: Owner,
    kind: FieldKind,
    violation: Violation,
    transform: Vec<Transform>,
    sides: [FieldSide; 2],
}

#[derive(Clone, Debug)]
struct FieldSide {
    names: Vec<String>,
    written: Written,
}

/// A value with everything removed that does not matter when two are compared. Null means there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Canonical(Value);

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

impl SyncContract {
    /// Checks a contract and makes it usable.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, not just the first thing.
    pub fn check(document: &ContractDocument) -> Result<Self, Vec<ContractProblem>> {
        Check { document, problems: Vec::new() }.run()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The two systems.
    pub fn systems(&self) -> &[System; 2] {
        &self.systems
    }

    /// The other of the two systems.
    pub fn other(&self, system: &System) -> &System {
        &self.systems[1 - self.index(system)]
    }

    /// Whether the contract is about this system.
    pub fn covers(&self, system: &System) -> bool {
        self.systems.contains(system)
    }

    /// The fields, by name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Where a system keeps the other's id.
    pub fn inverse_field(&self, system: &System) -> Option<&str> {
        self.inverse[self.index(system)].as_deref()
    }

    /// The other system's id that a record carries.
    pub fn inverse_of(&self, system: &System, record: &Record) -> Option<String> {
        match record.value(self.inverse_field(system)?)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The part of a record that the contract speaks of, as the system writes it: what is remembered as base.
    pub fn part_of(&self, system: &System, record: &Record) -> Fields {
        let mut part = Fields::new();
        for field in &self.fields {
            for name in field.names(self, system) {
                if let Some(value) = record.value(name) {
                    part.insert(name.clone(), value.clone());
                }
            }
        }
        part
    }

    /// Whether a record is as its side of a pair remembers it: for every field of the contract the value that was agreed,
    /// and the other record's id. What is not so has news, or was never written.
    pub fn is_settled(&self, system: &System, record: &Record, pair: &Pair) -> bool {
        let base = &pair.side(system).base;
        let points_back = self.inverse_field(system).is_none()
            || self.inverse_of(system, record).as_ref() == Some(&pair.other(system).record.id);
        let same = |field: &Field| field.canonical(self, system, &record.fields) == field.canonical(self, system, base);
        points_back && self.fields.iter().all(same)
    }

    /// Which field a system's own field name belongs to.
    pub fn meaning_of(&self, system: &System, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.names(self, system).iter().any(|own| own == name))
    }

    fn index(&self, system: &System) -> usize {
        usize::from(self.systems[0] != *system)
    }
}

impl Field {
    /// What the contract calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may write it.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Whether this system, and only this one, may write it.
    pub fn owned_by(&self, system: &System) -> bool {
        matches!(&self.owner, Owner::System(owner) if owner == system)
    }

    /// What happens to an edit on the side that does not own it.
    pub fn violation(&self) -> Violation {
        self.violation
    }

    /// What it is called in a system.
    pub fn names<'a>(&'a self, contract: &SyncContract, system: &System) -> &'a [String] {
        &self.sides[contract.index(system)].names
    }

    /// The system's own fields that hold this value, taken out of a record; absent ones are left out.
    pub fn part_of(&self, contract: &SyncContract, system: &System, fields: &Fields) -> Fields {
        self.names(contract, system)
            .iter()
            .filter_map(|name| {
                fields.get(name).filter(|value| !is_empty(value)).map(|value| (name.clone(), value.clone()))
            })
            .collect()
    }

    /// The value a system's fields hold, without what does not matter when two are compared.
    pub fn canonical(&self, contract: &SyncContract, system: &System, fields: &Fields) -> Canonical {
        let names = self.names(contract, system);
        let value = match names {
            [one] => fields.get(one).cloned().unwrap_or(Value::Null),
            many => join(many.iter().map(|name| fields.get(name).unwrap_or(&Value::Null))),
        };
        Canonical(self.transformed(self.kind.canonical(&value)))
    }

    /// A value in a system's own fields, as it is sent there. An empty value empties the fields.
    pub fn render(&self, contract: &SyncContract, system: &System, value: &Canonical) -> Fields {
        let side = &self.sides[contract.index(system)];
        match side.names.as_slice() {
            [one] => [(one.clone(), side.written.write(&value.0))].into_iter().collect(),
            many => split(many, value.0.as_str().unwrap_or_default()),
        }
    }

    /// The value both sides get when both changed; nothing when a person must decide.
    ///
    /// `first_is_newer` tells whose edit reached us last.
    pub fn merge(
        &self,
        first: (&System, &Canonical),
        second: (&System, &Canonical),
        first_is_newer: bool,
    ) -> Option<Canonical> {
        let Owner::Shared(policy) = &self.owner else {
            return Some(if self.owned_by(first.0) { first.1.clone() } else { second.1.clone() });
        };
        match policy {
            Policy::Prefer(system) => Some(if system == first.0 { first.1.clone() } else { second.1.clone() }),
            Policy::Newest => Some(if first_is_newer { first.1.clone() } else { second.1.clone() }),
            Policy::Max => Some(if larger(&first.1.0, &second.1.0) { first.1.clone() } else { second.1.clone() }),
            Policy::SetUnion => {
                let members: BTreeSet<String> = members(&first.1.0).into_iter().chain(members(&second.1.0)).collect();
                Some(Canonical(members.into_iter().map(Value::String).collect()))
            }
            Policy::Ask => None,
        }
    }

    fn transformed(&self, value: Value) -> Value {
        self.transform.iter().fold(value, |value, transform| match (transform, value) {
            (Transform::Trim, Value::String(text)) => text_or_nothing(text.trim()),
            (Transform::CollapseSpaces | Transform::JoinWords, Value::String(text)) => {
                text_or_nothing(&text.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            (Transform::Uppercase, Value::String(text)) => Value::String(text.to_uppercase()),
            (Transform::Lowercase, Value::String(text)) => Value::String(text.to_lowercase()),
            (_, other) => other,
        })
    }
}

impl FieldKind {
    fn canonical(self, value: &Value) -> Value {
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

    fn written(self) -> Written {
        match self {
            Self::Decimal => Written::Number,
            Self::Boolean => Written::Boolean,
            Self::Set => Written::List,
            Self::Text | Self::Email | Self::Phone => Written::Text,
        }
    }
}

impl Written {
    fn write(self, value: &Value) -> Value {
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

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(_) => members(value).join(";"),
        other => other.to_string(),
    }
}

fn text_or_nothing(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

fn members(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(as_text).filter(|text| !text.is_empty()).collect(),
        Value::Null => Vec::new(),
        other => as_text(other).split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect(),
    }
}

fn join<'a>(values: impl Iterator<Item = &'a Value>) -> Value {
    let words: Vec<String> = values.map(as_text).filter(|text| !text.trim().is_empty()).collect();
    text_or_nothing(&words.join(" "))
}

/// The first word to the first name, and so on; the last name takes the rest.
fn split(names: &[String], text: &str) -> Fields {
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

fn larger(first: &Value, second: &Value) -> bool {
    let (first, second) = (as_text(first), as_text(second));
    match (first.parse::<f64>(), second.parse::<f64>()) {
        (Ok(first), Ok(second)) => first >= second,
        _ => first >= second,
    }
}

struct Check<'a> {
    document: &'a ContractDocument,
    problems: Vec<ContractProblem>,
}

impl Check<'_> {
    fn run(mut self) -> Result<SyncContract, Vec<ContractProblem>> {
        let systems = self.systems();
        self.inverse(&systems);
        let fields: Vec<Field> =
            self.document.fields.iter().filter_map(|(name, field)| self.field(name, field, &systems)).collect();
        self.claimed_twice(&systems);
        match <[System; 2]>::try_from(systems) {
            Ok(systems) if self.problems.is_empty() => {
                let inverse = [0, 1].map(|side: usize| self.document.inverse.get(&systems[side]).cloned());
                Ok(SyncContract { name: self.document.contract.clone(), systems, inverse, fields })
            }
            _ => Err(self.problems),
        }
    }

    fn problem(&mut self, path: &[&str], message: String, help: String) {
        let path = path.iter().map(|&key| key.to_owned()).collect();
        self.problems.push(ContractProblem { path, message, help });
    }

    fn systems(&mut self) -> Vec<System> {
        let systems = self.document.systems.clone();
        if systems.len() != 2 || systems[0] == systems[1] {
            let found = list(&systems);
            self.problem(
                &["systems"],
                format!("expected two different systems, found {found}"),
                "a contract is between two systems; write one contract per pair of systems".to_owned(),
            );
        }
        systems
    }

    fn inverse(&mut self, systems: &[System]) {
        for system in self.document.inverse.keys() {
            if !systems.contains(system) {
                self.problem(
                    &["inverse", system.as_str()],
                    format!("the contract is not about a system `{system}`"),
                    format!("one of {}", list(systems)),
                );
            }
        }
    }

    fn field(&mut self, name: &str, field: &FieldDocument, systems: &[System]) -> Option<Field> {
        for system in field.names.keys().chain(field.written.keys()) {
            if !systems.contains(system) {
                self.problem(
                    &["fields", name, "in"],
                    format!("the contract is not about a system `{system}`"),
                    format!("one of {}", list(systems)),
                );
            }
        }
        let mut sides = Vec::new();
        for system in systems {
            match field.names.get(system) {
                Some(names) if !names.0.is_empty() => {
                    let written = field.written.get(system).copied().unwrap_or_else(|| field.kind.written());
                    sides.push(FieldSide { names: names.0.clone(), written });
                }
                _ => self.problem(
                    &["fields", name, "in"],
                    format!("`{name}` has no name in `{system}`"),
                    format!("add `{system}: <field>` to `in`"),
                ),
            }
        }
        let several = sides.iter().any(|side| side.names.len() > 1);
        if several && !field.transform.contains(&Transform::JoinWords) {
            self.problem(
                &["fields", name],
                format!("`{name}` is several fields in one system and nothing says how they join"),
                "add `transform: [join-words]`".to_owned(),
            );
        }
        let owner = self.owner(name, field, systems)?;
        let sides = <[FieldSide; 2]>::try_from(sides).ok()?;
        Some(Field {
            name: name.to_owned(),
            owner,
            kind: field.kind,
            violation: field.violation,
            transform: field.transform.clone(),
            sides,
        })
    }

    fn owner(&mut self, name: &str, field: &FieldDocument, systems: &[System]) -> Option<Owner> {
        if field.owner.as_str() == "shared" {
            let Some(policy) = field.policy.clone() else {
                self.problem(
                    &["fields", name, "owner"],
                    format!("`{name}` is shared and nothing says who wins when both sides changed"),
                    "add `policy: newest`, `prefer <system>`, `set-union`, `max` or `ask`".to_owned(),
                );
                return None;
            };
            if let Policy::Prefer(system) = &policy
                && !systems.contains(system)
            {
                self.problem(
                    &["fields", name, "policy"],
                    format!("the contract is not about a system `{system}`"),
                    format!("one of {}", list(systems)),
                );
            }
            return Some(Owner::Shared(policy));
        }
        if !systems.contains(&field.owner) {
            self.problem(
                &["fields", name, "owner"],
                format!("`{}` cannot own `{name}`", field.owner),
                format!("one of {} or `shared`", list(systems)),
            );
            return None;
        }
        if field.policy.is_some() {
            self.problem(
                &["fields", name, "policy"],
                format!("`{name}` has one owner, so there is nothing to decide"),
                "drop `policy`, or make the owner `shared`".to_owned(),
            );
        }
        Some(Owner::System(field.owner.clone()))
    }

    /// A system's field that two meanings claim would have two owners, and each sync would undo the other.
    fn claimed_twice(&mut self, systems: &[System]) {
        for system in systems {
            let mut claimed: BTreeMap<&str, &str> = BTreeMap::new();
            let mut twice = Vec::new();
            if let Some(inverse) = self.document.inverse.get(system) {
                claimed.insert(inverse, "the inverse id");
            }
            for (name, field) in &self.document.fields {
                for own in field.names.get(system).into_iter().flat_map(|names| &names.0) {
                    if let Some(first) = claimed.insert(own, name) {
                        twice.push((name.clone(), own.clone(), first.to_owned()));
                    }
                }
            }
            for (name, own, first) in twice {
                self.problem(
                    &["fields", &name, "in"],
                    format!("`{own}` of `{system}` is claimed by `{first}` and by `{name}`: it would have two owners"),
                    "a system's field belongs to one meaning".to_owned(),
                );
            }
        }
    }
}

fn list(systems: &[System]) -> String {
    systems.iter().map(|system| format!("`{system}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{PairId, RecordId, Timestamp};

    fn contract() -> SyncContract {
        crate::testing::contact_contract()
    }

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_name_joins_one_way_and_splits_at_its_first_word_the_other() {
        let contract = contract();
        let name = contract.field("name").unwrap();
        let crm = System::new("crm");
        let erp = System::new("erp");

        let joined =
            name.canonical(&contract, &crm, &fields(json!({ "firstname": "Ada", "lastname": "King Lovelace" })));

        assert_eq!(Value::Object(name.render(&contract, &erp, &joined)), json!({ "name": "Ada King Lovelace" }));
        assert_eq!(
            Value::Object(name.render(&contract, &crm, &joined)),
            json!({ "firstname": "Ada", "lastname": "King Lovelace" })
        );
    }

    #[test]
    fn a_record_is_settled_when_it_holds_what_was_agreed_and_names_the_other() {
        let (contract, crm, erp) = (contract(), System::new("crm"), System::new("erp"));
        let ids = [RecordId::new(&crm, "1"), RecordId::new(&erp, "9")];
        let mut pair = Pair::found(PairId(1), "contact", ids, "crm-to-erp", Timestamp::from_millis(0));
        pair.side_mut(&crm).base = fields(json!({ "email": "ada@example.org", "credit_limit": "100" }));
        let settled = |record: Value| contract.is_settled(&crm, &Record::new("1", fields(record)), &pair);

        let whole = json!({ "email": "ada@example.org", "credit_limit": 100, "erp_id": "9", "shoe_size": "38" });

        assert!(settled(whole), "what the contract does not speak of does not count");
        assert!(!settled(json!({ "email": "ada@example.org", "credit_limit": "100" })), "it names nobody");
        assert!(!settled(json!({ "email": "ada@example.org", "credit_limit": "100", "erp_id": "8" })));
        assert!(!settled(json!({ "email": "new@example.org", "credit_limit": "100", "erp_id": "9" })));
    }

    #[test]
    fn a_credit_limit_is_text_on_one_side_and_a_number_on_the_other() {
        let contract = contract();
        let limit = contract.field("credit_limit").unwrap();
        let (crm, erp) = (System::new("crm"), System::new("erp"));

        let text = limit.canonical(&contract, &crm, &fields(json!({ "credit_limit": "1500.50" })));
        let number = limit.canonical(&contract, &erp, &fields(json!({ "credit_limit": 1500.5 })));

        assert_eq!(text, number);
        assert_eq!(Value::Object(limit.render(&contract, &erp, &text)), json!({ "credit_limit": 1500.5 }));
        assert_eq!(Value::Object(limit.render(&contract, &crm, &number)), json!({ "credit_limit": "1500.5" }));
    }

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

    #[test]
    fn a_field_two_meanings_claim_is_refused() {
        let mut document = crate::testing::contact_document();
        document.fields.get_mut("vat_id").unwrap().names.insert(System::new("erp"), Names(vec!["email".into()]));

        let problems = SyncContract::check(&document).unwrap_err();

        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("two owners"), "{}", problems[0].message);
        assert_eq!(problems[0].path, ["fields", "vat_id", "in"]);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let document: ContractDocument = serde_json::from_value(json!({
            "contract": "contact",
            "systems": ["crm", "erp"],
            "fields": {
                "email": { "owner": "shop", "in": { "crm": "email", "erp": "email" } },
                "phone": { "owner": "shared", "in": { "crm": "phone" } },
            }
        }))
        .unwrap();

        let problems = SyncContract::check(&document).unwrap_err();

        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn a_merge_policy_does_not_depend_on_who_is_named_first() {
        let contract = contract();
        let phone = contract.field("phone").unwrap();
        let (crm, erp) = (System::new("crm"), System::new("erp"));
        let (one, two) = (Canonical(json!("1")), Canonical(json!("2")));

        assert_eq!(phone.merge((&crm, &one), (&erp, &two), true), phone.merge((&erp, &two), (&crm, &one), false));
    }
}
