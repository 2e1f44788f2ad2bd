//! Post: how a webhook gets to its receiver.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;

/// Carries webhooks.
#[async_trait]
pub trait Post: Send + Sync {
    /// Carries one to a URL, once; answers whether it was acknowledged with 2xx within this time.
    async fn carry(&self, url: &str, headers: Vec<(&'static str, String)>, body: Vec<u8>, within: Duration) -> bool;
}

/// Over HTTP, on connections that are kept.
pub(crate) struct HttpPost(reqwest::Client);

impl HttpPost {
    pub(crate) fn new() -> std::io::Result<Self> {
        let client = crate::loopback_client()
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self(client))
    }
}

#[async_trait]
impl Post for HttpPost {
    async fn carry(&self, url: &str, headers: Vec<(&'static str, String)>, body: Vec<u8>, within: Duration) -> bool {
        let mut request = self.0.post(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        matches!(tokio::time::timeout(within, request.send()).await, Ok(Ok(answer)) if answer.status().is_success())
    }
}
