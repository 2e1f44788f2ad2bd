//! What may happen where the walk stops.

use pairline_sdk::testing::{Fate, Step};

use super::Setting;
use super::world::{World, value};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    GoOn,
    Edit(Edit),
    Kill,
    Fate(Fate),
    Land,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Edit {
    EmailInCrm,
    EmailBackInCrm,
    EmailInErp,
    PhoneInCrm,
    PhoneInErp,
}

/// What a person may edit in this state.
pub(super) fn possible_edits(setting: &Setting, world: &World) -> Vec<Edit> {
    let mut edits = Vec::new();
    if world.edits == 0 {
        return edits;
    }
    if setting.email && !world.crm.records.is_empty() {
        edits.push(Edit::EmailInCrm);
        if value(&world.crm, "email") != "0" {
            edits.push(Edit::EmailBackInCrm);
        }
    }
    if setting.violations && !world.erp.records.is_empty() {
        edits.push(Edit::EmailInErp);
    }
    if setting.phone && !world.crm.records.is_empty() {
        edits.push(Edit::PhoneInCrm);
    }
    if setting.phone && !world.erp.records.is_empty() {
        edits.push(Edit::PhoneInErp);
    }
    edits
}

/// What else than to go on may be decided before this step.
pub(super) fn alternatives(setting: &Setting, world: &World, step: &Step) -> Vec<Decision> {
    let mut all = Vec::new();
    // The store does not see the systems, so an edit before one of its methods is an edit before the next call.
    if !matches!(step, Step::Store(_)) {
        all.extend(possible_edits(setting, world).into_iter().map(Decision::Edit));
        if world.something_is_late() {
            all.push(Decision::Land);
        }
    }
    if world.faults > 0 {
        all.push(Decision::Kill);
        if setting.losses && matches!(step, Step::Send(_)) {
            all.extend([Fate::LostThere, Fate::LostBack, Fate::Late].map(Decision::Fate));
        }
    }
    all
}
