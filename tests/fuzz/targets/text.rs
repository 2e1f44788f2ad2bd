//! What must hold of every text that people write.

use pairline_runner::finding::{Finding, Place};

/// A text; what is no UTF-8 does not get as far as a reader of texts.
pub(super) fn utf8(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// Every finding points into the text and can be shown.
pub(super) fn findings_point_inside(text: &str, findings: &[Finding]) {
    for finding in findings {
        inside(text, finding.place, &finding.to_string());
        if let Some(related) = &finding.related {
            inside(text, related.place, &finding.to_string());
        }
        assert!(!finding.message.is_empty(), "a finding says nothing");
        assert!(finding.render(false).contains(finding.code), "{finding} is not shown");
        assert!(serde_json::to_string(finding).is_ok(), "{finding} cannot be JSON");
    }
}

/// A place is on a line that is there, within its characters or right behind the last one. No line at all stands for the
/// whole text.
fn inside(text: &str, place: Place, what: &str) {
    let Place { line, column, length } = place;
    if line == 0 {
        assert_eq!((column, length), (0, 0), "{what}");
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    assert!(line <= lines.len().max(1), "{what} is not within {} lines", lines.len());
    let characters = lines.get(line - 1).map_or(0, |line| line.chars().count());
    assert!((1..=characters + 1).contains(&column), "{what} is not within {characters} characters");
    assert!(column - 1 + length <= characters.max(1), "{what} is {length} long, there are {characters} characters");
}

/// A text as a flow scalar of YAML that stands for it and nothing else.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '-' | '_' | '.' => out.push(character),
            letter if letter.is_alphanumeric() => out.push(letter),
            other => out.push_str(&format!("\\U{:08x}", u32::from(other))),
        }
    }
    out.push('"');
    out
}

/// A JSON value as YAML of one line.
pub(super) fn yaml(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            // A long key has to be announced.
            let entry = |(key, value): (&String, &Value)| match (quoted(key), yaml(value)) {
                (key, value) if key.len() > 500 => format!("? {key} : {value}"),
                (key, value) => format!("{key}: {value}"),
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
