//! How a topology uses a node: its settings, and on what terms a node runs that the program does not trust.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::System;

/// How a topology uses a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// The `with` block.
    pub with: Value,
    /// What it may use up; for components alone.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// What it may ask for; for components alone. A native node is part of the program and has every port.
    #[serde(skip_serializing_if = "is_default")]
    pub grants: Grants,
}

impl Usage {
    /// A use with these settings and nothing else.
    pub fn with(with: Value) -> Self {
        Self { with, ..Self::default() }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a component may use up for one message. What is not said is the program's to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// How long it may take, waiting for the program included.
    pub timeout: Option<Duration>,
    /// How many bytes of memory an instance may have.
    pub memory: Option<u64>,
    /// How many messages one instance serves before it is thrown away. 1: each message gets a fresh one.
    pub calls: Option<u32>,
}

/// What a component may ask the program for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// The id mapping.
    pub pairs: Option<PairsGrant>,
    /// The systems it may read.
    pub applications: Vec<System>,
    /// The systems it may write to, through the ledger.
    pub writes: Vec<System>,
    /// The hosts it may send requests to, by their origins: `https://api.example.org`.
    pub http: Vec<String>,
    /// The secrets it may read, by name.
    pub secrets: Vec<String>,
}

/// What a component may do with the id mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairsGrant {
    /// Look at it.
    Read,
    /// Change it, and the ledger.
    Write,
}

/// Something that a component asks the program for, and that is granted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// `pairs: read`
    ReadPairs,
    /// `pairs: write`
    WritePairs,
    /// `applications: [..]`
    Applications,
    /// `writes: [..]`
    Writes,
    /// `http: [..]`
    Http,
    /// `secrets: [..]`
    Secrets,
}

impl Need {
    /// Every one there is.
    pub const ALL: [Self; 6] =
        [Self::ReadPairs, Self::WritePairs, Self::Applications, Self::Writes, Self::Http, Self::Secrets];

    /// The key under `grants`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ReadPairs | Self::WritePairs => "pairs",
            Self::Applications => "applications",
            Self::Writes => "writes",
            Self::Http => "http",
            Self::Secrets => "secrets",
        }
    }

    /// The line under `grants` that grants it.
    pub const fn line(self) -> &'static str {
        match self {
            Self::ReadPairs => "pairs: read",
            Self::WritePairs => "pairs: write",
            Self::Applications => "applications: [<name>]",
            Self::Writes => "writes: [<name>]",
            Self::Http => "http: [<origin>]",
            Self::Secrets => "secrets: [<NAME>]",
        }
    }
}

impl Grants {
    /// Whether this is granted, if only in part.
    pub fn give(&self, need: Need) -> bool {
        match need {
            Need::ReadPairs => self.pairs.is_some(),
            Need::WritePairs => self.pairs == Some(PairsGrant::Write),
            Need::Applications => !self.applications.is_empty(),
            Need::Writes => !self.writes.is_empty(),
            Need::Http => !self.http.is_empty(),
            Need::Secrets => !self.secrets.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_change_the_mapping_may_look_at_it() {
        let grants = |pairs| Grants { pairs, ..Grants::default() };

        let given = |pairs| [Need::ReadPairs, Need::WritePairs].map(|need| grants(pairs).give(need));

        assert_eq!(given(None), [false, false]);
        assert_eq!(given(Some(PairsGrant::Read)), [true, false]);
        assert_eq!(given(Some(PairsGrant::Write)), [true, true]);
    }
}
