//! `check`, `test` and `graph`: what works on the texts alone.

use serde_json::json;

use super::{Context, Exit};
use crate::check::{CheckFormat, check, graph};
use crate::project::{Project, Sources};
use crate::story::TestFormat;
use crate::topology::GraphFormat;

/// The texts a command works on: the built-in ones, or the folder of `--config`.
pub(super) fn load(context: &Context) -> Result<Project, Exit> {
    let sources = match &context.global.config {
        None => Sources::built_in(),
        Some(folder) => Sources::read(folder).map_err(|error| Exit::new(error.exit_code(), error.to_string()))?,
    };
    Ok(Project::load(&sources, &context.composition.registry))
}

/// The same, for a command that is about to run them: every finding is printed, and an error ends it.
pub(super) fn load_sound(context: &Context) -> Result<Project, Exit> {
    let project = load(context)?;
    if project.is_sound() {
        return Ok(project);
    }
    let report = check(&project);
    eprint!("{}", report.render(CheckFormat::Text, false));
    Err(Exit::new(78, "nothing was started: the topologies have errors"))
}

pub(super) fn check_command(context: &Context, format: CheckFormat, deny_warnings: bool) -> Result<u8, Exit> {
    let report = check(&load(context)?);
    context.output.raw(&report.render(format, context.output.colour()));
    Ok(report.exit_code(deny_warnings))
}

pub(super) fn graph_command(context: &Context, topology: Option<&str>, format: GraphFormat) -> Result<u8, Exit> {
    let project = load(context)?;
    let drawn = graph(&project, topology, format).map_err(|problem| Exit::new(65, problem))?;
    context.output.print(&json!({ "topologies": project.topologies }), || drawn);
    Ok(0)
}

pub(super) async fn test_command(context: &Context, filter: Option<&str>) -> Result<u8, Exit> {
    let project = load_sound(context)?;
    let report = crate::story::test(&project, &context.composition.registry, filter.unwrap_or_default()).await;
    let format = if context.output.is_json() { TestFormat::Json } else { TestFormat::Text };
    context.output.raw(&report.render(format, context.output.colour()));
    Ok(report.exit_code())
}
