//! How a call gets to a system and back: over HTTP, or played by a test.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use tracing::warn;

use super::host_guard::HostGuard;

/// A connection that is not made by then is not made, in time for the call's deadline to be of use.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Shorter than common servers keep an idle connection, so that a write is not put on one that is just being closed.
const IDLE_AT_MOST: Duration = Duration::from_secs(4);

/// A call on its way out.
#[derive(Clone, Debug)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// All headers but those of the connection.
    pub headers: HeaderMap,
    /// The body, as it is sent.
    pub body: Option<Bytes>,
    /// All of it must be over by then, the last byte of the answer included.
    pub deadline: Duration,
    /// An answer longer than this is no answer, in bytes.
    pub longest_answer: usize,
}

/// What a system answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer. The texts hold neither URLs nor values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing left the machine.
    #[error("{0}")]
    NotSent(String),
    /// The request may have been taken.
    #[error("{0}")]
    Lost(String),
}

/// Carries one call, once.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the call and waits for the whole answer. Never sends it again.
    async fn call(&self, call: Call) -> Result<Answer, TransportError>;
}

/// Calls over HTTP/1.1 to the host of one description, on connections that are kept. Redirections are answers, and no
/// proxy is asked: nobody but the description says where a call goes.
pub struct ReqwestTransport {
    client: reqwest::Client,
    guard: HostGuard,
}

impl ReqwestTransport {
    /// For the system that this guards.
    ///
    /// # Errors
    ///
    /// One line when the client cannot be made.
    pub fn new(guard: HostGuard) -> Result<Self, String> {
        let client = match Self::builder(guard.is_tls(), &guard).build() {
            Ok(client) => client,
            Err(error) => {
                // Without certificates the system refuses itself, and the program can still tell what is wrong with it.
                warn!(error = %chain(&error), "no certificates to check the systems with");
                Self::builder(false, &guard).build().map_err(|error| chain(&error))?
            }
        };
        Ok(Self { client, guard })
    }

    fn builder(certificates: bool, guard: &HostGuard) -> reqwest::ClientBuilder {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Somebody else may have been faster; theirs is as good.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(guard.clone())
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_AT_MOST);
        // Reading the machine's certificates takes longer than everything else at start.
        if certificates { builder } else { builder.tls_certs_only([]) }
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let Call { method, url, headers, body, deadline, longest_answer } = call;
        let url = self.guard.url(&url).map_err(|refused| TransportError::NotSent(refused.to_string()))?;
        let mut request = self.client.request(method, url).headers(headers).timeout(deadline);
        if let Some(body) = body {
            request = request.body(body);
        }
        let lost = |error: &reqwest::Error| TransportError::Lost(what_broke(error, deadline));
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return Err(TransportError::NotSent(format!("cannot connect: {}", cause(&error))));
            }
            Err(error) => return Err(lost(&error)),
        };
        let too_long =
            || TransportError::Lost(format!("expected an answer of at most {longest_answer} bytes, found more"));
        if response.content_length().is_some_and(|length| length > longest_answer as u64) {
            return Err(too_long());
        }
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        // Most answers come in one piece, which is then not copied.
        let mut first = Bytes::new();
        let mut whole: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
            if first.len().max(whole.len()) + chunk.len() > longest_answer {
                return Err(too_long());
            }
            if first.is_empty() {
                first = chunk;
                continue;
            }
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&chunk);
        }
        let body = if whole.is_empty() { first } else { whole.into() };
        Ok(Answer { status, headers, body })
    }
}

fn what_broke(error: &reqwest::Error, deadline: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} ms", deadline.as_millis());
    }
    format!("the connection broke: {}", cause(error))
}

/// The innermost cause: it names a kind of failure, while the outer ones name URLs.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    match inner.downcast_ref::<io::Error>() {
        Some(error) => error.kind().to_string(),
        None if inner.is::<reqwest::Error>() => "no further cause".to_owned(),
        None => inner.to_string(),
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    format!("cannot make the HTTP client: {}", cause(error))
}
