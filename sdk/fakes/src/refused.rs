//! Refused: why a server did not do what it was asked, as a status and a sentence.

use std::fmt;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The answer to a call or a person's edit that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status a caller sees.
    pub status: u16,
    /// The sentence in the answer's body.
    pub message: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status: status.as_u16(), message: message.into() }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn unknown(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("no {what} with id {id}"))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Refused {}

/// The two systems word their errors differently; a caller should not be able to parse one as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Crm,
    Erp,
}

impl System {
    /// The answer; `number` is how many refusals the server has answered before.
    pub(crate) fn refuse(self, refused: &Refused, number: u64) -> Response {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = match self {
            System::Crm => json!({
                "status": "error",
                "message": refused.message,
                "category": category(status),
                "correlationId": correlation_id(number),
            }),
            System::Erp => json!({ "error": { "code": status.as_u16(), "message": refused.message } }),
        };
        (status, Json(body)).into_response()
    }
}

/// What a person would tell HubSpot's support: another one for each refusal, and the same ones whenever a run is repeated.
fn correlation_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

pub(crate) fn category(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "INVALID_AUTHENTICATION",
        StatusCode::NOT_FOUND => "OBJECT_NOT_FOUND",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::TOO_MANY_REQUESTS => "RATE_LIMITS",
        _ if status.is_server_error() => "INTERNAL_ERROR",
        _ => "VALIDATION_ERROR",
    }
}
