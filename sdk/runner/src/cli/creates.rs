//! `creates`: the operator's word on the first-run guard.

use clap::Subcommand;
use pairline_sdk::Creates;
use serde_json::json;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum CreatesCommand {
    /// Allow them, and look at every record again.
    Allow {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Hold them back.
    Hold {
        /// Why, for `status`.
        #[arg(long, default_value = "by an operator")]
        reason: String,
    },
}

pub(super) async fn creates(context: &Context, command: CreatesCommand) -> Result<u8, Exit> {
    let stores = context.attach().await?;
    match command {
        CreatesCommand::Allow { yes } => {
            if !yes {
                return Err(Exit::new(
                    64,
                    "every record without a link will get a counterpart on the other side; say `pairline creates allow --yes` if that is what you want",
                ));
            }
            stores.pairs.set_creates(&Creates::Allowed).await.map_err(Exit::store)?;
            // What was held back left no trace, so every record is looked at again.
            stores.engine.rewind().await.map_err(Exit::store)?;
            context.output.print(&json!({ "creates": "allowed" }), || {
                "creates are allowed; every record is looked at again\nnext: pairline status\n".to_owned()
            });
        }
        CreatesCommand::Hold { reason } => {
            stores.pairs.set_creates(&Creates::Held(reason.clone())).await.map_err(Exit::store)?;
            context
                .output
                .print(&json!({ "creates": "held", "reason": reason }), || {
                    "creates are held back; edits of linked records are still written\nnext: pairline creates allow --yes\n".to_owned()
                });
        }
    }
    Ok(0)
}
