//! `app`: describing a system.

mod attempt;
mod new;

use clap::Subcommand;

use super::{Context, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum AppCommand {
    /// Begin the description of another system, in the folder of --config or in this one.
    New(new::NewArgs),
    /// Make one call as the sync would, and show it from both ends. What would change the system is shown and not sent, without --send.
    Try(attempt::TryArgs),
    /// Print the JSON Schema of application descriptions, for editors.
    Schema,
}

pub(super) async fn app(context: &Context, command: AppCommand) -> Result<u8, Exit> {
    match command {
        AppCommand::New(args) => new::new(context, &args),
        AppCommand::Try(args) => attempt::attempt(context, args).await,
        AppCommand::Schema => {
            context.output.raw(crate::application::SCHEMA);
            Ok(0)
        }
    }
}
