//! Whether a text is JSON, found out without building anything of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::NodeError;

/// Refuses what is not JSON.
pub(super) fn check(text: &str) -> Result<(), NodeError> {
    serde_json::from_str::<WellFormed>(text)
        .map(|_| ())
        .map_err(|error| NodeError::stop(format!("expected a JSON body, found none: {error}")))
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

/// A text that reads as this reads as a value, too: everything in it is looked at as a value would, and forgotten.
struct WellFormed;

impl<'de> Deserialize<'de> for WellFormed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for WellFormed {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(Self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

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

    #[test]
    fn what_reads_as_well_formed_reads_as_a_value_and_the_other_way_round() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for text in [
            "1e999",
            "-1e999",
            "1e308",
            "18446744073709551616",
            "-9223372036854775809",
            "01",
            "1.",
            ".5",
            "-",
            "nul",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\u{1}\"",
            "{\"a\":1,\"a\":2}",
            "{a:1}",
            "[1,]",
            "{\"a\":1,}",
            "[] []",
            "{\"a\"}",
            "",
            " \n{} ",
            "\u{feff}{}",
            "\"\\x\"",
            "{1:2}",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([deep(127), deep(128), deep(129), deep(100_000)])
        {
            let as_value = serde_json::from_str::<Value>(&text).is_ok();
            let as_well_formed = serde_json::from_str::<WellFormed>(&text).is_ok();

            assert_eq!(as_well_formed, as_value, "{}", text.chars().take(40).collect::<String>());
        }
    }
}
