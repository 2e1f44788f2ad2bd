//! Answers of a remote system, to every call there is: what counts as done has a status that says so and an id that
//! stands in the answer, and nothing of an answer gets into a reason.
//!
//! The first line of an input names the system, the call and the status; the next ones are headers until an empty line,
//! the rest is the body.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use pairline_runner::application::{Answer, Description, HttpApplication};
use pairline_sdk::testing::{intent, run_now};
use pairline_sdk::{Application, Fields, Outcome, ReadError, Record, Timestamp, Write};
use serde_json::{Value, json};

use super::stage::{CRM, ERP, Remote, application, described, is_id, stands_in, varied};

static SYSTEMS: LazyLock<[(&str, Description); 3]> = LazyLock::new(|| {
    // A 409 that says the id anywhere in its text, with words behind it.
    let anywhere = varied(
        ERP,
        &[(
            "    - { status: 404, means: gone }",
            "    - { status: [404, 410], means: gone }\n    \
             - { status: 409, says: \"known as {id}!\", means: duplicate }\n    \
             - { status: 409, means: duplicate }\n  code: /code",
        )],
    );
    [("crm", described(CRM)), ("erp", described(ERP)), ("erp-anywhere", anywhere)]
});

/// What one call came to, to be compared with the same call made again.
#[derive(Debug, PartialEq)]
enum End {
    Write(Outcome),
    Read(Result<Option<Record>, ReadError>),
    Found(Result<Vec<Record>, ReadError>),
    Changed(Result<(Vec<Record>, Option<Value>, Value), ReadError>),
}

pub(super) fn run(input: &[u8]) {
    let (head, body) = super::stage::head_and_body(input);
    let Some((first, lines)) = head.split_first() else { return };
    let words: Vec<&str> = first.split(' ').collect();
    let [system, call, status] = words[..] else { return };
    let Some((_, description)) = SYSTEMS.iter().find(|(name, _)| *name == system) else { return };
    let Ok(status) = status.parse::<u16>() else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let answer = Answer { status, headers, body: body.to_vec().into() };
    let Some(end) = made(description, call, &answer) else { return };
    let again = made(description, call, &answer).unwrap();
    assert_eq!(end, again, "another end the second time");
    match end {
        End::Write(outcome) => written(&outcome, call, &answer),
        End::Read(result) => {
            if let Ok(found) = &result {
                let gone = found.is_none() && matches!(status, 404 | 410);
                assert!(gone || (200..300).contains(&status), "status {status} is read as an answer");
            }
            let records: Vec<Record> = result.as_ref().ok().cloned().flatten().into_iter().collect();
            read(&records, result.err(), &answer);
        }
        End::Found(result) => {
            for record in result.iter().flatten() {
                assert!(
                    record.fields.get("email").is_some_and(|held| held == "a@b.test"),
                    "{record:?} was not looked for"
                );
            }
            read(result.as_deref().unwrap_or_default(), result.clone().err(), &answer);
        }
        End::Changed(result) => {
            let (records, error) = match result {
                Ok((records, ..)) => (records, None),
                Err(error) => (vec![], Some(error)),
            };
            read(&records, error, &answer);
        }
    }
}

fn made(description: &Description, call: &str, answer: &Answer) -> Option<End> {
    let remote = Remote::new(vec![answer.clone()]);
    let application = application(description.clone(), &remote).unwrap();
    let fields = || json!({ "email": "a@b.test" }).as_object().unwrap().clone();
    let end = match call {
        "create" => End::Write(sent(&application, &Write::Create { fields: fields() })),
        "update" => {
            End::Write(sent(&application, &Write::Update { id: "7".to_owned(), fields: fields(), version: None }))
        }
        "read" => End::Read(run_now(application.read("7"))),
        "find" => End::Found(run_now(application.find("email", "a@b.test"))),
        "changed" => {
            let page = run_now(application.changed(&Value::Null, None));
            End::Changed(page.map(|page| (page.records, page.next, page.cursor)))
        }
        _ => return None,
    };
    let asked = remote.asked.lock().unwrap().len();
    assert!(asked <= 20, "{asked} calls for one {call}");
    assert!(asked == 1 || call == "find", "{asked} calls for one {call}");
    Some(end)
}

fn sent(application: &HttpApplication, write: &Write) -> Outcome {
    // As the clock of the stage shows.
    let now = Timestamp::from_millis(1_780_000_000_000);
    run_now(application.send(&intent(application, write, now)))
}

fn written(outcome: &Outcome, call: &str, answer: &Answer) {
    let Answer { status, body, .. } = answer;
    match outcome {
        Outcome::Committed { record } => {
            assert!((200..300).contains(status), "status {status} is taken for done");
            whole(record, body);
        }
        Outcome::Duplicate { id } => {
            assert!(call == "create" && *status == 409, "a {call} with status {status} is taken for a duplicate");
            if let Some(id) = id {
                assert!(is_id(id) && stands_in(id, body), "`{id}` was taken for the id of a duplicate");
                not_cut(id, body);
            }
        }
        Outcome::Gone => {
            assert_eq!(call, "update", "what is made cannot be gone");
            assert!(matches!(status, 404 | 410 | 200..=299), "status {status} is taken for gone");
        }
        Outcome::Failed { reason } => {
            assert!((300..500).contains(status), "status {status} is taken for a refusal: {reason}");
            says_nothing(reason);
        }
        Outcome::Outdated { reason } => {
            assert_eq!((call, *status), ("update", 412), "status {status} is taken for another version");
            says_nothing(reason);
        }
        Outcome::NotSent { reason, .. } => {
            assert!(matches!(status, 401 | 403 | 429), "status {status}, and nothing was sent");
            says_nothing(reason);
        }
        Outcome::Unknown { reason } => {
            assert!(!matches!(status, 401 | 403 | 404 | 409 | 429), "status {status} says what became of it");
            says_nothing(reason);
        }
    }
}

/// The id of a duplicate ends where the sentence ends it: half of an id is another record's.
fn not_cut(id: &str, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    if text.contains('\\') {
        return;
    }
    let alone = text.match_indices(id).any(|(at, _)| {
        let behind = text[at + id.len()..].chars().next();
        behind.is_none_or(|next| !next.is_alphanumeric())
    });
    assert!(alone, "`{id}` is a piece of an id");
    // JSON that breaks off may break off within the id.
    let broken = text.trim_start().starts_with(['{', '[', '"']) && serde_json::from_str::<Value>(&text).is_err();
    assert!(!broken, "`{id}` is from JSON that cannot be read");
}

fn read(records: &[Record], error: Option<ReadError>, answer: &Answer) {
    for record in records {
        assert!((200..300).contains(&answer.status), "status {} is taken for an answer", answer.status);
        whole(record, &answer.body);
    }
    match error {
        Some(ReadError::Wait { reason, .. } | ReadError::Failed(reason) | ReadError::Refused(reason)) => {
            says_nothing(&reason);
        }
        None => {}
    }
}

fn whole(record: &Record, body: &[u8]) {
    assert!(is_id(&record.id), "`{}` was taken for an id", record.id);
    assert!(stands_in(&record.id, body), "`{}` is not in the answer", record.id);
    let Fields { .. } = &record.fields;
    assert!(record.fields.values().all(|value| !value.is_object()), "{:?} is not flat", record.fields);
}

fn says_nothing(reason: &str) {
    assert!(!reason.contains("secret"), "a reason repeats an answer: {reason}");
    assert!(reason.len() < 200 && !reason.contains('\n'), "{reason}");
}
