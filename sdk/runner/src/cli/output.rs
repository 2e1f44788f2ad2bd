//! What a command prints: its result on stdout, as text or as one JSON document; what went wrong on stderr.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use pairline_sdk::Timestamp;
use serde_json::{Value, json};

use crate::composition::DatabaseError;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    colour: bool,
    talk_colour: bool,
}

/// Why a command ends without its result.
#[derive(Debug)]
pub struct Exit {
    /// The exit code.
    pub code: u8,
    /// What went wrong and what would help.
    pub message: String,
}

impl Exit {
    /// An end with this code and this message.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The database did not answer.
    pub(crate) fn store(error: impl std::fmt::Display) -> Self {
        Self::new(75, error.to_string())
    }
}

impl From<DatabaseError> for Exit {
    fn from(error: DatabaseError) -> Self {
        Self::new(error.exit_code, error.message)
    }
}

impl Output {
    /// Text or JSON, with colour or without; with neither wish, colour goes to terminals only.
    pub fn new(json: bool, always: bool, never: bool) -> Self {
        let wanted = |terminal: bool| {
            always || (terminal && !never && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()))
        };
        let colour = wanted(std::io::stdout().is_terminal());
        Self { json, colour, talk_colour: wanted(std::io::stderr().is_terminal()) }
    }

    /// Whether text may have colour.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Whether text on stderr may have colour.
    pub(crate) fn colour_for_talk(&self) -> bool {
        self.talk_colour
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result, as JSON or as the text that is made when it is wanted.
    pub fn print(&self, result: &Value, text: impl FnOnce() -> String) {
        let text = if self.json { format!("{result:#}\n") } else { text() };
        self.raw(&text);
    }

    /// Prints text as it is.
    pub fn raw(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        // A reader that has gone (`pairline ids list | head`) is no failure.
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
    }

    /// Says what went wrong, and gives the exit code.
    pub fn fail(&self, exit: &Exit) -> ExitCode {
        if !exit.message.is_empty() {
            let text = if self.json {
                format!("{}\n", json!({ "error": exit.message, "exit_code": exit.code }))
            } else {
                format!("error: {}\n", exit.message)
            };
            std::io::stderr().lock().write_all(text.as_bytes()).ok();
        }
        ExitCode::from(exit.code)
    }
}

/// So many of something.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text that came from outside, as it may stand on a terminal: one line, and no character that acts instead of being
/// read.
pub(crate) fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

/// An instant as a person reads it.
pub(crate) fn instant(at: Timestamp) -> String {
    // Always three digits, so that lines stand below each other.
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map_or_else(|_| at.as_millis().to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_act_on_a_terminal() {
        let nasty = "a\u{1b}[31m\r\nb\u{9b}2J\u{202e}c\u{2066}ü\"'\\";

        assert_eq!(printable(nasty), r#"a\u{1b}[31m\r\nb\u{9b}2J\u{202e}c\u{2066}ü"'\"#);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "try", "tries")), ["0 tries", "1 try", "2 tries"]);
    }
}
