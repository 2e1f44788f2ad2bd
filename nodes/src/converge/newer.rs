//! Whose edit of a shared field is the newer one, when both sides have changed it.
//!
//! An edit was made before its news reached us, and no later than the last change of its record; the earlier of the two
//! counts, so that an old edit does not win for being heard of late. But a record may have changed once more since its
//! news, and the news of that may be late or lost. Then the edit is the announced one or the unheard one. What the
//! ledger remembers of the record tells in many cases; where it does not, the news is waited for, for a while.

use std::time::Duration;

use pairline_sdk::{Field, Fields, Operation, OperationState, Record, System, Timestamp};

use super::{FieldState, Need, Receipts, Sight};

/// How much later than it was a change may seem to be: a `Date` tells whole seconds, and its answer took its time.
const BLUR: Duration = Duration::from_millis(1500);

/// How long after a change its news is waited for. A delivery that failed comes again within this time four times, and a
/// poll names the record.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// Whether the near side's edit of this field is the newer one.
pub(super) fn near_is_newer(sight: &Sight<'_>, field: &Field, states: &[FieldState<'_>]) -> Result<bool, Need> {
    let operations = sight.operations.ok_or(Need::Operations)?;
    let near = Side {
        operations,
        sight,
        system: sight.near,
        record: Some(sight.near_record),
        received: Some(sight.near_received),
        field,
        only_change: states.iter().filter(|state| state.near_changed).count() == 1,
    };
    let far = Side {
        system: sight.contract.other(sight.near),
        record: sight.far_record,
        received: sight.far_received,
        only_change: states.iter().filter(|state| state.far_changed).count() == 1,
        ..near
    };
    if let Some(verdict) = unanimous(near.possible(), far.possible(), sight) {
        return Ok(verdict);
    }
    let last = near.unheard().into_iter().chain(far.unheard()).max().unwrap_or_default();
    let until = last.plus(HEARD_WITHIN);
    if sight.now < until {
        return Err(Need::News(until));
    }
    Ok(is_newer(near.heard(), far.heard(), sight))
}

/// When an edit was made, as far as we know.
type Time = Option<Timestamp>;

/// Whose edit is newer, if that is the same whichever of its possible times each was made at.
fn unanimous(near: [Time; 2], far: [Time; 2], sight: &Sight<'_>) -> Option<bool> {
    let mut verdicts = near.iter().flat_map(|near| far.iter().map(|far| is_newer(*near, *far, sight)));
    let first = verdicts.next()?;
    verdicts.all(|verdict| verdict == first).then_some(first)
}

/// What has no time at all has its news still on its way to us, and it will have been the last.
fn is_newer(near: Time, far: Time, sight: &Sight<'_>) -> bool {
    match (near, far) {
        (Some(near), Some(far)) => near > far,
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => *sight.near == sight.contract.systems()[0],
    }
}

/// One side, and what is known of its edit.
#[derive(Clone, Copy)]
struct Side<'a> {
    sight: &'a Sight<'a>,
    system: &'a System,
    record: Option<&'a Record>,
    received: Option<&'a Receipts>,
    operations: &'a [Operation],
    field: &'a Field,
    /// No other field of the record has changed.
    only_change: bool,
}

impl Side<'_> {
    /// News of the field itself. What names no field, as the poll does, may speak of any other.
    fn named(&self) -> Time {
        let names = self.field.names(self.sight.contract, self.system).iter();
        names.filter_map(|name| self.news_of(name)).max()
    }

    fn news_of(&self, name: &str) -> Time {
        self.received?.get(name).copied().filter(|news| !self.is_spent(*news))
    }

    /// Whether the field was seen with another value after some news had come: that news is not of what it holds now.
    fn is_spent(&self, news: Timestamp) -> bool {
        let seen_since = self.operations.iter().filter(|operation| operation.first_sent_at > news);
        seen_since.filter_map(|operation| self.holds_what_was_seen(operation)).any(|same| !same)
    }

    /// When the edit was made that was announced.
    fn heard(&self) -> Time {
        let news = self.named().or_else(|| self.news_of("*"));
        news.into_iter().chain(self.changed_at()).min()
    }

    /// When the record last changed, if that was after everything that was told of its fields and is not our own doing.
    fn unheard(&self) -> Time {
        self.named()?;
        let told = self.received?.iter().filter(|(name, _)| *name != "*").map(|(_, at)| *at).max()?;
        let changed = self.changed_at().filter(|changed| told.plus(BLUR) < *changed)?;
        (!self.operations.iter().any(|operation| self.has_made(operation, changed))).then_some(changed)
    }

    fn changed_at(&self) -> Time {
        self.record.and_then(|record| record.changed_at)
    }

    /// When the edit may have been made.
    fn possible(&self) -> [Time; 2] {
        let heard = self.heard();
        let unheard = self.unheard();
        match unheard {
            None => [heard; 2],
            Some(_) if self.only_change => [unheard; 2],
            Some(_) => [heard, unheard],
        }
    }

    /// Whether an operation of ours may have made the record's last change.
    fn has_made(&self, operation: &Operation, change: Timestamp) -> bool {
        let arrived = match operation.state {
            OperationState::Committed => true,
            OperationState::Failed | OperationState::NotSent => false,
            OperationState::Pending | OperationState::Unknown | OperationState::Superseded => {
                operation.writes.iter().all(|write| self.holds(&write.field, &write.value))
            }
        };
        let over = operation.ended_at.unwrap_or_else(|| operation.quiet_at());
        operation.target == *self.system && arrived && change <= over.plus(BLUR)
    }

    /// Whether the field still is as it was when an operation was decided on, if it was looked at then.
    fn holds_what_was_seen(&self, operation: &Operation) -> Option<bool> {
        let write = operation.writes.iter().find(|write| write.field == self.field.name())?;
        let seen = if operation.target == *self.system { write.seen_target.as_ref()? } else { &write.seen_source };
        Some(self.holds(self.field.name(), seen))
    }

    /// Whether a field holds a value.
    fn holds(&self, field: &str, value: &Fields) -> bool {
        let Some((field, record)) = self.sight.contract.field(field).zip(self.record) else { return false };
        let canonical = |fields| field.canonical(self.sight.contract, self.system, fields);
        canonical(value) == canonical(&record.fields)
    }
}
