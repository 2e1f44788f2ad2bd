//! What an answer makes of a write.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use pairline_sdk::{Fields, Operation, OperationKind, Outcome, Record, RecordId};
use serde_json::Value;
use tracing::warn;

use super::call::Reply;
use super::{FORM, HttpApplication, JSON};
use crate::application::description::WriteCall;
use crate::application::record_shape::Found;
use crate::application::transport::Answer;

impl HttpApplication {
    /// What a write carries besides its body: the marker, and the key where the system takes one.
    pub(super) fn write_headers(&self, operation: &Operation) -> Result<HeaderMap, String> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, if self.write_call(operation).is_form { FORM } else { JSON });
        let mut put = |name: &HeaderName, text: &str| match HeaderValue::try_from(text) {
            Ok(value) => {
                headers.insert(name.clone(), value);
                Ok(())
            }
            Err(_) => Err(format!("expected text that can be sent in `{name}`, found something else")),
        };
        if let Some((name, template)) = &self.description.marker {
            put(name, &template.fill(&[("operation", &operation.id.0)]).unwrap_or_default())?;
        }
        if let (Some((name, _)), Some(value)) =
            (&self.write_call(operation).precondition, &operation.request.precondition)
        {
            put(name, value)?;
        }
        if let (Some(name), Some(key)) = (&self.description.key_header, &operation.key) {
            put(name, key)?;
        }
        Ok(headers)
    }

    fn write_call(&self, operation: &Operation) -> &WriteCall {
        let operations = &self.description.operations;
        match operation.kind {
            OperationKind::Create => &operations.create,
            OperationKind::Update => &operations.update,
        }
    }

    /// What became of a write.
    pub(super) fn outcome(&self, operation: &Operation, reply: Reply) -> Outcome {
        let is_create = operation.kind == OperationKind::Create;
        match reply {
            Reply::Done(answer) => self.done(operation, &answer),
            Reply::Gone(_) if !is_create => Outcome::Gone,
            Reply::Outdated(answer) if !is_create => self.outdated(&answer),
            // What the status says where an update was bound to a version, and nowhere else.
            Reply::Refused(answer) if answer.status == 412 && operation.request.precondition.is_some() => {
                self.outdated(&answer)
            }
            Reply::Duplicate(_, id) if is_create => Outcome::Duplicate { id },
            Reply::Duplicate(answer, Some(id)) => Outcome::Failed {
                reason: self.said(&format!("status {}, record {id} stands in the way", answer.status)),
            },
            Reply::Gone(answer) | Reply::Duplicate(answer, None) | Reply::Refused(answer) | Reply::Outdated(answer) => {
                Outcome::Failed { reason: self.said(&self.description.errors.reason(&answer)) }
            }
            Reply::NotNow { reason, after } => Outcome::NotSent { reason: self.said(&reason), after: Some(after) },
            Reply::Unclear(reason) => self.unknown(operation, &reason),
        }
    }

    fn outdated(&self, answer: &Answer) -> Outcome {
        let reason = format!("the record has changed since it was read (status {})", answer.status);
        Outcome::Outdated { reason: self.said(&reason) }
    }

    /// A success says so by an id; anything else with such a status proves nothing.
    fn done(&self, operation: &Operation, answer: &Answer) -> Outcome {
        let is_create = operation.kind == OperationKind::Create;
        let call = self.write_call(operation);
        let may_be_empty = call.answer.is_none() || call.id.is_some();
        let body = match self.parsed(&answer.body) {
            Ok(body) => body,
            Err(_) if answer.body.is_empty() && may_be_empty => Value::Null,
            Err(reason) => return self.unknown(operation, &format!("status {}, {reason}", answer.status)),
        };
        let named = call.id.as_ref().and_then(|id| id.read(&answer.headers, &body));
        let held = call.answer.as_ref().and_then(|at| at.take(body)).filter(|held| !held.is_null());
        let Some(body) = held.filter(|held| may_hold_a_record(held, call)) else {
            // All there is to know of the record is which one it is.
            let known = if is_create { named } else { operation.target_id.clone().filter(|_| call.answer.is_none()) };
            let record = known.map(|id| RecordId::new(self.description.system(), &id));
            let arrived = record.map(|record| operation.arrived_at(&record));
            return arrived.unwrap_or_else(|| self.unknown(operation, "answered without a record"));
        };
        let shape = &self.description.record;
        // An answer may hold the id alone; the id is what must not get lost.
        let id = shape.id_in(&body).or(named).filter(|_| !shape.is_error(&body));
        // A record that was merged may answer with the one it went into, which is somebody else's.
        let is_another = |id: &String| operation.target_id.as_ref().is_some_and(|target| target != id);
        match (shape.read(body), id) {
            (_, Some(id)) if is_another(&id) => Outcome::Gone,
            (Ok(Found::Record(record, _)), _) => Outcome::Committed { record },
            (Ok(Found::Gone), _) if operation.kind == OperationKind::Update => Outcome::Gone,
            (Err(_), Some(id)) => Outcome::Committed { record: Record::new(id, Fields::new()) },
            (Ok(Found::Gone), _) => self.unknown(operation, "answered with a record that is gone"),
            (Err(reason), None) => self.unknown(operation, &format!("status {}, {reason}", answer.status)),
        }
    }

    fn unknown(&self, operation: &Operation, reason: &str) -> Outcome {
        self.meters.unknown.add_one();
        let application = self.description.system().as_str();
        warn!(application, operation = %operation.id, reason, "nobody knows what became of a write");
        Outcome::Unknown { reason: self.said(reason) }
    }
}

/// Whether it is worth a look: where the answer names the record in a place of its own, it need not hold one.
fn may_hold_a_record(held: &Value, call: &WriteCall) -> bool {
    held.is_object() || call.id.is_none()
}

#[cfg(test)]
mod tests {
    use pairline_sdk::{Application, Write};
    use serde_json::json;

    use super::super::stage::{CRM, ERP, answer, create, exchange, fields, stage, update};
    use super::*;
    use crate::application::played::{Failure, Played};

    #[tokio::test]
    async fn a_write_carries_credentials_the_marker_and_the_key() {
        let mut exchange = exchange("POST", "/customers", answer(201, r#"{"id":"WHS-1","email":"a@b.test"}"#));
        exchange.expect.json = Some(json!({ "email": "a@b.test" }));
        exchange.expect.headers = [
            ("authorization", "Bearer ERP_TOKEN"),
            ("x-sync-origin", "pairline/0199-op"),
            ("idempotency-key", "pairline:key"),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let stage = stage(ERP, vec![exchange]);

        let outcome = stage.application.send(&stage.intent(&create())).await;

        let record = Record::new("WHS-1", fields(json!({ "email": "a@b.test" })));
        assert_eq!(outcome, Outcome::Committed { record });
        stage.is_as_expected();
    }

    /// The ERP, changed only if it is still what was read.
    fn bound(more: &str) -> String {
        let update = r#"  update: { method: PATCH, path: "/customers/{id}" }"#;
        ERP.replacen(update, &update.replace(" }", &format!(", {more} }}")), 1)
    }

    #[tokio::test]
    async fn an_update_is_bound_to_the_version_that_was_read() {
        let description = bound(r#"precondition: { header: If-Match, value: '"{version}"' }"#);
        let update = |version: Option<&str>| Write::Update {
            id: "7".to_owned(),
            fields: fields(json!({ "email": "a@b.test" })),
            version: version.map(str::to_owned),
        };
        let mut first = exchange("PATCH", "/customers/7", answer(412, ""));
        first.expect.headers = [("if-match".to_owned(), r#""v1""#.to_owned())].into();
        // Nothing was read, so the owner has decided whatever is there.
        let second = exchange("PATCH", "/customers/7", answer(200, r#"{"id":"7","email":"a@b.test"}"#));
        let stage = stage(&description, vec![first, second]);

        let changed = stage.application.send(&stage.intent(&update(Some("v1")))).await;
        let unread = stage.intent(&update(None));

        assert_eq!(word(&changed), "outdated");
        assert_eq!(unread.operation().request.precondition, None);
        assert_eq!(word(&stage.application.send(&unread).await), "committed 7");
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_failed_precondition_is_a_refusal_where_there_was_none() {
        let description = bound(r#"precondition: { header: If-Match, value: '"{version}"' }"#);
        let refused = |method: &str, path: &str| exchange(method, path, answer(412, ""));
        let stage = stage(&description, vec![refused("POST", "/customers"), refused("PATCH", "/customers/7")]);

        assert_eq!(word(&stage.application.send(&stage.intent(&create())).await), "failed");
        assert_eq!(word(&stage.application.send(&stage.intent(&update())).await), "failed");
        stage.is_as_expected();
    }

    #[tokio::test]
    async fn a_version_may_stand_in_the_body_and_is_left_out_where_nothing_was_read() {
        let description = bound(r#"body: { seen: { "customer,{id}": "{version}" } }, fields: /values"#);
        let sent = |version: Option<&str>| {
            let write = Write::Update {
                id: "7".to_owned(),
                fields: fields(json!({ "a": 1 })),
                version: version.map(str::to_owned),
            };
            let stage = stage(&description, vec![]);
            serde_json::from_str::<Value>(&stage.application.render(&write).unwrap().body).unwrap()
        };

        assert_eq!(sent(Some("v1")), json!({ "seen": { "customer,7": "v1" }, "values": { "a": 1 } }));
        assert_eq!(sent(None), json!({ "seen": {}, "values": { "a": 1 } }));
    }

    /// What became of a write, in a word.
    fn word(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Committed { record } => format!("committed {}", record.id),
            Outcome::Duplicate { id } => format!("duplicate {}", id.as_deref().unwrap_or("?")),
            Outcome::Gone => "gone".to_owned(),
            Outcome::Failed { .. } => "failed".to_owned(),
            Outcome::Unknown { .. } => "unknown".to_owned(),
            Outcome::Outdated { .. } => "outdated".to_owned(),
            Outcome::NotSent { after, .. } => format!("not sent {}", after.map_or(0, |after| after.as_millis())),
        }
    }

    #[tokio::test]
    async fn a_record_may_be_named_by_a_header_of_the_answer_to_its_create() {
        let text = ERP.replace(
            "create: { method: POST, path: /customers }",
            "create: { method: POST, path: /customers, id: { header: Location, after: /customers/ } }",
        );
        let named = |location: &str, text: &str| Played {
            headers: [("location".to_owned(), location.to_owned())].into(),
            ..answer(201, text)
        };
        for (played, expected) in [
            (named("/customers/7", ""), "committed 7"),
            (named("https://erp.example.org/v1/customers/7?fields=all", "{}"), "committed 7"),
            (named("/customers/customers/7/", "{}"), "committed 7"),
            (named("/customers/7", r#"{"id":"8","email":"a@b.test"}"#), "committed 8"),
            (named("/customers/7", r#"{"error":"no"}"#), "unknown"),
            (named("/customers/7", "<html>"), "unknown"),
            (named("/customers/", "{}"), "unknown"),
            (named("/customers/..", "{}"), "unknown"),
            (named("/customers/a%2Fb", "{}"), "unknown"),
            (named("/people/7", "{}"), "unknown"),
            (answer(201, "{}"), "unknown"),
        ] {
            let stage = stage(&text, vec![exchange("POST", "/customers", played.clone())]);

            let outcome = stage.application.send(&stage.intent(&create())).await;

            assert!(word(&outcome).starts_with(expected), "{played:?}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn every_answer_to_a_write_has_one_outcome() {
        let record = r#"{"id":"101","properties":{"email":"secret@b.test"}}"#;
        let taken = r#"{"message":"secret@b.test already exists. Existing ID: 6001","category":"CONFLICT"}"#;
        let after = [("retry-after".to_owned(), "7".to_owned())];
        let throttled = Played { status: 429, headers: after.clone().into(), ..Played::default() };
        let not_sent = Played { fails: Some(Failure::NotSent), ..Played::default() };
        let lost = Played { fails: Some(Failure::Lost), ..Played::default() };
        for (played, of_create, of_update) in [
            (answer(201, r#"{"id":"7","properties":{"email":"secret@b.test"}}"#), "committed 7", "committed 7"),
            (answer(200, r#"{"id":7,"properties":{}}"#), "committed 7", "committed 7"),
            (answer(201, r#"{"id":"7"}"#), "committed 7", "committed 7"),
            (answer(200, r#"{"id":9007199254740993,"properties":{}}"#), "committed 9007199254740993", "gone"),
            (answer(201, r#"{"id":"101"}"#), "committed 101", "gone"),
            (answer(200, r#"{"id":1e30,"properties":{}}"#), "unknown", "unknown"),
            (answer(201, r#"{"properties":{"email":"secret@b.test"}}"#), "unknown", "unknown"),
            (answer(201, &record[..30]), "unknown", "unknown"),
            (answer(200, "<html>secret@b.test</html>"), "unknown", "unknown"),
            (answer(200, r#"{"status":"error","message":"secret@b.test"}"#), "unknown", "unknown"),
            (answer(200, "null"), "unknown", "unknown"),
            (answer(204, ""), "unknown", "unknown"),
            (answer(200, r#"{"id":"7","archived":true,"properties":{}}"#), "unknown", "gone"),
            (answer(302, ""), "unknown", "unknown"),
            (answer(307, ""), "failed", "failed"),
            (answer(400, r#"{"message":"secret@b.test"}"#), "failed", "failed"),
            (answer(404, "{}"), "failed", "gone"),
            (answer(408, ""), "unknown", "unknown"),
            (answer(409, taken), "duplicate 6001", "failed"),
            (answer(409, r#"{"message":"secret@b.test"}"#), "duplicate ?", "failed"),
            (answer(401, "{}"), "not sent 30000", "not sent 30000"),
            (answer(403, "{}"), "not sent 30000", "not sent 30000"),
            (throttled, "not sent 7000", "not sent 7000"),
            (answer(500, "{}"), "unknown", "unknown"),
            (answer(504, "<html>"), "unknown", "unknown"),
            (lost, "unknown", "unknown"),
            (not_sent, "not sent 1", "not sent 1"),
        ] {
            for (write, path, expected) in
                [(create(), "/crm/v3/objects/contacts", of_create), (update(), "/crm/v3/objects/contacts/7", of_update)]
            {
                let method = if matches!(write, Write::Create { .. }) { "POST" } else { "PATCH" };
                let stage = stage(CRM, vec![exchange(method, path, played.clone())]);

                let outcome = stage.application.send(&stage.intent(&write)).await;

                assert!(word(&outcome).starts_with(expected), "{played:?} to a {method}: {outcome:?}");
                if !matches!(outcome, Outcome::Committed { .. }) {
                    assert!(!format!("{outcome:?}").contains("secret"), "{outcome:?}");
                }
                let paused = stage.application.limiter().paused().is_some();
                assert_eq!(paused, word(&outcome).starts_with("not sent"), "{played:?}");
                stage.is_as_expected();
            }
        }
    }
}
