//! CRM webhooks: a JSON array of events, in the shape of HubSpot's.

use serde::Serialize;

use crate::delivery::Letter;
use crate::history::Writer;

/// Who at the screen made a person's edit; one screen is enough.
pub(crate) const PERSON: u64 = 1;
const PERSON_SOURCE: &str = "userId:1";
const PORTAL_ID: u64 = 6_001;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Subscription {
    #[serde(rename = "contact.creation")]
    Creation,
    #[serde(rename = "contact.propertyChange")]
    PropertyChange,
    #[serde(rename = "contact.deletion")]
    Deletion,
}

impl Subscription {
    /// Subscriptions are numbered in the order an admin would have made them.
    fn id(self) -> u64 {
        match self {
            Subscription::Creation => 1,
            Subscription::PropertyChange => 2,
            Subscription::Deletion => 3,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContactEvent {
    event_id: u64,
    subscription_id: u64,
    portal_id: u64,
    app_id: u64,
    occurred_at: i64,
    subscription_type: Subscription,
    attempt_number: u32,
    object_id: u64,
    change_source: &'static str,
    source_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_value: Option<String>,
}

/// What kind of source a write came from, and which one.
pub(crate) fn source<'a>(writer: &'a Writer, app_id: &'a str) -> (&'static str, &'a str) {
    match writer {
        Writer::Caller { .. } => ("INTEGRATION", app_id),
        Writer::Tool { name } => ("INTEGRATION", name),
        Writer::Person => ("CRM_UI", PERSON_SOURCE),
    }
}

/// What is the same for all events of one write.
pub(crate) struct Occasion<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) object_id: u64,
    pub(crate) occurred_at: i64,
    pub(crate) writer: &'a Writer,
}

impl Occasion<'_> {
    pub(crate) fn event(&self, event_id: u64, subscription_type: Subscription) -> ContactEvent {
        let (change_source, source_id) = source(self.writer, self.app_id);
        ContactEvent {
            event_id,
            subscription_id: subscription_type.id(),
            portal_id: PORTAL_ID,
            app_id: self.app_id.parse().unwrap_or_default(),
            occurred_at: self.occurred_at,
            subscription_type,
            attempt_number: 0,
            object_id: self.object_id,
            change_source,
            source_id: source_id.to_owned(),
            property_name: None,
            property_value: None,
        }
    }

    pub(crate) fn change(&self, event_id: u64, name: &str, value: &str) -> ContactEvent {
        ContactEvent {
            property_name: Some(name.to_owned()),
            property_value: Some(value.to_owned()),
            ..self.event(event_id, Subscription::PropertyChange)
        }
    }
}

/// One delivery. Every attempt says its number and keeps the event ids.
pub(crate) struct ContactEvents(pub(crate) Vec<ContactEvent>);

impl Letter for ContactEvents {
    fn body(&self, attempt: u32) -> Vec<u8> {
        let mut events = self.0.clone();
        for event in &mut events {
            event.attempt_number = attempt;
        }
        serde_json::to_vec(&events).expect("an event holds only texts and numbers")
    }
}
