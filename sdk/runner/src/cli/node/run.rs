//! `node run`: a component on one message, with everything around it in memory.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pairline_sdk::message::{HINT, HintPart};
use pairline_sdk::testing::{MemoryApplication, MemoryStore};
use pairline_sdk::{
    Agreement, Application, CapabilityClass, Clock, Grants, Limits, NodeError, NodeKind, OwnerGuard, Pair, PairId,
    PairsGrant, Ports, ProcessDto, RecordId, ResultCode, SyncContract, System, Usage,
};
use serde_json::{Value, json};

use super::super::{Context, Exit, printable, project};
use super::components;
use crate::application::Environment;
use crate::outside::OtherHosts;
use crate::project::Project;
use crate::topology::{Around, Settings};

/// A message is no longer than this, in bytes.
const LONGEST_MESSAGE: u64 = 4 << 20;

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// The component.
    file: PathBuf,
    /// The message's body, as JSON; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Its settings, as they stand under `with`.
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = read_json)]
    with: Value,
    /// A header of the message.
    #[arg(long, value_name = "NAME=TEXT", value_parser = read_pair)]
    header: Vec<(String, String)>,
    /// The sync contract, when there is more than one.
    #[arg(long, value_name = "NAME")]
    contract: Option<String>,
    /// A record that a system holds.
    #[arg(long, value_name = "SYSTEM:ID=JSON", value_parser = read_pair)]
    record: Vec<(String, String)>,
    /// Two records that are a pair.
    #[arg(long, value_name = "SYSTEM:ID=SYSTEM:ID", value_parser = read_pair)]
    pair: Vec<(String, String)>,
    /// A secret that it may read, from the environment.
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// A host that it may send requests to.
    #[arg(long, value_name = "ORIGIN")]
    http: Vec<String>,
    /// How long it may take.
    #[arg(long, value_name = "DURATION", value_parser = crate::units::duration)]
    timeout: Option<Duration>,
    /// How much memory it may have.
    #[arg(long, value_name = "SIZE", value_parser = crate::units::size)]
    memory: Option<u64>,
}

fn read_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("expected JSON: {error}"))
}

fn read_pair(text: &str) -> Result<(String, String), String> {
    let halves = text.split_once('=').ok_or("expected two halves with `=` between them")?;
    Ok((halves.0.to_owned(), halves.1.to_owned()))
}

pub(super) async fn run(context: &Context, args: &RunArgs) -> Result<u8, Exit> {
    let kind = components(context)?.load(&args.file).map_err(|reason| Exit::new(65, reason))?;
    let project = project::load_sound(context)?;
    let contract = contract(&project, args.contract.as_deref())?;
    let systems = contract.systems().to_vec();
    let mut dto = ProcessDto::from_raw(message(args)?).map_err(|error| Exit::new(65, error.to_string()))?;
    // As in a topology, which messages about records of this system start.
    let start = dto.get::<HintPart>(HINT).ok().flatten().map(|hint| hint.record.system.clone());
    let applications = project.applications.iter().map(|(name, _)| name.as_str()).collect();
    settings_fit(args, &*kind, &Around { contract: Some(&contract), applications, start })?;
    let ports = ports(args, contract)?;
    // Whoever runs it here sees what it does; in a topology each of these is granted by name.
    let grants = Grants {
        pairs: Some(PairsGrant::Write),
        applications: systems.clone(),
        writes: systems,
        http: args.http.clone(),
        secrets: args.secret.clone(),
    };
    let limits = Limits { timeout: args.timeout, memory: args.memory, calls: None };
    if let Some(problem) = kind.too_tight(&limits) {
        return Err(Exit::new(64, problem));
    }
    let usage = Usage { with: args.with.clone(), limits, grants };
    let node = kind.make(&usage, &ports).map_err(|reason| Exit::new(65, reason))?;
    for (name, text) in &args.header {
        dto = dto.with_header(name, text.as_str());
    }
    let before = dto.headers().clone();
    match node.process_action(dto).await {
        Ok(dto) => {
            let new = |(name, value): &(&String, &Value)| before.get(*name) != Some(value);
            let headers: serde_json::Map<String, Value> =
                dto.headers().iter().filter(new).map(|(name, value)| (name.clone(), value.clone())).collect();
            let ended = (dto.result() == ResultCode::DoNotContinue).then(|| dto.message().unwrap_or_default());
            let result = json!({ "route": dto.route(), "end": ended, "headers": headers, "body": dto.data() });
            context.output.print(&result, || {
                let where_to = match (ended, dto.route()) {
                    (Some(line), _) => format!("ends: {}", printable(line)),
                    (None, Some(route)) => format!("goes on along `{route}`"),
                    (None, None) => "goes on to every follower".to_owned(),
                };
                format!("{where_to}\n{:#}\n", dto.data())
            });
            Ok(0)
        }
        Err(error) => {
            let (next, reason) = match &error {
                NodeError::Repeat { reason, counted: true, .. } => ("is looked at again", reason),
                NodeError::Repeat { reason, .. } => ("waits, which does not count as a try", reason),
                NodeError::StopAndFail { reason } => ("goes to the trash", reason),
            };
            Err(Exit::new(1, format!("the message {next}: {}", printable(reason))))
        }
    }
}

/// What `check` would say of them in a topology.
fn settings_fit(args: &RunArgs, kind: &dyn NodeKind, around: &Around<'_>) -> Result<(), Exit> {
    let uses = args.file.display().to_string();
    let settings = Settings { name: &kind.describe().kind, uses: &uses, kind, with: &args.with };
    let lines = settings.wrong(around).into_iter().map(|wrong| {
        let place = if wrong.path.is_empty() { String::new() } else { format!(" {}", wrong.path.join(".")) };
        printable(&format!("--with{place}: {}; {}", wrong.what.message, wrong.what.help))
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { Ok(()) } else { Err(Exit::new(64, lines.join("\n"))) }
}

fn contract(project: &Project, wanted: Option<&str>) -> Result<SyncContract, Exit> {
    let known: Vec<&str> = project.contracts.keys().map(String::as_str).collect();
    let name = match (wanted, known.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => {
            return Err(Exit::new(64, format!("which contract? --contract takes one of {}", known.join(", "))));
        }
    };
    let contract = project.contracts.get(name);
    contract.cloned().ok_or_else(|| Exit::new(64, format!("no sync contract `{name}`; known: {}", known.join(", "))))
}

fn message(args: &RunArgs) -> Result<String, Exit> {
    let shown = args.input.display();
    let cannot = |error: std::io::Error| Exit::new(66, format!("cannot read {shown}: {error}"));
    let mut text = String::new();
    let read = if args.input.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST_MESSAGE + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(&args.input).and_then(|file| file.take(LONGEST_MESSAGE + 1).read_to_string(&mut text))
    };
    read.map_err(cannot)?;
    if text.len() as u64 > LONGEST_MESSAGE {
        return Err(Exit::new(65, format!("{shown} is longer than {LONGEST_MESSAGE} bytes")));
    }
    Ok(text)
}

/// The contract's two systems and an id mapping, in memory, as the options fill them.
fn ports(args: &RunArgs, contract: SyncContract) -> Result<Ports, Exit> {
    let (clock, random) = Context::machine();
    let contract = Arc::new(contract);
    let unclear = |text: &str| Exit::new(64, format!("expected a record such as `crm:101`, found `{text}`"));
    let known = |text: &str| {
        let record = RecordId::parse(text).ok_or_else(|| unclear(text))?;
        let strange = || Exit::new(64, format!("the contract is not about `{}`", record.system));
        contract.covers(&record.system).then_some(record.clone()).ok_or_else(strange)
    };
    let mut held: BTreeMap<System, Vec<(String, Value)>> = BTreeMap::new();
    for (record, fields) in &args.record {
        let record = known(record)?;
        let fields = read_json(fields).map_err(|message| Exit::new(64, format!("--record {record}: {message}")))?;
        held.entry(record.system).or_default().push((record.id, fields));
    }
    let mut applications: BTreeMap<System, Arc<dyn Application>> = BTreeMap::new();
    for system in contract.systems() {
        let application = MemoryApplication::new(system.as_str(), CapabilityClass::C, Arc::clone(&clock), false);
        let mut saved = application.saved();
        for (id, fields) in held.remove(system).unwrap_or_default() {
            saved.records.insert(id, fields.as_object().cloned().unwrap_or_default());
        }
        application.restore(saved);
        let guarded = OwnerGuard::new(Arc::new(application), Arc::clone(&contract));
        applications.insert(system.clone(), Arc::new(guarded));
    }
    let store = MemoryStore::new(Arc::clone(&clock));
    let mut state = store.saved();
    for (index, (one, other)) in args.pair.iter().enumerate() {
        let records = [known(one)?, known(other)?];
        if records[0].system == records[1].system {
            return Err(Exit::new(64, format!("--pair {one}={other}: a pair is of two systems")));
        }
        let id = PairId(i64::try_from(index).unwrap_or_default() + 1);
        let [first, second] = records.clone();
        let mut pair = Pair::found(id, contract.name(), records, "node run", clock.now());
        pair.agreement = Agreement::Known;
        state.mapping.insert((first.clone(), second.system.clone()), id);
        state.mapping.insert((second, first.system), id);
        state.pairs.insert(id, pair);
    }
    store.restore(state);
    Ok(Ports {
        store: Arc::new(store),
        applications,
        contract: contract.into(),
        clock: clock as Arc<dyn Clock>,
        random,
        secrets: Arc::new(Environment::of_process()),
        http: Arc::new(OtherHosts::default()),
    })
}
