//! Trouble, as `chaos` wants to be handed it: a CRM and an ERP where things go wrong, people, and an audit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use async_trait::async_trait;
use pairline_sdk::{SyncContract, System};
use serde::Serialize;

/// Makes trouble for a program that runs as a process of its own, and counts what came of it.
#[async_trait]
pub trait Chaos: Send + Sync {
    /// The two systems it plays, as an application description meets them. Addresses and secrets stand in for those of
    /// a run: whatever is made of them is made of the variables.
    fn played(&self) -> [PlayedSystem; 2];

    /// What of a contract it cannot judge, and why. `applications` are what the contract calls the systems it plays.
    ///
    /// # Errors
    ///
    /// Why it cannot play with this contract at all.
    fn unjudged(&self, contract: &SyncContract, applications: &[System; 2]) -> Result<Vec<Unjudged>, String>;

    /// Plays, heals, waits for quiet and audits. Dropped before its end, it leaves nothing running. `tell` hears now and
    /// then how far it is.
    async fn play(
        &self,
        orders: ChaosOrders,
        tell: &(dyn Fn(ChaosProgress) + Send + Sync),
    ) -> Result<ChaosOutcome, ChaosError>;
}

/// A system that can be played.
#[derive(Clone, Debug)]
pub struct PlayedSystem {
    /// What it is called in texts.
    pub name: &'static str,
    /// The variables a description of it may use, all of them with stand-ins for values.
    pub variables: BTreeMap<String, String>,
    /// Of these, the one that holds its address.
    pub address: &'static str,
    /// The one that holds the token of its callers.
    pub token: &'static str,
    /// The one that holds the secret of its webhooks.
    pub secret: &'static str,
}

/// A field of the contract that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// What the contract calls it, or what the systems do when the contract does not name it.
    pub field: String,
    /// Why.
    pub why: String,
}

/// What is to be played.
#[derive(Clone, Debug)]
pub struct ChaosOrders {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its contract.
    pub contract: SyncContract,
    /// What the contract calls the systems, in the order of [`Chaos::played`].
    pub applications: [System; 2],
    /// Decides who does what, what goes wrong and when the program is killed.
    pub seed: u64,
    /// People.
    pub size: usize,
    /// How often the program is killed.
    pub kills: u32,
    /// What goes wrong.
    pub faults: ChaosFaults,
    /// Whether the program's folder stays.
    pub keep: bool,
}

/// What goes wrong; shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChaosFaults {
    /// Of the webhooks: sent twice.
    pub doubled: f64,
    /// Of the webhooks: held back, so that later ones overtake them.
    pub reordered: f64,
    /// Of the webhooks: never sent.
    pub dropped: f64,
    /// Of the calls: their answer is lost, late or cannot be read.
    pub responses_dropped: f64,
    /// Calls a second each system takes; 0 for any number.
    pub rate_limit_per_s: u32,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChaosProgress {
    /// What it is busy with.
    pub phase: &'static str,
    /// Things people have done.
    pub edits: usize,
    /// Kills so far.
    pub kills: u32,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChaosOutcome {
    /// What went wrong, kills not among it.
    pub faults: Vec<Fault>,
    /// How often the program was killed.
    pub kills: u32,
    /// Every kind of harm that is looked for, found or not.
    pub harm: Vec<Harm>,
    /// Single things that were found, as far as they are told.
    pub findings: Vec<String>,
    /// Whether it became quiet in time. Otherwise what was found may have been on its way to be healed.
    pub quiet: bool,
    /// What was done, and what it cost.
    pub work: ChaosWork,
    /// The program's data folder, if it was kept.
    pub data: Option<PathBuf>,
    /// The program's log, if it was kept.
    pub log: Option<PathBuf>,
}

/// One kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// As a program reads it.
    pub name: String,
    /// As a person reads it.
    pub about: &'static str,
    /// How often it happened, in the order of [`Chaos::played`].
    pub happened: [u64; 2],
}

/// One kind of harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Harm {
    /// As a program reads it.
    pub name: &'static str,
    /// One of it.
    #[serde(skip)]
    pub one: &'static str,
    /// Several of it.
    #[serde(skip)]
    pub many: &'static str,
    /// How often it was found.
    pub found: u64,
}

/// What was done, and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChaosWork {
    /// People in the run.
    pub people: usize,
    /// People who were made while things went wrong.
    pub creates: usize,
    /// Edits while things went wrong.
    pub edits: usize,
    /// Of the edits, pairs of edits of one field on both sides at once.
    pub conflicts: usize,
    /// Records people deleted while things went wrong.
    pub deletes: usize,
    /// Writes it takes to carry over each of these things on its own.
    pub writes_needed: u64,
    /// Writing calls the program made, whatever became of them.
    pub writes_made: u64,
    /// From the end of the trouble to the last write that changed something.
    pub last_write_after_ms: u64,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ChaosError {
    /// What is wrong and what would help.
    pub message: String,
    /// The exit code.
    pub exit_code: u8,
}
