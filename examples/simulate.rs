//! Simulates the whole, over as many seeds as you like: `cargo run --example simulate -- --seeds 0..2000`.
//!
//! It is the simulation that the tests run, told about in `sdk/docs/simulation.md`. A seed that ends badly is shrunk to
//! a short story. `--help` lists everything.

#![expect(clippy::unwrap_used, reason = "all of this is a test, helpers included")]

#[path = "../tests"]
mod tests {
    #[expect(dead_code, reason = "the searches use the rest of it")]
    pub(crate) mod support;
    #[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
    pub(crate) mod whole;
}

use std::ops::Range;
use std::process::ExitCode;

use tests::{support, whole};

const HELP: &str = "\
usage: simulate [options]

options
  --seeds A..B      these seeds, without the last (0..200)
  --seed N          this seed alone
  --kind KIND       calm, stormy or all of them (all)
  --coverage        print how often each kind of thing has happened";

struct Orders {
    seeds: Range<u64>,
    kind: Option<String>,
    coverage: bool,
}

/// As in the program: simulations make and drop messages all day long.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let orders = match orders(std::env::args().skip(1)) {
        Ok(orders) => orders,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(64);
        }
    };
    match whole::simulate(orders.kind.as_deref(), &orders.seeds, orders.coverage) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(64)
        }
    }
}

fn orders(mut words: impl Iterator<Item = String>) -> Result<Orders, String> {
    let mut orders = Orders { seeds: 0..200, kind: None, coverage: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("expected a value after `{word}`"));
        match word.as_str() {
            "--seeds" => orders.seeds = range(&value()?)?,
            "--seed" => {
                let seed = number(&value()?)?;
                orders.seeds = seed..seed + 1;
            }
            "--kind" => orders.kind = Some(value()?).filter(|kind| kind != "all"),
            "--coverage" => orders.coverage = true,
            _ => return Err(HELP.to_owned()),
        }
    }
    Ok(orders)
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, until) =
        text.split_once("..").ok_or_else(|| format!("expected seeds such as 0..200, found `{text}`"))?;
    Ok(number(from)?..number(until)?)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a number, found `{text}`"))
}
