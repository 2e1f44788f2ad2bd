//! After a start: what the database does not know may have been made already.
//!
//! A database may be an older copy, a backup that was restored. Counterparts that were made since stand in their systems
//! and nowhere here, and a create would make them again. But they have changed since the place in the listing that the
//! copy holds, so the first pass of the poll shows them: records that name another one and are in no pair. Until that
//! pass is over, nothing is created in its system; after it, nothing for a record that one of them names, until it is
//! known what they are to each other.

mod gate;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairline_sdk::{RecordId, System, Timestamp};
use tracing::warn;

pub(crate) use self::gate::Gate;

/// How long the first pass is waited for, and then what it has shown. A system that cannot be listed would stop all creates
/// otherwise, and a record that is deleted before it was looked at the create of the one it names.
const WAITS: Duration = Duration::from_secs(30);

/// Records that are remembered as naming another one, at most.
const REMEMBERED: usize = 100_000;

/// How far the first passes have come.
#[derive(Default)]
pub(crate) struct CatchUp(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    /// Systems whose first pass is not over, and until when it is waited for.
    behind: BTreeMap<System, Timestamp>,
    /// For each record that is named by one in no pair: that one, and until when it is waited for.
    naming: HashMap<RecordId, (RecordId, Timestamp)>,
}

/// Whether a counterpart may be created.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing is known that speaks against it.
    Clear,
    /// The first pass is not over.
    Behind,
    /// This record was in no pair and names the one whose counterpart is to be created.
    NamedBy(RecordId),
}

impl CatchUp {
    /// A system whose database is not new is to be listed from now on.
    pub(crate) fn begins(&self, system: System, now: Timestamp) {
        self.progress().behind.insert(system, now.plus(WAITS));
    }

    /// The listing shows a record that is in no pair and names another one.
    pub(crate) fn shows(&self, record: &RecordId, names: RecordId, now: Timestamp) {
        let mut progress = self.progress();
        if !progress.behind.contains_key(&record.system) {
            return;
        }
        if progress.naming.len() >= REMEMBERED {
            warn!(%record, "too many records that are in no pair name another one; creates are not held back by this one");
            return;
        }
        progress.naming.insert(names, (record.clone(), now.plus(WAITS)));
    }

    /// The first pass over a system has shown everything.
    pub(crate) fn ends(&self, system: &System) {
        self.progress().behind.remove(system);
    }

    fn standing(&self, source: &RecordId, target: &System, now: Timestamp) -> Standing {
        let mut progress = self.progress();
        if let Some(until) = progress.behind.get(target) {
            if now < *until {
                return Standing::Behind;
            }
            warn!(application = %target, "it could not be asked what has changed since the last stop; creating goes on");
            progress.behind.remove(target);
        }
        match progress.naming.get(source) {
            Some((record, until)) if record.system == *target && now < *until => Standing::NamedBy(record.clone()),
            _ => Standing::Clear,
        }
    }

    /// It is known what the one that named this record is.
    fn forgets(&self, named: &RecordId) {
        self.progress().naming.remove(named);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pairline_sdk::testing::{
        MemoryApplication, MemoryEngine, MemoryStore, TestClock, TestRandom, contact_contract, run_now,
    };
    use pairline_sdk::{Adoption, Application, Clock, Engine, Fields, PairStore, ReadError, Record};
    use serde_json::json;

    use super::*;
    use crate::poll::Poll;

    /// A start with a database that is not new. The CRM has a contact; the ERP is what is listed.
    struct Start {
        clock: Arc<TestClock>,
        store: Arc<MemoryStore>,
        erp: Arc<MemoryApplication>,
        catch_up: Arc<CatchUp>,
        gate: Gate,
        poll: Poll,
    }

    fn start() -> Start {
        let clock = Arc::new(TestClock::default());
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = Arc::new(MemoryStore::new(Arc::clone(&time)));
        let erp = Arc::new(MemoryApplication::erp(Arc::clone(&time)));
        let engine = MemoryEngine::new(Arc::clone(&store), Arc::clone(&time), Arc::new(TestRandom::default()));
        let catch_up = Arc::new(CatchUp::default());
        let gate = Gate {
            inner: Arc::clone(&erp) as Arc<dyn Application>,
            catch_up: Arc::clone(&catch_up),
            store: Arc::clone(&store) as Arc<dyn PairStore>,
            clock: Arc::clone(&time),
        };
        let poll = Poll::new(
            Arc::clone(&erp) as Arc<dyn Application>,
            Arc::new(contact_contract()),
            Arc::clone(&store) as Arc<dyn PairStore>,
            Arc::new(engine) as Arc<dyn Engine>,
            time,
            Duration::from_secs(2),
            Arc::clone(&catch_up),
        );
        catch_up.begins(System::new("erp"), clock.now());
        Start { clock, store, erp, catch_up, gate, poll }
    }

    fn contact(id: &str) -> RecordId {
        RecordId::new(&System::new("crm"), id)
    }

    impl Start {
        /// Why no counterpart of a contact may be created.
        fn held(&self, id: &str) -> Option<String> {
            match run_now(self.gate.admit_create(&contact(id))) {
                Ok(()) => None,
                Err(ReadError::Wait { reason, .. }) => Some(reason),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn nothing_is_created_in_a_system_before_it_has_shown_what_has_changed() {
        let mut start = start();

        assert_eq!(start.held("1").unwrap(), "erp is still being asked what has changed since the last stop");
        run_now(start.poll.pass()).unwrap();

        assert_eq!(start.held("1"), None);
    }

    #[test]
    fn a_record_that_another_one_names_gets_no_second_counterpart_before_the_two_are_a_pair() {
        let mut start = start();
        let customer = start.erp.person_creates(&json!({ "custom_fields.crm_id": "1" }));
        run_now(start.poll.pass()).unwrap();

        assert_eq!(start.held("1").unwrap(), format!("{customer} names crm:1 already, and is in no pair"));
        assert_eq!(start.held("2"), None);
        let adoption = Adoption {
            record: Record::new(customer.id, Fields::new()),
            system: System::new("erp"),
            names: contact("1"),
            contract: "contact".to_owned(),
            verified: true,
            topology: "test".to_owned(),
        };
        run_now(start.store.adopt(&adoption)).unwrap();

        assert_eq!(start.held("1"), None, "it has its counterpart, and the store says so");
    }

    #[test]
    fn a_system_that_cannot_be_listed_does_not_hold_creates_back_for_ever() {
        let start = start();
        start.clock.advance(WAITS - Duration::from_millis(1));
        assert!(start.held("1").is_some());

        start.clock.advance(Duration::from_millis(1));

        assert_eq!(start.held("1"), None);
    }

    #[test]
    fn a_record_that_is_gone_before_it_was_looked_at_does_not_hold_a_create_back_for_ever() {
        let mut start = start();
        let customer = start.erp.person_creates(&json!({ "custom_fields.crm_id": "1" }));
        run_now(start.poll.pass()).unwrap();
        start.erp.person_deletes(&customer.id);
        start.clock.advance(WAITS - Duration::from_millis(1));
        assert!(start.held("1").is_some());

        start.clock.advance(Duration::from_millis(1));

        assert_eq!(start.held("1"), None);
    }

    #[test]
    fn what_is_new_while_the_program_runs_is_not_remembered() {
        let mut start = start();
        run_now(start.poll.pass()).unwrap();

        start.erp.person_creates(&json!({ "custom_fields.crm_id": "1" }));
        run_now(start.poll.pass()).unwrap();

        assert_eq!(start.held("1"), None);
        assert!(start.catch_up.progress().naming.is_empty());
    }
}
