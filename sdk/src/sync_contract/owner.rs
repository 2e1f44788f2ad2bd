//! Who may write a field, and who wins when both sides did.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::System;

/// Who may write a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This system only; the other side gets its value.
    System(System),
    /// Both; simultaneous edits are settled by the policy.
    Shared(Policy),
}

/// Who wins when both sides of a shared field changed since they last agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Newest => serializer.serialize_str("newest"),
            Self::SetUnion => serializer.serialize_str("set-union"),
            Self::Max => serializer.serialize_str("max"),
            Self::Ask => serializer.serialize_str("ask"),
            Self::Prefer(system) => serializer.collect_str(&format_args!("prefer {system}")),
        }
    }
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
