//! The pair that a committed create has made.

use async_trait::async_trait;
use pairline_sdk::{OperationId, OperationKind, OperationState, Persisted};

use crate::failure::Failure;
use crate::known::Needs;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Persist(pub(super) OperationId);

#[async_trait]
impl Command for Persist {
    type Answer = Persisted;

    fn needs(&self, needs: &mut Needs<'_>) {
        let Some(create) = needs.operation(&self.0) else { return };
        needs.place(&create.source, &create.target);
        if let Some(made) = create.target_record() {
            needs.place(&made, &create.source.system);
        }
    }

    async fn run(&self, work: &mut Work<'_>) -> Result<Persisted, Failure> {
        let Some(create) = work.operation(&self.0).await? else { return Ok(Persisted::Nothing) };
        let (OperationKind::Create, OperationState::Committed, Some(made)) =
            (create.kind, create.state, create.target_record())
        else {
            return Ok(Persisted::Nothing);
        };
        let of_source = work.standing(&create.source, &create.target).await?;
        let of_made = work.standing(&made, &create.source.system).await?;
        match (of_source.pair, of_made.pair) {
            (None, None) => {
                let closed = of_source.reservation.is_some_and(|reservation| reservation.closed);
                Ok(Persisted::Recorded(work.give_birth(create, &made.id, closed).await?))
            }
            (Some(pair), Some(other)) if pair.id == other.id => Ok(Persisted::Already(pair)),
            (one, other) => {
                let taken = one.or(other).map(|pair| pair.side(&create.target).record.clone());
                let records = [Some(made), taken, Some(create.source.clone())].into_iter().flatten().collect();
                let detail = "a create has made a record and one of the two is paired otherwise";
                Ok(Persisted::Conflict(work.open_copy_case(records, detail).await?))
            }
        }
    }
}
