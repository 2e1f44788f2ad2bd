//! `pairs`: looks at the id mapping.

use std::sync::Arc;

use pairline_sdk::{Echo, EventFacts, Pair, RecordId, System};

use super::{json, read};
use crate::bindings::pairline::node::pairs::Host;
use crate::bindings::pairline::node::types::Failure;
use crate::failure::told;
use crate::instances::Call;

/// Operations that are told at once.
const MOST_OPERATIONS: u32 = 100;

impl Host for Call {
    async fn look(&mut self, system: String, id: String, target: String) -> Result<String, Failure> {
        let record = RecordId::new(&System::new(&system), id);
        let store = &self.granted.ports()?.store;
        store.look(&record, &System::new(&target)).await.map(|look| json(&look)).map_err(told)
    }

    async fn counterpart(&mut self, system: String, id: String, target: String) -> Result<Option<String>, Failure> {
        let (record, target) = (RecordId::new(&System::new(&system), id), System::new(&target));
        let store = &self.granted.ports()?.store;
        store.counterpart(&record, &target).await.map(|found| found.map(|record| record.id)).map_err(told)
    }

    async fn echo(&mut self, system: String, id: String, facts: String) -> Result<String, Failure> {
        let record = RecordId::new(&System::new(&system), id);
        let facts: EventFacts = read("the facts of an event", &facts)?;
        let echo = self.granted.ports()?.store.echo(&record, &facts).await.map_err(told)?;
        if let Echo::Arrived(update) = &echo {
            self.work.arrived.push(Arc::clone(update));
        }
        Ok(json(&echo))
    }

    async fn recent(&mut self, pair: String, most: u32) -> Result<String, Failure> {
        let pair: Pair = read("a pair", &pair)?;
        let store = &self.granted.ports()?.store;
        let most = most.min(MOST_OPERATIONS) as usize;
        store.recent(&pair, most).await.map(|operations| json(&operations)).map_err(told)
    }
}
