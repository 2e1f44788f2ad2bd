//! Counterpart: put the id that a record has in another system into the message, for whoever carries it elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::message::{HINT, HintPart};
use pairline_sdk::{
    Effect, NodeDescription, NodeError, PairStore, PlatformKind, ProcessAction, ProcessDto, Registry, RouteDefault,
    SettingKind, System, settings,
};
use serde::Deserialize;

/// The `with:` block of a `counterpart` node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    target: System,
}

struct Counterpart {
    description: NodeDescription,
    settings: Settings,
    store: Arc<dyn PairStore>,
}

fn describe() -> NodeDescription {
    let about = "Puts the id that the record has in another system into the message.";
    NodeDescription::new("counterpart", about, PlatformKind::Custom)
        .effect(Effect::Reads)
        .route("found", "The record has a counterpart.")
        .route_or("missing", "It has none that is in use.", RouteDefault::End)
        .setting("target", "Where its counterpart lives.", SettingKind::Target)
}

/// Adds this kind.
pub(crate) fn register(registry: &mut Registry) {
    registry.register(describe(), |with, ports| {
        let settings: Settings = settings(with)?;
        Ok(Arc::new(Counterpart { description: describe(), settings, store: Arc::clone(&ports.store) }))
    });
}

#[async_trait]
impl ProcessAction for Counterpart {
    fn describe(&self) -> &NodeDescription {
        &self.description
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        Ok(match self.store.counterpart(&hint.record, &self.settings.target).await? {
            Some(record) => dto.with("counterpart", record.id).follow("found"),
            None => dto.follow("missing"),
        })
    }
}
