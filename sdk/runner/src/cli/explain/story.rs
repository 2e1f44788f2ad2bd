//! What has happened to a record and its counterpart, in the order of time.

use std::collections::BTreeMap;

use pairline_sdk::{Fields, History, InboxEvent, Note, NoteKind, Operation, OperationKind, RecordId, Timestamp};
use serde_json::{Value, json};

use crate::cli::output::{counted, instant, printable};
use crate::cli::typed;

/// Where what belongs to a line stands below it: under its words, after the instant and what it is.
const INDENT: &str = "                                     ";

/// One thing that has happened.
pub(super) struct Line {
    at: Timestamp,
    what: String,
    /// The values it is about, if they were asked for: as a person reads them, and as they are.
    values: Option<(Vec<String>, Value)>,
}

impl Line {
    pub(super) fn text(&self) -> String {
        let values = self.values.iter().flat_map(|(lines, _)| lines);
        let values: String = values.map(|line| format!("{INDENT}{line}\n")).collect();
        format!("  {}  {}\n{values}", instant(self.at), self.what)
    }

    pub(super) fn json(&self) -> Value {
        let mut line = json!({ "at": instant(self.at), "what": self.what });
        if let Some((_, values)) = &self.values {
            line["values"] = values.clone();
        }
        line
    }
}

/// The events of both records of a pair, every write, and every edit that was not kept.
pub(super) fn story(
    record: &RecordId,
    history: &History,
    events: &[(RecordId, Vec<InboxEvent>)],
    values: bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (of, event) in events.iter().flat_map(|(of, events)| events.iter().map(move |event| (of, event))) {
        let kind = event.kind.map_or_else(String::new, |kind| format!("{}: ", kind.name()));
        let what = format!("event    {kind}{of} (key {})", printable(&event.key));
        lines.push(Line { at: event.received_at, what, values: None });
    }
    for operation in &history.operations {
        let values = values.then(|| written(operation));
        lines.push(Line { at: operation.first_sent_at, what: told(operation), values });
    }
    for (at, note) in &history.notes {
        let shown = values.then(|| decided_on(note));
        lines.push(Line { at: *at, what: decided(note, record, values), values: shown });
    }
    if let Some(pair) = &history.pair {
        let what =
            format!("mapping  {} ⇄ {} recorded by {}", pair.sides[0].record, pair.sides[1].record, pair.created_by);
        lines.push(Line { at: pair.created_at, what, values: None });
    }
    lines.sort_by_key(|line| line.at);
    lines
}

fn told(operation: &Operation) -> String {
    let what = match operation.kind {
        OperationKind::Create => "create  ",
        OperationKind::Update => "update  ",
    };
    let target = operation.target_id.as_deref().unwrap_or("(not known)");
    // A record is born with many fields for one reason.
    let mut by_reason: BTreeMap<usize, (&str, Vec<&str>)> = BTreeMap::new();
    for (place, write) in operation.writes.iter().enumerate() {
        let reason = write.reason.sentence();
        let known = by_reason.iter().find(|(_, (known, _))| *known == reason).map_or(place, |(place, _)| *place);
        by_reason.entry(known).or_insert((reason, Vec::new())).1.push(&write.field);
    }
    let mut fields: Vec<String> =
        by_reason.values().map(|(reason, fields)| format!("{} ({reason})", fields.join(", "))).collect();
    fields.extend(operation.inverse.iter().map(|inverse| format!("inverse id in `{}`", inverse.field)));
    let again = if operation.attempts > 1 {
        format!(", sent {}", counted(u64::from(operation.attempts), "time", "times"))
    } else {
        String::new()
    };
    let why = operation.reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    format!(
        "{what} {} → {}:{target} {}{why}{again}; {}; {}",
        operation.source,
        operation.target,
        operation.state.name(),
        fields.join(", "),
        operation.id
    )
}

/// What an operation wrote over what, in the target's own fields.
fn written(operation: &Operation) -> (Vec<String>, Value) {
    let mut lines = Vec::new();
    for (write, name, value) in
        operation.writes.iter().flat_map(|write| write.value.iter().map(move |(name, value)| (write, name, value)))
    {
        // A record that is made held nothing before.
        let before = write.seen_target.as_ref().filter(|_| operation.kind == OperationKind::Update);
        let before = before
            .and_then(|before| before.get(name))
            .map_or_else(String::new, |before| format!("{} → ", value_text(before)));
        lines.push(format!("{name}: {before}{}", value_text(value)));
    }
    (lines, json!(operation.writes))
}

fn decided(note: &Note, record: &RecordId, values: bool) -> String {
    let what = match note.kind {
        NoteKind::Violation => "violation",
        NoteKind::Conflict => "conflict ",
    };
    let how = match values {
        true => String::new(),
        false => format!(" (its value: pairline explain --values {})", typed::word(&record.to_string())),
    };
    format!("{what} the edit of `{}` in {} was not kept{how}", note.field, note.system)
}

fn decided_on(note: &Note) -> (Vec<String>, Value) {
    let lost = format!("lost {}; kept {}", fields_text(&note.lost), value_text(&note.kept));
    (vec![lost], json!({ "lost": note.lost, "kept": note.kept }))
}

/// Fields with their values as a person reads them.
pub(super) fn fields_text(fields: &Fields) -> String {
    if fields.is_empty() {
        return "no value".to_owned();
    }
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", value_text(value))).collect();
    fields.join(", ")
}

/// A value as a person reads it: as JSON, so that it is clear where a text begins and ends.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "no value".to_owned(),
        value => printable(&value.to_string()),
    }
}
