//! What an answer makes of a read.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, Method};
use pairline_sdk::{ReadError, Record, Timestamp};
use serde_json::Value;

use super::call::Reply;
use super::sign_in::NotSignedIn;
use super::{HttpApplication, JSON};
use crate::application::record_shape::Found;
use crate::application::template::Values;
use crate::application::transport::{Answer, Call};
use crate::application::{http_date, json};

impl HttpApplication {
    /// One record, if there is one of this id.
    pub(super) async fn read_record(&self, id: &str) -> Result<Option<Record>, ReadError> {
        let read = &self.description.operations.read;
        let values: &Values<'_> = &[("id", id)];
        // An id that is none would read the collection.
        let path = read.path.fill_path(values).filter(|_| json::is_id(id));
        let body = read.body.as_ref().map(|body| body.fill(values));
        let (Some(path), Some(body)) = (path, body.map_or(Some(None), |body| Some(Some(body?.to_string())))) else {
            return Err(ReadError::Refused(self.said("expected an id that can stand in a path, found another")));
        };
        let Some(mut answer) = self.get(read.method.clone(), &path, body).await? else { return Ok(None) };
        let answered_at = self.clock.now();
        if read.answer.is_past_a_list(&answer.json) {
            // It was looked for, and there is none.
            return Ok(None);
        }
        answer.json = read.answer.take(answer.json).unwrap_or_default();
        // A record that was merged may answer with the one it went into, which is somebody else's.
        let found = self.record(answer.json)?.filter(|(record, _)| record.id == id);
        if let Some(field) = found.as_ref().and_then(|(record, _)| self.description.untold(record)) {
            let reason = format!(
                "answers without `{field}`, of which nothing is known then: it must be asked for where a record is read"
            );
            return Err(ReadError::Refused(self.said(&reason)));
        }
        Ok(found.map(|(record, modified)| {
            let age = date(&answer.headers).zip(modified).map(|(date, modified)| date.since(modified));
            Record { changed_at: age.map(|age| answered_at.minus(age)), ..record }
        }))
    }

    /// Reads something. Nothing when the answer is that it is gone.
    pub(super) async fn get(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Option<Body>, ReadError> {
        let Some(answer) = self.ask(method, path, body).await? else { return Ok(None) };
        let json = self.parsed(&answer.body).map_err(|reason| ReadError::Failed(self.said(&reason)))?;
        Ok(Some(Body { json, headers: answer.headers }))
    }

    /// Makes a call that may be made again, whatever became of it. Nothing when the answer is that it is gone.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Option<Answer>, ReadError> {
        let permit = self.limiter.enter().await?;
        let (permit, credential) = self
            .credential(permit)
            .await
            .map_err(|NotSignedIn { reason, after }| ReadError::Wait { reason: self.said(&reason), after })?;
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
        match self.call(call, permit, credential).await {
            Reply::Done(answer) => Ok(Some(answer)),
            Reply::Gone(_) => Ok(None),
            Reply::Refused(answer) | Reply::Outdated(answer) | Reply::Duplicate(answer, _) => {
                Err(ReadError::Refused(self.said(&self.description.errors.reason(&answer))))
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

/// What was read.
pub(super) struct Body {
    pub(super) json: Value,
    pub(super) headers: HeaderMap,
}

/// What the system's clock showed when it answered: at least this, since it leaves out the milliseconds.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date::parse(headers.get(DATE)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pairline_sdk::{Application, Clock};

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

    #[tokio::test]
    async fn a_field_that_an_answer_does_not_name_is_unknown_and_not_empty_where_records_are_not_whole() {
        let partial = CRM.replacen("whole: true", "whole: false", 1);
        let without = r#"{"id":"7","properties":{"email":"a@b.test"},"updatedAt":"x"}"#;
        let with = r#"{"id":"7","properties":{"email":"a@b.test","phone":null},"updatedAt":"x"}"#;
        for (text, record, is_read) in [(CRM, without, true), (&*partial, with, true), (&*partial, without, false)] {
            let mut stage = stage(text, vec![exchange("GET", "/crm/v3/objects/contacts/7", answer(200, record))]);
            stage.application.description.want(["email", "phone"]);

            let read = stage.application.read("7").await;

            assert_eq!(read.is_ok(), is_read, "{read:?}");
            if let Err(error) = read {
                assert!(
                    matches!(error, ReadError::Refused(_)) && error.to_string().contains("without `phone`"),
                    "{error}"
                );
            }
            stage.is_as_expected();
        }
    }

    #[tokio::test]
    async fn how_long_ago_a_record_was_changed_is_told_by_one_clock_which_is_not_ours() {
        let record = r#"{"id":"7","properties":{"lastmodifieddate":"2023-11-14T22:13:20.900Z"}}"#;
        for (date, millis_ago) in [
            (Some("Tue, 14 Nov 2023 22:13:50 GMT"), Some(29_100)),
            // It leaves out the milliseconds.
            (Some("Tue, 14 Nov 2023 22:13:20 GMT"), Some(0)),
            (Some("soon"), None),
            (None, None),
        ] {
            let mut answer = answer(200, record);
            answer.headers.extend(date.map(|date| ("date".to_owned(), date.to_owned())));
            let stage = stage(CRM, vec![exchange("GET", "/crm/v3/objects/contacts/7", answer)]);

            let read = stage.application.read("7").await.unwrap().unwrap();

            let expected = millis_ago.map(|millis| stage.clock.now().minus(Duration::from_millis(millis)));
            assert_eq!(read.changed_at, expected, "{date:?}");
        }
    }
}
