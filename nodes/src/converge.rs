//! What two records owe each other: the decision, without any I/O.
//!
//! *Base* is what both sides last agreed on, per field and side, each in its system's own words. While an operation is
//! open it stands in for the base of the fields it writes: the target is unchanged if it holds what was seen there or
//! what was sent, the source if it holds what was seen there.

mod newer;

use std::collections::BTreeMap;

use pairline_sdk::record::is_empty;
use pairline_sdk::{
    Agreement, Canonical, Field, FieldWrite, Fields, Note, NoteKind, Operation, Owner, Pair, PairSide, Policy, Record,
    SyncContract, System, Timestamp, Violation, WriteReason,
};
use serde_json::Value;

/// When news of each field of a record last reached us; `*` stands for all of them.
pub type Receipts = BTreeMap<String, Timestamp>;

/// What is known when two records are compared.
pub struct Sight<'a> {
    /// The contract.
    pub contract: &'a SyncContract,
    /// The pair.
    pub pair: &'a Pair,
    /// The side the hint came from.
    pub near: &'a System,
    /// Its record, just read.
    pub near_record: &'a Record,
    /// When news of its fields last reached us.
    pub near_received: &'a Receipts,
    /// The other side's record, if it was read too.
    pub far_record: Option<&'a Record>,
    /// When news of its fields last reached us and still waits; none when nothing waits.
    pub far_received: Option<&'a Receipts>,
    /// The newest operations on the pair, if they were asked for.
    pub operations: Option<&'a [Operation]>,
    /// Now.
    pub now: Timestamp,
}

impl Sight<'_> {
    /// Whether nothing is known of what the two have agreed on.
    fn nothing_is_known(&self) -> bool {
        self.pair.agreement == Agreement::Unknown
    }
}

/// What must be known before it can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// What the far side holds.
    FarRecord,
    /// The newest operations on the pair.
    Operations,
    /// News of a change that nobody has told of yet. It is not waited for any longer than this.
    News(Timestamp),
}

/// What is to be written, remembered and asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Writes to the far side.
    pub to_far: Vec<FieldWrite>,
    /// Writes to the near side: what the far side owns.
    pub to_near: Vec<FieldWrite>,
    /// What is taken into the base at once: what agrees without a write, and what was decided between two edits.
    pub rebase: Vec<(System, Fields)>,
    /// Decisions against an edit.
    pub notes: Vec<Note>,
    /// Fields only a person can decide.
    pub asks: Vec<String>,
}

/// Decides, field by field.
///
/// # Errors
///
/// What must be known first.
pub fn decide(sight: &Sight<'_>) -> Result<Plan, Need> {
    let far = sight.contract.other(sight.near).clone();
    let states: Vec<FieldState<'_>> =
        sight.contract.fields().iter().map(|field| FieldState::of(sight, field, &far)).collect();
    if sight.far_record.is_none() && needs_far(sight, &states) {
        return Err(Need::FarRecord);
    }
    let mut plan = Plan::default();
    for state in &states {
        let near_is_newer = state.goes_to_the_newest() && newer::near_is_newer(sight, state.field, &states)?;
        state.decide(sight, &far, near_is_newer, &mut plan);
    }
    Ok(plan)
}

/// What must stand in the base for the fields of the open operation that are not taken into the base by `rebase`, when
/// another one takes its place.
///
/// While it is open, what it saw and sent stands in for their base. Without it, a value that it has brought over would
/// look like somebody's edit, and win against a newer one: also in a field that the other one writes, which may fail.
pub fn stand_ins(sight: &Sight<'_>, rebase: &[(System, Fields)]) -> Vec<(System, Fields)> {
    let (Some(open), Some(far_record)) = (&sight.pair.open, sight.far_record) else { return Vec::new() };
    let source = &open.source.system;
    let held = if open.target == *sight.near { &sight.near_record.fields } else { &far_record.fields };
    let settled = |names: &[String]| {
        let of_target = rebase.iter().find(|(system, _)| *system == open.target);
        of_target.is_some_and(|(_, fields)| names.iter().any(|name| fields.contains_key(name)))
    };
    let mut stand_ins = Vec::new();
    for write in open.writes.iter() {
        let Some(field) = sight.contract.field(&write.field) else { continue };
        if settled(field.names(sight.contract, &open.target)) {
            continue;
        }
        let same = |fields: &Fields| {
            let now = field.canonical(sight.contract, &open.target, held);
            now == field.canonical(sight.contract, &open.target, fields)
        };
        let brought = same(&write.value);
        if !brought && write.seen_target.as_ref().is_none_or(same) {
            // It has not arrived, so the source's edit is still to go over.
            continue;
        }
        // Where the target holds neither, it was edited over what was sent, or instead of it. Both sides take what was sent
        // then: with a base of its own for each, an edit that goes back to one of them would look like none.
        let agreed = if brought { explicit(field, sight.contract, &open.target, held) } else { write.value.clone() };
        push(&mut stand_ins, source, write.seen_source.clone());
        push(&mut stand_ins, &open.target, agreed);
    }
    stand_ins
}

/// In doubt both sides are read: an operation is open, the other side may have changed unheard, or a field differs from
/// base that the near side alone does not own.
fn needs_far(sight: &Sight<'_>, states: &[FieldState<'_>]) -> bool {
    sight.pair.open.is_some()
        || sight.pair.agreement != Agreement::Known
        || states.iter().any(|state| state.near_changed && !state.field.owned_by(sight.near))
}

struct FieldState<'a> {
    field: &'a Field,
    near: Canonical,
    far: Option<Canonical>,
    near_changed: bool,
    far_changed: bool,
    /// The open operation writes this field.
    open: Option<&'a FieldWrite>,
}

impl<'a> FieldState<'a> {
    fn of(sight: &'a Sight<'_>, field: &'a Field, far: &System) -> Self {
        let open =
            sight.pair.open.as_ref().and_then(|open| open.writes.iter().find(|write| write.field == field.name()));
        let near = field.canonical(sight.contract, sight.near, &sight.near_record.fields);
        let far_value = sight.far_record.map(|record| field.canonical(sight.contract, far, &record.fields));
        let all_is_new = sight.nothing_is_known() || is_half_united(sight, field);
        let near_changed = all_is_new || changed(sight, field, sight.near, &near, open);
        let far_changed = far_value.as_ref().is_some_and(|value| all_is_new || changed(sight, field, far, value, open));
        Self { field, near, far: far_value, near_changed, far_changed, open }
    }

    /// Both sides of a shared field changed, and the later edit wins.
    fn goes_to_the_newest(&self) -> bool {
        let differ = self.far.as_ref().is_some_and(|far| *far != self.near);
        differ && self.near_changed && self.far_changed && matches!(self.field.owner(), Owner::Shared(Policy::Newest))
    }

    fn decide(&self, sight: &Sight<'_>, far: &System, near_is_newer: bool, plan: &mut Plan) {
        let Some(far_value) = &self.far else {
            // Only what the near side owns can have changed here; its value goes over unseen.
            if self.near_changed {
                plan.to_far.push(self.write(sight, sight.near, far, &self.near, WriteReason::OwnerEdit));
            }
            return;
        };
        let touched = self.near_changed || self.far_changed || self.open.is_some();
        if !touched {
            return;
        }
        if self.near == *far_value {
            // Both hold the same: that is the new base, without a write.
            self.keep(sight, far, plan);
            return;
        }
        match self.field.owner() {
            Owner::System(owner) => self.owned(sight, far, owner, far_value, plan),
            Owner::Shared(_) => self.shared(sight, far, far_value, near_is_newer, plan),
        }
    }

    fn owned(&self, sight: &Sight<'_>, far: &System, owner: &System, far_value: &Canonical, plan: &mut Plan) {
        let near_owns = owner == sight.near;
        let (own, other, own_changed, other_changed) = if near_owns {
            (&self.near, far_value, self.near_changed, self.far_changed)
        } else {
            (far_value, &self.near, self.far_changed, self.near_changed)
        };
        let (from, to) = if near_owns { (sight.near, far) } else { (far, sight.near) };
        let violated = other_changed && !sight.nothing_is_known();
        if violated {
            plan.notes.push(self.note(sight, NoteKind::Violation, to, own));
        }
        if violated && !own_changed && self.open.is_none() {
            match self.field.violation() {
                Violation::Revert => {}
                Violation::Ignore => return self.keep(sight, far, plan),
                Violation::Ask => {
                    plan.asks.push(self.field.name().to_owned());
                    return self.keep(sight, far, plan);
                }
            }
        }
        let reason = match (sight.nothing_is_known(), own_changed, violated) {
            (true, ..) => WriteReason::FirstCheck,
            (_, true, _) => WriteReason::OwnerEdit,
            (_, _, true) => WriteReason::Violation,
            _ => WriteReason::Redo,
        };
        debug_assert!(own != other);
        let write = self.write(sight, from, to, own, reason);
        if near_owns { plan.to_far.push(write) } else { plan.to_near.push(write) }
    }

    fn shared(&self, sight: &Sight<'_>, far: &System, far_value: &Canonical, near_is_newer: bool, plan: &mut Plan) {
        let near = sight.near;
        match (self.near_changed, self.far_changed) {
            (true, false) => plan.to_far.push(self.write(sight, near, far, &self.near, WriteReason::SharedEdit)),
            (false, true) => plan.to_near.push(self.write(sight, far, near, far_value, WriteReason::SharedEdit)),
            (false, false) => self.redo(sight, far, far_value, plan),
            (true, true) => {
                let merged = self.field.merge((near, &self.near), (far, far_value), near_is_newer);
                let Some(merged) = merged else {
                    plan.asks.push(self.field.name().to_owned());
                    return;
                };
                if self.goes_to_the_newest() {
                    let older = if near_is_newer { far_value } else { &self.near };
                    self.decide_for_good(sight, far, older, plan);
                }
                if merged != self.near {
                    plan.notes.push(self.note(sight, NoteKind::Conflict, near, &merged));
                    plan.to_near.push(self.write(sight, far, near, &merged, WriteReason::Merge));
                }
                if merged != *far_value {
                    plan.notes.push(self.note(sight, NoteKind::Conflict, far, &merged));
                    plan.to_far.push(self.write(sight, near, far, &merged, WriteReason::Merge));
                }
            }
        }
    }

    /// Makes the decision a lasting one: the older edit counts as one both sides had agreed on when the newer one was made.
    /// Whatever becomes of the write, the newer one is still to go over then, and nothing that is heard later of the
    /// older one speaks for it.
    fn decide_for_good(&self, sight: &Sight<'_>, far: &System, older: &Canonical, plan: &mut Plan) {
        for system in [sight.near, far] {
            push(&mut plan.rebase, system, self.field.render(sight.contract, system, older));
        }
    }

    /// Neither side changed, and the open operation did not arrive: its value goes the same way once more.
    fn redo(&self, sight: &Sight<'_>, far: &System, far_value: &Canonical, plan: &mut Plan) {
        let Some(open) = sight.pair.open.as_ref() else { return };
        if open.target == *far {
            plan.to_far.push(self.write(sight, sight.near, far, &self.near, WriteReason::Redo));
        } else {
            plan.to_near.push(self.write(sight, far, sight.near, far_value, WriteReason::Redo));
        }
    }

    /// Takes both sides as they are.
    fn keep(&self, sight: &Sight<'_>, far: &System, plan: &mut Plan) {
        let near_fields = explicit(self.field, sight.contract, sight.near, &sight.near_record.fields);
        push(&mut plan.rebase, sight.near, near_fields);
        if let Some(record) = sight.far_record {
            push(&mut plan.rebase, far, explicit(self.field, sight.contract, far, &record.fields));
        }
    }

    fn write(
        &self,
        sight: &Sight<'_>,
        from: &System,
        to: &System,
        value: &Canonical,
        reason: WriteReason,
    ) -> FieldWrite {
        let record_of = |system: &System| {
            if system == sight.near { Some(sight.near_record) } else { sight.far_record }
        };
        let seen = |system: &System| {
            record_of(system).map(|record| explicit(self.field, sight.contract, system, &record.fields))
        };
        FieldWrite {
            field: self.field.name().to_owned(),
            seen_source: seen(from).unwrap_or_default(),
            seen_target: seen(to),
            value: self.field.render(sight.contract, to, value),
            reason,
        }
    }

    fn note(&self, sight: &Sight<'_>, kind: NoteKind, loser: &System, kept: &Canonical) -> Note {
        let record = if loser == sight.near { Some(sight.near_record) } else { sight.far_record };
        let lost = record.map(|record| self.field.part_of(sight.contract, loser, &record.fields)).unwrap_or_default();
        Note { kind, field: self.field.name().to_owned(), system: loser.clone(), lost, kept: kept.as_value().clone() }
    }
}

fn changed(sight: &Sight<'_>, field: &Field, system: &System, value: &Canonical, open: Option<&FieldWrite>) -> bool {
    let same = |fields: &Fields| *value == field.canonical(sight.contract, system, fields);
    let base = &sight.pair.side(system).base;
    match (open, &sight.pair.open) {
        (Some(write), Some(operation)) if operation.target == *system => {
            let seen = write.seen_target.as_ref().unwrap_or(base);
            !same(seen) && !same(&write.value)
        }
        (Some(write), _) => !same(&write.seen_source),
        (None, _) => !same(base),
    }
}

/// Whether two sets were to be united, and only one side was given the union.
fn is_half_united(sight: &Sight<'_>, field: &Field) -> bool {
    let base = |side: &PairSide| field.canonical(sight.contract, &side.record.system, &side.base);
    matches!(field.owner(), Owner::Shared(Policy::SetUnion)) && base(&sight.pair.sides[0]) != base(&sight.pair.sides[1])
}

/// Whether a side's record holds anything else than its base.
pub(crate) fn differs(contract: &SyncContract, side: &PairSide, fields: &Fields) -> bool {
    let system = &side.record.system;
    contract
        .fields()
        .iter()
        .any(|field| field.canonical(contract, system, fields) != field.canonical(contract, system, &side.base))
}

/// A field's part of a record, with null for what has no value, so that it can also take a value out of a base.
pub(crate) fn explicit(field: &Field, contract: &SyncContract, system: &System, fields: &Fields) -> Fields {
    let names = field.names(contract, system).iter();
    names
        .map(|name| {
            let value = fields.get(name).filter(|value| !is_empty(value)).cloned().unwrap_or(Value::Null);
            (name.clone(), value)
        })
        .collect()
}

fn push(rebase: &mut Vec<(System, Fields)>, system: &System, fields: Fields) {
    match rebase.iter_mut().find(|(known, _)| known == system) {
        Some((_, known)) => known.extend(fields),
        None => rebase.push((system.clone(), fields)),
    }
}

#[cfg(test)]
mod tests;
