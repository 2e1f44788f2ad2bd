//! What is at work. It lives in memory alone: the process that forgets it is the process that did the work.
//!
//! Only the writer's task changes it, between two transactions.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use pairline_sdk::{Hint, RecordId, System, Timestamp};
use serde::Deserialize;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use tokio::sync::mpsc;

use crate::batch::Batch;
use crate::failure::Failure;
use crate::row::{Reader, json, limit};

/// After a failed write nothing is handed out for this long: a full disk is not emptied by trying faster.
const HOLD_BACK: Duration = Duration::from_secs(1);

/// A hint that was handed out.
#[derive(Debug)]
pub(crate) struct AtWork {
    pub(crate) hint: Hint,
    /// Of its row when it was handed out.
    pub(crate) revision: i64,
    /// Whether news of its record has come meanwhile.
    pub(crate) has_news: bool,
    lane: Lane,
    handed_out_at: Timestamp,
}

/// What is done one at a time: a pair, or a record without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Pair(i64),
    Record(RecordId),
}

struct Runner {
    parallel: usize,
    hints: mpsc::Sender<Hint>,
}

/// Is there for as long as a run's workers are.
pub(crate) type Alive = Arc<()>;

/// What is at work, what is paused, and when to look for more.
pub(crate) struct Lanes {
    at_work: HashMap<i64, AtWork>,
    records: HashMap<RecordId, i64>,
    busy: HashSet<Lane>,
    /// When a record was last handed out, for as long as that matters.
    settling: HashMap<RecordId, Timestamp>,
    settle: Duration,
    runner: Option<Runner>,
    /// Of the run before or of this one.
    alive: Weak<()>,
    /// Systems that have hints.
    systems: BTreeSet<System>,
    paused: HashSet<System>,
    /// Whether something may be ready.
    look: bool,
    /// Whether another than this task may have written.
    reload: bool,
    next_ready: Option<Timestamp>,
    held_until: Option<Timestamp>,
    revision: i64,
    /// Whether hints may be handed out at all: only by the owner of the database.
    owner: bool,
}

/// What is ready, system by system, with the lane of each and the news of the other records of its pair; and when the
/// next one will be. One row, a list of [`ReadyRow`]s: each row of an answer wakes whoever asked. (`? + 0`: the planner
/// looks at a bare parameter of a limit, and prepares the statement anew whenever it is bound.) A row with something
/// unfinished that is not at work was left by a crash: it stands for that, too. (`|| ''`: text, not a part of the list.)
const READY: &str = "\
    SELECT json_group_array(json_array( \
        s.value, (SELECT min(ready_at) FROM hint WHERE system = s.value AND ready_at > ?), \
        h.id, h.record_id, iif(h.unfinished IS NULL, h.facts, NULL), \
        iif(h.unfinished IS NULL, h.received, json_patch(h.unfinished, h.received) || ''), \
        h.since, h.hops, h.correlation_id, h.revision, \
        m.pair, o.system, o.record_id, o.received)) \
    FROM json_each(?) s \
    LEFT JOIN hint h ON h.id IN (\
        SELECT id FROM hint WHERE system = s.value AND ready_at <= ? \
        AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY ready_at, id LIMIT ? + 0) \
    LEFT JOIN mapping m ON m.source_system = h.system AND m.source_id = h.record_id \
    LEFT JOIN hint o ON o.system = m.target_system AND o.record_id = m.target_id";

/// A system with when its next hint will be ready; one that is ready now; its pair; and what is known of another record
/// of that.
#[derive(Deserialize)]
struct ReadyRow {
    system: System,
    next: Option<Timestamp>,
    id: Option<i64>,
    record: Option<String>,
    facts: Option<String>,
    received: Option<String>,
    since: Option<Timestamp>,
    hops: Option<u32>,
    correlation_id: Option<String>,
    revision: Option<i64>,
    pair: Option<i64>,
    other_system: Option<System>,
    other_record: Option<String>,
    other_received: Option<String>,
}

impl ReadyRow {
    /// The hint, its revision and its lane, if there is one.
    fn ready(&self) -> Result<Option<Ready>, Failure> {
        let (Some(id), Some(record), Some(received), Some(since), Some(correlation_id), Some(revision)) =
            (self.id, &self.record, &self.received, self.since, &self.correlation_id, self.revision)
        else {
            return Ok(None);
        };
        let record = RecordId::new(&self.system, record);
        let hint = Hint {
            id,
            record: record.clone(),
            facts: self.facts.as_deref().map(serde_json::from_str).transpose()?,
            received: serde_json::from_str(received)?,
            others: BTreeMap::new(),
            since,
            hops: self.hops.unwrap_or(0),
            correlation_id: correlation_id.clone(),
        };
        let lane = self.pair.map_or(Lane::Record(record), Lane::Pair);
        Ok(Some(Ready { hint, revision, lane }))
    }
}

/// A question for what is ready.
pub(crate) struct Question {
    systems: String,
    not_these: String,
    /// Of each system at most so many.
    pub(crate) most: i64,
}

/// The answer to a question that was asked last.
pub(crate) fn answer(rows: &[SqliteRow]) -> Result<String, Failure> {
    rows.last().map_or_else(|| Ok("[]".to_owned()), |row| Reader::at(row, 0).get())
}

impl Question {
    /// Adds the statement that asks it.
    pub(crate) fn ask(&self, batch: &mut Batch, now: Timestamp) -> Result<(), Failure> {
        batch
            .add(READY)
            .bind(now.as_millis())?
            .bind(self.systems.clone())?
            .bind(now.as_millis())?
            .bind(self.not_these.clone())?
            .bind(self.most)?;
        Ok(())
    }
}

struct Ready {
    hint: Hint,
    revision: i64,
    lane: Lane,
}

impl Lanes {
    pub(crate) async fn load(
        connection: &mut SqliteConnection,
        settle: Duration,
        owner: bool,
    ) -> Result<Self, Failure> {
        let revision: Option<i64> =
            sqlx::query_scalar("SELECT max(abs(revision)) FROM hint").fetch_one(&mut *connection).await?;
        Ok(Self {
            at_work: HashMap::new(),
            records: HashMap::new(),
            busy: HashSet::new(),
            settling: HashMap::new(),
            settle,
            runner: None,
            alive: Weak::new(),
            systems: BTreeSet::new(),
            paused: HashSet::new(),
            look: true,
            reload: true,
            next_ready: None,
            held_until: None,
            revision: revision.unwrap_or(0),
            owner,
        })
    }

    /// A number no row has had. The owner's are positive and an operator's negative, so that neither can make a row
    /// look like the one that was handed out.
    pub(crate) fn next_revision(&mut self) -> i64 {
        self.revision += 1;
        if self.owner { self.revision } else { -self.revision }
    }

    pub(crate) fn at_work(&self, hint: i64) -> Option<&AtWork> {
        self.at_work.get(&hint)
    }

    /// News of a record: answers the row that is at work for it, if one is, and its revision when it was handed out.
    pub(crate) fn news_of(&mut self, record: &RecordId) -> Option<(i64, i64)> {
        let hint = self.records.get(record)?;
        let at_work = self.at_work.get_mut(hint)?;
        at_work.has_news = true;
        Some((*hint, at_work.revision))
    }

    /// A record that has just been handed out settles first.
    pub(crate) fn not_before(&self, record: &RecordId, at: Timestamp) -> Timestamp {
        self.settling.get(record).map_or(at, |out| at.max(out.plus(self.settle)))
    }

    pub(crate) fn knows(&mut self, system: &System) {
        if !self.systems.contains(system) {
            self.systems.insert(system.clone());
        }
    }

    /// Something may be ready.
    pub(crate) fn look_again(&mut self) {
        self.look = true;
    }

    /// Something may be ready, and what is known of the tables may be old.
    pub(crate) fn distrust(&mut self) {
        self.look = true;
        self.reload = true;
    }

    pub(crate) fn hold_back(&mut self, now: Timestamp) {
        self.held_until = Some(now.plus(HOLD_BACK));
        self.look = true;
    }

    pub(crate) fn attach(&mut self, parallel: usize, hints: mpsc::Sender<Hint>) -> Result<Alive, Failure> {
        if !self.owner {
            return Err(Failure("the database was opened for an operator: hints are handed out by its owner".into()));
        }
        // Also one that was stopped and whose workers are not done: two would have one lane at work twice.
        if self.alive.strong_count() > 0 {
            return Err(Failure("the engine is running already".to_owned()));
        }
        self.forget();
        let alive = Alive::default();
        self.alive = Arc::downgrade(&alive);
        self.runner = Some(Runner { parallel, hints });
        self.look = true;
        Ok(alive)
    }

    /// Hands out no more. What is at work may finish.
    pub(crate) fn detach(&mut self) {
        self.runner = None;
    }

    /// What was at work is not any more: its workers are gone.
    fn forget(&mut self) {
        self.at_work.clear();
        self.records.clear();
        self.busy.clear();
    }

    /// A hint's end was written, or could not be.
    pub(crate) fn release(&mut self, hint: i64) {
        if let Some(done) = self.at_work.remove(&hint) {
            self.records.remove(&done.hint.record);
            self.busy.remove(&done.lane);
            self.settling.insert(done.hint.record, done.handed_out_at);
        }
    }

    fn room(&self) -> usize {
        self.runner.as_ref().map_or(0, |runner| runner.parallel.saturating_sub(self.at_work.len()))
    }

    /// When something becomes ready by time alone.
    pub(crate) fn next_look(&self) -> Option<Timestamp> {
        if self.room() == 0 { None } else { self.held_until.or(self.next_ready) }
    }

    /// The question to ask in the same breath as a commit that ends the work on some hints.
    pub(crate) fn question_after(
        &self,
        touched: bool,
        ending: &[i64],
        now: Timestamp,
    ) -> Result<Option<Question>, Failure> {
        let ending: Vec<&i64> = ending.iter().filter(|hint| self.at_work.contains_key(hint)).collect();
        let room = self.room() + if self.runner.is_some() { ending.len() } else { 0 };
        if room == 0 || !(self.look || touched) || self.reload || self.is_held(now) {
            return Ok(None);
        }
        let most = limit(room + 2);
        let not_these: Vec<&i64> = self.at_work.keys().filter(|hint| !ending.contains(hint)).collect();
        Ok(Some(Question { systems: self.unpaused()?, most, not_these: json(&not_these)? }))
    }

    fn is_held(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    fn unpaused(&self) -> Result<String, Failure> {
        let systems = self.systems.iter().filter(|system| !self.paused.contains(*system));
        json(&systems.map(System::as_str).collect::<Vec<_>>())
    }

    /// Gives the run loop what is ready, as far as there is room.
    pub(crate) async fn hand_out(&mut self, connection: &mut SqliteConnection, now: Timestamp) -> Result<(), Failure> {
        if self.room() == 0 || !self.look || self.is_held(now) {
            return Ok(());
        }
        self.held_until = None;
        if self.reload {
            self.reload(connection).await?;
        }
        let mut most = limit(self.room() + 2);
        while self.look && self.room() > 0 {
            let not_these: Vec<&i64> = self.at_work.keys().collect();
            let question = Question { systems: self.unpaused()?, not_these: json(&not_these)?, most };
            let mut batch = Batch::default();
            question.ask(&mut batch, now)?;
            let rows = batch.run(connection).await?;
            self.answered(&answer(&rows)?, most, now)?;
            // Some of these were held up by their lanes.
            most = most.saturating_mul(4);
        }
        Ok(())
    }

    /// Takes the answer to a question for at most so many of each system.
    pub(crate) fn answered(&mut self, answer: &str, most: i64, now: Timestamp) -> Result<(), Failure> {
        let settle = self.settle;
        self.settling.retain(|_, out| now < out.plus(settle));
        let (found, next) = read(answer)?;
        self.next_ready = next;
        // Whatever else is ready waits for a lane, and a lane that is freed makes us look again.
        self.look = limit(found.len()) >= most;
        for ready in found.into_values() {
            if self.room() == 0 {
                self.look = true;
                return Ok(());
            }
            self.give(ready, now);
        }
        Ok(())
    }

    /// Puts a hint to work, unless its lane is busy.
    fn give(&mut self, ready: Ready, now: Timestamp) {
        let Ready { hint, revision, lane } = ready;
        if self.busy.contains(&lane) {
            return;
        }
        let Some(runner) = &self.runner else { return };
        if runner.hints.try_send(hint.clone()).is_err() {
            // The run loop is gone, and its workers with it.
            self.runner = None;
            self.forget();
            return;
        }
        self.busy.insert(lane.clone());
        self.records.insert(hint.record.clone(), hint.id);
        self.settling.insert(hint.record.clone(), now);
        self.at_work.insert(hint.id, AtWork { hint, revision, has_news: false, lane, handed_out_at: now });
    }

    async fn reload(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let paused: Vec<String> = sqlx::query_scalar("SELECT system FROM paused").fetch_all(&mut *connection).await?;
        self.paused = paused.iter().map(|system| System::new(system)).collect();
        // Hops from one system to the next in the index, instead of reading every hint.
        let systems: Vec<String> = sqlx::query_scalar(
            "WITH RECURSIVE s (system) AS (SELECT min(system) FROM hint UNION ALL \
             SELECT (SELECT min(system) FROM hint WHERE system > s.system) FROM s WHERE s.system IS NOT NULL) \
             SELECT system FROM s WHERE system IS NOT NULL",
        )
        .fetch_all(&mut *connection)
        .await?;
        self.systems = systems.iter().map(|system| System::new(system)).collect();
        self.reload = false;
        Ok(())
    }
}

/// Ready hints in the order of their arrival, and when the next one becomes ready.
fn read(answer: &str) -> Result<(BTreeMap<i64, Ready>, Option<Timestamp>), Failure> {
    let mut found: BTreeMap<i64, Ready> = BTreeMap::new();
    let mut next: Option<Timestamp> = None;
    for row in serde_json::from_str::<Vec<ReadyRow>>(answer)? {
        next = [next, row.next].into_iter().flatten().min();
        let Some(ready) = row.ready()? else { continue };
        let ready = found.entry(ready.hint.id).or_insert(ready);
        if let (Some(system), Some(id), Some(received)) = (&row.other_system, row.other_record, row.other_received) {
            ready.hint.others.insert(RecordId::new(system, id), serde_json::from_str(&received)?);
        }
    }
    Ok((found, next))
}
