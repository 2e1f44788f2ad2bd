//! History: who wrote what into a record, and when. It is what a run is judged by afterwards.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

/// The oldest writes of one record are forgotten past this many; a sync that needs more has run away.
pub const HISTORY_MAX_WRITES: usize = 10_000;

/// Who made a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Writer {
    /// A caller of the HTTP API. For the CRM `origin` is the app's id; for the ERP it is the request's
    /// `X-Sync-Origin`, if it sent one.
    Caller {
        /// What the webhook will say the write came from.
        origin: Option<String>,
        /// How the call went.
        visit: Visit,
    },
    /// Somebody at the screen.
    Person,
    /// Another integration.
    Tool {
        /// The CRM's `sourceId`, the ERP's `origin`.
        name: String,
    },
}

/// How the call went that made a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Visit {
    /// When it came. The write may have been applied later.
    pub came_ms: i64,
    /// Whether its caller was told what became of it.
    pub answered: bool,
}

/// What a write did to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The record was made.
    Created,
    /// The record was saved, with or without a change.
    Updated,
    /// The record was archived or deleted.
    Deleted,
    /// An archived or deleted record was brought back.
    Restored,
}

/// One write of one record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WriteEntry {
    /// When it was applied.
    pub at_ms: i64,
    /// Who made it.
    pub writer: Writer,
    /// What it did.
    pub deed: Deed,
    /// The fields as they were sent, changed or not; null empties a field.
    pub fields: Map<String, Value>,
    /// The names of the top-level fields whose value changed.
    pub changed: Vec<String>,
}

/// A record as an audit sees it: archived and deleted ones too.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordView {
    /// The id as the API shows it.
    pub id: String,
    /// The CRM's properties or the ERP's fields, without the ones the system itself keeps.
    pub fields: Map<String, Value>,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it was last saved.
    pub updated_at_ms: i64,
    /// Archived (CRM) or deleted (ERP).
    pub gone: bool,
}

#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<WriteEntry>);

impl History {
    pub(crate) fn note(&mut self, entry: WriteEntry) {
        if self.0.len() == HISTORY_MAX_WRITES {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<WriteEntry> {
        self.0.iter().cloned().collect()
    }
}
