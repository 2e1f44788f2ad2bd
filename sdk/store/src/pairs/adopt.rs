//! A record that carries an inverse id and has no pair: the outcome of a create, a copy, or one of a pair to be found.

use std::sync::Arc;

use pairline_sdk::{Adopted, Adoption, OperationState, Outcome, Pair, PairId, RecordId};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Adopt(pub(super) Adoption);

impl Command for Adopt {
    type Answer = Adopted;

    fn run(&self, work: &mut Work<'_>) -> Result<Adopted, Failure> {
        let Self(adoption) = self;
        let (system, names) = (&adoption.system, &adoption.names);
        let record = RecordId::new(system, &adoption.record.id);

        let of_named = work.standing(names, system)?;
        if let Some(pair) = of_named.pair {
            let taken = pair.side(system).record.clone();
            if taken == record {
                return Ok(paired(pair));
            }
            let detail = "the first record names a record that is paired with the second";
            return copy(work, vec![record, taken, names.clone()], detail);
        }
        if let Some(pair) = work.standing(&record, &names.system)?.pair {
            let other = pair.side(&names.system).record.clone();
            let detail = "the first record is paired with the second and names the third";
            return copy(work, vec![record, other, names.clone()], detail);
        }

        let closed = of_named.reservation.as_ref().is_some_and(|reservation| reservation.closed);
        let open = of_named.reservation.filter(|open| open.operation.state != OperationState::Failed);
        if let Some(reservation) = open {
            let mut create = reservation.operation;
            if let Some(made) = create.target_id.as_ref().filter(|made| **made != record.id) {
                let records = vec![record, RecordId::new(system, made), names.clone()];
                let detail = "two records name the same record, and a create of ours made the second";
                return copy(work, records, detail);
            }
            if create.settle(create.attempts, &Outcome::Committed { record: adoption.record.clone() }, work.now) {
                // The record may have been edited since it was made: what we sent is what was agreed.
                create.answered = None;
            }
            return Ok(paired(work.give_birth(Arc::new(create), &record.id, closed)?));
        }
        if closed {
            return Ok(Adopted::Inactive);
        }
        if !adoption.verified {
            return Ok(Adopted::Unverified);
        }
        let pair = Pair::found(PairId(0), &adoption.contract, [names.clone(), record], &adoption.topology, work.now);
        Ok(paired(work.insert_pair(pair)?))
    }
}

fn paired(pair: Arc<Pair>) -> Adopted {
    if pair.is_active() { Adopted::Paired(pair) } else { Adopted::Inactive }
}

fn copy(work: &mut Work<'_>, records: Vec<RecordId>, detail: &str) -> Result<Adopted, Failure> {
    Ok(Adopted::Copy(work.open_copy_case(records, detail)?))
}
