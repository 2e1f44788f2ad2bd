//! The CRM over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use crate::audit::Call;
use crate::conduct::{Conduct, conduct};
use crate::control;
use crate::crm::contact::{Contact, ContactBody};
use crate::crm::contacts::Contacts;
use crate::crm::search::Search;
use crate::delivery::FirstAttempt;
use crate::history::Visit;
use crate::query::{self, Query as Params};
use crate::refused::{Refused, System};

const CONTACTS: &str = "/crm/v3/objects/contacts";
const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 100;

pub(crate) fn router(contacts: Arc<Contacts>, with_control: bool) -> Router {
    let conduct_state = Conduct { server: contacts.shared_server(), classify };
    let api = Router::new()
        .route(CONTACTS, get(list).post(create))
        .route(&format!("{CONTACTS}/search"), post(search))
        .route(&format!("{CONTACTS}/{{id}}"), get(read).patch(update).delete(archive))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(contacts.clone())
        .layer(from_fn_with_state(conduct_state, conduct));
    if !with_control {
        return api;
    }
    Router::new().nest("/_control", control::routes(contacts)).merge(api)
}

fn classify(method: &Method, path: &str) -> Call {
    let kind = match path.strip_prefix(CONTACTS) {
        Some("") => "contacts",
        Some("/search") => "search",
        Some(rest) if rest.starts_with('/') => "contact",
        _ => "other",
    };
    Call::new(method, kind)
}

async fn create(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let saved = ContactBody::read(&body).and_then(|body| contacts.create(body.properties, contacts.caller(visit), 1));
    answer(saved.map(|saved| {
        let made = (StatusCode::CREATED, Json(saved.contact));
        announced(made.into_response(), saved.first_attempt)
    }))
}

async fn update(
    State(contacts): State<Arc<Contacts>>,
    Path(id): Path<String>,
    Extension(visit): Extension<Visit>,
    body: Bytes,
) -> Response {
    let saved = ContactBody::read(&body).and_then(|body| contacts.update(&id, body.properties, contacts.caller(visit)));
    answer(saved.map(|saved| announced(Json(saved.contact).into_response(), saved.first_attempt)))
}

async fn archive(
    State(contacts): State<Arc<Contacts>>,
    Path(id): Path<String>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let archived = contacts.archive(&id, contacts.caller(visit));
    answer(archived.map(|first_attempt| announced(StatusCode::NO_CONTENT.into_response(), first_attempt)))
}

async fn read(State(contacts): State<Arc<Contacts>>, Path(id): Path<String>, Query(params): Query<Params>) -> Response {
    let contact = match params.get("idProperty") {
        None => contacts.read_forwarded(&id),
        Some(property) if property == "hs_object_id" => contacts.read(&id),
        Some(property) => contacts.read_by(property, &id),
    };
    answer(contact.map(|contact| Json(contact).into_response()))
}

async fn list(State(contacts): State<Arc<Contacts>>, Query(params): Query<Params>) -> Response {
    answer(page(&contacts, &params).map(|page| Json(page).into_response()))
}

async fn search(State(contacts): State<Arc<Contacts>>, body: Bytes) -> Response {
    let found = Search::read(&body).map(|search| contacts.search(&search));
    answer(found.map(|found| {
        let mut page = paged(&found.page, found.next_after);
        page["total"] = json!(found.total);
        Json(page).into_response()
    }))
}

fn page(contacts: &Contacts, params: &Params) -> Result<Value, Refused> {
    let limit = params.get("limit").map(String::as_str);
    let limit = query::limit(limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = match params.get("after") {
        None => 0,
        Some(after) => {
            after.parse().map_err(|_| Refused::bad(format!("expected an `after` we gave, found `{after}`")))?
        }
    };
    let (page, next) = contacts.page(after, limit);
    Ok(paged(&page, next))
}

/// The last page has no `paging` at all.
fn paged(page: &[Contact], next_after: Option<u64>) -> Value {
    let mut answer = json!({ "results": page });
    if let Some(after) = next_after {
        answer["paging"] = json!({ "next": { "after": after.to_string() } });
    }
    answer
}

async fn no_such_path() -> Response {
    System::Crm.refuse(&Refused::new(StatusCode::NOT_FOUND, "no such path"))
}

async fn no_such_method() -> Response {
    let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "no such method here");
    System::Crm.refuse(&refused)
}

fn answer(done: Result<Response, Refused>) -> Response {
    done.unwrap_or_else(|refused| System::Crm.refuse(&refused))
}

fn announced(mut answer: Response, first_attempt: Option<FirstAttempt>) -> Response {
    if let Some(first_attempt) = first_attempt {
        answer.extensions_mut().insert(first_attempt);
    }
    answer
}
