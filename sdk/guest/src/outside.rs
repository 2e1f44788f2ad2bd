//! Secrets and other hosts, outside the sandbox.

use async_trait::async_trait;
use pairline_sdk::{HttpClient, HttpError, HttpRequest, HttpResponse, Secrets};

use crate::bindings::pairline::node::{http, secrets};

/// The secrets that are granted.
pub struct Named;

impl Secrets for Named {
    fn secret(&self, name: &str) -> Option<String> {
        secrets::get(name).ok()
    }
}

/// The hosts that are granted.
pub struct Hosts;

#[async_trait]
impl HttpClient for Hosts {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let HttpRequest { method, url, headers, body } = request;
        match http::send(&http::Request { method, url, headers, body }) {
            Ok(http::Response { status, headers, body }) => Ok(HttpResponse { status, headers, body }),
            Err(failure) if failure.code == 1 => Err(HttpError::Failed(failure.reason)),
            Err(failure) => Err(HttpError::Refused(failure.reason)),
        }
    }
}
