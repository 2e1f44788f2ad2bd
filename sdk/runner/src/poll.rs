//! The changed-since poll: finds what a lost webhook left behind.
//!
//! It compares each listed record with what its pair last agreed on, so an unchanged record, and our own write, cost
//! no call and make no hint.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{
    Agreement, Application, Arrival, ChangedPage, Clock, Delivery, Engine, EngineError, Look, PairState, PairStore,
    ReadError, Record, RecordId, StoreError, SyncContract, Timestamp,
};
use serde_json::Value;
use tracing::{debug, warn};

use crate::catch_up::CatchUp;

/// Pages of one pass, at most; the next pass goes on from its cursor.
const PAGES_PER_PASS: usize = 1000;

/// Records whose version is remembered as settled, at most.
const REMEMBERED: usize = 50_000;

/// A pass takes at most one part in this many of the time.
const SHARE_OF_TIME: u32 = 8;

/// While more hints than this wait, a listing shows little but what they are about, and is put off.
const CROWD: u64 = 256;

/// The longest wait between two passes that load makes.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Why a pass ended early. Its cursor stands where the last durable page left it.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The application did not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The inbox took nothing.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a pass has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Records listed.
    pub listed: usize,
    /// Records that became a hint.
    pub hints: usize,
}

/// Polls one application.
pub struct Poll {
    application: Arc<dyn Application>,
    contract: Arc<SyncContract>,
    store: Arc<dyn PairStore>,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    catch_up: Arc<CatchUp>,
    settled: HashMap<String, String>,
}

impl Poll {
    /// A poll of one application, every `interval`.
    pub(crate) fn new(
        application: Arc<dyn Application>,
        contract: Arc<SyncContract>,
        store: Arc<dyn PairStore>,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        interval: Duration,
        catch_up: Arc<CatchUp>,
    ) -> Self {
        Self { application, contract, store, engine, clock, interval, catch_up, settled: HashMap::new() }
    }

    /// Polls until it is dropped.
    pub async fn run(mut self) {
        loop {
            let begun = self.clock.now();
            let system = self.application.profile().system.clone();
            match self.pass().await {
                Ok(pass) if pass.hints > 0 => {
                    debug!(application = %system, listed = pass.listed, hints = pass.hints, "polled")
                }
                Ok(_) => {}
                Err(PollError::Read(ReadError::Wait { reason, .. })) => {
                    debug!(application = %system, reason, "the poll waits")
                }
                Err(error) => {
                    warn!(application = %system, %error, "the poll did not finish, it goes on from its cursor")
                }
            }
            // Under load the listing is long and webhooks do the work; the poll then takes only its share of the time.
            let ended = self.clock.now();
            let wait = self.interval.max((ended.since(begun) * SHARE_OF_TIME).min(LONGEST_WAIT));
            self.clock.sleep_until(ended.plus(wait)).await;
            self.let_the_crowd_pass(ended.plus(LONGEST_WAIT)).await;
        }
    }

    /// Waits while many hints wait, until an instant at the latest.
    async fn let_the_crowd_pass(&self, until: Timestamp) {
        while self.clock.now() < until && self.is_crowded().await {
            self.clock.sleep_until(self.clock.now().plus(self.interval).min(until)).await;
        }
    }

    /// An engine that does not say is left to the pass, which asks it anyway.
    async fn is_crowded(&self) -> bool {
        self.engine.health().await.is_ok_and(|health| health.waiting > CROWD)
    }

    /// One pass: every page since the cursor. Each page's hints and its cursor are durable before the next is asked for.
    ///
    /// # Errors
    ///
    /// [`PollError`]; what was taken before it stays taken.
    pub async fn pass(&mut self) -> Result<Pass, PollError> {
        let system = self.application.profile().system.clone();
        let cursor = self.engine.cursor(&system).await?;
        let (mut pass, mut page) = (Pass::default(), None);
        for _ in 0..PAGES_PER_PASS {
            let listed = match self.page(&cursor, page.as_ref()).await {
                // A pass that began again from its first page would never get to its end where a few calls are all that a
                // system takes at a time.
                Err(ReadError::Wait { after, .. }) if page.is_some() => {
                    self.clock.sleep_until(self.clock.now().plus(after.min(LONGEST_WAIT))).await;
                    continue;
                }
                listed => listed?,
            };
            pass.listed += listed.records.len();
            let mut arrivals = self.doubtful(&listed.records).await?;
            arrivals.extend(self.gone(&listed.gone).await?);
            pass.hints += arrivals.len();
            if !arrivals.is_empty() || listed.cursor != cursor {
                let cursor = Some((system.clone(), listed.cursor));
                self.engine.enqueue(Delivery { arrivals, cursor, unreadable: vec![] }).await?;
            }
            page = listed.next;
            if page.is_none() {
                self.catch_up.ends(&system);
                break;
            }
        }
        Ok(pass)
    }

    async fn page(&self, cursor: &Value, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
        self.application.admit().await?;
        self.application.changed(cursor, page).await
    }

    /// The records that may not hold what their pair says.
    async fn doubtful(&mut self, records: &[Record]) -> Result<Vec<Arrival>, PollError> {
        let system = &self.application.profile().system;
        let unsettled: Vec<&Record> = records
            .iter()
            .filter(|record| record.version.is_none() || self.settled.get(&record.id) != record.version.as_ref())
            .collect();
        let ids: Vec<RecordId> = unsettled.iter().map(|record| RecordId::new(system, &record.id)).collect();
        let looks = self.store.look_many(&ids, self.contract.other(system)).await?;
        if self.settled.len() > REMEMBERED {
            self.settled.clear();
        }
        let mut arrivals = Vec::new();
        for ((record, id), look) in unsettled.into_iter().zip(ids).zip(looks) {
            if self.is_settled(record, &look) {
                if let Some(version) = &record.version {
                    self.settled.insert(record.id.clone(), version.clone());
                }
            } else if !matches!(look, Look::Pending(_)) {
                if look == Look::Missing
                    && let Some(named) = self.contract.inverse_of(system, record)
                {
                    let names = RecordId::new(self.contract.other(system), named);
                    self.catch_up.shows(&id, names, self.clock.now());
                }
                arrivals.push(Arrival::look_at(id));
            }
        }
        Ok(arrivals)
    }

    /// Of the records that are listed as not there any more, those whose pair does not know it.
    async fn gone(&self, ids: &[String]) -> Result<Vec<Arrival>, PollError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let system = &self.application.profile().system;
        let ids: Vec<RecordId> = ids.iter().map(|id| RecordId::new(system, id)).collect();
        let looks = self.store.look_many(&ids, self.contract.other(system)).await?;
        let news = ids.into_iter().zip(looks).filter(|(_, look)| matches!(look, Look::Found(_)));
        Ok(news.map(|(id, _)| Arrival::look_at(id)).collect())
    }

    fn is_settled(&self, record: &Record, look: &Look) -> bool {
        let system = &self.application.profile().system;
        match look {
            Look::Found(pair) => {
                let is_known = pair.open.is_none() && pair.agreement == Agreement::Known;
                is_known && self.contract.is_settled(system, record, pair)
            }
            // The record is listed, so it is there; if it was the one that was gone, it is back.
            Look::Inactive(Some(pair)) => !matches!(&pair.state, PairState::Inactive { gone, .. } if gone == system),
            Look::Inactive(None) => true,
            Look::Missing | Look::Pending(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{
        MemoryApplication, MemoryEngine, MemoryStore, TestClock, TestRandom, contact_contract,
    };
    use pairline_sdk::{Adoption, Fields, System};
    use serde_json::json;

    use super::*;
    use crate::application::{Description, Environment, Exchange, HttpApplication, PlayedTransport};
    use crate::metrics::Metrics;

    const INTERVAL: Duration = Duration::from_secs(2);

    /// How many times the ERP was listed in as many seconds, with as many hints waiting that nobody takes.
    async fn passes(waiting: u64, seconds: u64) -> u64 {
        let clock = Arc::new(TestClock::default());
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let application = Arc::new(MemoryApplication::erp(Arc::clone(&time)));
        let store = Arc::new(MemoryStore::new(Arc::clone(&time)));
        let random = Arc::new(TestRandom::default());
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new(Arc::clone(&store), Arc::clone(&time), random));
        let told = |id: u64| Arrival::look_at(RecordId::new(&System::new("crm"), id.to_string()));
        let delivery = Delivery { arrivals: (0..waiting).map(told).collect(), ..Delivery::default() };
        engine.enqueue(delivery).await.unwrap();
        let poll = Poll::new(
            Arc::clone(&application) as Arc<dyn Application>,
            Arc::new(contact_contract()),
            store,
            engine,
            time,
            INTERVAL,
            Arc::new(CatchUp::default()),
        );
        let running = tokio::spawn(poll.run());
        for _ in 0..seconds * 10 {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_millis(100));
        }
        running.abort();
        application.saved().listings
    }

    #[tokio::test]
    async fn while_a_crowd_waits_a_pass_is_put_off_but_not_for_ever() {
        assert_eq!(passes(CROWD, 19).await, 10);
        assert_eq!(passes(CROWD + 1, 19).await, 3);
    }

    /// A poll of a shipped system that is played.
    fn played(description: &str, exchanges: Value) -> (Poll, Arc<PlayedTransport>, Arc<MemoryStore>, Arc<TestClock>) {
        let description = Description::parse("a.yaml", description, &Environment::lenient()).0.unwrap();
        let exchanges: Vec<Exchange> = serde_json::from_value(exchanges).unwrap();
        let transport = Arc::new(PlayedTransport::new(&description, exchanges));
        let clock = Arc::new(TestClock::default());
        let time = || Arc::clone(&clock) as Arc<dyn Clock>;
        let random = || Arc::new(TestRandom::default());
        let below = Arc::clone(&transport) as Arc<dyn crate::application::Transport>;
        let application = HttpApplication::new(description, below, time(), random(), &Metrics::default()).unwrap();
        let store = Arc::new(MemoryStore::new(time()));
        let engine = Arc::new(MemoryEngine::new(Arc::clone(&store), time(), random()));
        let (contract, catch_up) = (Arc::new(contact_contract()), Arc::new(CatchUp::default()));
        let pairs = Arc::clone(&store) as Arc<dyn PairStore>;
        let poll = Poll::new(Arc::new(application), contract, pairs, engine, time(), INTERVAL, catch_up);
        (poll, transport, store, clock)
    }

    #[tokio::test]
    async fn a_pass_that_is_told_to_wait_goes_on_with_the_page_it_was_at() {
        let path = "/customers?updated_since=1970-01-01T00%3A00%3A00.000Z&limit=500";
        let second = format!("{path}&cursor=1");
        let page = |id: &str, next: Value| json!({ "json": { "data": [{ "id": id, "updated_at": "2023-11-14T22:13:20.000Z" }], "next_cursor": next } });
        let (mut poll, transport, _, clock) = played(
            include_str!("../../../topologies/applications/erp.yaml"),
            json!([
                { "expect": { "method": "GET", "path": path }, "answer": page("1", json!("1")) },
                { "expect": { "method": "GET", "path": second }, "answer": { "status": 429 } },
                { "expect": { "method": "GET", "path": second }, "answer": page("2", Value::Null) },
            ]),
        );

        let pass = tokio::spawn(async move { poll.pass().await });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_millis(100));
        }

        assert_eq!(pass.await.unwrap().unwrap().listed, 2);
        assert_eq!(transport.finish(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_record_that_is_listed_as_gone_is_looked_at_if_its_pair_does_not_know_it() {
        let archived =
            |id: &str| json!({ "id": id, "properties": {}, "archived": true, "updatedAt": "2023-11-14T22:13:20.000Z" });
        let (mut poll, _, store, _) = played(
            include_str!("../../../topologies/applications/crm.yaml"),
            json!([{
                "expect": { "method": "POST", "path": "/crm/v3/objects/contacts/search" },
                "answer": { "json": { "results": [archived("7"), archived("8")] } },
            }]),
        );
        let adoption = Adoption {
            record: Record::new("1", Fields::new()),
            system: System::new("erp"),
            names: RecordId::new(&System::new("crm"), "7"),
            contract: "contact".to_owned(),
            verified: true,
            topology: "test".to_owned(),
        };
        store.adopt(&adoption).await.unwrap();

        let pass = poll.pass().await.unwrap();

        assert_eq!(pass, Pass { listed: 0, hints: 1 });
    }
}
