//! A past value: what a property has held since when, and who put it there.

use serde::Serialize;

use crate::crm::contact::text_stored;
use crate::crm::event::{PERSON, source};
use crate::history::{WriteEntry, Writer};
use crate::stamp;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PastValue {
    value: String,
    timestamp: String,
    source_type: &'static str,
    source_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by_user_id: Option<u64>,
}

/// The values that a property has had by these writes, the newest first.
pub(crate) fn past_values(name: &str, history: &[WriteEntry], app_id: &str) -> Vec<PastValue> {
    let changes = history.iter().rev().filter(|entry| entry.changed.iter().any(|changed| changed == name));
    let past_value = |entry: &WriteEntry| {
        let (source_type, source_id) = source(&entry.writer, app_id);
        let text = entry.fields.get(name).and_then(|sent| text_stored(name, sent).ok());
        PastValue {
            value: text.as_ref().and_then(|text| text.as_str()).unwrap_or_default().to_owned(),
            timestamp: stamp::to_text(entry.at_ms),
            source_type,
            source_id: source_id.to_owned(),
            updated_by_user_id: (entry.writer == Writer::Person).then_some(PERSON),
        }
    };
    changes.map(past_value).collect()
}
