//! Who owns each field of a pair, and where the value comes from that stands there.

use pairline_sdk::{Field, History, Owner, Pair, SyncContract, System};
use serde_json::{Value, json};

use super::story::fields_text;
use crate::cli::output::instant;

/// Who owns a field, and where the value comes from that stands there.
pub(super) struct FieldStory {
    name: String,
    owner: String,
    origin: String,
    operation: Option<String>,
    /// What each side last agreed on, if values were asked for: as a person reads it, and as it is.
    values: Option<(String, Value)>,
}

impl FieldStory {
    pub(super) fn of(field: &Field, contract: &SyncContract, pair: &Pair, history: &History, values: bool) -> Self {
        let owner = match field.owner() {
            Owner::System(system) => format!("owned by {system}"),
            Owner::Shared(_) => "shared".to_owned(),
        };
        let newest = history
            .operations
            .iter()
            .rev()
            .find(|operation| operation.writes.iter().any(|write| write.field == field.name()));
        let empty = |system: &System| field.canonical(contract, system, &pair.side(system).base).is_empty();
        let origin = match newest {
            Some(operation) => {
                let write = operation.writes.iter().find(|write| write.field == field.name());
                let reason = write.map_or("", |write| write.reason.sentence());
                format!(
                    "{} → {} {}, {}: {reason}",
                    operation.source.system,
                    operation.target,
                    instant(operation.sent_at),
                    operation.state.name()
                )
            }
            None if contract.systems().iter().all(empty) => "has no value".to_owned(),
            None => "both sides held the same when they were first compared".to_owned(),
        };
        let held = |side: &pairline_sdk::PairSide| {
            let held = field.part_of(contract, &side.record.system, &side.base);
            (format!("{}: {}", side.record.system, fields_text(&held)), (side.record.system.to_string(), json!(held)))
        };
        let values = values.then(|| {
            let (texts, values): (Vec<String>, serde_json::Map<String, Value>) = pair.sides.iter().map(held).unzip();
            (texts.join("; "), Value::Object(values))
        });
        Self {
            name: field.name().to_owned(),
            owner,
            origin,
            operation: newest.map(|operation| operation.id.to_string()),
            values,
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut field =
            json!({ "field": self.name, "owner": self.owner, "origin": self.origin, "operation": self.operation });
        if let Some((_, values)) = &self.values {
            field["values"] = values.clone();
        }
        field
    }
}

/// Fields as a person reads them, below where their values came from: one write may have brought all of them.
pub(super) fn text(fields: &[FieldStory]) -> String {
    let mut origins: Vec<&str> = Vec::new();
    for field in fields {
        if !origins.contains(&field.origin.as_str()) {
            origins.push(&field.origin);
        }
    }
    let mut text = String::new();
    for origin in origins {
        text += &format!("  {origin}\n");
        for field in fields.iter().filter(|field| field.origin == origin) {
            let values = field.values.as_ref().map_or("", |(values, _)| values);
            text += format!("    {:<14} {:<16} {values}", field.name, field.owner).trim_end();
            text.push('\n');
        }
    }
    text
}
