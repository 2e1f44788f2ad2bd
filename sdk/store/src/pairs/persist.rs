//! The pair that a committed create has made.

use pairline_sdk::{OperationId, OperationKind, OperationState, Persisted};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Persist(pub(super) OperationId);

impl Command for Persist {
    type Answer = Persisted;

    fn run(&self, work: &mut Work<'_>) -> Result<Persisted, Failure> {
        let Some(create) = work.operation(&self.0, None)? else { return Ok(Persisted::Nothing) };
        let (OperationKind::Create, OperationState::Committed, Some(made)) =
            (create.kind, create.state, create.target_record())
        else {
            return Ok(Persisted::Nothing);
        };
        let of_source = work.standing(&create.source, &create.target)?;
        let of_made = work.standing(&made, &create.source.system)?;
        match (of_source.pair, of_made.pair) {
            (None, None) => {
                let closed = of_source.reservation.is_some_and(|reservation| reservation.closed);
                Ok(Persisted::Recorded(work.give_birth(create, &made.id, closed)?))
            }
            (Some(pair), Some(other)) if pair.id == other.id => Ok(Persisted::Already(pair)),
            (one, other) => {
                let records = create.records_in_conflict(one.as_deref(), other.as_deref());
                let detail = "a create has made a record and one of the two is paired otherwise";
                Ok(Persisted::Conflict(work.open_copy_case(records, detail)?))
            }
        }
    }
}
