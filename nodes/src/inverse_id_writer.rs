//! Inverse id writer: write the new counterpart's id into the record it was created for.
//!
//! The mapping is the truth; this is the copy that lets a person find the other record, and lets the mapping be rebuilt.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{GONE, PAIR, RECORD};
use pairline_sdk::{
    Effect, InverseWrite, NodeDescription, NodeError, Pair, PlatformKind, Ports, ProcessAction, ProcessDto, Rebase,
    Record, Registry, RouteDefault, SettingKind, System, settings,
};
use serde::Deserialize;
use serde_json::Value;

use crate::write::{PairWrite, Written, write};

/// The `with:` block of an `inverse-id-writer` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    application: System,
    /// The field of that application that keeps the other's id.
    field: String,
}

struct InverseIdWriter {
    description: NodeDescription,
    settings: Settings,
    ports: Ports,
}

fn describe() -> NodeDescription {
    let about = "Writes the counterpart's id into the record it was created for.";
    NodeDescription::new("inverse-id-writer", about, PlatformKind::Connector)
        .effect(Effect::Writes)
        .route_or("done", "The record carries it.", RouteDefault::End)
        .route("gone", "The record is not there any more.")
        .setting("application", "Where the record lives that gets the id.", SettingKind::Source)
        .setting("field", "The field that keeps it.", SettingKind::InverseField)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.application.as_str())?;
        Ok(Arc::new(InverseIdWriter { description: describe(), settings, ports: ports.clone() }))
    });
}

#[async_trait]
impl ProcessAction for InverseIdWriter {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let pair = dto.need::<Pair>(PAIR)?;
        let system = &self.settings.application;
        let id = pair.other(system).record.id.clone();
        if pair.side(system).inverse_written {
            return Ok(dto.follow("done"));
        }
        let record = dto.get::<Record>(RECORD)?;
        let carries = |record: &Record| record.value(&self.settings.field).and_then(Value::as_str) == Some(id.as_str());
        if record.as_ref().is_some_and(|record| record.id == pair.side(system).record.id && carries(record)) {
            let rebase = Rebase {
                pair: pair.id,
                revision: pair.revision,
                changes: vec![],
                inverse_seen: vec![system.clone()],
                supersedes: None,
                notes: vec![],
            };
            // A pair in other hands by now will be looked at again by them.
            self.ports.store.rebase(&rebase).await?;
            return Ok(dto.follow("done"));
        }
        let part = PairWrite {
            pair: &pair,
            target: system,
            writes: vec![],
            inverse: Some(InverseWrite { field: self.settings.field.clone(), id }),
            // The field is ours alone: whatever else has changed in the record, the id belongs there.
            version: None,
            rebase: vec![],
            supersedes: None,
            notes: vec![],
            provenance: dto.provenance(),
        };
        match write(&self.ports, part).await? {
            Written::Done => Ok(dto.follow("done")),
            Written::Gone(record) => Ok(dto.with(GONE, record).follow("gone")),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{NodeTester, run_now};
    use pairline_sdk::{PairStore, ProcessDto};
    use serde_json::{Value, json};

    /// Runs the node for a contact whose customer has just been made, with what was read before.
    fn write_id(tester: &NodeTester, contact: &str, read: Value) -> ProcessDto {
        let created = tester.created(contact, json!({ "email": "a" })).with("record", read);
        let persisted = tester.run("persist", json!({ "source": "crm", "target": "erp" }), created).unwrap();
        tester.run("inverse-id-writer", json!({ "application": "crm", "field": "erp_id" }), persisted).unwrap()
    }

    #[test]
    fn the_new_id_is_written_once_however_often_the_node_runs() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "email": "a" }));
        let created = tester.created(&contact.id, json!({ "email": "a" }));
        let with = json!({ "application": "crm", "field": "erp_id" });
        let persisted = tester.run("persist", json!({ "source": "crm", "target": "erp" }), created.clone()).unwrap();

        tester.run("inverse-id-writer", with.clone(), persisted).unwrap();
        let again = tester.run("persist", json!({ "source": "crm", "target": "erp" }), created).unwrap();
        tester.run("inverse-id-writer", with, again).unwrap();

        assert_eq!(tester.crm.saved().writes, 1);
        assert_eq!(tester.crm.saved().records[&contact.id]["erp_id"], "erp-1");
    }

    #[test]
    fn an_id_that_the_record_was_read_with_is_not_written_again() {
        let tester = NodeTester::new(crate::register);
        let contact = tester.crm.person_creates(&json!({ "email": "a", "erp_id": "erp-1" }));

        let ended = write_id(&tester, &contact.id, json!({ "id": contact.id, "fields": { "erp_id": "erp-1" } }));

        assert_eq!(ended.route(), Some("done"));
        assert_eq!(tester.crm.saved().writes, 0);
        assert_eq!(run_now(tester.store.counts()).unwrap().inverse_pending, 0);
    }

    #[test]
    fn a_record_that_was_read_without_the_id_gets_it_whatever_else_was_read() {
        for (id, carried) in [("crm-1", json!(null)), ("crm-1", json!("erp-9")), ("crm-9", json!("erp-1"))] {
            let tester = NodeTester::new(crate::register);
            let contact = tester.crm.person_creates(&json!({ "email": "a" }));

            let ended = write_id(&tester, &contact.id, json!({ "id": id, "fields": { "erp_id": carried } }));

            assert_eq!(ended.route(), Some("done"), "{id} was read with {carried}");
            assert_eq!(tester.crm.saved().records[&contact.id]["erp_id"], "erp-1", "{id} was read with {carried}");
        }
    }
}
