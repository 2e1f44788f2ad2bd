//! Ledger: what people and other tools did, in the order they did it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::history::Deed;
use crate::judge::meaning::{Meaning, Side};

/// Who did it. The sync is never in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Somebody at the screen.
    Person,
    /// Another integration, whose edits are as genuine as a person's.
    Tool,
}

/// One thing somebody did.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When, by the clock both systems stamp their records with.
    pub at_ms: i64,
    /// Where.
    pub side: Side,
    /// To which record.
    pub record: String,
    /// Whose record that is.
    pub person: u32,
    /// Who did it.
    pub actor: Actor,
    /// Made, edited or deleted.
    pub deed: Deed,
    /// What was typed; nothing empties a field.
    pub values: BTreeMap<Meaning, Option<String>>,
}

/// Everything that was done, in order.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Ledger(pub Vec<Entry>);

impl Ledger {
    /// The entries of each person, oldest first.
    pub(crate) fn by_person(&self) -> BTreeMap<u32, Vec<&Entry>> {
        let mut people: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.0 {
            people.entry(entry.person).or_default().push(entry);
        }
        people
    }

    /// How many of them are edits or creations rather than deletions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody did anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
