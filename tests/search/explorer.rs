//! The search itself: every sequence of decisions, each run once over the real nodes.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use pairline_sdk::testing::{Director, Fate, MemoryRecords, Stage, Step, contact_contract};
use pairline_sdk::{Clock, Disposition, Hint, PairStore, Record, RecordId, System, Worker};
use serde_json::json;

use super::Setting;
use super::check::check;
use super::decision::{Decision, Edit, alternatives, possible_edits};
use super::fingerprint::{fingerprint, step_fingerprint};
use super::world::{Pending, Story, World};
use crate::support::Bench;

pub(super) struct Search {
    setting: Setting,
    bench: Bench,
    gate: Arc<Gate>,
    seen: HashSet<u64>,
    steps_seen: HashSet<u64>,
    queue: VecDeque<World>,
}

impl Search {
    pub(super) fn new(setting: Setting) -> Self {
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
        world.take_events();
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
    pub(super) fn run_all(&mut self) -> Result<usize, String> {
        let start = self.start();
        self.enqueue(start);
        while let Some(world) = self.queue.pop_front() {
            check(&world)?;
            for edit in possible_edits(&self.setting, &world) {
                let mut next = world.clone();
                self.edit(&mut next, edit);
                self.enqueue(next);
            }
            if world.something_is_late() {
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
            while world.something_is_late() {
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
                gates.push(alternatives(&self.setting, &world, &step));
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
            if let Step::Answer(system) = &step {
                world.settle_shared(usize::from(system.as_str() != "crm"));
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
                world.push(again);
            }
            Some(Disposition::Done) => {}
            Some(Disposition::Again { at, counted, .. }) => {
                let hops = (pending.hops + u32::from(counted)).min(3);
                world.push(Pending { record: pending.record.clone(), facts: None, ready_at: at, hops });
            }
            Some(Disposition::Trash { reason, .. }) => {
                world.trashed = true;
                world.story.push(format!("trash: {reason}"));
            }
        }
        world.take_events();
        if world.pending.is_empty() {
            self.poll(&mut world);
        }
        world.forget_history();
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
                    world.push(Pending { record, facts: None, ready_at: world.now, hops: 0 });
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
                world.edited_shared(0, &new);
            }
            Edit::PhoneInErp => {
                self.bench.erp.person_edits(&erp_id, &json!({ "phone": new }));
                world.edited_shared(1, &new);
            }
        }
        world.crm = self.bench.crm.saved();
        world.erp = self.bench.erp.saved();
        world.take_events();
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
            world.settle_shared(side);
        }
        world.take_events();
        self.bench.crm.restore(world.crm.clone());
        self.bench.erp.restore(world.erp.clone());
    }
}

/// Where the walk stops and waits for a decision.
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
