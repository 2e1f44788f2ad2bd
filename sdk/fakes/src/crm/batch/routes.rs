//! The batch calls over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};

use crate::crm::batch::{Id, Inputs, Outcome, ToCreate, ToRead, ToUpdate};
use crate::crm::contacts::Contacts;
use crate::crm::routes::{announced, answer};
use crate::history::Visit;
use crate::query::{Pairs, flag};

/// The router with the batch calls below a path.
pub(crate) fn routed(router: Router<Arc<Contacts>>, contacts: &str) -> Router<Arc<Contacts>> {
    router
        .route(&format!("{contacts}/batch/create"), post(create))
        .route(&format!("{contacts}/batch/read"), post(read))
        .route(&format!("{contacts}/batch/update"), post(update))
        .route(&format!("{contacts}/batch/upsert"), post(upsert))
        .route(&format!("{contacts}/batch/archive"), post(archive))
}

async fn create(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let inputs: Result<Vec<ToCreate>, _> = Inputs::read(&body);
    let outcome = inputs.and_then(|inputs| contacts.create_all(inputs, &contacts.caller(visit)));
    answer(&contacts, outcome.map(|outcome| told(StatusCode::CREATED, outcome)))
}

async fn read(State(contacts): State<Arc<Contacts>>, Query(params): Query<Pairs>, body: Bytes) -> Response {
    let archived = flag(&params, "archived");
    let outcome = archived.and_then(|archived| contacts.read_all(ToRead::read(&body)?, archived));
    answer(&contacts, outcome.map(|outcome| told(StatusCode::OK, outcome)))
}

async fn update(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let inputs: Result<Vec<ToUpdate>, _> = Inputs::read(&body);
    let outcome = inputs.and_then(|inputs| contacts.update_all(inputs, &contacts.caller(visit)));
    answer(&contacts, outcome.map(|outcome| told(StatusCode::OK, outcome)))
}

async fn upsert(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let inputs: Result<Vec<ToUpdate>, _> = Inputs::read(&body);
    let outcome = inputs.and_then(|inputs| contacts.upsert_all(inputs, &contacts.caller(visit)));
    answer(&contacts, outcome.map(|outcome| told(StatusCode::OK, outcome)))
}

async fn archive(State(contacts): State<Arc<Contacts>>, Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let inputs: Result<Vec<Id>, _> = Inputs::read(&body);
    let archived = inputs.and_then(|inputs| contacts.archive_all(&inputs, &contacts.caller(visit)));
    answer(&contacts, archived.map(|first_attempt| announced(StatusCode::NO_CONTENT.into_response(), first_attempt)))
}

fn told(status: StatusCode, outcome: Outcome) -> Response {
    let status = if outcome.has_errors() { StatusCode::MULTI_STATUS } else { status };
    announced((status, Json(outcome.answer)).into_response(), outcome.first_attempt)
}
