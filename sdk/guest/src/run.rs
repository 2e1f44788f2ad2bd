//! Runs the node inside a component: reads its settings once, and turns messages into what it knows.

use std::cell::OnceCell;
use std::panic::PanicHookInfo;
use std::pin::pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Waker};

use pairline_sdk::{NodeError, ProcessAction, ProcessDto, Registry, ResultCode, Usage};
use serde_json::{Value, json};

use crate::bindings::pairline::node::types::{Answer, Failure, Message};
use crate::bindings::pairline::node::{log, settings};
use crate::ports::Chosen;

thread_local! {
    /// The node of this instance; its settings never change.
    static NODE: OnceCell<Arc<dyn ProcessAction>> = const { OnceCell::new() };
}

/// What the kind says of itself, as the contract wants it.
///
/// # Panics
///
/// If `register` does not put a kind of that name into the registry.
pub fn describe(register: fn(&mut Registry), kind: &str) -> String {
    let mut registry = Registry::new();
    register(&mut registry);
    let description = registry.describe(kind).unwrap_or_else(|| panic!("no node kind `{kind}` is registered"));
    serde_json::to_string(description).unwrap_or_default()
}

/// Does the work on one message.
///
/// # Errors
///
/// What the node says, or why it cannot be made.
pub fn process(
    message: Message,
    register: fn(&mut Registry),
    kind: &str,
    chosen: fn() -> Chosen,
) -> Result<Answer, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(last_words)));
    let node = NODE.with(|node| match node.get() {
        Some(node) => Ok(Arc::clone(node)),
        None => {
            let made = make(register, kind, chosen).map_err(|reason| failure(NodeError::stop(reason)))?;
            Ok(Arc::clone(node.get_or_init(|| made)))
        }
    })?;
    now(node.process_action(dto(message))).map(answer).map_err(failure)
}

fn make(register: fn(&mut Registry), kind: &str, chosen: fn() -> Chosen) -> Result<Arc<dyn ProcessAction>, String> {
    let mut registry = Registry::new();
    register(&mut registry);
    let with: Value = serde_json::from_str(&settings::get()).map_err(|error| error.to_string())?;
    registry.make(kind, &Usage::with(with), &chosen().ports())
}

/// A panic is a trap, and a trap has no text.
fn last_words(panic: &PanicHookInfo<'_>) {
    log::write(1, &panic.to_string());
}

/// Every call of the program answers before it returns, so that a node never has to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the node waits for something that no port brings")
}

fn dto(message: Message) -> ProcessDto {
    // The program hands over nothing but JSON.
    let mut dto = ProcessDto::from_well_formed(message.body);
    for (name, text) in message.headers {
        dto = dto.with_header(&name, text);
    }
    dto
}

fn answer(dto: ProcessDto) -> Answer {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let headers = dto.headers().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let ends = dto.result() == ResultCode::DoNotContinue;
    Answer {
        end: ends.then(|| dto.message().unwrap_or_default().to_owned()),
        route: dto.route().map(str::to_owned),
        message: Message { body: dto.raw().into_owned(), headers },
    }
}

fn failure(error: NodeError) -> Failure {
    match error {
        NodeError::Repeat { reason, after, counted } => {
            let millis = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            let detail = millis.map(|millis| json!({ "after_ms": millis }).to_string());
            Failure { code: if counted { 1 } else { 2 }, reason, detail }
        }
        NodeError::StopAndFail { reason } => Failure { code: 3, reason, detail: None },
    }
}
