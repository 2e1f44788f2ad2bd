//! Cases: opened by whoever finds something only a person can decide, closed by a person.

use pairline_sdk::{Case, CaseId};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Open(pub(super) Case);

impl Command for Open {
    type Answer = CaseId;

    fn run(&self, work: &mut Work<'_>) -> Result<CaseId, Failure> {
        work.open_case(&self.0)
    }
}

pub(super) struct Close(pub(super) CaseId);

impl Command for Close {
    type Answer = bool;

    fn run(&self, work: &mut Work<'_>) -> Result<bool, Failure> {
        let statement = "UPDATE cases SET closed_at = ?2 WHERE id = ?1 AND closed_at IS NULL";
        Ok(work.run(statement, (self.0.0, work.now.as_millis()))? > 0)
    }
}
