//! `trash`: what could not be delivered. Nothing leaves it without being asked.

use std::str::FromStr;

use clap::Subcommand;
use pairline_sdk::{Control, EngineError, EventKind, InboxEvent, ListQuery, TrashId, TrashItem, TrashState};
use serde_json::{Value, json};

use super::output::{counted, instant, printable};
use super::{Context, Exit, typed};

/// What can be done about what is listed.
const NEXT: &str = "next: pairline trash show N, then approve N or reject N\n";

/// Of an item's record, the newest events shown.
const EVENTS: usize = 3;

/// Rows listed, at most, when approving or rejecting all.
const ALL: usize = 100_000;

#[derive(Debug, Subcommand)]
pub(super) enum TrashCommand {
    /// What is in it, newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One item, whole.
    Show {
        /// Its number.
        #[arg(value_parser = super::number_of_list)]
        item: i64,
    },
    /// Look at the record again. It is read afresh, so nothing old is written.
    Approve {
        /// Its number, or `all`.
        item: Chosen,
    },
    /// Leave it undelivered for good.
    Reject {
        /// Its number, or `all`.
        item: Chosen,
    },
}

pub(super) async fn trash(context: &Context, command: TrashCommand) -> Result<u8, Exit> {
    let stores = context.attach().await?;
    let items = |limit| {
        let engine = std::sync::Arc::clone(&stores.engine);
        async move {
            let listed = engine.list(ListQuery::Trash, limit).await.map_err(Exit::store)?;
            Ok::<_, Exit>(listed.into_trash().unwrap_or_default())
        }
    };
    match command {
        TrashCommand::List { limit } => {
            let items = items(limit).await?;
            let result: Vec<Value> = items.iter().map(as_json).collect();
            context.output.print(&json!({ "trash": result }), || match items.as_slice() {
                [] => "the trash is empty\n".to_owned(),
                items => items.iter().map(line).chain([NEXT.to_owned()]).collect(),
            });
            Ok(u8::from(!items.is_empty()))
        }
        TrashCommand::Show { item } => {
            let item = TrashId(item);
            let listed = stores.engine.list(ListQuery::TrashItem(item), 1).await.map_err(Exit::store)?;
            let found = listed.into_trash().unwrap_or_default().into_iter().next();
            let found = found.ok_or_else(|| Exit::new(1, EngineError::not_in_the_trash(item, None).to_string()))?;
            let events = match &found.record {
                Some(record) => {
                    let query = ListQuery::Events(record.clone());
                    let listed = stores.engine.list(query, EVENTS).await.map_err(Exit::store)?;
                    listed.into_events().unwrap_or_default()
                }
                None => Vec::new(),
            };
            let mut result = as_json(&found);
            let event = |event: &InboxEvent| json!({ "kind": event.kind, "key": event.key, "received_at": instant(event.received_at) });
            result["events"] = events.iter().map(event).collect();
            context.output.print(&result, || whole(&found, &events));
            Ok(0)
        }
        TrashCommand::Approve { item } => {
            let (chosen, left) = match item {
                Chosen::One(item) => (vec![item], 0),
                // Of those that name no record there is nothing to look at again; they must not hold up the others.
                Chosen::All => {
                    let (chosen, left): (Vec<_>, Vec<_>) =
                        items(ALL).await?.into_iter().partition(|item| item.record.is_some());
                    (ids(chosen), left.len())
                }
            };
            let count = apply(&stores, &chosen, Control::Approve).await?;
            context.output.print(&json!({ "approved": count, "left": left }), || {
                let rest = if left == 0 {
                    String::new()
                } else {
                    format!("{left} left: no record can be read from them, so they can only be rejected\n")
                };
                format!(
                    "{count} approved: read afresh and delivered as they are now\n{rest}next: pairline trash list\n"
                )
            });
            Ok(u8::from(left > 0))
        }
        TrashCommand::Reject { item } => {
            let chosen = match item {
                Chosen::One(item) => vec![item],
                Chosen::All => ids(items(ALL).await?),
            };
            let count = apply(&stores, &chosen, Control::Reject).await?;
            context.output.print(&json!({ "rejected": count }), || format!("{count} rejected\n"));
            Ok(0)
        }
    }
}

/// The items that are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen {
    One(TrashId),
    All,
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse().map(|number| Self::One(TrashId(number))).map_err(|_| "expected a number or `all`".to_owned())
    }
}

fn ids(items: Vec<TrashItem>) -> Vec<TrashId> {
    items.into_iter().map(|item| item.id).collect()
}

/// What a person can do about an item, or what has come of it.
pub(super) fn next(item: &TrashItem) -> String {
    let (number, at) = (item.id.0, item.decided_at.map(instant).unwrap_or_default());
    match (item.state, &item.record) {
        (TrashState::Open, Some(_)) => {
            format!("next: pairline trash approve {number} to look at it again, or pairline trash reject {number}")
        }
        (TrashState::Open, None) => format!("next: pairline trash reject {number}; no record can be read from it"),
        (TrashState::Approved, _) => format!("approved at {at}: its record was put back, to be looked at again"),
        (TrashState::Rejected, _) => {
            format!("rejected at {at}: nothing comes of it; its record's next event is looked at")
        }
    }
}

/// Records and instants as the other commands write them.
pub(super) fn as_json(item: &TrashItem) -> Value {
    json!({
        "id": item.id,
        "application": item.system,
        "record": item.record.as_ref().map(ToString::to_string),
        "topology": item.topology,
        "node": item.node,
        "reason": item.reason,
        "count": item.count,
        "at": instant(item.at),
        "body": item.body,
        "state": item.state,
        "decided_at": item.decided_at.map(instant),
    })
}

async fn apply(
    stores: &crate::composition::Stores,
    chosen: &[TrashId],
    control: fn(TrashId) -> Control,
) -> Result<usize, Exit> {
    for id in chosen {
        stores.engine.control(control(*id)).await.map_err(|error| match error {
            EngineError::NotFound(problem) => Exit::new(1, problem),
            EngineError::Unavailable(problem) => Exit::new(75, problem),
        })?;
    }
    Ok(chosen.len())
}

fn line(item: &TrashItem) -> String {
    let record = item.record.as_ref().map_or_else(|| item.system.to_string(), ToString::to_string);
    let times = match item.count {
        1 => String::new(),
        count => format!("  ({})", counted(count, "time", "times")),
    };
    let place = if item.node.is_empty() { String::new() } else { format!("  {}/{}", item.topology, item.node) };
    format!("{:>5}  {}  {record}{place}\n       {}{times}\n", item.id.0, instant(item.at), printable(&item.reason))
}

/// One item with all that is known of it.
fn whole(item: &TrashItem, events: &[InboxEvent]) -> String {
    let means = match item.state {
        TrashState::Open => "open: it waits for your decision; its record's news is still looked at".to_owned(),
        TrashState::Approved | TrashState::Rejected => next(item),
    };
    let mut text = format!("{}state      {means}\n", line(item));
    text += &match item.count {
        1 => "count      once\n".to_owned(),
        // One item for one cause: an edit after it, or a second look, ended in the same way.
        count => format!(
            "count      {}: since it is here, further looks at its record ended at the same node with the same reason\n",
            counted(count, "time", "times")
        ),
    };
    text += &format!("last       {}\n", instant(item.at));
    for event in events {
        let kind = event.kind.map_or("told", EventKind::name);
        text += &format!("event      {}  {kind} (key {})\n", instant(event.received_at), printable(&event.key));
    }
    if let Some(record) = &item.record {
        text += &format!("story      pairline explain {}\n", typed::word(&record.to_string()));
    }
    if item.state == TrashState::Open {
        text += &format!("{}\n", next(item));
    }
    if let Some(body) = &item.body {
        let body: Vec<String> = body.lines().map(printable).collect();
        text += &format!("\nwhat was sent:\n{}\n", body.join("\n"));
    }
    text
}
