//! `ledger`: changes the id mapping.
//!
//! An intent never leaves the program: a component names the operation that it has won, and the program sends what it has
//! committed itself. What became of it the program has seen, too, so that a component that breaks off loses no answer.

use std::collections::BTreeMap;

use pairline_sdk::{
    Adoption, Begin, Case, Create, Intent, Operation, OperationId, Outcome, Rebase, RecordId, Resend, Reserve,
    Revision, SendAgain, System, Update,
};

use super::{json, read};
use crate::bindings::pairline::node::ledger::Host;
use crate::bindings::pairline::node::types::Failure;
use crate::failure::{refused, told};
use crate::instances::Call;

/// Operations that one message may win.
const MOST_WON: usize = 16;

/// The operations that a call has won.
pub(crate) type Won = BTreeMap<OperationId, Standing>;

/// How far an operation has come.
pub(crate) struct Standing {
    pub(super) intent: Intent,
    pub(super) state: State,
}

/// How far an operation has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// It may be sent.
    Won,
    /// It is on its way; if nobody waits any more, nobody knows.
    Sending,
    /// This became of it.
    Answered(Outcome),
    /// That is committed.
    Settled,
}

impl Call {
    fn win(&mut self, intent: &Intent) {
        let id = intent.operation().id.clone();
        self.work.won.insert(id, Standing { intent: intent.clone(), state: State::Won });
    }

    /// Whether this call may win another operation, on this system.
    fn may_win(&self, target: &System) -> Result<(), Failure> {
        self.granted.writable(target.as_str())?;
        if self.work.won.len() < MOST_WON {
            return Ok(());
        }
        Err(refused(format!("one message begins at most {MOST_WON} operations")))
    }
}

/// Commits what the program knows of operations that a component has not settled: their answers, or that they were not sent.
pub(crate) async fn settle_what_is_left(call: &mut Call) {
    let Ok(ports) = call.granted.ports() else { return };
    for standing in std::mem::take(&mut call.work.won).into_values() {
        let outcome = match standing.state {
            State::Settled | State::Sending => continue,
            State::Answered(outcome) => outcome,
            State::Won => Outcome::NotSent { reason: "the node ended before it sent it".to_owned(), after: None },
        };
        if let Err(error) = ports.store.settle(&standing.intent, &outcome).await {
            // As after a crash: it is found and recovered once its deadline is over.
            tracing::warn!(operation = %standing.intent.operation().id, %error, "an outcome is not committed");
        }
    }
}

impl Host for Call {
    async fn arrived(&mut self, operation: String) -> Result<(), Failure> {
        let operation: Operation = read("an operation", &operation)?;
        self.granted.ports()?.store.arrived(&operation).await.map_err(told)
    }

    async fn adopt(&mut self, adoption: String) -> Result<String, Failure> {
        let adoption: Adoption = read("an adoption", &adoption)?;
        self.granted.ports()?.store.adopt(&adoption).await.map(|adopted| json(&adopted)).map_err(told)
    }

    async fn reserve(&mut self, create: String) -> Result<String, Failure> {
        let create: Create = read("a create", &create)?;
        self.may_win(&create.target)?;
        let reserve = self.granted.ports()?.store.reserve(&create).await.map_err(told)?;
        if let Reserve::Won(intent) = &reserve {
            self.win(intent);
        }
        Ok(json(&reserve))
    }

    async fn begin(&mut self, update: String, revision: i64) -> Result<String, Failure> {
        let update: Update = read("an update", &update)?;
        self.may_win(&update.target)?;
        let begin = self.granted.ports()?.store.begin(&update, Revision(revision)).await.map_err(told)?;
        if let Begin::Won(intent) = &begin {
            self.win(intent);
        }
        Ok(json(&begin))
    }

    async fn settle(&mut self, operation: String, outcome: String) -> Result<String, Failure> {
        let id = OperationId(operation);
        let said: Outcome = read("an outcome", &outcome)?;
        let standing = self.work.won.get(&id);
        let standing = standing.ok_or_else(|| refused(format!("{id} was not begun by this message")))?;
        let is_so = match &standing.state {
            State::Answered(outcome) => *outcome == said,
            State::Won => matches!(said, Outcome::NotSent { .. }),
            State::Sending | State::Settled => false,
        };
        if !is_so {
            return Err(refused(format!("that is not what became of {id}")));
        }
        let intent = standing.intent.clone();
        let settled = self.granted.ports()?.store.settle(&intent, &said).await.map_err(told)?;
        if let Some(standing) = self.work.won.get_mut(&id) {
            standing.state = State::Settled;
        }
        Ok(json(&settled))
    }

    async fn resend(&mut self, operation: String, again: String) -> Result<String, Failure> {
        let again: SendAgain = read("what is known of a create", &again)?;
        if self.granted.grants.writes.is_empty() {
            return Err(refused("no system is granted under `grants.writes`"));
        }
        let resend = self.granted.ports()?.store.resend(&OperationId(operation), again).await.map_err(told)?;
        if let Resend::Won(intent) = &resend {
            self.win(intent);
        }
        Ok(json(&resend))
    }

    async fn persist(&mut self, operation: String) -> Result<String, Failure> {
        let store = &self.granted.ports()?.store;
        store.persist(&OperationId(operation)).await.map(|persisted| json(&persisted)).map_err(told)
    }

    async fn rebase(&mut self, rebase: String) -> Result<bool, Failure> {
        let rebase: Rebase = read("a rebase", &rebase)?;
        self.granted.ports()?.store.rebase(&rebase).await.map_err(told)
    }

    async fn deactivate(&mut self, system: String, id: String) -> Result<String, Failure> {
        let record = RecordId::new(&System::new(&system), id);
        self.granted.ports()?.store.deactivate(&record).await.map(|pair| json(&pair)).map_err(told)
    }

    async fn reactivate(&mut self, system: String, id: String) -> Result<String, Failure> {
        let record = RecordId::new(&System::new(&system), id);
        self.granted.ports()?.store.reactivate(&record).await.map(|pair| json(&pair)).map_err(told)
    }

    async fn open_case(&mut self, case: String) -> Result<i64, Failure> {
        let case: Case = read("a case", &case)?;
        self.granted.ports()?.store.open_case(&case).await.map(|id| id.0).map_err(told)
    }
}
