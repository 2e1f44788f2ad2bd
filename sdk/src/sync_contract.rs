//! The sync contract: which system owns which field, and how names and values translate.

mod check;
mod document;
mod field;
mod owner;
mod transform;
mod value;

use std::sync::Arc;

use serde_json::Value;

pub use self::check::ContractProblem;
pub use self::document::{ContractDocument, FieldDocument, Names};
pub use self::field::Field;
pub use self::owner::{Owner, Policy, Violation};
pub use self::transform::Transform;
pub use self::value::{Canonical, FieldKind, Written};
use crate::{Fields, Pair, Record, System};

/// A checked sync contract between two systems.
#[derive(Clone, Debug)]
pub struct SyncContract {
    name: String,
    systems: [System; 2],
    inverse: [Option<String>; 2],
    fields: Vec<Field>,
    document: Arc<ContractDocument>,
}

impl SyncContract {
    /// Checks a contract and makes it usable.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, not just the first thing.
    pub fn check(document: &ContractDocument) -> Result<Self, Vec<ContractProblem>> {
        check::check(document)
    }

    /// As it was written.
    pub fn document(&self) -> &ContractDocument {
        &self.document
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The two systems.
    pub fn systems(&self) -> &[System; 2] {
        &self.systems
    }

    /// The other of the two systems.
    pub fn other(&self, system: &System) -> &System {
        &self.systems[1 - self.index(system)]
    }

    /// Whether the contract is about this system.
    pub fn covers(&self, system: &System) -> bool {
        self.systems.contains(system)
    }

    /// The fields, by name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Where a system keeps the other's id.
    pub fn inverse_field(&self, system: &System) -> Option<&str> {
        self.inverse[self.index(system)].as_deref()
    }

    /// The other system's id that a record carries.
    pub fn inverse_of(&self, system: &System, record: &Record) -> Option<String> {
        match record.value(self.inverse_field(system)?)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The part of a record that the contract speaks of, as the system writes it: what is remembered as base.
    pub fn part_of(&self, system: &System, record: &Record) -> Fields {
        let mut part = Fields::new();
        for field in &self.fields {
            for name in field.names(self, system) {
                if let Some(value) = record.value(name) {
                    part.insert(name.clone(), value.clone());
                }
            }
        }
        part
    }

    /// Whether a record is as its side of a pair remembers it: for every field of the contract the value that was agreed,
    /// and the other record's id. What is not so has news, or was never written.
    pub fn is_settled(&self, system: &System, record: &Record, pair: &Pair) -> bool {
        let base = &pair.side(system).base;
        let points_back = self.inverse_field(system).is_none()
            || self.inverse_of(system, record).as_ref() == Some(&pair.other(system).record.id);
        let same = |field: &Field| field.canonical(self, system, &record.fields) == field.canonical(self, system, base);
        points_back && self.fields.iter().all(same)
    }

    /// Which field a system's own field name belongs to.
    pub fn meaning_of(&self, system: &System, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.names(self, system).iter().any(|own| own == name))
    }

    fn index(&self, system: &System) -> usize {
        usize::from(self.systems[0] != *system)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{PairId, RecordId, Timestamp};

    fn contract() -> SyncContract {
        crate::testing::contact_contract()
    }

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_contract_reads_as_it_is_written_out() {
        for policy in ["newest", "set-union", "max", "ask", "prefer erp"] {
            let text = serde_json::json!({
                "contract": "contact", "systems": ["crm", "erp"], "inverse": { "crm": "erp_id" },
                "fields": { "tags": {
                    "owner": "shared", "policy": policy, "in": { "crm": "tags", "erp": ["a", "b"] }, "type": "set",
                    "as": { "erp": "list" }, "transform": ["join-words", "trim"], "violation": "ask",
                } },
            });
            let read: ContractDocument = serde_json::from_value(text).unwrap();

            let written = serde_json::to_value(&read).unwrap();

            assert_eq!(written["fields"]["tags"]["policy"], policy);
            let again: ContractDocument = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(again).unwrap(), written);
        }
    }

    #[test]
    fn a_record_is_settled_when_it_holds_what_was_agreed_and_names_the_other() {
        let (contract, crm, erp) = (contract(), System::new("crm"), System::new("erp"));
        let ids = [RecordId::new(&crm, "1"), RecordId::new(&erp, "9")];
        let mut pair = Pair::found(PairId(1), "contact", ids, "crm-to-erp", Timestamp::from_millis(0));
        pair.side_mut(&crm).base = fields(json!({ "email": "ada@example.org", "credit_limit": "100" })).into();
        let settled = |record: Value| contract.is_settled(&crm, &Record::new("1", fields(record)), &pair);

        let whole = json!({ "email": "ada@example.org", "credit_limit": 100, "erp_id": "9", "shoe_size": "38" });

        assert!(settled(whole), "what the contract does not speak of does not count");
        assert!(!settled(json!({ "email": "ada@example.org", "credit_limit": "100" })), "it names nobody");
        assert!(!settled(json!({ "email": "ada@example.org", "credit_limit": "100", "erp_id": "8" })));
        assert!(!settled(json!({ "email": "new@example.org", "credit_limit": "100", "erp_id": "9" })));
    }
}
