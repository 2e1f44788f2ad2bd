//! The audit: what must hold when a story is over, whatever has gone wrong in it.

use std::fmt::Write;

use pairline_fakes::RecordView;
use pairline_fakes::judge::Evidence;
use pairline_sdk::{Fields, SyncContract, System};
use serde_json::Value;

use super::stories::{Story, Then};
use super::trouble::Plan;
use super::world::World;
use crate::support::project;

fn contract() -> &'static SyncContract {
    &project().contracts["contact"]
}

/// A value of a field, as text.
fn text(system: &str, field: &str, record: &RecordView) -> String {
    let fields: Fields = record.fields.clone();
    let value = contract().field(field).unwrap().canonical(contract(), &System::new(system), &fields);
    match value.as_value() {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn inverse<'a>(record: &'a RecordView, path: &[&str]) -> Option<&'a str> {
    let mut at = record.fields.get(path[0])?;
    for name in &path[1..] {
        at = at.get(name)?;
    }
    at.as_str().filter(|id| !id.is_empty())
}

impl World {
    /// What is wrong; nothing if all is well.
    pub(super) async fn audit(&self, story: &Story, plan: Option<Plan>) -> Result<String, String> {
        let wrong = self.compare(&story.then).await?;
        match &story.at_worst {
            Some((failure, _, then)) if !wrong.is_empty() && plan.is_some_and(|plan| plan.failure == *failure) => {
                self.compare(then).await
            }
            _ => Ok(wrong),
        }
    }

    /// Every record with its whole history.
    pub(super) fn evidence(&self) -> String {
        serde_json::to_string(&Evidence::of(&self.systems.crm, &self.systems.erp)).unwrap()
    }

    async fn compare(&self, then: &Then) -> Result<String, String> {
        let living = |records: Vec<RecordView>| records.into_iter().filter(|record| !record.gone).collect::<Vec<_>>();
        let (contacts, customers) = (living(self.systems.crm.snapshot()), living(self.systems.erp.snapshot()));
        let mut wrong = String::new();
        let mut expect = |what: &str, expected: u64, found: u64| {
            if expected != found {
                writeln!(wrong, "{what}: expected {expected}, found {found}").unwrap();
            }
        };
        expect("contacts", then.contacts as u64, contacts.len() as u64);
        expect("customers", then.customers as u64, customers.len() as u64);
        let paired: Vec<(&RecordView, &RecordView)> = contacts
            .iter()
            .flat_map(|contact| customers.iter().map(move |customer| (contact, customer)))
            .filter(|(contact, customer)| {
                inverse(contact, &["erp_id"]) == Some(&customer.id)
                    && inverse(customer, &["custom_fields", "crm_id"]) == Some(&contact.id)
            })
            .collect();
        expect("pairs that name each other", then.pairs as u64, paired.len() as u64);
        let (counts, health) = self.counts().await?;
        if then.contacts == then.pairs && then.customers == then.pairs {
            expect("pairs in the mapping", then.pairs as u64, counts.pairs_active);
        }
        expect("reservations", 0, counts.reservations_open);
        expect("operations of unknown outcome", 0, counts.operations_unknown);
        expect("cases", then.cases, counts.cases_open);
        expect("hints", 0, health.waiting);
        expect("trash", 0, health.trash);
        for (contact, customer) in paired {
            for field in contract().fields() {
                let (one, other) = (text("crm", field.name(), contact), text("erp", field.name(), customer));
                if one != other {
                    writeln!(wrong, "{}: `{one}` in the CRM, `{other}` in the ERP", field.name()).unwrap();
                }
                let allowed = then.values.iter().find(|(name, _)| *name == field.name());
                if allowed.is_some_and(|(_, allowed)| !allowed.contains(&one.as_str())) {
                    writeln!(wrong, "{}: expected one of {allowed:?}, found `{one}`", field.name()).unwrap();
                }
            }
        }
        Ok(wrong)
    }
}
