//! Every story of the two flows, on the real database: with every node run twice, and stopped before and after every
//! step. A stop drops everything but the database and the two systems; the next start opens the same file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pairline_runner::flow::Flow;
use pairline_runner::worker::{Repeater, TopologyWorker};
use pairline_sdk::testing::{MemoryApplication, TestClock, TestRandom, contact_contract};
use pairline_sdk::{
    Application, Clock, Creates, Disposition, EventFacts, Hint, NodeDescription, NodeError, NothingOutside, OwnerGuard,
    Ports, ProcessAction, ProcessDto, RecordId, System, Timestamp, Worker,
};
use pairline_store::{Database, Options};
use serde_json::{Value, json};

use crate::support::{project, registry};

/// The two systems, which live on while the program stops and starts.
struct Systems {
    clock: Arc<TestClock>,
    crm: Arc<MemoryApplication>,
    erp: Arc<MemoryApplication>,
}

/// How the nodes of a start are run.
#[derive(Clone)]
enum Manner {
    Plainly,
    /// Each with the same message twice; the second answer counts.
    Twice,
    /// Until this many steps have been counted; a step is what lies before or after a node.
    StoppedAt(usize, Arc<AtomicUsize>),
}

struct Wrapped {
    inner: Arc<dyn ProcessAction>,
    manner: Manner,
}

/// What a stopped program would have said, if it still could.
const STOPPED: &str = "stopped by the test";

impl Manner {
    fn step(&self) -> Result<(), NodeError> {
        match self {
            Self::StoppedAt(at, count) if count.fetch_add(1, Ordering::SeqCst) == *at => Err(NodeError::stop(STOPPED)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ProcessAction for Wrapped {
    fn describe(&self) -> &NodeDescription {
        self.inner.describe()
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        self.manner.step()?;
        let answer = self.inner.process_action(dto.clone()).await?;
        self.manner.step()?;
        if matches!(self.manner, Manner::Twice) { self.inner.process_action(dto).await } else { Ok(answer) }
    }
}

/// One start of the program: the database, and the topologies over it.
struct Start {
    database: Database,
    worker: TopologyWorker,
}

impl Start {
    async fn open(folder: &Path, systems: &Systems, manner: &Manner) -> Self {
        let clock = || Arc::clone(&systems.clock) as Arc<dyn Clock>;
        let random = Arc::new(TestRandom::default());
        let database = Database::open(folder, Options::new(clock(), random.clone())).await.unwrap();
        database.pairs().set_creates(&Creates::Allowed).await.unwrap();
        let contract = Arc::new(contact_contract());
        let guarded = |inner: &Arc<MemoryApplication>| {
            let guard = OwnerGuard::new(Arc::clone(inner) as Arc<dyn Application>, Arc::clone(&contract));
            (inner.system().clone(), Arc::new(guard) as Arc<dyn Application>)
        };
        let ports = Ports {
            store: database.pairs(),
            applications: [guarded(&systems.crm), guarded(&systems.erp)].into_iter().collect(),
            contract: Arc::clone(&contract).into(),
            clock: clock(),
            random: Arc::new(TestRandom::default()),
            secrets: Arc::new(NothingOutside),
            http: Arc::new(NothingOutside),
        };
        let mut flows: BTreeMap<System, Vec<Flow>> = BTreeMap::new();
        for topology in &project().topologies {
            let mut flow = topology.make(&registry(), &ports).unwrap();
            for node in &mut flow.nodes {
                node.node = Arc::new(Wrapped { inner: Arc::clone(&node.node), manner: manner.clone() });
            }
            flows.entry(topology.start.application.clone()).or_default().push(flow);
        }
        let repeater = Repeater { max_hops: 1000, ..Repeater::default() };
        let worker = TopologyWorker { flows, repeater, clock: clock(), random, observer: None };
        Self { database, worker }
    }
}

/// Works until nothing is left to do. Answers false when the test stopped it, with the hint it was at.
async fn work(systems: &Systems, start: &Start, waiting: &mut Vec<(RecordId, Option<EventFacts>, Timestamp)>) -> bool {
    for _ in 0..300 {
        let events = systems.crm.take_events().into_iter().chain(systems.erp.take_events());
        let now = systems.clock.now();
        waiting.extend(events.map(|(record, facts)| (record, Some(facts), now)));
        if waiting.is_empty() {
            return true;
        }
        let (record, facts, ready_at) = waiting.remove(0);
        systems.clock.advance(ready_at.since(now));
        let hint = Hint {
            id: 1,
            record: record.clone(),
            facts,
            received: [("*".to_owned(), systems.clock.now())].into_iter().collect(),
            others: BTreeMap::new(),
            since: systems.clock.now(),
            hops: 0,
            correlation_id: "test".to_owned(),
        };
        match start.worker.work(hint).await {
            Disposition::Done => {}
            Disposition::Again { at, .. } => waiting.push((record, None, at)),
            Disposition::Trash { reason, .. } if reason == STOPPED => {
                waiting.insert(0, (record, None, systems.clock.now()));
                return false;
            }
            Disposition::Trash { reason, .. } => panic!("{record} went to the trash: {reason}"),
        }
    }
    panic!("it does not come to rest: {waiting:?}");
}

/// What people do, and what must stand at the end.
struct Story {
    name: &'static str,
    deeds: fn(&Systems),
    then: fn(&Systems),
    contacts: usize,
    customers: usize,
}

fn first(application: &MemoryApplication) -> String {
    application.saved().records.keys().next().cloned().unwrap()
}

const STORIES: [Story; 7] = [
    Story {
        name: "a contact reaches the erp",
        deeds: |systems| drop(systems.crm.person_creates(&json!({ "email": "a", "vat_id": "V" }))),
        then: |_| {},
        contacts: 1,
        customers: 1,
    },
    Story {
        name: "a customer reaches the crm",
        deeds: |systems| drop(systems.erp.person_creates(&json!({ "name": "Ada King", "credit_limit": 10 }))),
        then: |_| {},
        contacts: 1,
        customers: 1,
    },
    Story {
        name: "an edit right after the create",
        deeds: |systems| {
            let contact = systems.crm.person_creates(&json!({ "email": "a" }));
            systems.crm.person_edits(&contact.id, &json!({ "email": "b", "phone": "1" }));
        },
        then: |_| {},
        contacts: 1,
        customers: 1,
    },
    Story {
        name: "edits of the owner, of a shared field, and on the wrong side",
        deeds: |systems| drop(systems.crm.person_creates(&json!({ "email": "a", "phone": "1" }))),
        then: |systems| {
            systems.crm.person_edits(&first(&systems.crm), &json!({ "email": "b", "vat_id": "wrong" }));
            systems.erp.person_edits(&first(&systems.erp), &json!({ "phone": "2", "vat_id": "V", "email": "wrong" }));
        },
        contacts: 1,
        customers: 1,
    },
    Story {
        name: "a wiped inverse id",
        deeds: |systems| drop(systems.crm.person_creates(&json!({ "email": "a" }))),
        then: |systems| {
            systems.crm.person_edits(&first(&systems.crm), &json!({ "erp_id": null }));
            systems.erp.person_edits(&first(&systems.erp), &json!({ "custom_fields.crm_id": null }));
        },
        contacts: 1,
        customers: 1,
    },
    Story {
        name: "a contact is deleted and its customer edited",
        deeds: |systems| drop(systems.crm.person_creates(&json!({ "email": "a" }))),
        then: |systems| {
            systems.crm.person_deletes(&first(&systems.crm));
            systems.erp.person_edits(&first(&systems.erp), &json!({ "vat_id": "V" }));
        },
        contacts: 0,
        customers: 1,
    },
    Story {
        name: "a customer is deleted and its contact edited",
        deeds: |systems| drop(systems.crm.person_creates(&json!({ "email": "a" }))),
        then: |systems| {
            systems.erp.person_deletes(&first(&systems.erp));
            systems.crm.person_edits(&first(&systems.crm), &json!({ "email": "b" }));
        },
        contacts: 1,
        customers: 0,
    },
];

/// Plays a story. Answers how many steps the nodes took after people had done the last of it.
async fn play(story: &Story, manner: &Manner) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::default());
    let time = || Arc::clone(&clock) as Arc<dyn Clock>;
    let systems = Systems {
        crm: Arc::new(MemoryApplication::crm(time())),
        erp: Arc::new(MemoryApplication::erp(time())),
        clock: Arc::clone(&clock),
    };
    let mut waiting = Vec::new();
    let mut start = Start::open(folder.path(), &systems, manner).await;
    for deeds in [story.deeds, story.then] {
        deeds(&systems);
        if !work(&systems, &start, &mut waiting).await {
            start.database.close().await;
            start = Start::open(folder.path(), &systems, &Manner::Plainly).await;
            let now = systems.clock.now();
            waiting
                .extend(start.database.pairs().recover().await.unwrap().into_iter().map(|record| (record, None, now)));
            work(&systems, &start, &mut waiting).await;
        }
    }
    // A last look at everything, as the poll would take it.
    systems.clock.advance(Duration::from_secs(60));
    for application in [&systems.crm, &systems.erp] {
        let now = systems.clock.now();
        let ids: Vec<String> = application.saved().records.keys().cloned().collect();
        waiting.extend(ids.into_iter().map(|id| (RecordId::new(application.system(), id), None, now)));
    }
    work(&systems, &start, &mut waiting).await;
    start.database.close().await;
    audit(story, &systems);
    match manner {
        Manner::StoppedAt(_, count) => count.load(Ordering::SeqCst),
        _ => 0,
    }
}

fn audit(story: &Story, systems: &Systems) {
    let (crm, erp) = (systems.crm.saved(), systems.erp.saved());
    assert_eq!(crm.records.len(), story.contacts, "{}: contacts", story.name);
    assert_eq!(erp.records.len(), story.customers, "{}: customers", story.name);
    let (Some((contact_id, contact)), Some((customer_id, customer))) =
        (crm.records.iter().next(), erp.records.iter().next())
    else {
        return;
    };
    let contract = contact_contract();
    for field in contract.fields() {
        let one = field.canonical(&contract, systems.crm.system(), contact);
        let two = field.canonical(&contract, systems.erp.system(), customer);
        assert_eq!(one, two, "{}: {}", story.name, field.name());
    }
    assert_eq!(contact.get("erp_id"), Some(&Value::String(customer_id.clone())), "{}", story.name);
    assert_eq!(customer.get("custom_fields.crm_id"), Some(&Value::String(contact_id.clone())), "{}", story.name);
}

#[tokio::test]
async fn every_story_ends_the_same_with_every_node_run_twice() {
    for story in &STORIES {
        play(story, &Manner::Twice).await;
    }
}

#[tokio::test]
async fn every_story_ends_the_same_when_stopped_before_and_after_every_step() {
    for story in &STORIES {
        let steps = play(story, &Manner::StoppedAt(usize::MAX, Arc::default())).await;
        assert!(steps >= 6, "{}: expected steps to stop at, found {steps}", story.name);
        for at in 0..steps {
            play(story, &Manner::StoppedAt(at, Arc::default())).await;
        }
    }
}
