//! Persist: write the pair a create has made, before any reader downstream.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{OPERATION, PAIR};
use pairline_sdk::{
    Effect, NodeDescription, NodeError, OperationId, PairStore, Persisted, PlatformKind, ProcessAction, ProcessDto,
    Registry, RouteDefault, SettingKind, System, settings,
};
use serde::Deserialize;

/// The `with:` block of a `persist` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    source: System,
    target: System,
}

struct Persist {
    description: NodeDescription,
    store: Arc<dyn PairStore>,
}

fn describe() -> NodeDescription {
    NodeDescription::new("persist", "Writes the pair a create has made.", PlatformKind::Custom)
        .effect(Effect::Persists)
        .route("persisted", "The pair is written, now or before.")
        .route_or("conflict", "One of the two is paired otherwise; a case is open.", RouteDefault::End)
        .setting("source", "Where the record came from.", SettingKind::Application)
        .setting("target", "Where it was created.", SettingKind::Application)
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.source.as_str())?;
        ports.application(settings.target.as_str())?;
        Ok(Arc::new(Persist { description: describe(), store: Arc::clone(&ports.store) }))
    });
}

#[async_trait]
impl ProcessAction for Persist {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let operation = dto.need::<OperationId>(OPERATION)?;
        match self.store.persist(&operation).await? {
            // A key already taken is an answer: somebody was faster, or this message ran before.
            Persisted::Recorded(pair) | Persisted::Already(pair) => {
                if !pair.is_active() {
                    return Ok(dto.share(PAIR, pair).stop("the record was deleted while its counterpart was created"));
                }
                Ok(dto.share(PAIR, pair).follow("persisted"))
            }
            Persisted::Conflict(_) => Ok(dto.follow("conflict")),
            Persisted::Nothing => Err(NodeError::repeat(format!("the outcome of {operation} is not known"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::NodeTester;
    use serde_json::json;

    #[test]
    fn persisting_twice_gives_the_same_pair() {
        let tester = NodeTester::new(crate::register);
        let created = tester.created("crm-1", json!({ "email": "ada@example.org" }));
        let with = json!({ "source": "crm", "target": "erp" });

        let first = tester.run("persist", with.clone(), created.clone()).unwrap();
        let second = tester.run("persist", with, created).unwrap();

        assert_eq!(first.route(), Some("persisted"));
        assert_eq!(first.data()["pair"], second.data()["pair"]);
    }
}
