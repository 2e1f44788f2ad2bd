//! `doctor`: what the systems really do, measured.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use pairline_sdk::Creates;

use super::{Context, Exit, project};
use crate::application::Environment;
use crate::composition::Stores;
use crate::doctor::{Orders, examine, program_runs};
use crate::machine::WallClock;
use crate::project::Project;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Which applications; all of them unless given.
    #[arg(value_name = "APPLICATION")]
    applications: Vec<String>,
    /// Write, too: makes a scratch record or two in each of them, which stay until somebody deletes them.
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
    let (clock, random) = Context::machine();
    let ledger = if args.probe { Some(Ledger::open(context, &project, listen).await?) } else { None };
    if let Some(ledger) = &ledger {
        let systems = if args.applications.is_empty() { names.join(", ") } else { args.applications.join(", ") };
        eprintln!(
            "writing: a scratch record, or two, in each of {systems}, with `pairline-doctor-` in their texts. \
             Nothing else is changed, and what is to be deleted is told at the end. Until then {} knows of them.",
            ledger.folder.display()
        );
    }
    let orders = Orders {
        project: &project,
        only: &args.applications,
        environment: &Environment::of_process(),
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

/// The ledger of a probe, in a folder that goes with it. What is left of one that was killed tells which records to delete.
struct Ledger {
    folder: PathBuf,
    stores: Stores,
}

impl Ledger {
    async fn open(context: &Context, project: &Project, listen: SocketAddr) -> Result<Self, Exit> {
        Self::nobody_would_answer(context, project, listen).await?;
        let folder = std::env::temp_dir().join(format!("pairline-doctor-{}", std::process::id()));
        let stores = context.open(&folder).await?;
        stores.pairs.set_creates(&Creates::Allowed).await.map_err(Exit::store)?;
        Ok(Self { folder, stores })
    }

    /// A running program would take a scratch record for somebody's, and make it a counterpart.
    async fn nobody_would_answer(context: &Context, project: &Project, listen: SocketAddr) -> Result<(), Exit> {
        if !program_runs(listen).await.map_err(|reason| Exit::new(69, reason))? {
            return Ok(());
        }
        let is_paused = match context.attach().await {
            Ok(stores) => {
                let health = stores.engine.health().await.map_err(Exit::store)?;
                stores.handle.close().await;
                let is_paused = |name: &str| health.paused.iter().any(|(system, _)| system.as_str() == name);
                project.applications.iter().all(|(name, _)| is_paused(name))
            }
            Err(_) => false,
        };
        if is_paused {
            return Ok(());
        }
        let message = format!(
            "nothing was written: the program is running on {listen}, and would make counterparts of scratch records; \
             stop it, or begin with `pairline pause`"
        );
        Err(Exit::new(75, message))
    }

    async fn close(self) {
        self.stores.handle.close().await;
        removed(&self.folder);
    }
}

fn removed(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("the folder {} is left behind: {error}", folder.display());
    }
}
