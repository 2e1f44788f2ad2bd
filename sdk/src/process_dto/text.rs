//! The text of a body, and where its entries are: one of them is read without building the others.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Keys, and where what belongs to them stands.
type Places = Vec<(String, Range<usize>)>;

/// A text that is known to be JSON.
#[derive(Clone, Debug)]
pub(super) struct Text {
    text: String,
    /// Once somebody has looked; nothing when it is no object.
    entries: OnceLock<Option<Places>>,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        Self { text, entries: OnceLock::new() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// By their keys, in their order; nothing when it is no object.
    fn entries(&self) -> Option<&[(String, Range<usize>)]> {
        let find = || {
            let Entries(entries) = serde_json::from_str(&self.text).ok()?;
            let begin = self.text.as_ptr().addr();
            let place = |value: &RawValue| {
                let at = value.get().as_ptr().addr() - begin;
                at..at + value.get().len()
            };
            Some(entries.into_iter().map(|(key, value)| (key, place(value))).collect())
        };
        self.entries.get_or_init(find).as_deref()
    }

    /// The text of one entry. Of two with one key the last counts, as when it is read as a whole.
    pub(super) fn entry(&self, key: &str) -> Option<&str> {
        let (_, place) = self.entries()?.iter().rev().find(|(name, _)| name == key)?;
        self.text.get(place.clone())
    }

    /// The text up to where another entry can be written, if it is an object.
    pub(super) fn open(&self) -> Option<Vec<u8>> {
        let entries = self.entries()?;
        let mut open = Vec::with_capacity(self.text.len() + 1024);
        open.extend_from_slice(self.text.trim_end().strip_suffix('}')?.as_bytes());
        if !entries.is_empty() {
            open.push(b',');
        }
        Some(open)
    }
}

struct Entries<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Err(E::custom("expected an object"))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_entry_is_what_the_whole_says_it_is() {
        let text = Text::new(" { \"a\" : [1, {\"b\": \"}\"}] ,\"\\u0062\":\"ü\", \"c\":null,\"a\" :2.50}\n".to_owned());
        let whole: Value = serde_json::from_str(text.as_str()).unwrap();

        for key in ["a", "b", "c"] {
            let read: Value = serde_json::from_str(text.entry(key).unwrap()).unwrap();
            assert_eq!(read, whole[key], "{key}");
        }
        assert_eq!((text.entry("a"), text.entry("d")), (Some("2.50"), None));
    }

    #[test]
    fn what_is_no_object_has_no_entries() {
        for text in ["null", "[{\"a\":1}]", "\"a\"", "1"] {
            let text = Text::new(text.to_owned());
            assert!(text.entry("a").is_none() && text.open().is_none(), "{}", text.as_str());
        }
    }

    #[test]
    fn an_entry_can_be_written_behind_those_that_are_there() {
        for (text, open) in [("{}", "{"), (" { } ", " { "), ("{\"a\":1 } ", "{\"a\":1 ,")] {
            assert_eq!(Text::new(text.to_owned()).open().unwrap(), open.as_bytes(), "{text}");
        }
    }
}
