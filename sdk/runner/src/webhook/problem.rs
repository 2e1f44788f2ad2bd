//! Why something was not done, for whoever asked.

use std::fmt::Display;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What a sender is asked to wait, in seconds.
const COME_BACK_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why something was not done, as RFC 9457 writes it.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    retry: bool,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Display) -> Self {
        Self { status, detail: detail.to_string(), retry: false }
    }

    pub(super) fn come_back(detail: &str) -> Self {
        Self { retry: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, retry } = self;
        let body = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, kind)], body.to_string()).into_response();
        if retry {
            response.headers_mut().insert(RETRY_AFTER, COME_BACK_AFTER);
        }
        response
    }
}
