//! The CRM, shaped like HubSpot CRM v3: its configuration and the handle that runs it.

pub(crate) mod batch;
pub(crate) mod contact;
pub(crate) mod contacts;
pub(crate) mod event;
pub(crate) mod filter;
mod past_value;
mod property;
pub(crate) mod routes;
pub(crate) mod search;
pub(crate) mod selection;
mod token;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::DropGuard;

use crate::control::{Controlled, PeopleAction};
use crate::crm::contacts::Contacts;
use crate::delivery::DeliveryRules;
use crate::door::Door;
use crate::faults::Faults;
use crate::history::{RecordView, WriteEntry};
use crate::post::Post;
use crate::refused::{Refused, System};
use crate::server::{Server, Setup};
use crate::signature::Signer;
use crate::wall::Wall;

/// Which properties no two contacts may share. Off by default: a create must be safe without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UniqueRules {
    /// A second contact with the same `email` is refused with 409.
    pub email: bool,
    /// A second contact with the same `erp_id` is refused with 409.
    pub erp_id: bool,
}

/// How a CRM is set up.
#[derive(Clone, Debug)]
pub struct CrmConfig {
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// The bearer token of the app.
    pub token: String,
    /// The app's id: `sourceId` of the webhooks its own writes cause.
    pub app_id: String,
    /// The key of `X-HubSpot-Signature-v3`.
    pub client_secret: String,
    /// Where webhooks go, and the URL they are signed with. It may be set later.
    pub webhook_url: Option<String>,
    /// Decides every fault.
    pub seed: u64,
    /// What may go wrong.
    pub faults: Faults,
    /// What must be unique.
    pub enforce_unique: UniqueRules,
    /// How far the search lags, 3,000 at most. A search by `lastmodifieddate` lags 1,000 at most.
    pub search_lag_ms: u64,
    /// Whether the id of a contact that was merged still leads to the one it went into, when it is read. It is unknown
    /// otherwise, as it is to everything else.
    pub merged_ids_forward: bool,
    /// Whether a property that is not defined is refused, as HubSpot does. Any name will do otherwise.
    pub defined_properties_only: bool,
    /// Whether a contact is shown with six properties where nobody asks for others, as HubSpot does. All are otherwise.
    pub usual_properties_only: bool,
    /// Whether the `/_control` routes exist.
    pub control: bool,
    /// How patiently webhooks are delivered.
    pub delivery: DeliveryRules,
}

impl Default for CrmConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: "crm-token".to_owned(),
            app_id: "4242".to_owned(),
            client_secret: "crm-client-secret".to_owned(),
            webhook_url: None,
            seed: 0,
            faults: Faults::default(),
            enforce_unique: UniqueRules::default(),
            search_lag_ms: 0,
            merged_ids_forward: false,
            defined_properties_only: false,
            usual_properties_only: false,
            control: false,
            delivery: DeliveryRules::default(),
        }
    }
}

impl CrmConfig {
    fn setup(&self) -> Setup {
        Setup {
            system: System::Crm,
            bind: self.bind,
            token: self.token.clone(),
            webhook_url: self.webhook_url.clone(),
            signer: Signer::Crm { client_secret: self.client_secret.clone() },
            rules: self.delivery.clone(),
            seed: self.seed,
            faults: self.faults.clone(),
        }
    }
}

/// A running CRM and the people in front of it. Clones share it; it stops with the last of them.
#[derive(Clone)]
pub struct Crm {
    contacts: Arc<Contacts>,
    _stops_when_dropped: Arc<DropGuard>,
}

impl Crm {
    /// Binds the address and serves it on the current tokio runtime.
    pub async fn start(config: CrmConfig) -> io::Result<Self> {
        let (server, listener) = Server::bind(config.setup()).await?;
        let (this, router) = Self::of(server.clone(), config);
        server.run(listener, router);
        Ok(this)
    }

    /// Without a socket: requests come in by the door, webhooks go out by the post, and its time is the runtime's.
    pub fn embedded(config: CrmConfig, post: Arc<dyn Post>, wall: Wall) -> (Self, Door) {
        let server = Arc::new(Server::embedded(config.setup(), post, wall));
        let (this, router) = Self::of(server, config);
        (this, Door::of(router))
    }

    fn of(server: Arc<Server>, config: CrmConfig) -> (Self, axum::Router) {
        let guard = server.stop_token().drop_guard();
        let contacts = Arc::new(Contacts::new(server, &config));
        let router = routes::router(contacts.clone(), config.control);
        (Self { contacts, _stops_when_dropped: Arc::new(guard) }, router)
    }

    /// A person makes a contact; answers its id. `properties` is a JSON object.
    pub fn person_creates(&self, properties: Value) -> Result<String, Refused> {
        self.person_creates_announced(properties, 1)
    }

    /// A person makes a contact, and `times` distinct events announce it at the same moment.
    pub fn person_creates_announced(&self, properties: Value, times: u32) -> Result<String, Refused> {
        self.creates(properties, None, times)
    }

    /// Another integration makes a contact.
    pub fn other_tool_creates(&self, properties: Value, source_id: &str) -> Result<String, Refused> {
        self.creates(properties, Some(source_id), 1)
    }

    /// A person edits a contact; null or "" empties a property.
    pub fn person_edits(&self, id: &str, properties: Value) -> Result<(), Refused> {
        self.edits(id, properties, None)
    }

    /// Another integration edits a contact: an honest edit, with a source that is not ours.
    pub fn other_tool_edits(&self, id: &str, properties: Value, source_id: &str) -> Result<(), Refused> {
        self.edits(id, properties, Some(source_id))
    }

    /// A person archives a contact.
    pub fn person_deletes(&self, id: &str) -> Result<(), Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Delete { id }).map(drop)
    }

    /// A person brings an archived contact back. The contract has no event for it: only the change listing tells.
    pub fn person_restores(&self, id: &str) -> Result<(), Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Restore { id }).map(drop)
    }

    /// The contact is announced as new by `times` distinct events at the same moment.
    pub fn announce(&self, id: &str, times: u32) -> Result<(), Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Announce { id, times }).map(drop)
    }

    /// A person copies a contact with all its properties, `erp_id` too; answers the copy's id. Properties that must
    /// be unique are left out.
    pub fn clone_contact(&self, id: &str) -> Result<String, Refused> {
        let id = id.to_owned();
        self.people_do(PeopleAction::Clone { id })
    }

    /// A person takes two contacts for one: the first goes, the second stays as it is.
    pub fn merge(&self, id: &str, into: &str) -> Result<(), Refused> {
        let (id, into) = (id.to_owned(), into.to_owned());
        self.people_do(PeopleAction::Merge { id, into }).map(drop)
    }

    /// Any of the above, as a value.
    pub fn people_do(&self, action: PeopleAction) -> Result<String, Refused> {
        self.contacts.people_do(action)
    }

    /// Changes how far the search lags.
    pub fn set_search_lag_ms(&self, lag_ms: u64) {
        self.contacts.set_lag_ms(lag_ms);
    }

    /// Every contact there ever was, archived ones too, by id.
    pub fn snapshot(&self) -> Vec<RecordView> {
        self.contacts.snapshot()
    }

    /// Every write of one contact, oldest first; empty when there is no such contact.
    pub fn history(&self, id: &str) -> Vec<WriteEntry> {
        self.contacts.history(id).unwrap_or_default()
    }

    fn creates(&self, properties: Value, tool: Option<&str>, times: u32) -> Result<String, Refused> {
        self.people_do(PeopleAction::Create {
            fields: crate::object(properties)?,
            tool: tool.map(str::to_owned),
            times,
        })
    }

    fn edits(&self, id: &str, properties: Value, tool: Option<&str>) -> Result<(), Refused> {
        let action =
            PeopleAction::Edit { id: id.to_owned(), fields: crate::object(properties)?, tool: tool.map(str::to_owned) };
        self.people_do(action).map(drop)
    }
}

impl Deref for Crm {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.contacts.server()
    }
}
