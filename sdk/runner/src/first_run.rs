//! The first-run guard: two systems that have lived side by side for years are not doubled in minutes.
//!
//! Decided once in the life of a database, before the first webhook is taken.

use std::sync::Arc;
use std::time::Duration;

use pairline_sdk::{Application, Clock, Creates, PairStore, ReadError, StoreError, SyncContract};
use serde_json::Value;
use tracing::{info, warn};

/// Pages looked at on each side, at most. Records beyond them count as not linked: the careful answer.
const PAGES: usize = 10_000;

/// How long to wait for a system that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Of the tries that fail, every so many are told.
const TELL_EVERY: u32 = 30;

/// Decides whether counterparts may be created, if that was never decided. Waits for systems that do not answer.
///
/// # Errors
///
/// [`StoreError`] when the decision cannot be read or kept.
pub async fn decide(
    store: &dyn PairStore,
    applications: [&Arc<dyn Application>; 2],
    contract: &SyncContract,
    clock: &dyn Clock,
) -> Result<Creates, StoreError> {
    let stands = store.creates().await?;
    if stands != Creates::Undecided {
        return Ok(stands);
    }
    let mut unlinked = [false; 2];
    for (found, application) in unlinked.iter_mut().zip(applications) {
        let mut tries = 0_u32;
        *found = loop {
            match has_unlinked(&**application, contract).await {
                Ok(found) => break found,
                Err(error) => {
                    let system = &application.profile().system;
                    if tries.is_multiple_of(TELL_EVERY) {
                        warn!(application = %system, %error, "the first start has to look at both systems and waits");
                    }
                    tries += 1;
                    clock.sleep_until(clock.now().plus(RETRY)).await;
                }
            }
        };
    }
    let decided = if unlinked == [true, true] {
        let [one, other] = contract.systems();
        Creates::Held(format!(
            "at the first start both `{one}` and `{other}` had records that are not linked; creating counterparts now would double them"
        ))
    } else {
        Creates::Allowed
    };
    store.set_creates(&decided).await?;
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

/// Whether a system has a record that names no counterpart.
async fn has_unlinked(application: &dyn Application, contract: &SyncContract) -> Result<bool, ReadError> {
    let system = &application.profile().system;
    let mut page = None;
    for _ in 0..PAGES {
        application.admit().await?;
        let listed = application.changed(&Value::Null, page.as_ref()).await?;
        if listed.records.iter().any(|record| contract.inverse_of(system, record).is_none()) {
            return Ok(true);
        }
        page = listed.next;
        if page.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use pairline_sdk::testing::{MemoryApplication, MemoryState, MemoryStore, TestClock, contact_contract, run_now};
    use serde_json::json;

    use super::*;

    fn decided(crm: &[Value], erp: &[Value]) -> Creates {
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
        run_now(decide(&store, [&left, &right], &contact_contract(), &*clock)).unwrap()
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
}
