//! A token server: what is asked of it, and what is taken from its answer.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use pairline_sdk::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::FORM;
use super::refresh::{Newest, Spent};
use super::sign_in::{Desk, Failure, Got, sensitive};
use crate::application::description::Oauth2;
use crate::application::secrets::Secrets;

/// A token is not used in the last part of its life, so that it does not end on the way.
const BEFORE_ITS_END: Duration = Duration::from_secs(30);

impl Desk {
    /// A token, and until when it is used.
    pub(super) async fn token(
        &self,
        written: &Oauth2,
        newest: &mut Newest,
    ) -> Result<(Got, Option<Timestamp>), Failure> {
        let now = self.clock.now();
        let spent = match &written.refresh {
            Some(refresh) => Some(newest.spend(refresh).await?),
            None => None,
        };
        let form = form(written, spent.as_ref())?;
        let answer = self.post(written.url.clone(), FORM, form.expose_secret()).await?;
        let mut secrets = Vec::new();
        if let (Some(refresh), Some(spent)) = (&written.refresh, spent) {
            secrets.push(spent.token.expose_secret().to_owned());
            // The one that was spent may be worth nothing from now on, whatever the rest of the answer is.
            if let Some(by) = another(&answer, &spent) {
                secrets.push(by.to_owned());
                newest.replace(refresh, spent, by.to_owned().into()).await?;
            }
        }
        let token = answer.get("access_token").and_then(Value::as_str).ok_or(Failure::Refused)?;
        let life = answer.get("expires_in").and_then(Value::as_u64).map(Duration::from_secs);
        let until = life.map(|life| now.plus(life.saturating_sub(BEFORE_ITS_END).max(life / 2)));
        secrets.push(token.to_owned());
        let value = sensitive(&["Bearer ", token].concat())?;
        Ok((Got::new(AUTHORIZATION, value, Secrets::new(secrets)), until))
    }
}

/// What is posted.
fn form(written: &Oauth2, spent: Option<&Spent>) -> Result<SecretString, Failure> {
    let mut form = Url::parse("form:").map_err(|_| Failure::Refused)?;
    let pairs = written.form.iter().map(|(name, value)| (*name, value.expose_secret()));
    let spent = spent.map(|spent| ("refresh_token", spent.token.expose_secret()));
    form.query_pairs_mut().extend_pairs(pairs).extend_pairs(spent);
    Ok(form.query().unwrap_or_default().to_owned().into())
}

/// The refresh token that an answer gives, unless it is the one that was spent.
fn another<'a>(answer: &'a Value, spent: &Spent) -> Option<&'a str> {
    let given = answer.get("refresh_token").and_then(Value::as_str).filter(|given| !given.is_empty());
    given.filter(|given| *given != spent.token.expose_secret())
}
