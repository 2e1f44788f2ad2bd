//! `writes`: sends what the ledger holds, to the systems that are granted, and nothing else.

use pairline_sdk::{OperationId, System, Write};

use super::ledger::State;
use super::{json, read};
use crate::bindings::pairline::node::types::Failure;
use crate::bindings::pairline::node::writes::Host;
use crate::failure::refused;
use crate::instances::Call;

/// Writes that one message may have rendered.
const MOST_RENDERED: usize = 32;

impl Host for Call {
    async fn render(&mut self, system: String, write: String) -> Result<String, Failure> {
        let write: Write = read("a write", &write)?;
        let request = self.granted.writable(&system)?.render(&write).map_err(refused)?;
        if self.work.rendered.len() >= MOST_RENDERED {
            return Err(refused(format!("one message renders at most {MOST_RENDERED} writes")));
        }
        let rendered = json(&request);
        self.work.rendered.push((System::new(&system), write, request));
        Ok(rendered)
    }

    async fn send(&mut self, operation: String) -> Result<String, Failure> {
        let id = OperationId(operation);
        let standing = self.work.won.get_mut(&id);
        let standing = standing.ok_or_else(|| refused(format!("{id} was not begun by this message")))?;
        let application = self.granted.writable(standing.intent.operation().target.as_str())?;
        if standing.state != State::Won {
            return Err(refused(format!("{id} was sent already")));
        }
        standing.state = State::Sending;
        let intent = standing.intent.clone();
        let outcome = application.send(&intent).await;
        let told = json(&outcome);
        if let Some(standing) = self.work.won.get_mut(&id) {
            standing.state = State::Answered(outcome);
        }
        Ok(told)
    }
}
