//! The schema that editors read: made from the types that read a description, and held against descriptions.

use serde_json::{Value, json};

use super::document::ApplicationDocument;
use crate::application::SCHEMA;
use crate::project::library;

/// The variable that has the file written anew.
const WRITE: &str = "SCHEMA_WRITE";

fn made() -> String {
    let mut schema = json!(schemars::schema_for!(ApplicationDocument));
    schema["title"] = json!("Application description of Pairline");
    nullable(&mut schema);
    format!("{schema:#}\n")
}

/// A key that may be left out is left out, and not written as `null`.
fn nullable(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(kinds)) = map.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [one] = &kinds[..] {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice != &json!({ "type": "null" }));
                if let [Value::Object(one)] = &choices[..] {
                    let one = one.clone();
                    map.shift_remove("anyOf");
                    map.extend(one);
                }
            }
            map.values_mut().for_each(nullable);
        }
        Value::Array(items) => items.iter_mut().for_each(nullable),
        _ => {}
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

/// A description as an editor sees it.
fn seen(text: &str) -> Value {
    let (value, findings) = crate::yaml::read::<Value>("a.yaml", text);
    assert_eq!(findings, []);
    value.unwrap()
}

#[test]
fn the_schema_is_what_the_reader_reads() {
    if std::env::var_os(WRITE).is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/application/description/schema.json");
        std::fs::write(file, made()).unwrap();
        return;
    }
    assert!(SCHEMA == made(), "the schema is another one: {WRITE}=1 writes it anew");
}

#[test]
fn every_shipped_description_is_as_the_schema_says() {
    let validator = validator();
    let crm = include_str!("../../../../../topologies/applications/crm.yaml");
    let erp = include_str!("../../../../../topologies/applications/erp.yaml");
    for (name, text) in library().chain([("crm", crm), ("erp", erp)]) {
        let errors: Vec<String> = validator.iter_errors(&seen(text)).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn an_editor_marks_what_check_would_refuse() {
    let (_, starter) = library().find(|(name, _)| *name == "starter").unwrap();
    let validator = validator();
    for (from, to) in [
        ("  whole: true", "  hole: true"),
        ("order: id", "order: name"),
        ("means: duplicate", "means: double"),
        ("base_url: ", "base-url: "),
        ("status: [404, 410]", "status: not-found"),
        ("next: /next_cursor", "next: { cursor: /next_cursor }"),
        ("of: create", "of: remove"),
        ("limit: 100", "limit: [1"),
    ] {
        let text = starter.replacen(from, to, 1);
        assert_ne!(text, starter, "{from}");
        let (value, _) = crate::yaml::read::<Value>("a.yaml", &text);

        assert!(value.is_none_or(|value| !validator.is_valid(&value)), "{to}");
    }
}

#[test]
fn whoever_points_at_a_key_is_told_what_it_is() {
    fn untold(at: &str, schema: &Value, found: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none_or(str::is_empty) {
                found.push(format!("{at}.{name}"));
            }
        }
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut found = Vec::new();
    untold("", &schema, &mut found);
    schema["$defs"].as_object().unwrap().iter().for_each(|(name, one)| untold(name, one, &mut found));

    assert_eq!(found, Vec::<String>::new());
}
