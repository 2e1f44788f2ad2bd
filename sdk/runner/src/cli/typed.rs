//! Commands as they can be typed into a shell, so that advice can be copied and pasted.

use std::ffi::OsStr;
use std::path::Path;

/// This program as it was started, for the folder it was started in.
pub(super) fn program() -> String {
    let started_as = std::env::args_os().next().unwrap_or_default();
    let folder = std::env::current_dir().unwrap_or_default();
    program_in(&folder, &started_as)
}

fn program_in(folder: &Path, started_as: &OsStr) -> String {
    if started_as.is_empty() {
        return "pairline".to_owned();
    }
    let path = Path::new(started_as);
    match path.strip_prefix(folder) {
        Ok(beneath) if path.is_absolute() => {
            let text = beneath.to_string_lossy();
            // A name without a slash would be looked for in PATH.
            word(&if text.contains('/') { text } else { format!("./{text}").into() })
        }
        _ => word(&path.to_string_lossy()),
    }
}

/// A text as one word of a command, in quotes where a shell would read something else into it.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_so_that_it_can_be_started_again() {
        for (started_as, named) in [
            ("pairline", "pairline"),
            ("./pairline", "./pairline"),
            ("target/debug/pairline", "target/debug/pairline"),
            ("../target/debug/pairline", "../target/debug/pairline"),
            ("/home/ada/sync/target/debug/pairline", "target/debug/pairline"),
            ("/home/ada/sync/pairline", "./pairline"),
            ("/home/ada/synced/pairline", "/home/ada/synced/pairline"),
            ("/usr/local/bin/pairline", "/usr/local/bin/pairline"),
            ("/home/ada/sync/my builds/pairline", "'my builds/pairline'"),
            ("", "pairline"),
        ] {
            assert_eq!(program_in(Path::new("/home/ada/sync"), OsStr::new(started_as)), named, "{started_as}");
        }
        assert_eq!(program_in(Path::new(""), OsStr::new("/home/ada/sync/pairline")), "/home/ada/sync/pairline");
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        for (text, typed) in [
            ("/tmp/pairline-dev-7", "/tmp/pairline-dev-7"),
            ("my data", "'my data'"),
            ("it's", r"'it'\''s'"),
            ("~/x", "'~/x'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), typed);
        }
    }
}
