//! The CRM over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::audit::Call;
use crate::conduct::{Conduct, conduct};
use crate::control::{self, Controlled};
use crate::crm::batch;
use crate::crm::contact::{Contact, ContactBody};
use crate::crm::contacts::{Contacts, Named};
use crate::crm::search::Search;
use crate::crm::selection::Selection;
use crate::delivery::FirstAttempt;
use crate::history::Visit;
use crate::query::{self, Pairs, flag, one};
use crate::refused::Refused;

const OBJECTS: &str = "/crm/v3/objects/";
const PROPERTIES: &str = "/crm/v3/properties/";
/// The names that contacts have among the types of objects.
const CONTACTS: [&str; 3] = ["contacts", "contact", "0-1"];
const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 100;

pub(crate) fn router(contacts: Arc<Contacts>, with_control: bool) -> Router {
    let conduct_state = Conduct { server: contacts.shared_server(), classify };
    let mut api = Router::new();
    for name in CONTACTS {
        let objects = format!("{OBJECTS}{name}");
        api = batch::routed(api, &objects)
            .route(&objects, get(list).post(create))
            .route(&format!("{objects}/search"), post(search))
            .route(&format!("{objects}/merge"), post(merge))
            .route(&format!("{objects}/gdpr-delete"), post(purge))
            .route(&format!("{objects}/{{id}}"), get(read).patch(update).delete(archive))
            .route(&format!("{PROPERTIES}{name}"), get(properties));
    }
    let api = api
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
    let kind = match path.strip_prefix(OBJECTS).and_then(below_contacts) {
        Some("") => "contacts",
        Some("/search") => "search",
        Some("/merge") => "merge",
        Some("/gdpr-delete") => "purge",
        Some("/batch/create") => "batch_create",
        Some("/batch/read") => "batch_read",
        Some("/batch/update") => "batch_update",
        Some("/batch/upsert") => "batch_upsert",
        Some("/batch/archive") => "batch_archive",
        Some(_) => "contact",
        None if path.starts_with(PROPERTIES) => "properties",
        None => "other",
    };
    Call::new(method, kind)
}

/// What stands behind the name that contacts have in a path.
fn below_contacts(path: &str) -> Option<&str> {
    let mut below = CONTACTS.iter().filter_map(|name| path.strip_prefix(name));
    below.find(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn create(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let saved = ContactBody::read(&body).and_then(|body| contacts.create(body.properties, contacts.caller(visit), 1));
    answer(
        &contacts,
        saved.map(|saved| {
            let made = (StatusCode::CREATED, Selection::default().answered(&contacts, &saved.contact));
            announced(made.into_response(), saved.first_attempt)
        }),
    )
}

async fn update(
    State(contacts): State<Arc<Contacts>>,
    Path(id): Path<String>,
    Query(params): Query<Pairs>,
    Extension(visit): Extension<Visit>,
    body: Bytes,
) -> Response {
    let named = Named { value: &id, property: one(&params, "idProperty") };
    let saved =
        ContactBody::read(&body).and_then(|body| contacts.update(named, body.properties, contacts.caller(visit)));
    let shown = |contact: &_| Selection::default().answered(&contacts, contact);
    answer(&contacts, saved.map(|saved| announced(shown(&saved.contact), saved.first_attempt)))
}

async fn archive(
    State(contacts): State<Arc<Contacts>>,
    Path(id): Path<String>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let archived = contacts.archive(&id, contacts.caller(visit));
    answer(&contacts, archived.map(|first_attempt| announced(StatusCode::NO_CONTENT.into_response(), first_attempt)))
}

/// The first one goes into the second.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MergeBody {
    object_id_to_merge: String,
    primary_object_id: String,
}

async fn merge(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let saved = read_body(&body).and_then(|MergeBody { object_id_to_merge, primary_object_id }| {
        contacts.merge(&object_id_to_merge, &primary_object_id, contacts.caller(visit))
    });
    let shown = |contact: &_| Selection::default().answered(&contacts, contact);
    answer(&contacts, saved.map(|saved| announced(shown(&saved.contact), saved.first_attempt)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PurgeBody {
    object_id: String,
    id_property: Option<String>,
}

async fn purge(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let purged = read_body(&body).and_then(|PurgeBody { object_id, id_property }| {
        let named = Named { value: &object_id, property: id_property.as_deref() };
        match contacts.purge(named, &contacts.caller(visit)) {
            // An address that nobody has is fine: HubSpot would take care that nobody gets it.
            Err(refused) if refused.status == StatusCode::NOT_FOUND && named.by_property().is_some() => Ok(None),
            purged => purged,
        }
    });
    answer(&contacts, purged.map(|first_attempt| announced(StatusCode::NO_CONTENT.into_response(), first_attempt)))
}

async fn properties(State(contacts): State<Arc<Contacts>>) -> Response {
    Json(contacts.properties()).into_response()
}

fn read_body<B: DeserializeOwned>(body: &[u8]) -> Result<B, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad(error.to_string()))
}

async fn read(State(contacts): State<Arc<Contacts>>, Path(id): Path<String>, Query(params): Query<Pairs>) -> Response {
    let named = Named { value: &id, property: one(&params, "idProperty") };
    let contact = flag(&params, "archived").and_then(|archived| match named.property {
        None if !archived => contacts.read_forwarded(&id),
        _ => contacts.read_named(named, archived),
    });
    answer(&contacts, contact.map(|contact| Selection::of_query(&params).answered(&contacts, &contact)))
}

async fn list(State(contacts): State<Arc<Contacts>>, Query(params): Query<Pairs>) -> Response {
    answer(&contacts, page(&contacts, &params).map(|page| Json(page).into_response()))
}

async fn search(State(contacts): State<Arc<Contacts>>, body: Bytes) -> Response {
    let found = Search::read(&body).map(|search| (contacts.search(&search), search.selection));
    answer(
        &contacts,
        found.map(|(found, selection)| {
            let mut page = paged(&contacts, &selection, &found.page, found.next_after);
            page["total"] = json!(found.total);
            Json(page).into_response()
        }),
    )
}

fn page(contacts: &Contacts, params: &Pairs) -> Result<Value, Refused> {
    let limit = query::limit(one(params, "limit"), PAGE_DEFAULT, PAGE_MAX)?;
    let after = match one(params, "after") {
        None => 0,
        Some(after) => {
            after.parse().map_err(|_| Refused::bad(format!("expected an `after` we gave, found `{after}`")))?
        }
    };
    let (page, next) = contacts.page(after, limit, flag(params, "archived")?);
    Ok(paged(contacts, &Selection::of_query(params), &page, next))
}

/// The last page has no `paging` at all.
fn paged(contacts: &Contacts, selection: &Selection, page: &[Contact], next_after: Option<u64>) -> Value {
    let mut answer = json!({});
    answer["results"] = page.iter().map(|contact| selection.shown(contacts, contact)).collect();
    if let Some(after) = next_after {
        answer["paging"] = json!({ "next": { "after": after.to_string() } });
    }
    answer
}

async fn no_such_path(State(contacts): State<Arc<Contacts>>) -> Response {
    contacts.server().refuse(&Refused::new(StatusCode::NOT_FOUND, "no such path"))
}

async fn no_such_method(State(contacts): State<Arc<Contacts>>) -> Response {
    let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "no such method here");
    contacts.server().refuse(&refused)
}

pub(crate) fn answer(contacts: &Contacts, done: Result<Response, Refused>) -> Response {
    done.unwrap_or_else(|refused| contacts.server().refuse(&refused))
}

pub(crate) fn announced(mut answer: Response, first_attempt: Option<FirstAttempt>) -> Response {
    if let Some(first_attempt) = first_attempt {
        answer.extensions_mut().insert(first_attempt);
    }
    answer
}
