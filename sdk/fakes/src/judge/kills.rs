//! Kills: one run in which the program is killed again and again, at moments with a name and by chance.
//!
//! The program is told by environment at which moment it shall end itself with SIGKILL, and how often it is to come
//! there first. Whoever does not get there in a while is killed from outside. Meanwhile people work on both sides, and
//! the systems finish what they were sent. At the end the program may live, and both sides are audited.

mod deck;
mod report;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, timeout};

pub use self::report::KillReport;
use crate::crm::Crm;
use crate::erp::Erp;
use crate::faults::Faults;
use crate::judge::audit::{Audit, Tolerance};
use crate::judge::cast::Cast;
use crate::judge::evidence::Evidence;
use crate::judge::kills::deck::Deck;
use crate::judge::life::{End, Life};
use crate::judge::mixed;
use crate::judge::program::{Program, log_end};
use crate::judge::quiet::{quiet, settled};
use crate::judge::scenario::Scenario;
use crate::judge::stage::Stage;
use crate::judge::trial::TrialError;

/// People who are known on both sides before the first kill, twice.
const PEOPLE: usize = 24;
/// The slowest call: some are under way at every kill.
const CALLS_TAKE_UP_TO_MS: u64 = 20;
/// Whoever has not come to his moment by then is killed by chance.
const MOMENT_WITHIN: Duration = Duration::from_millis(1_200);
/// In so many lives the systems announce a write before they answer it, in percent.
const ANNOUNCED_FIRST: u8 = 40;
/// The start and the end of a run, in which nobody is killed.
const PREPARED_WITHIN: Duration = Duration::from_secs(30);
const PREPARED_AFTER_QUIET: Duration = Duration::from_millis(300);
const SETTLED_WITHIN: Duration = Duration::from_secs(90);

/// What is to be killed, and how often.
#[derive(Clone, Debug)]
pub struct Kills {
    /// At least so many; more, up to twice as many, until every moment was reached.
    pub kills: u32,
    /// Decides who does what and when the program is killed.
    pub seed: u64,
    /// The moments at which it is killed.
    pub marks: Vec<Mark>,
    /// Who has no moment is killed within this, once it is ready.
    pub by_chance_within: Duration,
    /// Keeps the program's folder and log even when nothing is wrong. They are always kept when something is.
    pub keep: bool,
}

/// A moment at which the program ends itself, and how it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The variable of its environment that says a moment, a colon and a count.
    pub variable: String,
    /// The moment.
    pub name: String,
    /// The moment at which the life before is to end, of the same variable, if this one would hardly come otherwise.
    pub lead: Option<String>,
}

/// Whoever looks at what a kill has left, and may change it.
pub trait Bystander: Send {
    /// Before the first life.
    ///
    /// # Errors
    ///
    /// Whatever ends the run.
    fn before(&mut self, _data: &Path) -> io::Result<()> {
        Ok(())
    }

    /// After each kill.
    ///
    /// # Errors
    ///
    /// Whatever ends the run.
    fn after(&mut self, _aftermath: Aftermath<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Looks at nothing.
impl Bystander for () {}

/// What is there after a kill and before the next life.
pub struct Aftermath<'a> {
    /// The folder of the database.
    pub data: &'a Path,
    /// The CRM, which may still be finishing what it was sent.
    pub crm: &'a Crm,
    /// The ERP, likewise.
    pub erp: &'a Erp,
}

impl Kills {
    /// Kills a program and answers what came of it.
    pub async fn run(&self, program: &Program) -> Result<KillReport, TrialError> {
        self.run_beside(program, &mut ()).await
    }

    /// The same, and lets somebody look at what each kill has left.
    pub async fn run_beside(&self, program: &Program, bystander: &mut dyn Bystander) -> Result<KillReport, TrialError> {
        let mut stage = Stage::set(self.seed, &["crm", "erp"].map(str::to_owned), self.keep).await?;
        let (env, log) = (stage.env(), stage.folder.log());
        let mut cast = Cast::new(stage.crm.clone(), stage.erp.clone(), self.seed);

        bystander.before(&stage.folder.data())?;
        let mut life = Life::begin(program, &env, stage.port.number(), &log)?;
        life.until_ready(&log).await?;
        let prepared = timeout(PREPARED_WITHIN, Scenario::Mixed.prepare(&mut cast, PEOPLE)).await.is_ok();
        quiet(&cast, PREPARED_AFTER_QUIET, Instant::now() + PREPARED_WITHIN).await;
        let alone = cast.look_around();
        if !prepared || alone > 0 {
            return Err(TrialError::NotPaired { people: cast.len(), alone, log: log_end(&log) });
        }
        life.kill();
        bystander.after(stage.aftermath(&stage.folder.data()))?;

        let mut report = KillReport::new(program, self);
        let killing = self.kill(program, &stage, &env, bystander, &mut report);
        tokio::select! {
            killed = killing => killed?,
            () = mixed::play_on(&mut cast, PEOPLE) => {}
        }

        stage.set_faults(&Faults::default(), (0, 0))?;
        let mut life = Life::begin(program, &env, stage.port.number(), &log)?;
        report.ready_ms.push(life.until_ready(&log).await?);
        report.in_time = settled(&cast, Tolerance::STORMY, Instant::now() + SETTLED_WITHIN).await;
        life.kill();
        bystander.after(stage.aftermath(&stage.folder.data()))?;

        let evidence = Evidence::of(&stage.crm, &stage.erp).killed(std::mem::take(&mut report.killed_at_ms));
        report.judge(Audit::of(cast.ledger(), &evidence, cast.ownership(), Tolerance::STORMY));
        report.edits = cast.ledger().len();
        if !report.passed() {
            report.log_end = log_end(&log);
        }
        if self.keep || !report.passed() {
            stage.folder.keep();
            report.kept = Some(stage.folder.path().to_owned());
        }
        stage.strike().await;
        Ok(report)
    }

    async fn kill(
        &self,
        program: &Program,
        stage: &Stage,
        env: &[(String, OsString)],
        bystander: &mut dyn Bystander,
        report: &mut KillReport,
    ) -> Result<(), TrialError> {
        let mut rng = Rng::with_seed(self.seed ^ 0x006b_696c_6c73);
        let mut deck = Deck::new(&self.marks, rng.fork());
        let (log, data) = (stage.folder.log(), stage.folder.data());
        while report.kills < self.kills || (!report.unreached().is_empty() && report.kills < 2 * self.kills) {
            stage.set_faults(&faults(&mut rng), (0, 0))?;
            let order = deck.next();
            let mut env = env.to_vec();
            env.extend(order.as_ref().map(|order| (order.variable.clone(), order.to_string().into())));
            let at_most = match &order {
                Some(_) => MOMENT_WITHIN,
                None => self.by_chance_within.mul_f64(rng.f64()),
            };
            let mut life = Life::begin(program, &env, stage.port.number(), &log)?;
            let end = life.until_killed(at_most, &log).await?;
            report.killed_at_ms.push(stage.crm.wall().now_ms());
            report.ready_ms.extend(life.ready_ms);
            report.kills += 1;
            match (end, order) {
                (End::Killed, Some(order)) => {
                    *report.at.entry(order.moment.clone()).or_default() += 1;
                    deck.reached(&order);
                }
                (End::Killed | End::ByChance, _) => report.by_chance += 1,
                (End::Died(status), _) => {
                    report.died.get_or_insert(status.to_string());
                }
            }
            bystander.after(stage.aftermath(&data))?;
        }
        Ok(())
    }
}

impl Stage {
    fn aftermath<'a>(&'a self, data: &'a Path) -> Aftermath<'a> {
        Aftermath { data, crm: &self.crm, erp: &self.erp }
    }
}

fn faults(rng: &mut Rng) -> Faults {
    Faults {
        latency_from_ms: 1,
        latency_to_ms: CALLS_TAKE_UP_TO_MS,
        announce_before_answer: rng.u8(0..100) < ANNOUNCED_FIRST,
        ..Faults::default()
    }
}

/// How often the program was killed at each moment.
pub(crate) type Tally = BTreeMap<String, u64>;
