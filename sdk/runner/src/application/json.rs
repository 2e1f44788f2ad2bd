//! JSON from outside: no deeper than agreed, no key twice, and no id that was rounded on the way.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The longest text that is taken for an id, in bytes.
pub(crate) const LONGEST_ID: usize = 255;

/// Reads a text as JSON with objects and lists in each other at most `depth` deep.
///
/// # Errors
///
/// One line that names the place and never a value.
pub(crate) fn parse(bytes: &[u8], depth: usize) -> Result<Value, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded { depth, left: depth }.deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// A value as text: a text as it is, anything else as JSON.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A text or a number as text; anything else is none.
pub(crate) fn plain_text(value: &Value) -> Option<String> {
    matches!(value, Value::String(_) | Value::Number(_)).then(|| text(value).into_owned())
}

/// An id as text. A number is one only while it is exact; nothing else is an id.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if is_id(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a text may be an id: something that can stand in a path and in a line of a log.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_ID && text != "." && text != ".." && !text.chars().any(char::is_control)
}

#[derive(Clone, Copy)]
struct Bounded {
    depth: usize,
    left: usize,
}

impl Bounded {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(E::custom(format_args!("expected objects and lists at most {} deep, found more", self.depth))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("expected a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(inner)?;
            // Two readers of such a text may see two different records.
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("expected every key once, found one twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_json_is_read_as_it_is() {
        let text = br#" {"a":[1,-2,0.5,"x",null,true,{"b":18446744073709551615}],"\u00e9":"\ud83d\ude00"} "#;

        assert_eq!(parse(text, 8).unwrap(), serde_json::from_slice::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_not_json_is_refused_without_being_repeated() {
        let deep = "[".repeat(9) + &"]".repeat(9);
        let cases: [&[u8]; 10] = [
            b"",
            b"secret",
            b"{\"a\":secret}",
            b"{\"a\":1",
            b"{\"a\":1}{",
            b"{\"secret\":1,\"secret\":2}",
            b"[NaN]",
            b"[1e999]",
            b"\"\xff\"",
            br#""\ud800""#,
        ];
        for text in cases.into_iter().chain([deep.as_bytes()]) {
            let error = parse(text, 8).unwrap_err();

            assert!(!error.contains("secret"), "{error}");
        }
        assert!(parse(b"[[[[[[[[1]]]]]]]]", 8).is_ok());
    }

    #[test]
    fn a_hundred_thousand_brackets_do_not_reach_the_end_of_the_stack() {
        assert!(parse("[".repeat(100_000).as_bytes(), 64).is_err());
    }

    #[test]
    fn a_double_is_read_as_the_one_that_was_written() {
        for text in ["9.007199254740993e+35", "0.30000000000000004", "5e-324", "1.7976931348623157e+308"] {
            assert_eq!(parse(text.as_bytes(), 8).unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_id_is_a_text_or_an_exact_number() {
        let id = |text: &str| id_text(&parse(text.as_bytes(), 8).unwrap());

        assert_eq!(id("9007199254740993").as_deref(), Some("9007199254740993"));
        assert_eq!(id("18446744073709551615").as_deref(), Some("18446744073709551615"));
        assert_eq!(id("\"WHS-1\"").as_deref(), Some("WHS-1"));
        for none in ["18446744073709551616", "1.0", "1e3", "null", "true", "\"\"", "[]", "{}", "\"..\"", "\"a\\nb\""] {
            assert_eq!(id(none), None, "{none}");
        }
        assert_eq!(id_text(&json!("x".repeat(256))), None);
    }
}
