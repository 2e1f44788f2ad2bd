//! Contacts: what the CRM does with its records, whoever asks for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::control::{Controlled, PeopleAction};
use crate::crm::contact::{Contact, apply, stored_texts};
use crate::crm::event::{ContactEvents, Occasion, Subscription};
use crate::crm::past_value::{self, PastValue};
use crate::crm::property;
use crate::crm::search::{Found, Search};
use crate::crm::{CrmConfig, UniqueRules};
use crate::delivery::FirstAttempt;
use crate::history::{Deed, RecordView, Visit, WriteEntry, Writer};
use crate::records::{LAG_MAX_MS, Records, View, Write};
use crate::refused::Refused;
use crate::server::Server;

/// Ids start where nobody mistakes one for a count.
const FIRST_ID: u64 = 101;

/// "Both change listings are current within 1 s", also while the search lags more.
const CHANGES_LAG_MAX_MS: u64 = 1_000;

pub(crate) struct Contacts {
    server: Arc<Server>,
    app_id: String,
    unique: UniqueRules,
    defined_properties_only: bool,
    pub(crate) usual_properties_only: bool,
    lag_ms: AtomicU64,
    next_event_id: AtomicU64,
    records: RwLock<Records>,
    /// Whether the id of a merged contact still leads to the one it went into, and where that is.
    merged_ids_forward: bool,
    merged: RwLock<BTreeMap<u64, u64>>,
}

/// How a caller names a contact: by its id, or by what another property holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) value: &'a str,
    pub(crate) property: Option<&'a str>,
}

impl<'a> Named<'a> {
    pub(crate) fn id(id: &'a str) -> Self {
        Self { value: id, property: None }
    }

    /// The property, unless the id is meant after all.
    pub(crate) fn by_property(&self) -> Option<&'a str> {
        self.property.filter(|property| *property != "hs_object_id")
    }
}

/// A contact after a write, and the webhook an answer may have to wait for.
pub(crate) struct Saved {
    pub(crate) contact: Contact,
    pub(crate) first_attempt: Option<FirstAttempt>,
}

impl Contacts {
    pub(crate) fn new(server: Arc<Server>, config: &CrmConfig) -> Self {
        // A receiver remembers event ids; a CRM that starts again must not use them again.
        let first_event_id = server.wall().now_ms().unsigned_abs() * 1_000;
        let records = RwLock::new(Records::starting_at(FIRST_ID, server.wall()));
        Self {
            server,
            app_id: config.app_id.clone(),
            unique: config.enforce_unique,
            defined_properties_only: config.defined_properties_only,
            usual_properties_only: config.usual_properties_only,
            lag_ms: AtomicU64::new(config.search_lag_ms.min(LAG_MAX_MS)),
            next_event_id: AtomicU64::new(first_event_id),
            records,
            merged_ids_forward: config.merged_ids_forward,
            merged: RwLock::default(),
        }
    }

    pub(crate) fn shared_server(&self) -> Arc<Server> {
        self.server.clone()
    }

    /// The app that calls over HTTP.
    pub(crate) fn caller(&self, visit: Visit) -> Writer {
        Writer::Caller { origin: Some(self.app_id.clone()), visit }
    }

    pub(crate) fn create(&self, sent: Map<String, Value>, writer: Writer, times: u32) -> Result<Saved, Refused> {
        let texts = self.texts(&sent)?;
        let contact = self.insert(&mut self.write(), sent, &texts, &writer)?;
        let first_attempt = self.announce_creation(&contact, &writer, times);
        Ok(Saved { contact, first_attempt })
    }

    pub(crate) fn update(&self, named: Named<'_>, sent: Map<String, Value>, writer: Writer) -> Result<Saved, Refused> {
        let texts = self.texts(&sent)?;
        let (contact, changed) = {
            let mut records = self.write();
            let number = found(&records, named, false)?;
            self.change(&mut records, number, sent, &texts, &writer)?
        };
        let first_attempt = self.announce_changes(&contact, &writer, &changed);
        Ok(Saved { contact, first_attempt })
    }

    /// Archiving an archived contact is fine and tells nobody.
    pub(crate) fn archive(&self, id: &str, writer: Writer) -> Result<Option<FirstAttempt>, Refused> {
        let archived = {
            let mut records = self.write();
            let number = known(&records, id)?;
            if records.live(number).is_none() {
                return Ok(None);
            }
            self.set_gone(&mut records, number, true, writer.clone())?
        };
        Ok(self.announce_deletion(&archived, &writer))
    }

    /// Nothing is left of the contact that a caller could see, and nobody brings it back.
    pub(crate) fn purge(&self, named: Named<'_>, writer: &Writer) -> Result<Option<FirstAttempt>, Refused> {
        let (last, was_live) = {
            let mut records = self.write();
            let number = found(&records, named, false).or_else(|_| found(&records, named, true))?;
            let (last, was_live) = (contact(&records, number)?, records.live(number).is_some());
            let write = Write { writer: writer.clone(), deed: Deed::Deleted, sent: Map::new(), changed: Vec::new() };
            records.purge(number, write);
            (last, was_live)
        };
        Ok(if was_live { self.announce_deletion(&last, writer) } else { None })
    }

    pub(crate) fn read(&self, id: &str) -> Result<Contact, Refused> {
        let records = self.records();
        let number = live(&records, id)?;
        contact(&records, number)
    }

    /// As the API reads it: a contact that was merged may still be asked for by the id it had.
    pub(crate) fn read_forwarded(&self, id: &str) -> Result<Contact, Refused> {
        let merged = self.merged.read().expect("nobody panics holding it");
        let into = id.parse().ok().and_then(|number: u64| merged.get(&number)).filter(|_| self.merged_ids_forward);
        match into {
            Some(into) => self.read(&into.to_string()),
            None => self.read(id),
        }
    }

    /// The one that goes is announced as deleted; the contract has no other event for it.
    pub(crate) fn merge(&self, id: &str, into: &str, writer: Writer) -> Result<Saved, Refused> {
        let (loser, winner, stays) = {
            let records = self.records();
            let (loser, winner) = (live(&records, id)?, live(&records, into)?);
            (loser, winner, contact(&records, winner)?)
        };
        if loser == winner {
            return Err(Refused::bad("expected two contacts, found one"));
        }
        self.merged.write().expect("nobody panics holding it").insert(loser, winner);
        let first_attempt = self.archive(id, writer)?;
        Ok(Saved { contact: stays, first_attempt })
    }

    /// Reads a contact that is there, or one that is archived; always current.
    pub(crate) fn read_named(&self, named: Named<'_>, archived: bool) -> Result<Contact, Refused> {
        let records = self.records();
        contact(&records, found(&records, named, archived)?)
    }

    /// One page by id, of those that are there or of those that are archived, and the id the next one starts after.
    pub(crate) fn page(&self, after: u64, limit: usize, archived: bool) -> (Vec<Contact>, Option<u64>) {
        let records = self.records();
        let meant = records.ids_after(after).filter_map(|id| {
            let state = records.newest(id).filter(|state| state.gone == archived)?.clone();
            Some(Contact { id, state })
        });
        let mut page: Vec<_> = meant.take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|contact| contact.id);
        (page, next)
    }

    pub(crate) fn search(&self, search: &Search) -> Found {
        let mut lag_ms = self.lag_ms.load(Ordering::Relaxed);
        if search.by_time() {
            lag_ms = lag_ms.min(CHANGES_LAG_MAX_MS);
        }
        search.run(&self.records(), View::lagging(lag_ms, self.server.wall()))
    }

    /// Whether a contact could have this property.
    pub(crate) fn has_property(&self, name: &str) -> bool {
        !self.defined_properties_only || property::is_defined(name)
    }

    /// The definitions of all properties.
    pub(crate) fn properties(&self) -> Value {
        property::shown(self.unique)
    }

    /// The values that a property of a contact has had, the newest first.
    pub(crate) fn past_values(&self, id: u64, name: &str) -> Vec<PastValue> {
        let history = self.records().history(id).unwrap_or_default();
        past_value::past_values(name, &history, &self.app_id)
    }

    /// What is sent, as it is stored.
    pub(super) fn texts(&self, sent: &Map<String, Value>) -> Result<Map<String, Value>, Refused> {
        if let Some(name) = sent.keys().find(|name| !self.has_property(name)) {
            return Err(Refused::bad(format!("property `{name}` does not exist")));
        }
        stored_texts(sent)
    }

    /// Makes a contact that nobody is told of yet.
    pub(super) fn insert(
        &self,
        records: &mut Records,
        sent: Map<String, Value>,
        texts: &Map<String, Value>,
        writer: &Writer,
    ) -> Result<Contact, Refused> {
        let mut properties = Map::new();
        let changed = apply(&mut properties, texts);
        self.check_unique(records, &properties, None)?;
        let write = Write { writer: writer.clone(), deed: Deed::Created, sent, changed };
        let id = records.insert(properties, write);
        contact(records, id)
    }

    /// Changes a contact that is there, and answers what has changed; nobody is told of it yet.
    pub(super) fn change(
        &self,
        records: &mut Records,
        number: u64,
        sent: Map<String, Value>,
        texts: &Map<String, Value>,
        writer: &Writer,
    ) -> Result<(Contact, Vec<String>), Refused> {
        let mut properties = contact(records, number)?.state.fields.clone();
        let changed = apply(&mut properties, texts);
        let write = Write { writer: writer.clone(), deed: Deed::Updated, sent, changed: changed.clone() };
        if changed.is_empty() {
            records.note_idle(number, write);
        } else {
            self.check_unique(records, &properties, Some(number))?;
            records.save(number, properties, false, write);
        }
        Ok((contact(records, number)?, changed))
    }

    pub(super) fn set_gone(
        &self,
        records: &mut Records,
        id: u64,
        gone: bool,
        writer: Writer,
    ) -> Result<Contact, Refused> {
        let properties = contact(records, id)?.state.fields.clone();
        let deed = if gone { Deed::Deleted } else { Deed::Restored };
        let write = Write { writer, deed, sent: Map::new(), changed: Vec::new() };
        records.save(id, properties, gone, write);
        contact(records, id)
    }

    /// The contract has no event for a restored contact, so nothing is announced.
    fn restore(&self, id: &str) -> Result<(), Refused> {
        let mut records = self.write();
        let number = known(&records, id)?;
        if records.live(number).is_none() {
            self.set_gone(&mut records, number, false, Writer::Person)?;
        }
        Ok(())
    }

    fn clone_contact(&self, id: &str) -> Result<String, Refused> {
        let mut properties = self.read(id)?.state.fields.clone();
        for name in self.unique_names() {
            properties.shift_remove(name);
        }
        let saved = self.create(properties, Writer::Person, 1)?;
        Ok(saved.contact.id.to_string())
    }

    pub(super) fn unique_names(&self) -> impl Iterator<Item = &'static str> {
        let rules = [(self.unique.email, "email"), (self.unique.erp_id, "erp_id")];
        rules.into_iter().filter_map(|(unique, name)| unique.then_some(name))
    }

    pub(super) fn check_unique(
        &self,
        records: &Records,
        properties: &Map<String, Value>,
        itself: Option<u64>,
    ) -> Result<(), Refused> {
        for name in self.unique_names() {
            let Some(value) = properties.get(name).and_then(Value::as_str) else {
                continue;
            };
            let mut others = records.with(name, value).filter(|id| Some(*id) != itself);
            if let Some(other) = others.next() {
                // The id stands only in the text, as it does in HubSpot's answer.
                return Err(Refused::new(
                    StatusCode::CONFLICT,
                    format!("Contact already exists. Existing ID: {other}"),
                ));
            }
        }
        Ok(())
    }

    /// Each event is a delivery of its own: they race each other to the receiver.
    pub(super) fn announce_creation(&self, contact: &Contact, writer: &Writer, times: u32) -> Option<FirstAttempt> {
        let occasion = self.occasion(contact, writer);
        let mut first_attempt = None;
        for _ in 0..times {
            let event = occasion.event(self.event_id(), Subscription::Creation);
            first_attempt = self.server.announce(Arc::new(ContactEvents(vec![event])));
        }
        first_attempt
    }

    pub(super) fn announce_changes(
        &self,
        contact: &Contact,
        writer: &Writer,
        changed: &[String],
    ) -> Option<FirstAttempt> {
        if changed.is_empty() {
            return None;
        }
        let occasion = self.occasion(contact, writer);
        let properties = &contact.state.fields;
        let event = |name: &String| {
            let value = properties.get(name).and_then(Value::as_str);
            occasion.change(self.event_id(), name, value.unwrap_or_default())
        };
        let events = changed.iter().map(event).collect();
        self.server.announce(Arc::new(ContactEvents(events)))
    }

    pub(super) fn announce_deletion(&self, contact: &Contact, writer: &Writer) -> Option<FirstAttempt> {
        let event = self.occasion(contact, writer).event(self.event_id(), Subscription::Deletion);
        self.server.announce(Arc::new(ContactEvents(vec![event])))
    }

    fn occasion<'a>(&'a self, contact: &Contact, writer: &'a Writer) -> Occasion<'a> {
        Occasion { app_id: &self.app_id, object_id: contact.id, occurred_at: contact.state.updated_ms, writer }
    }

    fn event_id(&self) -> u64 {
        self.next_event_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn records(&self) -> RwLockReadGuard<'_, Records> {
        self.records.read().expect("no writer panics halfway")
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Records> {
        self.records.write().expect("no writer panics halfway")
    }
}

impl Controlled for Contacts {
    fn server(&self) -> &Server {
        &self.server
    }

    fn people_do(&self, action: PeopleAction) -> Result<String, Refused> {
        match action {
            PeopleAction::Create { fields, tool, times } => {
                let saved = self.create(fields, PeopleAction::writer(tool), times)?;
                Ok(saved.contact.id.to_string())
            }
            PeopleAction::Edit { id, fields, tool } => {
                self.update(Named::id(&id), fields, PeopleAction::writer(tool))?;
                Ok(id)
            }
            PeopleAction::Delete { id } => {
                self.archive(&id, Writer::Person)?;
                Ok(id)
            }
            PeopleAction::Restore { id } => {
                self.restore(&id)?;
                Ok(id)
            }
            PeopleAction::Announce { id, times } => {
                self.announce_creation(&self.read(&id)?, &Writer::Person, times);
                Ok(id)
            }
            PeopleAction::Clone { id } => self.clone_contact(&id),
            PeopleAction::Merge { id, into } => self.merge(&id, &into, Writer::Person).map(|_| into),
        }
    }

    fn set_lag_ms(&self, lag_ms: u64) {
        self.lag_ms.store(lag_ms.min(LAG_MAX_MS), Ordering::Relaxed);
    }

    fn snapshot(&self) -> Vec<RecordView> {
        self.records().snapshot(|id| id.to_string())
    }

    fn history(&self, id: &str) -> Option<Vec<WriteEntry>> {
        self.records().history(id.parse().ok()?)
    }
}

fn known(records: &Records, id: &str) -> Result<u64, Refused> {
    let number = id.parse().ok();
    number.filter(|number| records.newest(*number).is_some()).ok_or_else(|| Refused::unknown("contact", id))
}

fn live(records: &Records, id: &str) -> Result<u64, Refused> {
    found(records, Named::id(id), false)
}

/// The contact that is named, if it is there, or archived. The oldest one is meant when several have a value.
pub(super) fn found(records: &Records, named: Named<'_>, archived: bool) -> Result<u64, Refused> {
    let is_meant = |number: &u64| records.newest(*number).is_some_and(|state| state.gone == archived);
    let Named { value, .. } = named;
    let Some(property) = named.by_property() else {
        let number = value.parse().ok().filter(is_meant);
        return number.ok_or_else(|| Refused::unknown("contact", value));
    };
    let holds = |number: &u64| {
        let state = records.newest(*number);
        state.is_some_and(|state| state.fields.get(property).and_then(Value::as_str) == Some(value))
    };
    let number = records.maybe_with(property, value).filter(holds).find(is_meant);
    number.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, format!("no contact with `{property}` {value}")))
}

pub(super) fn contact(records: &Records, id: u64) -> Result<Contact, Refused> {
    let state = records.newest(id);
    let state = state.ok_or_else(|| Refused::unknown("contact", &id.to_string()))?;
    Ok(Contact { id, state: state.clone() })
}
