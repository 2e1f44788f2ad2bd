//! Hostile input, and what must hold of it whatever it is: see `sdk/docs/fuzzing.md`.
//!
//! A target is a function of some bytes that panics when a property does not hold. Nearly all of them reach what they
//! test as a program with nodes of its own would, by the public interface: a transport that answers what the bytes say,
//! an engine that keeps what it is given. So no crate shows more of itself for their sake. The one thing that nobody may
//! see is a row of the database; the store has a target of its own for it, behind its feature `fuzz`.
//!
//! Here each target gets its whole corpus and then mutations of it, from seeds that are printed when one fails. The
//! same targets are driven by coverage from `guided/`, a package of its own, because libFuzzer is no part of a build.

mod mutation;
mod targets;

use std::cell::Cell;
use std::env;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;

use mutation::Mutation;
use targets::{TARGETS, Target};

/// How many mutations each target gets, instead of its own number.
const RUNS: &str = "PAIRLINE_FUZZ_RUNS";
/// The seed of the first mutation; each further one has the next.
const SEED: &str = "PAIRLINE_FUZZ_SEED";
/// A longer text of a corpus is no seed but a burden, in bytes.
const LONGEST_SEED: usize = 64 * 1024;
/// How often a smaller input that fails as well is looked for.
const SHRINKS: u64 = 3000;

fn corpus_of(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("expected a number in {variable}, found `{text}`")))
}

thread_local! {
    /// Whether panics of this thread are expected and not shown.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

fn holds(target: &Target, input: &[u8]) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok()
}

/// A smaller input that fails too, found by chance.
fn shrunk(target: &Target, input: &[u8]) -> Vec<u8> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let mut smallest = input.to_vec();
    for seed in 0..SHRINKS {
        let mut smaller = smallest.clone();
        mutation::shrink(seed, &mut smaller);
        if smaller.len() < smallest.len() && !holds(target, &smaller) {
            smallest = smaller;
        }
    }
    QUIET.set(false);
    smallest
}

fn keep(target: &Target, seed: u64, input: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}-{seed}", target.name));
    fs::write(&path, input).unwrap();
    path
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus_of(target);
    for (path, input) in &corpus {
        assert!(holds(target, input), "`{}` fails with {}", target.name, path.display());
    }
    let seeds: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let mutation = Mutation { corpus: &seeds };
    let first = number(SEED).unwrap_or(0);
    for seed in first..first + number(RUNS).unwrap_or(target.runs) {
        let input = mutation.input(seed);
        if !holds(target, &input) {
            let path = keep(target, seed, &shrunk(target, &input));
            panic!(
                "`{name}` fails with seed {seed}; again: {SEED}={seed} {RUNS}=1 cargo test --test pairline fuzz::{name}; \
                 the input, shrunk: {}",
                path.display()
            );
        }
    }
}

#[test]
fn topology() {
    run("topology");
}

#[test]
fn contract() {
    run("contract");
}

#[test]
fn value() {
    run("value");
}

#[test]
fn description() {
    run("description");
}

#[test]
fn delivery() {
    run("delivery");
}

#[test]
fn answer() {
    run("answer");
}

#[test]
fn cursor() {
    run("cursor");
}

#[test]
fn row() {
    run("row");
}

#[test]
fn every_target_runs_here_and_has_a_corpus_of_small_files() {
    let source = include_str!("mod.rs");
    let mut folders: Vec<String> = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")).unwrap() {
        folders.push(entry.unwrap().file_name().into_string().unwrap());
    }
    folders.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert_eq!(folders, names, "expected one folder of the corpus for each target");
    for target in TARGETS {
        assert!(source.contains(&format!("run(\"{}\");", target.name)), "`{}` has no test here", target.name);
        let corpus = corpus_of(target);
        assert!(corpus.len() >= 8, "the corpus of `{}` holds {} files", target.name, corpus.len());
        for (path, input) in corpus {
            assert!(input.len() <= LONGEST_SEED, "{} is {} bytes long", path.display(), input.len());
        }
    }
}

#[test]
fn a_seed_makes_the_same_input_again() {
    let corpus = [b"{\"a\":1}".to_vec(), b"other: text".to_vec()];
    let mutation = Mutation { corpus: &corpus };
    let inputs: Vec<Vec<u8>> = (0..200).map(|seed| mutation.input(seed)).collect();

    assert!((0..200).all(|seed| mutation.input(seed) == inputs[seed as usize]));
    assert!(inputs.iter().filter(|input| !corpus.contains(input)).count() > 190);
}
