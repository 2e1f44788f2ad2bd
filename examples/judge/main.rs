//! Judges a program from outside: `cargo run --release --example judge -- throughput --edits 20000 --kills 3`.
//!
//! It plays a scenario of the reference systems against `pairline run` as a child process, waits for quiet, audits what
//! is left and prints a report. `--help` lists everything. `bare` as the first argument makes it the bare receiver
//! that `--against bare` compares with.

mod kills;
mod restart;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pairline_fakes::judge::{Program, Report, Scenario, Trial, bare_receiver, side_by_side};

const HELP: &str = "\
usage: judge SCENARIO [options]      one scenario
       judge all [options]           every scenario, one after the other
       judge bare                    be the bare receiver (set up by the contract's environment)
       judge kills [options]         kill -9 at every named moment and by chance (--kills, --seed, --program, --json,
                                     --keep)
       judge restart [options]       kill -9 on a database of many pairs (--pairs, --kills, --live-ms, --seed, --program,
                                     --json, --keep)

options
  --size N          how much of it (also: --edits, --contacts, --pairs, --events, --people)
  --small           the size the tests use
  --seed N          decides who does what and what goes wrong (1)
  --kills N         kill -9 the program that often while it works (0)
  --seeds N         that many runs, each with the next seed; one line for each that passes (1)
  --worse X         multiplies the rates of everything that goes wrong (1)
  --deadline S      seconds the whole run may take
  --program PATH    what to judge (pairline next to this example)
  --subject NAME    `pairline` (the default) or `bare`
  --against bare    judge the bare receiver too and print both side by side
  --json            print reports as JSON, one a line
  --keep            keep the program's folder and log
scenarios
  throughput race pingpong burst edit-after-create deletes hot chaos echo mixed";

struct Orders {
    scenarios: Vec<Scenario>,
    size: Option<usize>,
    small: bool,
    seed: u64,
    seeds: u64,
    worse: f64,
    kills: u32,
    deadline: Option<Duration>,
    program: Option<PathBuf>,
    bare_only: bool,
    against_bare: bool,
    json: bool,
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == "bare") {
        return match bare_receiver().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error.to_string()),
        };
    }
    let command = words.next_if(|word| word == "kills" || word == "restart");
    if let Some(command) = command {
        let done = match command.as_str() {
            "kills" => kills::kills(words).await,
            _ => restart::restart(words).await,
        };
        return match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(message) => failed(&format!("{message}\n\n{HELP}")),
        };
    }
    let orders = match orders(words) {
        Ok(orders) => orders,
        Err(message) => return failed(&format!("{message}\n\n{HELP}")),
    };
    match carry_out(&orders).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => failed(&message),
    }
}

async fn carry_out(orders: &Orders) -> Result<bool, String> {
    let ourselves = std::env::current_exe().map_err(|error| error.to_string())?;
    let bare = Program::new("bare", &ourselves).arg("bare");
    let subject = if orders.bare_only { bare.clone() } else { pairline(orders.program.as_deref())? };

    let mut all_passed = true;
    for scenario in &orders.scenarios {
        let size = orders.size.unwrap_or(if orders.small { scenario.small_size() } else { scenario.size() });
        for seed in orders.seed..orders.seed + orders.seeds {
            let mut trial = Trial {
                seed,
                kills: orders.kills,
                worse: orders.worse,
                keep: orders.keep,
                ..Trial::of(*scenario, size)
            };
            if let Some(deadline) = orders.deadline {
                trial.deadline = deadline;
            }
            let report = judged(&trial, &subject, orders).await?;
            all_passed &= report.passed();
            if orders.against_bare {
                // Whoever keeps nothing must not be killed: it would only be asked for less.
                let yardstick = judged(&Trial { kills: 0, ..trial }, &bare, orders).await?;
                if !orders.json {
                    println!("{}", side_by_side(&report, &yardstick));
                }
            }
        }
    }
    Ok(all_passed)
}

/// The program at work.
fn pairline(path: Option<&Path>) -> Result<Program, String> {
    let ourselves = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = match path {
        Some(path) => path.to_owned(),
        // target/release/examples/judge -> target/release/pairline
        None => ourselves.ancestors().nth(2).ok_or("cannot find the program; name it with --program")?.join("pairline"),
    };
    Ok(Program::new("pairline", path).arg("run"))
}

async fn judged(trial: &Trial, program: &Program, orders: &Orders) -> Result<Report, String> {
    let report = trial.run(program).await.map_err(|error| error.to_string())?;
    if orders.json {
        println!("{}", report.json());
    } else if orders.seeds > 1 && report.passed() {
        println!(
            "passed {} seed {} kills {}: {} edits, converged in {} ms, settled after {} ms, {:.2} writes / needed",
            report.scenario,
            report.seed,
            report.kills,
            report.economy.edits,
            report.economy.converged_in_ms,
            report.economy.settled_after_ms,
            report.economy.writes_per_needed,
        );
    } else {
        println!("{report}");
    }
    Ok(report)
}

fn orders(mut words: impl Iterator<Item = String>) -> Result<Orders, String> {
    let mut orders = Orders {
        scenarios: Vec::new(),
        size: None,
        small: false,
        seed: 1,
        seeds: 1,
        worse: 1.0,
        kills: 0,
        deadline: None,
        program: None,
        bare_only: false,
        against_bare: false,
        json: false,
        keep: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("expected a value after {word}"));
        match word.as_str() {
            "all" => orders.scenarios = Scenario::ALL.to_vec(),
            "--size" | "--edits" | "--contacts" | "--pairs" | "--events" | "--people" => {
                orders.size = Some(number(&word, &value()?)?);
            }
            "--small" => orders.small = true,
            "--seed" => orders.seed = number(&word, &value()?)?,
            "--seeds" => orders.seeds = number(&word, &value()?)?,
            "--worse" => orders.worse = number(&word, &value()?)?,
            "--kills" => orders.kills = number(&word, &value()?)?,
            "--deadline" => orders.deadline = Some(Duration::from_secs(number(&word, &value()?)?)),
            "--program" => orders.program = Some(value()?.into()),
            "--subject" => orders.bare_only = chosen(&word, &value()?, &["pairline", "bare"])? == 1,
            "--against" => orders.against_bare = chosen(&word, &value()?, &["bare"])? == 0,
            "--json" => orders.json = true,
            "--keep" => orders.keep = true,
            option if option.starts_with('-') => return Err(format!("no option `{option}`")),
            scenario => orders.scenarios.push(scenario.parse()?),
        }
    }
    if orders.scenarios.is_empty() {
        return Err("expected a scenario".to_owned());
    }
    Ok(orders)
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("expected a number after {option}, found `{text}`"))
}

fn chosen(option: &str, text: &str, choices: &[&str]) -> Result<usize, String> {
    let place = choices.iter().position(|choice| *choice == text);
    place.ok_or_else(|| format!("expected {} after {option}, found `{text}`", choices.join(" or ")))
}

fn failed(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
