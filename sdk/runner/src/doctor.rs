//! What a system really does, measured from outside, beside what its description promises.
//!
//! `ear` hears when and how a system answers; `secrets` and `webhook` look at what needs no call; `patient` asks one system
//! without writing anything, `subscriptions` what it was told to send. `probe` writes, and only when it was ordered to: it makes
//! scratch records through a ledger of its own (`scratch`), as the sync itself would, and takes them away again where the
//! description says how (`removal`). `report` is what is said at the end.

mod ear;
mod late;
mod patient;
mod precondition;
mod probe;
mod removal;
mod report;
mod scratch;
mod secrets;
mod subscriptions;
mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;

use pairline_sdk::{CapabilityClass, Clock, Random, System};

pub use report::{Diagnosis, Examined, Fact, Lag};

use crate::application::Environment;
use crate::composition::Stores;
use crate::finding::in_order;
use crate::project::Project;
use patient::Patient;
use secrets::Secrets;

/// The codes of findings about systems that were asked.
pub mod code {
    /// A system does not answer.
    pub const UNREACHABLE: &str = "PL0701";
    /// A system does not accept our credentials.
    pub const DENIED: &str = "PL0702";
    /// A system's clock shows another time than ours.
    pub const CLOCK: &str = "PL0703";
    /// A secret is short, or the same as another.
    pub const SECRET: &str = "PL0704";
    /// Webhooks cannot arrive, or can be read on their way.
    pub const WEBHOOK: &str = "PL0705";
    /// A system answers otherwise than its description says.
    pub const NOT_AS_DESCRIBED: &str = "PL0706";
    /// A promise that nothing can make use of.
    pub const USELESS_PROMISE: &str = "PL0707";
    /// A field was written and is not there.
    pub const IGNORED_FIELD: &str = "PL0708";
    /// A field is answered by another name than it was sent with.
    pub const RENAMED_FIELD: &str = "PL0709";
    /// A value comes back in another spelling, which the contract takes for another value.
    pub const RESPELLED_VALUE: &str = "PL0710";
    /// A second record was made with a value that was promised to be taken once only.
    pub const NOT_UNIQUE: &str = "PL0711";
    /// A second record was made by a create that was repeated with its idempotency key, or by its path.
    pub const REPEATED: &str = "PL0712";
    /// A second record was refused, and the description does not take that for a duplicate.
    pub const UNCLEAR_REFUSAL: &str = "PL0713";
    /// What was written is found later than promised.
    pub const INDEX_LAG: &str = "PL0714";
    /// What was written is not found at all.
    pub const NOT_FOUND: &str = "PL0715";
    /// There are more scratch records than were made.
    pub const STRAY: &str = "PL0716";
    /// A scratch record could not be made, or nobody knows whether it was.
    pub const NOT_PROBED: &str = "PL0717";
    /// A system was not told to send an event that its description waits for.
    pub const NOT_SUBSCRIBED: &str = "PL0718";
    /// A system was told twice to send an event.
    pub const SUBSCRIBED_TWICE: &str = "PL0719";
    /// A scratch record could not be removed, or is perhaps none any more.
    pub const NOT_REMOVED: &str = "PL0720";
    /// An update is not bound to the version that was read, or to one that never is.
    pub const PRECONDITION: &str = "PL0721";
    /// A request was applied later after it was given up than `request_life` promises.
    pub const LATE: &str = "PL0722";
}

/// What a doctor is asked to do.
pub struct Orders<'a> {
    /// What to look at.
    pub project: &'a Project,
    /// Only these applications; all of them if there is none.
    pub only: &'a [String],
    /// The variables of the descriptions.
    pub environment: &'a Environment,
    /// Where the program listens when it runs.
    pub listen: SocketAddr,
    /// The time that decisions are made by.
    pub clock: Arc<dyn Clock>,
    /// The time of day, which other clocks are compared with.
    pub wall: Arc<dyn Clock>,
    /// Chance, for a marker that nobody has used before.
    pub random: Arc<dyn Random>,
    /// The ledger of what is written. With none nothing is.
    pub ledger: Option<Stores>,
}

/// Looks at the systems of a project, one after the other.
///
/// # Errors
///
/// One line when no calls can be made from this machine at all.
pub async fn examine(orders: &Orders<'_>) -> Result<Diagnosis, String> {
    let sources: Vec<_> = orders.project.applications.iter().collect();
    let secrets = Secrets::of(sources.iter().map(|(_, source)| source), orders.environment);
    let is_running = webhook::is_running(orders.listen).await;
    let mut diagnosis = Diagnosis::new(secrets);
    for (name, source) in sources {
        if !orders.only.is_empty() && !orders.only.contains(name) {
            continue;
        }
        let patient = Patient::admit(name, source, orders, &diagnosis.secrets)?;
        let mut patient = match patient {
            Ok(patient) => patient,
            Err((examined, findings)) => {
                diagnosis.take(examined, findings);
                continue;
            }
        };
        diagnosis.secrets.judge(&mut patient);
        let answers = patient.look_at_answers().await;
        patient.look_at_clock();
        patient.look_at_webhook(is_running).await;
        patient.look_at_subscriptions(answers).await;
        patient.look_at_promises();
        match &orders.ledger {
            Some(ledger) if answers => probe::probe(&mut patient, ledger, orders).await,
            Some(_) => patient.note("probe", "nothing was written: it does not answer as described"),
            None => patient.note(
                "not measured",
                "fields, uniqueness, keys and the lag of the search: --probe does, with a scratch record or two",
            ),
        }
        // A system may answer with what it has given us when we signed in.
        let got = patient.application.secrets().await;
        let (examined, findings) = patient.discharged();
        diagnosis.secrets.learn(&got);
        diagnosis.take(examined, findings);
    }
    in_order(&mut diagnosis.findings);
    Ok(diagnosis)
}

/// Whether the program listens there now, and would take a scratch record for somebody's.
///
/// # Errors
///
/// One line when no calls can be made from this machine at all.
pub async fn program_runs(listen: SocketAddr) -> Result<bool, String> {
    Ok(webhook::is_running(listen).await)
}

/// Where scratch records come from, as the ledger and the idempotency keys name it.
fn nowhere() -> System {
    System::new("pairline-doctor")
}

/// What a class is called.
fn letter(class: CapabilityClass) -> char {
    match class {
        CapabilityClass::A => 'A',
        CapabilityClass::B { .. } => 'B',
        CapabilityClass::C => 'C',
        CapabilityClass::D => 'D',
    }
}
