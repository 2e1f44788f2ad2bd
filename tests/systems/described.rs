//! Describing a system by commands alone: begin, check, try.

use std::fs;

use serde_json::json;

use crate::bad_input::stage::{CANARIES, Stage};

/// What a system would be like that is exactly as the starter has it, but for two names and what it has in a comment.
fn as_the_fake_erp_is(starter: &str) -> String {
    let names =
        [("/people", "/customers"), ("fields: [crm_id]", "fields: [email]"), ("  #   delete: {", "  delete: {")];
    names.into_iter().fold(starter.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn a_system_is_begun_checked_and_tried_by_commands_alone() {
    let stage = Stage::new();
    let customer = stage.erp.person_creates(json!({ "name": "Ada", "email": "ada@example.test" })).unwrap();
    stage.set("BOOKS_URL", stage.erp.base_url());
    let (_, token) = CANARIES.into_iter().find(|(name, _)| *name == "ERP_TOKEN").unwrap();
    stage.set("BOOKS_TOKEN", token);

    let begun = stage.cli(&["--config", "project", "app", "new", "books"]);
    assert_eq!(begun.code, 0, "{begun:?}");
    assert!(begun.stdout.contains("BOOKS_TOKEN") && begun.stdout.contains("--config project check"), "{begun:?}");
    let again = stage.cli(&["--config", "project", "app", "new", "books"]);
    assert!(again.code == 73 && again.stderr.contains("is there already"), "{again:?}");

    let file = stage.path("project/applications/books.yaml");
    let text = as_the_fake_erp_is(&fs::read_to_string(&file).unwrap());
    fs::write(&file, &text).unwrap();
    assert!(stage.path("project/applications/application.schema.json").exists());
    // A topology is all that is missing.
    let checked = stage.cli(&["--config", "project", "check", "--format", "line"]);
    assert!(checked.stdout.contains("there is no topology") && !checked.stdout.contains("books.yaml"), "{checked:?}");

    let tried = |args: &[&str]| stage.cli(&[&["--json", "--config", "project", "app", "try", "books"], args].concat());
    let read = tried(&["read", "--id", &customer]);
    assert_eq!(read.code, 0, "{read:?}");
    assert_eq!(read.json()["understood"]["record"]["fields"]["name"], "Ada", "{read:?}");
    assert!(!read.stdout.contains(token), "{read:?}");
    let found = tried(&["find", "--field", "email=ada@example.test"]);
    assert_eq!(found.json()["understood"]["records"][0]["id"], customer.as_str(), "{found:?}");
    let changed = tried(&["changed"]);
    assert_eq!(changed.json()["understood"]["records"][0]["id"], customer.as_str(), "{changed:?}");

    let shown = tried(&["create", "--field", "name=Bea"]);
    assert_eq!((shown.code, stage.erp.snapshot().len()), (0, 1), "{shown:?}");
    let sent = tried(&["create", "--field", "name=Bea", "--send"]);
    assert_eq!((sent.code, stage.erp.snapshot().len()), (0, 2), "{sent:?}");
    let made = sent.json()["understood"]["record"]["id"].as_str().unwrap().to_owned();
    let edited = tried(&["update", "--id", &made, "--field", "name=Cleo", "--send"]);
    assert_eq!(edited.code, 0, "{edited:?}");
    assert_eq!(stage.erp.snapshot()[1].fields["name"], "Cleo");
    let shown = tried(&["delete", "--id", &made]);
    assert_eq!((shown.code, stage.erp.snapshot()[1].gone), (0, false), "{shown:?}");
    let sent = tried(&["delete", "--id", &made, "--send"]);
    assert_eq!((sent.code, &sent.json()["understood"]["removed"]), (0, &json!(true)), "{sent:?}");
    assert!(stage.erp.snapshot()[1].gone && !stage.erp.snapshot()[0].gone);

    // While the program runs it would make a counterpart of what is made here.
    let runner = stage.run(&[]);
    let refused = tried(&["create", "--field", "name=Dora", "--send"]);
    assert!(refused.code == 75 && refused.stderr.contains("nothing was written"), "{refused:?}");
    runner.stop();
    assert!(!stage.erp.snapshot().iter().any(|customer| customer.fields["name"] == "Dora"));
}

#[test]
fn what_cannot_be_tried_is_told_before_anything_is_sent() {
    let stage = Stage::new();
    for (args, message) in [
        (&["app", "try", "crmm", "read", "--id", "1"][..], "did you mean `crm`?"),
        (&["app", "try", "crm", "read"], "`read` needs --id"),
        (&["app", "try", "crm", "read", "--id", "1", "--send"], "`read` takes no --send"),
        (&["app", "try", "crm", "delete", "--send"], "`delete` needs --id"),
        (&["app", "try", "crm", "delete", "--id", "1", "--field", "a=b"], "`delete` takes no --field"),
        (&["app", "try", "crm", "find", "--field", "email"], "expected --field NAME=VALUE"),
        (&["app", "try", "crm", "find", "--field", "a=b", "--field", "c=d"], "takes one --field"),
        (&["app", "try", "crm", "changed", "--since", "yesterday"], "expected an instant"),
        (&["app", "new", "Crm"], "small letters"),
        (&["app", "new", "other", "--like", "hubspt"], "did you mean `hubspot`?"),
    ] {
        let said = stage.cli(args);
        assert!(said.code == 64 && said.stderr.contains(message), "{args:?}: {said:?}");
    }
    assert_eq!(stage.crm.calls().reads() + stage.erp.calls().reads(), 0);
}
