//! What a test hands to a store.

use std::time::Duration;

use serde_json::{Value, json};

use crate::testing::contact::{contact, erp};
use crate::{
    Adoption, Create, EventFacts, EventKind, FieldWrite, Fields, InverseWrite, Note, NoteKind, Outcome, Pair,
    Provenance, Record, Request, SendAgain, Update, WriteReason,
};

pub(super) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        other => panic!("expected an object, found {other}"),
    }
}

fn request(body: &str) -> Request {
    Request { method: "POST".into(), path: "/customers".into(), body: body.into(), precondition: None }
}

fn write(field: &str, seen: Value, sent: Value) -> FieldWrite {
    FieldWrite {
        field: field.into(),
        seen_source: fields(seen),
        seen_target: None,
        value: fields(sent),
        reason: WriteReason::OwnerEdit,
    }
}

fn provenance() -> Provenance {
    Provenance { correlation_id: "c-1".into(), topology: "crm-to-erp".into(), node: "create".into() }
}

pub(super) fn create(id: &str) -> Create {
    Create {
        source: contact(id),
        target: erp(),
        contract: "contact".into(),
        request: request(r#"{"name":"Ada"}"#).into(),
        writes: vec![write("name", json!({ "firstname": "Ada", "lastname": "" }), json!({ "name": "Ada" }))].into(),
        inverse: Some(InverseWrite { field: "crm_id".into(), id: id.into() }),
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: provenance(),
    }
}

pub(super) fn update(pair: &Pair, name: &str) -> Update {
    Update {
        pair: pair.id,
        target: erp(),
        request: request(&format!(r#"{{"name":"{name}"}}"#)).into(),
        writes: vec![write("name", json!({ "firstname": name }), json!({ "name": name }))].into(),
        inverse: None,
        rebase: Vec::new(),
        supersedes: None,
        notes: Vec::new(),
        deadline: Duration::from_secs(10),
        request_life: Duration::from_secs(60),
        provenance: provenance(),
    }
}

pub(super) fn note() -> Note {
    Note {
        kind: NoteKind::Violation,
        field: "name".into(),
        system: erp(),
        lost: fields(json!({ "name": "Eve" })),
        kept: json!("Ada"),
    }
}

pub(super) fn committed(id: &str) -> Outcome {
    Outcome::Committed { record: Record::new(id, fields(json!({ "name": "Ada", "grade": "by somebody else" }))) }
}

pub(super) fn failed() -> Outcome {
    Outcome::Failed { reason: "name: too long".into() }
}

pub(super) fn unknown() -> Outcome {
    Outcome::Unknown { reason: "no answer".into() }
}

pub(super) fn not_sent() -> Outcome {
    Outcome::NotSent { reason: "connection refused".into(), after: None }
}

pub(super) fn adoption(id: &str, names: &str, verified: bool) -> Adoption {
    Adoption {
        record: Record::new(id, fields(json!({ "name": "Ada, edited since" }))),
        system: erp(),
        names: contact(names),
        contract: "contact".into(),
        verified,
        topology: "erp-to-crm".into(),
    }
}

pub(super) fn facts(kind: EventKind) -> EventFacts {
    EventFacts::of(kind)
}

/// To be sent again by a target that makes no second one, after so many times.
pub(super) fn again(attempts: u32) -> SendAgain {
    SendAgain { attempts, nothing_was_made: false, before: None }
}
