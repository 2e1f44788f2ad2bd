//! `check`, `test` and `graph`: what works on the texts alone.

use serde_json::json;

use super::{Context, Exit, counted};
use crate::check::{CheckFormat, check, graph};
use crate::composition::Composition;
use crate::finding::Finding;
use crate::project::{Project, Sources};
use crate::story::TestFormat;
use crate::system::StartError;
use crate::topology::GraphFormat;

/// The texts a command works on: the built-in ones, or the folder of `--config`.
pub(super) fn load(context: &Context) -> Result<Project, Exit> {
    let sources = match &context.global.config {
        None => Sources::built_in(),
        Some(folder) => Sources::read(folder).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Exit::new(error.exit_code(), format!("{error}{cause}"))
        })?,
    };
    let Composition { registry, components, .. } = &context.composition;
    Ok(Project::load_with(&sources, registry, components.as_deref()))
}

/// The same, for a command that is about to run them: errors end it.
pub(super) fn load_sound(context: &Context) -> Result<Project, Exit> {
    let project = load(context)?;
    if project.is_sound() {
        return Ok(project);
    }
    let errors: Vec<Finding> = project.findings.into_iter().filter(Finding::is_error).collect();
    Err(Exit::new(78, refused(context, &errors)))
}

/// Why nothing was started.
pub(super) fn not_started(context: &Context, error: &StartError) -> Exit {
    let message = match error {
        StartError::Findings(findings) => refused(context, findings),
        StartError::Listen { .. } => format!("{error}; another port is chosen with --port or PORT"),
        _ => error.to_string(),
    };
    Exit::new(error.exit_code(), message)
}

/// Shows findings to a person and counts them; for a program, the message names them all.
pub(super) fn refused(context: &Context, findings: &[Finding]) -> String {
    if context.output.is_json() {
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        return format!("nothing was started: {}", lines.join("\n"));
    }
    for finding in findings {
        eprintln!("{}\n", finding.render(context.output.colour_for_talk()));
    }
    let what = if findings.len() == 1 { "error" } else { "errors" };
    format!("nothing was started: {} {what} above", findings.len())
}

pub(super) fn check_command(context: &Context, format: CheckFormat, deny_warnings: bool) -> Result<u8, Exit> {
    let report = check(&load(context)?);
    context.output.raw(&report.render(format, context.output.colour()));
    Ok(report.exit_code(deny_warnings))
}

pub(super) fn graph_command(context: &Context, topology: Option<&str>, format: GraphFormat) -> Result<u8, Exit> {
    let project = load(context)?;
    // A name that is not there is a mistyped command; no topology at all is a folder with errors.
    let code = if project.is_sound() { 64 } else { 65 };
    let drawn = graph(&project, topology, format).map_err(|problem| Exit::new(code, problem))?;
    context.output.print(&json!({ "topologies": project.topologies }), || drawn);
    Ok(0)
}

pub(super) async fn test_command(context: &Context, filter: Option<&str>) -> Result<u8, Exit> {
    let project = load_sound(context)?;
    let report = crate::story::test(&project, &project.registry, filter.unwrap_or_default()).await;
    // Whoever asks for a test by its name and gets none has not tested anything.
    if let Some(filter) = filter.filter(|_| report.is_empty()) {
        let tests = counted(report.left_out as u64, "test", "tests");
        let message = format!("no test has `{filter}` in its name; there are {tests}: pairline test lists them");
        return Err(Exit::new(64, message));
    }
    let format = if context.output.is_json() { TestFormat::Json } else { TestFormat::Text };
    context.output.raw(&report.render(format, context.output.colour()));
    Ok(report.exit_code())
}
