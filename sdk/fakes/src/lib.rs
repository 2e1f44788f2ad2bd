//! The reference CRM and ERP, with every fault, seeded.
//!
//! Two servers on loopback that keep the contract of the two systems the shipped topologies speak to: a CRM shaped
//! like HubSpot CRM v3 and a plain REST ERP. Development runs against them, so do the tests, and so does anybody who
//! wants to see what a sync does when calls hang, vanish or are applied after the caller gave up.
//!
//! ```
//! use pairline_fakes::{Crm, CrmConfig, Faults};
//! use serde_json::json;
//!
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let crm = Crm::start(CrmConfig { seed: 7, ..CrmConfig::default() }).await?;
//! crm.set_webhook_url("http://127.0.0.1:18090/webhooks/crm");
//! crm.set_faults(Faults { error_500_rate: 0.1, ..Faults::default() })?;
//!
//! let id = crm.person_creates(json!({ "email": "ada@example.com" }))?;
//! crm.other_tool_edits(&id, json!({ "phone": "+420 123" }), "9001")?;
//!
//! assert_eq!(crm.history(&id).len(), 2);
//! crm.shutdown().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story()).unwrap();
//! ```
//!
//! # What a seed promises
//!
//! Call number `n` of a server and delivery number `n` of a server always meet the same fault under the same
//! [`Faults`] and the same seed. Which call becomes number `n` is up to the sockets and the scheduler, and so is
//! every moment in time. A run is not replayed by its seed; its kind of trouble is.
//!
//! Embedded servers ([`Crm::embedded`]) live in time that somebody simulates. There a call or delivery meets its fault
//! by the moment it begins, so a run is replayed by its seed, and with [`Server::allow_only`] any part of its trouble.
//!
//! # What holds whatever goes wrong
//!
//! - A write whose request has arrived is applied once or never, at most 5 s after it was sent, whether or not its
//!   caller is still there.
//! - People and other tools (`person_creates` and so on) meet no faults; the webhooks they cause do.
//! - Faults never change what is stored: only when it is, and what its caller gets to know.

#![forbid(unsafe_code)]

mod activity;
mod audit;
mod client;
mod conduct;
mod control;
mod crm;
mod delivery;
mod dice;
mod door;
mod erp;
mod fate;
mod faults;
mod history;
pub mod judge;
mod line;
mod listener;
mod mishap;
mod port;
mod post;
mod query;
mod records;
mod refused;
mod server;
mod signature;
mod stamp;
mod wall;

pub use audit::{CallCount, Calls};
pub use client::loopback_client;
pub use conduct::BODY_MAX_BYTES;
pub use control::PeopleAction;
pub use crm::{Crm, CrmConfig, UniqueRules};
pub use delivery::{DELIVERIES_AT_ONCE, Deliveries, DeliveryRules};
pub use door::Door;
pub use erp::{Erp, ErpConfig};
pub use faults::Faults;
pub use history::{Deed, HISTORY_MAX_WRITES, RecordView, Visit, WriteEntry, Writer};
pub use mishap::{Mishap, Moment};
pub use port::Port;
pub use post::Post;
pub use refused::Refused;
pub use server::Server;
pub use signature::{crm_signature, erp_signature};
pub use wall::Wall;

/// What people type is a JSON object.
fn object(value: serde_json::Value) -> Result<serde_json::Map<String, serde_json::Value>, Refused> {
    match value {
        serde_json::Value::Object(fields) => Ok(fields),
        other => Err(Refused::bad(format!("expected an object, found {other}"))),
    }
}
