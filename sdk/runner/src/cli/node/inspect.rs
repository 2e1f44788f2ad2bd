//! `node inspect`: what a component is, and what it asks for.

use std::path::PathBuf;

use clap::Args;
use pairline_sdk::{NodeDescription, RouteDefault, SettingKind};
use serde_json::json;

use super::super::{Context, Exit, printable};
use super::components;
use crate::composition::ComponentReport;

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The component.
    file: PathBuf,
}

pub(super) fn inspect(context: &Context, args: &InspectArgs) -> Result<u8, Exit> {
    let report = components(context)?.inspect(&args.file).map_err(|reason| Exit::new(65, reason))?;
    let needs: Vec<&str> = report.needs.iter().map(|need| need.line()).collect();
    let (description, problem) = match &report.description {
        Ok(description) => (Some(description), None),
        Err(reason) => (None, Some(reason)),
    };
    let result = json!({
        "bytes": report.bytes,
        "description": description,
        "problem": problem,
        "schema": report.schema,
        "imports": report.imports,
        "exports": report.exports,
        "grants": needs,
        "calls": report.calls,
    });
    context.output.print(&result, || text(&args.file.display().to_string(), &report));
    Ok(if problem.is_some() { 1 } else { 0 })
}

fn text(file: &str, report: &ComponentReport) -> String {
    let mut text = format!("{file}   {} bytes\n", report.bytes);
    match &report.description {
        Ok(description) => text += &described(file, description, report),
        Err(reason) => text += &format!("\nIt cannot be used: it {}\n", printable(reason)),
    }
    text += "\nimports\n";
    for import in &report.imports {
        text += &format!("  {}\n", printable(import));
    }
    if report.imports.is_empty() {
        text += "  nothing\n";
    }
    text
}

fn described(file: &str, description: &NodeDescription, report: &ComponentReport) -> String {
    let mut text = format!("{}: {}\n", description.kind, printable(&description.about));
    text += "\nroutes\n";
    for route in &description.routes {
        let unless = match route.default {
            None => "must be wired",
            Some(RouteDefault::End) => "ends unless it is wired",
            Some(RouteDefault::Repeat) => "repeats unless it is wired",
        };
        text += &format!("  {}   {} ({unless})\n", route.name, printable(&route.about));
    }
    if description.routes.is_empty() {
        text += "  none: every follower gets the message\n";
    }
    text += "\nsettings\n";
    for setting in &description.settings {
        let must = if setting.required { "" } else { ", may be left out" };
        let kind = kind(setting.kind);
        text += &format!("  {}   {} ({kind}{must})\n", setting.name, printable(&setting.about));
    }
    if description.settings.is_empty() {
        text += "  none\n";
    }
    let lives = match report.calls {
        1 => "a fresh instance for each message".to_owned(),
        calls => format!("one instance for {calls} messages"),
    };
    text += &format!("\nruns as\n  {lives}, unless `limits: {{ calls: .. }}` says otherwise\n");
    text += "\nin a topology\n";
    let name = std::path::Path::new(file).file_name().map(|name| name.to_string_lossy().into_owned());
    text += &format!("  uses: ./plugins/{}\n", name.unwrap_or_default());
    let required = description.settings.iter().filter(|setting| setting.required);
    let required: Vec<String> = required.map(|setting| format!("{}: ..", setting.name)).collect();
    if !required.is_empty() {
        text += &format!("  with: {{ {} }}\n", required.join(", "));
    }
    if !report.needs.is_empty() {
        let needs: Vec<&str> = report.needs.iter().map(|need| need.line()).collect();
        // `pairs: write` holds `pairs: read`.
        let writes = needs.contains(&"pairs: write");
        let needs: Vec<&str> = needs.into_iter().filter(|need| !(writes && *need == "pairs: read")).collect();
        text += &format!("  grants: {{ {} }}\n", needs.join(", "));
    }
    text
}

fn kind(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Text => "text",
        SettingKind::Number => "a whole number",
        SettingKind::Flag => "true or false",
        SettingKind::Application => "an application",
        SettingKind::Source => "the application that starts the topology",
        SettingKind::Target => "the other application",
        SettingKind::Field => "a field",
        SettingKind::InverseField => "the field for the other's id",
    }
}
