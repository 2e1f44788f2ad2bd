//! ERP webhooks: what happened to which customer, and never a value.

use serde::Serialize;

use crate::delivery::Letter;
use crate::history::Writer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum EventType {
    #[serde(rename = "customer.created")]
    Created,
    #[serde(rename = "customer.updated")]
    Updated,
    #[serde(rename = "customer.deleted")]
    Deleted,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CustomerEvent {
    pub(crate) event_id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: EventType,
    pub(crate) customer_id: String,
    pub(crate) occurred_at: String,
    pub(crate) changed_fields: Vec<String>,
    pub(crate) origin: Option<String>,
}

impl CustomerEvent {
    /// A person has no origin; a caller has the one it sent.
    pub(crate) fn origin_of(writer: &Writer) -> Option<String> {
        match writer {
            Writer::Caller { origin, .. } => origin.clone(),
            Writer::Tool { name } => Some(name.clone()),
            Writer::Person => None,
        }
    }
}

impl Letter for CustomerEvent {
    /// Every attempt is the same bytes: the ERP does not number them.
    fn body(&self, _attempt: u32) -> Vec<u8> {
        serde_json::to_vec(self).expect("an event holds only texts")
    }
}
