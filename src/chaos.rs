//! The fakes and their judge, as `chaos` wants to be handed them.

mod fit;

use std::time::Duration;

use async_trait::async_trait;
use pairline_fakes::Faults;
use pairline_fakes::judge::{
    Category, Finding, Phase, Program, ProgramError, Report, Scenario, Step, Trial, TrialError,
};
use pairline_runner::composition::{
    Chaos, ChaosError, ChaosFaults, ChaosOrders, ChaosOutcome, ChaosProgress, ChaosWork, Fault, Harm, PlayedSystem,
    Unjudged,
};
use pairline_sdk::{SyncContract, System};

/// Judges the program as a stranger would.
pub(crate) struct Judge;

/// Whatever has not become quiet by then is not waited for.
const DEADLINE: Duration = Duration::from_secs(180);
const DEADLINE_PER_PERSON: Duration = Duration::from_millis(150);

/// Calls take this long.
const LATENCY_MS: (u64, u64) = (2, 60);
/// Longer than any description of the systems has patience.
const HANG_MS: u64 = 8_000;

/// What may go wrong, by the judge's names, and what a person calls it.
const FAULTS: [(&str, &str); 10] = [
    ("delivery_doubled", "webhooks sent twice"),
    ("delivery_reordered", "webhooks out of order"),
    ("delivery_dropped", "webhooks lost"),
    ("applied_then_hung", "calls done, but never answered"),
    ("applied_late", "calls done after they had failed"),
    ("reset_after", "calls done, then the line cut"),
    ("truncated_json", "answers cut in half"),
    ("html_200", "answers that were a web page"),
    ("created_without_id", "creates answered without an id"),
    ("rate_limit", "calls over the rate limit (429)"),
];

#[async_trait]
impl Chaos for Judge {
    fn played(&self) -> [PlayedSystem; 2] {
        fit::played()
    }

    fn unjudged(&self, contract: &SyncContract, applications: &[System; 2]) -> Result<Vec<Unjudged>, String> {
        fit::ownership(contract, applications).map(|(_, unjudged)| unjudged)
    }

    async fn play(
        &self,
        orders: ChaosOrders,
        tell: &(dyn Fn(ChaosProgress) + Send + Sync),
    ) -> Result<ChaosOutcome, ChaosError> {
        let fits = fit::ownership(&orders.contract, &orders.applications);
        let (ownership, _) = fits.map_err(|message| ChaosError { message, exit_code: 69 })?;
        let mut program = Program::new("pairline", &orders.program);
        for argument in &orders.arguments {
            program = program.arg(argument);
        }
        let trial = Trial {
            seed: orders.seed,
            kills: orders.kills,
            deadline: DEADLINE + DEADLINE_PER_PERSON * u32::try_from(orders.size).unwrap_or(u32::MAX),
            keep: orders.keep,
            faults: Some(faults(&orders.faults)),
            ownership,
            applications: orders.applications.each_ref().map(ToString::to_string),
            ..Trial::of(Scenario::Mixed, orders.size)
        };
        let report = trial.run_and_tell(&program, &|step| tell(told(step))).await;
        report.map(|report| outcome(&report, &orders.applications)).map_err(|error| failed(&error))
    }
}

/// An answer can get lost in several ways; a program has to bear all of them.
fn faults(asked: &ChaosFaults) -> Faults {
    let lost = |share: f64| asked.responses_dropped * share;
    Faults {
        latency_from_ms: LATENCY_MS.0,
        latency_to_ms: LATENCY_MS.1,
        rate_limit_per_s: asked.rate_limit_per_s,
        hang_ms: HANG_MS,
        applied_then_hung_rate: lost(0.3),
        applied_late_rate: lost(0.15),
        reset_after_rate: lost(0.25),
        truncated_json_rate: lost(0.1),
        html_200_rate: lost(0.1),
        created_without_id_rate: lost(0.1),
        delivery_doubled_rate: asked.doubled,
        delivery_reordered_rate: asked.reordered,
        delivery_dropped_rate: asked.dropped,
        ..Faults::default()
    }
}

fn told(step: Step) -> ChaosProgress {
    let phase = match step.phase {
        Phase::Starting => "starting",
        Phase::Preparing => "preparing",
        Phase::Trouble => "trouble",
        Phase::Healing => "healing",
        Phase::Watching => "watching",
    };
    ChaosProgress { phase, edits: step.edits, kills: step.kills }
}

fn outcome(report: &Report, applications: &[System; 2]) -> ChaosOutcome {
    let economy = &report.economy;
    let whole = |number: i64| u64::try_from(number).unwrap_or_default();
    ChaosOutcome {
        faults: FAULTS.map(|(name, about)| fault(report, name, about)).into(),
        kills: report.kills,
        harm: harm(report),
        findings: report.findings.iter().map(|found| finding(found, applications)).collect(),
        quiet: report.in_time,
        work: ChaosWork {
            people: report.people,
            creates: economy.creates,
            edits: economy.edits - economy.creates - economy.deletes,
            conflicts: economy.conflicts,
            deletes: economy.deletes,
            writes_needed: economy.needed_writes,
            writes_made: economy.api_writes,
            last_write_after_ms: whole(economy.settled_after_ms),
        },
        data: report.kept.as_ref().map(|folder| folder.join("data")),
        log: report.kept.as_ref().map(|folder| folder.join("program.log")),
    }
}

fn fault(report: &Report, name: &str, about: &'static str) -> Fault {
    let on = |side: &str| {
        let of_side = report.faults_happened.iter().find(|(happened, _)| *happened == format!("{side} {name}"));
        of_side.map_or(0, |(_, times)| *times)
    };
    Fault { name: name.to_owned(), about, happened: [on("crm"), on("erp")] }
}

fn harm(report: &Report) -> Vec<Harm> {
    let found = Category::ALL.into_iter().map(|category| {
        let (name, one, many) = words(category);
        Harm { name, one, many, found: report.count(category) as u64 }
    });
    let mut harm: Vec<Harm> = found.collect();
    harm.extend([
        Harm {
            name: "writes_after_quiet",
            one: "write that nobody needed any more",
            many: "writes that nobody needed any more",
            found: report.economy.writes_after_quiet,
        },
        Harm {
            name: "ended_by_itself",
            one: "end nobody asked for",
            many: "ends nobody asked for",
            found: report.died.is_some().into(),
        },
        Harm {
            name: "did_not_stop",
            one: "stop that took over 3 s",
            many: "stops that took over 3 s",
            found: u64::from(report.died.is_none() && !report.stopped_in_time()),
        },
    ]);
    harm
}

/// A kind of harm for a program, and one and several of it for a person.
fn words(category: Category) -> (&'static str, &'static str, &'static str) {
    match category {
        Category::Duplicate => ("duplicates", "duplicate", "duplicates"),
        Category::Missing => ("missing", "missing record", "missing records"),
        Category::LostEdit => ("lost_edits", "lost edit", "lost edits"),
        Category::Clobbered => ("clobbered", "write over an owner's field", "writes over an owner's field"),
        Category::Crossed => ("crossed", "value on another's record", "values on another's record"),
        Category::Divergent => ("divergent", "field that differs", "fields that differ"),
        Category::Resurrected => ("resurrected", "record made again", "records made again"),
        Category::WrongInverse => ("wrong_inverse_ids", "wrong inverse id", "wrong inverse ids"),
        Category::Deleted => ("deleted", "record the sync deleted", "records the sync deleted"),
        Category::Stray => ("stray", "record of nobody", "records of nobody"),
    }
}

fn finding(finding: &Finding, [crm, erp]: &[System; 2]) -> String {
    let ids = |system: &System, ids: &[String]| ids.iter().map(|id| format!("{system}:{id}")).collect::<Vec<_>>();
    let records = [ids(crm, &finding.crm), ids(erp, &finding.erp)].concat().join(", ");
    let (_, one, _) = words(finding.category);
    format!("{one}: {} ({records})", finding.what)
}

fn failed(error: &TrialError) -> ChaosError {
    let (message, exit_code) = match error {
        TrialError::Stage(_) => (error.to_string(), 73),
        TrialError::Program(ProgramError::NotReadyAgain(_)) => (error.to_string(), 1),
        TrialError::Program(_) => (error.to_string(), 69),
        TrialError::NotPaired { .. } => (
            format!("{error}\nchaos judges a sync that makes records in both directions, by these systems' contracts"),
            1,
        ),
    };
    ChaosError { message, exit_code }
}
