//! The ERP, a plain REST one: its configuration and the handle that runs it.

pub(crate) mod customer;
pub(crate) mod customers;
pub(crate) mod event;
pub(crate) mod keys;
pub(crate) mod listing;
pub(crate) mod routes;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::DropGuard;

use crate::control::{Controlled, PeopleAction};
use crate::delivery::DeliveryRules;
use crate::door::Door;
use crate::erp::customers::Customers;
use crate::faults::Faults;
use crate::history::{RecordView, WriteEntry};
use crate::post::Post;
use crate::refused::{Refused, System};
use crate::server::{Server, Setup};
use crate::signature::Signer;
use crate::wall::Wall;

/// How an ERP is set up.
#[derive(Clone, Debug)]
pub struct ErpConfig {
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// The bearer token of its callers.
    pub token: String,
    /// The key of `X-Signature`.
    pub webhook_secret: String,
    /// Where webhooks go. It may be set later.
    pub webhook_url: Option<String>,
    /// Decides every fault.
    pub seed: u64,
    /// What may go wrong.
    pub faults: Faults,
    /// How far the listing lags when it is asked for changes (`updated_since`), 1,000 at most.
    pub changes_lag_ms: u64,
    /// How long an `Idempotency-Key` is remembered; 24 h by the contract.
    pub key_life: Duration,
    /// Whether it tidies what it is given: e-mails without spaces around them and in small letters, phone numbers without
    /// spaces.
    pub tidies: bool,
    /// Whether the id of a customer that was merged still leads to the one it went into, when it is read.
    pub merged_ids_forward: bool,
    /// Whether the `/_control` routes exist.
    pub control: bool,
    /// How patiently webhooks are delivered.
    pub delivery: DeliveryRules,
}

impl Default for ErpConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: "erp-token".to_owned(),
            webhook_secret: "erp-webhook-secret".to_owned(),
            webhook_url: None,
            seed: 0,
            faults: Faults::default(),
            changes_lag_ms: 0,
            key_life: Duration::from_secs(24 * 60 * 60),
            tidies: false,
            merged_ids_forward: false,
            control: false,
            delivery: DeliveryRules::default(),
        }
    }
}

impl ErpConfig {
    fn setup(&self) -> Setup {
        Setup {
            system: System::Erp,
            bind: self.bind,
            token: self.token.clone(),
            webhook_url: self.webhook_url.clone(),
            signer: Signer::Erp { webhook_secret: self.webhook_secret.clone() },
            rules: self.delivery.clone(),
            seed: self.seed,
            faults: self.faults.clone(),
        }
    }
}

/// A running ERP and the people in front of it. Clones share it; it stops with the last of them.
#[derive(Clone)]
pub struct Erp {
    customers: Arc<Customers>,
    _stops_when_dropped: Arc<DropGuard>,
}

impl Erp {
    /// Binds the address and serves it on the current tokio runtime.
    pub async fn start(config: ErpConfig) -> io::Result<Self> {
        let (server, listener) = Server::bind(config.setup()).await?;
        let (this, router) = Self::of(server.clone(), config);
        server.run(listener, router);
        Ok(this)
    }

    /// Without a socket: requests come in by the door, webhooks go out by the post, and its time is the runtime's.
    pub fn embedded(config: ErpConfig, post: Arc<dyn Post>, wall: Wall) -> (Self, Door) {
        let server = Arc::new(Server::embedded(config.setup(), post, wall));
        let (this, router) = Self::of(server, config);
        (this, Door::of(router))
    }

    fn of(server: Arc<Server>, config: ErpConfig) -> (Self, axum::Router) {
        let guard = server.stop_token().drop_guard();
        let customers = Arc::new(Customers::new(server, &config));
        let router = routes::router(customers.clone(), config.control);
        (Self { customers, _stops_when_dropped: Arc::new(guard) }, router)
    }

    /// A person makes a customer; answers its id. `fields` is a JSON object.
    pub fn person_creates(&self, fields: Value) -> Result<String, Refused> {
        self.person_creates_announced(fields, 1)
    }

    /// A person makes a customer, and `times` distinct events announce it at the same moment.
    pub fn person_creates_announced(&self, fields: Value, times: u32) -> Result<String, Refused> {
        self.creates(fields, None, times)
    }

    /// A third tool makes a customer.
    pub fn other_tool_creates(&self, fields: Value, origin: &str) -> Result<String, Refused> {
        self.creates(fields, Some(origin), 1)
    }

    /// A person saves a customer. The ERP announces it also when nothing changed.
    pub fn person_edits(&self, id: &str, fields: Value) -> Result<(), Refused> {
        self.edits(id, fields, None)
    }

    /// A third tool saves a customer; its webhook carries that tool's `origin`.
    pub fn other_tool_edits(&self, id: &str, fields: Value, origin: &str) -> Result<(), Refused> {
        self.edits(id, fields, Some(origin))
    }

    /// A person deletes a customer.
    pub fn person_deletes(&self, id: &str) -> Result<(), Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Delete { id }).map(drop)
    }

    /// A person brings a deleted customer back, which is announced as an update that changed nothing.
    pub fn person_restores(&self, id: &str) -> Result<(), Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Restore { id }).map(drop)
    }

    /// The customer is announced as new by `times` distinct events at the same moment.
    pub fn announce(&self, id: &str, times: u32) -> Result<(), Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Announce { id, times }).map(drop)
    }

    /// A person copies a customer with all its fields, `custom_fields` too; answers the copy's id.
    pub fn clone_customer(&self, id: &str) -> Result<String, Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Clone { id })
    }

    /// A person takes two customers for one: the first goes, the second stays as it is.
    pub fn merge(&self, id: &str, into: &str) -> Result<(), Refused> {
        let (id, into) = (id.to_owned(), into.to_owned());
        self.people_do(PeopleAction::Merge { id, into }).map(drop)
    }

    /// Any of the above, as a value.
    pub fn people_do(&self, action: PeopleAction) -> Result<String, Refused> {
        self.customers.people_do(action)
    }

    /// Changes how far the listing of changes lags.
    pub fn set_changes_lag_ms(&self, lag_ms: u64) {
        self.customers.set_lag_ms(lag_ms);
    }

    /// Every customer there ever was, deleted ones too, by id.
    pub fn snapshot(&self) -> Vec<RecordView> {
        self.customers.snapshot()
    }

    /// Every write of one customer, oldest first; empty when there is no such customer.
    pub fn history(&self, id: &str) -> Vec<WriteEntry> {
        self.customers.history(id).unwrap_or_default()
    }

    fn creates(&self, fields: Value, tool: Option<&str>, times: u32) -> Result<String, Refused> {
        self.people_do(PeopleAction::Create { fields: crate::object(fields)?, tool: tool.map(str::to_owned), times })
    }

    fn edits(&self, id: &str, fields: Value, tool: Option<&str>) -> Result<(), Refused> {
        let action =
            PeopleAction::Edit { id: id.to_owned(), fields: crate::object(fields)?, tool: tool.map(str::to_owned) };
        self.people_do(action).map(drop)
    }
}

impl Deref for Erp {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.customers.server()
    }
}
