//! A bookkeeping system that is like none of those that are shipped: the id of a new record is in a header, errors come
//! with status 200, listings go on by links, amounts have a decimal comma, the time of a change is in seconds, and the field
//! for our id is answered by another name than it was sent with. It sends no webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Request, Response};
use axum::routing::get;
use serde_json::{Value, json};

/// So few that every listing has several pages.
const PAGE: usize = 2;

/// What it is told by.
pub(super) const KEY: &str = "books-key-7f-4b19c602";

type Debtor = BTreeMap<String, Value>;

#[derive(Default)]
struct Ledger {
    debtors: BTreeMap<String, Debtor>,
    made: usize,
}

/// The system, on a free port of 127.0.0.1.
#[derive(Clone)]
pub(super) struct Books(Arc<Inner>);

struct Inner {
    ledger: Mutex<Ledger>,
    base_url: String,
    /// So many writes from now on are done and never answered.
    hangs: AtomicUsize,
    /// So many calls from now on are told to come back later.
    busy: AtomicUsize,
    /// The tokens that it believes, besides its key.
    tokens: Mutex<BTreeSet<String>>,
}

impl Books {
    /// Starts it on the runtime that the caller is in.
    pub(super) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base_url = format!("http://{}/v9/api", listener.local_addr().unwrap());
        let (hangs, busy) = (AtomicUsize::default(), AtomicUsize::default());
        let (ledger, tokens) = (Mutex::default(), Mutex::default());
        let books = Self(Arc::new(Inner { ledger, base_url, hangs, busy, tokens }));
        let routes = Router::new()
            .route("/v9/api/debtors", get(list).post(create))
            .route("/v9/api/debtors/{no}", get(read).post(update))
            .with_state(books.clone());
        tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await
        });
        books
    }

    pub(super) fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// A bookkeeper enters somebody.
    pub(super) fn enters(&self, fields: Value) -> String {
        self.make(fields.as_object().unwrap().clone().into_iter().collect())
    }

    /// A bookkeeper corrects something.
    pub(super) fn corrects(&self, no: &str, fields: Value) {
        assert!(self.change(no, fields.as_object().unwrap().clone().into_iter().collect()));
    }

    /// All there are, by their numbers.
    pub(super) fn debtors(&self) -> BTreeMap<String, Debtor> {
        self.0.ledger.lock().unwrap().debtors.clone()
    }

    /// The next writes are done and not answered.
    pub(super) fn hang(&self, writes: usize) {
        self.0.hangs.store(writes, Ordering::SeqCst);
    }

    /// The next calls are told to come back in a second.
    pub(super) fn be_busy(&self, calls: usize) {
        self.0.busy.store(calls, Ordering::SeqCst);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.0.busy.load(Ordering::SeqCst) > 0
    }

    /// From now on it believes a token, too.
    pub(super) fn believes(&self, token: &str) {
        self.0.tokens.lock().unwrap().insert(token.to_owned());
    }

    /// It believes no token any more.
    pub(super) fn forgets_tokens(&self) {
        self.0.tokens.lock().unwrap().clear();
    }

    fn make(&self, fields: Debtor) -> String {
        let mut ledger = self.0.ledger.lock().unwrap();
        ledger.made += 1;
        let no = format!("D-{:03}", ledger.made);
        ledger.debtors.insert(no.clone(), stamped(fields));
        no
    }

    fn change(&self, no: &str, fields: Debtor) -> bool {
        let mut ledger = self.0.ledger.lock().unwrap();
        let Some(debtor) = ledger.debtors.get_mut(no) else { return false };
        debtor.extend(stamped(fields));
        true
    }

    /// The answer of a write that has been done.
    async fn done(&self, answer: Response<Body>) -> Response<Body> {
        if counted_down(&self.0.hangs) {
            return std::future::pending().await;
        }
        answer
    }

    /// What stops a call before anything is done.
    fn refuses(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let by_token = bearer(headers).is_some_and(|token| self.0.tokens.lock().unwrap().contains(token));
        if !by_token && headers.get("x-api-key").is_none_or(|key| key != KEY) {
            return Some(fault(json!({ "kind": "WHO_ARE_YOU" })));
        }
        counted_down(&self.0.busy).then(|| fault(json!({ "kind": "SLOW_DOWN", "seconds": 1 })))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}

fn counted_down(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// A field that is sent as `ref` is kept as `ext_ref`, and nobody is told.
fn stamped(mut fields: Debtor) -> Debtor {
    if let Some(reference) = fields.remove("ref") {
        fields.insert("ext_ref".to_owned(), reference);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    fields.insert("touched".to_owned(), now.into());
    fields
}

fn ok(body: &Value) -> Response<Body> {
    Response::new(body.to_string().into())
}

fn fault(fault: Value) -> Response<Body> {
    ok(&json!({ "fault": fault }))
}

fn shown(no: &str, debtor: &Debtor) -> Value {
    let mut shown = json!(debtor);
    shown["no"] = json!(no);
    shown
}

fn sent(body: &Bytes) -> Option<Debtor> {
    serde_json::from_slice::<Value>(body).ok()?.get("debtor")?.as_object().cloned().map(|map| map.into_iter().collect())
}

async fn create(State(books): State<Books>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    if let Some(refusal) = books.refuses(&headers) {
        return refusal;
    }
    let Some(fields) = sent(&body) else { return fault(json!({ "kind": "NO_DEBTOR" })) };
    let no = books.make(fields);
    let location = format!("/v9/api/debtors/{no}");
    books.done(Response::builder().status(201).header("location", location).body(Body::empty()).unwrap()).await
}

async fn update(State(books): State<Books>, Path(no): Path<String>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    if let Some(refusal) = books.refuses(&headers) {
        return refusal;
    }
    let Some(fields) = sent(&body) else { return fault(json!({ "kind": "NO_DEBTOR" })) };
    if !books.change(&no, fields) {
        return fault(json!({ "kind": "NO_SUCH_DEBTOR" }));
    }
    books.done(ok(&json!({ "done": true }))).await
}

async fn read(State(books): State<Books>, Path(no): Path<String>, headers: HeaderMap) -> Response<Body> {
    if let Some(refusal) = books.refuses(&headers) {
        return refusal;
    }
    match books.debtors().get(&no) {
        Some(debtor) => {
            let mut shown = shown(&no, debtor);
            // Who asks by a token is told so.
            if let Some(token) = bearer(&headers) {
                shown["asked_by"] = json!(token);
            }
            ok(&json!({ "debtor": shown }))
        }
        None => fault(json!({ "kind": "NO_SUCH_DEBTOR" })),
    }
}

async fn list(
    State(books): State<Books>,
    Query(asked): Query<BTreeMap<String, String>>,
    request: Request<Body>,
) -> Response<Body> {
    if let Some(refusal) = books.refuses(request.headers()) {
        return refusal;
    }
    let since: u64 = asked.get("since").map_or(0, |since| since.parse().unwrap());
    let behind = asked.get("cursor").cloned().unwrap_or_default();
    let fits = |debtor: &Debtor| {
        debtor["touched"].as_u64() >= Some(since)
            && asked.get("ext_ref").is_none_or(|wanted| debtor.get("ext_ref") == Some(&json!(wanted)))
    };
    let debtors = books.debtors();
    let mut fitting = debtors.iter().filter(|(no, debtor)| **no > behind && fits(debtor));
    let page: Vec<(&String, &Debtor)> = fitting.by_ref().take(PAGE).collect();
    let more = fitting.next().is_some();
    let mut answer = ok(&json!({ "debtors": page.iter().map(|(no, debtor)| shown(no, debtor)).collect::<Vec<_>>() }));
    if let Some((last, _)) = page.last().filter(|_| more) {
        let filter = asked.get("ext_ref").map_or_else(String::new, |wanted| format!("&ext_ref={wanted}"));
        let link = format!("<{}/debtors?since={since}&cursor={last}{filter}>; rel=\"next\"", books.base_url());
        answer.headers_mut().insert("link", link.parse().unwrap());
    }
    answer
}
