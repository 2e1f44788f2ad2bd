//! What a system's webhooks look like, and how its description says so.

use std::collections::BTreeMap;

use pairline_sdk::EventKind;

use super::check::{Check, Echo};
use super::document::{BodyDocument, EventDocument, WebhookDocument};
use super::signature::SignatureScheme;
use super::subscriptions::Subscriptions;
use crate::application::pointer::Pointer;
use crate::application::record_shape::Renamed;
use crate::application::template::Template;

/// A system's webhooks.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// How a delivery proves where it comes from.
    pub(crate) signature: SignatureScheme,
    /// Whether a delivery is a list of events, or one.
    pub(crate) batch: bool,
    /// Where an event holds its parts.
    pub(crate) event: EventShape,
    /// How the system is asked what it was told to send.
    pub(crate) subscriptions: Option<Subscriptions>,
}

/// Where an event holds its parts.
#[derive(Clone, Debug, Default)]
pub struct EventShape {
    /// What together is its key.
    pub(crate) key: Vec<Pointer>,
    /// The record's id.
    pub(crate) record: Pointer,
    /// What happened.
    pub(crate) kind: Pointer,
    /// The texts for what happened; none: an event that is of no interest.
    pub(crate) kinds: Vec<(String, Option<EventKind>)>,
    /// The field that changed.
    pub(crate) field: Option<Pointer>,
    /// Its new value.
    pub(crate) value: Option<Pointer>,
    /// A list of the fields that changed.
    pub(crate) changed: Option<Pointer>,
    /// What all must be there for the actor to be us.
    pub(crate) actor: Vec<(Pointer, String)>,
    /// Fields that events call otherwise than writes do.
    pub(crate) renamed: Renamed,
    /// Our marker as it comes back, with the operation id in it.
    pub(crate) operation: Option<(Pointer, Template)>,
    /// Whether one event may tell of several writes.
    pub(crate) of_several: bool,
}

impl Check<'_> {
    pub(super) fn webhook(
        &mut self,
        written: &WebhookDocument,
        application: &str,
        echo: Echo,
        renamed: &BTreeMap<String, String>,
    ) -> Webhook {
        if echo.operation.is_none() && echo.actor.is_empty() {
            self.warn(
                &["echo"],
                "expected `actor` or an `operation` that comes back in an event: else no echo is recognized",
            );
        }
        let event = EventShape { renamed: Renamed::new(renamed), ..self.event(&written.event, echo) };
        if event.kinds.iter().all(|(_, kind)| kind.is_none()) {
            self.note(&["webhook", "event", "kind"], format!("expected at least one kind of event of {application}"));
        }
        Webhook {
            signature: self.signature(&written.signature),
            batch: written.body == BodyDocument::Batch,
            event,
            subscriptions: written.subscriptions.as_ref().map(|subscriptions| self.subscriptions(subscriptions)),
        }
    }

    fn event(&mut self, written: &EventDocument, echo: Echo) -> EventShape {
        let at = |last| ["webhook", "event", last];
        let kinds = [
            (&written.kind.created, Some(EventKind::Created)),
            (&written.kind.updated, Some(EventKind::Updated)),
            (&written.kind.deleted, Some(EventKind::Deleted)),
            (&written.kind.ignored, None),
        ];
        let kinds = kinds.into_iter().flat_map(|(texts, kind)| texts.iter().map(move |text| (text.clone(), kind)));
        EventShape {
            key: written.key.iter().map(|text| self.pointer(&at("key"), text)).collect(),
            record: self.pointer(&at("record"), &written.record),
            kind: self.pointer(&["webhook", "event", "kind", "at"], &written.kind.at),
            kinds: kinds.collect(),
            field: self.optional_pointer(&at("field"), written.field.as_ref()),
            value: self.optional_pointer(&at("value"), written.value.as_ref()),
            changed: self.optional_pointer(&at("changed"), written.changed.as_ref()),
            actor: echo.actor,
            operation: echo.operation,
            of_several: echo.of_several,
            renamed: Renamed::default(),
        }
    }
}
