//! The first-run guard: two systems that have lived side by side for years are not doubled in minutes.
//!
//! Decided once in the life of a database, before the first webhook is taken. The database may be new because the one
//! before it was lost. Then what is linked links itself again; but a record whose counterpart was made and which was not
//! yet told of it would get a second one, so these are looked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{
    Adoption, Application, ChangedPage, Clock, Creates, Fields, PairStore, ReadError, Record, RecordId, StoreError,
    SyncContract, System,
};
use serde_json::Value;
use tracing::{info, warn};

/// Pages looked at on each side, at most. Records beyond them count as not linked: the careful answer.
const PAGES: usize = 10_000;

/// How long to wait for a system that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Of the tries that fail, every so many are told.
const TELL_EVERY: u32 = 30;

/// What writes the pairs that are found here, as far as their rows tell.
const NAME: &str = "first-start";

/// What the first start looks at, and where it keeps what it has decided.
pub struct FirstRun<'a> {
    /// Where the decision is kept, and pairs that are found.
    pub store: &'a dyn PairStore,
    /// Both systems, in the contract's order.
    pub applications: [&'a Arc<dyn Application>; 2],
    /// The contract.
    pub contract: &'a SyncContract,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// What a look at a system has found.
enum Found {
    /// A record that names no counterpart.
    Unlinked,
    /// All of them name one.
    Linked(Names),
}

/// For each record of the other system the one that names it; none if there are several.
type Names = HashMap<String, Option<String>>;

impl FirstRun<'_> {
    /// Decides whether counterparts may be created, if that was never decided. Waits for systems that do not answer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the decision cannot be read or kept.
    pub async fn decide(&self) -> Result<Creates, StoreError> {
        let stands = self.store.creates().await?;
        if stands != Creates::Undecided {
            return Ok(stands);
        }
        let [one, other] = self.applications;
        let decided = match (self.found(one).await, self.found(other).await) {
            (Found::Unlinked, Found::Unlinked) => {
                let [one, other] = self.contract.systems();
                Creates::Held(format!(
                    "at the first start both `{one}` and `{other}` had records that are not linked; creating counterparts now would double them"
                ))
            }
            (Found::Unlinked, Found::Linked(names)) => self.link(one, names).await?,
            (Found::Linked(names), Found::Unlinked) => self.link(other, names).await?,
            (Found::Linked(_), Found::Linked(_)) => Creates::Allowed,
        };
        self.store.set_creates(&decided).await?;
        match &decided {
            Creates::Held(reason) => {
                warn!(
                    reason,
                    "creates are held back: link the records, or allow creates with `pairline creates allow --yes`"
                )
            }
            _ => info!("creates are allowed"),
        }
        Ok(decided)
    }

    /// Looks at a system until it finds a record that names no counterpart.
    async fn found(&self, application: &Arc<dyn Application>) -> Found {
        let system = &application.profile().system;
        let mut names = Names::new();
        let whole = self.each_page(application, |records| {
            for record in records {
                let Some(named) = self.contract.inverse_of(system, record) else { return false };
                let naming = names.entry(named).or_insert_with(|| Some(record.id.clone()));
                if naming.as_ref() != Some(&record.id) {
                    *naming = None;
                }
            }
            true
        });
        if whole.await { Found::Linked(names) } else { Found::Unlinked }
    }

    /// Pairs each record of a system that names no counterpart with the one that names it, if there is one.
    async fn link(&self, application: &Arc<dyn Application>, names: Names) -> Result<Creates, StoreError> {
        if names.is_empty() {
            return Ok(Creates::Allowed);
        }
        let system = &application.profile().system;
        let mut halves = BTreeMap::new();
        let whole = self.each_page(application, |records| {
            let unlinked = records.iter().filter(|record| self.contract.inverse_of(system, record).is_none());
            halves.extend(unlinked.filter_map(|record| Some((record.id.clone(), names.get(&record.id)?))));
            true
        });
        if !whole.await {
            return Ok(Creates::Held(format!("`{system}` has more records than the first start can look at")));
        }
        for (id, naming) in halves {
            let named = RecordId::new(system, id);
            let Some(record) = naming else {
                return Ok(Creates::Held(format!("several records of `{}` name {named}", self.contract.other(system))));
            };
            self.store.adopt(&self.adoption(named, record)).await?;
        }
        Ok(Creates::Allowed)
    }

    /// That a record names another one, which names none, and that nobody else does.
    fn adoption(&self, names: RecordId, record: &str) -> Adoption {
        Adoption {
            record: Record::new(record, Fields::new()),
            system: self.contract.other(&names.system).clone(),
            names,
            contract: self.contract.name().to_owned(),
            verified: true,
            topology: NAME.to_owned(),
        }
    }

    /// Shows every page of a system's records, for as long as that is wished; some are shown twice if it does not answer
    /// at once. Answers whether there is no more to see.
    async fn each_page(&self, application: &Arc<dyn Application>, mut show: impl FnMut(&[Record]) -> bool) -> bool {
        let (mut page, mut pages, mut tries) = (None, 0, 0);
        while pages < PAGES {
            match listed(application, page.as_ref()).await {
                Ok(listed) => {
                    if !show(&listed.records) {
                        return false;
                    }
                    (page, pages) = (listed.next, pages + 1);
                    if page.is_none() {
                        return true;
                    }
                }
                Err(error) => {
                    self.tell(tries, application, &error);
                    // What names a page may not be good for long.
                    (page, pages, tries) = (None, 0, tries + 1);
                    self.clock.sleep_until(self.clock.now().plus(RETRY)).await;
                }
            }
        }
        false
    }

    fn tell(&self, tries: u32, application: &Arc<dyn Application>, error: &ReadError) {
        let system: &System = &application.profile().system;
        if tries.is_multiple_of(TELL_EVERY) {
            warn!(application = %system, %error, "the first start has to look at both systems and waits");
        }
    }
}

async fn listed(application: &Arc<dyn Application>, page: Option<&Value>) -> Result<ChangedPage, ReadError> {
    application.admit().await?;
    application.changed(&Value::Null, page).await
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{MemoryApplication, MemoryState, MemoryStore, TestClock, contact_contract, run_now};
    use pairline_sdk::{Agreement, Pair};
    use serde_json::json;

    use super::*;

    fn decided(crm: &[Value], erp: &[Value]) -> Creates {
        decided_with(crm, erp).0
    }

    fn decided_with(crm: &[Value], erp: &[Value]) -> (Creates, Vec<Pair>) {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let mut state = MemoryState::default();
        state.creates = Creates::Undecided;
        let store = MemoryStore::restored(state, Arc::clone(&clock));
        let (left, right) = (MemoryApplication::crm(Arc::clone(&clock)), MemoryApplication::erp(Arc::clone(&clock)));
        for fields in crm {
            left.person_creates(fields);
        }
        for fields in erp {
            right.person_creates(fields);
        }
        let (left, right): (Arc<dyn Application>, Arc<dyn Application>) = (Arc::new(left), Arc::new(right));
        let (applications, contract) = ([&left, &right], contact_contract());
        let first_run = FirstRun { store: &store, applications, contract: &contract, clock: &*clock };
        let decided = run_now(first_run.decide()).unwrap();
        (decided, run_now(store.pairs(None, 10)).unwrap())
    }

    #[test]
    fn records_on_one_side_only_may_be_created_on_the_other() {
        assert_eq!(decided(&[json!({ "email": "a" })], &[]), Creates::Allowed);
        assert_eq!(decided(&[], &[]), Creates::Allowed);
    }

    #[test]
    fn records_on_both_sides_that_are_not_linked_hold_creates_back() {
        assert!(matches!(decided(&[json!({ "email": "a" })], &[json!({ "email": "b" })]), Creates::Held(_)));
    }

    #[test]
    fn linked_records_do_not_hold_anything_back() {
        let crm = [json!({ "erp_id": "erp-1" })];
        let erp = [json!({ "custom_fields.crm_id": "crm-1" })];

        assert_eq!(decided(&crm, &erp), Creates::Allowed);
    }

    #[test]
    fn a_record_that_was_not_told_of_its_counterpart_is_no_new_one() {
        let crm = [json!({ "email": "a" }), json!({ "email": "b" })];
        let erp = [json!({ "custom_fields.crm_id": "crm-2" })];

        let (creates, pairs) = decided_with(&crm, &erp);

        assert_eq!(creates, Creates::Allowed);
        let sides: Vec<_> =
            pairs.iter().map(|pair| pair.sides.each_ref().map(|side| side.record.to_string())).collect();
        assert_eq!(sides, [["crm:crm-2", "erp:erp-1"]]);
        assert_eq!(pairs[0].agreement, Agreement::Unknown);
        assert!(pairs[0].sides.iter().all(|side| !side.inverse_written), "both are still to be looked at");
    }

    #[test]
    fn a_record_that_two_others_name_is_for_a_person() {
        let names_it = json!({ "custom_fields.crm_id": "crm-1" });

        let (creates, pairs) = decided_with(&[json!({ "email": "a" })], &[names_it.clone(), names_it]);

        assert!(matches!(creates, Creates::Held(_)), "{creates:?}");
        assert_eq!(pairs, []);
    }
}
