//! The nodes that write, with people who edit and a network that loses things: the same steps natively and as components,
//! the same answers and the same world after each.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use pairline_sdk::message::HINT;
use pairline_sdk::testing::{Fate, NodeTester, Step, TestRandom};
use pairline_sdk::{CapabilityClass, NodeError, NodeKind, ProcessDto, Random, Registry, System};
use serde_json::{Value, json};

use super::{ALL, CALLS, trusted};

/// Worlds, and messages in each.
const WORLDS: u64 = 200;
const MESSAGES: u64 = 50;

/// Every one of our nodes that can be a component is one; `create` is the same in both worlds.
fn components(registry: &mut Registry) {
    static KINDS: LazyLock<Vec<(&str, Arc<dyn NodeKind>)>> =
        LazyLock::new(|| ALL.into_iter().map(|kind| (kind, trusted(kind, CALLS))).collect());
    pairline_nodes::register(registry);
    for (name, kind) in &*KINDS {
        registry.put(name, Arc::clone(kind)).unwrap();
    }
}

/// One world twice.
struct Twins([NodeTester; 2]);

impl Twins {
    fn new(dice: &TestRandom) -> Self {
        let class = one_of(dice, &[CapabilityClass::A, CapabilityClass::C, CapabilityClass::D]);
        let how = dice.below(3);
        let made = |register: fn(&mut Registry)| {
            let tester = match how {
                0 => NodeTester::new(register),
                1 => NodeTester::with_versions(register),
                _ => NodeTester::with_erp_class(register, class),
            };
            let held = json!({ "email": "1", "phone": "1" });
            tester.with_pair("crm-a", "erp-a", held.clone(), held)
        };
        Self([made(pairline_nodes::register), made(components)])
    }

    fn each(&self, act: impl Fn(&NodeTester)) {
        self.0.iter().for_each(act);
    }

    /// What both of them say.
    fn both<T: PartialEq + std::fmt::Debug>(&self, tell: impl Fn(&NodeTester) -> T) -> T {
        let [native, component] = self.0.each_ref().map(tell);
        assert_eq!(native, component);
        native
    }

    fn are_alike(&self) {
        self.both(|tester| tester.store.saved());
        self.both(|tester| tester.crm.saved());
        self.both(|tester| tester.erp.saved());
    }

    /// Something happens that no node has done.
    fn something_happens(&self, dice: &TestRandom) {
        let value = json!({ one_of(dice, &["email", "phone", "vat_id"]): dice.below(3).to_string() });
        let (system, id) = self.a_record(dice);
        let application = |tester: &NodeTester| Arc::clone(if system == "crm" { &tester.crm } else { &tester.erp });
        match dice.below(16) {
            0..8 => self.each(|tester| application(tester).person_edits(&id, &value)),
            8..10 => self.each(|tester| drop(tester.crm.person_creates(&value))),
            10 => self.each(|tester| application(tester).person_deletes(&id)),
            11 => self.each(|tester| {
                tester.erp.land();
            }),
            _ => {
                let all = [Fate::NotSent, Fate::Refused, Fate::Duplicate, Fate::LostThere, Fate::LostBack, Fate::Late];
                let (step, fate) = (Step::Send(System::new(one_of(dice, &["crm", "erp"]))), one_of(dice, &all));
                self.each(|tester| tester.fate(step.clone(), fate));
            }
        }
        let seconds = one_of(dice, &[0, 0, 1, 20, 400]);
        self.each(|tester| tester.pass_seconds(seconds));
    }

    /// A record of either side, there or not.
    fn a_record(&self, dice: &TestRandom) -> (&'static str, String) {
        let system = one_of(dice, &["crm", "erp"]);
        let records = self.both(|tester| match system {
            "crm" => tester.crm.saved().records,
            _ => tester.erp.saved().records,
        });
        let ids: Vec<String> = records.into_keys().chain(["nobody".to_owned()]).collect();
        (system, one_of(dice, &ids))
    }

    /// One node at work.
    fn step(&self, kind: &str, with: &Value, dto: &ProcessDto) -> Result<ProcessDto, NodeError> {
        let ended = self.both(|tester| tester.run(kind, with.clone(), dto.clone()));
        self.are_alike();
        ended
    }

    /// A message about a record goes through the flow of its direction, as the shipped topologies have it.
    fn walk(&self, dice: &TestRandom, seen: &mut BTreeMap<String, u64>) {
        let (source, id) = self.a_record(dice);
        let target = if source == "crm" { "erp" } else { "crm" };
        let sides = json!({ "source": source, "target": target });
        let inverse =
            json!({ "application": source, "field": if source == "crm" { "erp_id" } else { "custom_fields.crm_id" } });
        let mut dto = self.both(|tester| tester.seen(source, &id));
        if dice.below(2) == 0 {
            let received = |field: &str| json!({ field: dice.below(400) });
            let other =
                json!({ "record": { "system": target, "id": format!("{target}-a") }, "received": received("phone") });
            let record = json!({ "system": source, "id": id });
            dto = dto.with(HINT, json!({ "record": record, "received": received("phone"), "others": [other] }));
        }
        let mut kind = "resolve";
        loop {
            let with = match kind {
                "update" | "create" => json!({ "application": target }),
                "inverse-id-writer" => inverse.clone(),
                _ => sides.clone(),
            };
            let ended = self.step(kind, &with, &dto);
            let said = match &ended {
                Ok(dto) => dto.route().map_or_else(|| "ends".to_owned(), str::to_owned),
                Err(NodeError::Repeat { counted: true, .. }) => "tries again".to_owned(),
                Err(NodeError::Repeat { .. }) => "waits".to_owned(),
                Err(_) => "fails".to_owned(),
            };
            *seen.entry(format!("{kind} {said}")).or_default() += 1;
            let next = match (kind, said.as_str()) {
                ("resolve", "found") => "update",
                ("resolve", "missing") => "create",
                ("create", "created") => "persist",
                ("persist", "persisted") => "inverse-id-writer",
                ("update" | "inverse-id-writer", "gone") => "deactivate",
                _ => return,
            };
            (kind, dto) = (next, ended.unwrap());
        }
    }
}

fn one_of<T: Clone>(dice: &TestRandom, all: &[T]) -> T {
    all[usize::try_from(dice.below(all.len() as u64)).unwrap()].clone()
}

#[test]
fn whatever_people_and_the_network_do_components_write_what_our_nodes_write() {
    let (dice, mut seen) = (TestRandom::new(5), BTreeMap::new());
    for _ in 0..WORLDS {
        let twins = Twins::new(&dice);
        for _ in 0..MESSAGES {
            twins.something_happens(&dice);
            twins.walk(&dice, &mut seen);
        }
    }
    println!("{seen:#?}");
    // What never came was compared with nothing.
    for answer in [
        "create created",
        "create ends",
        "create fails",
        "create tries again",
        "create waits",
        "deactivate ends",
        "inverse-id-writer done",
        "persist persisted",
        "resolve found",
        "resolve missing",
        "update done",
        "update fails",
        "update gone",
        "update tries again",
        "update waits",
    ] {
        assert!(seen.contains_key(answer), "no `{answer}` in {seen:#?}");
    }
}
