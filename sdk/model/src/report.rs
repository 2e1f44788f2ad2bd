//! The report: what was found, as a table, and each trace as plain sentences.

use std::fmt::{self, Write as _};

use crate::checker::Found;
use crate::protocol::Protocol;
use crate::recipes::{as_it_stands, published, run, without};
use crate::scenario::SCENARIOS;
use crate::step::{SafetyStep, Standing};

/// Checks everything and writes down what is found, line by line. Answers whether our protocol is clean when whole, and
/// no recipe of others is, nor ours without any one step.
///
/// # Errors
///
/// What the writer answers.
pub fn write(to: &mut impl fmt::Write, verbose: bool) -> Result<bool, fmt::Error> {
    let mut as_expected = true;
    writeln!(to, "{:62} {:>9} {:>9}  found", "recipes of others", "states", "edges")?;
    for recipe in published() {
        let found = recipe.check();
        as_expected &= found.violation.is_some();
        line(to, recipe.name, &found, verbose)?;
    }
    writeln!(to, "\n{:62} {:>9} {:>9}  found", "ours as the nodes stand", "states", "edges")?;
    for recipe in as_it_stands() {
        line(to, recipe.name, &recipe.check(), verbose)?;
    }
    writeln!(to, "\n{:62} {:>9} {:>9}  found", "ours", "states", "edges")?;
    let mut sum = Found { states: 0, edges: 0, violation: None };
    for scenario in SCENARIOS {
        let found = run(&Protocol::OURS, scenario);
        as_expected &= found.violation.is_none();
        sum.states += found.states;
        sum.edges += found.edges;
        line(to, scenario.name, &found, verbose)?;
    }
    line(to, "all of them", &sum, verbose)?;
    writeln!(to, "\n{:62} {:>9} {:>9}  found", "ours without a step: in which scenario", "states", "edges")?;
    for step in SafetyStep::ALL {
        let recipe = without(step);
        let found = recipe.check();
        as_expected &= found.violation.is_some();
        let wanted = if step.standing() == Standing::Wanted { " (wanted)" } else { "" };
        line(to, &format!("{step:?}{wanted}: {}", recipe.name), &found, verbose)?;
    }
    Ok(as_expected)
}

fn line(to: &mut impl fmt::Write, name: &str, found: &Found, verbose: bool) -> fmt::Result {
    let mut text = format!("{name:62} {:>9} {:>9}  ", found.states, found.edges);
    match &found.violation {
        None => text.push_str("nothing"),
        Some(violation) => write!(text, "{}, in {} steps", violation.what, violation.trace.len())?,
    }
    writeln!(to, "{text}")?;
    let trace = found.violation.iter().flat_map(|violation| &violation.trace).filter(|_| verbose);
    for (number, sentence) in trace.enumerate() {
        writeln!(to, "{:>6}. {sentence}", number + 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Violation;

    #[test]
    fn a_line_says_what_was_found_and_a_trace_only_if_asked() {
        let violation = Some(Violation { what: "two of them", trace: vec!["first".into(), "then".into()] });
        let found = Found { states: 3, edges: 4, violation };
        let (mut short, mut long) = (String::new(), String::new());

        line(&mut short, "planted", &found, false).unwrap();
        line(&mut long, "planted", &found, true).unwrap();

        assert!(short.ends_with("3         4  two of them, in 2 steps\n"), "{short}");
        assert_eq!(long, format!("{short}     1. first\n     2. then\n"));
    }
}
