//! What a system promises, as it is written.

use serde::Deserialize;

/// What the system promises, not what it usually does.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct CapabilitiesDocument {
    /// A field whose value no two records have: a second one is refused.
    pub(crate) unique_field: Option<String>,
    /// Whether a create whose path names a field of ours finds the record that is there.
    #[serde(default)]
    pub(crate) upsert: bool,
    /// A header with which a create that comes again makes no second record.
    pub(crate) idempotency_key: Option<KeyDocument>,
    /// Whether records can be looked for, and how soon one is found.
    pub(crate) find: Option<IndexDocument>,
    /// Whether each write has an event of its own, so that one that names our operation tells of nothing else.
    #[serde(default)]
    pub(crate) one_event_per_write: bool,
    /// A call is given up after this time: `5s`.
    pub(crate) deadline: String,
    /// A request that was given up may be applied for so long: `60s`.
    pub(crate) request_life: String,
}

/// An idempotency key.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyDocument {
    /// The header that it is sent in.
    pub(crate) header: String,
    /// How long the system remembers a key: `24h`.
    pub(crate) ttl: String,
    /// How long before that we no longer trust it: `1h`.
    pub(crate) margin: String,
}

/// The lag of a search.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct IndexDocument {
    /// What was written is found after this time at the latest: `3s`.
    pub(crate) index_lag: String,
}
