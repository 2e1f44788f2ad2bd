//! A project: every topology, sync contract and application description together, and what is wrong with them.

mod components;
mod fit;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use pairline_sdk::{EventKind, Registry, SyncContract, System};

use crate::application::{Description, Environment};
use crate::composition::Components;
use crate::contract::ContractText;
use crate::finding::{Finding, Place, SourceText, code, in_order, suggest};
use crate::topology::{Feeds, Graph, Known, TopologyText, lint, lint_together};
use crate::yaml::Tree;
use fit::{Described, misfits};

pub use sources::{Sources, SourcesError, library};

/// Everything that is wired to run, and everything that is wrong.
#[derive(Debug, Default)]
pub struct Project {
    /// What to call the whole.
    pub origin: String,
    /// The topologies without errors, as wired.
    pub topologies: Vec<Graph>,
    /// The sync contracts without errors, by name.
    pub contracts: BTreeMap<String, SyncContract>,
    /// The application descriptions by name. They are read by whoever connects to the applications.
    pub applications: Vec<(String, SourceText)>,
    /// The topologies' tests.
    pub tests: Vec<SourceText>,
    /// Messages the tests name, by that name.
    pub fixtures: BTreeMap<String, String>,
    /// How many files were looked at.
    pub files: usize,
    /// Everything that is wrong, in the order of the files.
    pub findings: Vec<Finding>,
    /// The program's node kinds, and the components that the topologies use.
    pub registry: Registry,
}

impl Project {
    /// Reads and checks everything, by a program without components. What is wrong is a finding, and does not hide the rest.
    pub fn load(sources: &Sources, registry: &Registry) -> Self {
        Self::load_with(sources, registry, None)
    }

    /// The same, with what runs components: those that the topologies use are loaded.
    pub fn load_with(sources: &Sources, registry: &Registry, runs: Option<&dyn Components>) -> Self {
        let (topologies, findings) = topologies(sources);
        let mut registry = registry.clone();
        let uses =
            topologies.iter().flat_map(|topology| topology.text.document.nodes.iter()).map(|(_, node)| &*node.uses);
        components::put(&mut registry, uses, sources.folder.as_deref(), runs);
        let mut project = Self {
            findings,
            origin: sources.origin.clone(),
            tests: sources.tests.clone(),
            fixtures: sources.fixtures.clone(),
            files: sources.topologies.len() + sources.contracts.len() + sources.applications.len(),
            ..Self::default()
        };
        let applications = project.load_applications(&sources.applications);
        let contracts = project.load_contracts(&sources.contracts, &applications);
        let known = Known { registry: &registry, contracts: &contracts, applications: &applications.feeds };
        project.load_topologies(&topologies, &known);
        if sources.topologies.is_empty() {
            let source = SourceText::new(&sources.origin, "");
            let finding = Finding::error(code::NOTHING_TO_DO, &source, Place::default(), "there is no topology");
            project.findings.push(finding.help("expected *.yaml files"));
        }
        project.registry = registry;
        project.contracts = contracts.into_iter().filter_map(|(name, contract)| Some((name, contract?))).collect();
        in_order(&mut project.findings);
        project
    }

    /// Whether a program may start with it.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }

    /// The fields that the contracts speak of, as a system calls them; those that hold the other's id among them.
    pub fn fields_of(&self, system: &System) -> impl Iterator<Item = &str> {
        let contracts = self.contracts.values().filter(move |contract| contract.covers(system));
        contracts.flat_map(move |contract| {
            let names = contract.fields().iter().flat_map(move |field| field.names(contract, system));
            names.map(String::as_str).chain(contract.inverse_field(system))
        })
    }

    /// The topology that this event of an application starts.
    pub fn topology_of(&self, application: &str) -> impl Iterator<Item = &Graph> {
        self.topologies.iter().filter(move |graph| graph.start.application.as_str() == application)
    }

    /// The descriptions' names, and how each system tells of its changes. Variables of the environment are not missed here:
    /// a project is also checked on a machine that it does not run on.
    fn load_applications(&mut self, sources: &[SourceText]) -> Applications {
        let mut known = Applications::default();
        for source in sources {
            let (description, findings) = Description::parse(&source.file, &source.text, &Environment::lenient());
            let sound = !findings.iter().any(Finding::is_error);
            self.findings.extend(findings);
            let tree = Tree::parse(&source.file, &source.text).0;
            let Some((tree, name)) = named(tree) else {
                // What nobody can read is there all the same: one mistake is not to be told again by all who name it.
                known
                    .feeds
                    .insert(stem(&source.file).to_owned(), Feeds { webhooks: true, listing: true, ..Feeds::default() });
                continue;
            };
            if let Some((_, first)) = self.applications.iter().find(|(known, _)| *known == name) {
                let message = format!("application `{name}` is described twice; the first is {}", first.file);
                self.findings.push(tree.error(code::DUPLICATE_NAME, &["application"], message));
                continue;
            }
            let feeds = Feeds {
                webhooks: tree.has(&["webhook"]),
                events: events(&tree),
                listing: tree.has(&["operations", "changed"]),
            };
            known.feeds.insert(name.clone(), feeds);
            let described = description.filter(|_| sound).map(|description| Described { description, tree });
            known.described.extend(described.map(|described| (name.clone(), described)));
            self.applications.push((name, source.clone()));
        }
        known
    }

    fn load_contracts(
        &mut self,
        sources: &[SourceText],
        applications: &Applications,
    ) -> BTreeMap<String, Option<SyncContract>> {
        let mut contracts = BTreeMap::new();
        for source in sources {
            let (read, findings) = ContractText::parse(&source.file, &source.text);
            self.findings.extend(findings);
            let Some(read) = read.filter(|read| !read.name.is_empty()) else { continue };
            for (index, system) in read.contract.iter().flat_map(|contract| contract.systems()).enumerate() {
                if !applications.feeds.contains_key(system.as_str()) {
                    let message = format!("no description of an application `{system}`");
                    let path = ["systems", &index.to_string()];
                    let help = suggest(system.as_str(), applications.feeds.keys().map(String::as_str), "applications");
                    self.findings.push(read.tree.error(code::UNKNOWN_APPLICATION, &path, message).help(help));
                }
            }
            let misfits = read.contract.as_ref().map(|contract| misfits(&read, contract, &applications.described));
            self.findings.extend(misfits.into_iter().flatten());
            if contracts.contains_key(&read.name) {
                let message = format!("sync contract `{}` is there twice", read.name);
                let finding = read.tree.error(code::DUPLICATE_NAME, &["contract"], message);
                self.findings.push(finding.help("give one of them another name"));
                continue;
            }
            contracts.insert(read.name, read.contract);
        }
        contracts
    }

    fn load_topologies(&mut self, topologies: &[ReadTopology], known: &Known<'_>) {
        for ReadTopology { text, sound } in topologies {
            let findings = lint(text, known);
            let sound = *sound && !findings.iter().any(Finding::is_error);
            self.findings.extend(findings);
            if sound {
                self.topologies.extend(Graph::wire(&text.document, known.registry));
            }
        }
        self.findings.extend(lint_together(topologies.iter().map(|topology| &topology.text)));
    }
}

/// A topology that could be read.
struct ReadTopology {
    text: TopologyText,
    /// Whether nothing was wrong with it that far.
    sound: bool,
}

/// The topologies that can be read, and what is wrong with the texts.
fn topologies(sources: &Sources) -> (Vec<ReadTopology>, Vec<Finding>) {
    let mut read = Vec::new();
    let mut findings = Vec::new();
    for source in &sources.topologies {
        let (text, found) = TopologyText::parse(&source.file, &source.text);
        let sound = !found.iter().any(Finding::is_error);
        findings.extend(found);
        read.extend(text.map(|text| ReadTopology { text, sound }));
    }
    (read, findings)
}

/// The applications of a project.
#[derive(Default)]
struct Applications {
    /// How each tells of its changes.
    feeds: BTreeMap<String, Feeds>,
    /// What those are like whose descriptions are sound.
    described: BTreeMap<String, Described>,
}

fn named(tree: Option<Tree>) -> Option<(Tree, String)> {
    let tree = tree?;
    let name = tree.text(&["application"])?.to_owned();
    Some((tree, name))
}

/// The name of a file without its folder and its ending.
fn stem(file: &str) -> &str {
    Path::new(file).file_stem().and_then(OsStr::to_str).unwrap_or(file)
}

/// What an application's webhooks call their events.
fn events(tree: &Tree) -> BTreeSet<String> {
    let mut events = BTreeSet::new();
    for kind in EventKind::ALL {
        let path = ["webhook", "event", "kind", kind.name()];
        for index in 0..tree.items(&path) {
            let path: Vec<&str> = path.into_iter().collect();
            let index = index.to_string();
            events.extend(tree.text(&[path.as_slice(), &[index.as_str()]].concat()).map(str::to_owned));
        }
    }
    events
}
