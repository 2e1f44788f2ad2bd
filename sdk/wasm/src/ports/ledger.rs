//! `ledger`: changes the id mapping.
//!
//! An intent never leaves the program: a component names the operation that it has won, and the program sends what it has
//! committed itself. What became of it the program has seen, too, so that a component that breaks off loses no answer.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::Arc;

use pairline_sdk::{
    Adoption, Application, Begin, Case, Create, FieldWrite, Fields, Intent, InverseWrite, NodeError, Operation,
    OperationId, Outcome, Pair, PairId, Rebase, RecordId, Request, Reserve, Revision, System, Update, Write,
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

    /// The system that an operation is for, if this call may win another one on it.
    fn may_win(&self, target: &System) -> Result<Arc<dyn Application>, Failure> {
        let application = self.granted.writable(target.as_str())?;
        if self.work.won.len() < MOST_WON {
            return Ok(application);
        }
        Err(refused(format!("one message begins at most {MOST_WON} operations")))
    }

    /// Whether a request is one that the program has rendered in this call, of just the write that the ledger will hold. What
    /// the owner guard looks at is then what is sent.
    fn has_rendered(
        &self,
        target: &System,
        request: &Request,
        is_meant: impl Fn(&Write) -> bool,
    ) -> Result<(), Failure> {
        let is_it = |(system, write, rendered): &(System, Write, Request)| {
            system == target && rendered == request && is_meant(write)
        };
        if self.work.rendered.iter().any(is_it) {
            return Ok(());
        }
        Err(refused("the request is not what `render` has made of these writes in this call"))
    }

    async fn pair(&self, id: PairId) -> Result<Pair, Failure> {
        let before = PairId(id.0.saturating_sub(1));
        let found = self.granted.ports()?.store.pairs(Some(before), 1).await.map_err(told)?;
        found.into_iter().find(|pair| pair.id == id).ok_or_else(|| refused(format!("there is no pair {}", id.0)))
    }

    /// An open operation is ended for another decision once its request can no longer land.
    fn may_supersede(&self, pair: &Pair, superseded: Option<&OperationId>) -> Result<(), Failure> {
        let Some(superseded) = superseded else { return Ok(()) };
        let now = self.granted.ports()?.clock.now();
        match pair.open.as_ref().filter(|open| open.id == *superseded) {
            Some(open) if now < open.quiet_at() => {
                Err(told(NodeError::wait(format!("{superseded} may still arrive"), open.quiet_at().since(now))))
            }
            _ => Ok(()),
        }
    }
}

/// The fields of a write, as the program puts them into its body.
fn written(writes: &[FieldWrite], inverse: Option<&InverseWrite>) -> Fields {
    let mut fields: Fields = writes.iter().flat_map(|write| write.value.clone()).collect();
    fields.extend(inverse.map(|inverse| (inverse.field.clone(), inverse.id.clone().into())));
    fields
}

fn not_sent() -> Outcome {
    Outcome::NotSent { reason: "the node ended before it sent it".to_owned(), after: None }
}

/// Commits what the program knows of operations that a component has not settled: their answers, or that they were not sent.
pub(crate) async fn settle_what_is_left(call: &mut Call) {
    let Ok(ports) = call.granted.ports() else { return };
    for standing in std::mem::take(&mut call.work.won).into_values() {
        let outcome = match standing.state {
            State::Settled | State::Sending => continue,
            State::Answered(outcome) => outcome,
            State::Won => not_sent(),
        };
        if let Err(error) = ports.store.settle(&standing.intent, &outcome).await {
            // As after a crash: it is found and recovered once its deadline is over.
            tracing::warn!(operation = %standing.intent.operation().id, %error, "an outcome is not committed");
        }
    }
}

impl Host for Call {
    async fn arrived(&mut self, operation: String) -> Result<(), Failure> {
        let named: Operation = read("an operation", &operation)?;
        // Only the program says of an update that it has arrived, and which one that is.
        let judged = self.work.arrived.iter().find(|judged| judged.id == named.id).cloned();
        let judged = judged.ok_or_else(|| refused(format!("no event of this message is the echo of {}", named.id)))?;
        self.granted.ports()?.store.arrived(&judged).await.map_err(told)
    }

    async fn adopt(&mut self, adoption: String) -> Result<String, Failure> {
        let adoption: Adoption = read("an adoption", &adoption)?;
        self.granted.ports()?.store.adopt(&adoption).await.map(|adopted| json(&adopted)).map_err(told)
    }

    async fn reserve(&mut self, create: String) -> Result<String, Failure> {
        let mut create: Create = read("a create", &create)?;
        let target = self.may_win(&create.target)?;
        let fields = written(&create.writes, create.inverse.as_ref());
        self.has_rendered(
            &create.target,
            &create.request,
            |write| matches!(write, Write::Create { fields: rendered } if *rendered == fields),
        )?;
        let profile = target.profile();
        (create.deadline, create.request_life) = (profile.deadline, profile.request_life);
        create.provenance = self.work.provenance.clone();
        create.contract = self.granted.ports()?.contract.name().to_owned();
        let reserve = self.granted.ports()?.store.reserve(&create).await.map_err(told)?;
        if let Reserve::Won(intent) = &reserve {
            self.win(intent);
        }
        Ok(json(&reserve))
    }

    async fn begin(&mut self, update: String, revision: i64) -> Result<String, Failure> {
        let mut update: Update = read("an update", &update)?;
        let target = self.may_win(&update.target)?;
        let pair = self.pair(update.pair).await?;
        self.may_supersede(&pair, update.supersedes.as_ref())?;
        let id = pair.side(&update.target).record.id.clone();
        let fields = written(&update.writes, update.inverse.as_ref());
        self.has_rendered(
            &update.target,
            &update.request,
            |write| matches!(write, Write::Update { id: of, fields: rendered, .. } if *of == id && *rendered == fields),
        )?;
        let profile = target.profile();
        (update.deadline, update.request_life) = (profile.deadline, profile.request_life);
        update.provenance = self.work.provenance.clone();
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
            // Numbers are written in many ways; what the program has seen is what it commits.
            State::Answered(outcome) => discriminant(outcome) == discriminant(&said),
            State::Won => matches!(said, Outcome::NotSent { .. }),
            State::Sending | State::Settled => false,
        };
        if !is_so {
            return Err(refused(format!("that is not what became of {id}")));
        }
        let (intent, outcome) = match &standing.state {
            State::Answered(outcome) => (standing.intent.clone(), outcome.clone()),
            _ => (standing.intent.clone(), not_sent()),
        };
        let settled = self.granted.ports()?.store.settle(&intent, &outcome).await.map_err(told)?;
        if let Some(standing) = self.work.won.get_mut(&id) {
            standing.state = State::Settled;
        }
        Ok(json(&settled))
    }

    async fn resend(&mut self, _: String, _: String) -> Result<String, Failure> {
        // What keeps a second record away is known to the program's own node, which waits for it. That a component says so is
        // not enough.
        Err(refused("a create is sent again by the program's own `create` and by no component"))
    }

    async fn persist(&mut self, operation: String) -> Result<String, Failure> {
        let store = &self.granted.ports()?.store;
        store.persist(&OperationId(operation)).await.map(|persisted| json(&persisted)).map_err(told)
    }

    async fn rebase(&mut self, rebase: String) -> Result<bool, Failure> {
        let rebase: Rebase = read("a rebase", &rebase)?;
        let pair = self.pair(rebase.pair).await?;
        self.may_supersede(&pair, rebase.supersedes.as_ref())?;
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
