//! Runs: many plays beside each other, and what came of them.

use std::fmt::{self, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::coverage::Coverage;
use super::harm::Harm;
use super::play::{Kind, Play};
use super::shrink::{Bad, shrink};
use super::world::{End, World};

/// Plays tried to make a story short.
pub(super) const SHRINK_RUNS_MAX: usize = 300;

/// Seeds that are shrunk; of further ones there is only the number.
const SHRUNK_MAX: usize = 3;

/// Plays a play to its end.
pub(super) fn run(play: &Play) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::begin(play.clone()).await.run().await })
}

/// The same for a play that may be the end of the world itself.
pub(super) fn tried(play: &Play) -> Result<End, Bad> {
    match catch_unwind(AssertUnwindSafe(|| run(play))) {
        Ok(end) if end.harm.is_none() => Ok(end),
        Ok(end) => Err(Bad { harm: end.harm, mishaps: end.mishaps }),
        Err(panic) => {
            let mut harm = Harm::default();
            harm.find("panic", panic.downcast_ref::<String>().map_or("without a text", String::as_str));
            Err(Bad { harm, mishaps: play.only.clone().unwrap_or_default() })
        }
    }
}

/// What came of many plays.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) seeds: u64,
    pub(super) events: u64,
    pub(super) took: Duration,
    pub(super) coverage: Coverage,
    /// Seeds that ended badly.
    pub(super) bad: Vec<u64>,
    /// What was told of them.
    pub(super) stories: String,
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seeds, events, seconds) = (self.seeds, self.events, self.took.as_secs_f64());
        let (bad, per_second) = (self.bad.len(), events as f64 / seconds.max(0.001));
        write!(
            f,
            "{seeds} seeds and {events} events in {seconds:.1} s, {per_second:.0} events a second; {bad} ended badly"
        )
    }
}

impl Runs {
    /// Adds what came of others that were played after these.
    pub(super) fn join(&mut self, others: Self) {
        self.seeds += others.seeds;
        self.events += others.events;
        self.took += others.took;
        self.coverage.join(&others.coverage);
        self.bad.extend(others.bad);
        self.stories += &others.stories;
    }
}

/// Plays seeds beside each other, as many as the machine has cores; those that end badly are shrunk.
pub(super) fn run_all(kind: Kind, seeds: Range<u64>) -> Runs {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let runs = Mutex::new(Runs { seeds: seeds.end - seeds.start, ..Runs::default() });
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let play = Play::of(kind, seed);
                    match tried(&play) {
                        Ok(end) => {
                            let mut runs = runs.lock().unwrap();
                            runs.events += end.events;
                            runs.coverage.join(&end.coverage);
                        }
                        Err(bad) => {
                            let shrunk_so_far = {
                                let mut runs = runs.lock().unwrap();
                                runs.bad.push(seed);
                                runs.bad.len() - 1
                            };
                            let kinds: Vec<&str> = bad.harm.kinds.iter().map(String::as_str).collect();
                            let first = bad.harm.told.lines().next().unwrap_or_default();
                            let mut told = format!("{} seed {seed}: {}: {first}\n", kind.name(), kinds.join(", "));
                            if shrunk_so_far < SHRUNK_MAX {
                                told = shrink(&play, bad, SHRINK_RUNS_MAX, |play| tried(play).err()).told();
                            }
                            writeln!(runs.lock().unwrap().stories, "{told}").unwrap();
                        }
                    }
                }
            });
        }
    });
    Runs { took: began.elapsed(), ..runs.into_inner().unwrap() }
}
