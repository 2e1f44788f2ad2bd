//! The so-many-th step: the whole program on its real database, and exactly one of its operations goes wrong.
//!
//! Every story is played again and again: the first operation fails, then the second, and so on, until the story ends
//! before it comes to that. Each time what is left must be what the story says. This is done for every kind of failure:
//! of the store, the engine and the applications, of every call over HTTP, of every webhook, of every look at the clock
//! and of every timer.
//!
//! Production code is everything the program is made of, down to the file: topologies, nodes, runner, store and engine.
//! Made up are the clock, the network and the two systems, which are the fakes without their sockets. All of it runs in
//! one thread whose time passes at will, so that a run is the same run every time.

mod audit;
mod network;
mod ports;
mod report;
mod stories;
mod time;
mod trouble;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::stories::{STORIES, Story};
use self::trouble::{Failure, Layer, Met, Plan};
use self::world::World;

/// Set, every look at the clock goes wrong once, and not only every eleventh.
const ALL: &str = "PAIRLINE_STEPS_ALL";

/// A run looks at the clock several times for each thing it does, so that not every look is another moment.
const LOOKS_AT_THE_CLOCK: usize = 11;

/// What one run has met.
struct Run {
    met: Met,
    struck: Option<String>,
    routes: BTreeSet<(String, String)>,
    /// Every record with its whole history.
    evidence: String,
}

/// Plays a story to its end. Answers what is wrong, if anything is.
fn run(story: &Story, plan: Option<Plan>) -> Result<Run, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(plan);
        let played = world.play(story).await;
        let run = Run {
            met: world.trouble.met(),
            struck: world.trouble.struck(),
            routes: world.routes.lock().unwrap().clone(),
            evidence: world.evidence(),
        };
        let wrong = match played {
            Ok(()) => world.audit(story, plan).await.unwrap_or_else(|error| error),
            Err(error) => error,
        };
        world.end().await;
        if wrong.is_empty() { Ok(run) } else { Err(told(story, plan, &run, &wrong)) }
    })
}

fn told(story: &Story, plan: Option<Plan>, run: &Run, wrong: &str) -> String {
    let plan = plan.map_or("without a failure".to_owned(), |plan| {
        let operation = run.struck.as_deref().unwrap_or("nothing");
        format!("{}, number {}, which is {operation}", plan.failure.name(), plan.at)
    });
    format!("{}: {plan}\n{wrong}", story.name)
}

/// Every how-many-th operation of a kind fails.
fn stride(failure: Failure) -> usize {
    if failure.layers() == [Layer::Reading] && std::env::var_os(ALL).is_none() { LOOKS_AT_THE_CLOCK } else { 1 }
}

/// A story with a failure at each operation in turn. Answers how often it was played with one.
fn play(failure: Failure, story: &Story, wrong: &Mutex<String>) -> usize {
    let mut runs = 0;
    for at in (1..).step_by(stride(failure)) {
        match run(story, Some(Plan { failure, at })) {
            Ok(run) if run.struck.is_none() => break,
            Ok(_) => {}
            Err(told) => writeln!(wrong.lock().unwrap(), "{told}").unwrap(),
        }
        runs += 1;
    }
    runs
}

/// How often a failure can happen in a story.
fn operations(failure: Failure, met: &Met) -> usize {
    met.iter().filter(|((layer, _), _)| failure.layers().contains(layer)).map(|(_, count)| count).sum()
}

/// All stories with these failures, as many beside each other as the machine has cores.
fn play_all(failures: &[Failure]) {
    let jobs: Vec<(Failure, &Story)> =
        failures.iter().flat_map(|failure| STORIES.iter().map(|story| (*failure, story))).collect();
    let (next, runs, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(String::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((failure, story)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = play(*failure, story, &wrong);
                    let expected = operations(*failure, &run(story, None).unwrap().met).div_ceil(stride(*failure));
                    assert_eq!(played, expected, "{}: {}", story.name, failure.name());
                    runs.fetch_add(played, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} runs with a failure", runs.into_inner());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_operation_of_a_port_may_fail_be_forgotten_or_be_the_last() {
    play_all(&[Failure::PortRefuses, Failure::PortForgets, Failure::PortThenDeath]);
}

#[test]
fn every_call_may_be_lost_refused_late_or_the_last() {
    play_all(&[
        Failure::CallNotSent,
        Failure::CallLost,
        Failure::AnswerLost,
        Failure::CallLate,
        Failure::Answer500,
        Failure::Answer429,
        Failure::CallThenDeath,
    ]);
}

#[test]
fn every_webhook_may_be_lost_or_come_twice() {
    play_all(&[Failure::WebhookLost, Failure::ThanksLost]);
}

#[test]
fn the_clock_may_be_set_whenever_it_is_read() {
    play_all(&[Failure::ClockAhead, Failure::ClockBack]);
}

#[test]
fn every_timer_may_be_late() {
    play_all(&[Failure::TimerLate]);
}

#[test]
fn a_run_is_the_same_run_every_time() {
    for (story, failure) in STORIES.iter().zip(Failure::ALL) {
        let plan = Some(Plan { failure, at: 2 });
        let (mut one, mut other) = (run(story, plan).unwrap(), run(story, plan).unwrap());

        // Whether a life that ends begins one more wait is up to the threads of its database.
        for run in [&mut one, &mut other] {
            run.met.retain(|(layer, _), _| *layer != Layer::Timer);
        }
        assert_eq!((one.met, one.struck), (other.met, other.struck), "{}", story.name);
        assert_eq!(one.evidence, other.evidence, "{}", story.name);
    }
}
