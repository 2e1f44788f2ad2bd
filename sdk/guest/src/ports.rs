//! The ports of a node inside a component.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{
    Application, Clock, Contract, ContractDocument, HttpClient, NothingOutside, PairStore, Ports, Random, Secrets,
    SyncContract, System, Timestamp,
};

use crate::bindings::pairline::node::{clock, random, settings};
use crate::store::{Nothing, Store};

/// The systems of a contract, as far as they can be reached.
pub type Systems = fn(&SyncContract) -> BTreeMap<System, Arc<dyn Application>>;

/// Which ports a component has. What is not chosen is not linked into it, and fails when it is used.
pub struct Chosen {
    /// The id mapping.
    pub store: Arc<dyn PairStore>,
    /// The systems, to be read.
    pub readable: Option<Systems>,
    /// The systems, to be read and written to; that holds the other.
    pub writable: Option<Systems>,
    /// Other hosts.
    pub http: Arc<dyn HttpClient>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
}

impl Default for Chosen {
    fn default() -> Self {
        Self {
            store: Arc::new(Store(Nothing, Nothing)),
            readable: None,
            writable: None,
            http: Arc::new(NothingOutside),
            secrets: Arc::new(NothingOutside),
        }
    }
}

impl Chosen {
    /// The ports, with what the topology says.
    pub(crate) fn ports(self) -> Ports {
        // Most nodes never look at it, and to read it takes longer than most messages.
        let contract = Contract::later(|| Arc::new(contract()));
        Ports {
            store: self.store,
            applications: self.writable.or(self.readable).map(|systems| systems(&contract)).unwrap_or_default(),
            contract,
            clock: Arc::new(HostClock),
            random: Arc::new(HostRandom),
            secrets: self.secrets,
            http: self.http,
        }
    }
}

/// The contract as the program tells it, which has held it against its rules.
fn contract() -> SyncContract {
    let document: ContractDocument =
        serde_json::from_str(&settings::contract()).unwrap_or_else(|error| panic!("cannot read the contract: {error}"));
    SyncContract::check(&document).unwrap_or_else(|problems| panic!("cannot use the contract: {problems:?}"))
}

struct HostClock;

#[async_trait]
impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(clock::now())
    }

    async fn sleep_until(&self, until: Timestamp) {
        // A node does not sleep: it answers that it wants to be asked again.
        assert!(self.now() >= until, "a node in a component cannot sleep: answer `NodeError::Repeat` instead");
    }
}

struct HostRandom;

impl Random for HostRandom {
    fn bits(&self) -> u64 {
        random::bits()
    }
}
