//! `node new`: a node of one's own, to begin with.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use include_dir::{Dir, include_dir};
use serde_json::json;

use super::super::{Context, Exit, typed};
use super::components;

/// A folder for each language. What is in it is a node that can be built as it is, under the name `node-name`.
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../templates");
/// What a node of a template is called, and how that is spelled where no `-` may stand.
const PLACEHOLDERS: [&str; 2] = ["node-name", "node_name"];
/// The folder in which a template says what it asks for. The contract goes there too: it belongs to the program.
const WIT: &str = "wit";
const CONTRACT: &str = "wit/deps/pairline-node/node.wit";
/// A name is not longer than this.
const LONGEST_NAME: usize = 50;

#[derive(Debug, Args)]
pub(in crate::cli) struct NewArgs {
    /// What it is to be called, as in `lead-score`: words of small letters and digits with `-` between them.
    name: String,
    /// The language to write it in.
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(languages()))]
    lang: String,
    /// The folder to make for it, instead of one with its name.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(super) fn new(context: &Context, args: &NewArgs) -> Result<u8, Exit> {
    let contract = components(context)?.contract();
    node_name(&args.name).map_err(|message| Exit::new(64, message))?;
    let folder = args.into.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let files = files(&args.lang, &args.name, contract);
    write(&folder, &files)?;
    let steps = steps(&files);
    let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    let shown = folder.display().to_string();
    context.output.print(&json!({ "folder": shown, "files": names, "next": steps }), || {
        let mut text = format!("{shown} is written: {} files, and README.md says what each is\n\n", files.len());
        let steps = std::iter::once(format!("cd {}", typed::word(&shown))).chain(steps.iter().cloned());
        for (index, step) in steps.enumerate() {
            let margin = if index == 0 { "next:" } else { "" };
            text += &format!("{margin:5}  {step}\n");
        }
        text
    });
    Ok(0)
}

fn languages() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        TEMPLATES.dirs().filter_map(|folder| folder.path().file_name().and_then(|name| name.to_str())).collect();
    names.sort_unstable();
    names
}

/// A name that every language takes for one.
fn node_name(name: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.len() <= LONGEST_NAME && name.split('-').all(is_word) {
        return Ok(());
    }
    Err(format!(
        "expected a name of at most {LONGEST_NAME} characters, of words such as `lead-score` that begin with a small letter \
         and go on with small letters and digits, found `{name}`"
    ))
}

/// The files of a template, for a node of this name, by their paths.
fn files(language: &str, name: &str, contract: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let renamed = |text: &str| {
        let [plain, joined] = PLACEHOLDERS;
        text.replace(plain, name).replace(joined, &name.replace('-', "_"))
    };
    let mut files = Vec::new();
    let mut folders: Vec<&Dir<'_>> = TEMPLATES.get_dir(language).into_iter().collect();
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let Ok(path) = file.path().strip_prefix(language) else { continue };
            // Bindings may hold an object file, which stays as it is.
            let contents = match file.contents_utf8() {
                Some(text) => renamed(text).into_bytes(),
                None => file.contents().to_vec(),
            };
            files.push((PathBuf::from(renamed(&path.to_string_lossy())), contents));
        }
    }
    if files.iter().any(|(path, _)| path.starts_with(WIT)) {
        files.push((PathBuf::from(CONTRACT), contract.as_bytes().to_vec()));
    }
    files.sort();
    files
}

/// The commands to go on with: the first ones of its README.
fn steps(files: &[(PathBuf, Vec<u8>)]) -> Vec<String> {
    let readme = files.iter().find(|(path, _)| path == Path::new("README.md"));
    let text = readme.map(|(_, text)| String::from_utf8_lossy(text)).unwrap_or_default();
    let block = text.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("\n```"));
    block.map(|(block, _)| block.lines().map(str::to_owned).collect()).unwrap_or_default()
}

fn write(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), Exit> {
    let cannot = |path: &Path, error: &std::io::Error| {
        let path = path.display();
        Exit::new(
            73,
            match error.kind() {
                ErrorKind::AlreadyExists => format!("{path} is there already; nothing was written into it"),
                _ => format!("cannot write {path}: {error}"),
            },
        )
    };
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(|error| cannot(parent, &error))?;
    }
    std::fs::create_dir(folder).map_err(|error| cannot(folder, &error))?;
    for (path, text) in files {
        let path = folder.join(path);
        let within = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(within).map_err(|error| cannot(within, &error))?;
        let created = std::fs::File::options().write(true).create_new(true).open(&path);
        created.and_then(|mut file| file.write_all(text)).map_err(|error| cannot(&path, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All templates together, in bytes: what was installed or built in one of them is a thousand times that.
    const MOST_BYTES: usize = 1 << 20;

    fn text<'a>(files: &'a [(PathBuf, Vec<u8>)], path: &str) -> &'a str {
        let file = files.iter().find(|(name, _)| name == Path::new(path));
        str::from_utf8(&file.unwrap_or_else(|| panic!("{path} is not there")).1).unwrap()
    }

    #[test]
    fn every_language_has_a_template_that_takes_another_name_and_says_how_to_go_on() {
        for language in languages() {
            let files = files(language, "lead-score", "the contract");

            assert!(!steps(&files).is_empty(), "{language}: README.md says no command");
            let all: String = files
                .iter()
                .map(|(path, text)| format!("{}\n{}\n", path.display(), String::from_utf8_lossy(text)))
                .collect();
            assert!(all.contains("lead-score"), "{language}");
            for placeholder in PLACEHOLDERS {
                assert!(!all.contains(placeholder), "{language} keeps `{placeholder}`");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_copied_as_it_is() {
        let path = "bindings/node_component_type.o";
        let own = TEMPLATES.get_file(format!("c/{path}")).unwrap().contents();

        let files = files("c", "lead-score", "");

        assert_eq!(files.iter().find(|(name, _)| name == Path::new(path)).unwrap().1, own);
    }

    #[test]
    fn those_who_write_no_rust_find_their_language() {
        let languages = languages();

        for wanted in ["c", "js", "python", "ts"] {
            assert!(languages.contains(&wanted), "{wanted} is not among {languages:?}");
        }
    }

    #[test]
    fn the_contract_of_the_program_lies_where_the_world_of_the_author_looks_for_it() {
        for language in ["js", "python", "ts"] {
            let files = files(language, "lead-score", "the contract");

            assert_eq!(text(&files, CONTRACT), "the contract", "{language}");
            assert!(text(&files, "wit/world.wit").contains("include pairline:node/node@0.1.0;"), "{language}");
        }
    }

    #[test]
    fn nothing_that_was_installed_or_built_is_shipped() {
        let bytes: usize =
            languages().into_iter().flat_map(|language| files(language, "n", "")).map(|it| it.1.len()).sum();

        assert!(bytes < MOST_BYTES, "the templates have {bytes} bytes");
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = [(PathBuf::from("src/node.js"), b"new".to_vec())];
        let fresh = folder.path().join("nodes/score");

        write(&fresh, &files).unwrap();
        std::fs::write(fresh.join("src/node.js"), "mine").unwrap();
        let refused = write(&fresh, &files).unwrap_err();

        assert_eq!(std::fs::read_to_string(fresh.join("src/node.js")).unwrap(), "mine");
        assert!(format!("{refused:?}").contains("is there already"), "{refused:?}");
    }

    #[test]
    fn a_name_is_one_that_every_language_takes() {
        for name in ["score", "lead-score", "a2-b3"] {
            assert_eq!(node_name(name), Ok(()), "{name}");
        }
        for name in ["", "-", "a-", "-a", "a--b", "2nd", "a-2nd", "Score", "lead_score", "../a", "a b", &"a".repeat(51)]
        {
            assert!(node_name(name).is_err(), "{name}");
        }
    }
}
