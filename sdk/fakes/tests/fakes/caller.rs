//! Plays a program that calls one of the servers.

use std::time::{Duration, Instant};

use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

pub(crate) const CONTACTS: &str = "/crm/v3/objects/contacts";

#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) http: reqwest::Client,
    pub(crate) base_url: String,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("expected JSON")
    }

    pub(crate) fn id(&self) -> String {
        let id = self.json()["id"].as_str().map(str::to_owned);
        id.expect("expected an id")
    }
}

impl Caller {
    fn of(base_url: String, token: &str) -> Self {
        let http = pairline_fakes::loopback_client().build();
        Self { http: http.expect("a client without TLS always builds"), base_url, token: token.to_owned() }
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Answer> {
        let url = format!("{}{path}", self.base_url);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), text: answer.text().await? })
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let answer = self.try_send(method, path, body, &[]).await;
        answer.expect("expected an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        let answer = self.try_send(Method::POST, path, Some(body), headers).await;
        answer.expect("expected an answer")
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}

pub(crate) async fn crm(config: CrmConfig) -> (Crm, Caller) {
    let token = config.token.clone();
    let crm = Crm::start(config).await.expect("a free port");
    let caller = Caller::of(crm.base_url(), &token);
    (crm, caller)
}

pub(crate) async fn erp(config: ErpConfig) -> (Erp, Caller) {
    let token = config.token.clone();
    let erp = Erp::start(config).await.expect("a free port");
    let caller = Caller::of(erp.base_url(), &token);
    (erp, caller)
}

/// Polls until it is true. The deadline is far beyond what a busy machine needs.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
