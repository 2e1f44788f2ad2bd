//! `applications`: reads of the systems that are granted.

use pairline_sdk::{RecordId, System, Timestamp};

use super::json;
use crate::bindings::pairline::node::applications::Host;
use crate::bindings::pairline::node::types::Failure;
use crate::failure::told;
use crate::instances::Call;

impl Host for Call {
    async fn profile(&mut self, system: String) -> Result<String, Failure> {
        Ok(json(self.granted.readable(&system)?.profile()))
    }

    async fn admit(&mut self, system: String) -> Result<(), Failure> {
        self.granted.readable(&system)?.admit().await.map_err(told)
    }

    async fn admit_create(&mut self, system: String, source_system: String, source_id: String) -> Result<(), Failure> {
        let source = RecordId::new(&System::new(&source_system), source_id);
        self.granted.readable(&system)?.admit_create(&source).await.map_err(told)
    }

    async fn read(&mut self, system: String, id: String) -> Result<String, Failure> {
        self.granted.readable(&system)?.read(&id).await.map(|record| json(&record)).map_err(told)
    }

    async fn find(&mut self, system: String, field: String, value: String) -> Result<String, Failure> {
        self.granted.readable(&system)?.find(&field, &value).await.map(|records| json(&records)).map_err(told)
    }

    async fn glance(&mut self, system: String, field: String, value: String, since: i64) -> Result<String, Failure> {
        let seen = self.granted.readable(&system)?.glance(&field, &value, Timestamp::from_millis(since)).await;
        seen.map(|records| json(&records)).map_err(told)
    }
}
