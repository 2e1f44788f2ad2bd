//! What a system's calls are believed by, and how its description says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::check::{Check, system_name};
use super::document::{AuthDocument, EncodingDocument, HmacDocument, Oauth2Document, SessionDocument, UnitDocument};
use super::signature::Encoding;
use crate::application::kept_token::KeptToken;
use crate::application::pointer::Pointer;
use crate::application::template::Template;

/// What calls are believed by, and where that comes from.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// What they are.
    pub(crate) kind: Auth,
    /// What to look at when they are refused: the variables, else the key of the description.
    from: String,
}

/// What calls are believed by.
#[derive(Clone, Debug)]
pub(crate) enum Auth {
    /// A header that is always the same.
    Header {
        /// Its name.
        name: HeaderName,
        /// Its value.
        value: SecretString,
    },
    /// A header that is another one with every call.
    Hmac(HmacAuth),
    /// A header that is got by signing in at the system.
    Session(SessionAuth),
    /// A bearer token that is got from a token server.
    Oauth2(Oauth2),
}

/// How a call is signed.
#[derive(Clone, Debug)]
pub(crate) struct HmacAuth {
    /// The header of the signature.
    pub(crate) header: HeaderName,
    /// Its value, with a place for the signature.
    pub(crate) value: Template,
    /// What is signed.
    pub(crate) signs: Template,
    /// How the signature is written.
    pub(crate) encoding: Encoding,
    /// The key.
    pub(crate) key: SecretString,
    /// A header with the time, and how many milliseconds one of its units is.
    pub(crate) timestamp: Option<(HeaderName, i64)>,
}

/// How to sign in at a system.
#[derive(Clone, Debug)]
pub(crate) struct SessionAuth {
    /// The path that is posted to.
    pub(crate) path: String,
    /// What is posted, as JSON.
    pub(crate) body: SecretString,
    /// What is taken from the answer.
    pub(crate) take: BTreeMap<String, Pointer>,
    /// The header of every call after it.
    pub(crate) header: HeaderName,
    /// What stands before its value.
    pub(crate) prefix: String,
    /// Its value, with places for what was taken.
    pub(crate) value: Template,
    /// Whether the value is written in base64.
    pub(crate) base64: bool,
}

/// How a token is got.
#[derive(Clone, Debug)]
pub(crate) struct Oauth2 {
    /// The token server.
    pub(crate) url: String,
    /// What is posted to it, as a form.
    pub(crate) form: Vec<(&'static str, SecretString)>,
    /// What the token is got for, and is posted besides; none where it is our own.
    pub(crate) refresh: Option<Refresh>,
}

/// What a token is got for.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    /// As it was given to us.
    pub(crate) given: SecretString,
    /// Where the one is kept that took its place; without it, it is known as long as the program runs.
    pub(crate) kept: Option<Arc<KeptToken>>,
}

impl Auth {
    /// Where a token is kept that took the place of the one that we were given.
    pub(crate) fn kept_token(&self) -> Option<&KeptToken> {
        let Self::Oauth2(Oauth2 { refresh: Some(refresh), .. }) = self else { return None };
        refresh.kept.as_deref()
    }
}

impl Credentials {
    /// What to look at when they are refused.
    pub(crate) fn is_from(&self) -> &str {
        &self.from
    }

    /// Whether this token is sent with every call.
    pub(crate) fn sends(&self, token: &str) -> bool {
        let Auth::Header { value, .. } = &self.kind else { return false };
        value.expose_secret().strip_prefix("Bearer ") == Some(token)
    }
}

impl Check<'_> {
    pub(super) fn auth(&mut self, application: &str, written: &AuthDocument) -> Credentials {
        let known = [
            ("bearer", written.bearer.is_some()),
            ("basic", written.basic.is_some()),
            ("header", written.header.is_some()),
            ("hmac", written.hmac.is_some()),
            ("session", written.session.is_some()),
            ("oauth2", written.oauth2.is_some()),
        ];
        let given: Vec<&str> = known.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        let [one] = given[..] else {
            let names = known.each_ref().map(|(name, _)| format!("`{name}`")).join(", ");
            // One that is there and wrong was told of already.
            if given.len() > 1 || !known.iter().any(|(name, _)| self.has(&["auth", name])) {
                self.note(&["auth"], format!("expected one of {names}, found {}", given.len()));
            }
            return Credentials { kind: fixed(AUTHORIZATION, String::new()), from: String::new() };
        };
        let mut sources = Vec::new();
        let kind = if let Some(token) = &written.bearer {
            let token = self.credential(&["auth", "bearer"], token, &mut sources);
            fixed(AUTHORIZATION, format!("Bearer {token}"))
        } else if let Some(basic) = &written.basic {
            let user = self.credential(&["auth", "basic", "user"], &basic.user, &mut sources);
            let password = self.credential(&["auth", "basic", "password"], &basic.password, &mut sources);
            if user.contains(':') {
                self.note(&["auth", "basic", "user"], "expected a name without `:`, which ends it");
            }
            fixed(AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        } else if let Some(header) = &written.header {
            let value = self.credential(&["auth", "header", "value"], &header.value, &mut sources);
            fixed(self.header(&["auth", "header", "name"], &header.name), value)
        } else if let Some(hmac) = &written.hmac {
            Auth::Hmac(self.hmac(hmac, &mut sources))
        } else if let Some(session) = &written.session {
            Auth::Session(self.session(session, &mut sources))
        } else if let Some(oauth2) = &written.oauth2 {
            Auth::Oauth2(self.oauth2(application, oauth2, &mut sources))
        } else {
            fixed(AUTHORIZATION, String::new())
        };
        let from = if sources.is_empty() { format!("`auth.{one}` of its description") } else { sources.join(" and ") };
        Credentials { kind, from }
    }

    /// A part of the credentials, which are sent in a header.
    fn credential(&mut self, path: &[&str], text: &str, sources: &mut Vec<String>) -> String {
        let value = self.expanded(path, text);
        if HeaderValue::try_from(&value).is_err() {
            let from = self.comes_from(text);
            self.note(path, format!("expected text that can be sent in a header{from}"));
        }
        sources.extend(self.environment.sources(text));
        value
    }

    fn hmac(&mut self, written: &HmacDocument, sources: &mut Vec<String>) -> HmacAuth {
        let at = |last| ["auth", "hmac", last];
        let key = self.expanded(&at("secret"), &written.secret);
        sources.extend(self.environment.sources(&written.secret));
        let value = self.credential(&at("value"), &written.value, sources);
        if !written.value.contains("{signature}") {
            self.note(&at("value"), "expected `{signature}` in it");
        }
        let signs = self.template(&at("signs"), &written.signs, &["method", "url", "path", "timestamp", "body"]);
        if !signs.has("body") || !(signs.has("url") || signs.has("path")) {
            self.note(&at("signs"), "expected `{body}` among what is signed, and `{url}` or `{path}`");
        }
        if signs.has("timestamp") != written.timestamp.is_some() {
            let both = "expected `{timestamp}` among what is signed and a `timestamp` that is sent, or neither";
            self.note(&at("timestamp"), both);
        }
        let timestamp = written.timestamp.as_ref().map(|time| {
            let unit = if time.unit == UnitDocument::Seconds { 1000 } else { 1 };
            (self.header(&["auth", "hmac", "timestamp", "header"], &time.header), unit)
        });
        HmacAuth {
            header: self.header(&at("header"), &written.header),
            value: self.template(&at("value"), &value, &["signature"]),
            signs,
            encoding: Encoding::of(written.encoding),
            key: key.into(),
            timestamp,
        }
    }

    fn session(&mut self, written: &SessionDocument, sources: &mut Vec<String>) -> SessionAuth {
        let at = |last| ["auth", "session", last];
        self.url_path(&at("path"), &written.path, &[]);
        let mut body = written.body.clone();
        self.expand_all(&at("body"), &mut body, sources);
        let take = written.take.iter().map(|(name, pointer)| {
            let pointer = self.pointer(&["auth", "session", "take", name], pointer);
            (name.clone(), pointer)
        });
        let take: BTreeMap<String, Pointer> = take.collect();
        let value = self.credential(&at("value"), &written.value, sources);
        let names: Vec<&str> = take.keys().map(String::as_str).collect();
        SessionAuth {
            path: written.path.clone(),
            body: body.to_string().into(),
            header: self.header(&at("header"), &written.header),
            prefix: written.prefix.clone(),
            value: self.template(&at("value"), &value, &names),
            base64: match written.encoding {
                None => false,
                Some(EncodingDocument::Base64) => true,
                Some(EncodingDocument::Hex) => {
                    self.note(&at("encoding"), "expected `base64`, or no encoding");
                    false
                }
            },
            take,
        }
    }

    /// Puts variables into every text of a body.
    fn expand_all(&mut self, path: &[&str], value: &mut Value, sources: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                sources.extend(self.environment.sources(text));
                *text = self.expanded(path, text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.expand_all(path, item, sources)),
            Value::Object(map) => map.values_mut().for_each(|value| self.expand_all(path, value, sources)),
            _ => {}
        }
    }

    fn oauth2(&mut self, application: &str, written: &Oauth2Document, sources: &mut Vec<String>) -> Oauth2 {
        let at = |last| ["auth", "oauth2", last];
        let url = self.expanded(&at("token_url"), &written.token_url);
        let url = self.url(&at("token_url"), &written.token_url, &url);
        let mut form = vec![
            ("client_id", self.credential(&at("client_id"), &written.client_id, sources)),
            ("client_secret", self.credential(&at("client_secret"), &written.client_secret, sources)),
        ];
        let refresh = written.refresh_token.as_ref().map(|token| {
            let given = self.credential(&at("refresh_token"), token, sources);
            // The name is that of a file there.
            let is_known = system_name(application).is_ok() && !given.is_empty();
            let kept = is_known.then(|| self.environment.kept_token(application, &given)).flatten().map(Arc::new);
            Refresh { given: given.into(), kept }
        });
        let grant = if refresh.is_some() { "refresh_token" } else { "client_credentials" };
        form.push(("grant_type", grant.to_owned()));
        form.extend(written.scope.as_ref().map(|scope| ("scope", scope.clone())));
        Oauth2 { url, form: form.into_iter().map(|(name, value)| (name, value.into())).collect(), refresh }
    }
}

fn fixed(name: HeaderName, value: String) -> Auth {
    Auth::Header { name, value: value.into() }
}
