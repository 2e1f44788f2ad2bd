//! A component at work: one use of it in a topology.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use pairline_sdk::message::{self, HINT, RECORD};
use pairline_sdk::{
    Clock, NodeDescription, NodeError, Ports, ProcessAction, ProcessDto, Provenance, Usage, WrongText, headers,
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{PoolConcurrencyLimitError, Store};

use crate::bindings::pairline::node::types::{Answer, Failure, Message};
use crate::component::Loaded;
use crate::counts::{Counts, Ended};
use crate::failure;
use crate::host::Host;
use crate::instances::{self, Call, Live, Program, Served, TookTooLong};
use crate::limits::{Bounds, LONGEST_BODY, MOST_HEADERS};
use crate::ports::{self, Granted};
use crate::reload::Current;

/// What a message is about, and what was read of it. Whoever changes it decides what is written, and where to: no component
/// does that past the ledger.
const NOT_FOR_COMPONENTS: [&str; 2] = [HINT, RECORD];

/// One use of a component.
pub(crate) struct ComponentNode {
    description: NodeDescription,
    name: String,
    current: Arc<Current>,
    slots: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
    // Keeps the ticks going for as long as something can run.
    _host: Arc<Host>,
}

impl ComponentNode {
    pub(crate) fn make(
        host: &Arc<Host>,
        file: &Path,
        loaded: &Arc<Loaded>,
        usage: &Usage,
        ports: &Ports,
    ) -> Result<Self, String> {
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let granted = Granted::new(&name, usage, ports)?;
        let program = link(host, loaded, usage, Arc::new(granted))?;
        let counts = host.count(&name);
        Ok(Self {
            description: loaded.description.clone(),
            current: Current::new(host, file.to_owned(), loaded, usage.clone(), program, Arc::clone(&counts)),
            name,
            slots: Arc::clone(&host.slots),
            clock: Arc::clone(&ports.clock),
            counts,
            _host: Arc::clone(host),
        })
    }
}

/// Links what is granted, and nothing else.
pub(crate) fn link(host: &Arc<Host>, loaded: &Loaded, usage: &Usage, granted: Arc<Granted>) -> Result<Program, String> {
    if let Some(need) = loaded.needs.iter().find(|need| !usage.grants.give(**need)) {
        return Err(format!("it asks for `{}`, which is not granted: add `{}` to `grants`", need.key(), need.line()));
    }
    let text = |error: wasmtime::Error| format!("it cannot be linked: {error:#}");
    let mut linker = Linker::new(&host.engine);
    ports::link(&mut linker, &usage.grants).map_err(text)?;
    let pre = linker.instantiate_pre(&loaded.component).map_err(text)?;
    let bounds = Bounds::new(&usage.limits, loaded.bytes);
    Program::new(&host.engine, pre, granted, bounds, Arc::clone(&host.places)).map_err(text)
}

#[async_trait]
impl ProcessAction for ComponentNode {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let program = self.current.program();
        // A full house is no fault of the message; the engine drops nothing that it was promised room for.
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(NodeError::wait("the components are being stopped", Duration::from_secs(1)));
        };
        // A message in which nobody has put anything is an empty object, as on the platform.
        let body = match dto.raw() {
            nothing if nothing == "null" => "{}".to_owned(),
            body => body.into_owned(),
        };
        let message = Message { body, headers: texts(dto.headers()) };
        let (ended, answer) = self.call(&program, &message, dto.provenance()).await;
        let (ended, answer) = match answer {
            Ok(answer) => match self.taken(dto, &message, answer, program.granted()) {
                Ok(dto) => (ended, Ok(dto)),
                Err(reason) => (Ended::Malformed, Err(NodeError::stop(format!("`{}` {reason}", self.name)))),
            },
            Err(error) => (ended, Err(error)),
        };
        self.counts.ended(ended);
        answer
    }
}

/// How far a call came.
enum Reached {
    Answered(Result<Answer, Failure>),
    Broke(wasmtime::Error),
    TimedOut,
}

impl ComponentNode {
    async fn call(
        &self,
        program: &Program,
        message: &Message,
        provenance: Provenance,
    ) -> (Ended, Result<Answer, NodeError>) {
        let (mut store, instance, served) = match program.waiting() {
            Some(Live { store, instance, served }) => (store, Some(instance), served),
            None => {
                self.counts.instances.fetch_add(1, Ordering::Relaxed);
                (program.store(), None, Served::default())
            }
        };
        store.data_mut().work.provenance = provenance;
        let (reached, instance) = {
            let work = async {
                let instance = match instance {
                    Some(instance) => instance,
                    None => program.instantiate(&mut store).await?,
                };
                let answer = instance.pairline_node_action().call_process(&mut store, message).await?;
                Ok::<_, wasmtime::Error>((answer, instance))
            };
            let mut work = pin!(work);
            // Most calls are over before they have waited for anything, and need nobody to wake them.
            let ended = match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
                Poll::Ready(ended) => Some(ended),
                // What it computes is counted in ticks; what it waits for, by the program's clock.
                Poll::Pending => {
                    let until = self.clock.now().plus(program.bounds().timeout);
                    match select(work, self.clock.sleep_until(until)).await {
                        Either::Left((ended, _)) => Some(ended),
                        Either::Right(_) => None,
                    }
                }
            };
            match ended {
                Some(Ok((answer, instance))) => (Reached::Answered(answer), Some(instance)),
                Some(Err(error)) => (Reached::Broke(error), None),
                None => (Reached::TimedOut, None),
            }
        };
        ports::settle_what_is_left(store.data_mut()).await;
        let ended = self.judged(reached, &mut store, program);
        if let Some(instance) = instance {
            program.done(store, instance, served);
        }
        ended
    }

    fn judged(
        &self,
        reached: Reached,
        store: &mut Store<Call>,
        program: &Program,
    ) -> (Ended, Result<Answer, NodeError>) {
        let refused = store.data_mut().limiter.take_refused();
        let last_words = store.data_mut().work.last_words.take();
        let name = &self.name;
        let took = || {
            let timeout = program.bounds().timeout.as_millis();
            format!("`{name}` took longer than its {timeout} ms: `limits: {{ timeout: … }}` gives it more")
        };
        match reached {
            Reached::Answered(Ok(answer)) => (Ended::Answered, Ok(answer)),
            Reached::Answered(Err(mut failure)) => {
                failure.reason = match failure.reason.trim() {
                    "" => format!("`{name}` failed and gave no reason"),
                    _ => program.granted().without_secrets(failure.reason),
                };
                // Whoever is refused memory and carries on says something else, and an operator looks for that.
                if let Some(refused) = refused {
                    failure.reason = format!("{refused}; `{name}` said: {}", failure.reason);
                }
                (Ended::Failed, Err(failure::said(failure)))
            }
            Reached::TimedOut => (Ended::TimedOut, Err(NodeError::repeat(took()))),
            Reached::Broke(error) if error.downcast_ref::<TookTooLong>().is_some() => {
                (Ended::TimedOut, Err(NodeError::repeat(took())))
            }
            // No fault of the message: the next try finds room.
            Reached::Broke(error) if error.is::<PoolConcurrencyLimitError>() => {
                let reason = format!("there is no room for another instance of `{name}`");
                (Ended::Refused, Err(NodeError::wait(reason, Duration::from_secs(1))))
            }
            Reached::Broke(error) => {
                // A component that is refused memory gives up in whatever way its language does.
                let (ended, why) = match refused {
                    Some(refused) => (Ended::Refused, refused),
                    None => (Ended::Trapped, instances::why(&error)),
                };
                let words = last_words.map(|words| format!("; it said: {words}")).unwrap_or_default();
                (ended, Err(NodeError::repeat(format!("`{name}` broke off: {why}{words}"))))
            }
        }
    }

    /// The message as the component has left it.
    fn taken(&self, dto: ProcessDto, given: &Message, answer: Answer, granted: &Granted) -> Result<ProcessDto, String> {
        let Answer { message: left, route, end } = answer;
        if left.body.len() > LONGEST_BODY {
            return Err(format!("answered with {} bytes: expected at most {LONGEST_BODY}", left.body.len()));
        }
        if left.headers.len() > MOST_HEADERS {
            return Err(format!("answered with {} headers: expected at most {MOST_HEADERS}", left.headers.len()));
        }
        let mut next = if left.body == given.body {
            // Untouched: what others have put in stays what it is.
            dto
        } else {
            // What stands in the mapping is for whoever may write there.
            let kept: &[&str] = if granted.may_pair() { &NOT_FOR_COMPONENTS } else { &message::ALL };
            dto.with_text(&given.body, left.body, kept).map_err(|error| match error {
                WrongText::NoJson => "answered with a body that is not JSON".to_owned(),
                WrongText::Changed(part) => format!("changed `{part}` of the message, which is not for it to change"),
            })?
        };
        for (name, text) in left.headers {
            // What is not text stands there as JSON, and stays what it was if it still says the same.
            let unchanged = next.headers().get(&name).is_some_and(|value| header_text(value) == text);
            if !unchanged && headers::ALL.contains(&name.as_str()) {
                return Err(format!("changed the header `{name}`, which is not for it to change"));
            }
            if !unchanged {
                next = next.with_header(&name, text);
            }
        }
        match (end, route) {
            (Some(line), _) => Ok(next.stop(&failure::shortened(granted.without_secrets(line)))),
            (None, Some(route)) => match self.description.routes.iter().any(|known| known.name == route) {
                true => Ok(next.follow(&route)),
                false => {
                    let route = failure::shortened(granted.without_secrets(route));
                    Err(format!("took the route `{route}`, which it does not describe"))
                }
            },
            // Whoever forgets to choose would let everything pass.
            (None, None) if self.description.routes.len() > 1 => {
                let routes: Vec<_> = self.description.routes.iter().map(|route| format!("`{}`", route.name)).collect();
                Err(format!("took no route: expected one of {}", routes.join(", ")))
            }
            (None, None) => Ok(next),
        }
    }
}

fn texts(headers: &Map<String, Value>) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.clone(), header_text(value))).collect()
}

fn header_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
