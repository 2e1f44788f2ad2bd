//! The program judged from outside: started by environment alone against the reference systems, killed, audited.
//!
//! The big versions are `cargo run --release --example judge -- throughput --edits 20000 --kills 3`.

mod calm;
mod chaos;
mod killed;
mod kills;
mod restart;

use std::time::Duration;

use pairline_fakes::judge::{Program, Report, Scenario, Trial};

/// No run may take longer, settled or not.
const DEADLINE: Duration = Duration::from_secs(75);

pub(crate) fn program() -> Program {
    let program = Program::new("pairline", env!("CARGO_BIN_EXE_pairline")).arg("run");
    #[cfg(feature = "wasm")]
    let program = crate::swapped::in_place(program);
    program
}

/// Plays a scenario in the size every test run can afford.
async fn judged(scenario: Scenario, kills: u32) -> Report {
    let trial = Trial { kills, deadline: DEADLINE, ..Trial::of(scenario, scenario.small_size()) };
    trial.run(&program()).await.expect("a program that starts")
}

async fn passes(scenario: Scenario, kills: u32) -> Report {
    let report = judged(scenario, kills).await;
    assert!(report.passed(), "{report}");
    report
}
