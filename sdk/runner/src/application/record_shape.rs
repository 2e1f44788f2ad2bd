//! Where an answer holds a record's id, version and fields, and how fields become a body.

use std::collections::{BTreeMap, BTreeSet};

use pairline_sdk::{Fields, Record, Timestamp};
use serde_json::{Map, Value};

use super::form::Form;
use super::json::{id_text, plain_text};
use super::pointer::Pointer;

/// Where an answer holds what of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RecordShape {
    /// Its id.
    pub(super) id: Pointer,
    /// What changes with every write.
    pub(super) version: Option<Pointer>,
    /// When it was last modified; the first of these that is there.
    pub(super) modified: Vec<Pointer>,
    /// Whether a number there counts seconds, and not milliseconds.
    pub(super) in_seconds: bool,
    /// Its fields.
    pub(super) fields: Pointer,
    /// Names among the fields that are the system's own bookkeeping.
    pub(super) leave_out: BTreeSet<String>,
    /// Fields that answers and events call otherwise than writes do.
    pub(super) renamed: Renamed,
    /// Fields in a form of their own.
    pub(super) forms: Vec<Form>,
    /// Whether an answer names every field that has a value.
    pub(super) whole: bool,
    /// Where a record says that it is not there any more, and what it says then.
    pub(super) gone: Option<Says>,
    /// Where an answer says that it is an error, whatever its status.
    pub(super) error: Option<Pointer>,
}

/// Fields that a system calls otherwise in what it answers than in what it is sent. A contract has the name that is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Renamed(BTreeMap<String, String>);

impl Renamed {
    /// From each name that is sent to the one that is answered.
    pub(super) fn new(answered: &BTreeMap<String, String>) -> Self {
        Self(answered.clone())
    }

    /// What a field is called when it is sent.
    pub(crate) fn sent<'a>(&'a self, answered: &'a str) -> &'a str {
        self.0.iter().find(|(_, name)| *name == answered).map_or(answered, |(sent, _)| sent)
    }

    /// What a field is called in answers.
    pub(super) fn answered<'a>(&'a self, sent: &'a str) -> &'a str {
        self.0.get(sent).map_or(sent, String::as_str)
    }
}

/// A place, and what says something there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Says {
    /// Where.
    pub(super) at: Pointer,
    /// A value, or a list of values of which any says it.
    pub(super) is: Value,
}

impl Says {
    /// Whether it is said here; nothing where there is nothing at its place.
    pub(crate) fn is_in(&self, answer: &Value) -> Option<bool> {
        let found = self.at.of(answer)?;
        // What says it in one way over one database may say it in another over another.
        Some(found == &self.is || self.is.as_array().is_some_and(|any| any.contains(found)))
    }
}

/// What was found in an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// A record, and when it was last modified.
    Record(Record, Option<Timestamp>),
    /// A record that is not there any more.
    Gone,
}

impl RecordShape {
    /// Reads an answer as a record.
    ///
    /// # Errors
    ///
    /// One line that says what is missing; never a value.
    pub(super) fn read(&self, answer: Value) -> Result<Found, &'static str> {
        if !answer.is_object() {
            return Err("expected an object, found another kind of JSON");
        }
        if self.is_error(&answer) {
            return Err("expected a record, found an error");
        }
        let id = self.id.of(&answer).and_then(id_text).ok_or("expected a record, found no id")?;
        if self.is_gone(&answer) {
            return Ok(Found::Gone);
        }
        let version = self.version.as_ref().and_then(|at| at.of(&answer)).and_then(plain_text);
        let modified = self.modified_at(&answer);
        let formed: Vec<_> =
            self.forms.iter().filter_map(|form| Some((form.name.clone(), form.read(&answer)?))).collect();
        let Some(Value::Object(fields)) = self.fields.take(answer) else {
            return Err("expected a record, found no fields");
        };
        let mut fields = self.flat(fields);
        fields.extend(formed.into_iter().map(|(name, value)| (name, Value::String(value))));
        Ok(Found::Record(Record { version, ..Record::new(id, fields) }, modified))
    }

    /// Whether an answer says that it is an error.
    pub(super) fn is_error(&self, answer: &Value) -> bool {
        self.error.as_ref().and_then(|error| error.of(answer)).is_some_and(|error| !error.is_null())
    }

    /// Whether an answer says that its record is not there any more.
    pub(super) fn is_gone(&self, answer: &Value) -> bool {
        self.gone.as_ref().and_then(|gone| gone.is_in(answer)).unwrap_or_default()
    }

    /// When an answer says that its record was last modified.
    pub(super) fn modified_at(&self, answer: &Value) -> Option<Timestamp> {
        // A record that was never changed may say so with a null.
        let said = self.modified.iter().find_map(|at| at.of(answer).filter(|said| !said.is_null()));
        said.and_then(|said| instant(said, self.in_seconds))
    }

    /// The id an answer holds, also when it holds no whole record.
    pub(super) fn id_in(&self, answer: &Value) -> Option<String> {
        self.id.of(answer).and_then(id_text)
    }

    /// Nested objects become names with dots.
    fn flat(&self, fields: Map<String, Value>) -> Fields {
        let mut flat = self.flattened(fields);
        for (sent, answered) in &self.renamed.0 {
            if let Some(value) = flat.swap_remove(answered) {
                flat.insert(sent.clone(), value);
            }
        }
        flat
    }

    fn flattened(&self, fields: Map<String, Value>) -> Fields {
        if self.leave_out.is_empty() && !fields.values().any(Value::is_object) {
            return fields;
        }
        let mut flat = Fields::with_capacity(fields.len());
        for (name, value) in fields {
            if self.leave_out.contains(&name) {
                continue;
            }
            match value {
                Value::Object(inner) => flatten(&name, inner, &mut flat),
                other => {
                    flat.insert(name, other);
                }
            }
        }
        flat
    }
}

fn flatten(prefix: &str, inner: Map<String, Value>, flat: &mut Fields) {
    for (name, value) in inner {
        let name = format!("{prefix}.{name}");
        match value {
            Value::Object(inner) => flatten(&name, inner, flat),
            other => {
                flat.insert(name, other);
            }
        }
    }
}

/// Puts fields into an object, names with dots as nested objects.
///
/// # Errors
///
/// One line when two names contradict each other.
pub(super) fn put_fields(target: &mut Map<String, Value>, fields: &Fields) -> Result<(), String> {
    for (name, value) in fields {
        let mut map = &mut *target;
        let mut rest = name.as_str();
        while let Some((outer, inner)) = rest.split_once('.') {
            let nested = map.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            map = nested
                .as_object_mut()
                .ok_or_else(|| format!("`{name}` cannot be within `{outer}`, which is a value"))?;
            rest = inner;
        }
        if rest.is_empty() {
            return Err(format!("expected the name of a field, found `{name}`"));
        }
        if map.get(rest).is_some_and(Value::is_object) {
            return Err(format!("`{name}` cannot be a value, there are fields within it"));
        }
        map.insert(rest.to_owned(), value.clone());
    }
    Ok(())
}

/// An instant as systems write it: RFC 3339, a number of milliseconds or seconds since 1970, or an object of its parts.
fn instant(value: &Value, in_seconds: bool) -> Option<Timestamp> {
    let unit = if in_seconds { 1000 } else { 1 };
    let millis = match value {
        Value::Number(number) => number.as_i64()?.checked_mul(unit)?,
        Value::String(text) => match text.parse::<i64>() {
            Ok(number) => number.checked_mul(unit)?,
            Err(_) => text.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
        },
        Value::Object(parts) => from_parts(parts)?,
        _ => return None,
    };
    Some(Timestamp::from_millis(millis))
}

/// An instant in parts from `year` to `microsecond`, in UTC.
fn from_parts(parts: &Map<String, Value>) -> Option<i64> {
    let part = |name: &str| parts.get(name).map_or(Some(0), Value::as_i64);
    let small = |name: &str| part(name).and_then(|number| i8::try_from(number).ok());
    let date = jiff::civil::Date::new(i16::try_from(part("year")?).ok()?, small("month")?, small("day")?).ok()?;
    let nanoseconds = i32::try_from(part("microsecond")?.checked_mul(1000)?).ok()?;
    let time = jiff::civil::Time::new(small("hour")?, small("minute")?, small("second")?, nanoseconds).ok()?;
    let at = jiff::civil::DateTime::from_parts(date, time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(at.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    fn nested() -> RecordShape {
        RecordShape {
            id: pointer("/id"),
            version: Some(pointer("/updatedAt")),
            modified: vec![pointer("/properties/lastmodifieddate"), pointer("/updatedAt")],
            fields: pointer("/properties"),
            gone: Some(Says { at: pointer("/archived"), is: json!(true) }),
            ..RecordShape::default()
        }
    }

    fn flat() -> RecordShape {
        RecordShape {
            id: pointer("/id"),
            leave_out: ["id".to_owned()].into(),
            error: Some(pointer("/error")),
            ..RecordShape::default()
        }
    }

    #[test]
    fn an_instant_is_text_or_a_number_of_either_unit() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        for (value, in_seconds) in [
            (json!("2023-11-14T22:13:20Z"), false),
            (json!("2023-11-14T22:13:20Z"), true),
            (json!(1_700_000_000_000_i64), false),
            (json!("1700000000000"), false),
            (json!(1_700_000_000), true),
            (json!("1700000000"), true),
            (json!({ "year": 2023, "month": 11, "day": 14, "hour": 22, "minute": 13, "second": 20 }), false),
        ] {
            assert_eq!(instant(&value, in_seconds), Some(at), "{value}, in seconds: {in_seconds}");
        }
        let no_date = json!({ "year": 2023, "month": 13, "day": 1 });
        for none in [json!(i64::MAX), json!("soon"), json!(1.5), json!(null), json!([]), json!({}), no_date] {
            assert_eq!(instant(&none, true), None, "{none}");
        }
    }

    #[test]
    fn fields_below_a_pointer_are_read_with_id_version_and_time() {
        let answer = json!({
            "id": "101", "properties": { "email": "a@b.test", "phone": null }, "archived": false,
            "updatedAt": "2023-11-14T22:13:20.007Z",
        });

        let Found::Record(record, modified) = nested().read(answer).unwrap() else { panic!("expected a record") };

        assert_eq!(record.id, "101");
        assert_eq!(record.version.as_deref(), Some("2023-11-14T22:13:20.007Z"));
        assert_eq!(json!(record.fields), json!({ "email": "a@b.test", "phone": null }));
        assert_eq!(modified, Some(Timestamp::from_millis(1_700_000_000_007)));
    }

    #[test]
    fn nested_objects_become_names_with_dots_and_go_back() {
        let answer = json!({ "id": 7, "name": "Ada", "custom_fields": { "crm_id": "1", "deep": { "x": [1] } } });

        let Found::Record(record, _) = flat().read(answer).unwrap() else { panic!("expected a record") };
        let mut back = Map::new();
        put_fields(&mut back, &record.fields).unwrap();

        assert_eq!(record.id, "7");
        assert_eq!(
            json!(record.fields),
            json!({ "name": "Ada", "custom_fields.crm_id": "1", "custom_fields.deep.x": [1] })
        );
        assert_eq!(json!(back), json!({ "name": "Ada", "custom_fields": { "crm_id": "1", "deep": { "x": [1] } } }));
    }

    #[test]
    fn an_answer_without_an_id_or_fields_is_no_record() {
        for answer in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "id": null, "properties": {} }),
            json!({ "id": 1.5, "properties": {} }),
            json!({ "id": "", "properties": {} }),
            json!({ "id": "1" }),
            json!({ "id": "1", "properties": "x" }),
            json!({ "status": "error", "message": "x" }),
        ] {
            assert!(nested().read(answer.clone()).is_err(), "{answer}");
        }
        assert!(flat().read(json!({ "id": 1, "error": ["UserError"] })).is_err());
        assert!(flat().read(json!({ "id": 1, "error": null })).is_ok());
    }

    #[test]
    fn a_field_has_the_name_that_it_is_sent_with() {
        let names = [("crm_id".to_owned(), "meta.x_crm_id".to_owned())].into();
        let shape = RecordShape { renamed: Renamed::new(&names), ..flat() };

        let Ok(Found::Record(record, _)) = shape.read(json!({ "id": 1, "meta": { "x_crm_id": "7" } })) else {
            panic!("expected a record")
        };

        assert_eq!(json!(record.fields), json!({ "crm_id": "7" }));
        assert_eq!(
            (shape.renamed.sent("meta.x_crm_id"), shape.renamed.answered("crm_id")),
            ("crm_id", "meta.x_crm_id")
        );
    }

    #[test]
    fn a_record_is_gone_by_any_of_the_values_that_say_so() {
        let shape = RecordShape { gone: Some(Says { at: pointer("/active"), is: json!([0, false]) }), ..flat() };
        for (active, is_gone) in [(json!(0), true), (json!(false), true), (json!(1), false), (json!(true), false)] {
            assert_eq!(shape.is_gone(&json!({ "id": 1, "active": active })), is_gone, "{active}");
        }
        assert!(!shape.is_gone(&json!({ "id": 1 })));
    }

    #[test]
    fn an_archived_record_is_gone() {
        assert_eq!(nested().read(json!({ "id": "1", "properties": {}, "archived": true })), Ok(Found::Gone));
    }

    #[test]
    fn names_that_contradict_each_other_are_refused() {
        for fields in [json!({ "a": 1, "a.b": 2 }), json!({ "a.b": 2, "a": 1 }), json!({ "a.": 1 })] {
            assert!(put_fields(&mut Map::new(), fields.as_object().unwrap()).is_err(), "{fields}");
        }
    }
}
