//! Values of a field: what is canonical stays so, what is sent is read back as the same value, by either system, and a
//! merge makes nothing up.
//!
//! The first line of an input is about the field, in words: its kind, `one` or `two` names, how each system writes it,
//! a policy, and transforms. The rest is the value: JSON, or else a text.

use pairline_sdk::{Canonical, ContractDocument, Fields, SyncContract, System};
use serde_json::{Map, Value, json};

use super::text::utf8;

pub(super) fn run(input: &[u8]) {
    let Some((field, value)) = utf8(input).and_then(|text| text.split_once('\n')) else { return };
    let mut written = Map::new();
    let (mut kind, mut names, mut policy, mut transforms) = ("text", json!("a"), "newest", Vec::new());
    for word in field.split_whitespace() {
        match word {
            "text" | "email" | "phone" | "decimal" | "boolean" | "set" => kind = word,
            "two" => names = json!(["a", "b"]),
            "three" => names = json!(["a", "b", "c"]),
            "join-words" | "trim" | "collapse-spaces" | "uppercase" | "lowercase" => transforms.push(word),
            "newest" | "set-union" | "max" => policy = word,
            _ => {
                if let Some((system @ ("crm" | "erp"), how @ ("text" | "number" | "boolean" | "list"))) =
                    word.split_once('=')
                {
                    written.insert(system.to_owned(), json!(how));
                }
            }
        }
    }
    let document = json!({
        "contract": "fuzz",
        "systems": ["crm", "erp"],
        "fields": {
            "field": {
                "owner": "shared",
                "policy": policy,
                "in": { "crm": names, "erp": "value" },
                "type": kind,
                "as": written,
                "transform": transforms,
            },
        },
    });
    let document: ContractDocument = serde_json::from_value(document).unwrap();
    let Ok(contract) = SyncContract::check(&document) else { return };
    let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
    carries(&contract, &value);
}

/// Every field of a contract carries this value without losing it or changing it on the way.
pub(super) fn carries(contract: &SyncContract, value: &Value) {
    let systems = contract.systems();
    for field in contract.fields() {
        for (system, other) in [(&systems[0], &systems[1]), (&systems[1], &systems[0])] {
            let canonical = |system: &System, fields: &Fields| field.canonical(contract, system, fields);
            let names = field.names(contract, system);
            let mut fields = Fields::from_iter([(names[0].clone(), value.clone())]);
            let what = canonical(system, &fields);
            if let [_, .., last] = names {
                // The last of several names is enough: it is the same value.
                let alone = Fields::from_iter([(last.clone(), value.clone())]);
                assert_eq!(canonical(system, &alone), what, "{}: by another name, {value}", field.name());
            }
            fields.insert(names[0].clone(), what.as_value().clone());
            assert_eq!(canonical(system, &fields), what, "{}: {value} is not canonical the second time", field.name());
            for reader in [system, other] {
                let sent = field.render(contract, reader, &what);
                let read = canonical(reader, &sent);
                assert_eq!(read, what, "{}: {value} is sent to {reader} as {sent:?}", field.name());
                assert_eq!(field.render(contract, reader, &read), sent, "{}: {value} is sent twice", field.name());
            }
            merges(contract, field, &what);
        }
    }
}

fn merges(contract: &SyncContract, field: &pairline_sdk::Field, what: &Canonical) {
    let [first, second] = contract.systems();
    let name = &field.names(contract, first)[0];
    let plain = field.canonical(contract, first, &Fields::from_iter([(name.clone(), json!("5"))]));
    for newer in [true, false] {
        let merged = field.merge((first, what), (second, &plain), newer);
        let same = field.merge((second, &plain), (first, what), !newer);
        assert_eq!(merged, same, "{}: a merge depends on who is named first", field.name());
        let Some(merged) = merged else { continue };
        let again = Fields::from_iter([(name.clone(), merged.as_value().clone())]);
        assert_eq!(field.canonical(contract, first, &again), merged, "{}: a merge is not canonical", field.name());
        let idle = field.merge((first, what), (second, what), newer);
        assert_eq!(idle.as_ref(), Some(what), "{}: a value merged with itself is another", field.name());
    }
}
