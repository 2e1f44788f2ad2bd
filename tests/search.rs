//! The exhaustive search of one pair: every order of edits, deliveries, kills, lost and late requests, over the real
//! nodes and the real walk, with the store and both systems in memory.
//!
//! The walk stops at every call through a port. There the search decides: go on, edit a record, kill the program, lose
//! the request or its answer, or let it land late. Each sequence of decisions is run once; a state that was seen
//! before is not entered again.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use pairline_sdk::testing::{Director, Fate, MemoryRecords, MemoryState, Stage, Step, contact_contract};
use pairline_sdk::{
    Clock, Disposition, EventFacts, Hint, OperationId, OperationKind, PairStore, Record, RecordId, System, Timestamp,
    Worker,
};
use serde_json::{Value, json};

use crate::support::Bench;

/// What the search plays with.
#[derive(Clone, Copy)]
struct Setting {
    email: bool,
    phone: bool,
    violations: bool,
    edits: u8,
    faults: u8,
    lost_webhooks: u8,
    /// Whether requests may be lost or late, too.
    losses: bool,
    /// Whether the pair exists at the start; otherwise one record does, in this system.
    mapped: bool,
    born_in: &'static str,
    expect_states: usize,
}

const OWNED: Setting = Setting {
    email: true,
    phone: false,
    violations: true,
    edits: 3,
    faults: 2,
    lost_webhooks: 1,
    losses: false,
    mapped: true,
    born_in: "crm",
    expect_states: 0,
};

#[derive(Clone, PartialEq)]
struct World {
    store: MemoryState,
    crm: MemoryRecords,
    erp: MemoryRecords,
    now: Timestamp,
    pending: Vec<Pending>,
    edits: u8,
    faults: u8,
    lost_webhooks: u8,
    next_value: u8,
    /// Values of the shared field that may stand at the end.
    accepted: BTreeSet<String>,
    /// Per side an edit of the shared field that has not gone over yet.
    on_its_way: [Option<String>; 2],
    /// The owner's last value.
    owned: String,
    trashed: bool,
    story: Story,
}

/// What has happened, newest first; worlds share their past.
#[derive(Clone, Default, PartialEq)]
struct Story(Option<Arc<(String, Story)>>);

impl Story {
    fn push(&mut self, line: String) {
        self.0 = Some(Arc::new((line, self.clone())));
    }

    fn told(&self) -> String {
        let mut lines = Vec::new();
        let mut rest = self;
        while let Some(part) = &rest.0 {
            lines.push(part.0.as_str());
            rest = &part.1;
        }
        lines.reverse();
        lines.join("\n")
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Pending {
    record: RecordId,
    facts: Option<EventFacts>,
    ready_at: Timestamp,
    hops: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Decision {
    GoOn,
    Edit(Edit),
    Kill,
    Fate(Fate),
    Land,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Edit {
    EmailInCrm,
    EmailBackInCrm,
    EmailInErp,
    PhoneInCrm,
    PhoneInErp,
}

#[derive(Default)]
struct Gate(Mutex<(Option<Step>, Option<Fate>)>);

#[async_trait]
impl Director for Gate {
    async fn direct(&self, step: Step) -> Fate {
        // Reads of the store change nothing and see nothing that could change under them: only one place to stop.
        if step == Step::Store("look") {
            return Fate::Well;
        }
        self.0.lock().unwrap().0 = Some(step);
        std::future::poll_fn(|_| match self.0.lock().unwrap().1.take() {
            Some(fate) => Poll::Ready(fate),
            None => Poll::Pending,
        })
        .await
    }
}

struct Search {
    setting: Setting,
    bench: Bench,
    gate: Arc<Gate>,
    seen: HashSet<u64>,
    steps_seen: HashSet<u64>,
    queue: VecDeque<World>,
}

impl Search {
    fn new(setting: Setting) -> Self {
        let gate = Arc::new(Gate::default());
        let stage = Stage::directed_by(Arc::clone(&gate) as Arc<dyn Director>);
        let bench = Bench::new(&stage, contact_contract());
        Self { setting, bench, gate, seen: HashSet::new(), steps_seen: HashSet::new(), queue: VecDeque::new() }
    }

    fn start(&mut self) -> World {
        let born = json!({ "email": "0", "phone": "0" });
        if self.setting.born_in == "crm" {
            self.bench.crm.person_creates(&born);
        } else {
            self.bench.erp.person_creates(&born);
        }
        let mut world = World {
            store: self.bench.store.saved(),
            crm: self.bench.crm.saved(),
            erp: self.bench.erp.saved(),
            now: self.bench.clock.now(),
            pending: vec![],
            edits: self.setting.edits,
            faults: self.setting.faults,
            lost_webhooks: self.setting.lost_webhooks,
            next_value: 1,
            accepted: BTreeSet::from(["0".to_owned()]),
            on_its_way: [None, None],
            owned: "0".to_owned(),
            trashed: false,
            story: Story::default(),
        };
        take_events(&mut world);
        if self.setting.mapped {
            // The pair is born by the flow itself, without any mishap.
            while let Some(next) = world.pending.first().cloned() {
                world.pending.remove(0);
                world = self.run(&world, &next, &[]).0;
            }
        }
        world
    }

    /// Runs everything from here. Answers the story of the first state that must not be.
    fn run_all(&mut self) -> Result<usize, String> {
        let start = self.start();
        self.enqueue(start);
        while let Some(world) = self.queue.pop_front() {
            self.check(&world)?;
            for edit in self.possible_edits(&world) {
                let mut next = world.clone();
                self.edit(&mut next, edit);
                self.enqueue(next);
            }
            if !world.crm.late.is_empty() || !world.erp.late.is_empty() {
                let mut next = world.clone();
                self.land(&mut next);
                self.enqueue(next);
            }
            for (index, pending) in world.pending.iter().enumerate() {
                if world.pending[..index].contains(pending) {
                    continue;
                }
                let mut rest = world.clone();
                rest.pending.remove(index);
                if world.lost_webhooks > 0 && pending.facts.is_some() {
                    let mut lost = rest.clone();
                    lost.lost_webhooks -= 1;
                    lost.story.push(format!("the webhook of {} is lost, the poll finds it later", pending.record));
                    lost.pending.push(Pending { facts: None, ..pending.clone() });
                    self.enqueue(lost);
                }
                self.explore(&rest, pending, &[]);
            }
            assert!(self.seen.len() + self.steps_seen.len() < 20_000_000, "the search does not end");
        }
        Ok(self.seen.len() + self.steps_seen.len())
    }

    fn enqueue(&mut self, world: World) {
        if self.seen.insert(fingerprint(&world)) {
            self.queue.push_back(world);
        }
    }

    /// Runs one hint with every sequence of decisions that begins like this.
    fn explore(&mut self, world: &World, pending: &Pending, decisions: &[Decision]) {
        let (end, gates) = self.run(world, pending, decisions);
        self.enqueue(end);
        let made = decisions.len();
        for (position, alternatives) in gates.into_iter().enumerate().skip(made) {
            for alternative in alternatives {
                let mut next = decisions.to_vec();
                next.resize(position, Decision::GoOn);
                next.push(alternative);
                self.explore(world, pending, &next);
            }
        }
    }

    /// Runs one hint with these decisions, and then without any mishap. Answers the world after it and what else
    /// could have been decided at each gate.
    fn run(&mut self, world: &World, pending: &Pending, decisions: &[Decision]) -> (World, Vec<Vec<Decision>>) {
        let mut world = world.clone();
        if pending.ready_at > world.now {
            // What is late lands before its life ends, and time passes only in which it has ended.
            while !world.crm.late.is_empty() || !world.erp.late.is_empty() {
                self.land(&mut world);
            }
            world.now = pending.ready_at;
        }
        self.enter(&world);
        world.story.push(format!(
            "hint {}{}",
            pending.record,
            if pending.facts.is_some() { "" } else { " (no facts)" }
        ));
        let hint = Hint {
            id: 1,
            record: pending.record.clone(),
            facts: pending.facts.clone(),
            received: [("*".to_owned(), world.now)].into_iter().collect(),
            others: Default::default(),
            since: world.now,
            hops: pending.hops,
            correlation_id: String::new(),
        };
        let worker = self.bench.worker();
        let mut work: Pin<Box<dyn Future<Output = Disposition> + '_>> = Box::pin(worker.work(hint));
        let mut context = Context::from_waker(Waker::noop());
        let mut gates = Vec::new();
        let mut given = decisions.iter();
        *self.gate.0.lock().unwrap() = (None, None);
        let disposition = loop {
            if let Poll::Ready(disposition) = work.as_mut().poll(&mut context) {
                break Some(disposition);
            }
            let step = self.gate.0.lock().unwrap().0.clone().unwrap();
            // A gate whose decision is given was looked at when it was given.
            if gates.len() + 1 >= decisions.len() || !matches!(decisions[gates.len()], Decision::GoOn) {
                self.leave(&mut world);
            }
            if gates.len() < decisions.len() {
                gates.push(Vec::new());
            } else {
                self.steps_seen.insert(step_fingerprint(&world, &step, pending, gates.len()));
                gates.push(self.alternatives(&world, &step));
            }
            match given.next().cloned().unwrap_or(Decision::GoOn) {
                Decision::GoOn => self.gate.0.lock().unwrap().1 = Some(Fate::Well),
                Decision::Fate(fate) => {
                    world.faults -= 1;
                    world.story.push(format!("{step:?}: {fate:?}"));
                    self.gate.0.lock().unwrap().1 = Some(fate);
                }
                Decision::Edit(edit) => self.edit(&mut world, edit),
                Decision::Land => self.land(&mut world),
                Decision::Kill => {
                    world.faults -= 1;
                    world.story.push(format!("killed before {step:?}"));
                    break None;
                }
            }
            if matches!(step, Step::Answer(_)) {
                settle_shared(&mut world, &step);
            }
        };
        drop(work);
        self.leave(&mut world);
        match disposition {
            None => {
                self.bench.store.restart();
                let mut recover = Box::pin(self.bench.store.recover());
                assert!(recover.as_mut().poll(&mut context).is_ready());
                drop(recover);
                world.store = self.bench.store.saved();
                // The hint is durable until its worker's answer is, and knows nothing of the event any more.
                let again = Pending { facts: None, ..pending.clone() };
                push(&mut world, again);
            }
            Some(Disposition::Done) => {}
            Some(Disposition::Again { at, counted, .. }) => {
                let hops = (pending.hops + u32::from(counted)).min(3);
                push(&mut world, Pending { record: pending.record.clone(), facts: None, ready_at: at, hops });
            }
            Some(Disposition::Trash { reason, .. }) => {
                world.trashed = true;
                world.story.push(format!("trash: {reason}"));
            }
        }
        take_events(&mut world);
        if world.pending.is_empty() {
            self.poll(&mut world);
        }
        forget_history(&mut world);
        (world, gates)
    }

    /// What the changed-since poll would find: a record that does not hold what its side of the base says.
    fn poll(&self, world: &mut World) {
        for (system, records) in [("crm", world.crm.records.clone()), ("erp", world.erp.records.clone())] {
            let system = System::new(system);
            for (id, fields) in records {
                let record = RecordId::new(&system, id);
                let pair = world.store.pairs.values().find(|pair| pair.side(&system).record == record);
                let read = Record::new(&record.id, fields);
                let settled = pair.is_some_and(|pair| self.bench.contract.is_settled(&system, &read, pair));
                let open = world.store.operations.values().any(|operation| operation.state.is_open());
                if !settled || open {
                    push(world, Pending { record, facts: None, ready_at: world.now, hops: 0 });
                }
            }
        }
    }

    fn enter(&self, world: &World) {
        self.bench.store.restore(world.store.clone());
        self.bench.crm.restore(world.crm.clone());
        self.bench.erp.restore(world.erp.clone());
        self.bench.clock.set(world.now);
    }

    fn leave(&self, world: &mut World) {
        world.store = self.bench.store.saved();
        world.crm = self.bench.crm.saved();
        world.erp = self.bench.erp.saved();
    }

    fn possible_edits(&self, world: &World) -> Vec<Edit> {
        let mut edits = Vec::new();
        if world.edits == 0 {
            return edits;
        }
        if self.setting.email && !world.crm.records.is_empty() {
            edits.push(Edit::EmailInCrm);
            if value(&world.crm, "email") != "0" {
                edits.push(Edit::EmailBackInCrm);
            }
        }
        if self.setting.violations && !world.erp.records.is_empty() {
            edits.push(Edit::EmailInErp);
        }
        if self.setting.phone && !world.crm.records.is_empty() {
            edits.push(Edit::PhoneInCrm);
        }
        if self.setting.phone && !world.erp.records.is_empty() {
            edits.push(Edit::PhoneInErp);
        }
        edits
    }

    fn alternatives(&self, world: &World, step: &Step) -> Vec<Decision> {
        let mut all = Vec::new();
        // The store does not see the systems, so an edit before one of its methods is an edit before the next call.
        if !matches!(step, Step::Store(_)) {
            all.extend(self.possible_edits(world).into_iter().map(Decision::Edit));
            if !world.crm.late.is_empty() || !world.erp.late.is_empty() {
                all.push(Decision::Land);
            }
        }
        if world.faults > 0 {
            all.push(Decision::Kill);
            if self.setting.losses && matches!(step, Step::Send(_)) {
                all.extend([Fate::LostThere, Fate::LostBack, Fate::Late].map(Decision::Fate));
            }
        }
        all
    }

    fn edit(&mut self, world: &mut World, edit: Edit) {
        self.bench.crm.restore(world.crm.clone());
        self.bench.erp.restore(world.erp.clone());
        let new = world.next_value.to_string();
        world.edits -= 1;
        world.next_value += 1;
        world.story.push(format!("{edit:?} = {new}"));
        let first = |records: &MemoryRecords| records.records.keys().next().cloned().unwrap_or_default();
        let (crm_id, erp_id) = (first(&world.crm), first(&world.erp));
        match edit {
            Edit::EmailInCrm => {
                self.bench.crm.person_edits(&crm_id, &json!({ "email": new }));
                world.owned = new;
            }
            Edit::EmailBackInCrm => {
                self.bench.crm.person_edits(&crm_id, &json!({ "email": "0" }));
                world.owned = "0".to_owned();
            }
            Edit::EmailInErp => self.bench.erp.person_edits(&erp_id, &json!({ "email": new })),
            Edit::PhoneInCrm => {
                self.bench.crm.person_edits(&crm_id, &json!({ "phone": new }));
                edited_shared(world, 0, &new);
            }
            Edit::PhoneInErp => {
                self.bench.erp.person_edits(&erp_id, &json!({ "phone": new }));
                edited_shared(world, 1, &new);
            }
        }
        world.crm = self.bench.crm.saved();
        world.erp = self.bench.erp.saved();
        take_events(world);
        // What was taken belongs to the world, not to the systems a run goes on with.
        self.bench.crm.restore(world.crm.clone());
        self.bench.erp.restore(world.erp.clone());
    }

    fn land(&mut self, world: &mut World) {
        self.bench.crm.restore(world.crm.clone());
        self.bench.erp.restore(world.erp.clone());
        let landed = self.bench.crm.land() || self.bench.erp.land();
        assert!(landed);
        world.story.push("a late request lands".to_owned());
        world.crm = self.bench.crm.saved();
        world.erp = self.bench.erp.saved();
        for side in [0, 1] {
            settle_shared_side(world, side);
        }
        take_events(world);
        self.bench.crm.restore(world.crm.clone());
        self.bench.erp.restore(world.erp.clone());
    }

    /// What must hold: never a second record, and both sides equal and right when nothing is left to do.
    fn check(&self, world: &World) -> Result<(), String> {
        let wrong = |what: &str| {
            let (crm, erp) = (&world.crm.records, &world.erp.records);
            Err(format!("{what}\ncrm {crm:?}\nerp {erp:?}\n{}", world.story.told()))
        };
        if world.crm.records.len() > 1 || world.erp.records.len() > 1 {
            return wrong("a duplicate");
        }
        if world.trashed {
            return wrong("nothing in this search may end in the trash");
        }
        let quiet = world.pending.is_empty() && world.crm.late.is_empty() && world.erp.late.is_empty();
        if !quiet {
            return Ok(());
        }
        if world.crm.records.len() != 1 || world.erp.records.len() != 1 {
            return wrong("a record is missing");
        }
        for field in ["email", "phone"] {
            if value(&world.crm, field) != value(&world.erp, field) {
                return wrong(&format!("{field} differs"));
            }
        }
        if !world.accepted.contains(&value(&world.crm, "phone")) {
            return wrong(&format!("phone: expected one of {:?}", world.accepted));
        }
        if value(&world.crm, "email") != world.owned {
            return wrong("the owner's last edit is lost");
        }
        let (crm_id, erp_id) = (world.crm.records.keys().next().unwrap(), world.erp.records.keys().next().unwrap());
        if value(&world.crm, "erp_id") != *erp_id || value(&world.erp, "custom_fields.crm_id") != *crm_id {
            return wrong("an inverse id is wrong");
        }
        Ok(())
    }
}

fn value(records: &MemoryRecords, field: &str) -> String {
    let record = records.records.values().next();
    record.and_then(|fields| fields.get(field)).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn push(world: &mut World, pending: Pending) {
    // At most one waiting hint per record and kind of knowledge: more of them become one.
    if !world.pending.contains(&pending) {
        world.pending.push(pending);
    }
}

fn take_events(world: &mut World) {
    let events: Vec<_> = world.crm.events.drain(..).chain(world.erp.events.drain(..)).collect();
    for (record, facts) in events {
        world.pending.push(Pending { record, facts: Some(facts), ready_at: world.now, hops: 0 });
    }
}

/// Takes finished operations out of the ledger that nothing looks at any more, so that a world stays small.
fn forget_history(world: &mut World) {
    let newest: Vec<OperationId> =
        world.store.pairs.values().flat_map(|pair| pair.sides.iter().filter_map(|side| side.newest.clone())).collect();
    world
        .store
        .operations
        .retain(|id, operation| operation.state.is_open() || operation.pair.is_none() || newest.contains(id));
    world.store.notes.clear();
}

fn edited_shared(world: &mut World, side: usize, new: &str) {
    let mut accepted = BTreeSet::from([new.to_owned()]);
    accepted.extend(world.on_its_way[1 - side].clone());
    world.accepted = accepted;
    world.on_its_way[side] = Some(new.to_owned());
}

fn settle_shared(world: &mut World, step: &Step) {
    if let Step::Answer(system) = step {
        settle_shared_side(world, usize::from(system.as_str() != "crm"));
    }
}

/// A value that has arrived on one side is not on its way from the other any more.
fn settle_shared_side(world: &mut World, side: usize) {
    let there = value(if side == 0 { &world.crm } else { &world.erp }, "phone");
    if world.on_its_way[1 - side].as_ref() == Some(&there) {
        world.on_its_way = [None, None];
    }
}

/// Everything that decides what can happen from here, without what merely counts: revisions, ids of old operations,
/// the date.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    let pair = world.store.pairs.values().next();
    for records in [&world.crm, &world.erp] {
        (&records.records, &records.deleted, records.late.len()).hash(&mut hasher);
    }
    let hash_of = |pending: &Pending| {
        let mut hasher = DefaultHasher::new();
        let named = |id: &OperationId| pair.map(|pair| pair.side(&pending.record.system).newest.as_ref() == Some(id));
        if let Some(facts) = &pending.facts {
            (facts.kind as u8, facts.ours, &facts.values, facts.operation.as_ref().map(named)).hash(&mut hasher);
        }
        (pending.facts.is_some(), &pending.record, pending.ready_at.since(world.now), pending.hops).hash(&mut hasher);
        hasher.finish()
    };
    let mut pending: Vec<u64> = world.pending.iter().map(hash_of).collect();
    pending.sort_unstable();
    pending.hash(&mut hasher);
    for pair in world.store.pairs.values() {
        for side in &pair.sides {
            (&side.base, side.inverse_written, side.created_by_us).hash(&mut hasher);
        }
        (pair.is_active(), pair.fresh).hash(&mut hasher);
    }
    for operation in
        world.store.operations.values().filter(|operation| operation.state.is_open() || operation.pair.is_none())
    {
        (operation.kind == OperationKind::Create, operation.state, &operation.target).hash(&mut hasher);
        (operation.attempts, operation.quiet_at().since(world.now)).hash(&mut hasher);
        for write in &operation.writes {
            (&write.field, &write.seen_source, &write.seen_target, &write.value).hash(&mut hasher);
        }
    }
    (world.edits, world.faults, world.lost_webhooks, &world.accepted, &world.on_its_way, &world.owned)
        .hash(&mut hasher);
    hasher.finish()
}

fn step_fingerprint(world: &World, step: &Step, pending: &Pending, gates: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    fingerprint(world).hash(&mut hasher);
    format!("{step:?}{}{gates}", pending.record).hash(&mut hasher);
    hasher.finish()
}

fn search(setting: Setting) -> usize {
    let mut search = Search::new(setting);
    match search.run_all() {
        Ok(states) => {
            println!("{states} states");
            assert!(
                states >= setting.expect_states,
                "expected at least {} states, found {states}",
                setting.expect_states
            );
            states
        }
        Err(story) => panic!("{story}"),
    }
}

#[test]
fn one_owned_field_three_edits_and_two_kills_always_converge() {
    search(OWNED);
}

#[test]
fn one_shared_field_three_edits_and_two_kills_always_converge() {
    search(Setting { email: false, phone: true, violations: false, ..OWNED });
}

#[test]
fn two_fields_three_edits_and_two_kills_always_converge() {
    search(Setting { phone: true, violations: false, lost_webhooks: 0, ..OWNED });
}

#[test]
fn an_owned_field_converges_when_a_request_is_lost_or_late() {
    search(Setting { losses: true, edits: 2, faults: 2, ..OWNED });
}

#[test]
fn a_shared_field_converges_when_a_request_is_lost_or_late() {
    search(Setting { email: false, phone: true, violations: false, losses: true, edits: 2, faults: 2, ..OWNED });
}

#[test]
fn a_create_from_the_crm_makes_one_record_whatever_is_killed_lost_or_late() {
    search(Setting { mapped: false, losses: true, violations: false, phone: true, edits: 1, ..OWNED });
}

#[test]
fn a_create_from_the_erp_makes_one_record_whatever_is_killed_lost_or_late() {
    search(Setting { mapped: false, losses: true, violations: false, phone: true, edits: 1, born_in: "erp", ..OWNED });
}
