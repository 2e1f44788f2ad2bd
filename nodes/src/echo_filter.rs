//! Echo filter: drop our own write coming back, and only that.
//!
//! The ledger decides, by which write it is. A marker alone never does: it stays on the record and would swallow the
//! next honest edit. An echo of a write whose answer was lost is the proof that the write has arrived, and settles it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::message::{HINT, HintPart};
use pairline_sdk::{
    Echo, Effect, NodeDescription, NodeError, PairStore, PlatformKind, ProcessAction, ProcessDto, Registry,
    RouteDefault, SettingKind, System, settings,
};
use serde::Deserialize;

/// How long an echo waits for the answer of the write it comes from; that arrives within milliseconds or not at all.
const ANSWER_WAIT: Duration = Duration::from_millis(300);

/// The `with:` block of an `echo-filter` node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    application: System,
}

struct EchoFilter {
    description: NodeDescription,
    settings: Settings,
    store: Arc<dyn PairStore>,
}

fn describe() -> NodeDescription {
    NodeDescription::new("echo-filter", "Drops our own write coming back, by which write it is.", PlatformKind::Custom)
        .effect(Effect::Reads)
        .at_the_door()
        .route_or("own", "The event is our own write.", RouteDefault::End)
        .route("foreign", "The event is somebody's edit, or might be.")
        .setting("application", "The application whose events these are.", SettingKind::Source)
}

/// Adds this kind.
pub fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        ports.application(settings.application.as_str())?;
        Ok(Arc::new(EchoFilter { description: describe(), settings, store: Arc::clone(&ports.store) }))
    });
}

#[async_trait]
impl ProcessAction for EchoFilter {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        if hint.record.system != self.settings.application {
            let (expected, found) = (&self.settings.application, &hint.record.system);
            return Err(NodeError::stop(format!("expected an event of `{expected}`, found one of `{found}`")));
        }
        // Several events in one, a poll, a repeat: nothing is known of who did what, so the record is read.
        let Some(facts) = &hint.facts else { return Ok(dto.follow("foreign")) };
        if !facts.may_be_ours() {
            return Ok(dto.follow("foreign"));
        }
        match self.store.echo(&hint.record, facts).await? {
            Echo::Own => Ok(dto.follow("own")),
            Echo::Arrived(update) => {
                self.store.arrived(&update).await?;
                Ok(dto.follow(if facts.of_several { "foreign" } else { "own" }))
            }
            Echo::Foreign => Ok(dto.follow("foreign")),
            Echo::UnderWay => Err(NodeError::wait(format!("our write to {} is under way", hint.record), ANSWER_WAIT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{Fate, NodeTester, Step};
    use pairline_sdk::{OperationState, Registry, System};
    use serde_json::json;

    #[test]
    fn an_edit_that_carries_our_old_marker_is_not_an_echo() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({ "phone": "1" }), json!({}));
        let event = json!({ "kind": "updated", "ours": true, "values": { "phone": "2" } });

        let ended = tester.run("echo-filter", json!({ "application": "crm" }), tester.hint("crm", "crm-1", event));

        assert_eq!(ended.unwrap().route(), Some("foreign"));
    }

    #[test]
    fn our_own_value_from_our_own_hand_is_dropped_without_a_read() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({ "phone": "1" }), json!({}));
        let event = json!({ "kind": "updated", "ours": true, "values": { "phone": "1" } });

        let ended = tester.run("echo-filter", json!({ "application": "crm" }), tester.hint("crm", "crm-1", event));

        assert_eq!(ended.unwrap().route(), Some("own"));
        assert_eq!(tester.crm.saved().reads, 0);
    }

    #[test]
    fn the_same_value_from_another_hand_is_an_edit() {
        let tester = NodeTester::new(crate::register).with_pair("crm-1", "erp-1", json!({ "phone": "1" }), json!({}));
        let event = json!({ "kind": "updated", "ours": false, "values": { "phone": "1" } });

        let ended = tester.run("echo-filter", json!({ "application": "crm" }), tester.hint("crm", "crm-1", event));

        assert_eq!(ended.unwrap().route(), Some("foreign"));
    }

    #[test]
    fn an_event_that_may_tell_of_more_than_our_write_settles_it_and_is_read() {
        fn with_update(registry: &mut Registry) {
            super::register(registry);
            crate::update::register(registry);
        }
        for (of_several, route) in [(false, "own"), (true, "foreign")] {
            let email = json!({ "email": "1" });
            let tester = NodeTester::new(with_update).with_pair("crm-1", "erp-1", email.clone(), email);
            tester.crm.person_edits("crm-1", &json!({ "email": "2" }));
            tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
            assert!(tester.run("update", json!({ "application": "erp" }), tester.seen("crm", "crm-1")).is_err());
            let operation = tester.store.saved().operations.keys().next().cloned();
            let event = json!({ "kind": "updated", "operation": operation, "of_several": of_several });
            let hear = || {
                tester.run("echo-filter", json!({ "application": "erp" }), tester.hint("erp", "erp-1", event.clone()))
            };

            let arrived = hear().unwrap();
            let once_more = hear().unwrap();

            assert_eq!((arrived.route(), once_more.route()), (Some(route), Some(route)));
            let states = tester.store.saved().operations.into_values().map(|operation| operation.state);
            assert_eq!(states.collect::<Vec<_>>(), [OperationState::Committed]);
        }
    }

    #[test]
    fn an_echo_tells_a_write_that_a_person_took_back_from_one_that_never_arrived() {
        fn with_update(registry: &mut Registry) {
            super::register(registry);
            crate::update::register(registry);
        }
        let tester =
            NodeTester::new(with_update).with_pair("crm-1", "erp-1", json!({ "phone": "1" }), json!({ "phone": "1" }));
        tester.crm.person_edits("crm-1", &json!({ "phone": "2" }));
        tester.fate(Step::Send(System::new("erp")), Fate::LostBack);
        assert!(tester.run("update", json!({ "application": "erp" }), tester.seen("crm", "crm-1")).is_err());
        tester.erp.person_edits("erp-1", &json!({ "phone": "1" }));
        let operation = tester.store.saved().operations.keys().next().cloned();
        let event = json!({ "kind": "updated", "operation": operation });

        let echo = tester.run("echo-filter", json!({ "application": "erp" }), tester.hint("erp", "erp-1", event));
        tester.run("update", json!({ "application": "crm" }), tester.seen("erp", "erp-1")).unwrap();

        assert_eq!(echo.unwrap().route(), Some("own"));
        assert_eq!(tester.crm.saved().records["crm-1"]["phone"], "1", "the person has the last word");
    }
}
