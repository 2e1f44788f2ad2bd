//! A token server for the bookkeeping that gives another refresh token each time and refuses every one before it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::json;
use tokio::sync::Semaphore;

use super::books::Books;

/// Who asks for a token, besides the refresh token.
pub(super) const CLIENT_SECRET: &str = "canary-client-secret-8c1e";

/// The server, on a free port of 127.0.0.1.
#[derive(Clone)]
pub(super) struct TokenServer(Arc<Inner>);

struct Inner {
    books: Books,
    url: String,
    state: Mutex<Given>,
    /// As many answers arrive.
    answers: Semaphore,
}

#[derive(Default)]
struct Given {
    /// The refresh token that is worth something.
    newest: String,
    /// All that nobody may see.
    secrets: Vec<String>,
    times: usize,
    refused: usize,
}

impl TokenServer {
    /// Starts it on the runtime that the caller is in.
    pub(super) fn start(books: &Books) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let answers = Semaphore::new(Semaphore::MAX_PERMITS);
        let server = Self(Arc::new(Inner { books: books.clone(), url, state: Mutex::default(), answers }));
        let routes = Router::new().route("/token", post(token)).with_state(server.clone());
        tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await
        });
        server
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// A person asks for a refresh token, and those before it are worth nothing.
    pub(super) fn gives_a_person(&self, token: &str) -> String {
        let mut given = self.0.state.lock().unwrap();
        token.clone_into(&mut given.newest);
        given.secrets.push(token.to_owned());
        token.to_owned()
    }

    /// Its answers do not arrive any more.
    pub(super) fn holds_answers(&self) {
        self.0.answers.forget_permits(usize::MAX);
    }

    /// The answer arrives that was held.
    pub(super) fn lets_one_arrive(&self) {
        self.0.answers.add_permits(1);
    }

    /// How often a token was given to a program.
    pub(super) fn times(&self) -> usize {
        self.0.state.lock().unwrap().times
    }

    /// How often a token was refused.
    pub(super) fn refused(&self) -> usize {
        self.0.state.lock().unwrap().refused
    }

    /// Asserts that a text holds no token of any time.
    pub(super) fn keeps_secrets(&self, what: &str, text: &str) {
        let given = self.0.state.lock().unwrap();
        assert!(given.secrets.len() > 2);
        for secret in given.secrets.iter().map(String::as_str).chain([CLIENT_SECRET]) {
            assert!(!text.contains(secret), "`{secret}` is in {what}:\n{text}");
        }
    }

    fn answer(&self, form: &str) -> (StatusCode, String) {
        // Nothing in it needs to be spelled in another way.
        let form: BTreeMap<&str, &str> = form.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let mut given = self.0.state.lock().unwrap();
        let is_known = form["grant_type"] == "refresh_token" && form["client_secret"] == CLIENT_SECRET;
        if !is_known || form["refresh_token"] != given.newest {
            given.refused += 1;
            return (StatusCode::BAD_REQUEST, json!({ "error": "invalid_grant" }).to_string());
        }
        given.times += 1;
        let access = format!("canary-access-{}-51d0", given.times);
        given.newest = format!("canary-refresh-{}-9b7f", given.times);
        let answer = json!({ "access_token": access, "refresh_token": given.newest, "expires_in": 3600 });
        self.0.books.believes(&access);
        let secrets = [access, given.newest.clone()];
        given.secrets.extend(secrets);
        (StatusCode::OK, answer.to_string())
    }
}

async fn token(State(server): State<TokenServer>, form: String) -> (StatusCode, String) {
    // What it does is done before anybody hears of it.
    let answer = server.answer(&form);
    server.0.answers.acquire().await.unwrap().forget();
    answer
}
