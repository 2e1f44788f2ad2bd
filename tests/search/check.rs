//! What must hold in every state.

use super::world::{World, value};

/// What must hold: never a second record, and both sides equal and right when nothing is left to do.
///
/// It reads both records by itself and never asks whether a pair is settled: both polls, the one here and the
/// program's own, go by that.
pub(super) fn check(world: &World) -> Result<(), String> {
    let wrong = |what: &str| {
        let (crm, erp) = (&world.crm.records, &world.erp.records);
        Err(format!("{what}\ncrm {crm:?}\nerp {erp:?}\n{}", world.story.told()))
    };
    if world.crm.records.len() > 1 || world.erp.records.len() > 1 {
        return wrong("a duplicate");
    }
    if world.trashed {
        return wrong("nothing in this search may end in the trash");
    }
    let quiet = world.pending.is_empty() && !world.something_is_late();
    if !quiet {
        return Ok(());
    }
    if world.crm.records.len() != 1 || world.erp.records.len() != 1 {
        return wrong("a record is missing");
    }
    for field in ["email", "phone"] {
        if value(&world.crm, field) != value(&world.erp, field) {
            return wrong(&format!("{field} differs"));
        }
    }
    if !world.accepted.contains(&value(&world.crm, "phone")) {
        return wrong(&format!("phone: expected one of {:?}", world.accepted));
    }
    if value(&world.crm, "email") != world.owned {
        return wrong("the owner's last edit is lost");
    }
    let (crm_id, erp_id) = (world.crm.records.keys().next().unwrap(), world.erp.records.keys().next().unwrap());
    if value(&world.crm, "erp_id") != *erp_id || value(&world.erp, "custom_fields.crm_id") != *crm_id {
        return wrong("an inverse id is wrong");
    }
    Ok(())
}
