//! Application descriptions: findings point into the text; of one that checks clean an application and a receiver can be
//! made, its requests stay below its paths whatever an id is, and its answers may be anything.

use std::sync::Arc;

use pairline_runner::application::{Answer, Description, Environment};
use pairline_runner::metrics::Metrics;
use pairline_runner::webhook::Receiver;
use pairline_sdk::testing::{TestClock, run_now};
use pairline_sdk::{Application, Fields, Write};
use serde_json::{Value, json};

use super::delivery::{Inbox, OpenDoor};
use super::stage::{Remote, application};
use super::text::{findings_point_inside, utf8};

pub(super) fn run(input: &[u8]) {
    let Some(text) = utf8(input) else { return };
    let (description, findings) = Description::parse("fuzz.yaml", text, &Environment::lenient());
    findings_point_inside(text, &findings);
    let Some(description) = description else {
        assert!(!findings.is_empty(), "nothing was read and nothing is wrong");
        return;
    };
    if !findings.is_empty() {
        return;
    }
    let receiver = Receiver::new(
        vec![description.clone()],
        Arc::new(Inbox::default()),
        Arc::new(OpenDoor),
        &Arc::new(Metrics::default()),
        Arc::new(TestClock::default()),
    );
    assert!(receiver.is_ok(), "clean, and it cannot receive: {:?}\n{text}", receiver.err());
    let body = r#"{"id":"1","results":[{"id":"1"}],"data":[],"properties":{},"error":null,"message":"Existing ID: 7"}"#;
    for status in [200, 404, 409, 500] {
        let remote = Remote::new(vec![Answer { status, body: body.into(), ..Answer::default() }]);
        let made = application(description.clone(), &remote);
        let made = made.unwrap_or_else(|error| panic!("clean, and it cannot be called: {error}\n{text}"));
        renders(&made);
        run_now(made.read("a/../b?c#d")).ok();
        run_now(made.find("email", "a&b=c")).ok();
        run_now(made.changed(&Value::Null, None)).ok();
        for call in remote.asked.lock().unwrap().iter() {
            assert!(call.url.starts_with("http"), "{} is asked for", call.url);
        }
    }
}

/// The same bytes each time, a body that is JSON, and an id that stays one part of the path.
fn renders(application: &dyn Application) {
    let fields = |value: Value| -> Fields { value.as_object().unwrap().clone() };
    let some = fields(json!({ "zz.name": "Ada", "zz.n": 9_007_199_254_740_993_u64, "yy": null }));
    let create = Write::Create { fields: some.clone() };
    if let Ok(request) = application.render(&create) {
        assert_eq!(application.render(&create).as_ref(), Ok(&request));
        assert!(request.path.starts_with('/'), "{request:?}");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert!(body.is_object() && request.body.contains("9007199254740993"), "{request:?}");
    }
    let update =
        |id: &str| application.render(&Write::Update { id: id.to_owned(), fields: some.clone(), version: None });
    if let (Ok(plain), Ok(hostile)) = (update("x"), update("../a/b?c=d#e&f%2Fé")) {
        for special in ['/', '?', '#', '&'] {
            assert_eq!(plain.path.matches(special).count(), hostile.path.matches(special).count(), "{hostile:?}");
        }
        assert_eq!(plain.body, hostile.body);
    }
    for none in ["", ".", "..", "a\nb"] {
        assert!(update(none).is_err(), "`{none}` was taken for an id");
    }
}
