//! `trash`: what could not be delivered. Nothing leaves it without being asked.

use clap::Subcommand;
use pairline_sdk::{Control, EngineError, ListQuery, Listed, TrashId, TrashItem};
use serde_json::json;

use super::output::instant;
use super::{Context, Exit};

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
        item: i64,
    },
    /// Look at the record again. It is read afresh, so nothing old is written.
    Approve {
        /// Its number, or `all`.
        item: String,
    },
    /// Leave it undelivered for good.
    Reject {
        /// Its number, or `all`.
        item: String,
    },
}

pub(super) async fn trash(context: &Context, command: TrashCommand) -> Result<u8, Exit> {
    let stores = context.attach().await?;
    let items = |limit| {
        let engine = std::sync::Arc::clone(&stores.engine);
        async move {
            match engine.list(ListQuery::Trash, limit).await.map_err(Exit::store)? {
                Listed::Trash(items) => Ok::<_, Exit>(items),
                _ => Ok(Vec::new()),
            }
        }
    };
    match command {
        TrashCommand::List { limit } => {
            let items = items(limit).await?;
            context.output.print(&json!({ "trash": items }), || match items.as_slice() {
                [] => "the trash is empty\n".to_owned(),
                items => items.iter().map(line).collect(),
            });
            Ok(u8::from(!items.is_empty()))
        }
        TrashCommand::Show { item } => {
            let items = items(ALL).await?;
            let found = items.into_iter().find(|found| found.id == TrashId(item));
            let found = found.ok_or_else(|| Exit::new(1, format!("no item {item} is in the trash")))?;
            context.output.print(&json!(found), || {
                let body = found.body.as_ref().map(|body| format!("\nwhat was sent:\n{body}\n")).unwrap_or_default();
                format!("{}{body}", line(&found))
            });
            Ok(0)
        }
        TrashCommand::Approve { item } => {
            let chosen = chosen(&item, items(ALL).await?)?;
            let count = apply(&stores, &chosen, Control::Approve).await?;
            context.output.print(&json!({ "approved": count }), || {
                format!("{count} approved: read afresh and delivered as they are now\nnext: pairline trash list\n")
            });
            Ok(0)
        }
        TrashCommand::Reject { item } => {
            let chosen = chosen(&item, items(ALL).await?)?;
            let count = apply(&stores, &chosen, Control::Reject).await?;
            context.output.print(&json!({ "rejected": count }), || format!("{count} rejected\n"));
            Ok(0)
        }
    }
}

fn chosen(item: &str, items: Vec<TrashItem>) -> Result<Vec<TrashId>, Exit> {
    if item == "all" {
        return Ok(items.into_iter().map(|item| item.id).collect());
    }
    let number = item.parse().map_err(|_| Exit::new(64, format!("expected a number or `all`, found `{item}`")))?;
    Ok(vec![TrashId(number)])
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
    let times = if item.count > 1 { format!("  ({} times)", item.count) } else { String::new() };
    let place = if item.node.is_empty() { String::new() } else { format!("  {}/{}", item.topology, item.node) };
    format!("{:>5}  {}  {record}{place}\n       {}{times}\n", item.id.0, instant(item.at), item.reason)
}
