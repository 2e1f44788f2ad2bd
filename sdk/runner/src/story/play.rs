//! Plays the stories of the topologies.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pairline_sdk::testing::{MemoryStore, TestClock, TestRandom};
use pairline_sdk::{
    Agreement, Application, Arrival, Clock, EventFacts, Hint, NodeError, NothingOutside, OperationId, OwnerGuard, Pair,
    PairId, PairState, PairStore, Ports, ProcessDto, RecordId, Registry, SyncContract, System,
};
use serde_json::Value;

use super::document::{HintDocument, ResultDocument, StoryDocument, StoryText};
use super::report::{FileReport, StoryReport, TestReport};
use super::systems::Systems;
use crate::finding::{Finding, Place, SourceText, code, suggest};
use crate::flow::WalkEnd;
use crate::project::Project;
use crate::topology::Graph;
use crate::yaml::Ordered;

/// Plays the stories of a project whose names contain `filter`.
pub async fn test(project: &Project, registry: &Registry, filter: &str) -> TestReport {
    let mut report = TestReport { findings: project.findings.clone(), ..TestReport::default() };
    for source in &project.tests {
        let topology = topology_of(source);
        let Some(graph) = project.topologies.iter().find(|graph| graph.name == topology) else {
            // A topology that is there and is wrong has its own findings.
            if project.is_sound() {
                let known = project.topologies.iter().map(|graph| graph.name.as_str());
                let help = suggest(&topology, known, "topologies");
                let message = format!("no topology `{topology}` for these tests");
                let place = Place { line: 1, column: 1, length: 1 };
                report.findings.push(Finding::error(code::TEST, source, place, message).help(help));
            }
            continue;
        };
        let applications: Vec<&str> = project.applications.iter().map(|(name, _)| name.as_str()).collect();
        let (text, findings) = StoryText::parse(&source.file, &source.text, &applications);
        let sound = findings.is_empty();
        report.findings.extend(findings);
        let Some(text) = text.filter(|_| sound) else { continue };
        let mut stories = Vec::new();
        for (index, story) in text.stories.iter() {
            if !story.name.contains(filter) {
                report.left_out += 1;
                continue;
            }
            let begun = Instant::now();
            let failures = match Stage::set(project, registry, graph, story) {
                Ok(stage) => stage.play(project, story).await,
                Err(failure) => vec![failure],
            };
            stories.push(StoryReport {
                name: story.name.clone(),
                line: text.tree.place(&[&index.to_string(), "name"]).line,
                milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                failures,
            });
        }
        report.files.push(FileReport { file: source.file.to_string(), topology, stories });
    }
    report
}

/// `topologies/crm-to-erp.test.yaml` tests `crm-to-erp`.
fn topology_of(source: &SourceText) -> String {
    let name = Path::new(&*source.file).file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    name.split_once(".test.").map_or(name.as_str(), |(topology, _)| topology).to_owned()
}

/// Everything a story happens on.
struct Stage<'a> {
    graph: &'a Graph,
    contract: Arc<SyncContract>,
    systems: Systems,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    ports: Ports,
    registry: &'a Registry,
}

impl<'a> Stage<'a> {
    fn set(project: &Project, registry: &'a Registry, graph: &'a Graph, story: &StoryDocument) -> Result<Self, String> {
        let contract = project.contracts.get(&graph.contract).ok_or("the sync contract has errors")?;
        let contract = Arc::new(contract.clone());
        let clock = Arc::new(TestClock::default());
        let time = || Arc::clone(&clock) as Arc<dyn Clock>;
        let mut systems = Systems::default();
        let mut applications: BTreeMap<System, Arc<dyn Application>> = BTreeMap::new();
        for (name, source) in &project.applications {
            let exchanges = story.exchanges.get(name).cloned().unwrap_or_default();
            let application = systems.connect(name, project, source, exchanges, time())?;
            let application = match contract.covers(&System::new(name)) {
                true => Arc::new(OwnerGuard::new(application, Arc::clone(&contract))) as Arc<dyn Application>,
                false => application,
            };
            applications.insert(System::new(name), application);
        }
        let store = Arc::new(MemoryStore::new(time()));
        let stage_store = Arc::clone(&store) as Arc<dyn PairStore>;
        let ports = Ports {
            store: stage_store,
            applications,
            contract: Arc::clone(&contract).into(),
            clock: time(),
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        let stage = Self { graph, contract, systems, store, clock, ports, registry };
        for (index, entry) in story.mapping.iter().enumerate() {
            stage.pair(PairId(i64::try_from(index).unwrap_or_default() + 1), entry)?;
        }
        Ok(stage)
    }

    async fn play(&self, project: &Project, story: &StoryDocument) -> Vec<String> {
        let mut failures = Vec::new();
        match self.walks(project, story).await {
            Ok(walks) => self.compare_walks(story, &walks, &mut failures),
            Err(failure) => failures.push(failure),
        }
        failures.extend(self.systems.differences());
        for (name, expected) in &story.then.calls {
            let found = self.systems.calls(name);
            if found != *expected {
                failures.push(format!("expected {expected} calls to {name}, got {found}"));
            }
        }
        if let Some(expected) = &story.then.mapping {
            let expected: Vec<String> = expected.iter().map(shown_pair).collect();
            let found = self.pairs();
            if expected != found {
                failures.push(format!("expected the mapping [{}], got [{}]", expected.join(", "), found.join(", ")));
            }
        }
        failures
    }

    async fn walks(&self, project: &Project, story: &StoryDocument) -> Result<Vec<Walked>, String> {
        let flow = self.graph.make(self.registry, &self.ports)?;
        let mut walks = Vec::new();
        for message in &story.messages {
            let mut walked = Walked::default();
            for hint in self.hints(project, message)? {
                let walk = flow.walk(ProcessDto::from_hint(&hint, &self.graph.name), None).await;
                walked.path.extend(walk.path);
                (walked.result, walked.reason) = match walk.end {
                    WalkEnd::Done(ended) => {
                        let line = ended.last().and_then(ProcessDto::message).unwrap_or_default();
                        (ResultDocument::Done, line.to_owned())
                    }
                    WalkEnd::Failed { error: NodeError::Repeat { reason, .. }, .. } => (ResultDocument::Repeat, reason),
                    WalkEnd::Failed { error: NodeError::StopAndFail { reason }, .. } => (ResultDocument::Trash, reason),
                };
            }
            walks.push(walked);
        }
        Ok(walks)
    }

    fn compare_walks(&self, story: &StoryDocument, walks: &[Walked], failures: &mut Vec<String>) {
        if let Some(path) = &story.then.path {
            for (expected, walked) in path.0.iter().zip(walks) {
                if *expected != walked.path {
                    let (expected, found) = (expected.join(" -> "), walked.path.join(" -> "));
                    failures.push(format!("expected the path\n  {expected}\ngot\n  {found}"));
                }
            }
        }
        let Some(last) = walks.last() else { return };
        if last.result != story.then.result {
            let because = if last.reason.is_empty() { String::new() } else { format!(": {}", last.reason) };
            failures.push(format!("expected the result `{}`, got `{}`{because}", story.then.result, last.result));
        }
        if let Some(reason) = &story.then.reason
            && !last.reason.contains(reason)
        {
            failures.push(format!("expected a reason with `{reason}`, got `{}`", last.reason));
        }
    }

    /// What a message becomes in the inbox: one hint per record. A single event's claims survive, merged ones do not.
    fn hints(&self, project: &Project, message: &Value) -> Result<Vec<Hint>, String> {
        let system = &self.graph.start.application;
        let arrivals = match message {
            Value::String(name) => {
                let text = project.fixtures.get(name).ok_or_else(|| {
                    let help = suggest(name, project.fixtures.keys().map(String::as_str), "fixtures");
                    format!("message: no fixture `{name}`; {help}")
                })?;
                let body = serde_json::from_str(text).map_err(|error| format!("fixture `{name}`: {error}"))?;
                self.systems.arrivals(system, body)?
            }
            Value::Object(map) if map.contains_key("record") => vec![self.arrival(message)?],
            body => self.systems.arrivals(system, body.clone())?,
        };
        let mut hints: Vec<Hint> = Vec::new();
        let now = self.clock.now();
        for arrival in arrivals {
            let fields = arrival.facts.as_ref().map(|facts| facts.fields.clone()).unwrap_or_default();
            let fields = if fields.is_empty() { vec!["*".to_owned()] } else { fields };
            let received = fields.into_iter().map(|field| (field, now));
            if let Some(known) = hints.iter_mut().find(|hint| hint.record == arrival.record) {
                known.received.extend(received);
                known.facts = None;
                continue;
            }
            hints.push(Hint {
                id: i64::try_from(hints.len()).unwrap_or_default() + 1,
                record: arrival.record,
                facts: arrival.facts,
                received: received.collect(),
                others: BTreeMap::new(),
                since: now,
                hops: 0,
                correlation_id: "test".to_owned(),
            });
        }
        Ok(hints)
    }

    fn arrival(&self, message: &Value) -> Result<Arrival, String> {
        let hint: HintDocument =
            serde_json::from_value(message.clone()).map_err(|error| format!("message: {error}"))?;
        let HintDocument { record, kind, fields, values, ours, operation } = hint;
        let operation = operation.map(OperationId);
        let of_several = self.systems.tells_of_several(&self.graph.start.application);
        let facts = kind.map(|kind| EventFacts { kind, operation, ours, values, fields, of_several });
        Ok(Arrival { facts, ..Arrival::look_at(RecordId::new(&self.graph.start.application, record)) })
    }

    /// Puts a pair into the store that is there before the story begins.
    fn pair(&self, id: PairId, entry: &Ordered<Value>) -> Result<(), String> {
        let mut records = Vec::new();
        for system in self.contract.systems() {
            let record = entry.get(system.as_str()).and_then(Value::as_str);
            let record = record.ok_or_else(|| format!("mapping: expected the id of a record of `{system}`"))?;
            records.push(RecordId::new(system, record));
        }
        let Ok([first, second]) = <[RecordId; 2]>::try_from(records) else { return Ok(()) };
        let now = self.clock.now();
        let mut pair = Pair::found(id, self.contract.name(), [first.clone(), second.clone()], &self.graph.name, now);
        for (key, value) in entry.iter() {
            match (key, value) {
                ("agreed", Value::Object(agreed)) => {
                    pair.agreement = Agreement::Known;
                    for side in &mut pair.sides {
                        side.inverse_written = true;
                        side.base = agreed
                            .get(side.record.system.as_str())
                            .and_then(Value::as_object)
                            .cloned()
                            .unwrap_or_default()
                            .into();
                    }
                }
                ("gone", Value::String(gone)) => {
                    pair.state = PairState::Inactive { gone: System::new(gone), since: now };
                }
                (system, Value::String(_)) if self.contract.covers(&System::new(system)) => {}
                (other, _) => return Err(format!("mapping: expected two ids, `agreed` and `gone`, found `{other}`")),
            }
        }
        let mut state = self.store.saved();
        state.mapping.insert((first.clone(), second.system.clone()), id);
        state.mapping.insert((second, first.system), id);
        state.pairs.insert(id, pair);
        self.store.restore(state);
        Ok(())
    }

    /// The pairs there are, as they are shown.
    fn pairs(&self) -> Vec<String> {
        let shown = |pair: &Pair| {
            let ids =
                pair.sides.iter().map(|side| (side.record.system.to_string(), Value::from(side.record.id.clone())));
            let gone = match &pair.state {
                PairState::Inactive { gone, .. } => Some(("gone".to_owned(), Value::from(gone.as_str()))),
                PairState::Active => None,
            };
            shown_pair(&Ordered(ids.chain(gone).collect()))
        };
        self.store.saved().pairs.values().map(shown).collect()
    }
}

/// How a message has walked.
#[derive(Default)]
struct Walked {
    path: Vec<String>,
    result: ResultDocument,
    reason: String,
}

/// A pair on one line, its keys in order, so that two can be compared.
fn shown_pair(pair: &Ordered<Value>) -> String {
    let mut parts: Vec<String> = pair
        .iter()
        .filter(|(key, _)| *key != "agreed")
        .map(|(key, value)| format!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    parts.sort();
    format!("{{ {} }}", parts.join(", "))
}
