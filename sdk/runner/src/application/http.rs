//! A remote system over HTTP: the one door through which it is read and written.
//!
//! The port is here. `sign_in` gets what a call is believed by, at a token server (`token`) for the newest refresh token
//! (`refresh`), and `sign` makes it where it is another with every call; `call` makes a call and tells the limiter how it
//! ended; `read` and `write` are what an answer means for either; `listing`, `find`, `changed` and `subscriptions` go through
//! pages; `delete` is for scratch records, and no part of the port.

mod call;
mod changed;
mod delete;
mod find;
mod listing;
mod read;
mod refresh;
mod sign;
mod sign_in;
mod subscriptions;
mod token;
mod write;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method};
use pairline_sdk::ledger::SEND_WITHIN;
use pairline_sdk::{
    Application, ChangedPage, Clock, Fields, Intent, Outcome, Profile, Random, ReadError, Record, RecordId, Request,
    Timestamp, Write,
};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::changes::RemoteClock;
use super::description::{Auth, Description, WriteCall};
use super::form::put_forms;
use super::json;
use super::limiter::Limiter;
use super::record_shape::put_fields;
use super::secrets::Secrets;
use super::transport::{Call, Transport};
use super::url_encoded::url_encoded;
use crate::metrics::Metrics;
use call::Meters;
pub(super) use listing::linked;
use sign_in::{NotSignedIn, SignedIn};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// An [`Application`] over HTTP.
pub struct HttpApplication {
    description: Description,
    transport: Arc<dyn Transport>,
    limiter: Arc<Limiter>,
    clock: Arc<dyn Clock>,
    /// What every call carries.
    headers: HeaderMap,
    /// What it carries besides, where that is got by signing in.
    signed_in: SignedIn,
    meters: Meters,
    remote_clock: Mutex<RemoteClock>,
}

impl HttpApplication {
    /// The application a description speaks of.
    ///
    /// # Errors
    ///
    /// One line when its token cannot be sent in a header, or the one that is kept cannot be read.
    pub fn new(
        description: Description,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let mut headers = HeaderMap::with_capacity(8);
        if let Auth::Header { name, value } = &description.auth.kind {
            let mut value = HeaderValue::try_from(value.expose_secret())
                .map_err(|_| format!("expected a token for {} that can be sent in a header", description.system()))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        if let Some(kept) = description.auth.kind.kept_token() {
            kept.read()?;
        }
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, HeaderValue::from_static("pairline"));
        let meters = Meters::new(metrics, description.system().as_str());
        let limiter = Arc::new(Limiter::new(description.limits.in_flight, clock.clone(), random));
        let (signed_in, remote_clock) = (SignedIn::default(), Mutex::default());
        Ok(Self { description, transport, limiter, clock, headers, signed_in, meters, remote_clock })
    }

    /// What it looks like.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What holds its calls back.
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// Brings its gauges up to date, before they are shown.
    pub fn measure(&self) {
        self.meters.waits.set(self.limiter.waits());
        self.meters.paused.set(u64::from(self.limiter.is_paused()));
    }

    /// What nobody may repeat: what the description knows, and what signing in has got.
    pub(crate) async fn secrets(&self) -> Secrets {
        let got = self.signed_in.secrets().await;
        self.description.secrets.and(got.iter().map(|secrets| &**secrets))
    }

    /// Waits until nobody signs in: a token server may have given a token that is to be kept.
    pub(crate) async fn at_rest(&self) {
        self.signed_in.at_rest().await;
    }

    fn said(&self, reason: &str) -> String {
        format!("{}: {reason}", self.description.system())
    }
}

/// The values of fields that stand in the path of a write, by their places.
fn in_path(call: &WriteCall, fields: &Fields) -> Result<Vec<(String, String)>, String> {
    let place = |name: &String| {
        let value = fields.get(name).map(json::text).filter(|value| json::is_id(value));
        let value =
            value.ok_or_else(|| format!("expected a value of `{name}`, which stands in the path, found none"))?;
        Ok((format!("field {name}"), value.into_owned()))
    };
    call.in_path.iter().map(place).collect()
}

#[async_trait]
impl Application for HttpApplication {
    fn profile(&self) -> &Profile {
        &self.description.profile
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        let operations = &self.description.operations;
        let (call, fields, id, version) = match write {
            Write::Create { fields } => (&operations.create, fields, None, None),
            Write::Update { id, fields, version } if json::is_id(id) => {
                (&operations.update, fields, Some(id.as_str()), version.as_deref())
            }
            Write::Update { .. } => return Err("expected an id that can stand in a path, found another".to_owned()),
        };
        let mut values: Vec<(&str, &str)> = id.map(|id| ("id", id)).into_iter().collect();
        values.extend(version.map(|version| ("version", version)));
        let in_path = in_path(call, fields)?;
        values.extend(in_path.iter().map(|(place, value)| (place.as_str(), value.as_str())));
        let path = call.path.fill_path(&values).ok_or("the path of a write cannot be filled")?;
        let mut body = call.body.fill(&values).ok_or("the body of a write cannot be filled")?;
        let target = call.fields.object(&mut body).ok_or("there is no place for the fields in the body")?;
        let forms = &self.description.record.forms;
        if in_path.is_empty() && forms.is_empty() {
            put_fields(target, fields)?;
        } else {
            let mut rest = put_forms(forms, target, fields)?;
            rest.retain(|name, _| !call.in_path.contains(name));
            put_fields(target, &rest)?;
        }
        let body = if call.is_form { url_encoded(&body) } else { body.to_string() };
        // A record that was not read is changed whatever it is by now: the owner of the fields has decided.
        let precondition = call.precondition.as_ref().and_then(|(_, value)| value.fill(&values));
        Ok(Request { method: call.method.to_string(), path, body, precondition })
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.limiter.admit().await
    }

    async fn admit_create(&self, _: &RecordId) -> Result<(), ReadError> {
        self.limiter.admit().await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        self.read_record(id).await
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        self.search(field, value).await
    }

    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        self.glanced(field, value, since).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.list_changed(cursor, page).await
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        let operation = intent.operation();
        let not_sent = |reason: &str, after| Outcome::NotSent { reason: self.said(reason), after };
        if operation.is_stale(self.clock.now()) {
            return not_sent("the intent is too old to be sent", None);
        }
        let permit = match self.limiter.enter_admitted(operation.sent_at.plus(SEND_WITHIN)).await {
            Ok(permit) => permit,
            Err(ReadError::Wait { reason, after }) => return not_sent(&reason, Some(after)),
            Err(ReadError::Failed(reason) | ReadError::Refused(reason)) => return not_sent(&reason, None),
        };
        // Signing in may take a while, and the life of the request is counted from the intent.
        let (permit, credential) = match self.credential(permit).await {
            Ok(admitted) => admitted,
            Err(NotSignedIn { reason, after }) => return not_sent(&reason, Some(after)),
        };
        let now = self.clock.now();
        if operation.is_stale(now) {
            return not_sent("the intent is too old to be sent", None);
        }
        let deadline = operation.answer_due().since(now).min(operation.deadline);
        let request = &operation.request;
        let (headers, method) = match (self.write_headers(operation), Method::from_bytes(request.method.as_bytes())) {
            (Ok(headers), Ok(method)) => (headers, method),
            (Err(reason), _) => return Outcome::Failed { reason: self.said(&reason) },
            (_, Err(_)) => return Outcome::Failed { reason: self.said("the request has no HTTP method") },
        };
        let call = Call {
            method,
            url: [&self.description.base_url, request.path.as_str()].concat(),
            headers,
            body: Some(Bytes::copy_from_slice(request.body.as_bytes())),
            deadline,
            longest_answer: self.description.limits.response_bytes,
        };
        self.outcome(operation, self.call(call, permit, credential).await)
    }
}

#[cfg(test)]
mod stage;

#[cfg(test)]
mod tests {
    mod library;
    mod sign_in;
    mod token_server;

    use std::time::Duration;

    use pairline_sdk::Fields;
    use serde_json::json;

    use super::stage::{CRM, ERP, create, fields, stage, update};
    use super::*;

    #[test]
    fn a_write_is_rendered_as_the_description_says_and_the_same_each_time() {
        let (crm, erp) = (stage(CRM, vec![]), stage(ERP, vec![]));
        let nested = fields(json!({ "name": "Ada", "custom_fields.crm_id": "1", "credit_limit": 10.5, "phone": null }));

        let create = crm.application.render(&create()).unwrap();
        assert_eq!((create.method.as_str(), create.path.as_str()), ("POST", "/crm/v3/objects/contacts"));
        assert_eq!(create.body, r#"{"associations":[],"properties":{"email":"a@b.test"}}"#);
        let update = crm.application.render(&update()).unwrap();
        assert_eq!((update.method.as_str(), update.path.as_str()), ("PATCH", "/crm/v3/objects/contacts/7"));
        assert_eq!(update.body, r#"{"properties":{"email":"a@b.test"}}"#);
        let update = Write::Update { id: "WHS/1 x".to_owned(), fields: nested, version: None };
        let rendered = erp.application.render(&update).unwrap();
        assert_eq!(rendered.path, "/customers/WHS%2F1%20x");
        assert_eq!(rendered.body, r#"{"name":"Ada","custom_fields":{"crm_id":"1"},"credit_limit":10.5,"phone":null}"#);
        assert_eq!(erp.application.render(&update), Ok(rendered));
        for id in ["", ".", ".."] {
            let update = Write::Update { id: id.to_owned(), fields: Fields::new(), version: None };
            assert!(erp.application.render(&update).is_err(), "{id}");
        }
    }

    #[tokio::test]
    async fn an_intent_that_waited_too_long_is_not_sent() {
        let stage = stage(CRM, vec![]);
        let intent = stage.intent(&update());
        stage.clock.advance(SEND_WITHIN + Duration::from_millis(1));

        let outcome = stage.application.send(&intent).await;

        assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_write_is_not_sent_while_the_application_is_paused() {
        let stage = stage(CRM, vec![]);
        let intent = stage.intent(&update());
        stage.application.limiter().pause(Duration::from_secs(60), "an operator said so");

        let outcome = stage.application.send(&intent).await;

        let after = Some(Duration::from_secs(60));
        assert_eq!(outcome, Outcome::NotSent { reason: "crm: an operator said so".to_owned(), after });
    }
}
