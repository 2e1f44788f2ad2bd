//! Whom most tests speak of: a contact in a CRM, a customer in an ERP, and their sync contract.

use serde_json::json;

use crate::{ContractDocument, RecordId, SyncContract, System};

pub(super) fn crm() -> System {
    System::new("crm")
}

pub(super) fn erp() -> System {
    System::new("erp")
}

pub(super) fn contact(id: &str) -> RecordId {
    RecordId::new(&crm(), id)
}

pub(super) fn customer(id: &str) -> RecordId {
    RecordId::new(&erp(), id)
}

/// The contract as it is written.
pub fn contact_document() -> ContractDocument {
    serde_json::from_value(json!({
        "contract": "contact",
        "systems": ["crm", "erp"],
        "inverse": { "crm": "erp_id", "erp": "custom_fields.crm_id" },
        "fields": {
            "email": { "owner": "crm", "in": { "crm": "email", "erp": "email" } },
            "name": {
                "owner": "crm",
                "in": { "crm": ["firstname", "lastname"], "erp": "name" },
                "transform": ["join-words"]
            },
            "phone": { "owner": "shared", "policy": "newest", "in": { "crm": "phone", "erp": "phone" } },
            "vat_id": { "owner": "erp", "in": { "crm": "vat_id", "erp": "vat_id" } },
            "credit_limit": {
                "owner": "erp",
                "type": "decimal",
                "as": { "crm": "text" },
                "in": { "crm": "credit_limit", "erp": "credit_limit" }
            }
        }
    }))
    .expect("the document above is a contract document")
}

/// The contract, checked.
pub fn contact_contract() -> SyncContract {
    SyncContract::check(&contact_document()).expect("the document above is a valid contract")
}
