//! Properties: what this CRM says that a contact has.
//!
//! It is a part of what HubSpot defines, with what the shipped contract adds to it.

use serde_json::{Value, json};

use crate::crm::UniqueRules;
use crate::crm::contact::READ_ONLY;

/// One property of contacts.
struct Property {
    name: &'static str,
    label: &'static str,
    /// The type of its values, and the kind of field that a person enters them in.
    of: (&'static str, &'static str),
    hubspot_defined: bool,
}

const TEXT: (&str, &str) = ("string", "text");
const PHONE: (&str, &str) = ("string", "phonenumber");
const NUMBER: (&str, &str) = ("number", "number");
const TIME: (&str, &str) = ("datetime", "date");

const PROPERTIES: [Property; 21] = [
    defined("createdate", "Create Date", TIME),
    defined("hs_object_id", "Record ID", NUMBER),
    defined("lastmodifieddate", "Last Modified Date", TIME),
    defined("email", "Email", TEXT),
    defined("firstname", "First Name", TEXT),
    defined("lastname", "Last Name", TEXT),
    defined("phone", "Phone Number", PHONE),
    defined("mobilephone", "Mobile Phone Number", PHONE),
    defined("company", "Company Name", TEXT),
    defined("jobtitle", "Job Title", TEXT),
    defined("address", "Street Address", TEXT),
    defined("city", "City", TEXT),
    defined("zip", "Postal Code", TEXT),
    defined("country", "Country/Region", TEXT),
    defined("website", "Website URL", TEXT),
    added("erp_id", "ERP id", TEXT),
    added("billing_email", "Billing e-mail", TEXT),
    added("vat_id", "VAT id", TEXT),
    added("credit_limit", "Credit limit", NUMBER),
    added("dunning_state", "Dunning state", TEXT),
    added("sync_origin", "Sync origin", TEXT),
];

const fn defined(name: &'static str, label: &'static str, of: (&'static str, &'static str)) -> Property {
    Property { name, label, of, hubspot_defined: true }
}

const fn added(name: &'static str, label: &'static str, of: (&'static str, &'static str)) -> Property {
    Property { name, label, of, hubspot_defined: false }
}

pub(crate) fn is_defined(name: &str) -> bool {
    PROPERTIES.iter().any(|property| property.name == name)
}

/// All of them, as the properties API shows them.
pub(crate) fn shown(unique: UniqueRules) -> Value {
    let property = |property: &Property| {
        let Property { name, label, of: (values, field), hubspot_defined } = property;
        let read_only = READ_ONLY.contains(name);
        let is_unique = match *name {
            "hs_object_id" => true,
            "email" => unique.email,
            "erp_id" => unique.erp_id,
            _ => false,
        };
        json!({
            "name": name,
            "label": label,
            "type": values,
            "fieldType": field,
            "groupName": "contactinformation",
            "description": "",
            "options": [],
            "displayOrder": -1,
            "calculated": false,
            "externalOptions": false,
            "hasUniqueValue": is_unique,
            "hidden": false,
            "formField": !read_only,
            "hubspotDefined": hubspot_defined,
            "archived": false,
            "modificationMetadata": {
                "archivable": !hubspot_defined,
                "readOnlyDefinition": hubspot_defined,
                "readOnlyValue": read_only,
            },
        })
    };
    json!({ "results": PROPERTIES.iter().map(property).collect::<Vec<_>>() })
}
