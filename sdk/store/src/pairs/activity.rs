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
        let mut pairs = work.pairs_of(record)?;
        for pair in pairs.iter_mut().filter(|pair| pair.is_active()) {
            if let Some(open) = pair.open.clone() {
                work.supersede(open)?;
            }
            let changed = Arc::make_mut(pair);
            changed.open = None;
            changed.state = PairState::Inactive { gone: record.system.clone(), since: work.now };
            changed.touched(work.now);
            work.save_pair(Arc::clone(pair))?;
        }
        Ok(pairs.into_iter().next().map(Arc::unwrap_or_clone))
    }
}

pub(super) struct Reactivate(pub(super) RecordId);

impl Command for Reactivate {
    type Answer = Option<Pair>;

    fn run(&self, work: &mut Work<'_>) -> Result<Option<Pair>, Failure> {
        let Self(record) = self;
        close_reservations(work, record, false)?;
        let mut pairs = work.pairs_of(record)?;
        // The other record may be gone too; then it takes that one to come back.
        let back =
            |pair: &&mut Arc<Pair>| matches!(&pair.state, PairState::Inactive { gone, .. } if *gone == record.system);
        for pair in pairs.iter_mut().filter(back) {
            let changed = Arc::make_mut(pair);
            changed.state = PairState::Active;
            changed.touched(work.now);
            work.save_pair(Arc::clone(pair))?;
        }
        Ok(pairs.into_iter().next().map(Arc::unwrap_or_clone))
    }
}

fn close_reservations(work: &mut Work<'_>, source: &RecordId, closed: bool) -> Result<(), Failure> {
    work.run(
        "UPDATE reservation SET closed = ?3 WHERE source_system = ?1 AND source_id = ?2",
        params![source.system.as_str(), source.id, closed],
    )?;
    Ok(())
}
