//! `ids`: the id mapping.

use clap::Subcommand;
use pairline_sdk::{Pair, PairId, PairState, RecordId, Reservation};
use serde_json::{Value, json};

use super::output::instant;
use super::{Context, Exit, project};
use crate::finding::suggest;

#[derive(Debug, Subcommand)]
pub(super) enum IdsCommand {
    /// The counterpart of a record.
    Get {
        /// Such as `crm:101`.
        record: String,
    },
    /// Pairs, in the order they were made.
    List {
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Only those after this pair.
        #[arg(long, value_name = "PAIR")]
        after: Option<i64>,
    },
    /// What was written for a record, and why.
    History {
        /// Such as `crm:101`.
        record: String,
    },
}

/// Reads a record's name as a person types it.
pub(super) fn record(text: &str) -> Result<RecordId, Exit> {
    RecordId::parse(text).ok_or_else(|| Exit::new(64, format!("expected a record such as `crm:101`, found `{text}`")))
}

/// What to add when nothing is known of a record: its system may be mistyped.
pub(super) fn stranger(context: &Context, record: &RecordId) -> String {
    let Ok(project) = project::load(context) else { return String::new() };
    let known: Vec<&str> = project.applications.iter().map(|(name, _)| name.as_str()).collect();
    if known.contains(&record.system.as_str()) {
        return String::new();
    }
    format!("; there is no application `{}`: {}", record.system, suggest(record.system.as_str(), known, "applications"))
}

pub(super) async fn ids(context: &Context, command: IdsCommand) -> Result<u8, Exit> {
    match command {
        IdsCommand::Get { record: text } => get(context, &text).await,
        IdsCommand::List { limit, after } => list(context, limit, after).await,
        IdsCommand::History { record: text } => history(context, &text).await,
    }
}

/// That the create of a record's counterpart has not ended.
pub(super) fn being_made(record: &RecordId, open: &Reservation) -> String {
    let create = &open.operation;
    if open.closed {
        return format!(
            "{record} has no counterpart, and gets none: it is gone; {} is {}",
            create.id,
            create.state.name()
        );
    }
    format!("{record} has no counterpart yet: {} is {}", create.id, create.state.name())
}

async fn get(context: &Context, text: &str) -> Result<u8, Exit> {
    let record = record(text)?;
    let history = context.attach().await?.pairs.history(&record).await.map_err(Exit::store)?;
    let Some(pair) = &history.pair else {
        let why = match &history.reservation {
            Some(open) => being_made(&record, open),
            None => format!("{record} has no counterpart{}", stranger(context, &record)),
        };
        return Err(Exit::new(1, why));
    };
    context.output.print(&pair_json(pair), || pair_text(pair));
    Ok(0)
}

async fn list(context: &Context, limit: usize, after: Option<i64>) -> Result<u8, Exit> {
    let stores = context.attach().await?;
    let pairs = stores.pairs.pairs(after.map(PairId), limit).await.map_err(Exit::store)?;
    let result: Vec<Value> = pairs.iter().map(pair_json).collect();
    context.output.print(&json!({ "pairs": result }), || {
        let mut text: String = pairs.iter().map(|pair| line(pair) + "\n").collect();
        if pairs.len() == limit
            && let Some(last) = pairs.last()
        {
            text += &format!("more: pairline ids list --after {}\n", last.id.0);
        }
        if pairs.is_empty() {
            text += "no pairs\n";
        }
        text
    });
    Ok(0)
}

async fn history(context: &Context, text: &str) -> Result<u8, Exit> {
    let record = record(text)?;
    let history = context.attach().await?.pairs.history(&record).await.map_err(Exit::store)?;
    let result = serde_json::to_value(&history).unwrap_or_default();
    context.output.print(&result, || {
        if history.operations.is_empty() {
            return format!("nothing was ever written for {record}{}\n", stranger(context, &record));
        }
        let lines = history.operations.iter().map(|operation| {
            let mut fields: Vec<String> = operation.writes.iter().map(|write| write.field.clone()).collect();
            fields.extend(operation.inverse.iter().map(|inverse| format!("inverse id in `{}`", inverse.field)));
            let target = operation.target_id.as_deref().unwrap_or("?");
            format!(
                "{}  {:<10} {} {}:{target}  {}  {}\n",
                instant(operation.sent_at),
                operation.state.name(),
                operation.request.method,
                operation.target,
                fields.join(", "),
                operation.id
            )
        });
        lines.collect()
    });
    Ok(0)
}

fn state(pair: &Pair) -> String {
    match &pair.state {
        PairState::Active => "active".to_owned(),
        PairState::Inactive { gone, since } => format!("inactive: gone in {gone} since {}", instant(*since)),
    }
}

fn line(pair: &Pair) -> String {
    format!("{}  ⇄  {}   {}", pair.sides[0].record, pair.sides[1].record, state(pair))
}

pub(super) fn pair_text(pair: &Pair) -> String {
    let written = |side: &pairline_sdk::PairSide| {
        format!("{} {}", side.record.system, if side.inverse_written { "✓" } else { "pending" })
    };
    format!(
        "{}\ncreated    {} by {}\nlast seen  {}\ninverse ids written: {}, {}\n",
        line(pair),
        instant(pair.created_at),
        pair.created_by,
        instant(pair.last_seen_at),
        written(&pair.sides[0]),
        written(&pair.sides[1]),
    )
}

pub(super) fn pair_json(pair: &Pair) -> Value {
    json!({
        "pair": pair.id,
        "contract": pair.contract,
        "records": pair.sides.iter().map(|side| side.record.to_string()).collect::<Vec<_>>(),
        "active": pair.is_active(),
        "state": state(pair),
        "inverse_written": pair.sides.iter().map(|side| (side.record.system.to_string(), side.inverse_written)).collect::<std::collections::BTreeMap<_, _>>(),
        "created_at": instant(pair.created_at),
        "created_by": pair.created_by,
        "last_seen_at": instant(pair.last_seen_at),
    })
}
