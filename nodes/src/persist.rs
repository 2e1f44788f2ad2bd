//! Persist: write the pair a create has made, before any reader downstream.
//!
//! A create that is sent again says what it said the first time. What somebody has edited meanwhile is in the record that
//! was read for this walk and not in its counterpart, and no other event will come for it: the record is looked at again.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{OPERATION, PAIR, RECORD};
use pairline_sdk::{
    Effect, NodeDescription, NodeError, OperationId, Pair, Persisted, PlatformKind, Ports, ProcessAction, ProcessDto,
    Record, Registry, RouteDefault, SettingKind, System, settings,
};
use serde::Deserialize;

use crate::converge::differs;

/// The `with:` block of a `persist` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    source: System,
    target: System,
}

struct Persist {
    description: NodeDescription,
    settings: Settings,
    ports: Ports,
}

fn describe() -> NodeDescription {
    NodeDescription::new("persist", "Writes the pair a create has made.", PlatformKind::Custom)
        .effect(Effect::Persists)
        .route("persisted", "The pair is written, now or before.")
        .route_or("changed", "The record is not what its counterpart was made from any more.", RouteDefault::Repeat)
        .route_or("conflict", "One of the two is paired otherwise; a case is open.", RouteDefault::End)
        .setting("source", "Where the record came from.", SettingKind::Source)
        .setting("target", "Where it was created.", SettingKind::Target)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.source.as_str())?;
        ports.application(settings.target.as_str())?;
        Ok(Arc::new(Persist { description: describe(), settings, ports: ports.clone() }))
    });
}

#[async_trait]
impl ProcessAction for Persist {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let operation = dto.need::<OperationId>(OPERATION)?;
        match self.ports.store.persist(&operation).await? {
            // A key already taken is an answer: somebody was faster, or this message ran before.
            Persisted::Recorded(pair) | Persisted::Already(pair) => {
                if !pair.is_active() {
                    return Ok(dto.share(PAIR, pair).stop("the record was deleted while its counterpart was created"));
                }
                let route = if self.has_changed(&dto, &pair)? { "changed" } else { "persisted" };
                Ok(dto.share(PAIR, pair).follow(route))
            }
            Persisted::Conflict(_) => Ok(dto.follow("conflict")),
            Persisted::Nothing => Err(NodeError::repeat(format!("the outcome of {operation} is not known"))),
        }
    }
}

impl Persist {
    fn has_changed(&self, dto: &ProcessDto, pair: &Pair) -> Result<bool, NodeError> {
        let Some(record) = dto.get::<Record>(RECORD)? else { return Ok(false) };
        let source = pair.side(&self.settings.source);
        Ok(record.id == source.record.id && differs(&self.ports.contract, source, &record.fields))
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::NodeTester;
    use serde_json::json;

    #[test]
    fn what_was_edited_since_the_create_was_first_sent_is_looked_at_again() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "phone": "1" }));
        let created = tester.created(&contact.id, json!({ "phone": "1" }));
        let with = json!({ "source": "crm", "target": "erp" });
        let read = |phone: &str| json!({ "id": contact.id, "fields": { "phone": phone } });

        let as_sent = tester.run("persist", with.clone(), created.clone().with("record", read("1"))).unwrap();
        let edited = tester.run("persist", with, created.with("record", read("2"))).unwrap();

        assert_eq!(as_sent.route(), Some("persisted"));
        assert_eq!(edited.route(), Some("changed"));
    }

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
