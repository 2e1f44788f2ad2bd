//! Planted harm: programs with one mistake in them, to see that it is found and told shortly.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{HINT, HintPart};
use pairline_sdk::{
    Application, ChangedPage, Intent, NodeDescription, NodeError, Outcome, Ports, ProcessAction, ProcessDto, Profile,
    ReadError, Record, RecordId, Registry, Request, Timestamp, Usage, Write,
};
use serde_json::Value;

/// A mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Planted {
    /// None: the program as it is shipped.
    #[default]
    None,
    /// A create that was not answered is taken for one that was not sent.
    HastyCreate,
    /// An edit in the ERP is not carried over.
    LazyUpdate,
}

impl Planted {
    /// The same nodes, with the mistake.
    pub(super) fn among(self, nodes: Registry) -> Registry {
        let nodes = Arc::new(nodes);
        let mut planted = Registry::new();
        for (kind, description) in nodes.kinds() {
            let (nodes, kind) = (Arc::clone(&nodes), kind.to_owned());
            planted.register(description.clone(), move |with, ports| {
                let usage = Usage::with(with.clone());
                match (self, kind.as_str()) {
                    (Self::HastyCreate, "create") => nodes.make(&kind, &usage, &hasty(ports)),
                    (Self::LazyUpdate, "update") => Ok(Arc::new(Lazy(nodes.make(&kind, &usage, ports)?))),
                    _ => nodes.make(&kind, &usage, ports),
                }
            });
        }
        planted
    }
}

fn hasty(ports: &Ports) -> Ports {
    let one = |application: &Arc<dyn Application>| Arc::new(Hasty(Arc::clone(application))) as Arc<dyn Application>;
    let applications: BTreeMap<_, _> =
        ports.applications.iter().map(|(system, application)| (system.clone(), one(application))).collect();
    Ports { applications, ..ports.clone() }
}

/// Takes what nobody knows for what did not happen.
struct Hasty(Arc<dyn Application>);

#[async_trait]
impl Application for Hasty {
    fn profile(&self) -> &Profile {
        self.0.profile()
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        self.0.render(write)
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.0.admit().await
    }

    async fn admit_create(&self, source: &RecordId) -> Result<(), ReadError> {
        self.0.admit_create(source).await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        self.0.read(id).await
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        self.0.find(field, value).await
    }

    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        self.0.glance(field, value, since).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.0.changed(cursor, page).await
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        match self.0.send(intent).await {
            Outcome::Unknown { reason } => Outcome::NotSent { reason, after: None },
            other => other,
        }
    }
}

/// Does nothing about what comes from the ERP.
struct Lazy(Arc<dyn ProcessAction>);

#[async_trait]
impl ProcessAction for Lazy {
    fn describe(&self) -> &NodeDescription {
        self.0.describe()
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        if dto.need::<HintPart>(HINT)?.record.system.as_str() == "erp" {
            return Ok(dto.follow("done"));
        }
        self.0.process_action(dto).await
    }
}
