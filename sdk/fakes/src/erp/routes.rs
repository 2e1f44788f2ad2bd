//! The ERP over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use crate::audit::Call;
use crate::conduct::{Conduct, conduct};
use crate::control::{self, Controlled};
use crate::delivery::FirstAttempt;
use crate::erp::customers::Customers;
use crate::erp::listing::Listing;
use crate::history::{Visit, Writer};
use crate::query::Query as Params;
use crate::refused::Refused;

const CUSTOMERS: &str = "/customers";

pub(crate) fn router(customers: Arc<Customers>, with_control: bool) -> Router {
    let conduct_state = Conduct { server: customers.shared_server(), classify };
    let api = Router::new()
        .route(CUSTOMERS, get(list).post(create))
        .route(&format!("{CUSTOMERS}/{{id}}"), get(read).patch(update).delete(delete))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(customers.clone())
        .layer(from_fn_with_state(conduct_state, conduct));
    if !with_control {
        return api;
    }
    Router::new().nest("/_control", control::routes(customers)).merge(api)
}

fn classify(method: &Method, path: &str) -> Call {
    let kind = match path.strip_prefix(CUSTOMERS) {
        Some("") => "customers",
        Some(rest) if rest.starts_with('/') => "customer",
        _ => "other",
    };
    Call::new(method, kind)
}

async fn create(
    State(customers): State<Arc<Customers>>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = header(&headers, "idempotency-key");
    let saved = fields(&body).and_then(|fields| customers.create(fields, key, caller(&headers, visit), 1));
    answer(
        &customers,
        saved.map(|saved| {
            let made = (StatusCode::CREATED, Json(saved.customer));
            announced(made.into_response(), saved.first_attempt)
        }),
    )
}

async fn update(
    State(customers): State<Arc<Customers>>,
    Path(id): Path<String>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let saved = fields(&body).and_then(|fields| customers.update(&id, fields, caller(&headers, visit)));
    answer(&customers, saved.map(|saved| announced(Json(saved.customer).into_response(), saved.first_attempt)))
}

async fn delete(
    State(customers): State<Arc<Customers>>,
    Path(id): Path<String>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
) -> Response {
    let deleted = customers.delete(&id, caller(&headers, visit));
    answer(&customers, deleted.map(|first_attempt| announced(StatusCode::NO_CONTENT.into_response(), first_attempt)))
}

async fn read(State(customers): State<Arc<Customers>>, Path(id): Path<String>) -> Response {
    let customer = customers.read_forwarded(&id);
    answer(&customers, customer.map(|customer| Json(customer).into_response()))
}

async fn list(State(customers): State<Arc<Customers>>, Query(params): Query<Params>) -> Response {
    let page = Listing::read(&params).map(|listing| customers.list(&listing));
    answer(
        &customers,
        page.map(|page| {
            let page = json!({ "data": page.data, "next_cursor": page.next_cursor });
            Json(page).into_response()
        }),
    )
}

fn fields(body: &[u8]) -> Result<Map<String, Value>, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad(format!("expected a JSON object, found {error}")))
}

/// The marker comes back in `origin`, whatever it says.
fn caller(headers: &HeaderMap, visit: Visit) -> Writer {
    Writer::Caller { origin: header(headers, "x-sync-origin"), visit }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

async fn no_such_path(State(customers): State<Arc<Customers>>) -> Response {
    customers.server().refuse(&Refused::new(StatusCode::NOT_FOUND, "no such path"))
}

async fn no_such_method(State(customers): State<Arc<Customers>>) -> Response {
    let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "no such method here");
    customers.server().refuse(&refused)
}

fn answer(customers: &Customers, done: Result<Response, Refused>) -> Response {
    done.unwrap_or_else(|refused| customers.server().refuse(&refused))
}

fn announced(mut answer: Response, first_attempt: Option<FirstAttempt>) -> Response {
    if let Some(first_attempt) = first_attempt {
        answer.extensions_mut().insert(first_attempt);
    }
    answer
}
