//! The power fails: after each kill everything is gone from the disk that no sync had brought there.
//!
//! A small library stands between the program and the C library. It keeps the files as they would be found after the
//! loss of power, and writes down what the program has promised: see `disk.c`.

mod disk;

use std::io;
use std::time::Duration;

use pairline_fakes::judge::{Aftermath, Bystander, Kills, Mark, TrialError};
use pairline_runner::kill::{Moment, VARIABLE};
use serde_json::json;

use self::disk::{Disk, Promises};
use crate::bad_input::stage::{Stage, pairline};
use crate::e2e::program;

const KILLS: u32 = 40;

/// The moments of the disk: what is written is not synced, is half synced, is synced and the program does not know.
const OF_THE_DISK: [&str; 3] = ["before-sync", "half-sync", "after-sync"];

/// The moments at which somebody has just been promised something.
const OF_THE_PROGRAM: [Moment; 4] = [Moment::InboxAfter, Moment::CreateSent, Moment::UpdateSent, Moment::InverseSent];

/// Turns every kill into a loss of power.
struct Outage<'d> {
    disk: &'d Disk,
    /// Cuts after which the disk held less than had been written.
    forgot: u32,
    cuts: u32,
    broken: Vec<String>,
}

impl<'d> Outage<'d> {
    fn new(disk: &'d Disk) -> Self {
        Self { disk, forgot: 0, cuts: 0, broken: Vec::new() }
    }
}

impl Bystander for Outage<'_> {
    fn after(&mut self, aftermath: Aftermath<'_>) -> io::Result<()> {
        self.cuts += 1;
        self.forgot += u32::from(self.disk.cut(aftermath.data)?);
        self.broken.extend(self.disk.promises().broken(&self.disk.found()));
        if self.broken.is_empty() { Ok(()) } else { Err(io::Error::other("a promise is broken")) }
    }
}

fn run(kills: u32) -> Kills {
    let mark = |variable: &str, name: String| Mark { variable: variable.to_owned(), name, lead: None };
    let of_the_disk = OF_THE_DISK.map(|name| mark("DISK_KILL", name.to_owned()));
    let of_the_program = OF_THE_PROGRAM.map(|moment| mark(VARIABLE, moment.name()));
    let marks = of_the_disk.into_iter().chain(of_the_program).collect();
    Kills { kills, seed: 2, marks, by_chance_within: Duration::from_millis(600), keep: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fm_076_no_acknowledged_webhook_and_no_intent_is_lost_with_the_power() {
    let disk = Disk::new();
    let mut outage = Outage::new(&disk);

    let ran = run(KILLS).run_beside(&disk.under(program().env("PAIRLINE_POLL_MS", "400")), &mut outage).await;

    assert_eq!(outage.broken, Vec::<String>::new());
    let report = ran.expect("a program that starts");
    let Promises { taken, sent, .. } = disk.promises();
    let new: Vec<_> = taken.iter().filter(|taken| taken.is_new()).collect();
    let syncs = new.iter().map(|taken| taken.syncs);
    let [fewest, most] = [syncs.clone().min(), syncs.max()].map(Option::unwrap_or_default);
    println!("{report}");
    println!("{} losses of power, of which {} took something that was written", outage.cuts, outage.forgot);
    println!("{} webhooks answered 2xx, {} of them new, {} writes sent", taken.len(), new.len(), sent.len());
    println!("syncs between the arrival of a new webhook and its 2xx: at least {fewest}, at most {most}");
    assert!(report.passed() && report.unreached().is_empty(), "{report}");
    assert!(fewest >= 1, "a webhook was answered without a sync since it arrived: {taken:?}");
    // Else nothing was tried.
    assert!(outage.forgot > 0 && !new.is_empty() && !sent.is_empty());
}

/// What would be found if the program did not sync: this test can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_only_says_it_has_synced_is_found_out() {
    let disk = Disk::new();
    let mut outage = Outage::new(&disk);

    let ran = run(1).run_beside(&disk.under(program()).env("DISK_LIES", "1"), &mut outage).await;

    assert!(matches!(ran, Err(TrialError::Stage(_))), "{ran:?}");
    let of = |kind: &str| outage.broken.iter().filter(|broken| broken.starts_with(kind)).count();
    assert!(of("webhook") > 0 && of("write") > 0, "{:?}", outage.broken);
}

/// The folder's own name has to be on the disk, or all that is in it can be lost.
#[test]
fn a_new_data_folder_is_on_the_disk_before_a_webhook_is_acknowledged() {
    let disk = Disk::new();
    let stage = Stage::new();
    let folder = stage.path("new").join("data");
    stage.set("DATA_DIR", folder.to_string_lossy());
    for (name, value) in disk.variables() {
        stage.set(name, value.to_string_lossy());
    }

    let runner = stage.run_as(pairline(), &[]);
    let body = json!({ "event_id": "e1", "type": "customer.deleted", "customer_id": "WHS-1", "occurred_at": "2026-01-01T00:00:00Z" });
    let answer = stage.erp_webhook(body.to_string().as_bytes());
    drop(runner);

    assert_eq!(answer.status, 202, "{answer:?}");
    let promises = disk.promises();
    assert_eq!(promises.taken.len(), 1);
    for above in folder.ancestors().skip(1).take(2) {
        assert!(promises.folders.contains(above), "{} was not synced: {:?}", above.display(), promises.folders);
    }
}
