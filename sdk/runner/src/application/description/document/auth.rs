//! What calls are believed by, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{AlgorithmDocument, EncodingDocument, UnitDocument};

/// What every call is believed by: one of these.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthDocument {
    /// A token, sent as `Authorization: Bearer`.
    pub(crate) bearer: Option<String>,
    /// A name and a password, sent as `Authorization: Basic`.
    pub(crate) basic: Option<BasicDocument>,
    /// Any header, as for an API key.
    pub(crate) header: Option<HeaderDocument>,
    /// A signature over every call.
    pub(crate) hmac: Option<HmacDocument>,
    /// Signing in at the system itself.
    pub(crate) session: Option<SessionDocument>,
    /// A token server, which gives a bearer token.
    pub(crate) oauth2: Option<Oauth2Document>,
}

/// A name and a password.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicDocument {
    /// The name, without a `:`.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: String,
}

/// Any header.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderDocument {
    /// The name of the header.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
}

/// A signature over every call, made with a key that is never sent.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct HmacDocument {
    /// The header of the signature.
    #[serde(default = "authorization")]
    pub(crate) header: String,
    /// Its value, with `{signature}` in it.
    #[serde(default = "signature")]
    pub(crate) value: String,
    /// There is one; it is written so that a second one needs no guess.
    #[expect(dead_code, reason = "there is one algorithm so far")]
    pub(crate) algorithm: AlgorithmDocument,
    /// What is signed: `{method}`, `{url}`, `{path}` with the query, `{timestamp}`, `{body}`, and text.
    pub(crate) signs: String,
    /// How the signature is written.
    pub(crate) encoding: EncodingDocument,
    /// The key.
    pub(crate) secret: String,
    /// A header with the time that it is signed at.
    pub(crate) timestamp: Option<SigningTimeDocument>,
}

fn signature() -> String {
    "{signature}".to_owned()
}

/// A header with the time that a call is signed at.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct SigningTimeDocument {
    /// The header.
    pub(crate) header: String,
    /// What it counts.
    pub(crate) unit: UnitDocument,
}

/// Signing in: one call for all, and again when the session is not known any more.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionDocument {
    /// The path that is posted to.
    pub(crate) path: String,
    /// What is posted, as JSON.
    pub(crate) body: Value,
    /// What is taken from the answer: names and pointers.
    pub(crate) take: BTreeMap<String, String>,
    /// The header of every call after it.
    #[serde(default = "authorization")]
    pub(crate) header: String,
    /// What stands before its value.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Its value, with places for what was taken.
    pub(crate) value: String,
    /// How the value is written, if not as it is.
    pub(crate) encoding: Option<EncodingDocument>,
}

fn authorization() -> String {
    "Authorization".to_owned()
}

/// A token that is got from a token server.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Oauth2Document {
    /// Where.
    pub(crate) token_url: String,
    /// Who we are.
    pub(crate) client_id: String,
    /// Our secret.
    pub(crate) client_secret: String,
    /// What the token is got for; without it, it is our own. Another one that the server gives takes its place and is kept.
    pub(crate) refresh_token: Option<String>,
    /// What is asked for.
    pub(crate) scope: Option<String>,
}
