//! `node wrap`: a component of a core module.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::{Context, Exit};
use super::components;

#[derive(Debug, Args)]
pub(in crate::cli) struct WrapArgs {
    /// The core module.
    module: PathBuf,
    /// Where the component goes.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn wrap(context: &Context, args: &WrapArgs) -> Result<u8, Exit> {
    let shown = |path: &Path| path.display().to_string();
    let cannot_read = |error| Exit::new(66, format!("cannot read {}: {error}", shown(&args.module)));
    let module = std::fs::read(&args.module).map_err(cannot_read)?;
    let wrapped = components(context)?.wrap(&module);
    let component = wrapped.map_err(|reason| Exit::new(65, format!("{} {reason}", shown(&args.module))))?;
    let cannot_write = |error| Exit::new(73, format!("cannot write {}: {error}", shown(&args.output)));
    std::fs::write(&args.output, &component).map_err(cannot_write)?;
    let output = shown(&args.output);
    context.output.print(&json!({ "file": output, "bytes": component.len() }), || {
        format!("{output} is written: {} bytes\n", component.len())
    });
    Ok(0)
}
