//! Which states are the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use pairline_sdk::testing::Step;
use pairline_sdk::{OperationId, OperationKind};

use super::world::{Pending, World};

/// Everything that decides what can happen from here, without what merely counts: revisions, ids of old operations,
/// the date.
pub(super) fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    let pair = world.store.pairs.values().next();
    for records in [&world.crm, &world.erp] {
        (&records.records, &records.deleted, records.late.len()).hash(&mut hasher);
    }
    let hash_of = |pending: &Pending| {
        let mut hasher = DefaultHasher::new();
        let named = |id: &OperationId| pair.map(|pair| pair.side(&pending.record.system).newest.as_ref() == Some(id));
        if let Some(facts) = &pending.facts {
            (facts.kind as u8, facts.ours, &facts.values, facts.operation.as_ref().map(named)).hash(&mut hasher);
        }
        (pending.facts.is_some(), &pending.record, pending.ready_at.since(world.now), pending.hops).hash(&mut hasher);
        hasher.finish()
    };
    let mut pending: Vec<u64> = world.pending.iter().map(hash_of).collect();
    pending.sort_unstable();
    pending.hash(&mut hasher);
    for pair in world.store.pairs.values() {
        for side in &pair.sides {
            (&side.base, side.inverse_written, side.created_by_us).hash(&mut hasher);
        }
        (pair.is_active(), pair.agreement as u8).hash(&mut hasher);
    }
    for operation in
        world.store.operations.values().filter(|operation| operation.state.is_open() || operation.pair.is_none())
    {
        (operation.kind == OperationKind::Create, operation.state, &operation.target).hash(&mut hasher);
        (operation.attempts, operation.quiet_at().since(world.now)).hash(&mut hasher);
        for write in operation.writes.iter() {
            (&write.field, &write.seen_source, &write.seen_target, &write.value).hash(&mut hasher);
        }
    }
    (world.edits, world.faults, world.lost_webhooks, &world.accepted, &world.on_its_way, &world.owned)
        .hash(&mut hasher);
    hasher.finish()
}

/// The same for a state in the midst of a walk.
pub(super) fn step_fingerprint(world: &World, step: &Step, pending: &Pending, gates: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    fingerprint(world).hash(&mut hasher);
    format!("{step:?}{}{gates}", pending.record).hash(&mut hasher);
    hasher.finish()
}
