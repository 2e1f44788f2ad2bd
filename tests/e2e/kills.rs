//! The program killed at every moment that has a name, and by chance.
//!
//! The big version is `cargo run --release --example judge -- kills --kills 1000`; see `sdk/docs/kills.md`.

use std::time::Duration;

use pairline_fakes::judge::{Kills, Mark};
use pairline_runner::kill::{Moment, VARIABLE};

use super::program;

/// At least so many; each moment is among them.
const KILLS: u32 = 50;

/// Every moment that has a name.
fn marks() -> Vec<Mark> {
    let mark = |moment: &Moment| Mark {
        variable: VARIABLE.to_owned(),
        name: moment.name(),
        lead: moment.lead().map(Moment::name),
    };
    Moment::all().iter().map(mark).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_moment_it_doubles_nothing_and_loses_nothing() {
    // Everything that has ended is old, so that there is something to prune.
    let program = program().env("PAIRLINE_KEEP_DAYS", "0").env("PAIRLINE_POLL_MS", "400");
    let by_chance_within = Duration::from_millis(600);
    let kills = Kills { kills: KILLS, seed: 1, marks: marks(), by_chance_within, keep: false };

    let report = kills.run(&program).await.expect("a program that starts");

    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.unreached(), Vec::<&str>::new(), "{report}");
    assert!(report.kills >= KILLS, "{report}");
}
