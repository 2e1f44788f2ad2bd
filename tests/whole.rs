//! A simulation of the whole: the real program inside out, in one process, with time that passes at will.
//!
//! Production code is everything the program is made of: webhooks with their signatures, the inbox, lanes and hints, the
//! repeater, the limiter, the poll, recovery, the shipped topologies and nodes, and the HTTP port down to the bytes of a
//! call. Made up are four things: the clock, the network, the two systems (the fakes, without their sockets) and the
//! store, which is the one in memory; it and SQLite pass one suite. A seed decides what people do, every fault, every
//! moment and every crash, so a run that fails is the same run when it is run again.

mod network;
mod people;
mod time;
mod world;

use std::fmt::Write;

use self::world::{Play, World};

/// Runs one play to its end. Its events, or its story if it ended badly.
fn run(play: Play) -> Result<world::End, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::begin(play).await.run().await })
}

/// Runs seeds beside each other, as many as the machine has cores.
fn run_all(seeds: std::ops::Range<u64>, play: impl Fn(u64) -> Play + Sync) {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (events, stories) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    let (mut events, mut stories) = (0, String::new());
                    loop {
                        let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if seed >= seeds.end {
                            return (events, stories);
                        }
                        match run(play(seed)) {
                            Ok(end) => events += end.events,
                            Err(story) => writeln!(stories, "seed {seed}: {story}").unwrap(),
                        }
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .fold((0, String::new()), |(events, all), (more, story)| (events + more, all + &story))
    });
    println!("{events} events over {} seeds", seeds.end - seeds.start);
    assert!(stories.is_empty(), "{stories}");
}

#[test]
fn amid_faults_and_crashes_nothing_is_doubled_lost_or_crossed() {
    run_all(0..60, Play::stormy);
}

#[test]
fn on_a_calm_day_nothing_is_doubled_lost_or_crossed() {
    run_all(0..400, Play::calm);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in [1, 7, 42] {
        let (one, other) = (run(Play::stormy(seed)).unwrap(), run(Play::stormy(seed)).unwrap());

        assert_eq!(one, other, "seed {seed}");
    }
}
