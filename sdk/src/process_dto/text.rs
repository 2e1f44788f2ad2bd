//! The text of a body, and where its entries are: one of them is read, or added, without building the others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use super::well_formed::check;

/// A text that is known to be JSON.
#[derive(Clone, Debug)]
pub(super) struct Text {
    text: String,
    /// Where each stands, once somebody has looked; nothing when it is no object.
    entries: OnceLock<Option<BTreeMap<String, Range<usize>>>>,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        Self { text, entries: OnceLock::new() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Of two with one key the last counts, as when the text is read as a whole.
    fn entries(&self) -> Option<&BTreeMap<String, Range<usize>>> {
        let find = || {
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(&self.text).ok()?;
            let begin = self.text.as_ptr().addr();
            let place = |value: &RawValue| {
                let at = value.get().as_ptr().addr() - begin;
                at..at + value.get().len()
            };
            Some(entries.into_iter().map(|(key, value)| (key, place(value))).collect())
        };
        self.entries.get_or_init(find).as_ref()
    }

    /// The text of one entry.
    pub(super) fn entry(&self, key: &str) -> Option<&str> {
        self.text.get(self.entries()?.get(key)?.clone())
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

/// What a text adds to the object that is known, as an object; nothing when it is another text.
pub(super) fn added(known: &str, text: &str) -> Option<String> {
    // The last brace of what is known to be JSON is that of the whole.
    let entries = known.trim_end().strip_suffix('}')?;
    let added = text.strip_prefix(entries.trim_end())?.trim_start().strip_prefix(',')?;
    let something = !added.trim_start().starts_with('}');
    // An empty object has nothing that a comma could stand behind.
    let behind_something = !entries.trim_end().ends_with('{');
    let added = format!("{{{added}");
    (something && behind_something && check(&added).is_ok()).then_some(added)
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

    #[test]
    fn what_is_added_is_json_and_what_is_no_json_adds_nothing() {
        let known = r#"{"a":{"b":[1]} , "c":"}" } "#;
        for (text, adds) in [
            (r#"{"a":{"b":[1]} , "c":"}","d":2}"#, true),
            (r#"{"a":{"b":[1]} , "c":"}" , "d" : {"e":[]} , "f":null } "#, true),
            (r#"{"a":{"b":[1]} , "c":"}","d":}"#, false),
            (r#"{"a":{"b":[1]} , "c":"}",}"#, false),
            (r#"{"a":{"b":[1]} , "c":"}", }"#, false),
            (r#"{"a":{"b":[1]} , "c":"}""d":2}"#, false),
            (r#"{"a":{"b":[1]} , "c":"}","d":2}}"#, false),
            (r#"{"a":{"b":[1]} , "c":"}","d":2},{}"#, false),
            (r#"{"a":{"b":[1]} , "c":"}","d":2"#, false),
            (r#"{"a":{"b":[1]} , "c":"}"}"#, false),
            (r#"{"a":{"b":[1]} , "c":"},"d":2}"#, false),
        ] {
            assert_eq!(added(known, text).is_some(), adds, "{text}");
            assert!(!adds || check(text).is_ok(), "{text}");
        }
        // Nothing stands before the comma, or the brace is not that of an object.
        for (known, text) in
            [("{}", r#"{,"d":2}"#), ("{ }", r#"{ ,"d":2}"#), ("[{}]", r#"[{},"d":2}"#), ("", r#","d":2}"#)]
        {
            assert_eq!(added(known, text), None, "{known} {text}");
        }
    }
}
