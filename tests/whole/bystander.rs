//! Bystanders: records that look like somebody's counterpart and are not. Identity is never guessed: each is left alone,
//! nothing is made from it, and a person is asked.

use std::collections::BTreeSet;

use pairline_fakes::judge::{Evidence, Record, Side};
use pairline_fakes::{Deed, Writer};
use pairline_sdk::Case;
use serde_json::Value;

use super::harm::Harm;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Bystander {
    pub(super) side: Side,
    pub(super) id: String,
    /// The records it could be taken for: while they are all there, a person must have been asked.
    pub(super) beside: Vec<(Side, String)>,
}

/// The id of the other side's record, as a record keeps it.
pub(super) fn inverse(side: Side, record: &serde_json::Map<String, Value>) -> Option<&str> {
    let kept = match side {
        Side::Crm => record.get("erp_id"),
        Side::Erp => record.get("custom_fields").and_then(|custom| custom.get("crm_id")),
    };
    kept.and_then(Value::as_str)
}

/// Takes the bystanders out of the evidence, and finds what was done to them, and cases about anybody else.
pub(super) fn left_alone(bystanders: &[Bystander], evidence: &mut Evidence, cases: &[Case], harm: &mut Harm) {
    let mut asked = BTreeSet::new();
    for bystander in bystanders {
        let Bystander { side, id, beside } = bystander;
        let name = format!("{} {id}", side.name());
        let Some(record) = side_mut(evidence, *side).remove(id) else { continue };
        if written(&record) {
            harm.find("meddled", format!("the sync has written {name}, which is nobody's counterpart"));
        }
        let of_it = evidence
            .side(side.other())
            .values()
            .find(|other| made_by_sync(other) && inverse(side.other(), &other.view.fields) == Some(id.as_str()));
        if let Some(other) = of_it {
            harm.find("guessed", format!("{} {} was made from {name}", side.other().name(), other.view.id));
        }
        let named = cases
            .iter()
            .filter(|case| case.records.iter().any(|record| record.system.as_str() == side.name() && record.id == *id));
        let before = asked.len();
        asked.extend(named.map(|case| case.id));
        let there = |(side, id): &(Side, String)| evidence.side(*side).get(id).is_some_and(|beside| !beside.view.gone);
        if asked.len() == before && beside.iter().all(there) {
            harm.find("not asked", format!("nobody was asked about {name}"));
        }
    }
    for case in cases.iter().filter(|case| !asked.contains(&case.id)) {
        harm.find("asked", format!("somebody was asked about {:?}: {}", case.records, case.detail));
    }
}

fn side_mut(evidence: &mut Evidence, side: Side) -> &mut std::collections::BTreeMap<String, Record> {
    match side {
        Side::Crm => &mut evidence.crm,
        Side::Erp => &mut evidence.erp,
    }
}

fn written(record: &Record) -> bool {
    record.history.iter().any(|write| matches!(write.writer, Writer::Caller { .. }))
}

fn made_by_sync(record: &Record) -> bool {
    let made = record.history.first();
    made.is_some_and(|write| write.deed == Deed::Created && matches!(write.writer, Writer::Caller { .. }))
}
