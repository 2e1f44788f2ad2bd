//! Two records that are one: their row, and what a write or a look does to what they last agreed on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Operation, OperationId, OperationState};
use crate::record::is_empty;
use crate::{Fields, RecordId, System, Timestamp};

/// Names one pair of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PairId(pub i64);

/// Counts the changes of a pair; a decision made on an older one is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub i64);

impl Revision {
    /// Of a pair that nothing has happened to yet.
    pub const FIRST: Self = Self(1);
}

/// Two records that are one, and what they last agreed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Its name.
    pub id: PairId,
    /// The sync contract it follows.
    pub contract: String,
    /// Both records: first the one that was there before, then the one we made or found for it.
    pub sides: [PairSide; 2],
    /// Whether it is in use.
    pub state: PairState,
    /// Counts its changes.
    pub revision: Revision,
    /// What is known of what the sides last agreed on.
    pub agreement: Agreement,
    /// The operation under way, or of unknown outcome. There is at most one.
    pub open: Option<Arc<Operation>>,
    /// When the mapping was written.
    pub created_at: Timestamp,
    /// The topology that wrote it.
    pub created_by: String,
    /// When one of its records was last looked at.
    pub last_seen_at: Timestamp,
}

/// One record of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairSide {
    /// Which one.
    pub record: RecordId,
    /// The last agreed values, in this system's own representation. A field that is not here had no value.
    pub base: Arc<Fields>,
    /// Whether the record is known to carry the other's id.
    pub inverse_written: bool,
    /// The newest operation on this record.
    pub newest: Option<OperationId>,
    /// Whether we created this record.
    pub created_by_us: bool,
}

/// Whether a pair is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairState {
    /// Both records are there, as far as we know.
    Active,
    /// A record is gone. The row stays, so that nothing is created again for it.
    Inactive {
        /// On which side.
        gone: System,
        /// Since when.
        since: Timestamp,
    },
}

/// What is known of what the two sides of a pair last agreed on. Once both have been read and dealt with, it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// Nothing: found by inverse id, not created by us. The first level check then compares the sides themselves, and
    /// blames nobody.
    Unknown,
    /// Their base; but a record was gone, and nobody listened to what happened to the other one meanwhile.
    Interrupted,
    /// Their base, and whatever differs from it has been announced or will be.
    Known,
}

impl Pair {
    /// The pair a create has made.
    pub fn born(id: PairId, create: &Operation, target_id: &str, now: Timestamp) -> Self {
        let source = PairSide {
            record: create.source.clone(),
            base: Arc::new(without_empty(create.values_seen())),
            inverse_written: false,
            newest: None,
            created_by_us: false,
        };
        let target = PairSide {
            record: RecordId::new(&create.target, target_id),
            base: Arc::new(without_empty(create.values_after())),
            inverse_written: create.inverse.is_some(),
            newest: Some(create.id.clone()),
            created_by_us: true,
        };
        Self {
            id,
            contract: create.contract.clone(),
            sides: [source, target],
            state: PairState::Active,
            revision: Revision::FIRST,
            agreement: Agreement::Known,
            open: None,
            created_at: now,
            created_by: create.provenance.topology.clone(),
            last_seen_at: now,
        }
    }

    /// The pair of two records that were found to point at each other.
    pub fn found(id: PairId, contract: &str, records: [RecordId; 2], topology: &str, now: Timestamp) -> Self {
        let sides = records.map(|record| PairSide {
            record,
            base: Arc::default(),
            inverse_written: false,
            newest: None,
            created_by_us: false,
        });
        Self {
            id,
            contract: contract.to_owned(),
            sides,
            state: PairState::Active,
            revision: Revision::FIRST,
            agreement: Agreement::Unknown,
            open: None,
            created_at: now,
            created_by: topology.to_owned(),
            last_seen_at: now,
        }
    }

    /// Its record in a system.
    pub fn side(&self, system: &System) -> &PairSide {
        &self.sides[self.index(system)]
    }

    /// Its record in a system, to be changed.
    pub fn side_mut(&mut self, system: &System) -> &mut PairSide {
        let index = self.index(system);
        &mut self.sides[index]
    }

    /// Its record in the other system.
    pub fn other(&self, system: &System) -> &PairSide {
        &self.sides[1 - self.index(system)]
    }

    fn index(&self, system: &System) -> usize {
        usize::from(self.sides[0].record.system != *system)
    }

    /// Whether it is in use.
    pub fn is_active(&self) -> bool {
        self.state == PairState::Active
    }

    /// Puts an update under way: the open operation, and the newest on its record. The pair itself has not changed: for
    /// as long as the update is open it keeps every other decision out, and its end moves the revision on.
    pub fn opened(&mut self, update: Arc<Operation>) {
        self.side_mut(&update.target).newest = Some(update.id.clone());
        self.open = Some(update);
    }

    /// Takes in how an update has ended. Whatever its outcome, a decision made before it is stale from here on.
    pub fn ended(&mut self, update: &Operation, now: Timestamp) {
        if update.state == OperationState::Committed {
            self.take_in(update);
        }
        self.touched(now);
    }

    /// Takes a committed update into the base: only the fields in its body, to what the target answered for them.
    fn take_in(&mut self, update: &Operation) {
        let source = update.source.system.clone();
        merge(&mut self.side_mut(&source).base, update.values_seen());
        let after = update.values_after();
        let target = self.side_mut(&update.target);
        merge(&mut target.base, after);
        if update.inverse.is_some() {
            target.inverse_written = true;
        }
    }

    /// Takes what was read on both sides as agreed, without a write.
    pub fn agreed(&mut self, changes: &[(System, Fields)], inverse_seen: &[System], now: Timestamp) {
        for system in inverse_seen {
            self.side_mut(system).inverse_written = true;
        }
        self.agreement = Agreement::Known;
        self.rebased(changes, now);
    }

    /// Takes into the base what was read.
    pub fn rebased(&mut self, changes: &[(System, Fields)], now: Timestamp) {
        for (system, fields) in changes {
            merge(&mut self.side_mut(system).base, fields.clone());
        }
        self.touched(now);
    }

    /// The record that was gone is back.
    pub fn came_back(&mut self, now: Timestamp) {
        self.state = PairState::Active;
        if self.agreement == Agreement::Known {
            self.agreement = Agreement::Interrupted;
        }
        self.touched(now);
    }

    /// Counts a change.
    pub fn touched(&mut self, now: Timestamp) {
        self.revision.0 += 1;
        self.last_seen_at = now;
    }
}

/// Takes changes into a base: null removes.
fn merge(base: &mut Arc<Fields>, changes: Fields) {
    let base = Arc::make_mut(base);
    for (name, value) in changes {
        if is_empty(&value) {
            base.shift_remove(&name);
        } else {
            base.insert(name, value);
        }
    }
}

fn without_empty(fields: Fields) -> Fields {
    fields.into_iter().filter(|(_, value)| !is_empty(value)).collect()
}
