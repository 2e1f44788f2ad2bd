//! An application description as it is written. Each chapter has a file; what several of them say is here.

mod auth;
mod capabilities;
mod echo;
mod errors;
mod example;
mod listing;
mod operations;
mod record;
mod webhook;

use serde::Deserialize;

pub(crate) use auth::{AuthDocument, HmacDocument, Oauth2Document, SessionDocument};
pub(crate) use capabilities::CapabilitiesDocument;
pub(crate) use echo::{EchoDocument, OperationEchoDocument};
pub(crate) use errors::{ErrorsDocument, RuleDocument, StatusDocument, WaitDocument};
pub(crate) use example::{ExampleDocument, OfDocument};
pub(crate) use listing::{ListDocument, NextDocument, OtherNextDocument};
pub(crate) use operations::{
    BodyEncodingDocument, ChangedDocument, DeleteDocument, FindDocument, IdDocument, OperationsDocument, OrderDocument,
    PreconditionDocument, SinceDocument, WriteDocument,
};
pub(crate) use record::{FormDocument, RecordDocument, SaysDocument};
pub(crate) use webhook::{
    BodyDocument, EventDocument, SignatureDocument, SubscriptionsDocument, TimestampDocument, WebhookDocument,
};

/// A system, as the sync sees it.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationDocument {
    /// The system's name, as in `crm:101` and `/webhooks/crm`: small letters, digits and `-`.
    pub(crate) application: String,
    /// One sentence for people.
    pub(crate) about: String,
    /// The URL that its paths stand below. Calls go to no other host.
    pub(crate) base_url: String,
    /// Whether the name in `base_url` may lead to an address that is none of the public internet.
    #[serde(default)]
    pub(crate) private_network: bool,
    /// What every call is believed by: one of these.
    pub(crate) auth: AuthDocument,
    /// What the system promises. It decides how a create is taken up again whose answer was lost.
    pub(crate) capabilities: CapabilitiesDocument,
    /// Where an answer holds a record's parts.
    pub(crate) record: RecordDocument,
    /// How it is called.
    pub(crate) operations: OperationsDocument,
    /// What answers mean that mean something else than their status does.
    #[serde(default)]
    pub(crate) errors: ErrorsDocument,
    /// How our own writes come back in its events.
    pub(crate) echo: EchoDocument,
    /// Its webhooks, which go to `/webhooks/<application>`; without it, it sends none.
    pub(crate) webhook: Option<WebhookDocument>,
    /// What is not exceeded.
    #[serde(default)]
    pub(crate) limits: LimitsDocument,
    /// What the system says, as its documentation shows it. `check` reads it as it would be read at work.
    #[serde(default)]
    pub(crate) examples: Vec<ExampleDocument>,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AlgorithmDocument {
    HmacSha256,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EncodingDocument {
    Base64,
    Hex,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UnitDocument {
    #[default]
    Milliseconds,
    Seconds,
}

/// What is not exceeded.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsDocument {
    /// Calls at once.
    pub(crate) in_flight: Option<usize>,
    /// Bytes of an answer.
    pub(crate) response_bytes: Option<usize>,
    /// Bytes of a delivery.
    pub(crate) body_bytes: Option<usize>,
    /// Lists and objects within each other.
    pub(crate) depth: Option<usize>,
}
