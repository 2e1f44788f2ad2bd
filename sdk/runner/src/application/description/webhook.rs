//! What a system's webhooks look like, and how its description says so.

use std::time::Duration;

use axum::http::HeaderName;
use pairline_sdk::EventKind;
use secrecy::SecretString;

use super::check::{Check, Echo};
use super::document::{
    BodyDocument, EncodingDocument, EventDocument, SignatureDocument, SignedDocument, UnitDocument, WebhookDocument,
};
use crate::application::pointer::Pointer;
use crate::application::template::Template;

/// A system's webhooks.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// How a delivery proves where it comes from.
    pub(crate) signature: SignatureScheme,
    /// Whether a delivery is a list of events, or one.
    pub(crate) batch: bool,
    /// Where an event holds its parts.
    pub(crate) event: EventShape,
}

/// How a delivery proves where it comes from: by a keyed hash of some of its parts.
#[derive(Clone, Debug)]
pub struct SignatureScheme {
    /// The header with the signature.
    pub(crate) header: HeaderName,
    /// What is signed, in this order.
    pub(crate) signs: Vec<Signed>,
    /// How the signature is written.
    pub(crate) encoding: Encoding,
    /// What stands before it.
    pub(crate) prefix: String,
    /// The key.
    pub(crate) secret: SecretString,
    /// The URL as it is signed.
    pub(crate) url: String,
    /// When the delivery was signed.
    pub(crate) timestamp: Option<SignedTime>,
}

/// A part of a delivery that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The HTTP method.
    Method,
    /// The URL.
    Url,
    /// The body, byte by byte.
    Body,
    /// The text of the timestamp's header.
    Timestamp,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Base64.
    Base64,
    /// Hexadecimal.
    Hex,
}

/// When a delivery was signed.
#[derive(Clone, Debug)]
pub struct SignedTime {
    /// The header.
    pub(crate) header: HeaderName,
    /// How many milliseconds one of its units is.
    pub(crate) unit: i64,
    /// How far it may be from our clock.
    pub(crate) tolerance: Duration,
}

/// Where an event holds its parts.
#[derive(Clone, Debug, Default)]
pub struct EventShape {
    /// What together is its key.
    pub(crate) key: Vec<Pointer>,
    /// The record's id.
    pub(crate) record: Pointer,
    /// What happened.
    pub(crate) kind: Pointer,
    /// The texts for what happened; none: an event that is of no interest.
    pub(crate) kinds: Vec<(String, Option<EventKind>)>,
    /// The field that changed.
    pub(crate) field: Option<Pointer>,
    /// Its new value.
    pub(crate) value: Option<Pointer>,
    /// A list of the fields that changed.
    pub(crate) changed: Option<Pointer>,
    /// What all must be there for the actor to be us.
    pub(crate) actor: Vec<(Pointer, String)>,
    /// Our marker as it comes back, with the operation id in it.
    pub(crate) operation: Option<(Pointer, Template)>,
}

impl Check<'_> {
    pub(super) fn webhook(&mut self, written: &WebhookDocument, application: &str, echo: Echo) -> Webhook {
        if echo.operation.is_none() && echo.actor.is_empty() {
            self.warn(
                &["echo"],
                "expected `actor` or an `operation` that comes back in an event: else no echo is recognized",
            );
        }
        let event = self.event(&written.event, echo);
        if event.kinds.iter().all(|(_, kind)| kind.is_none()) {
            self.note(&["webhook", "event", "kind"], format!("expected at least one kind of event of {application}"));
        }
        Webhook { signature: self.signature(&written.signature), batch: written.body == BodyDocument::Batch, event }
    }

    fn event(&mut self, written: &EventDocument, echo: Echo) -> EventShape {
        let at = |last| ["webhook", "event", last];
        let kinds = [
            (&written.kind.created, Some(EventKind::Created)),
            (&written.kind.updated, Some(EventKind::Updated)),
            (&written.kind.deleted, Some(EventKind::Deleted)),
            (&written.kind.ignored, None),
        ];
        let kinds = kinds.into_iter().flat_map(|(texts, kind)| texts.iter().map(move |text| (text.clone(), kind)));
        EventShape {
            key: written.key.iter().map(|text| self.pointer(&at("key"), text)).collect(),
            record: self.pointer(&at("record"), &written.record),
            kind: self.pointer(&["webhook", "event", "kind", "at"], &written.kind.at),
            kinds: kinds.collect(),
            field: self.optional_pointer(&at("field"), written.field.as_ref()),
            value: self.optional_pointer(&at("value"), written.value.as_ref()),
            changed: self.optional_pointer(&at("changed"), written.changed.as_ref()),
            actor: echo.actor,
            operation: echo.operation,
        }
    }

    fn signature(&mut self, written: &SignatureDocument) -> SignatureScheme {
        let at = |last| ["webhook", "signature", last];
        let secret = self.expanded(&at("secret"), &written.secret);
        if secret.is_empty() && written.secret.is_empty() {
            self.note(&at("secret"), "expected a secret, found none: anybody could sign");
        }
        let url = written.url.as_ref().map(|url| self.expanded(&at("url"), url));
        let signs: Vec<Signed> = written
            .signs
            .iter()
            .map(|part| match part {
                SignedDocument::Method => Signed::Method,
                SignedDocument::Url => Signed::Url,
                SignedDocument::Body => Signed::Body,
                SignedDocument::Timestamp => Signed::Timestamp,
            })
            .collect();
        if !signs.contains(&Signed::Body) {
            self.note(&at("signs"), "expected `body` among what is signed");
        }
        if signs.contains(&Signed::Url) && url.is_none() {
            self.note(&at("url"), "expected the URL as it is signed, found none");
        }
        let timestamp = written.timestamp.as_ref().map(|timestamp| {
            let at = |last| ["webhook", "signature", "timestamp", last];
            SignedTime {
                header: self.header(&at("header"), &timestamp.header),
                unit: if timestamp.unit == UnitDocument::Seconds { 1000 } else { 1 },
                tolerance: self.duration(&at("tolerance"), &timestamp.tolerance),
            }
        });
        if signs.contains(&Signed::Timestamp) != timestamp.is_some() {
            // A time that is not signed proves nothing, and one that is signed must be known.
            self.note(&at("timestamp"), "expected `timestamp` both among what is signed and as a header, or neither");
        }
        SignatureScheme {
            header: self.header(&at("header"), &written.header),
            signs,
            encoding: if written.encoding == EncodingDocument::Hex { Encoding::Hex } else { Encoding::Base64 },
            prefix: written.prefix.clone(),
            secret: secret.into(),
            url: url.unwrap_or_default(),
            timestamp,
        }
    }
}
