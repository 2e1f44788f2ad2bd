//! `app new`: the description of another system, to begin with.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::{Context, Exit, typed};
use crate::application::SCHEMA;
use crate::application::description::system_name;
use crate::finding::suggest;
use crate::project::library;

/// What a description begins with unless another one is wanted.
const STARTER: &str = "starter";
/// Where editors find what may stand in a description.
const SCHEMA_FILE: &str = "application.schema.json";

#[derive(Debug, Args)]
pub(in crate::cli) struct NewArgs {
    /// What it is to be called, as in `crm:101`: small letters, digits and `-`.
    name: String,
    /// A system that is described already, and is much the same.
    #[arg(long, value_name = "SYSTEM", default_value = STARTER)]
    like: String,
}

pub(super) fn new(context: &Context, args: &NewArgs) -> Result<u8, Exit> {
    let name = args.name.as_str();
    system_name(name).map_err(|message| Exit::new(64, message))?;
    let Some((_, text)) = library().find(|(known, _)| *known == args.like) else {
        let known = library().map(|(known, _)| known);
        let help = suggest(&args.like, known, "systems");
        return Err(Exit::new(64, format!("no description of `{}` is shipped; {help}", args.like)));
    };
    let folder = folder(context).join("applications");
    let file = folder.join(format!("{name}.yaml"));
    let variables = variables_of(text, &args.like, name);
    std::fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
    let created = std::fs::File::options().write(true).create_new(true).open(&file);
    let text = described(text, &args.like, name);
    created.and_then(|mut created| created.write_all(text.as_bytes())).map_err(|error| cannot_write(&file, &error))?;
    // It belongs to the program: one of an older program is replaced.
    let schema = folder.join(SCHEMA_FILE);
    std::fs::write(&schema, SCHEMA).map_err(|error| cannot_write(&schema, &error))?;
    let shown = file.display().to_string();
    context.output.print(&json!({ "file": shown, "variables": variables }), || said(context, &shown, name, &variables));
    Ok(0)
}

fn folder(context: &Context) -> PathBuf {
    let folder = context.global.config.clone().unwrap_or_else(|| PathBuf::from("."));
    let inner = folder.join("topologies");
    if inner.is_dir() { inner } else { folder }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Exit {
    let path = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => Exit::new(73, format!("{path} is there already; nothing was written over it")),
        _ => Exit::new(73, format!("cannot write {path}: {error}")),
    }
}

fn capitals(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// The text of a described system, about another one.
fn described(text: &str, like: &str, name: &str) -> String {
    let text = text.replacen(&format!("application: {like}\n"), &format!("application: {name}\n"), 1);
    let text = text.replace(&format!("${{{}_", capitals(like)), &format!("${{{}_", capitals(name)));
    let text = text.replace(&capitals(STARTER), name);
    format!("# yaml-language-server: $schema={SCHEMA_FILE}\n{text}")
}

/// The variables of a text that have to be set.
fn variables_of(text: &str, like: &str, name: &str) -> Vec<String> {
    let text = described(text, like, name);
    let mut needed: Vec<String> = Vec::new();
    for place in text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split("${").skip(1)) {
        let inside = place.split('}').next().unwrap_or_default();
        if !inside.contains(":-") && !needed.iter().any(|known| known == inside) {
            needed.push(inside.to_owned());
        }
    }
    needed
}

fn said(context: &Context, file: &str, name: &str, variables: &[String]) -> String {
    let config =
        context.global.config.as_ref().map(|folder| format!(" --config {}", typed::word(&folder.to_string_lossy())));
    let program = typed::program() + " " + config.as_deref().unwrap_or(" --config .").trim_start();
    let steps = [
        ("check".to_owned(), "what does not fit together, and what does not fit its examples"),
        (format!("app try {name} read --id ID"), "one call, and what is understood of the answer"),
        (format!("doctor {name}"), "what the system really does"),
    ];
    let longest = steps.iter().map(|(step, _)| step.len()).max().unwrap_or_default();
    let mut text = format!("{file} is written. Its variables without a stand-in: {}\n\n", variables.join(", "));
    for (index, (step, what)) in steps.iter().enumerate() {
        let margin = if index == 0 { "next:" } else { "" };
        text += &format!("{margin:5}  {program} {step:longest$}  {what}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Description, Environment};

    #[test]
    fn every_description_that_one_can_begin_with_is_sound_under_another_name() {
        for (like, text) in library() {
            let text = described(text, like, "books-2");

            let (description, findings) = Description::parse("books-2.yaml", &text, &Environment::lenient());

            assert_eq!(findings, [], "{like}");
            assert_eq!(description.unwrap().system().as_str(), "books-2", "{like}");
            assert!(!text.contains(&format!("${{{}_", capitals(like))), "{like} keeps a variable of its own");
            assert!(!text.contains(&capitals(STARTER)), "{like}");
        }
    }

    #[test]
    fn the_variables_that_must_be_set_are_told_and_no_others() {
        let (_, text) = library().find(|(name, _)| *name == STARTER).unwrap();

        assert_eq!(variables_of(text, STARTER, "books"), ["books_TOKEN".to_uppercase()]);
    }
}
