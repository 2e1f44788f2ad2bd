//! The ports of a node inside a component.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pairline_sdk::{
    Application, Clock, ContractDocument, HttpClient, NothingOutside, PairStore, Ports, Random, Secrets, SyncContract,
    System, Timestamp,
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
    pub(crate) fn ports(self) -> Result<Ports, String> {
        let document: ContractDocument = serde_json::from_str(&settings::contract())
            .map_err(|error| format!("cannot read the sync contract: {error}"))?;
        let contract = SyncContract::check(&document).map_err(|problems| {
            let first = problems.first().map_or("it is wrong", |problem| problem.message.as_str());
            format!("cannot use the sync contract: {first}")
        })?;
        Ok(Ports {
            store: self.store,
            applications: self.writable.or(self.readable).map(|systems| systems(&contract)).unwrap_or_default(),
            contract: Arc::new(contract),
            clock: Arc::new(HostClock),
            random: Arc::new(HostRandom),
            secrets: self.secrets,
            http: self.http,
        })
    }
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
