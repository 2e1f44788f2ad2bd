//! The systems of a story: what their descriptions say, over a transport that is played.

use std::collections::BTreeMap;
use std::sync::Arc;

use pairline_sdk::testing::TestRandom;
use pairline_sdk::{Application, Arrival, Clock, System};
use serde_json::Value;

use crate::application::{Description, Environment, Exchange, HttpApplication, PlayedTransport};
use crate::finding::SourceText;
use crate::metrics::Metrics;
use crate::project::Project;

/// The systems of a story.
#[derive(Default)]
pub(super) struct Systems {
    played: BTreeMap<String, (Description, Arc<PlayedTransport>)>,
}

impl Systems {
    /// The application a description speaks of; its part in the story is these exchanges.
    pub(super) fn connect(
        &mut self,
        name: &str,
        project: &Project,
        source: &SourceText,
        exchanges: Vec<Exchange>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn Application>, String> {
        let (description, findings) = Description::parse(&source.file, &source.text, &Environment::lenient());
        if let Some(finding) = findings.iter().find(|finding| finding.is_error()) {
            return Err(finding.to_string());
        }
        let mut description = description.ok_or_else(|| format!("{}: there is no description", source.file))?;
        description.want(project.fields_of(&System::new(name)));
        let transport = Arc::new(PlayedTransport::new(&description, exchanges));
        self.played.insert(name.to_owned(), (description.clone(), Arc::clone(&transport)));
        let random = Arc::new(TestRandom::new(1));
        Ok(Arc::new(HttpApplication::new(description, transport, clock, random, &Metrics::default())?))
    }

    /// What is in the body of a webhook.
    pub(super) fn arrivals(&self, system: &System, body: Value) -> Result<Vec<Arrival>, String> {
        let description = self.played.get(system.as_str()).map(|(description, _)| description);
        let webhook = description.and_then(|description| description.webhook.as_ref());
        let webhook =
            webhook.ok_or_else(|| format!("`{system}` sends no webhooks: write `message: {{ record: <id> }}`"))?;
        let events = match (webhook.batch, body) {
            (true, Value::Array(events)) => events,
            (true, _) => return Err(format!("message: expected a list of events of `{system}`")),
            (false, event) => vec![event],
        };
        let delivery = webhook.event.read(system, events).delivery;
        match delivery.unreadable.first() {
            Some(unreadable) => Err(format!("message: {}", unreadable.reason)),
            None => Ok(delivery.arrivals),
        }
    }

    /// Whether one event of a system may tell of several writes.
    pub(super) fn tells_of_several(&self, system: &System) -> bool {
        let webhook = self.played.get(system.as_str()).and_then(|(description, _)| description.webhook.as_ref());
        webhook.is_some_and(|webhook| webhook.event.of_several)
    }

    /// How many calls an application got.
    pub(super) fn calls(&self, name: &str) -> usize {
        self.played.get(name).map_or(0, |(_, transport)| transport.calls().len())
    }

    /// Everything that was not as expected; of each application the first difference only, since what comes after it
    /// says nothing, and the calls that did not come if there was none.
    pub(super) fn differences(&self) -> Vec<String> {
        let first = |(name, (_, transport)): (&String, &(Description, Arc<PlayedTransport>))| {
            transport.finish().first().map(|difference| format!("{name}: {difference}"))
        };
        self.played.iter().filter_map(first).collect()
    }
}
