//! A CRM behind a token server that answers every refresh token with another one, and refuses the one before from then on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use axum::http::header::AUTHORIZATION;
use pairline_sdk::testing::{TestClock, TestRandom};
use reqwest::Url;
use serde_json::json;
use tokio::sync::Semaphore;

use super::super::HttpApplication;
use super::super::stage::CRM;
use crate::application::{Answer, Call, Description, Environment, Transport, TransportError};
use crate::metrics::Metrics;

/// The refresh token that a person has got and has entered.
pub(super) const GIVEN: &str = "canary-refresh-0";

pub(super) struct TokenServer {
    state: Mutex<State>,
    /// As many answers of the token server arrive.
    pub(super) answers: Semaphore,
    /// As many refusals of the CRM arrive.
    pub(super) refusals: Semaphore,
}

#[derive(Default)]
struct State {
    refresh: String,
    access: Option<String>,
    /// How often it was asked for a token.
    asked: usize,
    given: usize,
    /// How long a token lives, if it says so, in seconds.
    life: Option<u64>,
    /// Where what it gives has to be before anybody calls with it.
    kept: Option<PathBuf>,
    calls: usize,
}

impl TokenServer {
    pub(super) fn new() -> Arc<Self> {
        let state = Mutex::new(State { refresh: GIVEN.to_owned(), ..State::default() });
        let [answers, refusals] = [Semaphore::MAX_PERMITS; 2].map(Semaphore::new);
        Arc::new(Self { state, answers, refusals })
    }

    pub(super) fn whose_tokens_live(seconds: u64) -> Arc<Self> {
        let server = Self::new();
        server.state().life = Some(seconds);
        server
    }

    /// The application with what a person has entered, and perhaps a folder where tokens are kept.
    pub(super) fn application(
        self: &Arc<Self>,
        entered: &str,
        folder: Option<PathBuf>,
    ) -> (HttpApplication, Arc<TestClock>) {
        self.try_application(entered, folder).unwrap()
    }

    pub(super) fn try_application(
        self: &Arc<Self>,
        entered: &str,
        folder: Option<PathBuf>,
    ) -> Result<(HttpApplication, Arc<TestClock>), String> {
        let oauth2 = "oauth2: { token_url: \"http://127.0.0.1:18081/token\", client_id: us, client_secret: canary-client, \
                      refresh_token: \"${REFRESH}\" }";
        let text = CRM.replacen("bearer: \"${CRM_TOKEN}\"", oauth2, 1);
        assert_ne!(text, CRM);
        let mut environment = Environment::of([("REFRESH", entered), ("CRM_CLIENT_SECRET", "canary-of-the-webhooks")]);
        if let Some(folder) = folder {
            environment = environment.keeping_tokens_in(folder);
        }
        let (description, findings) = Description::parse("a.yaml", &text, &environment);
        assert!(findings.is_empty(), "{findings:?}");
        let (clock, random) = (Arc::new(TestClock::default()), Arc::new(TestRandom::default()));
        let (transport, metrics) = (Arc::clone(self) as Arc<dyn Transport>, Metrics::default());
        let application = HttpApplication::new(description.unwrap(), transport, clock.clone(), random, &metrics)?;
        Ok((application, clock))
    }

    /// The access token is worth nothing from now on.
    pub(super) fn ends_the_session(&self) {
        self.state().access = None;
    }

    /// A person gets another refresh token there.
    pub(super) fn gives(&self, refresh: &str) {
        refresh.clone_into(&mut self.state().refresh);
    }

    /// Nobody may call before what was given is in this file.
    pub(super) fn wants_it_kept_in(&self, file: PathBuf) {
        self.state().kept = Some(file);
    }

    /// How often it was asked for a token.
    pub(super) fn asked(&self) -> usize {
        self.state().asked
    }

    /// How often the CRM was called.
    pub(super) fn calls(&self) -> usize {
        self.state().calls
    }

    pub(super) fn newest(&self) -> String {
        self.state().refresh.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn token(&self, call: &Call) -> Answer {
        let form = String::from_utf8(call.body.as_deref().unwrap_or_default().to_vec()).unwrap();
        let form = Url::parse(&format!("form:?{form}")).unwrap();
        let field =
            |wanted: &str| form.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        assert_eq!(field("grant_type").as_deref(), Some("refresh_token"));
        assert_eq!(
            (field("client_id").as_deref(), field("client_secret").as_deref()),
            (Some("us"), Some("canary-client"))
        );
        let mut state = self.state();
        state.asked += 1;
        if field("refresh_token").as_ref() != Some(&state.refresh) {
            return Answer { status: 400, body: r#"{"error":"invalid_grant"}"#.into(), ..Answer::default() };
        }
        state.given += 1;
        // Without digits it could be the code of a refusal.
        let which = "abcdefgh".chars().nth(state.given - 1).unwrap();
        state.refresh = format!("canary-refresh-{which}");
        let access = format!("canary-access-{which}");
        let answer = json!({ "access_token": access, "refresh_token": state.refresh, "expires_in": state.life });
        state.access = Some(access);
        Answer { status: 200, body: answer.to_string().into(), ..Answer::default() }
    }

    fn crm(&self, call: &Call) -> Answer {
        let mut state = self.state();
        state.calls += 1;
        if let Some(file) = &state.kept {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            assert!(text.contains(&state.refresh), "called before {} was kept: {text}", state.refresh);
        }
        let access = state.access.as_ref().map(|access| format!("Bearer {access}"));
        let sent = call.headers.get(AUTHORIZATION).and_then(|sent| sent.to_str().ok());
        let (status, body) = match (sent == access.as_deref(), call.method.as_str()) {
            (false, _) => (401, json!({})),
            (true, "GET") => (200, json!({ "id": "7", "updatedAt": "2026-01-01T00:00:00Z", "properties": {} })),
            // It tells what it should not, so that it could be taken for the code of a refusal.
            (true, _) => {
                let access = state.access.clone().unwrap_or_default();
                let told = [&*state.refresh, &*access, "nothing-of-that"][(state.calls - 1) % 3];
                (400, json!({ "category": told.to_uppercase() }))
            }
        };
        Answer { status, body: body.to_string().into(), ..Answer::default() }
    }
}

#[async_trait]
impl Transport for TokenServer {
    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let is_sign_in = call.url.ends_with("/token");
        // What it does is done before anybody hears of it.
        let answer = if is_sign_in { self.token(&call) } else { self.crm(&call) };
        if is_sign_in {
            self.answers.acquire().await.unwrap().forget();
        } else if answer.status == 401 {
            self.refusals.acquire().await.unwrap().forget();
        }
        Ok(answer)
    }
}
