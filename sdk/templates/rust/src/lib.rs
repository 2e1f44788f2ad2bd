//! The node `node-name`: reads the phone number of a record, and hands it on as everybody dials it.
//!
//! The record itself stays as it is: the other topology of the pair reads it too, and would take a changed value for an edit.
//! The number is a part of the message, `phone`, beside the record.

pub mod phone;

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{HINT, HintPart, RECORD};
use pairline_sdk::{
    Contract, NodeDescription, NodeError, PlatformKind, ProcessAction, ProcessDto, Record, Registry, RouteDefault,
    SettingKind, settings,
};
use serde::Deserialize;

/// The part of the message with the number.
const PHONE: &str = "phone";

/// The `with:` block of the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// As the sync contract calls it.
    field: String,
    #[serde(default)]
    country: String,
}

struct Node {
    description: NodeDescription,
    settings: Settings,
    contract: Contract,
}

fn describe() -> NodeDescription {
    NodeDescription::new("node-name", "Reads a phone number as everybody dials it.", PlatformKind::Custom)
        .route("readable", "The number is in the message, under `phone`.")
        .route_or("unreadable", "There is no number, or none that can be read.", RouteDefault::End)
        .setting("field", "The field with the number, as the sync contract calls it.", SettingKind::Field)
        .optional_setting("country", "The calling code of numbers without one: 420.", SettingKind::Text)
}

/// Adds the node to those that topologies may use.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        if ports.contract.field(&settings.field).is_none() {
            return Err(format!("the sync contract has no field `{}`", settings.field));
        }
        if !settings.country.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(format!("expected digits as `country`, found `{}`", settings.country));
        }
        Ok(Arc::new(Node { description: describe(), settings, contract: ports.contract.clone() }))
    });
}

#[async_trait]
impl ProcessAction for Node {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        let record = dto.need::<Record>(RECORD)?;
        let value = self
            .contract
            .field(&self.settings.field)
            .map(|field| field.canonical(&self.contract, &hint.record.system, &record.fields));
        let number = value.and_then(|value| phone::normalized(value.as_value().as_str()?, &self.settings.country));
        Ok(match number {
            Some(number) => dto.with(PHONE, number).follow("readable"),
            None => dto.follow("unreadable"),
        })
    }
}

#[cfg(feature = "component")]
pairline_guest::component! {
    register: crate::register,
    kind: "node-name",
    ports: [],
}

#[cfg(test)]
mod tests {
    use pairline_sdk::ProcessDto;
    use pairline_sdk::testing::NodeTester;
    use serde_json::{Value, json};

    fn ended(contact: &Value, with: Value) -> ProcessDto {
        let tester = NodeTester::new(super::register);
        let id = tester.crm.person_creates(contact).id;
        let message = tester.seen("crm", &id);
        tester.run("node-name", with, message).unwrap()
    }

    #[test]
    fn a_number_is_handed_on_beside_the_record_that_stays_as_it_is() {
        let dto = ended(&json!({ "phone": "0111 222 333" }), json!({ "field": "phone", "country": "420" }));

        assert_eq!(dto.route(), Some("readable"));
        assert_eq!(dto.data()["phone"], "+420111222333");
        assert_eq!(dto.data()["record"]["fields"]["phone"], "0111 222 333");
    }

    #[test]
    fn a_record_without_a_number_takes_the_other_route() {
        for contact in [json!({}), json!({ "phone": null }), json!({ "phone": "call me" })] {
            let dto = ended(&contact, json!({ "field": "phone" }));

            assert_eq!((dto.route(), dto.data().get("phone")), (Some("unreadable"), None), "{contact}");
        }
    }

    #[test]
    #[should_panic(expected = "expected digits as `country`, found `CZ`")]
    fn settings_that_make_no_sense_are_refused_before_a_message_comes() {
        ended(&json!({}), json!({ "field": "phone", "country": "CZ" }));
    }
}
