//! Signing in: what a call is believed by, where that is not always the same.
//!
//! However many calls need it, one of them signs in and the others wait for it. A session that the system does not know any
//! more is given up by the first call that is told so; a new one that is refused at once is no matter of sessions.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pairline_sdk::Timestamp;
use reqwest::Url;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{FORM, HttpApplication, JSON};
use crate::application::description::{Auth, Oauth2, SessionAuth};
use crate::application::json;
use crate::application::limiter::Permit;
use crate::application::secrets::Secrets;
use crate::application::transport::Call;

/// A token is not used in the last part of its life, so that it does not end on the way.
const BEFORE_ITS_END: Duration = Duration::from_secs(30);
/// How long nobody signs in after it has failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

/// What a call carries besides the headers that are always the same.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// What nobody may repeat of it.
    pub(super) secrets: Arc<Secrets>,
    /// Which signing in it comes from.
    number: u64,
    /// Whether this call has signed in itself.
    is_new: bool,
}

/// Why there is no credential.
pub(super) struct NotSignedIn {
    pub(super) reason: String,
    pub(super) after: Duration,
}

/// The session there is.
#[derive(Default)]
pub(super) struct SignedIn {
    /// Held while somebody signs in.
    session: Mutex<Session>,
    /// The newest one that is over.
    over: std::sync::Mutex<u64>,
}

#[derive(Default)]
struct Session {
    number: u64,
    credential: Option<Got>,
    until: Option<Timestamp>,
}

/// What signing in has got.
#[derive(Clone)]
struct Got {
    name: HeaderName,
    value: HeaderValue,
    secrets: Arc<Secrets>,
}

impl SignedIn {
    /// Whether a refused credential is one of a session that has ended, so that a new one may be believed.
    pub(super) fn is_over(&self, credential: &Credential) -> bool {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        *over = (*over).max(credential.number);
        !credential.is_new
    }

    fn newest_over(&self) -> u64 {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpApplication {
    /// What a call carries besides its usual headers; nothing where these are all.
    pub(super) async fn credential<'p>(
        &self,
        permit: Permit<'p>,
    ) -> Result<(Permit<'p>, Option<Credential>), NotSignedIn> {
        if matches!(self.description.auth.kind, Auth::Header { .. } | Auth::Hmac(_)) {
            return Ok((permit, None));
        }
        let mut session = self.signed_in.session.lock().await;
        let lives = session.until.is_none_or(|until| self.clock.now() < until);
        let credential = session.credential.clone().filter(|_| lives && session.number > self.signed_in.newest_over());
        if let Some(got) = credential {
            return Ok((permit, Some(got.credential(session.number, false))));
        }
        let got = match &self.description.auth.kind {
            Auth::Session(written) => self.open_session(written).await.map(|got| (got, None)),
            Auth::Oauth2(written) => self.token(written).await,
            Auth::Header { .. } | Auth::Hmac(_) => return Ok((permit, None)),
        };
        let (got, until) = match got {
            Ok(got) => got,
            Err(failure) => return Err(self.not_signed_in(permit, failure)),
        };
        session.number += 1;
        session.credential = Some(got.clone());
        session.until = until;
        Ok((permit, Some(got.credential(session.number, true))))
    }

    async fn open_session(&self, written: &SessionAuth) -> Result<Got, Failure> {
        let url = [&self.description.base_url, written.path.as_str()].concat();
        let answer = self.post(url, JSON, written.body.expose_secret()).await?;
        let taken = written.take.iter().map(|(name, at)| Some((name.as_str(), json::plain_text(at.of(&answer)?)?)));
        let taken: Option<Vec<(&str, String)>> = taken.collect();
        let taken = taken.ok_or(Failure::Refused)?;
        let values: Vec<(&str, &str)> = taken.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let value = written.value.fill(&values).ok_or(Failure::Refused)?;
        let value = if written.base64 { STANDARD.encode(value) } else { value };
        let secrets = taken.into_iter().map(|(_, value)| value).chain([value.clone()]);
        Ok(Got {
            name: written.header.clone(),
            value: sensitive(&[&written.prefix, value.as_str()].concat())?,
            secrets: Arc::new(Secrets::new(secrets)),
        })
    }

    async fn token(&self, written: &Oauth2) -> Result<(Got, Option<Timestamp>), Failure> {
        let now = self.clock.now();
        let mut form = Url::parse("form:").map_err(|_| Failure::Refused)?;
        let pairs = written.form.iter().map(|(name, value)| (*name, value.expose_secret()));
        form.query_pairs_mut().extend_pairs(pairs);
        let answer = self.post(written.url.clone(), FORM, form.query().unwrap_or_default()).await?;
        let token = answer.get("access_token").and_then(Value::as_str).ok_or(Failure::Refused)?;
        let life = answer.get("expires_in").and_then(Value::as_u64).map(Duration::from_secs);
        let until = life.map(|life| now.plus(life.saturating_sub(BEFORE_ITS_END).max(life / 2)));
        let value = sensitive(&["Bearer ", token].concat())?;
        let secrets = Arc::new(Secrets::new([token.to_owned()]));
        Ok((Got { name: AUTHORIZATION, value, secrets }, until))
    }

    async fn post(&self, url: String, kind: HeaderValue, body: &str) -> Result<Value, Failure> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind), (ACCEPT, JSON)]);
        let call = Call {
            method: Method::POST,
            url,
            headers,
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
            deadline: self.description.profile.deadline,
            longest_answer: self.description.limits.response_bytes,
        };
        let answer = self.transport.call(call).await.map_err(|error| Failure::NoAnswer(error.to_string()))?;
        match answer.status {
            200..=299 => self.parsed(&answer.body).map_err(Failure::NoAnswer),
            400..=403 => Err(Failure::Refused),
            status => Err(Failure::NoAnswer(format!("answered with status {status}"))),
        }
    }

    fn not_signed_in(&self, permit: Permit<'_>, failure: Failure) -> NotSignedIn {
        match failure {
            Failure::Refused => {
                let after = self.denied(permit, None);
                let look_at = self.description.auth.is_from();
                NotSignedIn { reason: format!("does not let us sign in: check {look_at}"), after }
            }
            Failure::NoAnswer(reason) => {
                drop(permit);
                self.limiter.pause(AFTER_A_FAILURE, "signing in has failed");
                NotSignedIn { reason: format!("cannot sign in: {reason}"), after: AFTER_A_FAILURE }
            }
        }
    }
}

impl Got {
    fn credential(self, number: u64, is_new: bool) -> Credential {
        let Self { name, value, secrets } = self;
        Credential { name, value, secrets, number, is_new }
    }
}

/// Why nobody is signed in.
enum Failure {
    /// Our credentials are not accepted, or the answer is not the one that the description speaks of.
    Refused,
    /// There was no answer to be understood.
    NoAnswer(String),
}

fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(text).map_err(|_| Failure::Refused)?;
    value.set_sensitive(true);
    Ok(value)
}
