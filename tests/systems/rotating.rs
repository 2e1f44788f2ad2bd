//! A bookkeeping behind a token server whose refresh tokens are worth something once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::token_server::{CLIENT_SECRET, TokenServer};
use super::unlike::Connected;
use crate::bad_input::runner::Runner;
use crate::bad_input::wait::until;

/// What the guide says of the bookkeeping, and what is said of this one.
const AUTH: (&str, &str) = (
    "auth: { header: { name: X-Api-Key, value: \"${BOOKS_KEY}\" } }",
    "auth: { oauth2: { token_url: \"${TOKEN_URL}\", client_id: us, client_secret: \"${CLIENT_SECRET}\", \
     refresh_token: \"${REFRESH_TOKEN}\" } }",
);

fn connected() -> (Connected, TokenServer) {
    let connected = Connected::new();
    let file = connected.stage.path("project/applications/books.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(AUTH.0));
    fs::write(&file, text.replacen(AUTH.0, AUTH.1, 1)).unwrap();
    let server = TokenServer::start(&connected.books);
    connected.stage.set("TOKEN_URL", server.url());
    connected.stage.set("CLIENT_SECRET", CLIENT_SECRET);
    connected.stage.set("REFRESH_TOKEN", server.gives_a_person("canary-refresh-0-a2e4"));
    connected.stage.set("BOOKS_KEY", "");
    (connected, server)
}

/// Kills the program, and looks through what it has said and kept.
fn killed(connected: &Connected, server: &TokenServer, mut runner: Runner) {
    runner.child.kill().unwrap();
    runner.ended("the program is killed");
    server.keeps_secrets("the log", &runner.log());
    for name in ["pairline.db", "pairline.db-wal"] {
        let bytes = fs::read(connected.stage.path("data").join(name)).unwrap_or_default();
        server.keeps_secrets(name, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn the_newest_token_outlives_sessions_kills_and_commands_beside_the_program() {
    let (connected, server) = connected();
    // Somebody has run it in another folder once, with what is shipped.
    connected.stage.run(&["--data-dir", "old"]).stop();
    // The noisiest log there is.
    connected.stage.set("PAIRLINE_LOG", "trace");
    let runner = connected.run();
    connected.books.enters(json!({ "title": "Grace Hopper" }));
    connected.linked(1);

    // Nobody knows its session any more.
    connected.books.forgets_tokens();
    connected.books.enters(json!({ "title": "Edsger Dijkstra" }));
    connected.linked(2);
    assert_eq!(server.times(), 2);

    // A restart goes on with the last one, though the environment holds the first.
    killed(&connected, &server, runner);
    let runner = connected.run();
    let no = connected.books.enters(json!({ "title": "Ada Lovelace" }));
    let pairs = connected.linked(3);
    assert_eq!(server.times(), 3);

    // Whoever looks meanwhile does not shut the program out.
    let tried = connected.stage.cli(&["--config", "project", "app", "try", "books", "read", "--id", &no]);
    assert!(tried.code == 0 && tried.stdout.contains("Ada Lovelace"), "{tried:?}");
    // The answer tells by which token it was asked.
    assert!(tried.stdout.contains("asked_by") && tried.stdout.contains("***"), "{tried:?}");
    let asked = connected.stage.cli(&["--config", "project", "doctor", "books"]);
    assert!(asked.stdout.contains("the credentials are accepted"), "{asked:?}");
    for said in [&tried, &asked] {
        server.keeps_secrets("a command", &format!("{}{}", said.stdout, said.stderr));
    }
    assert_eq!(server.times(), 5);
    connected.books.forgets_tokens();
    let ada = &pairs.iter().find(|(_, its)| *its == no).unwrap().0;
    connected.stage.crm.person_edits(ada, json!({ "phone": "+44 2" })).unwrap();
    connected.comes(&no, "tel", &json!("+44 2"));
    assert_eq!((server.times(), server.refused()), (6, 0));

    // With another folder they would go by what is in the environment, also where a database of another time lies in it.
    for folder in ["elsewhere", "old"] {
        for command in [&["app", "try", "books", "read", "--id", &no][..], &["doctor", "books"]] {
            let args = [&["--config", "project", "--data-dir", folder], command].concat();
            connected.stage.cli(&args).fails_with(75, &["nothing was asked", folder, "`books`"]);
        }
    }
    assert_eq!((server.times(), server.refused()), (6, 0));
    killed(&connected, &server, runner);
}

#[test]
fn a_token_that_was_lost_is_told_and_another_one_of_a_person_takes_its_place() {
    let (connected, server) = connected();
    let runner = connected.run();
    connected.books.enters(json!({ "title": "Grace Hopper" }));
    connected.linked(1);
    runner.stop();
    let kept = connected.stage.path("data/credentials/books.json");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    // Another program was given one that this one has never heard of.
    let entered = server.gives_a_person("canary-refresh-entered-77d3");
    let runner = connected.run();
    runner.says("refuses our credentials");
    let look = ["--config", "project", "app", "try", "books", "changed"];
    let tried = connected.stage.cli(&look);
    assert!(tried.code == 69 && tried.stdout.contains("credentials/books.json"), "{tried:?}");
    server.keeps_secrets("a command", &tried.stdout);
    runner.stop();

    connected.stage.set("REFRESH_TOKEN", entered);
    let runner = connected.run();
    connected.books.enters(json!({ "title": "Edsger Dijkstra" }));
    connected.linked(2);
    until("the new one is kept", || (server.times() == 2).then_some(()));
    runner.stop();

    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = connected.stage.refused(&["--config", "project"]);
    refused.fails_with(78, &["data/credentials/books.json", "0644", "mode 0600"]);
    connected.stage.cli(&look).fails_with(69, &["data/credentials/books.json", "0644"]);
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&kept, "{\"refresh_token\": \"canary").unwrap();
    let refused = connected.stage.refused(&["--config", "project"]);
    refused.fails_with(78, &["data/credentials/books.json", "remove the file"]);
    assert!(!refused.stderr.contains("canary"), "{refused:?}");
}

#[test]
fn a_stop_waits_for_the_token_that_is_on_its_way() {
    let (connected, server) = connected();
    let mut runner = connected.run();
    connected.books.enters(json!({ "title": "Grace Hopper" }));
    connected.linked(1);

    server.holds_answers();
    connected.books.forgets_tokens();
    until("it signs in again", || (server.times() == 2).then_some(()));
    runner.begins_to_stop();
    server.lets_one_arrive();
    assert!(runner.ended("the program stops").success());

    server.lets_one_arrive();
    let runner = connected.run();
    connected.books.enters(json!({ "title": "Edsger Dijkstra" }));
    connected.linked(2);
    assert_eq!((server.times(), server.refused()), (3, 0));
    runner.stop();
}
