//! A component that was read from a file: what it is, and what it asks for.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pairline_sdk::{Effect, Misfit, Need, NodeDescription};
use serde_json::Value;
use wasmtime::component::{Component, Linker, types::ComponentItem};

use crate::description::parse;
use crate::grants::{self, Import};
use crate::host::{Host, LARGEST_COMPONENT};
use crate::instances::{self, Call};
use crate::limits::Bounds;
use crate::{ports, wrap};

/// A component that is a node.
pub(crate) struct Loaded {
    pub(crate) component: Component,
    pub(crate) description: NodeDescription,
    pub(crate) schema: Option<Arc<jsonschema::Validator>>,
    pub(crate) needs: Vec<Need>,
    pub(crate) bytes: usize,
    pub(crate) modified: Stamp,
}

/// By which a changed file is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) Option<(u64, std::time::SystemTime)>);

impl Stamp {
    pub(crate) fn of(file: &Path) -> Self {
        let metadata = fs::metadata(file).ok();
        Self(metadata.and_then(|metadata| Some((metadata.len(), metadata.modified().ok()?))))
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// How many bytes it has.
    pub bytes: usize,
    /// What it says about itself, or why that cannot be used.
    pub description: Result<NodeDescription, String>,
    /// The schema of its settings, if it brings one.
    pub schema: Option<Value>,
    /// Every interface that it imports.
    pub imports: Vec<String>,
    /// Every interface that it exports.
    pub exports: Vec<String>,
    /// What must be granted to it.
    pub needs: Vec<Need>,
    /// How many messages an instance of it serves, unless a topology says otherwise.
    pub calls: u32,
}

impl Loaded {
    /// Compiles on a thread of its own: it takes seconds, and the caller may be at work for others.
    pub(crate) fn read(host: &Arc<Host>, file: &Path) -> Result<Self, String> {
        aside(|| {
            // Before the bytes: a change in between is then seen as one.
            let modified = Stamp::of(file);
            let bytes = read(file)?;
            let component = compile(host, &bytes)?;
            let (imports, exports) = interfaces(host, &component);
            let needs = needs(&imports)?;
            is_a_node(&exports)?;
            let (mut description, schema) = describe(host, &component, bytes.len())?;
            take_for_granted(&mut description, &needs)?;
            let schema = schema.map(|schema| {
                let made = jsonschema::validator_for(&schema);
                made.map(Arc::new).map_err(|error| format!("brings a schema that is none: {error}"))
            });
            Ok(Self { component, description, schema: schema.transpose()?, needs, bytes: bytes.len(), modified })
        })
    }

    /// What in these settings its schema does not allow.
    pub(crate) fn misfits(&self, with: &Value) -> Vec<Misfit> {
        let Some(schema) = &self.schema else { return Vec::new() };
        let misfit = |error: jsonschema::ValidationError<'_>| {
            let path = error.instance_path().to_string();
            let path = path.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
            Misfit { path: path.collect(), message: error.to_string() }
        };
        schema.iter_errors(with).map(misfit).collect()
    }
}

impl Inspected {
    pub(crate) fn read(host: &Arc<Host>, file: &Path) -> Result<Self, String> {
        aside(|| {
            let bytes = read(file)?;
            let component = compile(host, &bytes)?;
            let (imports, exports) = interfaces(host, &component);
            let described = is_a_node(&exports).and_then(|()| describe(host, &component, bytes.len()));
            let needs = needs(&imports);
            let (description, schema) = match described {
                Ok((mut description, schema)) => {
                    let usable = needs.clone().and_then(|needs| take_for_granted(&mut description, &needs));
                    (usable.map(|()| description), schema)
                }
                Err(reason) => (Err(reason), None),
            };
            let calls = Bounds::new(&pairline_sdk::Limits::default(), bytes.len()).calls;
            let needs = needs.unwrap_or_default();
            Ok(Self { bytes: bytes.len(), description, schema, imports, exports, needs, calls })
        })
    }
}

/// Runs something on a thread of its own, and waits for it.
fn aside<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let panicked = |_| Err("cannot be looked at: the compiler ended with a panic".to_owned());
        scope.spawn(work).join().unwrap_or_else(panicked)
    })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let bytes = fs::metadata(file).map_err(cannot)?.len();
    if bytes > LARGEST_COMPONENT {
        return Err(format!("has {bytes} bytes: expected at most {LARGEST_COMPONENT}"));
    }
    fs::read(file).map_err(cannot)
}

fn compile(host: &Host, bytes: &[u8]) -> Result<Component, String> {
    if !bytes.starts_with(b"\0asm") {
        return Err("is not WebAssembly".to_owned());
    }
    if !wrap::is_component(bytes) {
        return Err("is a core module and no component: `pairline node wrap` makes one of it".to_owned());
    }
    let compiled = match &host.cache {
        Some(cache) => cache.component(&host.engine, bytes),
        None => Component::new(&host.engine, bytes),
    };
    compiled.map_err(|error| format!("is no component: {}", first_line(&error)))
}

fn first_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}

fn interfaces(host: &Host, component: &Component) -> (Vec<String>, Vec<String>) {
    let of = component.component_type();
    let is_interface = |item: &ComponentItem| matches!(item, ComponentItem::ComponentInstance(_));
    let mut imports = Vec::new();
    for (name, item) in of.imports(&host.engine) {
        // An interface of types alone is nothing to call.
        let types_only = match &item.ty {
            ComponentItem::ComponentInstance(instance) => instance
                .exports(&host.engine)
                .all(|(_, item)| matches!(item.ty, ComponentItem::Type(_) | ComponentItem::Resource(_))),
            _ => false,
        };
        if !types_only {
            imports.push(name.to_owned());
        }
    }
    let exports = of.exports(&host.engine).filter(|(_, item)| is_interface(&item.ty));
    (imports, exports.map(|(name, _)| name.to_owned()).collect())
}

fn needs(imports: &[String]) -> Result<Vec<Need>, String> {
    let mut needs = Vec::new();
    for name in imports {
        match grants::import(name) {
            Import::Free => {}
            Import::Granted(need) => needs.push(need),
            Import::Unknown => return Err(never_granted(name)),
        }
    }
    needs.sort();
    needs.dedup();
    Ok(needs)
}

fn never_granted(name: &str) -> String {
    let what = match name.split(['/', '@']).next().unwrap_or_default() {
        wasi if wasi.starts_with("wasi:") => {
            "files, sockets and the environment are for no node: build it without WASI, and use the interfaces of \
             `pairline:node`"
        }
        "pairline:node" => {
            "this program offers the contract in version 0.1: build it against that, or take a newer program"
        }
        _ => "a node is offered the interfaces of `pairline:node` and no others",
    };
    format!("asks for `{name}`, which no grant gives it: {what}")
}

fn is_a_node(exports: &[String]) -> Result<(), String> {
    let versions: Vec<&str> = exports.iter().filter_map(|name| grants::action_version(name)).collect();
    if versions.iter().any(|version| grants::is_offered(version)) {
        return Ok(());
    }
    Err(match versions.first() {
        Some(version) => format!("is a node for version {version} of the contract: this program runs 0.1"),
        None => "is no node: expected the export `pairline:node/action@0.1.0`".to_owned(),
    })
}

/// Asks a component what it is. Nothing is granted to it yet: whatever it calls but the log is the end of it.
fn describe(host: &Host, component: &Component, bytes: usize) -> Result<(NodeDescription, Option<Value>), String> {
    let failed = |error: wasmtime::Error| format!("cannot be asked what it is: {}", instances::why(&error));
    let mut linker = Linker::new(&host.engine);
    ports::link_log(&mut linker).map_err(failed)?;
    linker.define_unknown_imports_as_traps(component).map_err(failed)?;
    let bounds = Bounds::new(&pairline_sdk::Limits::default(), bytes);
    let mut store = instances::store(&host.engine, Call::to_describe(&bounds), &bounds);
    let text = instances::block_on(async {
        let pre = crate::bindings::FullPre::new(linker.instantiate_pre(component)?)?;
        let instance = pre.instantiate_async(&mut store).await?;
        instance.pairline_node_action().call_describe(&mut store).await
    });
    let text = text.map_err(|error| match store.data_mut().limiter.take_refused() {
        Some(refused) => format!("cannot be asked what it is: {refused}"),
        None => failed(error),
    })?;
    parse(&text).map_err(|error| format!("describes itself in a way that cannot be used: {error}"))
}

/// What a component may do to the world is known by what it asks for. It says which of that it does: `resolve` reads and
/// persists, `persist` only persists, and both ask for the same.
fn take_for_granted(description: &mut NodeDescription, needs: &[Need]) -> Result<(), String> {
    if !needs.is_empty() && description.effects.is_empty() {
        description.effects.push(Effect::Reads);
    }
    // At the door an event is not durable yet, and somebody waits for an answer.
    if needs.contains(&Need::Writes) || needs.contains(&Need::Http) {
        description.at_the_door = false;
    }
    let says = |effects: [Effect; 2]| effects.iter().any(|effect| description.effects.contains(effect));
    if needs.contains(&Need::Writes) && !says([Effect::Creates, Effect::Writes]) {
        return Err("asks for `writes`, and says that it neither creates nor writes: expected one of these in its \
                    `effects`, so that a topology can be checked"
            .to_owned());
    }
    if says([Effect::Persists, Effect::Deactivates]) && !needs.contains(&Need::WritePairs) {
        return Err(
            "says that it persists or deactivates, and does not ask for `ledger`: a topology would be checked by \
                    what it cannot do"
                .to_owned(),
        );
    }
    Ok(())
}
