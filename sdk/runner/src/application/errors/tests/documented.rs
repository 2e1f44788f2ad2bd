//! Every error that the documentation of a shipped system names, as far as we know it, and what it means.
//!
//! What matters most is the line between "nothing was done" and "nobody knows": on the wrong side of it a create is sent
//! again that was applied, or an edit waits that could go on.

use std::time::Duration;

use pairline_sdk::Timestamp;

use super::super::Meaning;
use crate::application::transport::Answer;
use crate::application::{Description, Environment};

/// What an error means, in a word.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Done,
    Gone,
    Duplicate,
    /// With the id of the record that is there.
    DuplicateOf(&'static str),
    Refused,
    Repeat,
    Outdated,
    Throttled,
    Denied,
    Unknown,
}

impl Is {
    fn says(self, meaning: &Meaning) -> bool {
        match (self, meaning) {
            (Self::Done, Meaning::Done)
            | (Self::Gone, Meaning::Gone)
            | (Self::Duplicate, Meaning::Duplicate(None))
            | (Self::Refused, Meaning::Refused)
            | (Self::Repeat, Meaning::Repeat(_))
            | (Self::Outdated, Meaning::Outdated)
            | (Self::Throttled, Meaning::Throttled(_))
            | (Self::Denied, Meaning::Denied)
            | (Self::Unknown, Meaning::Broken(_)) => true,
            (Self::DuplicateOf(expected), Meaning::Duplicate(Some(id))) => id == expected,
            _ => false,
        }
    }
}

fn described(text: &str) -> Description {
    let (description, findings) = Description::parse("a.yaml", text, &Environment::lenient());
    assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
    description.unwrap()
}

fn all_mean(text: &str, table: &[(u16, &str, Is)]) {
    let errors = described(text).errors;
    for (status, body, is) in table {
        let answer = Answer { status: *status, body: (*body).to_owned().into(), ..Answer::default() };
        let meaning = errors.meaning(&answer, Timestamp::default());
        assert!(is.says(&meaning), "{status} {body}: expected {is:?}, found {meaning:?}");
    }
}

/// A table that has words, with the bodies that bear them.
fn bodies(table: &[(u16, &str, Is)], body: impl Fn(&str) -> String) -> Vec<(u16, String, Is)> {
    table.iter().map(|(status, word, is)| (*status, body(word), *is)).collect()
}

fn rows(bodies: &[(u16, String, Is)]) -> Vec<(u16, &str, Is)> {
    bodies.iter().map(|(status, body, is)| (*status, body.as_str(), *is)).collect()
}

#[test]
fn what_hubspot_answers() {
    let limit = |policy: &str| {
        format!(
            r#"{{"status":"error","message":"You have reached your limit.","errorType":"RATE_LIMIT","policyName":"{policy}"}}"#
        )
    };
    let (daily, ten, second) = (limit("DAILY"), limit("TEN_SECONDLY_ROLLING"), limit("SECONDLY"));
    let text = include_str!("../../../../../../topologies/library/hubspot.yaml");
    all_mean(
        text,
        &[
            (200, r#"{"id":"1","properties":{}}"#, Is::Done),
            (201, r#"{"id":"1","properties":{}}"#, Is::Done),
            (204, "", Is::Done),
            (207, r#"{"status":"COMPLETE","results":[],"errors":[]}"#, Is::Done),
            (
                400,
                r#"{"status":"error","message":"Property values were not valid","category":"VALIDATION_ERROR"}"#,
                Is::Refused,
            ),
            (
                401,
                r#"{"status":"error","message":"Authentication credentials not found","category":"INVALID_AUTHENTICATION"}"#,
                Is::Denied,
            ),
            (403, r#"{"status":"error","category":"MISSING_SCOPES"}"#, Is::Denied),
            (404, r#"{"status":"error","message":"resource not found","category":"OBJECT_NOT_FOUND"}"#, Is::Gone),
            (
                409,
                r#"{"status":"error","message":"Contact already exists. Existing ID: 37765128953","category":"CONFLICT"}"#,
                Is::DuplicateOf("37765128953"),
            ),
            (409, r#"{"status":"error","message":"Conflict","category":"CONFLICT"}"#, Is::Duplicate),
            (414, "", Is::Refused),
            (415, "", Is::Refused),
            (423, r#"{"status":"error","category":"LOCKED"}"#, Is::Repeat),
            (429, &daily, Is::Throttled),
            (429, &ten, Is::Throttled),
            (429, &second, Is::Throttled),
            (429, "", Is::Throttled),
            (477, "", Is::Repeat),
            (500, "", Is::Unknown),
            (502, "", Is::Unknown),
            (503, "", Is::Unknown),
            (504, "", Is::Unknown),
            (521, "", Is::Unknown),
            (522, "", Is::Unknown),
            (523, "", Is::Unknown),
            (524, "", Is::Unknown),
            (525, "", Is::Unknown),
            (526, "", Is::Unknown),
        ],
    );
    let errors = described(text).errors;
    let answer = Answer { status: 429, body: daily.into(), ..Answer::default() };
    let meaning = errors.meaning(&answer, Timestamp::default());
    assert_eq!(meaning, Meaning::Throttled(Some(Duration::from_secs(3600))), "a daily quota is not over in seconds");
}

#[test]
fn what_tryton_answers() {
    all_mean(
        include_str!("../../../../../../topologies/library/tryton.yaml"),
        &[
            (200, r#"{"id":1,"result":[2]}"#, Is::Done),
            (200, r#"{"id":1,"result":null}"#, Is::Done),
            (200, r#"{"id":1,"error":["UserError",["The code on party must be unique.","",null]]}"#, Is::Repeat),
            (
                200,
                r#"{"id":1,"error":["UserError",["You are trying to read records \"99999\" of \"Party\" that don't exist.","",null]]}"#,
                Is::Gone,
            ),
            (
                200,
                r#"{"id":1,"error":["UserError",["You are not allowed to modify the field \"Code\" in record \"1\" of \"Party\".","",null]]}"#,
                Is::Refused,
            ),
            (
                200,
                r#"{"id":1,"error":["ConcurrencyException","Records were modified in the meanwhile"]}"#,
                Is::Outdated,
            ),
            (200, r#"{"id":1,"error":["UserWarning",["name","text",""]]}"#, Is::Refused),
            (200, r#"{"id":1,"error":["LoginException",["password","text"]]}"#, Is::Refused),
            (200, r#"{"id":1,"error":["'nope'",""]}"#, Is::Refused),
            (200, r#"{"id":1,"error":["maximum recursion depth exceeded",""]}"#, Is::Refused),
            (400, "<html>", Is::Refused),
            (401, "", Is::Denied),
            (403, "<html>", Is::Refused),
            (404, "<html>", Is::Refused),
            (405, "<html>", Is::Refused),
            (422, "<html>", Is::Refused),
            (423, "<html>", Is::Repeat),
            (429, "<html>", Is::Throttled),
            (500, "<html>", Is::Unknown),
            (503, "<html>", Is::Unknown),
        ],
    );
}

#[test]
fn what_directus_answers() {
    let coded = |code: &str| format!(r#"{{"errors":[{{"message":"..","extensions":{{"code":"{code}"}}}}]}}"#);
    let table = [
        (400, "RECORD_NOT_UNIQUE", Is::Duplicate),
        (400, "FAILED_VALIDATION", Is::Refused),
        (400, "INVALID_PAYLOAD", Is::Refused),
        (400, "INVALID_QUERY", Is::Refused),
        (400, "INVALID_FOREIGN_KEY", Is::Refused),
        (400, "NOT_NULL_VIOLATION", Is::Refused),
        (400, "VALUE_TOO_LONG", Is::Refused),
        (400, "VALUE_OUT_OF_RANGE", Is::Refused),
        (401, "INVALID_CREDENTIALS", Is::Denied),
        (401, "TOKEN_EXPIRED", Is::Denied),
        (401, "INVALID_IP", Is::Denied),
        (401, "INVALID_OTP", Is::Denied),
        (401, "USER_SUSPENDED", Is::Denied),
        (403, "INVALID_TOKEN", Is::Denied),
        (403, "FORBIDDEN", Is::Gone),
        (404, "ROUTE_NOT_FOUND", Is::Gone),
        (405, "METHOD_NOT_ALLOWED", Is::Refused),
        (413, "CONTENT_TOO_LARGE", Is::Refused),
        (415, "UNSUPPORTED_MEDIA_TYPE", Is::Refused),
        (422, "UNPROCESSABLE_CONTENT", Is::Refused),
        (429, "REQUESTS_EXCEEDED", Is::Throttled),
        (500, "INTERNAL_SERVER_ERROR", Is::Unknown),
        (503, "SERVICE_UNAVAILABLE", Is::Unknown),
        (503, "UNDER_PRESSURE", Is::Throttled),
    ];
    let bodies = bodies(&table, coded);
    let rows = rows(&bodies);
    all_mean(include_str!("../../../../../../topologies/library/directus.yaml"), &rows);
}

#[test]
fn what_stripe_answers() {
    let kind = |kind: &str| format!(r#"{{"error":{{"type":"{kind}","message":".."}}}}"#);
    let table = [
        (400, "invalid_request_error", Is::Refused),
        (400, "idempotency_error", Is::Refused),
        (401, "invalid_request_error", Is::Denied),
        (402, "card_error", Is::Refused),
        (403, "invalid_request_error", Is::Denied),
        (404, "invalid_request_error", Is::Gone),
        (409, "idempotency_error", Is::Unknown),
        (424, "api_error", Is::Unknown),
        (429, "rate_limit_error", Is::Throttled),
        (500, "api_error", Is::Unknown),
        (502, "api_error", Is::Unknown),
        (503, "api_error", Is::Unknown),
        (504, "api_error", Is::Unknown),
    ];
    let bodies = bodies(&table, kind);
    let rows = rows(&bodies);
    all_mean(include_str!("../../../../../../topologies/library/stripe.yaml"), &rows);
}

#[test]
fn what_salesforce_answers() {
    let coded = |code: &str| format!(r#"[{{"message":"..","errorCode":"{code}","fields":[]}}]"#);
    let table = [
        (400, "DUPLICATE_VALUE", Is::Duplicate),
        (400, "DUPLICATES_DETECTED", Is::Duplicate),
        (400, "REQUIRED_FIELD_MISSING", Is::Refused),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", Is::Refused),
        (400, "INVALID_FIELD", Is::Refused),
        (400, "INVALID_FIELD_FOR_INSERT_UPDATE", Is::Refused),
        (400, "MALFORMED_ID", Is::Refused),
        (400, "MALFORMED_QUERY", Is::Refused),
        (400, "STRING_TOO_LONG", Is::Refused),
        (400, "JSON_PARSER_ERROR", Is::Refused),
        (400, "UNABLE_TO_LOCK_ROW", Is::Repeat),
        (401, "INVALID_SESSION_ID", Is::Denied),
        (403, "REQUEST_LIMIT_EXCEEDED", Is::Throttled),
        (403, "INSUFFICIENT_ACCESS", Is::Refused),
        (403, "API_DISABLED_FOR_ORG", Is::Refused),
        (404, "NOT_FOUND", Is::Gone),
        (404, "ENTITY_IS_DELETED", Is::Gone),
        (405, "METHOD_NOT_ALLOWED", Is::Refused),
        (412, "PRECONDITION_FAILED", Is::Refused),
        (414, "URI_TOO_LONG", Is::Refused),
        (415, "UNSUPPORTED_MEDIA_TYPE", Is::Refused),
        (420, "", Is::Refused),
        (428, "", Is::Refused),
        (431, "", Is::Refused),
        (500, "UNKNOWN_EXCEPTION", Is::Unknown),
        (502, "", Is::Unknown),
        (503, "SERVER_UNAVAILABLE", Is::Unknown),
    ];
    let bodies = bodies(&table, coded);
    let mut rows = rows(&bodies);
    let named = r#"[{"message":"duplicate value found: CrmId__c duplicates value on record with id: 0035g00000ABCDE","errorCode":"DUPLICATE_VALUE"}]"#;
    rows.extend([
        (200, r#"{"id":"003","success":true,"errors":[]}"#, Is::Done),
        (201, r#"{"id":"003","success":true,"errors":[]}"#, Is::Done),
        (204, "", Is::Done),
        (300, r#"["/services/data/v62.0/sobjects/Contact/0031"]"#, Is::Duplicate),
        (304, "", Is::Unknown),
        (400, named, Is::DuplicateOf("0035g00000ABCDE")),
    ]);
    all_mean(include_str!("../../../../../../topologies/library/salesforce.yaml"), &rows);
}

#[test]
fn what_the_reference_pair_answers() {
    let (crm, erp) = (
        include_str!("../../../../../../topologies/applications/crm.yaml"),
        include_str!("../../../../../../topologies/applications/erp.yaml"),
    );
    let both = [
        (200, "{}", Is::Done),
        (201, "{}", Is::Done),
        (204, "", Is::Done),
        (400, "{}", Is::Refused),
        (401, "{}", Is::Denied),
        (404, "{}", Is::Gone),
        (429, "{}", Is::Throttled),
        (500, "{}", Is::Unknown),
        (504, "{}", Is::Unknown),
    ];
    all_mean(crm, &both);
    all_mean(erp, &both);
    all_mean(crm, &[(409, r#"{"message":"Contact already exists. Existing ID: 6001"}"#, Is::DuplicateOf("6001"))]);
}
