//! One field of a contract: how its value is read from either system, written to it, and settled between both.

use std::collections::BTreeSet;

use serde_json::Value;

use super::transform::{join, split};
use super::value::{larger, members, set};
use super::{Canonical, FieldKind, Owner, Policy, SyncContract, Transform, Violation, Written};
use crate::record::is_empty;
use crate::{Fields, System};

/// One field of a contract: one meaning, a name or several in each system.
#[derive(Clone, Debug)]
pub struct Field {
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) kind: FieldKind,
    pub(super) violation: Violation,
    pub(super) transform: Vec<Transform>,
    pub(super) sides: [FieldSide; 2],
}

/// What a field is called in one system, and how its value is written there.
#[derive(Clone, Debug)]
pub(super) struct FieldSide {
    pub(super) names: Vec<String>,
    pub(super) written: Written,
}

impl Field {
    /// What the contract calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may write it.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Whether this system, and only this one, may write it.
    pub fn owned_by(&self, system: &System) -> bool {
        matches!(&self.owner, Owner::System(owner) if owner == system)
    }

    /// What kind of value it holds.
    pub fn kind(&self) -> FieldKind {
        self.kind
    }

    /// What happens to an edit on the side that does not own it.
    pub fn violation(&self) -> Violation {
        self.violation
    }

    /// What it is called in a system.
    pub fn names<'a>(&'a self, contract: &SyncContract, system: &System) -> &'a [String] {
        &self.sides[contract.index(system)].names
    }

    /// The system's own fields that hold this value, taken out of a record; absent ones are left out.
    pub fn part_of(&self, contract: &SyncContract, system: &System, fields: &Fields) -> Fields {
        self.names(contract, system)
            .iter()
            .filter_map(|name| {
                fields.get(name).filter(|value| !is_empty(value)).map(|value| (name.clone(), value.clone()))
            })
            .collect()
    }

    /// The value a system's fields hold, without what does not matter when two are compared.
    pub fn canonical(&self, contract: &SyncContract, system: &System, fields: &Fields) -> Canonical {
        let side = &self.sides[contract.index(system)];
        let value = match side.names.as_slice() {
            [one] => fields.get(one).map_or(Value::Null, |value| side.written.read(value)),
            many => join(many.iter().map(|name| fields.get(name).unwrap_or(&Value::Null))),
        };
        let value = self.kind.canonical(&value);
        // A transform may make something of a value that its kind writes in another way: ` true ` trimmed is true.
        Canonical(if self.transform.is_empty() { value } else { self.kind.canonical(&self.transformed(value)) })
    }

    /// A value in a system's own fields, as it is sent there. An empty value empties the fields.
    pub fn render(&self, contract: &SyncContract, system: &System, value: &Canonical) -> Fields {
        let side = &self.sides[contract.index(system)];
        match side.names.as_slice() {
            [one] => [(one.clone(), side.written.write(self.kind, &value.0))].into_iter().collect(),
            many => split(many, value.0.as_str().unwrap_or_default()),
        }
    }

    /// The value both sides get when both changed; nothing when a person must decide.
    ///
    /// `first_is_newer` tells whose edit reached us last.
    pub fn merge(
        &self,
        first: (&System, &Canonical),
        second: (&System, &Canonical),
        first_is_newer: bool,
    ) -> Option<Canonical> {
        let Owner::Shared(policy) = &self.owner else {
            return Some(if self.owned_by(first.0) { first.1.clone() } else { second.1.clone() });
        };
        match policy {
            Policy::Prefer(system) => Some(if system == first.0 { first.1.clone() } else { second.1.clone() }),
            Policy::Newest => Some(if first_is_newer { first.1.clone() } else { second.1.clone() }),
            Policy::Max => Some(if larger(&first.1.0, &second.1.0) { first.1.clone() } else { second.1.clone() }),
            Policy::SetUnion => {
                let members: BTreeSet<String> = members(&first.1.0).into_iter().chain(members(&second.1.0)).collect();
                Some(Canonical(set(members)))
            }
            Policy::Ask => None,
        }
    }

    fn transformed(&self, value: Value) -> Value {
        self.transform.iter().fold(value, |value, transform| transform.apply(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract() -> SyncContract {
        crate::testing::contact_contract()
    }

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_name_joins_one_way_and_splits_at_its_first_word_the_other() {
        let contract = contract();
        let name = contract.field("name").unwrap();
        let crm = System::new("crm");
        let erp = System::new("erp");

        let joined =
            name.canonical(&contract, &crm, &fields(json!({ "firstname": "Ada", "lastname": "King Lovelace" })));

        assert_eq!(Value::Object(name.render(&contract, &erp, &joined)), json!({ "name": "Ada King Lovelace" }));
        assert_eq!(
            Value::Object(name.render(&contract, &crm, &joined)),
            json!({ "firstname": "Ada", "lastname": "King Lovelace" })
        );
    }

    #[test]
    fn a_credit_limit_is_text_on_one_side_and_a_number_on_the_other() {
        let contract = contract();
        let limit = contract.field("credit_limit").unwrap();
        let (crm, erp) = (System::new("crm"), System::new("erp"));

        let text = limit.canonical(&contract, &crm, &fields(json!({ "credit_limit": "1500.50" })));
        let number = limit.canonical(&contract, &erp, &fields(json!({ "credit_limit": 1500.5 })));

        assert_eq!(text, number);
        assert_eq!(Value::Object(limit.render(&contract, &erp, &text)), json!({ "credit_limit": 1500.5 }));
        assert_eq!(Value::Object(limit.render(&contract, &crm, &number)), json!({ "credit_limit": "1500.5" }));
    }

    #[test]
    fn what_a_transform_makes_of_a_value_is_still_of_its_kind() {
        let mut contract = contract();
        let erp = System::new("erp");
        let field = contract.fields.iter_mut().find(|field| field.name == "vat_id").unwrap();
        (field.kind, field.transform) = (FieldKind::Boolean, vec![Transform::Uppercase]);
        let field = contract.field("vat_id").unwrap();

        // The long s becomes an S like any other.
        let odd = field.canonical(&contract, &erp, &fields(json!({ "vat_id": "falſe" })));

        assert_eq!(odd, Canonical(json!(false)));
    }

    #[test]
    fn a_merge_policy_does_not_depend_on_who_is_named_first() {
        let contract = contract();
        let phone = contract.field("phone").unwrap();
        let (crm, erp) = (System::new("crm"), System::new("erp"));
        let (one, two) = (Canonical(json!("1")), Canonical(json!("2")));

        assert_eq!(phone.merge((&crm, &one), (&erp, &two), true), phone.merge((&erp, &two), (&crm, &one), false));
    }
}
