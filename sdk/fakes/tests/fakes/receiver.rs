//! Plays the program that receives webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::caller::eventually;

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    desk: Arc<Desk>,
}

struct Desk {
    received: Mutex<Vec<Webhook>>,
    /// Taken from the front; the last one stays.
    answers: Mutex<Vec<Reply>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Reply {
    Status(u16),
    After(Duration),
}

#[derive(Clone)]
pub(crate) struct Webhook {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Webhook {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("expected JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.expect("expected the header")
    }
}

impl Receiver {
    pub(crate) async fn start(answers: &[Reply]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let desk = Arc::new(Desk { received: Mutex::default(), answers: Mutex::new(answers.to_vec()) });
        let router = Router::new().fallback(receive).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{address}/webhooks"), desk }
    }

    pub(crate) async fn good() -> Self {
        Self::start(&[Reply::Status(204)]).await
    }

    pub(crate) fn received(&self) -> Vec<Webhook> {
        let received = self.desk.received.lock();
        received.expect("nobody panics holding it").clone()
    }

    pub(crate) fn count(&self) -> usize {
        let received = self.desk.received.lock();
        received.expect("nobody panics holding it").len()
    }

    /// Waits for that many and answers them as JSON.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually("webhooks arrive", async || self.count() >= count).await;
        self.received().iter().map(Webhook::json).collect()
    }
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let webhook = Webhook { headers, body: body.to_vec() };
    let reply = {
        let mut received = desk.received.lock().expect("nobody panics holding it");
        received.push(webhook);
        let mut answers = desk.answers.lock().expect("nobody panics holding it");
        if answers.len() > 1 { answers.remove(0) } else { answers[0] }
    };
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).expect("a status"),
        Reply::After(wait) => {
            tokio::time::sleep(wait).await;
            StatusCode::NO_CONTENT
        }
    }
}
