//! Signing in: what a call is believed by, where that is not always the same.
//!
//! However many calls need it, one of them signs in and the others wait for it. A session that the system does not know any
//! more is given up by the first call that is told so; a new one that is refused at once is no matter of sessions.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pairline_sdk::{Clock, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::call::parsed;
use super::refresh::Newest;
use super::{HttpApplication, JSON};
use crate::application::description::{Auth, SessionAuth};
use crate::application::json;
use crate::application::limiter::Permit;
use crate::application::secrets::Secrets;
use crate::application::transport::{Call, Transport};

/// How long nobody signs in after it has failed.
pub(super) const AFTER_A_FAILURE: Duration = Duration::from_secs(5);
/// Of so many sessions it is known what nobody may repeat.
const KNOWN: usize = 8;

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
    session: Arc<Mutex<Session>>,
    /// The newest one that is over.
    over: std::sync::Mutex<u64>,
    /// How often signing in has failed.
    failures: AtomicU64,
}

#[derive(Default)]
struct Session {
    number: u64,
    credential: Option<Got>,
    until: Option<Timestamp>,
    /// What the last of them have got, the newest first.
    known: VecDeque<Arc<Secrets>>,
    /// What the next one is got for.
    newest: Newest,
    /// Why there is none, as was told last, and until when nobody asks again.
    failed: Option<(String, Timestamp)>,
}

impl Session {
    fn opens(&mut self, got: &Got, until: Option<Timestamp>) {
        self.number += 1;
        self.credential = Some(got.clone());
        self.until = until;
        self.known.push_front(Arc::clone(&got.secrets));
        self.known.truncate(KNOWN);
    }
}

/// What signing in has got.
#[derive(Clone)]
pub(super) struct Got {
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

    pub(super) fn newest_over(&self) -> u64 {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What nobody may repeat of the last sessions.
    pub(super) async fn secrets(&self) -> Vec<Arc<Secrets>> {
        self.session.lock().await.known.iter().cloned().collect()
    }

    /// Waits until nobody signs in.
    pub(super) async fn at_rest(&self) {
        drop(self.session.lock().await);
    }
}

impl HttpApplication {
    /// What a call carries besides its usual headers; nothing where these are all.
    pub(super) async fn credential<'p>(
        &self,
        permit: Permit<'p>,
    ) -> Result<(Permit<'p>, Option<Credential>), NotSignedIn> {
        let auth = &self.description.auth.kind;
        if matches!(auth, Auth::Header { .. } | Auth::Hmac(_)) {
            return Ok((permit, None));
        }
        let failures = self.signed_in.failures.load(Ordering::SeqCst);
        let session = Arc::clone(&self.signed_in.session).lock_owned().await;
        let now = self.clock.now();
        let lives = session.until.is_none_or(|until| now < until);
        let credential = session.credential.clone().filter(|_| lives && session.number > self.signed_in.newest_over());
        if let Some(got) = credential {
            return Ok((permit, Some(got.credential(session.number, false))));
        }
        if let Some((reason, until)) = &session.failed
            && failures < self.signed_in.failures.load(Ordering::SeqCst)
        {
            // Whom this one has waited for was refused; the same again would be another guess at a password.
            return Err(NotSignedIn { reason: reason.clone(), after: until.since(now) });
        }
        // Whoever waits for it may give up; a token that was spent must not be lost with them.
        let signing_in = tokio::spawn(self.desk().sign_in(auth.clone(), session));
        let Ok((mut session, got)) = signing_in.await else {
            return Err(self.not_signed_in(permit, Failure::broken_off(), None));
        };
        match got {
            Ok(got) => Ok((permit, Some(got.credential(session.number, true)))),
            Err(failure) => {
                let kept = auth.kept_token().filter(|_| session.newest.is_kept());
                let kept = kept.map(|kept| kept.file().display().to_string());
                let refused = self.not_signed_in(permit, failure, kept);
                session.failed = Some((refused.reason.clone(), now.plus(refused.after)));
                self.signed_in.failures.fetch_add(1, Ordering::SeqCst);
                Err(refused)
            }
        }
    }

    fn desk(&self) -> Desk {
        Desk {
            transport: Arc::clone(&self.transport),
            clock: Arc::clone(&self.clock),
            base_url: self.description.base_url.clone(),
            deadline: self.description.profile.deadline,
            longest_answer: self.description.limits.response_bytes,
            depth: self.description.limits.depth,
        }
    }

    fn not_signed_in(&self, permit: Permit<'_>, failure: Failure, kept: Option<String>) -> NotSignedIn {
        match failure {
            Failure::Refused => {
                let after = self.denied(permit, None);
                let look_at = self.description.auth.is_from();
                let kept = kept.map(|file| {
                    format!(
                        "; the refresh token is the one in {file}, and a new one in the environment takes its place"
                    )
                });
                let kept = kept.unwrap_or_default();
                NotSignedIn { reason: format!("does not let us sign in: check {look_at}{kept}"), after }
            }
            Failure::NoAnswer(reason) => {
                drop(permit);
                self.limiter.pause(AFTER_A_FAILURE, "signing in has failed");
                NotSignedIn { reason: format!("cannot sign in: {reason}"), after: AFTER_A_FAILURE }
            }
        }
    }
}

/// Where one signs in.
pub(super) struct Desk {
    transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    base_url: String,
    deadline: Duration,
    longest_answer: usize,
    depth: usize,
}

impl Desk {
    async fn sign_in(
        self,
        auth: Auth,
        mut session: OwnedMutexGuard<Session>,
    ) -> (OwnedMutexGuard<Session>, Result<Got, Failure>) {
        let got = match &auth {
            Auth::Session(written) => self.open_session(written).await.map(|got| (got, None)),
            Auth::Oauth2(written) => self.token(written, &mut session.newest).await,
            Auth::Header { .. } | Auth::Hmac(_) => Err(Failure::Refused),
        };
        let got = got.map(|(got, until)| {
            session.opens(&got, until);
            got
        });
        (session, got)
    }

    async fn open_session(&self, written: &SessionAuth) -> Result<Got, Failure> {
        let url = [&self.base_url, written.path.as_str()].concat();
        let answer = self.post(url, JSON, written.body.expose_secret()).await?;
        let taken = written.take.iter().map(|(name, at)| Some((name.as_str(), json::plain_text(at.of(&answer)?)?)));
        let taken: Option<Vec<(&str, String)>> = taken.collect();
        let taken = taken.ok_or(Failure::Refused)?;
        let values: Vec<(&str, &str)> = taken.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let value = written.value.fill(&values).ok_or(Failure::Refused)?;
        let value = if written.base64 { STANDARD.encode(value) } else { value };
        let secrets = taken.into_iter().map(|(_, value)| value).chain([value.clone()]);
        let header = sensitive(&[&written.prefix, value.as_str()].concat())?;
        Ok(Got::new(written.header.clone(), header, Secrets::new(secrets)))
    }

    pub(super) async fn post(&self, url: String, kind: HeaderValue, body: &str) -> Result<Value, Failure> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind), (ACCEPT, JSON)]);
        let call = Call {
            method: Method::POST,
            url,
            headers,
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
            deadline: self.deadline,
            longest_answer: self.longest_answer,
        };
        let answer = self.transport.call(call).await.map_err(|error| Failure::NoAnswer(error.to_string()))?;
        match answer.status {
            200..=299 => parsed(&answer.body, self.depth).map_err(Failure::NoAnswer),
            400..=403 => Err(Failure::Refused),
            status => Err(Failure::NoAnswer(format!("answered with status {status}"))),
        }
    }
}

impl Got {
    pub(super) fn new(name: HeaderName, value: HeaderValue, secrets: Secrets) -> Self {
        Self { name, value, secrets: Arc::new(secrets) }
    }

    fn credential(self, number: u64, is_new: bool) -> Credential {
        let Self { name, value, secrets } = self;
        Credential { name, value, secrets, number, is_new }
    }
}

/// Why nobody is signed in.
pub(super) enum Failure {
    /// Our credentials are not accepted, or the answer is not the one that the description speaks of.
    Refused,
    /// There was no answer to be understood.
    NoAnswer(String),
}

impl Failure {
    /// The program is being stopped, or has a bug.
    pub(super) fn broken_off() -> Self {
        Self::NoAnswer("it was broken off".to_owned())
    }
}

pub(super) fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(text).map_err(|_| Failure::Refused)?;
    value.set_sensitive(true);
    Ok(value)
}
