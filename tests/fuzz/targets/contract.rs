//! Sync contracts: findings point into the text; one that checks clean is the same when it is written anew, and its
//! fields carry every value there and back.

use std::sync::LazyLock;

use pairline_runner::application::HttpApplication;
use pairline_runner::contract::ContractText;
use pairline_runner::finding::Finding;
use pairline_runner::yaml;
use pairline_sdk::{Application, ContractDocument, Policy, Write};
use serde_json::{Value, json};

use super::stage::{ERP, Remote, application, described};
use super::text::{findings_point_inside, utf8, yaml as as_yaml};
use super::value;

/// Whatever a contract calls its fields, a description like this one can say it.
static ERP_APPLICATION: LazyLock<HttpApplication> =
    LazyLock::new(|| application(described(ERP), &Remote::new(vec![])).unwrap());

pub(super) fn run(input: &[u8]) {
    let Some(text) = utf8(input) else { return };
    let (read, findings) = ContractText::parse("fuzz.yaml", text);
    findings_point_inside(text, &findings);
    assert!(read.is_some() || !findings.is_empty(), "nothing was read and nothing is wrong");
    let Some(read) = read else { return };
    assert_eq!(read.contract.is_some(), findings.is_empty(), "{findings:?}");
    let Some(contract) = read.contract else { return };
    for what in hostile_values() {
        value::carries(&contract, &what);
    }
    for system in contract.systems() {
        let names = contract.fields().iter().flat_map(|field| field.names(&contract, system));
        let names = names.map(String::as_str).chain(contract.inverse_field(system));
        let fields = names.map(|name| (name.to_owned(), json!("x"))).collect();
        let rendered = ERP_APPLICATION.render(&Write::Create { fields });
        assert!(rendered.is_ok(), "clean, and it cannot be written: {rendered:?}\n{text}");
    }

    let (document, _) = yaml::read::<ContractDocument>("fuzz.yaml", text);
    let anew = written_anew(&document.unwrap());
    if anew.len() > yaml::limit::BYTES {
        return;
    }
    let (again, findings) = ContractText::parse("anew.yaml", &anew);
    assert!(!findings.iter().any(Finding::is_error), "clean, and not when it is written anew: {findings:?}\n{anew}");
    assert_eq!(format!("{:?}", again.unwrap().contract.unwrap()), format!("{contract:?}"), "{anew}");
}

fn written_anew(document: &ContractDocument) -> String {
    let mut written = serde_json::to_value(document).unwrap();
    for (name, field) in &document.fields {
        let policy = field.policy.as_ref().map(|policy| match policy {
            Policy::Prefer(system) => format!("prefer {system}"),
            Policy::Newest => "newest".to_owned(),
            Policy::SetUnion => "set-union".to_owned(),
            Policy::Max => "max".to_owned(),
            Policy::Ask => "ask".to_owned(),
        });
        written["fields"][name]["policy"] = json!(policy);
    }
    as_yaml(&written)
}

fn hostile_values() -> [Value; 24] {
    [
        json!(null),
        json!(""),
        json!(" "),
        json!([]),
        json!([""]),
        json!({}),
        json!("Ada  King\tLovelace "),
        json!("ẞſİΣς"),
        json!(" true "),
        json!("falſe"),
        json!(true),
        json!(0),
        json!(-0.0),
        json!("-0.00"),
        json!("007"),
        json!(9_007_199_254_740_993_u64),
        json!("9007199254740993e0"),
        json!("1e400"),
        json!(1e300),
        json!("+420 777 123"),
        json!("a;b; c"),
        json!(["a;b", " c ", "a"]),
        json!("a@B@C.Example"),
        json!({ "x": ["y;z"] }),
    ]
}
