//! A record that is gone, and one that is back. No row is ever deleted for it.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{Pair, PairState, RecordId};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct Deactivate(pub(super) RecordId);

#[async_trait]
impl Command for Deactivate {
    type Answer = Option<Pair>;

    async fn run(&self, work: &mut Work<'_>) -> Result<Option<Pair>, Failure> {
        let Self(record) = self;
        close_reservations(work, record, true).await?;
        let mut pairs = work.pairs_of(record).await?;
        for pair in pairs.iter_mut().filter(|pair| pair.is_active()) {
            if let Some(open) = pair.open.clone() {
                work.supersede(open).await?;
            }
            let changed = Arc::make_mut(pair);
            changed.open = None;
            changed.state = PairState::Inactive { gone: record.system.clone(), since: work.now };
            changed.touched(work.now);
            work.save_pair(Arc::clone(pair));
        }
        Ok(pairs.into_iter().next().map(Arc::unwrap_or_clone))
    }
}

pub(super) struct Reactivate(pub(super) RecordId);

#[async_trait]
impl Command for Reactivate {
    type Answer = Option<Pair>;

    async fn run(&self, work: &mut Work<'_>) -> Result<Option<Pair>, Failure> {
        let Self(record) = self;
        close_reservations(work, record, false).await?;
        let mut pairs = work.pairs_of(record).await?;
        // The other record may be gone too; then it takes that one to come back.
        let back =
            |pair: &&mut Arc<Pair>| matches!(&pair.state, PairState::Inactive { gone, .. } if *gone == record.system);
        for pair in pairs.iter_mut().filter(back) {
            let changed = Arc::make_mut(pair);
            changed.state = PairState::Active;
            changed.touched(work.now);
            work.save_pair(Arc::clone(pair));
        }
        Ok(pairs.into_iter().next().map(Arc::unwrap_or_clone))
    }
}

async fn close_reservations(work: &mut Work<'_>, source: &RecordId, closed: bool) -> Result<(), Failure> {
    sqlx::query("UPDATE reservation SET closed = $3 WHERE source_system = $1 AND source_id = $2")
        .bind(source.system.as_str())
        .bind(source.id.as_str())
        .bind(closed)
        .execute(work.connection().await?)
        .await?;
    Ok(())
}
