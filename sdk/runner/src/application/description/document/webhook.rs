//! What a system sends, as it is written.

use serde::Deserialize;

use super::{AlgorithmDocument, EncodingDocument, ListDocument, SaysDocument, UnitDocument};

/// The webhooks of the system.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookDocument {
    /// How a delivery proves where it comes from.
    pub(crate) signature: SignatureDocument,
    /// Whether a delivery is a list of events or one.
    pub(crate) body: BodyDocument,
    /// Where an event holds its parts.
    pub(crate) event: EventDocument,
    /// How the system is asked what it was told to send; without it, it cannot be asked.
    pub(crate) subscriptions: Option<SubscriptionsDocument>,
}

/// How a system is asked what it was told to send.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionsDocument {
    /// Asks for all of them.
    pub(crate) list: ListDocument,
    /// Where one of them holds the URL that it sends to; without it, all of them are ours.
    pub(crate) url: Option<String>,
    /// Where it names what it sends: an event, or a list of them.
    pub(crate) events: String,
    /// The texts there that stand for every event.
    #[serde(default)]
    pub(crate) all: Vec<String>,
    /// Where it names the one field whose changes it sends, if it is about one.
    pub(crate) field: Option<String>,
    /// Where it says that it is at work; without it, each is.
    pub(crate) active: Option<SaysDocument>,
}

/// Whether a delivery is a list of events or one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BodyDocument {
    Batch,
    Single,
}

/// How a delivery proves where it comes from.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureDocument {
    /// The header of the signature.
    pub(crate) header: String,
    /// What stands between the items of that header, if it holds several.
    pub(crate) separator: Option<String>,
    /// There is one; it is written so that a second one needs no guess.
    #[expect(dead_code, reason = "there is one algorithm so far")]
    pub(crate) algorithm: AlgorithmDocument,
    /// What is signed: `{body}` and, where they are, `{method}`, `{url}`, `{timestamp}`, `{header NAME}`.
    pub(crate) signs: String,
    /// How it is written.
    pub(crate) encoding: EncodingDocument,
    /// What stands before it.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Its key.
    pub(crate) secret: String,
    /// The key before that one, still believed.
    pub(crate) secret_before: Option<String>,
    /// What a secret begins with that is no part of the key.
    #[serde(default)]
    pub(crate) secret_prefix: String,
    /// How the key is written in the secret.
    pub(crate) secret_encoding: Option<EncodingDocument>,
    /// The URL as the system signs it.
    pub(crate) url: Option<String>,
    /// The time that it was signed at.
    pub(crate) timestamp: Option<TimestampDocument>,
}

/// The time that a delivery was signed at.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct TimestampDocument {
    /// The header.
    pub(crate) header: String,
    /// What stands before it.
    #[serde(default)]
    pub(crate) prefix: String,
    /// What it counts.
    pub(crate) unit: UnitDocument,
    /// How far it may be from our clock: `5m`.
    pub(crate) tolerance: String,
}

/// Where an event holds its parts.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct EventDocument {
    /// What together tells one event from every other.
    #[serde(default)]
    pub(crate) key: Vec<String>,
    /// The record's id.
    pub(crate) record: String,
    /// What happened.
    pub(crate) kind: KindDocument,
    /// The field that was changed.
    pub(crate) field: Option<String>,
    /// Its new value.
    pub(crate) value: Option<String>,
    /// A list of the fields that were changed.
    pub(crate) changed: Option<String>,
}

/// What happened.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct KindDocument {
    /// Where an event says it.
    pub(crate) at: String,
    /// The texts for a new record.
    #[serde(default)]
    pub(crate) created: Vec<String>,
    /// The texts for a changed record.
    #[serde(default)]
    pub(crate) updated: Vec<String>,
    /// The texts for a deleted record.
    #[serde(default)]
    pub(crate) deleted: Vec<String>,
    /// The texts that are of no interest.
    #[serde(default)]
    pub(crate) ignored: Vec<String>,
}
