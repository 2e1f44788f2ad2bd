//! How a delivery proves where it comes from, and how a description says so.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretSlice;

use super::check::Check;
use super::document::{EncodingDocument, SignatureDocument, TimestampDocument, UnitDocument};
use crate::application::template::{Part, parts};

/// A keyed hash of some parts of a delivery.
#[derive(Clone, Debug)]
pub struct SignatureScheme {
    /// Where the signature is.
    pub(crate) header: SignedHeader,
    /// What is signed, in this order.
    pub(crate) signs: Vec<Signed>,
    /// How the signature is written.
    pub(crate) encoding: Encoding,
    /// The key, and the one before it while senders change over.
    pub(crate) keys: Vec<SecretSlice<u8>>,
    /// The URL as it is signed.
    pub(crate) url: String,
    /// When the delivery was signed.
    pub(crate) timestamp: Option<SignedTime>,
}

/// A header that holds what is looked for, alone or as one of several items.
#[derive(Clone, Debug)]
pub struct SignedHeader {
    /// The header.
    pub(crate) name: HeaderName,
    /// What stands between its items.
    pub(crate) separator: Option<String>,
    /// What an item begins with that is looked for.
    pub(crate) prefix: String,
}

/// A part of a delivery that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The HTTP method.
    Method,
    /// The URL.
    Url,
    /// The body, byte by byte.
    Body,
    /// The text of the timestamp.
    Timestamp,
    /// The text of a header.
    Header(HeaderName),
    /// A text.
    Text(String),
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
    /// Where that stands.
    pub(crate) header: SignedHeader,
    /// How many milliseconds one of its units is.
    pub(crate) unit: i64,
    /// How far it may be from our clock.
    pub(crate) tolerance: Duration,
}

impl Encoding {
    /// The bytes that a text stands for.
    pub(crate) fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Hex => from_hex(text),
        }
    }

    /// Bytes as text.
    pub(crate) fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Base64 => STANDARD.encode(bytes),
            Self::Hex => bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
                // Writing to a string does not fail.
                write!(text, "{byte:02x}").ok();
                text
            }),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }

    pub(super) const fn of(written: EncodingDocument) -> Self {
        match written {
            EncodingDocument::Base64 => Self::Base64,
            EncodingDocument::Hex => Self::Hex,
        }
    }
}

impl Check<'_> {
    pub(super) fn signature(&mut self, written: &SignatureDocument) -> SignatureScheme {
        let at = |last| ["webhook", "signature", last];
        if written.secret.is_empty() {
            self.note(&at("secret"), "expected a secret, found none: anybody could sign");
        }
        let mut keys: Vec<_> = self.key_of(written, "secret", &written.secret).into_iter().collect();
        if let Some(before) = &written.secret_before {
            keys.extend(self.key_of(written, "secret_before", before));
        }
        let url = written.url.as_ref().map(|url| self.expanded(&at("url"), url));
        let signs = self.ok(&at("signs"), signed(&written.signs));
        if !signs.contains(&Signed::Body) {
            self.note(&at("signs"), "expected `{body}` among what is signed");
        }
        if signs.contains(&Signed::Url) && url.is_none() {
            self.note(&at("url"), "expected the URL as it is signed, found none");
        }
        if written.separator.as_ref().is_some_and(String::is_empty) {
            self.note(&at("separator"), "expected what stands between the items of the header, found nothing");
        }
        let timestamp = written.timestamp.as_ref().map(|timestamp| self.signed_time(timestamp, written));
        if signs.contains(&Signed::Timestamp) != timestamp.is_some() {
            // A time that is not signed proves nothing, and one that is signed must be known.
            let both =
                "expected `{timestamp}` among what is signed and a `timestamp` that says where it stands, or neither";
            self.note(&at("timestamp"), both);
        }
        let header = SignedHeader {
            name: self.header(&at("header"), &written.header),
            separator: written.separator.clone(),
            prefix: written.prefix.clone(),
        };
        let url = url.unwrap_or_default();
        SignatureScheme { header, signs, encoding: Encoding::of(written.encoding), keys, url, timestamp }
    }

    /// The key that a secret stands for; none for a variable that is not set or empty, which others tell of.
    fn key_of(&mut self, signature: &SignatureDocument, name: &str, written: &str) -> Option<SecretSlice<u8>> {
        let path = ["webhook", "signature", name];
        let secret = self.expanded(&path, written);
        if secret.is_empty() {
            return None;
        }
        let (prefix, encoding) = (&signature.secret_prefix, signature.secret_encoding.map(Encoding::of));
        let key = secret.strip_prefix(prefix).and_then(|key| match encoding {
            Some(encoding) => encoding.read(key),
            None => Some(key.as_bytes().to_vec()),
        });
        if key.is_none() && self.environment.is_lenient() {
            return Some(secret.into_bytes().into());
        }
        if key.is_none() {
            let how = encoding.map_or("any text", Encoding::name);
            self.note(&path, format!("expected `{prefix}` and then {how}, found something else"));
        }
        key.map(Into::into)
    }

    fn signed_time(&mut self, written: &TimestampDocument, signature: &SignatureDocument) -> SignedTime {
        let at = |last| ["webhook", "signature", "timestamp", last];
        let same = written.header.eq_ignore_ascii_case(&signature.header);
        SignedTime {
            header: SignedHeader {
                name: self.header(&at("header"), &written.header),
                separator: signature.separator.clone().filter(|_| same),
                prefix: written.prefix.clone(),
            },
            unit: if written.unit == UnitDocument::Seconds { 1000 } else { 1 },
            tolerance: self.duration(&at("tolerance"), &written.tolerance),
        }
    }
}

/// Reads what is signed: a text with places.
fn signed(text: &str) -> Result<Vec<Signed>, String> {
    let signed = |part| match part {
        Part::Text(text) => Ok(Signed::Text(text)),
        Part::Place(name) => place(&name),
    };
    parts(text)?.into_iter().map(signed).collect()
}

fn place(name: &str) -> Result<Signed, String> {
    let header = || name.strip_prefix("header ").and_then(|name| name.parse().ok()).map(Signed::Header);
    let known = "{method}, {url}, {body}, {timestamp}, {header NAME}";
    match name {
        "method" => Ok(Signed::Method),
        "url" => Ok(Signed::Url),
        "body" => Ok(Signed::Body),
        "timestamp" => Ok(Signed::Timestamp),
        other => header().ok_or_else(|| format!("no place `{{{other}}}` here; known places: {known}")),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
