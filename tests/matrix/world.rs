//! A world in memory: the shipped topologies, two systems with people in them, and a clock that a test moves. Whoever
//! drives it decides what is announced, which call goes wrong, when the program dies, and who is at work beside whom.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use pairline_runner::worker::{Repeater, TopologyWorker};
use pairline_sdk::testing::{Director, Fate, MemoryApplication, Stage, Step, contact_contract, run_now};
use pairline_sdk::{
    Application, ChangedPage, Clock, Disposition, EventFacts, Hint, Intent, Outcome, Pair, PairStore, Profile,
    ReadError, Record, RecordId, Request, SyncContract, System, Timestamp, Worker, Write,
};
use serde_json::{Value, json};

use crate::support::Bench;

/// How often anything is worked on before a test says that it does not come to rest.
const WALKS: usize = 3_000;

/// Every call through a port stops here once, so that whoever polls decides when it goes on.
#[derive(Default)]
struct Calls(Mutex<VecDeque<(Step, Fate)>>);

#[async_trait]
impl Director for Calls {
    async fn direct(&self, step: Step) -> Fate {
        let mut stopped = false;
        std::future::poll_fn(|_| if std::mem::replace(&mut stopped, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        let mut fates = self.0.lock().unwrap();
        let planned = fates.iter().position(|(awaited, _)| *awaited == step).and_then(|at| fates.remove(at));
        planned.map_or(Fate::Well, |(_, fate)| fate)
    }
}

/// Answers in place of the system, before anything is sent.
type BeforeSend = Box<dyn Fn(&Intent) -> Option<Outcome> + Send>;

/// What the system does besides, once a write has come to it, and what it answers.
type AfterSend = Box<dyn Fn(&Intent, Outcome) -> Outcome + Send>;

/// What a search shows.
type Found = Box<dyn Fn(&System, Vec<Record>) -> Vec<Record> + Send>;

/// What both systems do that those in memory do not.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) before_send: Option<BeforeSend>,
    pub(super) after_send: Option<AfterSend>,
    pub(super) found: Option<Found>,
}

struct Hooked {
    inner: Arc<dyn Application>,
    hooks: Arc<Mutex<Hooks>>,
}

#[async_trait]
impl Application for Hooked {
    fn profile(&self) -> &Profile {
        self.inner.profile()
    }

    fn render(&self, write: &Write) -> Result<Request, String> {
        self.inner.render(write)
    }

    async fn admit(&self) -> Result<(), ReadError> {
        self.inner.admit().await
    }

    async fn admit_create(&self, source: &RecordId) -> Result<(), ReadError> {
        self.inner.admit_create(source).await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>, ReadError> {
        self.inner.read(id).await
    }

    async fn find(&self, field: &str, value: &str) -> Result<Vec<Record>, ReadError> {
        let hits = self.inner.find(field, value).await?;
        let hooks = self.hooks.lock().unwrap();
        Ok(match &hooks.found {
            Some(found) => found(&self.profile().system, hits),
            None => hits,
        })
    }

    async fn glance(&self, field: &str, value: &str, since: Timestamp) -> Result<Vec<Record>, ReadError> {
        self.inner.glance(field, value, since).await
    }

    async fn changed(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.inner.changed(cursor, page).await
    }

    async fn send(&self, intent: &Intent) -> Outcome {
        let answered = self.hooks.lock().unwrap().before_send.as_ref().and_then(|before| before(intent));
        if let Some(outcome) = answered {
            return outcome;
        }
        let outcome = self.inner.send(intent).await;
        match &self.hooks.lock().unwrap().after_send {
            Some(after) => after(intent, outcome),
            None => outcome,
        }
    }
}

/// An announcement: of which record, and what it claims.
pub(super) type Event = (RecordId, EventFacts);

type Tamper = Box<dyn FnMut(Vec<Event>) -> Vec<Event>>;

/// Work that stands at a call.
pub(super) type Work = Pin<Box<dyn Future<Output = Disposition>>>;

struct Waiting {
    record: RecordId,
    facts: Option<EventFacts>,
    ready_at: Timestamp,
    hops: u32,
}

pub(super) struct World {
    pub(super) bench: Bench,
    calls: Arc<Calls>,
    hooks: Arc<Mutex<Hooks>>,
    waiting: Vec<Waiting>,
    /// What happens to announcements on their way.
    pub(super) tamper: Tamper,
    /// What could not be delivered, and why.
    pub(super) trash: Vec<(RecordId, String)>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::under(contact_contract())
    }

    pub(super) fn under(contract: SyncContract) -> Self {
        let (calls, hooks) = (Arc::new(Calls::default()), Arc::new(Mutex::new(Hooks::default())));
        let stage = Stage::directed_by(Arc::clone(&calls) as Arc<dyn Director>);
        let bench = Bench::with(&stage, contract, |inner| Arc::new(Hooked { inner, hooks: Arc::clone(&hooks) }));
        Self { bench, calls, hooks, waiting: vec![], tamper: Box::new(|events| events), trash: vec![] }
    }

    /// What both systems do that those in memory do not.
    pub(super) fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap()
    }

    /// A pair that agrees: made from a contact with these fields. Answers both ids.
    pub(super) fn pair(&mut self, contact: &Value) -> (String, String) {
        let contact = self.crm().person_creates(contact);
        self.rest();
        let pair = self.pair_of(&contact).expect("a contact gets a counterpart");
        (contact.id, pair.other(self.crm().system()).record.id.clone())
    }

    pub(super) fn crm(&self) -> &MemoryApplication {
        &self.bench.crm
    }

    pub(super) fn erp(&self) -> &MemoryApplication {
        &self.bench.erp
    }

    pub(super) fn contact(&self, id: &str) -> RecordId {
        RecordId::new(self.crm().system(), id)
    }

    pub(super) fn customer(&self, id: &str) -> RecordId {
        RecordId::new(self.erp().system(), id)
    }

    /// A value of a contact; null when there is none.
    pub(super) fn of_contact(&self, id: &str, field: &str) -> Value {
        self.crm().saved().records[id].get(field).cloned().unwrap_or_default()
    }

    /// A value of a customer; null when there is none.
    pub(super) fn of_customer(&self, id: &str, field: &str) -> Value {
        self.erp().saved().records[id].get(field).cloned().unwrap_or_default()
    }

    pub(super) fn pair_of(&self, record: &RecordId) -> Option<Pair> {
        let pairs = self.bench.store.saved().pairs.into_values();
        pairs.into_iter().find(|pair| pair.sides.iter().any(|side| side.record == *record))
    }

    /// Writes that were applied, in both systems.
    pub(super) fn writes(&self) -> u64 {
        self.crm().saved().writes + self.erp().saved().writes
    }

    /// Reads that were answered, in both systems.
    pub(super) fn reads(&self) -> u64 {
        self.crm().saved().reads + self.erp().saved().reads
    }

    /// Decides the fate of the next call of this kind.
    pub(super) fn fate(&self, step: Step, fate: Fate) {
        self.calls.0.lock().unwrap().push_back((step, fate));
    }

    /// How many of the planned fates have not happened.
    pub(super) fn fates_left(&self) -> usize {
        self.calls.0.lock().unwrap().len()
    }

    pub(super) fn send_to(system: &str) -> Step {
        Step::Send(System::new(system))
    }

    pub(super) fn pass(&self, time: Duration) {
        self.bench.clock.advance(time);
    }

    /// Announces something by hand.
    pub(super) fn announce(&mut self, record: &RecordId, facts: Option<EventFacts>) {
        let ready_at = self.bench.clock.now();
        self.waiting.push(Waiting { record: record.clone(), facts, ready_at, hops: 0 });
    }

    /// Everything is looked at, as a poll would that knows nothing.
    pub(super) fn look_at_everything(&mut self) {
        for application in [Arc::clone(&self.bench.crm), Arc::clone(&self.bench.erp)] {
            for id in application.saved().records.into_keys() {
                self.announce(&RecordId::new(application.system(), id), None);
            }
        }
    }

    /// Takes what the systems have announced.
    pub(super) fn hear(&mut self) {
        let events = self.crm().take_events().into_iter().chain(self.erp().take_events()).collect();
        for (record, facts) in (self.tamper)(events) {
            self.announce(&record, Some(facts));
        }
    }

    /// How many hints wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn worker(&self) -> TopologyWorker {
        let repeater = Repeater { max_hops: 50, ..Repeater::default() };
        TopologyWorker { repeater, ..self.bench.worker() }
    }

    /// Begins to work on a record. Each poll of the work lets it go on to its next call through a port.
    pub(super) fn begin(&self, record: &RecordId, facts: Option<EventFacts>, hops: u32) -> Work {
        let now = self.bench.clock.now();
        let fields = facts.as_ref().map(|facts| facts.fields.clone()).unwrap_or_default();
        let names = if fields.is_empty() { vec!["*".to_owned()] } else { fields };
        let hint = Hint {
            id: 1,
            record: record.clone(),
            facts,
            received: names.into_iter().map(|name| (name, now)).collect(),
            others: BTreeMap::new(),
            since: now,
            hops,
            correlation_id: "test".to_owned(),
        };
        let worker = self.worker();
        Box::pin(async move { worker.work(hint).await })
    }

    /// Takes in what became of some work.
    pub(super) fn ended(&mut self, record: &RecordId, disposition: Disposition, hops: u32) {
        match disposition {
            Disposition::Done => {}
            Disposition::Again { at, counted, .. } => self.waiting.push(Waiting {
                record: record.clone(),
                facts: None,
                ready_at: at,
                hops: hops + u32::from(counted),
            }),
            Disposition::Trash { reason, .. } => self.trash.push((record.clone(), reason)),
        }
    }

    /// Works on the hint that has been ready the longest, and lets time pass when none is. Answers false when nothing
    /// waits.
    pub(super) fn work_once(&mut self) -> bool {
        self.hear();
        let now = self.bench.clock.now();
        let Some(at) = (0..self.waiting.len()).min_by_key(|at| self.waiting[*at].ready_at.max(now)) else {
            return false;
        };
        let next = self.waiting.remove(at);
        self.pass(next.ready_at.since(now));
        let work = self.begin(&next.record, next.facts, next.hops);
        let disposition = run_now(work);
        self.ended(&next.record, disposition, next.hops);
        true
    }

    /// Works until nothing is left to do.
    pub(super) fn rest(&mut self) {
        for _ in 0..WALKS {
            if !self.work_once() {
                return;
            }
        }
        let left: Vec<&RecordId> = self.waiting.iter().map(|waiting| &waiting.record).collect();
        panic!("it does not come to rest: {left:?}");
    }

    /// The program dies, with all that was at work, and starts again: hints are durable, and recovery names the rest.
    pub(super) fn dies_at(&mut self, at_work: impl IntoIterator<Item = (RecordId, Work)>) {
        let records: Vec<RecordId> = at_work.into_iter().map(|(record, _)| record).collect();
        self.bench.store.restart();
        let named = run_now(self.bench.store.recover()).unwrap();
        for record in records.iter().chain(&named) {
            self.announce(record, None);
        }
    }

    /// Lets everything that is late land, comes to rest, and looks at everything once more.
    pub(super) fn settle(&mut self) {
        self.rest();
        while self.crm().land() || self.erp().land() {}
        self.pass(Duration::from_secs(60));
        self.look_at_everything();
        self.rest();
    }

    /// Asserts that so many people are there, each in both systems, in pairs that name each other and agree.
    pub(super) fn holds(&self, people: usize) {
        let (crm, erp) = (self.crm().saved(), self.erp().saved());
        let pairs = self.bench.store.saved().pairs;
        assert_eq!((crm.records.len(), erp.records.len()), (people, people), "contacts and customers");
        assert_eq!(pairs.len(), people, "pairs");
        let contract = &self.bench.contract;
        for pair in pairs.values() {
            let one = &pair.side(self.crm().system()).record.id;
            let two = &pair.side(self.erp().system()).record.id;
            let (contact, customer) = (&crm.records[one], &erp.records[two]);
            assert_eq!(contact.get("erp_id"), Some(&json!(two)), "{one} and {two}");
            assert_eq!(customer.get("custom_fields.crm_id"), Some(&json!(one)), "{one} and {two}");
            for field in contract.fields() {
                let of_contact = field.canonical(contract, self.crm().system(), contact);
                let of_customer = field.canonical(contract, self.erp().system(), customer);
                assert_eq!(of_contact, of_customer, "{} of {one} and {two}", field.name());
            }
        }
    }
}

/// Lets some work go on to its next call.
pub(super) fn step(work: &mut Work) -> Poll<Disposition> {
    work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets some work go on to the end of so many calls. Answers false when it was over before.
pub(super) fn steps(work: &mut Work, calls: usize) -> bool {
    (0..calls).all(|_| step(work).is_pending())
}
