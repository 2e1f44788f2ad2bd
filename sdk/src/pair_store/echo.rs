//! Whether an event is our own write coming back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Look;
use crate::record::is_empty;
use crate::{EventFacts, EventKind, Operation, OperationState, Pair, RecordId};

/// Whether a hint is our own write coming back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "kebab-case")]
pub enum Echo {
    /// It is: drop it.
    Own,
    /// It is, and proves that this update of unknown outcome has arrived; whether it is that alone,
    /// [`of_several`](EventFacts::of_several) tells. Say so with
    /// [`arrived`](super::PairStore::arrived) before it is dropped: nothing else tells an update that a person has taken
    /// back from one that never arrived.
    Arrived(Arc<Operation>),
    /// It belongs to an operation that is under way; its answer will tell. Until that is written down, the event is the
    /// only proof that the operation has arrived, so it must not be dropped.
    UnderWay,
    /// It is not known to be: read the record.
    Foreign,
}

/// Decides what an event is from what stands in the mapping and the ledger: the rules (a) and (b) of the echo filter.
///
/// `create` is the create that the event's operation id names, when there is one and no pair yet.
pub fn judge_echo(look: &Look, record: &RecordId, facts: &EventFacts, create: Option<&Operation>) -> Echo {
    let Look::Found(pair) = look else {
        let under_way = create.is_some_and(|create| {
            matches!(create.state, OperationState::Pending | OperationState::Committed)
                && create.target == record.system
        });
        return if under_way { Echo::UnderWay } else { Echo::Foreign };
    };
    let side = pair.side(&record.system);
    // (a) The event names the newest operation on this record, in a system that fires one event per write.
    if let Some(operation) = &facts.operation {
        if side.newest.as_ref() != Some(operation) {
            return Echo::Foreign;
        }
        return match pair.open.as_ref().filter(|open| open.id == *operation) {
            Some(open) if open.state == OperationState::Pending => Echo::UnderWay,
            Some(open) if open.state == OperationState::Unknown => Echo::Arrived(Arc::clone(open)),
            _ if facts.of_several => Echo::Foreign,
            _ => Echo::Own,
        };
    }
    if !facts.ours || pair.open.is_some() {
        return Echo::Foreign;
    }
    match facts.kind {
        // A record is created once; if we created it, this is that.
        EventKind::Created if side.created_by_us => Echo::Own,
        // (b) Our own hand, nothing of the pair under way, and each value is what we last left there.
        EventKind::Updated => match &facts.values {
            Some(values)
                if !values.is_empty() && values.iter().all(|(name, value)| left_there(pair, record, name, value)) =>
            {
                Echo::Own
            }
            _ => Echo::Foreign,
        },
        _ => Echo::Foreign,
    }
}

fn left_there(pair: &Pair, record: &RecordId, name: &str, value: &Value) -> bool {
    let side = pair.side(&record.system);
    let same = |left: &Value, right: &Value| match (left, right) {
        (Value::String(left), Value::String(right)) => left == right,
        (Value::String(text), Value::Number(number)) | (Value::Number(number), Value::String(text)) => {
            number.to_string().as_str() == text
        }
        (left, right) => left == right,
    };
    match side.base.get(name) {
        Some(base) => same(base, value),
        // The inverse id is in no base: it is the other record's id.
        None => {
            let other = Value::String(pair.other(&record.system).record.id.clone());
            (side.inverse_written && same(&other, value)) || is_empty(value)
        }
    }
}
