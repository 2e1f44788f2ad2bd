//! The judge: plays scenarios against a program that runs as a process of its own, and audits what is left.
//!
//! It looks at the program as a stranger would: it starts the two systems, starts the program by environment alone
//! with a fresh `DATA_DIR`, lets people (and other tools) work on both sides, kills the program if asked to, waits for
//! quiet and then compares both systems and every write ever made with what the people did.
//!
//! ```no_run
//! use pairline_fakes::judge::{Program, Scenario, Trial};
//!
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let program = Program::new("pairline", "target/release/pairline").arg("run");
//! let report = Trial { kills: 3, ..Trial::of(Scenario::Race, 100) }.run(&program).await?;
//! println!("{report}");
//! assert!(report.passed());
//! # Ok(())
//! # }
//! ```
//!
//! # Who is who
//!
//! Every value a person types holds that person's number, on every field. So the audit knows whose record it looks at
//! without trusting any id, and sees a value that landed on somebody else's record.

mod audit;
mod bare;
mod cast;
mod economy;
mod evidence;
mod folder;
mod kills;
mod ledger;
mod life;
mod meaning;
mod mixed;
mod ownership;
mod plays;
mod program;
mod progress;
mod quiet;
mod report;
mod scenario;
mod stage;
mod trial;

pub use audit::{Audit, Category, Finding, Tolerance};
pub use bare::{BareError, bare_receiver};
pub use cast::Cast;
pub use economy::Economy;
pub use evidence::{Evidence, Record};
pub use kills::{Aftermath, Bystander, KillReport, Kills, Mark};
pub use ledger::{Actor, Entry, Ledger};
pub use meaning::{Meaning, Side};
pub use ownership::{Ownership, Rule};
pub use program::{Program, ProgramError, Resources};
pub use progress::{Phase, Progress, Step};
pub use report::{Report, side_by_side};
pub use scenario::Scenario;
pub use trial::{Trial, TrialError};
