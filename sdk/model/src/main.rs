//! Prints what the model finds. `-v` prints every trace as well.

use std::process::ExitCode;

fn main() -> ExitCode {
    let verbose = std::env::args().skip(1).any(|argument| argument == "-v");
    let mut table = String::new();
    let as_expected = pairline_model::report::write(&mut table, verbose);
    print!("{table}");
    if as_expected == Ok(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
