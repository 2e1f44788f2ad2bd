//! A small system that does not do what a description says of it: it forgets fields, gives them other names, spells values
//! in its own way, or has another time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::{changed, project};
use crate::bad_input::stage::Stage;

/// What its calls are believed by.
pub(super) const TOKEN: &str = "canary-shop-token-55d0";

/// What it gives to whoever signs in by that token.
pub(super) const SESSION: &str = "canary-shop-session-9c1e";

/// How it looks to whoever has only read its documentation.
const DESCRIPTION: &str = r#"application: shop
about: A shop of a test.
base_url: ${SHOP_BASE_URL:-http://127.0.0.1:9}
auth: { bearer: "${SHOP_TOKEN}" }
capabilities:
  find: { index_lag: 1s }
  deadline: 3s
  request_life: 5s
record:
  id: /id
  modified: [/at]
  leave_out: [id, at, v]
  whole: true
operations:
  read: { method: GET, path: "/items/{id}" }
  create: { method: POST, path: /items }
  update: { method: PATCH, path: "/items/{id}" }
  find:
    list: { method: GET, path: /items, query: { "{field}": "{value}" }, records: /items }
errors:
  rules:
    - { status: 404, means: gone }
echo: {}
"#;

const CONTRACT: &str = "contract: person
about: A contact of the CRM and an item of the shop.
systems: [crm, shop]
inverse: { crm: erp_id, shop: ref }
fields:
  email: { owner: crm, in: { crm: email, shop: mail } }
  phone: { owner: crm, type: phone, in: { crm: phone, shop: tel } }
  name: { owner: crm, in: { crm: firstname, shop: title } }
";

/// What can be added to its description: webhooks, and how it is asked for what it was told to send.
pub(super) const WEBHOOK: &str = r#"webhook:
  signature:
    header: X-Signature
    algorithm: hmac-sha256
    signs: "{url}{body}"
    encoding: hex
    secret: ${SHOP_SECRET}
    url: https://sync.invalid/webhooks/shop?key=zyx-of-the-url
  body: single
  event:
    record: /item
    kind:
      at: /type
      created: [item.made]
      updated: [item.changed]
      deleted: [item.gone]
  subscriptions:
    list: { method: GET, path: /hooks, query: { page: "{page}" }, records: /hooks, next: /next }
    url: /url
    events: /events
    all: [everything]
    field: /field
    active: { at: /state, is: [active, new] }
"#;

/// In which way it is other than described.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    /// It forgets these fields.
    pub(super) forgets: Vec<&'static str>,
    /// It keeps these under another name.
    pub(super) renames: BTreeMap<&'static str, &'static str>,
    /// It answers this field with this text behind its value.
    pub(super) tells: Option<(&'static str, &'static str)>,
    /// It refuses a second record with the same value there, with status 422.
    pub(super) refuses_second: Option<&'static str>,
    /// It makes two records of each.
    pub(super) doubles: bool,
    /// What its answers have as `Date`.
    pub(super) date: Option<&'static str>,
    /// It answers that a record is removed, with this status, and keeps it where that is no success, or where `keeps` says so.
    pub(super) removes_with: Option<u16>,
    /// It keeps what it says that it has removed.
    pub(super) keeps: bool,
    /// Somebody makes a counterpart of each record at once, and writes its id into this field.
    pub(super) pairs_by: Option<&'static str>,
    /// It makes a record and answers that it has failed.
    pub(super) loses_answers: bool,
    /// It names its first record in the answer to every create.
    pub(super) names_the_first: bool,
    /// It takes this long for an update, and does it whether anybody waits or not.
    pub(super) slow: Option<Duration>,
    /// What it makes of `If-Match`.
    pub(super) matches: Matches,
}

/// What it makes of an update that is bound to a version.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Matches {
    /// It does it, whatever the version.
    #[default]
    Ignores,
    /// It refuses it with 412 unless the record has this version.
    Keeps,
    /// The same with 409.
    KeepsWith409,
    /// It knows its versions by another name.
    Never,
    /// It has one version for ever.
    Stands,
    /// It does it for the first version, and has too much to do for any other.
    Busy,
}

/// The system, on a free port of 127.0.0.1.
#[derive(Clone)]
pub(super) struct Remote(Arc<Inner>);

struct Inner {
    ways: Ways,
    items: Mutex<Vec<Map<String, Value>>>,
    /// What it was told to send.
    hooks: Mutex<Vec<Value>>,
    removals: AtomicUsize,
    writes: AtomicUsize,
}

impl Remote {
    /// Starts it and describes it in the `project` of a stage, which it is added to.
    pub(super) fn connected(stage: &Stage, ways: Ways, description: impl FnOnce(String) -> String) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        stage.set("SHOP_BASE_URL", format!("http://{}", listener.local_addr().unwrap()));
        stage.set("SHOP_TOKEN", TOKEN);
        let remote = Self(Arc::new(Inner {
            ways,
            items: Mutex::default(),
            hooks: Mutex::default(),
            removals: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        }));
        let routes = Router::new()
            .route("/items", get(list).post(create))
            .route("/items/{id}", get(read).patch(update).delete(remove))
            .route("/hooks", get(hooks))
            .route("/login", axum::routing::post(async || json!({ "token": SESSION }).to_string()))
            .route("/by-ref/{reference}", axum::routing::put(upsert))
            .with_state(remote.clone());
        tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await
        });
        project(stage, "applications/shop.yaml", |_| description(DESCRIPTION.to_owned()));
        changed(stage, "contracts/person.yaml", |_| CONTRACT.to_owned());
        remote
    }

    /// How many records it holds.
    pub(super) fn records(&self) -> usize {
        self.0.items.lock().unwrap().len()
    }

    /// How often it was called to write.
    pub(super) fn writes(&self) -> usize {
        self.0.writes.load(Ordering::SeqCst)
    }

    /// How often it was called to remove something.
    pub(super) fn removals(&self) -> usize {
        self.0.removals.load(Ordering::SeqCst)
    }

    /// Somebody enters a record.
    pub(super) fn enters(&self, item: Value) {
        self.0.items.lock().unwrap().push(item.as_object().unwrap().clone());
    }

    /// Somebody tells it what to send.
    pub(super) fn is_told_to_send(&self, hooks: Vec<Value>) {
        *self.0.hooks.lock().unwrap() = hooks;
    }

    fn refuses(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let sent = headers.get("authorization").and_then(|sent| sent.to_str().ok()?.strip_prefix("Bearer "));
        let is_known = sent.is_some_and(|sent| [TOKEN, SESSION].contains(&sent));
        (!is_known).then(|| self.answer(StatusCode::UNAUTHORIZED, &json!({})))
    }

    fn answer(&self, status: StatusCode, body: &Value) -> Response<Body> {
        let mut answer = Response::builder().status(status);
        if let Some(date) = self.0.ways.date {
            answer = answer.header("date", date);
        }
        answer.body(body.to_string().into()).unwrap()
    }

    /// What it keeps of what it was sent.
    fn kept(&self, sent: &Bytes) -> Map<String, Value> {
        let sent: Map<String, Value> = serde_json::from_slice(sent).unwrap();
        let ways = &self.0.ways;
        let kept = sent.into_iter().filter(|(name, _)| !ways.forgets.contains(&name.as_str()));
        let kept = kept.map(|(name, value)| match (ways.tells, value.as_str()) {
            // So far behind that whoever shows the beginning shows half of it.
            (Some((field, what)), Some(text)) if field == name => (name, json!(format!("{text:.<66} {what}"))),
            _ => (name, value),
        });
        kept.map(|(name, value)| (ways.renames.get(name.as_str()).map_or(name, |other| (*other).to_owned()), value))
            .collect()
    }
}

async fn create(State(remote): State<Remote>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    remote.0.writes.fetch_add(1, Ordering::SeqCst);
    if let Some(refusal) = remote.refuses(&headers) {
        return refusal;
    }
    let mut item = remote.kept(&body);
    let mut items = remote.0.items.lock().unwrap();
    if let Some(field) = remote.0.ways.refuses_second
        && items.iter().any(|other| other.get(field) == item.get(field))
    {
        return remote.answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": "no" }));
    }
    item.insert("id".to_owned(), json!(format!("I-{}", items.len() + 1)));
    item.insert("at".to_owned(), json!(1_700_000_000_000_i64));
    item.insert("v".to_owned(), json!(1));
    if let Some(field) = remote.0.ways.pairs_by {
        item.insert(field.to_owned(), json!("101"));
    }
    items.push(item.clone());
    if remote.0.ways.loses_answers {
        return remote.answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({}));
    }
    if remote.0.ways.names_the_first {
        return remote.answer(StatusCode::CREATED, &Value::Object(items[0].clone()));
    }
    if remote.0.ways.doubles {
        let id = json!(format!("I-{}", items.len() + 1));
        items.push(item.clone().into_iter().chain([("id".to_owned(), id)]).collect());
    }
    remote.answer(StatusCode::CREATED, &Value::Object(item))
}

async fn upsert(
    remote: State<Remote>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let known = remote.0.0.items.lock().unwrap().iter().find(|item| item["ref"] == json!(reference)).cloned();
    let mut sent: Map<String, Value> = serde_json::from_slice(&body).unwrap();
    sent.insert("ref".to_owned(), json!(reference));
    let body = Bytes::from(Value::Object(sent).to_string());
    match known {
        Some(item) => update(remote, Path(item["id"].as_str().unwrap().to_owned()), headers, body).await,
        None => create(remote, headers, body).await,
    }
}

async fn update(
    State(remote): State<Remote>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    remote.0.writes.fetch_add(1, Ordering::SeqCst);
    if let Some(refusal) = remote.refuses(&headers) {
        return refusal;
    }
    match remote.0.ways.slow {
        None => remote.changed(&id, &headers, &body),
        Some(slow) => {
            let work = async move {
                tokio::time::sleep(slow).await;
                remote.changed(&id, &headers, &body)
            };
            tokio::spawn(work).await.unwrap()
        }
    }
}

impl Remote {
    fn changed(&self, id: &str, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        let kept = self.kept(body);
        let mut items = self.0.items.lock().unwrap();
        let Some(item) = items.iter_mut().find(|item| item["id"] == json!(id)) else {
            return self.answer(StatusCode::NOT_FOUND, &json!({}));
        };
        let matches = self.0.ways.matches;
        let (version, sent) = (item["v"].as_u64().unwrap(), headers.get("if-match").map(|sent| sent.to_str().unwrap()));
        let fits = matches != Matches::Never && sent == Some(&*format!("\"{version}\""));
        match matches {
            Matches::Keeps | Matches::Never if sent.is_some() && !fits => {
                return self.answer(StatusCode::PRECONDITION_FAILED, &json!({}));
            }
            Matches::Busy if sent.is_some() && !fits => {
                return self.answer(StatusCode::TOO_MANY_REQUESTS, &json!({}));
            }
            Matches::KeepsWith409 if sent.is_some() && !fits => return self.answer(StatusCode::CONFLICT, &json!({})),
            _ => {}
        }
        item.extend(kept);
        item.insert("v".to_owned(), json!(if matches == Matches::Stands { version } else { version + 1 }));
        self.answer(StatusCode::OK, &Value::Object(item.clone()))
    }
}

async fn read(State(remote): State<Remote>, Path(id): Path<String>, headers: HeaderMap) -> Response<Body> {
    if let Some(refusal) = remote.refuses(&headers) {
        return refusal;
    }
    let items = remote.0.items.lock().unwrap();
    match items.iter().find(|item| item["id"] == json!(id)) {
        Some(item) => remote.answer(StatusCode::OK, &Value::Object(item.clone())),
        None => remote.answer(StatusCode::NOT_FOUND, &json!({})),
    }
}

async fn remove(State(remote): State<Remote>, Path(id): Path<String>, headers: HeaderMap) -> Response<Body> {
    remote.0.removals.fetch_add(1, Ordering::SeqCst);
    if let Some(refusal) = remote.refuses(&headers) {
        return refusal;
    }
    let status = StatusCode::from_u16(remote.0.ways.removes_with.unwrap_or(204)).unwrap();
    if status.is_success() && !remote.0.ways.keeps {
        remote.0.items.lock().unwrap().retain(|item| item["id"] != json!(id));
    }
    Response::builder().status(status).body(Body::empty()).unwrap()
}

/// One on each page.
async fn hooks(
    State(remote): State<Remote>,
    Query(asked): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response<Body> {
    if let Some(refusal) = remote.refuses(&headers) {
        return refusal;
    }
    let hooks = remote.0.hooks.lock().unwrap();
    let page: usize = asked.get("page").map_or(0, |page| page.parse().unwrap());
    let next = (page + 1 < hooks.len()).then(|| (page + 1).to_string());
    remote.answer(StatusCode::OK, &json!({ "hooks": hooks.get(page).into_iter().collect::<Vec<_>>(), "next": next }))
}

async fn list(
    State(remote): State<Remote>,
    Query(asked): Query<BTreeMap<String, String>>,
    request: Request<Body>,
) -> Response<Body> {
    if let Some(refusal) = remote.refuses(request.headers()) {
        return refusal;
    }
    let items = remote.0.items.lock().unwrap();
    let fits = |item: &&Map<String, Value>| asked.iter().all(|(name, value)| item.get(name) == Some(&json!(value)));
    let found: Vec<_> = items.iter().filter(fits).collect();
    remote.answer(StatusCode::OK, &json!({ "items": found }))
}
