//! A remote system over HTTP: the one door through which it is read and written.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use pairline_sdk::ledger::SEND_WITHIN;
use pairline_sdk::{
    Application, ChangedPage, Clock, Intent, Operation, OperationKind, Outcome, Profile, Random, ReadError, Record,
    Request, Timestamp, Write,
};
use secrecy::ExposeSecret;
use serde_json::Value;
use tracing::{error, warn};

use super::changes::{Ask, Clocks, Cursor, Held, Page, RemoteClock};
use super::description::{Changed, Description, List, Since};
use super::json;
use super::limiter::{Limiter, Permit};
use super::record_shape::{Found, put_fields};
use super::refusals::Meaning;
use super::template::{Template, Values};
use super::transport::{Answer, Call, Transport, TransportError};
use crate::metrics::{
    APPLICATION_PAUSED, HTTP_REQUESTS, HTTP_THROTTLED, LIMITER_WAITS, Metrics, Number, OUTCOMES_UNKNOWN,
};

/// A search for one value is given up after this many pages.
const FOUND_PAGES: usize = 20;
/// Reading everything to look for a value is given up after this many pages.
const WALKED_PAGES: usize = 10_000;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An [`Application`] over HTTP.
pub struct HttpApplication {
    description: Description,
    transport: Arc<dyn Transport>,
    limiter: Arc<Limiter>,
    clock: Arc<dyn Clock>,
    /// What every call carries.
    headers: HeaderMap,
    meters: Meters,
    remote_clock: Mutex<RemoteClock>,
}

struct Meters {
    /// By the first digit of the status; 0 is no answer.
    by_class: [Number; 6],
    throttled: Number,
    unknown: Number,
    waits: Number,
    paused: Number,
}

impl HttpApplication {
    /// The application a description speaks of.
    ///
    /// # Errors
    ///
    /// One line when its token cannot be sent in a header.
    pub fn new(
        description: Description,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let bearer = format!("Bearer {}", description.bearer.expose_secret());
        let mut bearer = HeaderValue::try_from(bearer)
            .map_err(|_| format!("expected a token for {} that can be sent in a header", description.system()))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, HeaderValue::from_static("pairline"));
        let name = description.system().as_str();
        let classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
        let meters = Meters {
            by_class: classes.map(|class| metrics.number(&HTTP_REQUESTS, &[name, class])),
            throttled: metrics.number(&HTTP_THROTTLED, &[name]),
            unknown: metrics.number(&OUTCOMES_UNKNOWN, &[name]),
            waits: metrics.number(&LIMITER_WAITS, &[name]),
            paused: metrics.number(&APPLICATION_PAUSED, &[name]),
        };
        let limiter = Arc::new(Limiter::new(description.limits.in_flight, clock.clone(), random));
        Ok(Self { description, transport, limiter, clock, headers, meters, remote_clock: Mutex::default() })
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

    fn remote_clock(&self) -> MutexGuard<'_, RemoteClock> {
        self.remote_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, template: &Template, values: &Values<'_>) -> Option<String> {
        let mut path = String::with_capacity(64);
        template.fill_escaped(&mut path, values)?;
        Some(path)
    }

    async fn call(&self, call: Call) -> Result<Answer, TransportError> {
        let answer = self.transport.call(call).await;
        let class = answer.as_ref().map_or(0, |answer| usize::from(answer.status / 100).min(5));
        self.meters.by_class[class].add_one();
        answer
    }

    fn parsed(&self, body: &[u8]) -> Result<Value, String> {
        if body.is_empty() {
            return Err("expected JSON, found nothing".to_owned());
        }
        let parsed = json::parse(body, self.description.limits.depth);
        parsed.map_err(|error| format!("expected JSON, found something else: {error}"))
    }

    /// Reads something. Nothing when the answer is that it is gone.
    async fn get(&self, method: Method, path: &str, body: Option<String>) -> Result<Option<Value>, ReadError> {
        let permit = self.limiter.enter().await?;
        let mut headers = self.headers.clone();
        if body.is_some() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        let call = Call {
            method,
            url: [&self.description.base_url, path].concat(),
            headers,
            body: body.map(Bytes::from),
            deadline: self.description.profile.deadline,
            longest_answer: self.description.limits.response_bytes,
        };
        let answer = match self.call(call).await {
            Ok(answer) => answer,
            Err(TransportError::NotSent(reason)) => {
                return Err(ReadError::Wait { reason: self.said(&reason), after: permit.unreachable() });
            }
            Err(TransportError::Lost(reason)) => {
                permit.lost();
                return Err(ReadError::Failed(self.said(&reason)));
            }
        };
        let refusals = &self.description.refusals;
        match refusals.meaning(&answer, self.clock.now()) {
            Meaning::Done => {
                permit.answered();
                self.parsed(&answer.body).map(Some).map_err(|reason| ReadError::Failed(self.said(&reason)))
            }
            Meaning::Gone => {
                permit.answered();
                Ok(None)
            }
            Meaning::Throttled(after) => Err(ReadError::Wait {
                reason: self.said("asked us to wait (429)"),
                after: self.throttled(permit, after),
            }),
            Meaning::Denied => {
                let after = self.denied(permit, answer.status);
                Err(ReadError::Wait { reason: self.said("refuses our credentials"), after })
            }
            Meaning::Refused | Meaning::Duplicate(_) => {
                permit.answered();
                Err(ReadError::Refused(self.said(&refusals.reason(&answer))))
            }
            Meaning::Broken(after) => {
                self.broken(permit, after);
                Err(ReadError::Failed(self.said(&format!("answered with status {}", answer.status))))
            }
        }
    }

    fn said(&self, reason: &str) -> String {
        format!("{}: {reason}", self.description.system())
    }

    fn throttled(&self, permit: Permit<'_>, after: Option<Duration>) -> Duration {
        self.meters.throttled.add_one();
        permit.throttled(after)
    }

    fn denied(&self, permit: Permit<'_>, status: u16) -> Duration {
        let after = permit.denied();
        let application = self.description.system().as_str();
        error!(
            application,
            status,
            seconds = after.as_secs(),
            "the application refuses our credentials; it is left alone"
        );
        after
    }

    fn broken(&self, permit: Permit<'_>, after: Option<Duration>) {
        permit.lost();
        if let Some(after) = after {
            self.limiter.pause(after, "the application asked to be left alone");
        }
    }

    fn record(&self, answer: Value) -> Result<Option<(Record, Option<Timestamp>)>, ReadError> {
        match self.description.record.read(answer) {
            Ok(Found::Record(record, modified)) => Ok(Some((record, modified))),
            Ok(Found::Gone) => Ok(None),
            Err(reason) => Err(ReadError::Failed(self.said(reason))),
        }
    }

    /// One page of a listing, and the token for the next.
    async fn page(&self, list: &List, values: &Values<'_>) -> Result<(Vec<Value>, Option<String>), ReadError> {
        let refused = |reason: &str| ReadError::Refused(self.said(reason));
        let mut path =
            self.path(&list.path, values).ok_or_else(|| refused("the path of a listing cannot be filled"))?;
        let mut separator = if path.contains('?') { '&' } else { '?' };
        for (name, value) in &list.query {
            let before = path.len();
            path.push(separator);
            let filled = name.fill_escaped(&mut path, values).and_then(|()| {
                path.push('=');
                value.fill_escaped(&mut path, values)
            });
            match filled {
                Some(()) => separator = '&',
                None => path.truncate(before),
            }
        }
        let body = list.body.as_ref().and_then(|body| body.fill(values)).map(|body| body.to_string());
        let answer = self.get(list.method.clone(), &path, body).await?;
        let answer = answer.ok_or_else(|| refused("has no such listing (status 404)"))?;
        let next = list.next.as_ref().and_then(|next| next.of(&answer)).and_then(|next| match next {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        match list.records.take(answer) {
            Some(Value::Array(records)) => Ok((records, next)),
            _ => Err(ReadError::Failed(self.said("expected a list of records, found none"))),
        }
    }

    /// Every record of a listing that holds a value in a field.
    async fn holding(&self, list: &List, field: &str, value: &str, pages: usize) -> Result<Vec<Record>, ReadError> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..pages {
            let mut values = vec![("field", field), ("value", value)];
            values.extend(token.as_deref().map(|token| ("page", token)));
            let (answers, next) = self.page(list, &values).await?;
            for answer in answers {
                if let Some((record, _)) = self.record(answer)? {
                    // A system that does not know the filter answers everything.
                    if record.value(field).is_some_and(|held| text_of(held) == value) {
                        found.push(record);
                    }
                }
            }
            if next.is_none() || next == token {
                return Ok(found);
            }
            token = next;
        }
        Err(ReadError::Refused(self.said(&format!("expected a listing of at most {pages} pages, found more"))))
    }

    async fn list_changed(&self, changed: &Changed, page: &Page) -> Result<(Vec<Record>, Held), ReadError> {
        let instant = |at: Timestamp| match changed.since {
            Since::Milliseconds => at.as_millis().to_string(),
            Since::Rfc3339 => rfc3339(at),
        };
        let (answers, token) = match (&page.ask, &changed.ties) {
            (Ask::Since(since), _) => self.page(&changed.list, &[("since", &instant(*since))]).await?,
            (Ask::Token(since, token), _) => {
                self.page(&changed.list, &[("since", &instant(*since)), ("page", token)]).await?
            }
            (Ask::Ties(at, last), Some((first, list))) => {
                let last = last.as_ref().unwrap_or(first);
                self.page(list, &[("since", &instant(*at)), ("last", last)]).await?
            }
            (Ask::Ties(..), None) => {
                return Err(ReadError::Refused(self.said("expected a way to list records with one stamp, found none")));
            }
        };
        let mut records = Vec::with_capacity(answers.len());
        let mut held = Held { token, ..Held::default() };
        for answer in answers {
            held.last_id = self.description.record.id_in(&answer);
            let Some((record, modified)) = self.record(answer)? else { continue };
            let stamp = modified.ok_or_else(|| {
                ReadError::Failed(
                    self.said("expected every listed record to say when it was modified, found one without"),
                )
            })?;
            held.stamps.push(stamp);
            records.push(record);
        }
        Ok((records, held))
    }

    fn write_headers(&self, operation: &Operation) -> Result<HeaderMap, String> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, JSON);
        let mut put = |name: &HeaderName, text: &str| match HeaderValue::try_from(text) {
            Ok(value) => {
                headers.insert(name.clone(), value);
                Ok(())
            }
            Err(_) => Err(format!("expected text that can be sent in `{name}`, found something else")),
        };
        if let Some((name, template)) = &self.description.marker {
            put(name, &template.fill(&[("operation", &operation.id.0)]).unwrap_or_default())?;
        }
        if let (Some(name), Some(key)) = (&self.description.key_header, &operation.key) {
            put(name, key)?;
        }
        Ok(headers)
    }

    fn outcome(&self, operation: &Operation, answer: Result<Answer, TransportError>, permit: Permit<'_>) -> Outcome {
        let answer = match answer {
            Ok(answer) => answer,
            Err(TransportError::NotSent(reason)) => {
                return Outcome::NotSent { reason: self.said(&reason), after: Some(permit.unreachable()) };
            }
            Err(TransportError::Lost(reason)) => {
                permit.lost();
                return self.unknown(operation, &reason);
            }
        };
        let refusals = &self.description.refusals;
        let is_create = operation.kind == OperationKind::Create;
        match refusals.meaning(&answer, self.clock.now()) {
            Meaning::Done => {
                permit.answered();
                self.done(operation, &answer)
            }
            Meaning::Gone if !is_create => {
                permit.answered();
                Outcome::Gone
            }
            Meaning::Duplicate(id) if is_create => {
                permit.answered();
                Outcome::Duplicate { id }
            }
            Meaning::Throttled(after) => Outcome::NotSent {
                reason: self.said("asked us to wait (429)"),
                after: Some(self.throttled(permit, after)),
            },
            Meaning::Denied => Outcome::NotSent {
                reason: self.said("refuses our credentials"),
                after: Some(self.denied(permit, answer.status)),
            },
            Meaning::Duplicate(Some(id)) => {
                permit.answered();
                Outcome::Failed {
                    reason: self.said(&format!("status {}, record {id} stands in the way", answer.status)),
                }
            }
            Meaning::Gone | Meaning::Duplicate(None) | Meaning::Refused => {
                permit.answered();
                Outcome::Failed { reason: self.said(&refusals.reason(&answer)) }
            }
            Meaning::Broken(after) => {
                self.broken(permit, after);
                self.unknown(operation, &format!("answered with status {}", answer.status))
            }
        }
    }

    /// A success says so by an id; anything else with such a status proves nothing.
    fn done(&self, operation: &Operation, answer: &Answer) -> Outcome {
        let body = match self.parsed(&answer.body) {
            Ok(body) => body,
            Err(reason) => return self.unknown(operation, &format!("status {}, {reason}", answer.status)),
        };
        let shape = &self.description.record;
        // An answer may hold the id alone; the id is what must not get lost.
        let id = shape.id_in(&body).filter(|_| shape.error.as_ref().is_none_or(|error| error.of(&body).is_none()));
        match (shape.read(body), id) {
            (Ok(Found::Record(record, _)), _) => Outcome::Committed { record },
            (Ok(Found::Gone), _) if operation.kind == OperationKind::Update => Outcome::Gone,
            (Err(_), Some(id)) => Outcome::Committed { record: Record::new(id, pairline_sdk::Fields::new()) },
            (Ok(Found::Gone), _) => self.unknown(operation, "answered with a record that is gone"),
            (Err(reason), None) => self.unknown(operation, &format!("status {}, {reason}", answer.status)),
        }
    }

    fn unknown(&self, operation: &Operation, reason: &str) -> Outcome {
        self.meters.unknown.add_one();
        let application = self.description.system().as_str();
        warn!(application, operation = %operation.id, reason, "nobody knows what became of a write");
        Outcome::Unknown { reason: self.said(reason) }
    }
}

#[async_trait]
impl Application for HttpApplication {
    fn profile(&self) -> &Profile {
        &self.description.profile
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        let operations = &self.description.operations;
        let (call, fields, path) = match write {
            Write::Create { fields } => (&operations.create, fields, self.path(&operations.create.path, &[])),
            Write::Update { id, fields } if json::is_id(id) => {
                (&operations.update, fields, self.path(&operations.update.path, &[("id", id)]))
            }
            Write::Update { .. } => return Err("expected an id that can stand in a path, found another".to_owned()),
        };
        let path = path.ok_or("the path of a write cannot be filled")?;
        let mut body = Value::Object(call.body.clone());
        let target = call.fields.object(&mut body).ok_or("there is no place for the fields in the body")?;
        put_fields(target, fields)?;
        Ok(Request { method: call.method.to_string(), path, body: body.to_string() })
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.limiter.admit().await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        let (method, path) = &self.description.operations.read;
        // An id that is none would read the collection.
        let path = self.path(path, &[("id", id)]).filter(|_| json::is_id(id));
        let Some(path) = path else {
            return Err(ReadError::Refused(self.said("expected an id that can stand in a path, found another")));
        };
        match self.get(method.clone(), &path, None).await? {
            Some(answer) => Ok(self.record(answer)?.map(|(record, _)| record)),
            None => Ok(None),
        }
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        let unable = || ReadError::Refused(self.said(&format!("cannot be searched by `{field}`")));
        let find = self.description.operations.find.as_ref().ok_or_else(unable)?;
        let asked = find.fields.as_ref().is_none_or(|fields| fields.iter().any(|known| known == field));
        if asked {
            return self.holding(&find.list, field, value, FOUND_PAGES).await;
        }
        self.holding(find.otherwise.as_ref().ok_or_else(unable)?, field, value, WALKED_PAGES).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        let refused = |reason: String| ReadError::Refused(self.said(&reason));
        let changed = self.description.operations.changed.as_ref();
        let changed = changed.ok_or_else(|| refused("cannot list what changed".to_owned()))?;
        let cursor = Cursor::read(cursor).map_err(refused)?;
        let page: Page = match page {
            Some(page) => serde_json::from_value(page.clone()).map_err(|error| refused(error.to_string()))?,
            None => Page::first(cursor),
        };
        let theirs = {
            let mut remote_clock = self.remote_clock();
            remote_clock.saw(cursor.newest, Instant::now());
            remote_clock.at_least(Instant::now())
        };
        let (records, held) = self.list_changed(changed, &page).await?;
        let clocks = Clocks { ours: self.clock.now(), theirs };
        let turn = page.turn(cursor, held, changed.order, changed.overlap, clocks);
        let turn = turn.map_err(|reason| ReadError::Failed(self.said(&reason)))?;
        self.remote_clock().saw(turn.cursor.newest, Instant::now());
        let written = |value: serde_json::Result<Value>| value.expect("cursors and pages are numbers and texts");
        Ok(ChangedPage {
            records,
            next: turn.next.map(|next| written(serde_json::to_value(next))),
            cursor: written(serde_json::to_value(turn.cursor)),
        })
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
        let now = self.clock.now();
        if operation.is_stale(now) {
            return not_sent("the intent is too old to be sent", None);
        }
        let deadline = operation.sent_at.plus(operation.deadline).since(now).min(operation.deadline);
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
        let answer = self.call(call).await;
        self.outcome(operation, answer, permit)
    }
}

fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pairline_sdk::testing::{TestClock, TestRandom};
    use pairline_sdk::{Fields, OperationId, OperationState, Provenance, RecordId, System};
    use serde_json::json;

    use super::*;
    use crate::application::played::{Exchange, Expected, Failure, Played, PlayedTransport};
    use crate::application::{Description, Environment};

    const CRM: &str = include_str!("../../../../topologies/applications/crm.yaml");
    const ERP: &str = include_str!("../../../../topologies/applications/erp.yaml");

    struct Stage {
        application: HttpApplication,
        transport: Arc<PlayedTransport>,
        clock: Arc<TestClock>,
        metrics: Metrics,
    }

    fn stage(text: &str, exchanges: Vec<Exchange>) -> Stage {
        let (description, findings) = Description::parse("a.yaml", text, &Environment::lenient());
        assert!(findings.is_empty(), "{findings:?}");
        let description = description.unwrap();
        let transport = Arc::new(PlayedTransport::new(&description, exchanges));
        let (clock, metrics) = (Arc::new(TestClock::default()), Metrics::default());
        let random = Arc::new(TestRandom::default());
        let application =
            HttpApplication::new(description, transport.clone(), clock.clone(), random, &metrics).unwrap();
        Stage { application, transport, clock, metrics }
    }

    fn exchange(method: &str, path: &str, answer: Played) -> Exchange {
        let expect =
            Expected { method: method.to_owned(), path: path.to_owned(), json: None, headers: BTreeMap::new() };
        Exchange { expect, answer }
    }

    fn answer(status: u16, text: &str) -> Played {
        Played { status, text: Some(text.to_owned()), ..Played::default() }
    }

    fn ok(json: Value) -> Played {
        Played { json: Some(json), ..Played::default() }
    }

    impl Stage {
        fn intent(&self, write: &Write) -> Intent {
            let request = self.application.render(write).unwrap();
            let (kind, target_id) = match write {
                Write::Create { .. } => (OperationKind::Create, None),
                Write::Update { id, .. } => (OperationKind::Update, Some(id.clone())),
            };
            let now = self.clock.now();
            let profile = self.application.profile();
            Intent::recorded(Operation {
                id: OperationId("0199-op".to_owned()),
                kind,
                state: OperationState::Pending,
                pair: None,
                contract: "contact".to_owned(),
                source: RecordId::new(&System::new("other"), "1"),
                target: profile.system.clone(),
                target_id,
                request,
                key: Some("pairline:key".to_owned()),
                writes: vec![],
                inverse: None,
                answered: None,
                first_sent_at: now,
                sent_at: now,
                ended_at: None,
                deadline: profile.deadline,
                request_life: profile.request_life,
                attempts: 1,
                start: 1,
                reason: None,
                provenance: Provenance::default(),
            })
        }

        fn is_as_expected(&self) {
            assert_eq!(self.transport.finish(), Vec::<String>::new());
        }
    }

    fn fields(json: Value) -> Fields {
        json.as_object().unwrap().clone()
    }

    fn create() -> Write {
        Write::Create { fields: fields(json!({ "email": "a@b.test" })) }
    }

    fn update() -> Write {
        Write::Update { id: "7".to_owned(), fields: fields(json!({ "email": "a@b.test" })) }
    }

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
        let update = Write::Update { id: "WHS/1 x".to_owned(), fields: nested };
        let rendered = erp.application.render(&update).unwrap();
        assert_eq!(rendered.path, "/customers/WHS%2F1%20x");
        assert_eq!(rendered.body, r#"{"name":"Ada","custom_fields":{"crm_id":"1"},"credit_limit":10.5,"phone":null}"#);
        assert_eq!(erp.application.render(&update), Ok(rendered));
        for id in ["", ".", ".."] {
            let update = Write::Update { id: id.to_owned(), fields: Fields::new() };
            assert!(erp.application.render(&update).is_err(), "{id}");
        }
    }

    #[tokio::test]
    async fn a_write_carries_credentials_the_marker_and_the_key() {
        let mut exchange = exchange("POST", "/customers", answer(201, r#"{"id":"WHS-1","email":"a@b.test"}"#));
        exchange.expect.json = Some(json!({ "email": "a@b.test" }));
        exchange.expect.headers = [
            ("authorization", "Bearer ERP_TOKEN"),
            ("x-sync-origin", "pairline/0199-op"),
            ("idempotency-key", "pairline:key"),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let stage = stage(ERP, vec![exchange]);

        let outcome = stage.application.send(&stage.intent(&create())).await;

        let record = Record::new("WHS-1", fields(json!({ "email": "a@b.test" })));
        assert_eq!(outcome, Outcome::Committed { record });
        stage.is_as_expected();
    }

    /// What became of a write, in a word.
    fn word(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Committed { record } => format!("committed {}", record.id),
            Outcome::Duplicate { id } => format!("duplicate {}", id.as_deref().unwrap_or("?")),
            Outcome::Gone => "gone".to_owned(),
            Outcome::Failed { .. } => "failed".to_owned(),
            Outcome::Unknown { .. } => "unknown".to_owned(),
            Outcome::NotSent { after, .. } => format!("not sent {}", after.map_or(0, |after| after.as_millis())),
        }
    }

    #[tokio::test]
    async fn every_answer_to_a_write_has_one_outcome() {
        let record = r#"{"id":"101","properties":{"email":"secret@b.test"}}"#;
        let taken = r#"{"message":"secret@b.test already exists. Existing ID: 6001","category":"CONFLICT"}"#;
        let after = [("retry-after".to_owned(), "7".to_owned())];
        let throttled = Played { status: 429, headers: after.clone().into(), ..Played::default() };
        let not_sent = Played { fails: Some(Failure::NotSent), ..Played::default() };
        let lost = Played { fails: Some(Failure::Lost), ..Played::default() };
        for (played, of_create, of_update) in [
            (answer(201, record), "committed 101", "committed 101"),
            (
                answer(200, r#"{"id":9007199254740993,"properties":{}}"#),
                "committed 9007199254740993",
                "committed 9007199254740993",
            ),
            (answer(201, r#"{"id":"101"}"#), "committed 101", "committed 101"),
            (answer(200, r#"{"id":1e30,"properties":{}}"#), "unknown", "unknown"),
            (answer(201, r#"{"properties":{"email":"secret@b.test"}}"#), "unknown", "unknown"),
            (answer(201, &record[..30]), "unknown", "unknown"),
            (answer(200, "<html>secret@b.test</html>"), "unknown", "unknown"),
            (answer(200, r#"{"status":"error","message":"secret@b.test"}"#), "unknown", "unknown"),
            (answer(200, "null"), "unknown", "unknown"),
            (answer(204, ""), "unknown", "unknown"),
            (answer(200, r#"{"id":"7","archived":true,"properties":{}}"#), "unknown", "gone"),
            (answer(302, ""), "unknown", "unknown"),
            (answer(307, ""), "failed", "failed"),
            (answer(400, r#"{"message":"secret@b.test"}"#), "failed", "failed"),
            (answer(404, "{}"), "failed", "gone"),
            (answer(408, ""), "unknown", "unknown"),
            (answer(409, taken), "duplicate 6001", "failed"),
            (answer(409, r#"{"message":"secret@b.test"}"#), "duplicate ?", "failed"),
            (answer(401, "{}"), "not sent 30000", "not sent 30000"),
            (answer(403, "{}"), "not sent 30000", "not sent 30000"),
            (throttled, "not sent 7000", "not sent 7000"),
            (answer(500, "{}"), "unknown", "unknown"),
            (answer(504, "<html>"), "unknown", "unknown"),
            (lost, "unknown", "unknown"),
            (not_sent, "not sent 1", "not sent 1"),
        ] {
            for (write, path, expected) in
                [(create(), "/crm/v3/objects/contacts", of_create), (update(), "/crm/v3/objects/contacts/7", of_update)]
            {
                let method = if matches!(write, Write::Create { .. }) { "POST" } else { "PATCH" };
                let stage = stage(CRM, vec![exchange(method, path, played.clone())]);

                let outcome = stage.application.send(&stage.intent(&write)).await;

                assert!(word(&outcome).starts_with(expected), "{played:?} to a {method}: {outcome:?}");
                if !matches!(outcome, Outcome::Committed { .. }) {
                    assert!(!format!("{outcome:?}").contains("secret"), "{outcome:?}");
                }
                let paused = stage.application.limiter().paused().is_some();
                assert_eq!(paused, word(&outcome).starts_with("not sent"), "{played:?}");
                stage.is_as_expected();
            }
        }
    }

    #[tokio::test]
    async fn every_answer_to_a_read_has_one_meaning() {
        let record = r#"{"id":"7","properties":{"email":"a@b.test"},"updatedAt":"x"}"#;
        let word = |read: Result<Option<Record>, ReadError>| match read {
            Ok(Some(record)) => format!("record {}", record.id),
            Ok(None) => "gone".to_owned(),
            Err(ReadError::Wait { .. }) => "wait".to_owned(),
            Err(ReadError::Failed(_)) => "failed".to_owned(),
            Err(ReadError::Refused(_)) => "refused".to_owned(),
        };
        let not_sent = Played { fails: Some(Failure::NotSent), ..Played::default() };
        let lost = Played { fails: Some(Failure::Lost), ..Played::default() };
        for (played, expected) in [
            (answer(200, record), "record 7"),
            (answer(200, r#"{"id":"7","properties":{},"archived":true}"#), "gone"),
            (answer(200, &record[..20]), "failed"),
            (answer(200, "<html>"), "failed"),
            (answer(200, ""), "failed"),
            (answer(200, r#"{"status":"error"}"#), "failed"),
            (answer(200, r#"{"id":18446744073709551616,"properties":{}}"#), "failed"),
            (answer(200, &("[".repeat(50) + &"]".repeat(50))), "failed"),
            (answer(301, ""), "failed"),
            (answer(308, ""), "refused"),
            (answer(400, ""), "refused"),
            (answer(401, ""), "wait"),
            (answer(403, ""), "wait"),
            (answer(404, "no"), "gone"),
            (answer(429, ""), "wait"),
            (answer(500, ""), "failed"),
            (answer(503, ""), "failed"),
            (not_sent, "wait"),
            (lost, "failed"),
        ] {
            let stage = stage(CRM, vec![exchange("GET", "/crm/v3/objects/contacts/7", played.clone())]);

            assert_eq!(word(stage.application.read("7").await), expected, "{played:?}");
            stage.is_as_expected();
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

    #[tokio::test]
    async fn what_is_found_holds_the_value_whatever_the_system_filters_by() {
        let customer = |id: &str, crm_id: &str| json!({ "id": id, "custom_fields": { "crm_id": crm_id } });
        let page = |records: Vec<Value>, next: Value| ok(json!({ "data": records, "next_cursor": next }));
        let stage = stage(
            ERP,
            vec![
                exchange(
                    "GET",
                    "/customers?email=a%40b.test&limit=100",
                    page(vec![json!({ "id": "1", "email": "other" })], Value::Null),
                ),
                exchange(
                    "GET",
                    "/customers?limit=500",
                    page(vec![customer("1", "7"), customer("2", "8")], json!("c/1")),
                ),
                exchange("GET", "/customers?limit=500&cursor=c%2F1", page(vec![customer("3", "7")], Value::Null)),
            ],
        );

        let by_email = stage.application.find("email", "a@b.test").await.unwrap();
        let by_inverse = stage.application.find("custom_fields.crm_id", "7").await.unwrap();

        assert_eq!(by_email, []);
        let ids: Vec<&str> = by_inverse.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["1", "3"]);
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_search_goes_through_its_pages() {
        let contact = |id: u64| json!({ "id": id.to_string(), "properties": { "erp_id": "WHS-1" } });
        let asked = |after: Option<&str>| {
            let mut asked = json!({
                "filterGroups": [{ "filters": [{ "propertyName": "erp_id", "operator": "EQ", "value": "WHS-1" }] }],
                "limit": 100,
            });
            if let Some(after) = after {
                asked["after"] = json!(after);
            }
            Some(asked)
        };
        let path = "/crm/v3/objects/contacts/search";
        let paging = json!({ "next": { "after": "1" } });
        let mut first = exchange("POST", path, ok(json!({ "results": [contact(1)], "paging": paging })));
        first.expect.json = asked(None);
        let mut second = exchange("POST", path, ok(json!({ "results": [contact(2)] })));
        second.expect.json = asked(Some("1"));
        let stage = stage(CRM, vec![first, second]);

        let found = stage.application.find("erp_id", "WHS-1").await.unwrap();

        assert_eq!(found.len(), 2);
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn changes_are_listed_by_time_and_one_stamp_by_id() {
        let contact =
            |id: u64, at: &str| json!({ "id": id.to_string(), "properties": { "email": "x", "lastmodifieddate": at } });
        let asked = |operator: &str, value: &str, last: Option<&str>| {
            let mut filters = vec![json!({ "propertyName": "lastmodifieddate", "operator": operator, "value": value })];
            filters.extend(last.map(|last| json!({ "propertyName": "hs_object_id", "operator": "GT", "value": last })));
            let by = if last.is_some() { "hs_object_id" } else { "lastmodifieddate" };
            Some(json!({
                "filterGroups": [{ "filters": filters }],
                "sorts": [{ "propertyName": by, "direction": "ASCENDING" }],
                "limit": 200,
            }))
        };
        let (one, two) = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:30.000Z");
        let paging = json!({ "next": { "after": "2" } });
        let more = ok(json!({ "results": [contact(1, one), contact(2, one)], "paging": paging }));
        let exchanges = [
            (asked("GTE", "0", None), more.clone()),
            (asked("GTE", "1700000000000", None), more.clone()),
            (asked("EQ", "1700000000000", Some("0")), more),
            (asked("EQ", "1700000000000", Some("2")), ok(json!({ "results": [contact(3, one)] }))),
            (asked("GTE", "1700000000001", None), ok(json!({ "results": [contact(4, two)] }))),
        ];
        let exchanges = exchanges.map(|(asked, answer)| {
            let mut exchange = exchange("POST", "/crm/v3/objects/contacts/search", answer);
            exchange.expect.json = asked;
            exchange
        });
        let stage = stage(CRM, exchanges.to_vec());
        let (mut listed, mut page) = (Vec::new(), None);

        let cursor = loop {
            let changed = stage.application.changed(&Value::Null, page.as_ref()).await.unwrap();
            listed.extend(changed.records.into_iter().map(|record| record.id));
            page = changed.next;
            if page.is_none() {
                break changed.cursor;
            }
        };

        listed.dedup();
        assert_eq!(listed, ["1", "2", "1", "2", "1", "2", "3", "4"]);
        // The first stamp was in doubt when it was passed, so the next pass begins there.
        assert_eq!(cursor, json!({ "since": 1_699_999_995_000_i64, "newest": 1_700_000_010_000_i64 }));
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn changes_are_listed_by_id_and_the_cursor_moves_with_the_last_page() {
        let customer = |id: u64, at: &str| json!({ "id": id, "updated_at": at });
        let since = "updated_since=1970-01-01T00%3A00%3A00.000Z&limit=500";
        let (one, two) = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:30.000Z");
        let stage = stage(
            ERP,
            vec![
                exchange(
                    "GET",
                    &format!("/customers?{since}"),
                    ok(json!({ "data": [customer(1, one)], "next_cursor": "1" })),
                ),
                exchange(
                    "GET",
                    &format!("/customers?{since}&cursor=1"),
                    ok(json!({ "data": [customer(2, two)], "next_cursor": null })),
                ),
            ],
        );

        let first = stage.application.changed(&Value::Null, None).await.unwrap();
        let second = stage.application.changed(&Value::Null, first.next.as_ref()).await.unwrap();

        assert_eq!(first.cursor, json!({ "since": 0, "newest": 0 }));
        assert_eq!(second.cursor, json!({ "since": 1_699_999_998_000_i64, "newest": 1_700_000_010_000_i64 }));
        assert_eq!((second.records[0].id.as_str(), second.next), ("2", None));
        assert!(stage.application.changed(&json!("old"), None).await.is_err());
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn calls_are_counted_by_class_and_writes_in_doubt_by_themselves() {
        let path = "/crm/v3/objects/contacts/7";
        let exchanges = [200, 404, 500, 429].map(|status| exchange("GET", path, answer(status, "{}")));
        let stage = stage(CRM, [vec![exchange("PATCH", path, answer(500, ""))], exchanges.to_vec()].concat());

        stage.application.send(&stage.intent(&update())).await;
        for _ in 0..4 {
            stage.application.read("7").await.ok();
        }

        stage.application.measure();
        let shown = stage.metrics.render();
        for (metric, count) in [
            ("pairline_http_client_requests_total{application=\"crm\",status_class=\"2xx\"}", 1),
            ("pairline_http_client_requests_total{application=\"crm\",status_class=\"4xx\"}", 2),
            ("pairline_http_client_requests_total{application=\"crm\",status_class=\"5xx\"}", 2),
            ("pairline_http_client_throttled_total{application=\"crm\"}", 1),
            ("pairline_outcomes_unknown_total{application=\"crm\"}", 1),
            ("pairline_application_paused{application=\"crm\"}", 1),
        ] {
            assert!(shown.contains(&format!("{metric} {count}\n")), "{metric} {count} in\n{shown}");
        }
    }
}
