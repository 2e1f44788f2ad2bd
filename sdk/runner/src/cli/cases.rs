//! `cases`: what only a person can decide.

use clap::Subcommand;
use pairline_sdk::{Arrival, Case, CaseId, Delivery};
use serde_json::{Value, json};

use super::output::instant;
use super::{Context, Exit};

/// Rows read, at most.
pub(super) const ALL: usize = 100_000;

#[derive(Debug, Subcommand)]
pub(super) enum CasesCommand {
    /// The open ones, oldest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Say that one is decided. Its records are looked at again; if the question still stands, it is asked again.
    Close {
        /// Its number.
        #[arg(value_parser = super::number_of_list)]
        case: i64,
    },
}

pub(super) async fn cases(context: &Context, command: CasesCommand) -> Result<u8, Exit> {
    let stores = context.attach().await?;
    match command {
        CasesCommand::List { limit } => {
            let cases = stores.pairs.cases(limit).await.map_err(Exit::store)?;
            let result: Vec<Value> = cases.iter().map(as_json).collect();
            context.output.print(&json!({ "cases": result }), || match cases.as_slice() {
                [] => "no case is open\n".to_owned(),
                cases => {
                    let lines: String = cases.iter().map(line).collect();
                    format!("{lines}next: settle it in the systems, then pairline cases close N\n")
                }
            });
            Ok(u8::from(!cases.is_empty()))
        }
        CasesCommand::Close { case } => {
            let open = stores.pairs.cases(ALL).await.map_err(Exit::store)?;
            let found = open.into_iter().find(|found| found.id == CaseId(case));
            let found = found.ok_or_else(|| Exit::new(1, format!("no case {case} is open")))?;
            stores.pairs.close_case(found.id).await.map_err(Exit::store)?;
            let arrivals = found.records.into_iter().map(Arrival::look_at).collect();
            stores.engine.enqueue(Delivery { arrivals, ..Delivery::default() }).await.map_err(Exit::store)?;
            context.output.print(&json!({ "closed": case }), || {
                format!("case {case} is closed; its records are looked at again\nnext: pairline status\n")
            });
            Ok(0)
        }
    }
}

/// Records and instants as the other commands write them.
fn as_json(case: &Case) -> Value {
    json!({
        "id": case.id,
        "kind": case.kind,
        "records": case.records.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "detail": case.detail,
        "opened_at": instant(case.opened_at),
    })
}

/// A case in its record's story: whether it is open is part of it.
pub(super) fn told(case: &Case, open: bool) -> String {
    let next = match open {
        true => format!("next: settle it in the systems, then pairline cases close {}", case.id.0),
        false => "closed: a person has decided it".to_owned(),
    };
    format!("{}  {next}\n", line(case))
}

pub(super) fn told_json(case: &Case, open: bool) -> Value {
    let mut told = as_json(case);
    told["open"] = json!(open);
    told
}

/// A case as a person reads it.
pub(super) fn line(case: &Case) -> String {
    let records: Vec<String> = case.records.iter().map(ToString::to_string).collect();
    format!("case {:<6}{}: {} ({})\n", case.id.0, case.kind.name(), case.detail, records.join(", "))
}
