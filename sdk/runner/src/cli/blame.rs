//! Whom to blame for a value that is refused: whoever typed it, or the variable of the environment that stands in for it.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue};

use super::Cli;

/// An error about a value that nobody has typed names the variable it comes from; clap names the option.
pub(super) fn blamed(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (Some(argument), Some(value)) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue)) else {
        return error;
    };
    let option = argument.split(' ').next().unwrap_or_default();
    let is_option = |word: &str| word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    let typed = std::env::args().any(|word| is_option(&word));
    let variable = variable_of(&Cli::command(), option.trim_start_matches('-'));
    let says_so = |variable: &String| std::env::var(variable).is_ok_and(|set| set == value);
    if let Some(variable) = variable.filter(|variable| !typed && says_so(variable)) {
        let place = format!("{variable} (a variable of the environment, for {option})");
        error.insert(ContextKind::InvalidArg, ContextValue::String(place));
    }
    error
}

/// The variable that stands in for an option, of whichever command.
fn variable_of(command: &clap::Command, option: &str) -> Option<String> {
    let own = command.get_arguments().find(|argument| argument.get_long() == Some(option));
    let variable = own.and_then(|argument| argument.get_env()).map(|variable| variable.to_string_lossy().into_owned());
    variable.or_else(|| command.get_subcommands().find_map(|command| variable_of(command, option)))
}
