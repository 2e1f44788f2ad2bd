//! Fetch: read the record an event speaks of, as it is now.
//!
//! An event is a hint. What it says may be old, doubled or out of order; what the system answers now is not. The record's
//! pair is looked up before that: the other way round, an update of ours might end in between, and the record as it stood
//! before would be taken for somebody's edit of it.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{GONE, HINT, HintPart, PAIR, RECORD, UNPAIRED};
use pairline_sdk::{
    Application, Effect, Look, NodeDescription, NodeError, PlatformKind, Ports, ProcessAction, ProcessDto, RecordId,
    Registry, SettingKind, System, settings,
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
    ports: Ports,
}

fn describe() -> NodeDescription {
    NodeDescription::new("fetch", "Reads the record an event speaks of, as it is now.", PlatformKind::Connector)
        .effect(Effect::Reads)
        .route("present", "The record is there.")
        .route("gone", "The record is deleted, archived, or was never there.")
        .setting("application", "Where the record lives.", SettingKind::Source)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        let application = ports.application(settings.application.as_str())?;
        Ok(Arc::new(Fetch { description: describe(), application, ports: ports.clone() }))
    });
}

#[async_trait]
impl ProcessAction for Fetch {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        let dto = self.looked_up(dto, &hint.record).await?;
        self.application.admit().await?;
        match self.application.read(&hint.record.id).await? {
            Some(record) => Ok(dto.with(RECORD, record).follow("present")),
            None => Ok(dto.with(GONE, hint.record.clone()).follow("gone")),
        }
    }
}

impl Fetch {
    /// The message with what stands in the mapping for the record.
    async fn looked_up(&self, dto: ProcessDto, record: &RecordId) -> Result<ProcessDto, NodeError> {
        let contract = &self.ports.contract;
        if !contract.covers(&record.system) {
            return Ok(dto);
        }
        Ok(match self.ports.store.look(record, contract.other(&record.system)).await? {
            Look::Found(pair) => dto.share(PAIR, pair),
            Look::Missing | Look::Inactive(_) | Look::Pending(_) => dto.with(UNPAIRED, true),
        })
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
    fn what_was_read_before_an_update_of_ours_ended_is_never_taken_for_an_edit_made_after_it() {
        let old = json!({ "phone": "0" });
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", old.clone(), old);
        let event = json!({ "kind": "updated" });
        let early = tester.run("fetch", json!({ "application": "crm" }), tester.hint("crm", "crm-1", event)).unwrap();
        tester.erp.person_edits("erp-1", &json!({ "phone": "1" }));
        tester.run("update", json!({ "application": "crm" }), tester.seen("erp", "erp-1")).unwrap();

        let found = tester.run("resolve", json!({ "source": "crm", "target": "erp" }), early).unwrap();
        tester.run("update", json!({ "application": "erp" }), found).unwrap();

        assert_eq!(tester.erp.saved().writes, 0, "nobody has edited the contact");
        assert_eq!(tester.erp.saved().records["erp-1"]["phone"], "1");
    }

    #[test]
    fn a_record_without_a_pair_is_read_as_such() {
        let tester = NodeTester::new(crate::register);
        let record = tester.crm.person_creates(&json!({}));

        let read = tester
            .run("fetch", json!({ "application": "crm" }), tester.hint("crm", &record.id, json!({ "kind": "created" })))
            .unwrap();

        assert_eq!(read.data()["unpaired"], true);
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
