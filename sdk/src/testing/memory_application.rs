//! A remote system in memory, with people in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Fate, Stage, Step};
use crate::record::is_empty;
use crate::{
    Application, CapabilityClass, ChangedPage, Clock, EventFacts, EventKind, Fields, Intent, OperationKind, Outcome,
    Profile, ReadError, Record, RecordId, Request, System, Timestamp, Write,
};

/// What the system holds. Cloning it is a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryRecords {
    /// Records by id.
    pub records: BTreeMap<String, Fields>,
    /// Ids of records that were deleted.
    pub deleted: BTreeSet<String>,
    /// What it has announced and nobody has taken yet.
    pub events: Vec<(RecordId, EventFacts)>,
    /// Requests that are still on their way.
    pub late: Vec<Late>,
    /// Answers to idempotency keys.
    pub keys: BTreeMap<String, String>,
    /// How often each record was changed, where the system tells.
    pub versions: BTreeMap<String, u64>,
    /// How many writes were applied.
    pub writes: u64,
    /// How many reads were answered.
    pub reads: u64,
    /// How many listings of what has changed were answered.
    pub listings: u64,
    next: u64,
}

/// A request that is applied after its caller has given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    intent: Intent,
}

/// An [`Application`] in memory.
pub struct MemoryApplication {
    state: Mutex<MemoryRecords>,
    profile: Profile,
    clock: Arc<dyn Clock>,
    stage: Stage,
    /// Whether events carry values and our own hand, or our operation id and no values.
    events_carry_values: bool,
    /// Whether records carry a version, and an update is refused that was decided by another one.
    keeps_versions: bool,
}

impl MemoryApplication {
    /// A system like the reference CRM: no idempotency key, a search that lags, events with values.
    pub fn crm(clock: Arc<dyn Clock>) -> Self {
        Self::new("crm", CapabilityClass::C, clock, true)
    }

    /// A system like the reference ERP: idempotency keys, events without values that give our operation id back.
    pub fn erp(clock: Arc<dyn Clock>) -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self::new("erp", CapabilityClass::B { ttl: day, margin: Duration::from_secs(3600) }, clock, false)
    }

    /// A system of this name and class.
    pub fn new(name: &str, class: CapabilityClass, clock: Arc<dyn Clock>, events_carry_values: bool) -> Self {
        let profile = Profile {
            system: System::new(name),
            class,
            deadline: Duration::from_secs(5),
            request_life: Duration::from_secs(5),
            index_lag: Duration::from_secs(3),
        };
        let state = Mutex::new(MemoryRecords { next: 1, ..MemoryRecords::default() });
        Self { state, profile, clock, stage: Stage::default(), events_carry_values, keeps_versions: false }
    }

    /// Its records carry a version, and it refuses an update that was decided by another one.
    #[must_use]
    pub fn that_keeps_versions(mut self) -> Self {
        self.keeps_versions = true;
        self
    }

    /// Every call passes this stage first.
    #[must_use]
    pub fn on(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    /// Takes back a snapshot.
    pub fn restore(&self, records: MemoryRecords) {
        *self.state() = records;
    }

    /// What it holds now.
    pub fn saved(&self) -> MemoryRecords {
        self.state().clone()
    }

    /// Its name.
    pub fn system(&self) -> &System {
        &self.profile.system
    }

    /// A person makes a record.
    pub fn person_creates(&self, fields: &Value) -> RecordId {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.apply(None, fields, None)
    }

    /// A person edits a record.
    pub fn person_edits(&self, id: &str, fields: &Value) {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.apply(Some(id), fields, None);
    }

    /// A person deletes a record.
    pub fn person_deletes(&self, id: &str) {
        let mut state = self.state();
        state.records.remove(id);
        state.deleted.insert(id.to_owned());
        let facts = EventFacts::of(EventKind::Deleted);
        state.events.push((RecordId::new(&self.profile.system, id), facts));
    }

    /// It does not remember any idempotency key any more.
    pub fn forget_keys(&self) {
        self.state().keys.clear();
    }

    /// The events nobody has taken yet.
    pub fn take_events(&self) -> Vec<(RecordId, EventFacts)> {
        std::mem::take(&mut self.state().events)
    }

    /// Lets the oldest late request land. Answers false when there is none.
    pub fn land(&self) -> bool {
        let late = {
            let mut state = self.state();
            if state.late.is_empty() { None } else { Some(state.late.remove(0)) }
        };
        late.map(|late| self.execute(&late.intent)).is_some()
    }

    fn state(&self) -> MutexGuard<'_, MemoryRecords> {
        self.state.lock().expect("no method panics while it holds the state")
    }

    fn apply(&self, id: Option<&str>, fields: Fields, by: Option<&Intent>) -> RecordId {
        let mut state = self.state();
        let (id, kind) = match id {
            Some(id) => (id.to_owned(), EventKind::Updated),
            None => {
                let id = format!("{}-{}", self.profile.system, state.next);
                state.next += 1;
                (id, EventKind::Created)
            }
        };
        let mut changed = Fields::new();
        let record = state.records.entry(id.clone()).or_default();
        for (name, value) in fields {
            let before = record.get(&name).cloned().unwrap_or(Value::Null);
            if before == value || (is_empty(&before) && is_empty(&value)) {
                continue;
            }
            changed.insert(name.clone(), value.clone());
            if is_empty(&value) {
                record.shift_remove(&name);
            } else {
                record.insert(name, value);
            }
        }
        if self.keeps_versions {
            *state.versions.entry(id.clone()).or_default() += 1;
        }
        let values = self.events_carry_values;
        let facts = EventFacts {
            kind,
            operation: by.filter(|_| !values).map(|intent| intent.operation().id.clone()),
            ours: values && by.is_some(),
            values: (values && kind == EventKind::Updated).then(|| changed.clone()),
            fields: if kind == EventKind::Updated { changed.keys().cloned().collect() } else { vec![] },
            of_several: false,
        };
        let record = RecordId::new(&self.profile.system, id);
        // The one with values stays silent when nothing changed; the other fires on every save.
        if kind == EventKind::Created || !changed.is_empty() || !values {
            state.events.push((record.clone(), facts));
        }
        record
    }

    fn execute(&self, intent: &Intent) -> Outcome {
        let operation = intent.operation();
        let body: Value = serde_json::from_str(&operation.request.body).unwrap_or_default();
        let fields = body.as_object().cloned().unwrap_or_default();
        let id = match operation.kind {
            OperationKind::Create => {
                let known = operation.key.as_ref().filter(|_| matches!(self.profile.class, CapabilityClass::B { .. }));
                let known = known.and_then(|key| self.state().keys.get(key).cloned());
                let id = known.unwrap_or_else(|| self.apply(None, fields, Some(intent)).id);
                if let Some(key) = &operation.key {
                    self.state().keys.insert(key.clone(), id.clone());
                }
                id
            }
            OperationKind::Update => {
                let id = operation.target_id.clone().unwrap_or_default();
                if !self.state().records.contains_key(&id) {
                    return Outcome::Gone;
                }
                let expected = operation.request.precondition.as_deref();
                if expected.is_some_and(|expected| self.state().version(&id).as_deref() != Some(expected)) {
                    return Outcome::Outdated { reason: "it is another version by now".to_owned() };
                }
                self.apply(Some(&id), fields, Some(intent)).id
            }
        };
        let mut state = self.state();
        state.writes += 1;
        Outcome::Committed { record: state.record(&id).unwrap_or_else(|| Record::new(id, Fields::new())) }
    }
}

impl MemoryRecords {
    fn version(&self, id: &str) -> Option<String> {
        self.versions.get(id).map(ToString::to_string)
    }

    /// A record as it is read.
    pub fn record(&self, id: &str) -> Option<Record> {
        let fields = self.records.get(id)?.clone();
        Some(Record { version: self.version(id), ..Record::new(id, fields) })
    }
}

#[async_trait]
impl Application for MemoryApplication {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        let (method, path, fields, precondition) = match write {
            Write::Create { fields } => ("POST", "/".to_owned(), fields, None),
            Write::Update { id, fields, version } => ("PATCH", format!("/{id}"), fields, version.clone()),
        };
        Ok(Request { method: method.to_owned(), path, body: json!(fields).to_string(), precondition })
    }

    async fn admit(&self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn admit_create(&self, _: &RecordId) -> Result<(), ReadError> {
        Ok(())
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        if self.stage.pass(Step::Read(self.profile.system.clone())).await != Fate::Well {
            return Err(ReadError::Failed(format!("{} does not answer", self.profile.system)));
        }
        let mut state = self.state();
        state.reads += 1;
        Ok(state.record(id))
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        if self.stage.pass(Step::Read(self.profile.system.clone())).await != Fate::Well {
            return Err(ReadError::Failed(format!("{} does not answer", self.profile.system)));
        }
        let mut state = self.state();
        state.reads += 1;
        let hits = state.records.iter().filter(|(_, fields)| fields.get(field).and_then(Value::as_str) == Some(value));
        Ok(hits.filter_map(|(id, _)| state.record(id)).collect())
    }

    async fn glance(&self, field: &str, value: &str, _: Timestamp) -> Result<Vec<Record>, ReadError> {
        self.find(field, value).await
    }

    async fn changed(&self, _: &Value, _: Option<&Value>) -> Result<ChangedPage, ReadError> {
        let mut state = self.state();
        state.listings += 1;
        let records = state.records.keys().filter_map(|id| state.record(id)).collect();
        Ok(ChangedPage { records, ..ChangedPage::default() })
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        let system = &self.profile.system;
        if intent.operation().is_stale(self.clock.now()) {
            return Outcome::NotSent { reason: "the intent is too old to be sent".to_owned(), after: None };
        }
        let outcome = match self.stage.pass(Step::Send(system.clone())).await {
            Fate::Well => self.execute(intent),
            Fate::NotSent => return Outcome::NotSent { reason: format!("{system} is not there"), after: None },
            Fate::Refused => return Outcome::Failed { reason: format!("{system} refuses it") },
            Fate::Duplicate => return Outcome::Duplicate { id: self.state().records.keys().next().cloned() },
            Fate::LostThere => return Outcome::Unknown { reason: format!("{system} does not answer") },
            Fate::LostBack => {
                self.execute(intent);
                Outcome::Unknown { reason: format!("{system} does not answer") }
            }
            Fate::Late => {
                self.state().late.push(Late { intent: intent.clone() });
                Outcome::Unknown { reason: format!("{system} does not answer") }
            }
        };
        match self.stage.pass(Step::Answer(system.clone())).await {
            Fate::Well => outcome,
            _ => Outcome::Unknown { reason: format!("{system} does not answer") },
        }
    }
}
