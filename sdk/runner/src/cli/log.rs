//! Log lines: where they go and how they look.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::{Color, Global};

/// From nothing to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

/// The time as the commands show it, so that a line of the log is found beside a line of a record's story.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:.3}", jiff::Timestamp::now())
    }
}

/// Log lines go to stderr; stdout carries results. `dev` and `chaos` draw a picture of their own, and what goes wrong in a `test` is
/// meant to: both keep quiet unless asked.
pub(super) fn start(global: &Global, quiet: bool) {
    let default = if quiet { "error" } else { "info" };
    let wished = std::env::var("PAIRLINE_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = filter(&wished).unwrap_or_else(|problem| {
        eprintln!(
            "warning: expected PAIRLINE_LOG to be {}, or levels of parts such as `info,pairline_runner=debug`, found \
             `{wished}`: {problem}; `{default}` is used",
            LEVELS.join(", ")
        );
        default.into()
    });
    let terminal = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_timer(Milliseconds).with_env_filter(filter).with_writer(std::io::stderr);
    let json = match global.log_format {
        Some(LogFormat::Json) => true,
        Some(LogFormat::Text) => false,
        None => !terminal,
    };
    let colour = global.color != Color::Never && terminal && std::env::var_os("NO_COLOR").is_none();
    // A second subscriber is a mistake of tests that call this twice, and harmless.
    if json {
        builder.json().with_current_span(false).try_init().ok()
    } else {
        builder.with_ansi(colour).try_init().ok()
    };
}

/// The filter that a text means. One word alone is a level: a library would take any other for the name of a part of the
/// program, show all of that part and nothing else, and a mistyped level would silence the log.
fn filter(wished: &str) -> Result<tracing_subscriber::EnvFilter, String> {
    let mut words = wished.split(',').map(str::trim).filter(|word| !word.is_empty());
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    // In brackets are names of spans and fields, with commas of their own.
    if !wished.contains('[')
        && let Some(word) = words.find(|word| !word.contains('=') && !is_level(word))
    {
        return Err(format!("`{word}` is no level"));
    }
    tracing_subscriber::EnvFilter::try_new(wished).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for wished in ["info", "WARN", "off", "", "info,pairline_runner=debug", "pairline[walk{a=1}]=trace"] {
            assert!(filter(wished).is_ok(), "{wished}");
        }
        for wished in ["bogus", "inof,pairline=debug", "pairline_runner", "pairline=loud"] {
            assert!(filter(wished).is_err(), "{wished}");
        }
    }
}
