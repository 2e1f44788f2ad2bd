//! What an answer makes of a read.

use axum::body::Bytes;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use pairline_sdk::{ReadError, Record, Timestamp};
use serde_json::Value;

use super::call::Reply;
use super::{HttpApplication, JSON};
use crate::application::record_shape::Found;
use crate::application::transport::Call;

impl HttpApplication {
    /// Reads something. Nothing when the answer is that it is gone.
    pub(super) async fn get(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Option<Value>, ReadError> {
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
        match self.call(call, permit).await {
            Reply::Done(answer) => {
                self.parsed(&answer.body).map(Some).map_err(|reason| ReadError::Failed(self.said(&reason)))
            }
            Reply::Gone(_) => Ok(None),
            Reply::Refused(answer) | Reply::Duplicate(answer, _) => {
                Err(ReadError::Refused(self.said(&self.description.refusals.reason(&answer))))
            }
            Reply::NotNow { reason, after } => Err(ReadError::Wait { reason: self.said(&reason), after }),
            Reply::Unclear(reason) => Err(ReadError::Failed(self.said(&reason))),
        }
    }

    /// The record in an answer, and when it was last modified.
    pub(super) fn record(&self, answer: Value) -> Result<Option<(Record, Option<Timestamp>)>, ReadError> {
        match self.description.record.read(answer) {
            Ok(Found::Record(record, modified)) => Ok(Some((record, modified))),
            Ok(Found::Gone) => Ok(None),
            Err(reason) => Err(ReadError::Failed(self.said(reason))),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::Application;

    use super::super::stage::{CRM, answer, exchange, stage};
    use super::*;
    use crate::application::played::{Failure, Played};

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
            // A record that was merged answers with the one it went into.
            (answer(200, r#"{"id":"8","properties":{"email":"a@b.test"},"updatedAt":"x"}"#), "gone"),
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
}
