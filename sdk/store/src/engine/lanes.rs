//! What is at work. It lives in memory alone: the process that forgets it is the process that did the work.
//!
//! Only the writer's task changes it, between two transactions.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use pairline_sdk::{Hint, RecordId, System, Timestamp};
use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::sql;

/// After a failed write nothing is handed out for this long: a full disk is not emptied by trying faster.
const HOLD_BACK: Duration = Duration::from_secs(1);

/// A hint that was handed out.
#[derive(Debug)]
pub(crate) struct AtWork {
    pub(crate) hint: Hint,
    /// Of its row when it was handed out.
    pub(crate) revision: i64,
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

/// The numbers of what is ready, in the order they became so. Answered from the index alone.
const READY: &str = "SELECT id FROM hint WHERE system = ?1 AND ready_at <= ?2 ORDER BY ready_at, id";

const NEXT_READY: &str = "SELECT min(ready_at) FROM hint WHERE system = ?1 AND ready_at > ?2";

/// A hint, its pair, and the news of the pair's other record; a row for each pair. A row with something unfinished that
/// is not at work was left by a crash: it stands for that, too.
const HINT: &str = "\
    SELECT h.system, h.record_id, iif(h.unfinished IS NULL, h.facts, NULL), \
        iif(h.unfinished IS NULL, h.received, json_patch(h.unfinished, h.received)), \
        h.since, h.hops, h.correlation_id, h.revision, m.pair, o.received, o.system, o.record_id \
    FROM hint h \
    LEFT JOIN mapping m ON m.source_system = h.system AND m.source_id = h.record_id \
    LEFT JOIN hint o ON o.system = m.target_system AND o.record_id = m.target_id \
    WHERE h.id = ?1 ORDER BY m.pair";

/// A hint that is ready, with its lane.
struct Ready {
    hint: Hint,
    revision: i64,
    lane: Lane,
}

impl Ready {
    fn read(connection: &Connection, id: i64) -> Result<Option<Self>, Failure> {
        let mut ready: Option<Self> = None;
        sql::all(connection, HINT, [id], |row| {
            let record = row.record()?;
            let hint = Hint {
                id,
                record: record.clone(),
                facts: row.json_if_any()?,
                received: row.json()?,
                others: BTreeMap::new(),
                since: row.time()?,
                hops: row.count()?,
                correlation_id: row.get()?,
            };
            let revision = row.get()?;
            let lane = row.get::<Option<i64>>()?.map_or(Lane::Record(record), Lane::Pair);
            let others = &mut ready.get_or_insert(Self { hint, revision, lane }).hint.others;
            if let Some(received) = row.json_if_any()? {
                others.insert(row.record()?, received);
            }
            Ok(())
        })?;
        Ok(ready)
    }
}

impl Lanes {
    pub(crate) fn load(connection: &Connection, settle: Duration, owner: bool) -> Result<Self, Failure> {
        let revision: Option<Option<i64>> =
            sql::one(connection, "SELECT max(abs(revision)) FROM hint", [], |row| row.get())?;
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
            revision: revision.flatten().unwrap_or(0),
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

    /// The row that is at work for a record, if one is, and its revision when it was handed out.
    pub(crate) fn in_hand(&self, record: &RecordId) -> Option<(i64, i64)> {
        let hint = self.records.get(record)?;
        self.at_work.get(hint).map(|at_work| (*hint, at_work.revision))
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

    fn is_held(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Gives the run loop what is ready, as far as there is room.
    pub(crate) fn hand_out(&mut self, connection: &Connection, now: Timestamp) -> Result<(), Failure> {
        if self.room() == 0 || !self.look || self.is_held(now) {
            return Ok(());
        }
        self.held_until = None;
        // One look at the tables, instead of one for each statement.
        sql::run(connection, "BEGIN", [])?;
        let found = self.find_ready(connection, now);
        sql::run(connection, "COMMIT", [])?;
        for ready in found?.into_values() {
            if self.room() == 0 {
                self.look = true;
                break;
            }
            self.give(ready, now);
        }
        Ok(())
    }

    /// What may be handed out now, in the order of arrival: of each system as much as there is room for.
    fn find_ready(&mut self, connection: &Connection, now: Timestamp) -> Result<BTreeMap<i64, Ready>, Failure> {
        if self.reload {
            self.reload(connection)?;
        }
        let settle = self.settle;
        self.settling.retain(|_, out| now < out.plus(settle));
        let (room, mut found) = (self.room(), BTreeMap::new());
        let (mut more, mut next): (bool, Option<Timestamp>) = (false, None);
        let mut ready = connection.prepare_cached(READY)?;
        for system in self.systems.iter().filter(|system| !self.paused.contains(*system)) {
            let most = found.len() + room;
            let mut ids = ready.query((system.as_str(), now.as_millis()))?;
            while let Some(row) = ids.next()? {
                let id = row.get(0)?;
                if self.at_work.contains_key(&id) {
                    continue;
                }
                if found.len() == most {
                    more = true;
                    break;
                }
                // One whose lane is busy waits for it, and a lane that is freed makes us look again.
                let ready = Ready::read(connection, id)?.filter(|ready| !self.busy.contains(&ready.lane));
                found.extend(ready.map(|ready| (id, ready)));
            }
            let at: Option<Option<i64>> =
                sql::one(connection, NEXT_READY, (system.as_str(), now.as_millis()), |row| row.get())?;
            next = [next, at.flatten().map(Timestamp::from_millis)].into_iter().flatten().min();
        }
        (self.look, self.next_ready) = (more, next);
        Ok(found)
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
        self.at_work.insert(hint.id, AtWork { hint, revision, lane, handed_out_at: now });
    }

    fn reload(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.paused = sql::all(connection, "SELECT system FROM paused", [], |row| row.system())?.into_iter().collect();
        // Hops from one system to the next in the index, instead of reading every hint.
        let systems = sql::all(
            connection,
            "WITH RECURSIVE s (system) AS (SELECT min(system) FROM hint UNION ALL \
             SELECT (SELECT min(system) FROM hint WHERE system > s.system) FROM s WHERE s.system IS NOT NULL) \
             SELECT system FROM s WHERE system IS NOT NULL",
            [],
            |row| row.system(),
        )?;
        self.systems = systems.into_iter().collect();
        self.reload = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::params;
    use tokio::sync::mpsc::error::TryRecvError;

    use super::*;
    use crate::schema;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, "memory".as_ref()).unwrap();
        connection
    }

    fn add_hint(connection: &Connection, id: &str, ready_at: Timestamp) {
        let statement = "\
            INSERT INTO hint (system, record_id, received, since, ready_at, hops, correlation_id, revision) \
            VALUES ('crm', ?1, '{}', 0, ?2, 0, 'c-1', 1)";
        connection.execute(statement, params![id, ready_at.as_millis()]).unwrap();
    }

    fn lanes(connection: &Connection) -> Lanes {
        Lanes::load(connection, Duration::from_millis(200), true).unwrap()
    }

    #[test]
    fn after_a_failed_write_nothing_is_handed_out_for_a_while() {
        let connection = database();
        add_hint(&connection, "1", NOW);
        let mut lanes = lanes(&connection);
        let (sender, mut given) = mpsc::channel(4);
        let _alive = lanes.attach(4, sender).unwrap();
        let until = NOW.plus(HOLD_BACK);

        lanes.hold_back(NOW);

        for now in [NOW, until.minus(Duration::from_millis(1))] {
            lanes.hand_out(&connection, now).unwrap();
            assert_eq!(given.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(lanes.next_look(), Some(until));
        }
        lanes.hand_out(&connection, until).unwrap();
        assert_eq!(given.try_recv().unwrap().record.id, "1");
        assert_eq!(lanes.next_look(), None);
    }

    #[test]
    fn the_tables_are_read_only_when_something_may_be_ready() {
        let connection = database();
        add_hint(&connection, "1", NOW);
        let mut lanes = lanes(&connection);
        let (sender, mut given) = mpsc::channel(4);
        let _alive = lanes.attach(4, sender).unwrap();
        lanes.hand_out(&connection, NOW).unwrap();
        assert_eq!(given.try_recv().unwrap().record.id, "1");
        add_hint(&connection, "2", NOW);

        lanes.hand_out(&connection, NOW).unwrap();
        assert_eq!(given.try_recv(), Err(TryRecvError::Empty));

        lanes.look_again();
        lanes.hand_out(&connection, NOW).unwrap();
        assert_eq!(given.try_recv().unwrap().record.id, "2");
    }

    #[test]
    fn the_next_look_is_when_a_hint_gets_ready_that_there_is_room_for() {
        let connection = database();
        let later = NOW.plus(Duration::from_secs(60));
        add_hint(&connection, "1", NOW);
        add_hint(&connection, "2", later);
        let mut lanes = lanes(&connection);
        assert_eq!(lanes.next_look(), None, "nobody runs");
        let (sender, mut given) = mpsc::channel(1);
        let _alive = lanes.attach(1, sender).unwrap();

        lanes.hand_out(&connection, NOW).unwrap();

        let hint = given.try_recv().unwrap();
        assert_eq!(lanes.next_look(), None, "the end of a hint makes us look");
        lanes.release(hint.id);
        assert_eq!(lanes.next_look(), Some(later));
    }
}
