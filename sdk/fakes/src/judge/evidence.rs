//! Evidence: both systems as they are, and every write that made them so.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::crm::Crm;
use crate::erp::Erp;
use crate::history::{RecordView, WriteEntry, Writer};
use crate::judge::meaning::{Meaning, Side};

/// A record and how it came to be.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// As it is now.
    pub view: RecordView,
    /// Its writes, oldest first.
    pub history: Vec<WriteEntry>,
}

/// What an audit is made from.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Evidence {
    /// The CRM's records by id, archived ones too.
    pub crm: BTreeMap<String, Record>,
    /// The ERP's records by id, deleted ones too.
    pub erp: BTreeMap<String, Record>,
    /// When the program was killed, by the systems' clock.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub killed_at_ms: Vec<i64>,
}

impl Evidence {
    /// Takes it from both systems.
    pub fn of(crm: &Crm, erp: &Erp) -> Self {
        let record = |view: RecordView, history| (view.id.clone(), Record { view, history });
        Self {
            crm: crm
                .snapshot()
                .into_iter()
                .map(|view| (crm.history(&view.id), view))
                .map(|(h, v)| record(v, h))
                .collect(),
            erp: erp
                .snapshot()
                .into_iter()
                .map(|view| (erp.history(&view.id), view))
                .map(|(h, v)| record(v, h))
                .collect(),
            killed_at_ms: Vec::new(),
        }
    }

    /// The same of a program that was killed then.
    #[must_use]
    pub fn killed(self, at_ms: Vec<i64>) -> Self {
        Self { killed_at_ms: at_ms, ..self }
    }

    /// The same in one spelling, for people who type in a hurry and a system that tidies what it is given.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        for record in self.crm.values_mut().chain(self.erp.values_mut()) {
            let written = record.history.iter_mut().map(|write| &mut write.fields);
            for fields in written.chain([&mut record.view.fields]) {
                for meaning in [Meaning::Email, Meaning::Phone] {
                    if let Some(Value::String(text)) =
                        meaning.fields(Side::Crm).first().and_then(|f| fields.get_mut(*f))
                    {
                        *text = meaning.tidied(text);
                    }
                }
            }
        }
        self
    }

    /// The records of one side.
    pub fn side(&self, side: Side) -> &BTreeMap<String, Record> {
        match side {
            Side::Crm => &self.crm,
            Side::Erp => &self.erp,
        }
    }

    /// Every write the sync made, with its side.
    pub(crate) fn sync_writes(&self) -> impl Iterator<Item = (Side, &WriteEntry)> {
        Side::BOTH.into_iter().flat_map(|side| {
            let writes = self.side(side).values().flat_map(|record| &record.history);
            writes.filter(|write| is_sync(&write.writer)).map(move |write| (side, write))
        })
    }
}

/// Only the program calls the API; people and other tools do not.
pub(crate) fn is_sync(writer: &Writer) -> bool {
    matches!(writer, Writer::Caller { .. })
}
