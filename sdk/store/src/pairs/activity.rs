//! A record that is gone, and one that is back. No row is ever deleted for it.

use std::sync::Arc;

use pairline_sdk::{Pair, PairState, RecordId};
use rusqlite::params;

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Deactivate(pub(super) RecordId);

impl Command for Deactivate {
    type Answer = Option<Pair>;

    fn run(&self, work: &mut Work<'_>) -> Result<Option<Pair>, Failure> {
        let Self(record) = self;
        close_reservations(work, record, true)?;
        let now = work.now;
        for pair in work.pairs_of(record)?.into_iter().filter(|pair| pair.is_active()) {
            if let Some(open) = &pair.open {
                work.supersede(Arc::clone(open))?;
            }
            work.change_pair(pair.id, |pair| {
                pair.state = PairState::Inactive { gone: record.system.clone(), since: now };
                pair.touched(now);
            })?;
        }
        first_of(work, record)
    }
}

pub(super) struct Reactivate(pub(super) RecordId);

impl Command for Reactivate {
    type Answer = Option<Pair>;

    fn run(&self, work: &mut Work<'_>) -> Result<Option<Pair>, Failure> {
        let Self(record) = self;
        close_reservations(work, record, false)?;
        let now = work.now;
        // The other record may be gone too; then it takes that one to come back.
        let back = |pair: &Arc<Pair>| matches!(&pair.state, PairState::Inactive { gone, .. } if *gone == record.system);
        for pair in work.pairs_of(record)?.into_iter().filter(back) {
            work.change_pair(pair.id, |pair| pair.came_back(now))?;
        }
        first_of(work, record)
    }
}

fn first_of(work: &Work<'_>, record: &RecordId) -> Result<Option<Pair>, Failure> {
    Ok(work.pairs_of(record)?.into_iter().next().map(Arc::unwrap_or_clone))
}

fn close_reservations(work: &mut Work<'_>, source: &RecordId, closed: bool) -> Result<(), Failure> {
    work.run(
        "UPDATE reservation SET closed = ?3 WHERE source_system = ?1 AND source_id = ?2",
        params![source.system.as_str(), source.id, closed],
    )?;
    Ok(())
}
