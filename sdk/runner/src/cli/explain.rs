//! `explain RECORD`: the answer to "why was this customer created twice", and to "where does this value come from".

mod field_story;
mod standstill;
mod story;

use pairline_sdk::{CaseId, History, InboxEvent, ListQuery, RecordId};
use serde_json::json;

use self::field_story::FieldStory;
use self::standstill::Standstill;
use self::story::Line;
use super::{Context, Exit, cases, ids, project};
use crate::composition::Stores;

/// Events shown of a record, at most: the newest.
const EVENTS: usize = 200;

/// The values of fields are people's own: they are shown to whoever asks for them, and not to whoever looks over his
/// shoulder.
pub(super) async fn explain(context: &Context, text: &str, values: bool) -> Result<u8, Exit> {
    let record = ids::record(text)?;
    let stores = context.attach().await?;
    let history = stores.pairs.history(&record).await.map_err(Exit::store)?;
    let other = history.pair.as_ref().map(|pair| pair.other(&record.system).record.clone());
    let records: Vec<RecordId> = [record.clone()].into_iter().chain(other).collect();
    let (events, cut) = events(&stores, &records).await?;
    let standstill = Standstill::of(&stores, &records, &history).await?;
    let open_cases = open_cases(&stores, &history).await?;
    let project = project::load(context)?;
    let contract = history.pair.as_ref().and_then(|pair| project.contracts.get(&pair.contract));
    let fields: Vec<FieldStory> = match (&history.pair, contract) {
        (Some(pair), Some(contract)) => {
            contract.fields().iter().map(|field| FieldStory::of(field, contract, pair, &history, values)).collect()
        }
        _ => Vec::new(),
    };
    let lines = story::story(&record, &history, &events, values);
    let result = json!({
        "record": record.to_string(),
        "pair": history.pair.as_ref().map(ids::pair_json),
        "fields": fields.iter().map(FieldStory::json).collect::<Vec<_>>(),
        "story": lines.iter().map(Line::json).collect::<Vec<_>>(),
        "events_left_out_of": cut.iter().map(ToString::to_string).collect::<Vec<_>>(),
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
            text += &field_story::text(&fields);
        }
        text += "\nstory\n";
        for record in &cut {
            text += &format!("  of {record} the newest {EVENTS} events are shown\n");
        }
        text + &lines.iter().map(Line::text).collect::<String>()
    });
    Ok(u8::from(!known))
}

/// The newest events of each record, and the records that have more of them.
async fn events(
    stores: &Stores,
    records: &[RecordId],
) -> Result<(Vec<(RecordId, Vec<InboxEvent>)>, Vec<RecordId>), Exit> {
    let (mut all, mut cut) = (Vec::new(), Vec::new());
    for record in records {
        let query = ListQuery::Events(record.clone());
        let listed = stores.engine.list(query, EVENTS + 1).await.map_err(Exit::store)?;
        let mut events = listed.into_events().unwrap_or_default();
        if events.len() > EVENTS {
            events.remove(0);
            cut.push(record.clone());
        }
        all.push((record.clone(), events));
    }
    Ok((all, cut))
}

/// Which of a record's cases wait for a person.
async fn open_cases(stores: &Stores, history: &History) -> Result<Vec<CaseId>, Exit> {
    if history.cases.is_empty() {
        return Ok(Vec::new());
    }
    let open = stores.pairs.cases(cases::ALL).await.map_err(Exit::store)?;
    Ok(open.into_iter().map(|case| case.id).collect())
}
