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
