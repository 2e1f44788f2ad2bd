//! `app try`: one call of one operation.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use pairline_sdk::{Fields, Timestamp, Write};
use serde_json::Value;

use super::super::ledger::Ledger;
use super::super::{Context, Exit, project, tokens};
use crate::application::Description;
use crate::attempt::{Ask, Attempts};
use crate::finding::suggest;

#[derive(Debug, Args)]
pub(in crate::cli) struct TryArgs {
    /// Which application.
    application: String,
    /// Which of its operations.
    operation: OperationArg,
    /// The id of a record, for `read`, `update` and `delete`.
    #[arg(long)]
    id: Option<String>,
    /// A field as the system calls it, and its value: one for `find`, any for `create` and `update`. A value is read as JSON if it is any, and as text otherwise.
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<String>,
    /// For `changed`: an instant such as 2026-01-15T10:30:00Z; from the beginning of time without it.
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
    /// Send a `create`, an `update` or a `delete`, too. A create makes a record, which stays until somebody deletes it.
    #[arg(long)]
    send: bool,
    /// The port on 127.0.0.1 that the program takes webhooks on: nothing is written while it runs.
    #[arg(long, env = "PORT", default_value_t = 18090)]
    port: u16,
    /// Another address that it takes them on.
    #[arg(long, env = "PAIRLINE_LISTEN", value_name = "ADDRESS", conflicts_with = "port")]
    listen: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum OperationArg {
    Read,
    Find,
    Changed,
    Create,
    Update,
    Delete,
}

pub(super) async fn attempt(context: &Context, args: TryArgs) -> Result<u8, Exit> {
    let ask = ask(&args)?;
    let project = project::load(context)?;
    let names: Vec<&str> = project.applications.iter().map(|(name, _)| name.as_str()).collect();
    let Some((_, source)) = project.applications.iter().find(|(name, _)| *name == args.application) else {
        let help = suggest(&args.application, names, "applications");
        return Err(Exit::new(64, format!("no application `{}`; {help}", args.application)));
    };
    let (description, findings) = Description::parse(&source.file, &source.text, &tokens::environment(context));
    let errors: Vec<_> = findings.into_iter().filter(|finding| finding.is_error()).collect();
    let Some(description) = description.filter(|_| errors.is_empty()) else {
        return Err(Exit::new(78, project::refused(context, &errors)));
    };
    let listen = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], args.port)));
    if args.send || !ask.changes() {
        tokens::may_be_spent(context, [&description], listen).await?;
    }
    let (clock, random) = Context::machine();
    let unavailable = |reason| Exit::new(69, reason);
    let attempts = Attempts::at(description, clock, random).map_err(unavailable)?;
    let sends = ask.changes() && args.send;
    let ledger = if sends { Some(Ledger::open(context, &project, listen).await?) } else { None };
    let attempt = attempts.attempt(&ask, ledger.as_ref().map(|ledger| &*ledger.stores.pairs)).await;
    if let Some(ledger) = ledger {
        ledger.close().await;
    }
    let attempt = attempt.map_err(|reason| Exit::new(65, reason))?;
    context.output.print(&attempt.json(), || attempt.text());
    Ok(attempt.exit_code())
}

/// What was typed as a call, or what is missing.
fn ask(args: &TryArgs) -> Result<Ask, Exit> {
    let wrong = |message: String| Exit::new(64, message);
    let operation = args.operation;
    let name = operation.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let takes = |given: bool, option: &str, by: &[OperationArg]| match given && !by.contains(&operation) {
        true => Err(wrong(format!("`{name}` takes no {option}"))),
        false => Ok(()),
    };
    takes(args.id.is_some(), "--id", &[OperationArg::Read, OperationArg::Update, OperationArg::Delete])?;
    takes(args.since.is_some(), "--since", &[OperationArg::Changed])?;
    let writes = [OperationArg::Create, OperationArg::Update];
    takes(args.send, "--send", &[&writes[..], &[OperationArg::Delete]].concat())?;
    takes(!args.fields.is_empty(), "--field", &[&writes[..], &[OperationArg::Find]].concat())?;
    let id = || args.id.clone().ok_or_else(|| wrong(format!("`{name}` needs --id ID")));
    let fields = || match args.fields.is_empty() {
        true => Err(wrong(format!("`{name}` needs --field NAME=VALUE"))),
        false => args.fields.iter().map(|text| field(text)).collect::<Result<Vec<_>, Exit>>(),
    };
    let typed = |fields: Vec<(String, String)>| -> Fields {
        let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        fields.into_iter().map(|(name, text)| (name, value(text))).collect()
    };
    Ok(match operation {
        OperationArg::Read => Ask::Read { id: id()? },
        OperationArg::Find => match <[_; 1]>::try_from(fields()?) {
            Ok([(field, value)]) => Ask::Find { field, value },
            Err(_) => return Err(wrong("`find` takes one --field".to_owned())),
        },
        OperationArg::Changed => Ask::Changed { since: args.since.as_deref().map(instant).transpose()? },
        OperationArg::Create => Ask::Write(Write::Create { fields: typed(fields()?) }),
        OperationArg::Update => Ask::Write(Write::Update { id: id()?, fields: typed(fields()?), version: None }),
        OperationArg::Delete => Ask::Delete { id: id()? },
    })
}

fn field(text: &str) -> Result<(String, String), Exit> {
    let (name, value) = text.split_once('=').unwrap_or_default();
    if name.is_empty() {
        return Err(Exit::new(64, "expected --field NAME=VALUE, found one without a name or without `=`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn instant(text: &str) -> Result<Timestamp, Exit> {
    let at = text.parse::<jiff::Timestamp>();
    let at =
        at.map_err(|_| Exit::new(64, format!("expected an instant such as 2026-01-15T10:30:00Z, found `{text}`")))?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}
