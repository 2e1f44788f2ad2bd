//! Fetch: read the record an event speaks of, as it is now.
//!
//! An event is a hint. What it says may be old, doubled or out of order; what the system answers now is not.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{GONE, HINT, HintPart, RECORD};
use pairline_sdk::{
    Application, Effect, NodeDescription, NodeError, PlatformKind, ProcessAction, ProcessDto, Registry, SettingKind,
    System, settings,
};
use serde::Deserialize;

/// The `with:` block of a `fetch` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    application: System,
}

struct Fetch {
    description: NodeDescription,
    application: Arc<dyn Application>,
}

fn describe() -> NodeDescription {
    NodeDescription::new("fetch", "Reads the record an event speaks of, as it is now.", PlatformKind::Connector)
        .effect(Effect::Reads)
        .route("present", "The record is there.")
        .route("gone", "The record is deleted, archived, or was never there.")
        .setting("application", "Where the record lives.", SettingKind::Application)
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        let application = ports.application(settings.application.as_str())?;
        Ok(Arc::new(Fetch { description: describe(), application }))
    });
}

#[async_trait]
impl ProcessAction for Fetch {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        self.application.admit().await?;
        match self.application.read(&hint.record.id).await? {
            Some(record) => Ok(dto.with(RECORD, record).follow("present")),
            None => Ok(dto.with(GONE, hint.record.clone()).follow("gone")),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::NodeTester;
    use serde_json::json;

    #[test]
    fn what_the_system_answers_now_counts_and_not_what_the_event_said() {
        let tester = NodeTester::new(crate::register);
        let record = tester.crm.person_creates(&json!({ "phone": "new" }));
        let event = json!({ "kind": "updated", "values": { "phone": "old" } });

        let ended =
            tester.run("fetch", json!({ "application": "crm" }), tester.hint("crm", &record.id, event)).unwrap();

        assert_eq!(ended.route(), Some("present"));
        assert_eq!(ended.data()["record"]["fields"]["phone"], "new");
    }

    #[test]
    fn a_record_that_is_not_there_is_gone() {
        let tester = NodeTester::new(crate::register);
        let hint = tester.hint("crm", "crm-9", json!({ "kind": "updated" }));

        let ended = tester.run("fetch", json!({ "application": "crm" }), hint).unwrap();

        assert_eq!(ended.route(), Some("gone"));
        assert_eq!(ended.data()["gone"], json!({ "system": "crm", "id": "crm-9" }));
    }
}
