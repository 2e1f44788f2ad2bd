//! A ledger for writes that are none of the sync's, in a folder that goes with it.
//!
//! Nothing is written to a system without an intent in a ledger, and what an operator tries out is no exception. The sync's own
//! ledger would take what is made for somebody's record.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pairline_sdk::Creates;

use super::{Context, Exit};
use crate::composition::Stores;
use crate::doctor::program_runs;
use crate::project::Project;

/// The ledger, and its folder. What is left of one that was killed tells which records to delete.
pub(super) struct Ledger {
    pub(super) folder: PathBuf,
    pub(super) stores: Stores,
}

impl Ledger {
    /// Opens one, when nobody would answer to what is written.
    pub(super) async fn open(context: &Context, project: &Project, listen: SocketAddr) -> Result<Self, Exit> {
        Self::nobody_would_answer(context, project, listen).await?;
        let folder = std::env::temp_dir().join(format!("pairline-ledger-{}", std::process::id()));
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

    pub(super) async fn close(self) {
        self.stores.handle.close().await;
        removed(&self.folder);
    }
}

fn removed(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("the folder {} is left behind: {error}", folder.display());
    }
}
