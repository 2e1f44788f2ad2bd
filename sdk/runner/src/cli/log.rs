//! Log lines: where they go and how they look.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::{Color, Global};

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
    let filter = tracing_subscriber::EnvFilter::try_new(&wished).unwrap_or_else(|error| {
        eprintln!("warning: expected PAIRLINE_LOG such as `info` or `pairline=debug`, found `{wished}` ({error})");
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
