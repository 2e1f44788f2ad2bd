//! A project: every topology, sync contract and application description together, and what is wrong with them.

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use pairline_sdk::{EventKind, Registry, SyncContract};

use crate::application::{Description, Environment};
use crate::contract::ContractText;
use crate::finding::{Finding, Place, SourceText, code, in_order, suggest};
use crate::topology::{Feeds, Graph, Known, TopologyText, lint, lint_together};
use crate::yaml::Tree;

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
}

impl Project {
    /// Reads and checks everything. What is wrong is a finding, and does not hide the rest.
    pub fn load(sources: &Sources, registry: &Registry) -> Self {
        let mut project = Self {
            origin: sources.origin.clone(),
            tests: sources.tests.clone(),
            fixtures: sources.fixtures.clone(),
            files: sources.topologies.len() + sources.contracts.len() + sources.applications.len(),
            ..Self::default()
        };
        let applications = project.load_applications(&sources.applications);
        let contracts = project.load_contracts(&sources.contracts, &applications);
        let known = Known { registry, contracts: &contracts, applications: &applications };
        project.load_topologies(&sources.topologies, &known);
        project.contracts = contracts.into_iter().filter_map(|(name, contract)| Some((name, contract?))).collect();
        in_order(&mut project.findings);
        project
    }

    /// Whether a program may start with it.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }

    /// The topology that this event of an application starts.
    pub fn topology_of(&self, application: &str) -> impl Iterator<Item = &Graph> {
        self.topologies.iter().filter(move |graph| graph.start.application.as_str() == application)
    }

    /// The descriptions' names, and how each system tells of its changes. Variables of the environment are not missed here:
    /// a project is also checked on a machine that it does not run on.
    fn load_applications(&mut self, sources: &[SourceText]) -> BTreeMap<String, Feeds> {
        let mut known = BTreeMap::new();
        for source in sources {
            let (_, findings) = Description::parse(&source.file, &source.text, &Environment::lenient());
            self.findings.extend(findings);
            let (Some(tree), _) = Tree::parse(&source.file, &source.text) else { continue };
            let Some(name) = tree.text(&["application"]) else { continue };
            if let Some((_, first)) = self.applications.iter().find(|(known, _)| known == name) {
                let message = format!("application `{name}` is described twice; the first is {}", first.file);
                self.findings.push(tree.error(code::DUPLICATE_NAME, &["application"], message));
                continue;
            }
            let feeds = Feeds {
                webhooks: tree.has(&["webhook"]),
                events: events(&tree),
                listing: tree.has(&["operations", "changed"]),
            };
            known.insert(name.to_owned(), feeds);
            self.applications.push((name.to_owned(), source.clone()));
        }
        known
    }

    fn load_contracts(
        &mut self,
        sources: &[SourceText],
        applications: &BTreeMap<String, Feeds>,
    ) -> BTreeMap<String, Option<SyncContract>> {
        let mut contracts = BTreeMap::new();
        for source in sources {
            let (read, findings) = ContractText::parse(&source.file, &source.text);
            self.findings.extend(findings);
            let Some(read) = read.filter(|read| !read.name.is_empty()) else { continue };
            for (index, system) in read.contract.iter().flat_map(|contract| contract.systems()).enumerate() {
                if !applications.contains_key(system.as_str()) {
                    let message = format!("no description of an application `{system}`");
                    let path = ["systems", &index.to_string()];
                    let help = suggest(system.as_str(), applications.keys().map(String::as_str), "applications");
                    self.findings.push(read.tree.error(code::UNKNOWN_APPLICATION, &path, message).help(help));
                }
            }
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

    fn load_topologies(&mut self, sources: &[SourceText], known: &Known<'_>) {
        let mut texts = Vec::new();
        for source in sources {
            let (read, findings) = TopologyText::parse(&source.file, &source.text);
            let mut sound = !findings.iter().any(Finding::is_error);
            self.findings.extend(findings);
            let Some(topology) = read else { continue };
            let findings = lint(&topology, known);
            sound &= !findings.iter().any(Finding::is_error);
            self.findings.extend(findings);
            if sound {
                self.topologies.extend(Graph::wire(&topology.document, known.registry));
            }
            texts.push(topology);
        }
        self.findings.extend(lint_together(&texts));
        if sources.is_empty() {
            let source = SourceText::new(&self.origin, "");
            let finding = Finding::error(code::NOTHING_TO_DO, &source, Place::default(), "there is no topology");
            self.findings.push(finding.help("expected *.yaml files"));
        }
    }
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
