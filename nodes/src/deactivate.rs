//! Deactivate: remember that a record is gone, so that nothing is created again for it.
//!
//! The other record stays as it is: a deletion is not mirrored, and a mapping row is never deleted.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::GONE;
use pairline_sdk::{
    Effect, NodeDescription, NodeError, PairStore, PlatformKind, ProcessAction, ProcessDto, RecordId, Registry,
    SettingKind, System, settings,
};
use serde::Deserialize;

/// The `with:` block of a `deactivate` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    source: System,
    target: System,
}

struct Deactivate {
    description: NodeDescription,
    store: Arc<dyn PairStore>,
}

fn describe() -> NodeDescription {
    NodeDescription::new("deactivate", "Remembers that a record is gone.", PlatformKind::Custom)
        .effect(Effect::Deactivates)
        .setting("source", "Where the record came from.", SettingKind::Source)
        .setting("target", "Where its counterpart is.", SettingKind::Target)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.source.as_str())?;
        ports.application(settings.target.as_str())?;
        Ok(Arc::new(Deactivate { description: describe(), store: Arc::clone(&ports.store) }))
    });
}

#[async_trait]
impl ProcessAction for Deactivate {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let gone = dto.need::<RecordId>(GONE)?;
        self.store.deactivate(&gone).await?;
        Ok(dto.stop(&format!("{gone} is gone")))
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::NodeTester;
    use serde_json::json;

    #[test]
    fn nothing_is_created_again_for_a_deleted_record() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({}), json!({}));
        let gone = tester.hint("crm", "crm-1", json!({ "kind": "deleted" }));
        let with = json!({ "source": "crm", "target": "erp" });

        let gone = gone.with("gone", json!({ "system": "crm", "id": "crm-1" }));
        tester.run("deactivate", with.clone(), gone.clone()).unwrap();
        tester.run("deactivate", with.clone(), gone).unwrap();

        let survivor = tester
            .hint("erp", "erp-1", json!({ "kind": "updated" }))
            .with("record", json!({ "id": "erp-1", "fields": {} }));
        let ended = tester.run("resolve", json!({ "source": "erp", "target": "crm" }), survivor).unwrap();
        assert_eq!(ended.route(), Some("inactive"));
    }
}
