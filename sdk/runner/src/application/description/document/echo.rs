//! How our own writes come back, as it is written.

use serde::Deserialize;

/// How our own writes come back in its events.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct EchoDocument {
    /// A header that carries the id of our operation.
    pub(crate) operation: Option<OperationEchoDocument>,
    /// What all must be in an event for it to be ours.
    #[serde(default)]
    pub(crate) actor: Vec<ActorDocument>,
}

/// A header that carries the id of our operation.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationEchoDocument {
    /// The header.
    pub(crate) header: String,
    /// Its value, with `{operation}` in it.
    pub(crate) value: String,
    /// Where an event gives it back, if it does.
    pub(crate) event: Option<String>,
}

/// A part of an event that says who it was.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ActorDocument {
    /// Where, as a pointer.
    pub(crate) event: String,
    /// What stands there when it was us.
    pub(crate) is: String,
}
