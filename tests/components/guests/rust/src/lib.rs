//! A guest in Rust that does what the `mode` of its message says: the one honest thing, and whatever a component must not get
//! away with. It speaks to the contract directly, since the library for authors cannot answer what is not JSON.

use std::hint::black_box;
use std::panic::PanicHookInfo;

use pairline_guest::bindings;
use pairline_guest::bindings::exports::pairline::node::action::Guest;
use pairline_guest::bindings::pairline::node::types::{Answer, Failure, Message};
use pairline_guest::bindings::pairline::node::{log, pairs, secrets};
use serde_json::{Value, json};

const MEGABYTE: usize = 1 << 20;

struct Misbehaves;

bindings::export!(Misbehaves with_types_in bindings);

impl Guest for Misbehaves {
    fn describe() -> String {
        let about = "Does what the mode of its message says.";
        json!({ "kind": "rust", "about": about, "routes": [{ "name": "done", "default": "end" }] }).to_string()
    }

    fn process(message: Message) -> Result<Answer, Failure> {
        std::panic::set_hook(Box::new(last_words));
        let mut body: Value = serde_json::from_str(&message.body).map_err(failed)?;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match text("mode").as_str() {
            "echo" => {}
            "loop" => never_ends(),
            "memory" => takes_memory(),
            "recursion" => drop(black_box(calls_itself(0))),
            "trap" => panic!("the guest gives up"),
            "huge" => return answer("x".repeat(5 * MEGABYTE).into(), message.headers),
            "headers" => return answer(body, (0..101).map(|number| (format!("h{number}"), "x".to_owned())).collect()),
            "malformed" => {
                let message = Message { body: r#"{"mode":"#.to_owned(), headers: message.headers };
                return Ok(Answer { message, route: Some("done".to_owned()), end: None });
            }
            "route" => return Ok(Answer { message, route: Some("nowhere".to_owned()), end: None }),
            "file" => body["file"] = std::fs::read_to_string("/etc/passwd").map_err(failed)?.into(),
            "network" => {
                let peer = std::net::TcpStream::connect("127.0.0.1:80").map_err(failed)?;
                body["network"] = format!("{peer:?}").into();
            }
            "secret" => body["secret"] = secrets::get(&text("name"))?.into(),
            "lookup" => {
                let found = pairs::look(&text("system"), &text("id"), &text("target"))?;
                body["found"] = serde_json::from_str(&found).map_err(failed)?;
            }
            "normalize" => {
                let number = node_name::phone::normalized(&text("phone"), &text("country"));
                body["phone"] = number.ok_or_else(|| failed("there is no number that can be read"))?.into();
            }
            _ => return Err(failed("the guest does not know this mode")),
        }
        answer(body, message.headers)
    }
}

fn answer(body: Value, headers: Vec<(String, String)>) -> Result<Answer, Failure> {
    let message = Message { body: body.to_string(), headers };
    Ok(Answer { message, route: Some("done".to_owned()), end: None })
}

fn failed(reason: impl ToString) -> Failure {
    Failure { code: 3, reason: reason.to_string(), detail: None }
}

/// A panic is a trap, and a trap has no text.
fn last_words(panic: &PanicHookInfo<'_>) {
    log::write(1, &panic.to_string());
}

fn never_ends() {
    let mut seen = 0_u64;
    loop {
        seen = black_box(seen + 1);
    }
}

/// Takes all the memory there is, and writes to it.
fn takes_memory() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; MEGABYTE]));
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn calls_itself(depth: u64) -> u64 {
    black_box(calls_itself(black_box(depth + 1)) + 1)
}
