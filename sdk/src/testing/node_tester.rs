//! Runs one node in memory: a CRM, an ERP, a store, a clock, and a director of fates.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Director, Fate, MemoryApplication, MemoryStore, Stage, Step, TestClock, TestRandom, contact_contract};
use crate::message::{HINT, PAIR, RECORD};
use crate::{
    Agreement, Application, CapabilityClass, Clock, Create, Creates, FieldWrite, Fields, InverseWrite, Look, NodeError,
    NothingOutside, OperationState, Outcome, OwnerGuard, Pair, PairStore, Ports, ProcessDto, Provenance, Record,
    RecordId, Registry, Reserve, StoreError, SyncContract, Usage, Write, WriteReason,
};

/// An ERP keeps an idempotency key for a day.
const KEYS: CapabilityClass =
    CapabilityClass::B { ttl: Duration::from_secs(24 * 3600), margin: Duration::from_secs(3600) };

/// Runs a future that waits for nothing but our own in-memory ports.
///
/// # Panics
///
/// If the future is still waiting when everything around it stands still: it would wait for ever.
pub fn run_now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the node waits for something that no in-memory port will bring")
}

/// Runs single nodes against a CRM and an ERP in memory, with the `contact` contract.
pub struct NodeTester {
    /// The CRM: no idempotency key, a search that lags.
    pub crm: Arc<MemoryApplication>,
    /// The ERP: idempotency keys.
    pub erp: Arc<MemoryApplication>,
    /// The store.
    pub store: Arc<MemoryStore>,
    registry: Registry,
    ports: Ports,
    clock: Arc<TestClock>,
    plans: Arc<Plans>,
}

#[derive(Default)]
struct Plans {
    fates: Planned<Fate>,
    acts: Planned<Box<dyn FnOnce() + Send>>,
}

#[async_trait]
impl Director for Plans {
    async fn direct(&self, step: Step) -> Fate {
        if let Some(act) = self.acts.take(&step) {
            act();
        }
        self.fates.take(&step).unwrap_or_default()
    }
}

/// What is planned for calls to come.
struct Planned<T>(Mutex<VecDeque<(Step, T)>>);

impl<T> Default for Planned<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Planned<T> {
    fn add(&self, step: Step, planned: T) {
        self.all().push_back((step, planned));
    }

    fn take(&self, step: &Step) -> Option<T> {
        let mut all = self.all();
        let position = all.iter().position(|(awaited, _)| awaited == step)?;
        all.remove(position).map(|(_, planned)| planned)
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<(Step, T)>> {
        self.0.lock().expect("nothing panics while it holds the plan")
    }
}

impl NodeTester {
    /// A tester that knows the nodes a function registers.
    pub fn new(register: fn(&mut Registry)) -> Self {
        Self::with_erp_class(register, KEYS)
    }

    /// The same, with an ERP of another capability class.
    pub fn with_erp_class(register: fn(&mut Registry), class: CapabilityClass) -> Self {
        Self::made(register, class, contact_contract(), false)
    }

    /// The same, with an ERP whose records carry a version, and that refuses an update decided by another one.
    pub fn with_versions(register: fn(&mut Registry)) -> Self {
        Self::made(register, KEYS, contact_contract(), true)
    }

    /// The same, with another contract between the CRM and the ERP.
    pub fn with_contract(register: fn(&mut Registry), contract: SyncContract) -> Self {
        Self::made(register, KEYS, contract, false)
    }

    fn made(register: fn(&mut Registry), class: CapabilityClass, contract: SyncContract, versions: bool) -> Self {
        let clock = Arc::new(TestClock::default());
        let plans = Arc::new(Plans::default());
        let stage = Stage::directed_by(Arc::clone(&plans) as Arc<dyn Director>);
        let time = || Arc::clone(&clock) as Arc<dyn Clock>;
        let crm = Arc::new(MemoryApplication::crm(time()).on(stage.clone()));
        let erp = MemoryApplication::new("erp", class, time(), false).on(stage.clone());
        let erp = Arc::new(if versions { erp.that_keeps_versions() } else { erp });
        let store = Arc::new(MemoryStore::new(time()).on(stage));
        let contract = Arc::new(contract);
        let guarded = |application: &Arc<MemoryApplication>| {
            let inner = Arc::clone(application) as Arc<dyn Application>;
            (
                application.system().clone(),
                Arc::new(OwnerGuard::new(inner, Arc::clone(&contract))) as Arc<dyn Application>,
            )
        };
        let ports = Ports {
            store: Arc::clone(&store) as Arc<dyn PairStore>,
            applications: [guarded(&crm), guarded(&erp)].into_iter().collect(),
            contract: Arc::clone(&contract).into(),
            clock: time(),
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        let mut registry = Registry::new();
        register(&mut registry);
        Self { crm, erp, store, registry, ports, clock, plans }
    }

    /// Puts two records into the systems that are a pair already and agree; each carries the other's id.
    #[must_use]
    pub fn with_pair(self, crm_id: &str, erp_id: &str, crm: Value, erp: Value) -> Self {
        let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
        let (mut crm, mut erp) = (fields(crm), fields(erp));
        let (crm_record, erp_record) =
            (RecordId::new(self.crm.system(), crm_id), RecordId::new(self.erp.system(), erp_id));
        let mut pair = Pair::found(
            crate::PairId(1),
            self.ports.contract.name(),
            [crm_record, erp_record],
            "test",
            self.clock.now(),
        );
        pair.agreement = Agreement::Known;
        for (side, base) in pair.sides.iter_mut().zip([&crm, &erp]) {
            side.base = Arc::new(base.clone());
            side.inverse_written = true;
        }
        let mut state = self.store.saved();
        let [first, second] = [pair.sides[0].record.clone(), pair.sides[1].record.clone()];
        state.mapping.insert((first.clone(), second.system.clone()), pair.id);
        state.mapping.insert((second, first.system), pair.id);
        state.pairs.insert(pair.id, pair);
        self.store.restore(state);
        crm.insert("erp_id".to_owned(), erp_id.into());
        erp.insert("custom_fields.crm_id".to_owned(), crm_id.into());
        for (application, id, fields) in [(&self.crm, crm_id, crm), (&self.erp, erp_id, erp)] {
            let mut saved = application.saved();
            saved.records.insert(id.to_owned(), fields);
            application.restore(saved);
        }
        self
    }

    /// A message about an event, as a topology starts with it.
    pub fn hint(&self, system: &str, id: &str, facts: Value) -> ProcessDto {
        ProcessDto::default().with(HINT, json!({ "record": { "system": system, "id": id }, "facts": facts }))
    }

    /// A message about a record as it stands now: read, and with its pair if it has one.
    pub fn seen(&self, system: &str, id: &str) -> ProcessDto {
        let application = if system == self.crm.system().as_str() { &self.crm } else { &self.erp };
        let read = application.saved().record(id).unwrap_or_else(|| Record::new(id, Fields::new()));
        let record = RecordId::new(application.system(), id);
        let target = self.ports.contract.other(application.system());
        let dto = self.hint(system, id, json!({ "kind": "updated" })).with(RECORD, read);
        match run_now(self.store.look(&record, target)) {
            Ok(Look::Found(pair)) => dto.share(PAIR, pair),
            _ => dto,
        }
    }

    /// A message after a create: a contact of the CRM whose customer `erp-1` has been made and not persisted.
    ///
    /// # Panics
    ///
    /// If the create cannot be reserved and settled.
    pub fn created(&self, crm_id: &str, fields: Value) -> ProcessDto {
        let fields = fields.as_object().cloned().unwrap_or_default();
        match run_now(self.reserve_and_settle(crm_id, &fields)) {
            Ok(operation) => {
                self.hint("crm", crm_id, json!({ "kind": "created" })).with(crate::message::OPERATION, operation)
            }
            Err(error) => panic!("the create of a test does not settle: {error}"),
        }
    }

    async fn reserve_and_settle(&self, crm_id: &str, fields: &Fields) -> Result<crate::OperationId, StoreError> {
        let value = Write::Create { fields: fields.clone() };
        let create = Create {
            source: RecordId::new(self.crm.system(), crm_id),
            target: self.erp.system().clone(),
            contract: self.ports.contract.name().to_owned(),
            request: self.erp.render(&value).map_err(StoreError)?.into(),
            writes: fields
                .iter()
                .map(|(name, value)| FieldWrite {
                    field: name.clone(),
                    seen_source: Map::from_iter([(name.clone(), value.clone())]),
                    seen_target: None,
                    value: Map::from_iter([(name.clone(), value.clone())]),
                    reason: WriteReason::Birth,
                })
                .collect(),
            inverse: Some(InverseWrite { field: "custom_fields.crm_id".to_owned(), id: crm_id.to_owned() }),
            deadline: self.erp.profile().deadline,
            request_life: self.erp.profile().request_life,
            provenance: Provenance::default(),
        };
        let Reserve::Won(intent) = self.store.reserve(&create).await? else {
            return Err(StoreError("the record is reserved already".to_owned()));
        };
        let record = Record::new("erp-1", fields.clone());
        let settled = self.store.settle(&intent, &Outcome::Committed { record }).await?;
        Ok(settled.operation.id.clone())
    }

    /// Runs a node of a kind, with settings, on a message.
    ///
    /// # Errors
    ///
    /// What the node answered.
    ///
    /// # Panics
    ///
    /// If there is no such node or its settings are wrong.
    pub fn run(&self, kind: &str, with: Value, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        match self.registry.make(kind, &Usage::with(with), &self.ports) {
            Ok(node) => run_now(node.process_action(dto.fresh())),
            Err(problem) => panic!("cannot make the node: {problem}"),
        }
    }

    /// Decides the fate of the next call of this kind.
    pub fn fate(&self, step: Step, fate: Fate) {
        self.plans.fates.add(step, fate);
    }

    /// Whoever was at work vanishes before it can write what became of its calls: they are under way for ever.
    pub fn worker_vanishes(&self) {
        let mut state = self.store.saved();
        for operation in state.operations.values_mut() {
            (operation.state, operation.ended_at) = (OperationState::Pending, None);
        }
        self.store.restore(state);
    }

    /// Others are at work too: this happens when the next call of this kind is about to.
    pub fn meanwhile(&self, step: Step, act: impl FnOnce() + Send + 'static) {
        self.plans.acts.add(step, Box::new(act));
    }

    /// Lets time pass.
    pub fn pass_seconds(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Holds creates back, as the first start does when both sides have records that are not linked.
    pub fn hold_creates(&self) {
        let mut state = self.store.saved();
        state.creates = Creates::Held("both sides have records that are not linked".to_owned());
        self.store.restore(state);
    }

    /// How many cases are open.
    pub fn open_cases(&self) -> usize {
        self.store.saved().cases.iter().filter(|(_, closed)| !closed).count()
    }

    /// The body of the newest operation on a system.
    pub fn last_body(&self, system: &str) -> Value {
        let state = self.store.saved();
        let of_system = state.operations.values().rev().find(|operation| operation.target.as_str() == system);
        of_system.and_then(|operation| serde_json::from_str(&operation.request.body).ok()).unwrap_or_default()
    }
}
