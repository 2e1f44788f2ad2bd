//! `doctor`: what the systems really do, measured.

use std::net::SocketAddr;

use clap::Args;

use super::ledger::Ledger;
use super::{Context, Exit, project, tokens};
use crate::application::Description;
use crate::doctor::{Orders, examine};
use crate::machine::WallClock;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Which applications; all of them unless given.
    #[arg(value_name = "APPLICATION")]
    applications: Vec<String>,
    /// Write, too: makes a scratch record or two in each of them, which stay until somebody deletes them where the description
    /// does not say how that is done.
    #[arg(long)]
    probe: bool,
    /// The port on 127.0.0.1 that the program takes webhooks on.
    #[arg(long, env = "PORT", default_value_t = 18090)]
    port: u16,
    /// Another address that it takes them on.
    #[arg(long, env = "PAIRLINE_LISTEN", value_name = "ADDRESS", conflicts_with = "port")]
    listen: Option<SocketAddr>,
}

pub(super) async fn doctor(context: &Context, args: DoctorArgs) -> Result<u8, Exit> {
    let project = project::load_sound(context)?;
    let names: Vec<&str> = project.applications.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(unknown) = args.applications.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Exit::new(64, format!("no application `{unknown}`; known applications: {}", names.join(", "))));
    }
    let listen = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], args.port)));
    let environment = tokens::environment(context);
    let asked = project
        .applications
        .iter()
        .filter(|(name, _)| args.applications.is_empty() || args.applications.contains(name));
    let described = asked.filter_map(|(_, source)| Description::parse(&source.file, &source.text, &environment).0);
    tokens::may_be_spent(context, &described.collect::<Vec<_>>(), listen).await?;
    let (clock, random) = Context::machine();
    let ledger = if args.probe { Some(Ledger::open(context, &project, listen).await?) } else { None };
    if let Some(ledger) = &ledger {
        let systems = if args.applications.is_empty() { names.join(", ") } else { args.applications.join(", ") };
        eprintln!(
            "writing: a scratch record, or two, in each of {systems}, with `pairline-doctor-` in their texts. \
             Nothing else is changed, they are removed where that is described, and what is left of them is told at the end. \
             Until then {} knows of them.",
            ledger.folder.display()
        );
    }
    let orders = Orders {
        project: &project,
        only: &args.applications,
        environment: &environment,
        listen,
        clock,
        wall: std::sync::Arc::new(WallClock),
        random,
        ledger: ledger.as_ref().map(|ledger| ledger.stores.clone()),
    };
    let diagnosis = examine(&orders).await.map_err(|reason| Exit::new(69, reason));
    drop(orders);
    if let Some(ledger) = ledger {
        ledger.close().await;
    }
    let diagnosis = diagnosis?;
    context.output.print(&diagnosis.json(), || diagnosis.text(context.output.colour()));
    Ok(diagnosis.exit_code())
}
