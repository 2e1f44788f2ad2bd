//! A small seeded simulation: many records, people on both sides, and several workers at once without any lanes.
//!
//! It is the real nodes and the real topologies over the in-memory store; only the systems, the time and the order of
//! things are made up. Without lanes two workers may hold the same pair, in both directions: nodes must be safe anyway.
//! Events are doubled, reordered and lost; requests and answers are lost or late; the program is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use pairline_sdk::testing::{Director, Fate, Stage, Step, TestRandom, contact_contract, run_now};
use pairline_sdk::{
    Clock, Disposition, EventFacts, Hint, OperationState, PairStore, Random, Record, RecordId, System, Timestamp,
    Worker,
};
use serde_json::{Value, json};

use crate::support::Bench;

/// Workers at once.
const WORKERS: usize = 3;

/// Which worker is at work, and what its call waits for.
#[derive(Default)]
struct Turns {
    at_work: Mutex<usize>,
    waiting: Mutex<BTreeMap<usize, (Step, Option<Fate>)>>,
}

#[async_trait]
impl Director for Turns {
    async fn direct(&self, step: Step) -> Fate {
        let worker = *self.at_work.lock().unwrap();
        self.waiting.lock().unwrap().insert(worker, (step, None));
        std::future::poll_fn(|_| {
            let mut waiting = self.waiting.lock().unwrap();
            match waiting.get(&worker).and_then(|(_, fate)| *fate) {
                Some(fate) => {
                    waiting.remove(&worker);
                    Poll::Ready(fate)
                }
                None => Poll::Pending,
            }
        })
        .await
    }
}

struct Waiting {
    record: RecordId,
    facts: Option<EventFacts>,
    ready_at: Timestamp,
    hops: u32,
}

struct Simulation {
    bench: Bench,
    turns: Arc<Turns>,
    dice: TestRandom,
    waiting: Vec<Waiting>,
    /// The last value the owner of a field gave it, by the record it was given to.
    owned: BTreeMap<(RecordId, &'static str), String>,
    deleted: BTreeSet<RecordId>,
    next_value: u64,
    story: Vec<String>,
}

type Work = Pin<Box<dyn Future<Output = Disposition> + Send>>;

impl Simulation {
    fn new(seed: u64) -> Self {
        let turns = Arc::new(Turns::default());
        let bench = Bench::new(&Stage::directed_by(Arc::clone(&turns) as Arc<dyn Director>), contact_contract());
        Self {
            bench,
            turns,
            dice: TestRandom::new(seed),
            waiting: vec![],
            owned: BTreeMap::new(),
            deleted: BTreeSet::new(),
            next_value: 1,
            story: vec![],
        }
    }

    fn chance(&self, percent: u64) -> bool {
        self.dice.below(100) < percent
    }

    /// A number of people's deeds amid mishaps, and then quiet.
    fn run(&mut self, deeds: u32) -> Result<(), String> {
        let mut at_work: BTreeMap<usize, (RecordId, Work)> = BTreeMap::new();
        let mut left = deeds;
        let mut turns = 0_u32;
        loop {
            turns += 1;
            if turns > 200_000 {
                return Err("it does not come to rest".to_owned());
            }
            let quiet = left == 0;
            if !quiet && self.chance(12) {
                left -= 1;
                self.deed();
            }
            self.take_events(!quiet);
            if !quiet && self.chance(2) {
                self.kill(&mut at_work);
            }
            if self.chance(5) {
                self.bench.crm.land();
                self.bench.erp.land();
            }
            self.hand_out(&mut at_work);
            let workers: Vec<usize> = at_work.keys().copied().collect();
            let Some(worker) = (!workers.is_empty()).then(|| workers[self.pick(workers.len())]) else {
                if self.rest(quiet) {
                    return self.audit();
                }
                continue;
            };
            self.step(worker, &mut at_work, !quiet);
        }
    }

    fn pick(&self, among: usize) -> usize {
        usize::try_from(self.dice.below(among as u64)).unwrap()
    }

    fn hand_out(&mut self, at_work: &mut BTreeMap<usize, (RecordId, Work)>) {
        let now = self.bench.clock.now();
        let free = (0..WORKERS).find(|worker| !at_work.contains_key(worker));
        let ready: Vec<usize> = (0..self.waiting.len()).filter(|at| self.waiting[*at].ready_at <= now).collect();
        let (Some(worker), false) = (free, ready.is_empty()) else { return };
        let waiting = self.waiting.swap_remove(ready[self.pick(ready.len())]);
        let hint = Hint {
            id: 1,
            record: waiting.record.clone(),
            facts: waiting.facts,
            received: [("*".to_owned(), now)].into_iter().collect(),
            others: BTreeMap::new(),
            since: now,
            hops: waiting.hops,
            correlation_id: String::new(),
        };
        let topologies = Arc::new(self.bench.worker());
        let work: Work = Box::pin(async move { topologies.work(hint).await });
        at_work.insert(worker, (waiting.record, work));
    }

    /// Lets one worker go on to its next call through a port, with the fate the dice give it.
    fn step(&mut self, worker: usize, at_work: &mut BTreeMap<usize, (RecordId, Work)>, mishaps: bool) {
        if let Some((step, fate)) = self.turns.waiting.lock().unwrap().get_mut(&worker) {
            *fate = Some(match step {
                Step::Send(_) if mishaps && self.dice.below(100) < 12 => {
                    [Fate::NotSent, Fate::Refused, Fate::LostThere, Fate::LostBack, Fate::Late]
                        [self.dice.below(5) as usize]
                }
                Step::Read(_) if mishaps && self.dice.below(100) < 3 => Fate::LostThere,
                _ => Fate::Well,
            });
        }
        *self.turns.at_work.lock().unwrap() = worker;
        let Some((record, work)) = at_work.get_mut(&worker) else { return };
        let record = record.clone();
        let Poll::Ready(disposition) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { return };
        at_work.remove(&worker);
        self.turns.waiting.lock().unwrap().remove(&worker);
        match disposition {
            Disposition::Done => {}
            Disposition::Again { at, counted, reason } => {
                self.story.push(format!("{record} again: {reason}"));
                self.waiting.push(Waiting { record, facts: None, ready_at: at, hops: u32::from(counted) });
            }
            Disposition::Trash { reason, .. } => self.story.push(format!("{record} trash: {reason}")),
        }
    }

    /// Everything at work dies. Its hints are durable, and recovery names what it left open.
    fn kill(&mut self, at_work: &mut BTreeMap<usize, (RecordId, Work)>) {
        self.story.push("killed".to_owned());
        let now = self.bench.clock.now();
        for (_, (record, _)) in std::mem::take(at_work) {
            self.waiting.push(Waiting { record, facts: None, ready_at: now, hops: 0 });
        }
        self.turns.waiting.lock().unwrap().clear();
        self.bench.store.restart();
        for record in run_now(self.bench.store.recover()).unwrap() {
            self.waiting.push(Waiting { record, facts: None, ready_at: now, hops: 0 });
        }
    }

    /// Nobody is at work. Answers true when nothing is left to do.
    fn rest(&mut self, quiet: bool) -> bool {
        let now = self.bench.clock.now();
        if let Some(next) = self.waiting.iter().map(|waiting| waiting.ready_at).min() {
            if next > now {
                // A request lands within its life or never.
                while self.bench.crm.land() || self.bench.erp.land() {}
                self.bench.clock.advance(next.since(now));
            }
            return false;
        }
        if !quiet {
            self.bench.clock.advance(Duration::from_millis(100));
            return false;
        }
        while self.bench.crm.land() || self.bench.erp.land() {}
        self.take_events(false);
        let before = self.waiting.len();
        self.poll();
        self.waiting.len() == before && before == 0
    }

    fn take_events(&mut self, mishaps: bool) {
        let now = self.bench.clock.now();
        for application in [&self.bench.crm, &self.bench.erp] {
            for (record, facts) in application.take_events() {
                if mishaps && self.dice.below(100) < 10 {
                    continue;
                }
                let copies = if mishaps && self.dice.below(100) < 20 { 2 } else { 1 };
                for _ in 0..copies {
                    let facts = Some(facts.clone());
                    self.waiting.push(Waiting { record: record.clone(), facts, ready_at: now, hops: 0 });
                }
            }
        }
    }

    fn poll(&mut self) {
        let now = self.bench.clock.now();
        let state = self.bench.store.saved();
        for application in [&self.bench.crm, &self.bench.erp] {
            let system = application.system();
            for (id, fields) in application.saved().records {
                let record = RecordId::new(system, id);
                let pair = state.pairs.values().find(|pair| pair.side(system).record == record);
                let settled = pair.is_some_and(|pair| {
                    let record = Record::new(&record.id, fields.clone());
                    !pair.is_active() || self.bench.contract.is_settled(system, &record, pair)
                });
                let named = |name: &str| fields.get(name).and_then(Value::as_str);
                let orphan = named("erp_id").or(named("custom_fields.crm_id")).is_some() && pair.is_none();
                if !settled && !orphan {
                    self.waiting.push(Waiting { record, facts: None, ready_at: now, hops: 0 });
                }
            }
        }
    }

    /// What a person does: make a record, edit one, delete one, on either side.
    fn deed(&mut self) {
        let (crm, erp) = (self.bench.crm.saved().records, self.bench.erp.saved().records);
        let value = self.next_value.to_string();
        self.next_value += 1;
        let some = |records: &BTreeMap<String, pairline_sdk::Fields>| {
            let ids: Vec<&String> = records.keys().collect();
            (!ids.is_empty()).then(|| ids[self.pick(ids.len())].clone())
        };
        let told = match self.dice.below(10) {
            0 | 1 => {
                let record = self.bench.crm.person_creates(&json!({ "email": value, "phone": "0" }));
                self.owned.insert((record.clone(), "email"), value.clone());
                format!("{record} is made in the crm")
            }
            2 => {
                let record = self.bench.erp.person_creates(&json!({ "name": "N", "vat_id": value }));
                self.owned.insert((record.clone(), "vat_id"), value.clone());
                format!("{record} is made in the erp")
            }
            3 | 4 => match some(&crm) {
                Some(id) => {
                    self.bench.crm.person_edits(&id, &json!({ "email": value }));
                    self.owned.insert((RecordId::new(self.bench.crm.system(), &id), "email"), value.clone());
                    format!("email of {id} = {value}")
                }
                None => return,
            },
            5 | 6 => match some(&erp) {
                Some(id) => {
                    self.bench.erp.person_edits(&id, &json!({ "vat_id": value }));
                    self.owned.insert((RecordId::new(self.bench.erp.system(), &id), "vat_id"), value.clone());
                    format!("vat_id of {id} = {value}")
                }
                None => return,
            },
            7 => match some(&crm) {
                Some(id) => {
                    self.bench.crm.person_edits(&id, &json!({ "phone": value, "vat_id": "wrong side" }));
                    format!("phone and, wrongly, vat_id of {id} = {value}")
                }
                None => return,
            },
            8 => match some(&erp) {
                Some(id) => {
                    self.bench.erp.person_edits(&id, &json!({ "phone": value }));
                    format!("phone of {id} = {value}")
                }
                None => return,
            },
            _ if self.dice.below(100) < 30 => match some(&crm) {
                Some(id) => {
                    self.bench.crm.person_deletes(&id);
                    self.deleted.insert(RecordId::new(self.bench.crm.system(), &id));
                    format!("{id} is deleted")
                }
                None => return,
            },
            _ => return,
        };
        self.story.push(told);
    }

    /// What must hold at the end. It reads both records by itself and never asks whether a pair is settled: both polls,
    /// the one above and the program's own, go by that.
    fn audit(&self) -> Result<(), String> {
        let (crm, erp) = (self.bench.crm.saved(), self.bench.erp.saved());
        let state = self.bench.store.saved();
        let wrong = |what: String| Err(format!("{what}\n{}", self.story.join("\n")));
        let mut named: BTreeMap<&str, u32> = BTreeMap::new();
        for fields in erp.records.values() {
            if let Some(id) = fields.get("custom_fields.crm_id").and_then(Value::as_str) {
                *named.entry(id).or_default() += 1;
            }
        }
        if let Some((id, count)) = named.iter().find(|(_, count)| **count > 1) {
            return wrong(format!("{count} customers for contact {id}"));
        }
        for (id, fields) in &crm.records {
            let record = RecordId::new(self.bench.crm.system(), id);
            let Some(pair) = state.pairs.values().find(|pair| pair.sides.iter().any(|side| side.record == record))
            else {
                let counterpart = fields.get("erp_id").and_then(Value::as_str).unwrap_or_default();
                return wrong(format!("{id} has no pair; it names `{counterpart}`"));
            };
            if !pair.is_active() {
                continue;
            }
            let other = pair.other(self.bench.crm.system()).record.clone();
            let Some(there) = erp.records.get(&other.id) else { return wrong(format!("{other} is missing")) };
            if fields.get("erp_id") != Some(&json!(other.id)) || there.get("custom_fields.crm_id") != Some(&json!(id)) {
                return wrong(format!("{id} and {other} do not name each other"));
            }
            for field in self.bench.contract.fields() {
                let (left, right) = (self.bench.crm.system(), self.bench.erp.system());
                let one = field.canonical(&self.bench.contract, left, fields);
                let two = field.canonical(&self.bench.contract, right, there);
                if one != two {
                    return wrong(format!("{} of {id} and {other}: {one:?} and {two:?}", field.name()));
                }
            }
        }
        for ((record, field), value) in &self.owned {
            let records = if record.system == System::new("crm") { &crm.records } else { &erp.records };
            let Some(fields) = records.get(&record.id) else { continue };
            if fields.get(*field) != Some(&json!(value)) {
                return wrong(format!("the owner's {field} of {record} is lost: {value} is {:?}", fields.get(*field)));
            }
        }
        let open = state.operations.values().filter(|operation| {
            operation.state == OperationState::Unknown && !self.deleted.contains(&operation.source)
        });
        if let Some(operation) = open.into_iter().next() {
            return wrong(format!("{} stays unknown", operation.id));
        }
        Ok(())
    }
}

#[test]
fn any_order_of_deeds_mishaps_and_kills_ends_with_both_sides_equal_and_no_second_record() {
    for seed in 0..400 {
        let mut simulation = Simulation::new(seed);
        if let Err(story) = simulation.run(40) {
            panic!("seed {seed}: {story}");
        }
    }
}
