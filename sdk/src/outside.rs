//! Ports for nodes that need more than the two systems: secrets by name, and requests to other hosts.

use async_trait::async_trait;

/// Secrets by name.
pub trait Secrets: Send + Sync {
    /// The secret of this name, if there is one.
    fn secret(&self, name: &str) -> Option<String>;
}

/// Requests to hosts that are not kept in step. Never the way to a system that is: that would go past the owner guard, the
/// limiter and the ledger.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends a request, once; redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when there is no answer, or when the request must not be sent.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// A request to another host.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Where, with scheme and host.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer of another host.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// It may be answered the next time.
    #[error("{0}")]
    Failed(String),
    /// It must not be sent, now or later.
    #[error("{0}")]
    Refused(String),
}

/// Nothing outside: no secret has a value, and no host is reached.
pub struct NothingOutside;

impl Secrets for NothingOutside {
    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}

#[async_trait]
impl HttpClient for NothingOutside {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        Err(HttpError::Refused("no host can be reached from here".to_owned()))
    }
}
