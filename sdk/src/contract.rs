//! Port: the sync contract of a topology, made when somebody first looks at it.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use crate::SyncContract;

type Make = Box<dyn FnOnce() -> Arc<SyncContract> + Send>;

/// The sync contract that a node works by. A copy is the same contract.
#[derive(Clone)]
pub struct Contract(Arc<LazyLock<Arc<SyncContract>, Make>>);

impl Contract {
    /// A contract that is made when a node first looks at it, for where most messages are over before that.
    pub fn later(make: impl FnOnce() -> Arc<SyncContract> + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }
}

impl From<Arc<SyncContract>> for Contract {
    fn from(contract: Arc<SyncContract>) -> Self {
        Self::later(move || contract)
    }
}

impl Deref for Contract {
    type Target = SyncContract;

    fn deref(&self) -> &SyncContract {
        &self.0
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::testing::contact_contract;

    #[test]
    fn a_contract_is_made_once_and_only_for_whoever_looks_at_it() {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let contract = Contract::later(|| {
            MADE.fetch_add(1, Ordering::Relaxed);
            Arc::new(contact_contract())
        });
        let copy = contract.clone();
        assert_eq!(MADE.load(Ordering::Relaxed), 0);

        assert_eq!(contract.name(), copy.name());

        assert_eq!(MADE.load(Ordering::Relaxed), 1);
    }
}
