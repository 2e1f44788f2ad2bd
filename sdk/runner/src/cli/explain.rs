//! `explain RECORD`: the answer to "why was this customer created twice", and to "where does this value come from".

mod standstill;

use pairline_sdk::{
    CaseId, Field, History, InboxEvent, ListQuery, Listed, Note, Operation, OperationKind, Owner, Pair, RecordId,
    SyncContract, System, Timestamp,
};
use serde_json::{Value, json};

use self::standstill::Standstill;
use super::output::instant;
use super::{Context, Exit, cases, ids, project};
use crate::composition::Stores;

/// Events shown, at most.
const EVENTS: usize = 200;

pub(super) async fn explain(context: &Context, text: &str) -> Result<u8, Exit> {
    let record = ids::record(text)?;
    let stores = context.attach().await?;
    let history = stores.pairs.history(&record).await.map_err(Exit::store)?;
    let events = match stores.engine.list(ListQuery::Events(record.clone()), EVENTS).await.map_err(Exit::store)? {
        Listed::Events(events) => events,
        _ => Vec::new(),
    };
    let other = history.pair.as_ref().map(|pair| pair.other(&record.system).record.clone());
    let records: Vec<RecordId> = [record.clone()].into_iter().chain(other).collect();
    let standstill = Standstill::of(&stores, &records, &history).await?;
    let open_cases = open_cases(&stores, &history).await?;
    let project = project::load(context)?;
    let contract = history.pair.as_ref().and_then(|pair| project.contracts.get(&pair.contract));
    let fields: Vec<FieldStory> = match (&history.pair, contract) {
        (Some(pair), Some(contract)) => {
            contract.fields().iter().map(|field| FieldStory::of(field, contract, pair, &history)).collect()
        }
        _ => Vec::new(),
    };
    let mut lines = story(&record, &history, &events);
    lines.sort_by_key(|line| line.at);
    let result = json!({
        "record": record.to_string(),
        "pair": history.pair.as_ref().map(ids::pair_json),
        "fields": fields.iter().map(FieldStory::json).collect::<Vec<_>>(),
        "story": lines.iter().map(|line| json!({ "at": instant(line.at), "what": line.what })).collect::<Vec<_>>(),
        "waiting": standstill.waiting_json(),
        "trash": standstill.trash_json(),
        "held": standstill.held_json(),
        "cases": history.cases.iter().map(|case| cases::told_json(case, open_cases.contains(&case.id))).collect::<Vec<_>>(),
    });
    let known = history.pair.is_some() || history.reservation.is_some() || !lines.is_empty() || standstill.knows_it();
    context.output.print(&result, || {
        if !known {
            let stranger = ids::stranger(context, &record);
            return format!(
                "nothing is known of {record}: no event, no pair, no write{stranger}\n{}",
                standstill.held()
            );
        }
        let mut text = match (&history.pair, &history.reservation) {
            (Some(pair), _) => ids::pair_text(pair),
            (None, Some(open)) => format!("{}\n", ids::being_made(&record, open)),
            (None, None) => format!("{record} has no counterpart\n"),
        };
        text += &standstill.text(&history);
        for case in &history.cases {
            text += &cases::told(case, open_cases.contains(&case.id));
        }
        if !fields.is_empty() {
            text += "\nfields\n";
        }
        for field in &fields {
            text += &format!("  {:<14} {:<16} {}\n", field.name, field.owner, field.origin);
        }
        text += "\nstory\n";
        for line in &lines {
            text += &format!("  {}  {}\n", instant(line.at), line.what);
        }
        text
    });
    Ok(u8::from(!known))
}

/// Which of a record's cases wait for a person.
async fn open_cases(stores: &Stores, history: &History) -> Result<Vec<CaseId>, Exit> {
    if history.cases.is_empty() {
        return Ok(Vec::new());
    }
    let open = stores.pairs.cases(cases::ALL).await.map_err(Exit::store)?;
    Ok(open.into_iter().map(|case| case.id).collect())
}

/// Who owns a field, and where the value comes from that stands there.
struct FieldStory {
    name: String,
    owner: String,
    origin: String,
    operation: Option<String>,
}

impl FieldStory {
    fn of(field: &Field, contract: &SyncContract, pair: &Pair, history: &History) -> Self {
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
        Self {
            name: field.name().to_owned(),
            owner,
            origin,
            operation: newest.map(|operation| operation.id.to_string()),
        }
    }

    fn json(&self) -> Value {
        json!({ "field": self.name, "owner": self.owner, "origin": self.origin, "operation": self.operation })
    }
}

struct Line {
    at: Timestamp,
    what: String,
}

fn story(record: &RecordId, history: &History, events: &[InboxEvent]) -> Vec<Line> {
    let mut lines = Vec::new();
    for event in events {
        let kind = event.kind.map_or_else(String::new, |kind| format!("{kind:?}: ").to_lowercase());
        lines.push(Line { at: event.received_at, what: format!("event    {kind}{record} (key {})", event.key) });
    }
    for operation in &history.operations {
        lines.push(Line { at: operation.first_sent_at, what: told(operation) });
    }
    for (at, note) in &history.notes {
        lines.push(Line { at: *at, what: decided(note) });
    }
    if let Some(pair) = &history.pair {
        let what =
            format!("mapping  {} ⇄ {} recorded by {}", pair.sides[0].record, pair.sides[1].record, pair.created_by);
        lines.push(Line { at: pair.created_at, what });
    }
    lines
}

fn told(operation: &Operation) -> String {
    let what = match operation.kind {
        OperationKind::Create => "create  ",
        OperationKind::Update => "update  ",
    };
    let target = operation.target_id.as_deref().unwrap_or("(not known)");
    let mut fields: Vec<String> =
        operation.writes.iter().map(|write| format!("{} ({})", write.field, write.reason.sentence())).collect();
    fields.extend(operation.inverse.iter().map(|inverse| format!("inverse id in `{}`", inverse.field)));
    let again = if operation.attempts > 1 { format!(", sent {} times", operation.attempts) } else { String::new() };
    let why = operation.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(
        "{what} {} → {}:{target} {}{why}{again}; {}; {}",
        operation.source,
        operation.target,
        operation.state.name(),
        fields.join(", "),
        operation.id
    )
}

fn decided(note: &Note) -> String {
    let what = match note.kind {
        pairline_sdk::NoteKind::Violation => "violation",
        pairline_sdk::NoteKind::Conflict => "conflict ",
    };
    let lost: Vec<&str> = note.lost.keys().map(String::as_str).collect();
    format!(
        "{what} the edit of `{}` in {} was not kept (its value is in the log: {})",
        note.field,
        note.system,
        lost.join(", ")
    )
}
