//! Batch: many contacts in one call, and one answer that says what became of each.
//!
//! What is done to a contact in a batch is done as by a call of its own: it has its line in the history and its webhook,
//! and no property that must be unique is given twice. All of a batch happens at one moment.
//!
//! An input that makes no sense refuses the batch, and so does a create whose value is taken: nothing is done then. If each
//! input of a create has a trace id, those that can be made are made. What cannot be found or given otherwise is an error
//! beside the results, with status 207.

mod routes;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::control::Controlled;
use crate::crm::contact::{Contact, apply};
use crate::crm::contacts::{Contacts, Named, contact, found};
use crate::crm::selection::Selection;
use crate::delivery::FirstAttempt;
use crate::history::Writer;
use crate::records::Records;
use crate::refused::{Refused, category};
use crate::stamp;

pub(crate) use routes::routed;

const INPUTS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct Inputs<I> {
    inputs: Vec<I>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToCreate {
    properties: Map<String, Value>,
    object_write_trace_id: Option<String>,
}

/// What is updated, or upserted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToUpdate {
    id: String,
    id_property: Option<String>,
    properties: Map<String, Value>,
    object_write_trace_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Id {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToRead {
    inputs: Vec<Id>,
    id_property: Option<String>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    properties_with_history: Vec<String>,
}

/// What became of a batch.
pub(crate) struct Outcome {
    pub(crate) answer: Value,
    pub(crate) first_attempt: Option<FirstAttempt>,
}

/// What becomes of it so far.
struct Progress {
    started_ms: i64,
    results: Vec<Value>,
    errors: Vec<Value>,
    missing: Vec<String>,
    first_attempts: Vec<FirstAttempt>,
}

/// A contact that was written, and what its webhook will say.
enum Done {
    Created(Contact),
    Changed(Contact, Vec<String>),
}

impl<I: DeserializeOwned> Inputs<I> {
    pub(crate) fn read(body: &[u8]) -> Result<Vec<I>, Refused> {
        let read: Self = read(body)?;
        counted(&read.inputs)?;
        Ok(read.inputs)
    }
}

impl ToRead {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refused> {
        let read: Self = read(body)?;
        counted(&read.inputs)?;
        Ok(read)
    }
}

impl ToUpdate {
    fn named(&self) -> Named<'_> {
        Named { value: &self.id, property: self.id_property.as_deref() }
    }
}

impl Outcome {
    pub(crate) fn has_errors(&self) -> bool {
        self.answer.get("errors").is_some()
    }
}

impl Done {
    fn contact(&self) -> &Contact {
        match self {
            Done::Created(contact) | Done::Changed(contact, _) => contact,
        }
    }
}

impl Contacts {
    pub(crate) fn create_all(&self, inputs: Vec<ToCreate>, writer: &Writer) -> Result<Outcome, Refused> {
        let mut progress = self.begin();
        let traced = inputs.iter().all(|input| input.object_write_trace_id.is_some());
        let texts: Vec<_> = inputs.iter().map(|input| self.texts(&input.properties)).collect();
        let mut made = Vec::with_capacity(inputs.len());
        {
            let mut records = self.write();
            if !traced {
                let texts: Result<Vec<_>, _> =
                    texts.iter().map(|texts| texts.as_ref().map_err(Refused::clone)).collect();
                self.can_all_be_made(&records, &texts?)?;
            }
            for (input, texts) in inputs.into_iter().zip(texts) {
                let trace = input.object_write_trace_id;
                match texts.and_then(|texts| self.insert(&mut records, input.properties, &texts, writer)) {
                    Ok(contact) => made.push((contact, trace)),
                    Err(refused) => progress.fails(&refused, &json!({ "objectWriteTraceId": [trace] })),
                }
            }
        }
        for (contact, trace) in made {
            progress.first_attempts.extend(self.announce_creation(&contact, writer, 1));
            progress.results.push(traced_to(trace, json!(contact)));
        }
        Ok(self.end(progress))
    }

    pub(crate) fn update_all(&self, inputs: Vec<ToUpdate>, writer: &Writer) -> Result<Outcome, Refused> {
        differ(inputs.iter().map(ToUpdate::named))?;
        let mut progress = self.begin();
        let texts: Result<Vec<_>, _> = inputs.iter().map(|input| self.texts(&input.properties)).collect();
        let mut done = Vec::with_capacity(inputs.len());
        {
            let mut records = self.write();
            for (input, texts) in inputs.into_iter().zip(texts?) {
                let Ok(number) = found(&records, input.named(), false) else {
                    progress.missing.push(input.id);
                    continue;
                };
                match self.change(&mut records, number, input.properties, &texts, writer) {
                    Ok((contact, changed)) => {
                        done.push((Done::Changed(contact, changed), input.object_write_trace_id));
                    }
                    Err(refused) => progress.fails(&refused, &json!({ "ids": [input.id] })),
                }
            }
        }
        for (done, trace) in done {
            progress.first_attempts.extend(self.tell(&done, writer));
            progress.results.push(traced_to(trace, json!(done.contact())));
        }
        Ok(self.end(progress))
    }

    /// Changes the contact that has this value, or makes it.
    pub(crate) fn upsert_all(&self, inputs: Vec<ToUpdate>, writer: &Writer) -> Result<Outcome, Refused> {
        if inputs.iter().any(|input| input.named().by_property().is_none()) {
            return Err(Refused::bad("expected an `idProperty` with unique values in each input of an upsert"));
        }
        differ(inputs.iter().map(ToUpdate::named))?;
        let mut progress = self.begin();
        let mut done = Vec::with_capacity(inputs.len());
        let texts: Result<Vec<_>, _> = inputs.iter().map(|input| self.texts(&input.properties)).collect();
        {
            let mut records = self.write();
            for (input, texts) in inputs.into_iter().zip(texts?) {
                let (id, trace) = (input.id.clone(), input.object_write_trace_id.clone());
                match self.upsert(&mut records, input, texts, writer) {
                    Ok(contact) => done.push((contact, trace)),
                    Err(refused) => progress.fails(&refused, &json!({ "ids": [id] })),
                }
            }
        }
        for (done, trace) in done {
            progress.first_attempts.extend(self.tell(&done, writer));
            let mut shown = traced_to(trace, json!(done.contact()));
            shown["new"] = json!(matches!(done, Done::Created(_)));
            progress.results.push(shown);
        }
        Ok(self.end(progress))
    }

    /// Nobody is told of those that are unknown, or archived already.
    pub(crate) fn archive_all(&self, inputs: &[Id], writer: &Writer) -> Result<Option<FirstAttempt>, Refused> {
        let mut archived = Vec::with_capacity(inputs.len());
        {
            let mut records = self.write();
            for input in inputs {
                if let Ok(number) = found(&records, Named::id(&input.id), false) {
                    archived.push(self.set_gone(&mut records, number, true, writer.clone())?);
                }
            }
        }
        Ok(FirstAttempt::of_all(archived.iter().filter_map(|contact| self.announce_deletion(contact, writer))))
    }

    pub(crate) fn read_all(&self, asked: ToRead, archived: bool) -> Result<Outcome, Refused> {
        let mut progress = self.begin();
        let ToRead { inputs, id_property, properties, properties_with_history } = asked;
        let selection = Selection::new(properties, properties_with_history);
        let mut there = Vec::with_capacity(inputs.len());
        {
            let records = self.records();
            for Id { id } in inputs {
                match found(&records, Named { value: &id, property: id_property.as_deref() }, archived) {
                    Ok(number) => there.push(contact(&records, number)?),
                    Err(_) => progress.missing.push(id),
                }
            }
        }
        progress.results.extend(there.iter().map(|contact| selection.shown(self, contact)));
        Ok(self.end(progress))
    }

    fn upsert(
        &self,
        records: &mut Records,
        input: ToUpdate,
        mut texts: Map<String, Value>,
        writer: &Writer,
    ) -> Result<Done, Refused> {
        if let Ok(number) = found(records, input.named(), false) {
            let (contact, changed) = self.change(records, number, input.properties, &texts, writer)?;
            return Ok(Done::Changed(contact, changed));
        }
        let mut sent = input.properties;
        if let Some(property) = input.id_property {
            let by = Map::from_iter([(property.clone(), Value::String(input.id))]);
            texts.extend(self.texts(&by)?);
            sent.extend(by);
        }
        self.insert(records, sent, &texts, writer).map(Done::Created)
    }

    /// Whether nothing stands in the way of any of them, not even another one of them.
    fn can_all_be_made(&self, records: &Records, all: &[&Map<String, Value>]) -> Result<(), Refused> {
        let mut given = BTreeSet::new();
        for texts in all {
            let mut properties = Map::new();
            apply(&mut properties, texts);
            self.check_unique(records, &properties, None)?;
            for name in self.unique_names() {
                let value = properties.get(name).and_then(Value::as_str).map(str::to_owned);
                if value.is_some_and(|value| !given.insert((name, value))) {
                    let message = format!("Contact already exists. Another input has the same `{name}`");
                    return Err(Refused::new(StatusCode::CONFLICT, message));
                }
            }
        }
        Ok(())
    }

    fn tell(&self, done: &Done, writer: &Writer) -> Option<FirstAttempt> {
        match done {
            Done::Created(contact) => self.announce_creation(contact, writer, 1),
            Done::Changed(contact, changed) => self.announce_changes(contact, writer, changed),
        }
    }

    fn begin(&self) -> Progress {
        Progress {
            started_ms: self.server().wall().now_ms(),
            results: Vec::new(),
            errors: Vec::new(),
            missing: Vec::new(),
            first_attempts: Vec::new(),
        }
    }

    fn end(&self, mut progress: Progress) -> Outcome {
        if !progress.missing.is_empty() {
            let message =
                "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.";
            let refused = Refused::new(StatusCode::NOT_FOUND, message);
            let ids = std::mem::take(&mut progress.missing);
            progress.fails(&refused, &json!({ "ids": ids }));
        }
        let mut answer = json!({
            "status": "COMPLETE",
            "results": progress.results,
            "startedAt": stamp::to_text(progress.started_ms),
            "completedAt": stamp::to_text(self.server().wall().now_ms()),
        });
        if !progress.errors.is_empty() {
            answer["numErrors"] = json!(progress.errors.len());
            answer["errors"] = json!(progress.errors);
        }
        Outcome { answer, first_attempt: FirstAttempt::of_all(progress.first_attempts) }
    }
}

impl Progress {
    fn fails(&mut self, refused: &Refused, context: &Value) {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.errors.push(json!({
            "status": "error",
            "category": category(status),
            "message": refused.message,
            "context": context,
            "errors": [],
            "links": {},
        }));
    }
}

fn read<B: DeserializeOwned>(body: &[u8]) -> Result<B, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad(format!("expected a batch, found {error}")))
}

fn counted<I>(inputs: &[I]) -> Result<(), Refused> {
    match inputs.len() {
        1..=INPUTS_MAX => Ok(()),
        other => Err(Refused::bad(format!("expected 1 to {INPUTS_MAX} inputs, found {other}"))),
    }
}

/// Two inputs for one contact: which one would be the last?
fn differ<'a>(all: impl Iterator<Item = Named<'a>>) -> Result<(), Refused> {
    let mut seen = BTreeSet::new();
    for named in all {
        if !seen.insert((named.by_property(), named.value)) {
            let message = format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", named.value);
            return Err(Refused::bad(message));
        }
    }
    Ok(())
}

fn traced_to(trace: Option<String>, mut shown: Value) -> Value {
    if let Some(trace) = trace {
        shown["objectWriteTraceId"] = json!(trace);
    }
    shown
}
