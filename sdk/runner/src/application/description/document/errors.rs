//! What answers mean, as it is written.

use serde::Deserialize;
use serde_json::Value;

use super::UnitDocument;
use crate::application::errors::Means;

/// What answers mean that mean something else than their status does.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorsDocument {
    /// The first that fits decides.
    #[serde(default)]
    pub(crate) rules: Vec<RuleDocument>,
    /// Where a refusal names its kind, for the log.
    pub(crate) code: Option<String>,
}

/// What an answer means.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleDocument {
    /// The status that it is about; any without it.
    #[serde(default)]
    pub(crate) status: StatusDocument,
    /// Where something must stand in the answer.
    pub(crate) at: Option<String>,
    /// What must stand there; anything but null without it.
    pub(crate) is: Option<Value>,
    /// Or a part of the text there, perhaps with `{id}`.
    pub(crate) says: Option<String>,
    /// What it means.
    pub(crate) means: Means,
    /// How long we are to wait.
    pub(crate) wait: Option<WaitDocument>,
}

/// A status, or a list of them.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a status, such as `404`, or a list of them")]
pub(crate) enum StatusDocument {
    One(u16),
    Several(Vec<u16>),
}

impl Default for StatusDocument {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// A duration, or where it stands.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a duration, such as `10s`, or where it stands: `{ header: NAME, in: seconds }`, or `at` and `milliseconds`"
)]
pub(crate) enum WaitDocument {
    Fixed(String),
    Said(SaidDocument),
}

/// Where a duration stands.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct SaidDocument {
    /// In this header.
    pub(crate) header: Option<String>,
    /// Or there in the answer.
    pub(crate) at: Option<String>,
    /// What the number counts.
    #[serde(rename = "in")]
    pub(crate) unit: UnitDocument,
}
