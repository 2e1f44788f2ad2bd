//! One source, native and as a component: the same answers.

use std::sync::Arc;

use pairline_sdk::message::{HINT, OPERATION, RECORD};
use pairline_sdk::testing::{MemoryApplication, MemoryStore, NodeTester, TestClock, TestRandom, contact_contract};
use pairline_sdk::{
    Application, Clock, NodeKind, NothingOutside, OwnerGuard, PairStore, Ports, ProcessAction, ProcessDto, Random,
    Registry, Usage,
};
use serde_json::{Value, json};

use super::{fixture, host, trusting};

#[path = "../../sdk/guest/examples/counterpart/node.rs"]
mod counterpart;

/// Messages of each node.
const MESSAGES: u64 = 100_000;
/// After so many, everything is as it was at the beginning.
const ROUND: u64 = 500;

/// A world in memory; two of them go the same way for as long as their nodes do.
struct World {
    crm: Arc<MemoryApplication>,
    erp: Arc<MemoryApplication>,
    store: Arc<MemoryStore>,
    ports: Ports,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(TestClock::default()) as Arc<dyn Clock>;
        let seeded = NodeTester::new(pairline_nodes::register).with_pair(
            "1",
            "1",
            json!({ "email": "1", "phone": "1" }),
            json!({ "email": "1", "phone": "1" }),
        );
        let crm = Arc::new(MemoryApplication::crm(Arc::clone(&clock)));
        let erp = Arc::new(MemoryApplication::erp(Arc::clone(&clock)));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        crm.restore(seeded.crm.saved());
        erp.restore(seeded.erp.saved());
        store.restore(seeded.store.saved());
        // Two that name each other, one that names nobody who is there, and two that name the same one.
        crm.person_creates(&json!({ "email": "2", "erp_id": "2" }));
        let contract = Arc::new(contact_contract());
        let guarded = |application: &Arc<MemoryApplication>| {
            let inner = Arc::clone(application) as Arc<dyn Application>;
            let guard = OwnerGuard::new(inner, Arc::clone(&contract));
            (application.system().clone(), Arc::new(guard) as Arc<dyn Application>)
        };
        let ports = Ports {
            store: Arc::clone(&store) as Arc<dyn PairStore>,
            applications: [guarded(&crm), guarded(&erp)].into_iter().collect(),
            contract: Arc::clone(&contract).into(),
            clock,
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        Self { crm, erp, store, ports }
    }

    fn state(&self) -> String {
        format!("{:?} {:?} {:?}", self.store.saved(), self.crm.saved(), self.erp.saved())
    }
}

/// A message as one might come to the node, and as none should.
fn message(dice: &TestRandom, kind: &str) -> ProcessDto {
    let id = |dice: &TestRandom| dice.below(6).to_string();
    let one_of = |dice: &TestRandom, all: &[Value]| {
        let at = dice.below(all.len() as u64);
        all[usize::try_from(at).unwrap()].clone()
    };
    let kinds = [json!("created"), json!("updated"), json!("deleted"), json!("unknown")];
    let systems = [json!("crm"), json!("crm"), json!("crm"), json!("erp")];
    let facts = json!({
        "kind": one_of(dice, &kinds),
        "ours": dice.below(2) == 0,
        "of_several": dice.below(4) == 0,
        "operation": one_of(dice, &[Value::Null, json!("op-00000001"), json!("op-00000002")]),
        "values": one_of(dice, &[Value::Null, json!({ "phone": id(dice) }), json!({ "erp_id": id(dice), "email": "1" })]),
    });
    let facts = if dice.below(8) == 0 { Value::Null } else { facts };
    let record = json!({ "system": one_of(dice, &systems), "id": id(dice) });
    let mut dto = ProcessDto::default();
    if dice.below(20) != 0 {
        dto = dto.with(HINT, json!({ "record": record, "facts": facts }));
    }
    if kind == "resolve" && dice.below(20) != 0 {
        let names = one_of(dice, &[Value::Null, json!(id(dice)), json!(7), json!("ü\"\\\n")]);
        let fields = json!({ "erp_id": names, "email": format!("{}@example.org", id(dice)), "score": 0.1 + 0.2 });
        dto = dto.with(RECORD, json!({ "id": record["id"], "version": null, "fields": fields }));
    }
    if kind == "persist" && dice.below(20) != 0 {
        dto = dto.with(OPERATION, one_of(dice, &[json!("op-00000001"), json!("none"), json!(3)]));
    }
    if dice.below(3) == 0 {
        dto = dto.with("unknown", json!({ "left": ["alone", 1e300, -0.0, u64::MAX, "\u{1F600}"] }));
    }
    dto.with_header("correlation-id", dice.below(1000).to_string()).with_header("repeat-hops", dice.below(9))
}

fn with(kind: &str) -> Value {
    match kind {
        "echo-filter" => json!({ "application": "crm" }),
        "counterpart" => json!({ "target": "erp" }),
        _ => json!({ "source": "crm", "target": "erp" }),
    }
}

async fn gives_the_same_answers(kind: &str) {
    let mut natives = Registry::new();
    pairline_nodes::register(&mut natives);
    counterpart::register(&mut natives);
    let component = host().load(&fixture(kind)).unwrap();
    let dice = TestRandom::new(dice_of(kind));
    let mut answers = std::collections::BTreeMap::new();
    for round in 0..MESSAGES / ROUND {
        let (here, there) = (World::new(), World::new());
        // Now and then each message has an instance of its own.
        let calls = if round % 10 == 0 { 1 } else { 100 };
        let native = natives.make(kind, &Usage::with(with(kind)), &here.ports).unwrap();
        let component: Arc<dyn ProcessAction> = component.make(&trusting(with(kind), calls), &there.ports).unwrap();
        for _ in 0..ROUND {
            let dto = message(&dice, kind);
            let (expected, found) =
                (native.process_action(dto.clone()).await, component.process_action(dto.clone()).await);
            assert_eq!(expected, found, "{dto:?}");
            let answer = match &found {
                Ok(dto) => dto.route().unwrap_or("goes on").to_owned(),
                Err(error) => format!("{error:?}").chars().take(24).collect(),
            };
            *answers.entry(answer).or_insert(0_u64) += 1;
        }
        assert_eq!(here.state(), there.state());
    }
    // Answers that never came would have been compared with nothing.
    assert!(answers.len() >= 3 && answers.values().all(|times| *times > 10), "{answers:?}");
}

fn dice_of(kind: &str) -> u64 {
    kind.bytes().map(u64::from).sum()
}

#[tokio::test]
async fn a_node_of_somebodys_own_gives_the_same_answers_to_a_hundred_thousand_messages() {
    gives_the_same_answers("counterpart").await;
}

#[tokio::test]
async fn echo_filter_gives_the_same_answers_to_a_hundred_thousand_messages() {
    gives_the_same_answers("echo-filter").await;
}

#[tokio::test]
async fn resolve_gives_the_same_answers_to_a_hundred_thousand_messages() {
    gives_the_same_answers("resolve").await;
}

#[tokio::test]
async fn persist_gives_the_same_answers_to_a_hundred_thousand_messages() {
    gives_the_same_answers("persist").await;
}
