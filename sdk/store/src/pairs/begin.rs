//! Decisions about a pair: an update to be sent, or that nothing is to be sent. Both hold only for the revision that
//! was read.

use std::sync::Arc;

use pairline_sdk::{Begin, Intent, Rebase, Revision, Update};

use crate::failure::Failure;
use crate::work::Work;
use crate::writer::Command;

pub(super) struct BeginUpdate {
    pub(super) update: Update,
    pub(super) revision: Revision,
}

impl Command for BeginUpdate {
    type Answer = Begin;

    fn run(&self, work: &mut Work<'_>) -> Result<Begin, Failure> {
        let Self { update, revision } = self;
        let Some(pair) = work.pair(update.pair)? else { return Ok(Begin::Stale) };
        let open = pair.open.clone();
        if let Some(open) = &open
            && update.supersedes.as_ref() != Some(&open.id)
        {
            return Ok(Begin::Busy(open.id.clone()));
        }
        if pair.revision != *revision || !pair.is_active() {
            return Ok(Begin::Stale);
        }
        if let Some(open) = open {
            work.supersede(open)?;
        }
        let operation = Arc::new(update.operation(work.next_operation(), &pair, work.now, work.start));
        // The intent guards the pair by itself; its row is written again when the update has ended.
        if !update.rebase.is_empty() {
            let now = work.now;
            work.change_pair(pair.id, |pair| pair.rebased(&update.rebase, now))?;
        }
        work.add_notes(pair.id, &update.notes)?;
        work.insert_operation(&operation)?;
        Ok(Begin::Won(Intent::recorded(operation)))
    }
}

pub(super) struct TakeAsAgreed(pub(super) Rebase);

impl Command for TakeAsAgreed {
    type Answer = bool;

    fn run(&self, work: &mut Work<'_>) -> Result<bool, Failure> {
        let Self(rebase) = self;
        let Some(pair) = work.pair(rebase.pair)? else { return Ok(false) };
        let open = pair.open.clone();
        let foreign = open.as_ref().is_some_and(|open| rebase.supersedes.as_ref() != Some(&open.id));
        if pair.revision != rebase.revision || foreign {
            return Ok(false);
        }
        if let Some(open) = open {
            work.supersede(open)?;
        }
        let now = work.now;
        work.change_pair(pair.id, |pair| pair.agreed(&rebase.changes, &rebase.inverse_seen, now))?;
        work.add_notes(pair.id, &rebase.notes)?;
        Ok(true)
    }
}
