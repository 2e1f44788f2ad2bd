//! A sync contract as it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{FieldKind, Policy, Transform, Violation, Written};
use crate::System;

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
