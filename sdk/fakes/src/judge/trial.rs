//! Trial: one scenario, one program, from two empty systems to the report.

use std::io;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep, timeout};

use crate::faults::Faults;
use crate::judge::audit::Audit;
use crate::judge::cast::Cast;
use crate::judge::economy::{Economy, Spent, Start};
use crate::judge::evidence::Evidence;
use crate::judge::ownership::Ownership;
use crate::judge::program::{Program, ProgramError, Resources, Running};
use crate::judge::progress::{Phase, Progress, Step};
use crate::judge::quiet::{HEALED_WITHIN_QUIET, quiet, settled};
use crate::judge::report::Report;
use crate::judge::scenario::{Scenario, worse};
use crate::judge::stage::Stage;
use crate::wall::Wall;

/// Preparations have ended when nothing was written for this long.
const PREPARED_AFTER_QUIET: Duration = Duration::from_millis(500);
/// After a storm the program may still clear up what it does not know; it is watched this often, until it writes
/// nothing while it is watched.
const WATCHES_AFTER_STORM: u32 = 6;
/// The slowest call while the program is killed now and then.
const CALLS_TAKE_UP_TO_MS: u64 = 20;
/// Between two times that it is told how far a trial is.
const TELLS_EVERY: Duration = Duration::from_millis(250);
/// The longest the program is down between a kill and its next life.
const DOWN_MAX_MS: u64 = 300;

/// What is to be judged, and how hard.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What people do.
    pub scenario: Scenario,
    /// How much of it, in the scenario's unit.
    pub size: usize,
    /// Decides who does what, what goes wrong and when the program is killed.
    pub seed: u64,
    /// How often the program is killed while it works.
    pub kills: u32,
    /// Multiplies the rates of everything that goes wrong in the scenario.
    pub worse: f64,
    /// The whole run ends by then, settled or not.
    pub deadline: Duration,
    /// How long the program is watched after everything has settled.
    pub watch: Duration,
    /// Keeps the program's folder and log even when nothing is wrong. They are always kept when something is.
    pub keep: bool,
    /// What goes wrong; the scenario's own faults unless given.
    pub faults: Option<Faults>,
    /// Who may edit what. Only [`Scenario::Mixed`] plays another ownership than that of the reference systems.
    pub ownership: Ownership,
    /// What the program calls the CRM and the ERP: webhooks go to `/webhooks/` and this name.
    pub applications: [String; 2],
    /// Where it can be seen how far it is.
    pub progress: Progress,
}

/// Why there is no report.
#[derive(Debug)]
pub enum TrialError {
    /// The systems or the folder could not be set up.
    Stage(io::Error),
    /// The program could not be started, or not again after a kill.
    Program(ProgramError),
    /// Before anything went wrong, some of those who were to be known on both sides were not.
    NotPaired {
        /// How many were to be.
        people: usize,
        /// How many were not.
        alone: usize,
        /// The end of the program's log.
        log: String,
    },
}

impl std::fmt::Display for TrialError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TrialError::Stage(error) => write!(f, "cannot set the stage: {error}"),
            TrialError::Program(error) => error.fmt(f),
            TrialError::NotPaired { people, alone, log } => {
                write!(
                    f,
                    "before anything went wrong, {alone} of {people} people had not appeared on the other side; \
                     the program's log ends with\n{log}"
                )
            }
        }
    }
}

impl std::error::Error for TrialError {}

impl From<io::Error> for TrialError {
    fn from(error: io::Error) -> Self {
        TrialError::Stage(error)
    }
}

impl From<ProgramError> for TrialError {
    fn from(error: ProgramError) -> Self {
        TrialError::Program(error)
    }
}

impl Trial {
    /// A scenario in its full size, undisturbed.
    pub fn of(scenario: Scenario, size: usize) -> Self {
        Self {
            scenario,
            size,
            seed: 1,
            kills: 0,
            worse: 1.0,
            deadline: Duration::from_secs(180) + Duration::from_millis(10) * size as u32,
            watch: Duration::from_millis(2_500),
            keep: false,
            faults: None,
            ownership: Ownership::default(),
            applications: ["crm", "erp"].map(str::to_owned),
            progress: Progress::default(),
        }
    }

    /// Plays it and answers what came of it; `tell` hears now and then how far it is.
    pub async fn run_and_tell(
        &self,
        program: &Program,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<Report, TrialError> {
        let run = self.run(program);
        tokio::pin!(run);
        loop {
            tell(self.progress.step());
            tokio::select! {
                report = &mut run => return report,
                () = sleep(TELLS_EVERY) => {}
            }
        }
    }

    /// Plays it and answers what came of it.
    pub async fn run(&self, program: &Program) -> Result<Report, TrialError> {
        let until = Instant::now() + self.deadline;
        let mut stage = Stage::set(self.seed, &self.applications, self.keep).await?;
        let mut running = Running::start(program, stage.env(), stage.port.number(), stage.folder.log()).await?;
        let cast = Cast::new(stage.crm.clone(), stage.erp.clone(), self.seed);
        let mut cast = cast.with_ownership(self.ownership.clone()).watched_by(self.progress.clone());

        self.progress.enter(Phase::Preparing);
        let mut in_time = timeout(left(until), self.scenario.prepare(&mut cast, self.size)).await.is_ok();
        quiet(&cast, PREPARED_AFTER_QUIET, until.min(Instant::now() + HEALED_WITHIN_QUIET)).await;
        let alone = cast.look_around();
        if alone > 0 && self.scenario.begins_in_pairs() {
            return Err(TrialError::NotPaired { people: cast.len(), alone, log: running.log_end() });
        }

        let start =
            Start { spent: Spent::so_far(&cast), entries: cast.ledger().len(), at_ms: cast.crm().wall().now_ms() };
        let cpu_before_s = running.cpu_s();
        stage.set_faults(&self.faults(), self.scenario.lags_ms())?;
        self.progress.enter(Phase::Trouble);
        let play = timeout(left(until), self.scenario.play(&mut cast, self.size));
        let writes = || stage.crm.calls().writes() + stage.erp.calls().writes();
        let wall = stage.crm.wall();
        let (played, killed) = tokio::join!(play, self.kill_now_and_then(&mut running, writes, wall));
        in_time &= played.is_ok();
        let killed_at_ms = killed?;
        stage.set_faults(&Faults::default(), (0, 0))?;
        let played_until_ms = cast.crm().wall().now_ms();

        self.progress.enter(Phase::Healing);
        in_time &= settled(&cast, self.scenario.tolerance(self.kills), until).await;
        let spent = Spent::so_far(&cast);
        let cpu_after_s = running.cpu_s();
        self.progress.enter(Phase::Watching);
        let (writes_after_quiet, idle_cpu_percent) = self.watched(&cast, &running).await;
        running.note_death();

        cast.look_around();
        let evidence = Evidence::of(&stage.crm, &stage.erp).killed(killed_at_ms);
        let audit = Audit::of(cast.ledger(), &evidence, &self.ownership, self.scenario.tolerance(self.kills));
        let mut economy = Economy::of(&cast, &evidence, start, played_until_ms, spent.since(start.spent));
        economy.writes_after_quiet = writes_after_quiet;
        match self.scenario {
            Scenario::Hot => economy.count_rounds(&cast, &evidence, 1, start),
            Scenario::Echo => economy.count_echoes(),
            _ => {}
        }
        let peak_rss_mb = running.peak_rss_mb();
        let stopped_in_ms = running.stop().await;
        let cpu_s = cpu_after_s - cpu_before_s;
        let resources = Resources {
            cpu_s,
            cpu_s_per_1000_edits: cpu_s * 1_000.0 / economy.edits.max(1) as f64,
            idle_cpu_percent,
            peak_rss_mb,
            ready_ms: running.ready_ms.clone(),
            stopped_in_ms,
            data_bytes: stage.folder.data_bytes(),
        };
        let mut report = Report {
            subject: program.name.clone(),
            scenario: self.scenario,
            size: self.size,
            seed: self.seed,
            kills: self.kills,
            in_time,
            died: running.died.clone(),
            people: audit.people,
            pairs: audit.pairs,
            findings: audit.findings,
            economy,
            resources,
            faults_happened: stage.faults_happened(),
            log_end: String::new(),
            kept: None,
        };
        if !report.passed() {
            report.log_end = running.log_end();
        }
        if self.keep || !report.passed() {
            stage.folder.keep();
            report.kept = Some(stage.folder.path().to_owned());
        }
        drop(running);
        stage.strike().await;
        Ok(report)
    }

    /// What goes wrong in this run. A program that is killed gets calls that take a while: some are under way then.
    fn faults(&self) -> Faults {
        let faults = self.faults.clone().unwrap_or_else(|| self.scenario.faults());
        let mut faults = worse(faults, self.worse);
        if self.kills > 0 && faults.latency_to_ms == 0 {
            (faults.latency_from_ms, faults.latency_to_ms) = (1, CALLS_TAKE_UP_TO_MS);
        }
        faults
    }

    /// Each kill comes right after some write was answered: what the program learned it may not have stored yet.
    ///
    /// Answers when that was, by the systems' clock.
    async fn kill_now_and_then(
        &self,
        running: &mut Running,
        writes: impl Fn() -> u64,
        wall: Wall,
    ) -> Result<Vec<i64>, ProgramError> {
        let mut killed_at_ms = Vec::new();
        let mut rng = Rng::with_seed(self.seed ^ 0x006b_696c_6c73);
        let expected = self.scenario.expected_writes(self.size).max(2);
        let mut moments: Vec<_> = (0..self.kills).map(|_| rng.u64(1..expected)).collect();
        moments.sort_unstable();
        let began = Instant::now();
        let before = writes();
        for moment in moments {
            while writes() - before < moment && began.elapsed() < self.scenario.span(self.size) {
                sleep(Duration::from_millis(1)).await;
            }
            let hesitation = Duration::from_millis(rng.u64(0..=CALLS_TAKE_UP_TO_MS));
            sleep(hesitation).await;
            let down = Duration::from_millis(rng.u64(0..=DOWN_MAX_MS));
            killed_at_ms.push(wall.now_ms());
            running.kill_and_restart(down).await?;
            self.progress.killed();
        }
        Ok(killed_at_ms)
    }

    /// Writes nobody asked for any more, and the processor time it takes to do nothing.
    async fn watched(&self, cast: &Cast, running: &Running) -> (u64, f64) {
        let watches = if self.scenario.is_stormy(self.kills) { WATCHES_AFTER_STORM } else { 1 };
        let (mut writes, mut idle_cpu_percent) = (0, 0.0);
        for _ in 0..watches {
            let (began, cpu_s, spent) = (Instant::now(), running.cpu_s(), Spent::so_far(cast));
            sleep(self.watch).await;
            idle_cpu_percent = (running.cpu_s() - cpu_s) * 100.0 / began.elapsed().as_secs_f64();
            writes = Spent::so_far(cast).since(spent).writes;
            if writes == 0 {
                break;
            }
        }
        (writes, idle_cpu_percent)
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::audit::Category;
    use crate::judge::bare;

    /// The yardstick keeps its ids in memory and looks there before each create, and that is not enough.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_race_finds_the_duplicates_of_a_bare_receiver() {
        let stage = Stage::set(7, &["crm", "erp"].map(str::to_owned), false).await.unwrap();
        let env: std::collections::HashMap<_, _> = stage.env().into_iter().collect();
        let bare = tokio::spawn(bare::serve(move |name| env.get(name)?.to_str().map(str::to_owned)));
        let mut cast = Cast::new(stage.crm.clone(), stage.erp.clone(), 7);

        stage.set_faults(&Scenario::Race.faults(), (0, 0)).unwrap();
        Scenario::Race.play(&mut cast, 6).await;
        quiet(&cast, Duration::from_millis(300), Instant::now() + Duration::from_secs(10)).await;

        let evidence = Evidence::of(&stage.crm, &stage.erp);
        let audit = Audit::of(cast.ledger(), &evidence, cast.ownership(), Scenario::Race.tolerance(0));
        assert!(audit.count(Category::Duplicate) > 0, "{audit:?}");
        bare.abort();
        stage.strike().await;
    }
}
