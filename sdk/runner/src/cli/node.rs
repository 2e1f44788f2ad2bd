//! `node`: writing a node in any language.

mod inspect;
mod new;
mod run;
mod wrap;

use std::sync::Arc;

use clap::Subcommand;

use super::{Context, Exit};
use crate::composition::Components;

#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// Begin a node of one's own: a folder with its source, its tests, and how it is built.
    New(new::NewArgs),
    /// Say what a component is: its routes, its settings, and what must be granted to it.
    Inspect(inspect::InspectArgs),
    /// Run a component on one message, with an id mapping and two systems in memory.
    Run(Box<run::RunArgs>),
    /// Make a component of a core module, as the compilers of Rust and C make it.
    Wrap(wrap::WrapArgs),
}

pub(super) async fn node(context: &Context, command: NodeCommand) -> Result<u8, Exit> {
    match command {
        NodeCommand::New(args) => new::new(context, &args),
        NodeCommand::Inspect(args) => inspect::inspect(context, &args),
        NodeCommand::Run(args) => run::run(context, &args).await,
        NodeCommand::Wrap(args) => wrap::wrap(context, &args),
    }
}

/// What runs components.
fn components(context: &Context) -> Result<&Arc<dyn Components>, Exit> {
    let missing = || Exit::new(69, "this program was built without an engine for components");
    context.composition.components.as_ref().ok_or_else(missing)
}
