//! Customers: what the ERP does with its records, whoever asks for it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Map, Value};

use crate::control::{Controlled, PeopleAction};
use crate::delivery::FirstAttempt;
use crate::erp::ErpConfig;
use crate::erp::customer::{Customer, id_number, id_text, merge, new_fields, tidied};
use crate::erp::event::{CustomerEvent, EventType};
use crate::erp::keys::Keys;
use crate::erp::listing::{Listing, Page};
use crate::history::{Deed, RecordView, WriteEntry, Writer};
use crate::records::{Records, View, Write};
use crate::refused::Refused;
use crate::server::Server;
use crate::stamp;

/// "Both change listings are current within 1 s."
const CHANGES_LAG_MAX_MS: u64 = 1_000;

pub(crate) struct Customers {
    server: Arc<Server>,
    lag_ms: AtomicU64,
    tidies: bool,
    merged_ids_forward: bool,
    /// Event ids are told apart from those of an earlier run by when this one began.
    began_ms: i64,
    next_event: AtomicU64,
    books: RwLock<Books>,
}

/// Customers and keys change together or not at all.
struct Books {
    records: Records,
    keys: Keys,
    /// Which customer each merged one went into.
    merged: BTreeMap<u64, u64>,
}

/// A customer after a write, and the webhook an answer may have to wait for.
pub(crate) struct Saved {
    pub(crate) customer: Customer,
    pub(crate) first_attempt: Option<FirstAttempt>,
}

impl Customers {
    pub(crate) fn new(server: Arc<Server>, config: &ErpConfig) -> Self {
        let wall = server.wall();
        Self {
            server,
            lag_ms: AtomicU64::new(config.changes_lag_ms.min(CHANGES_LAG_MAX_MS)),
            tidies: config.tidies,
            merged_ids_forward: config.merged_ids_forward,
            began_ms: wall.now_ms(),
            next_event: AtomicU64::new(1),
            books: RwLock::new(Books {
                records: Records::starting_at(1, wall),
                keys: Keys::living(config.key_life),
                merged: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn shared_server(&self) -> Arc<Server> {
        self.server.clone()
    }

    /// A key that was used before answers what it answered then, and nothing else happens.
    pub(crate) fn create(
        &self,
        sent: Map<String, Value>,
        key: Option<String>,
        writer: Writer,
        times: u32,
    ) -> Result<Saved, Refused> {
        let customer = {
            let mut books = self.write();
            let stored = key.as_deref().and_then(|key| books.keys.answer(key));
            if let Some(customer) = stored {
                return Ok(Saved { customer, first_attempt: None });
            }
            let fields = new_fields(&self.tidied(&sent))?;
            let write =
                Write { writer: writer.clone(), deed: Deed::Created, changed: sent.keys().cloned().collect(), sent };
            let number = books.records.insert(fields, write);
            let customer = customer(&books.records, number)?;
            if let Some(key) = key {
                books.keys.remember(key, customer.clone());
            }
            customer
        };
        let first_attempt = self.announce_creation(&customer, &writer, times);
        Ok(Saved { customer, first_attempt })
    }

    /// Every save counts, also one that changes nothing.
    pub(crate) fn update(&self, id: &str, sent: Map<String, Value>, writer: Writer) -> Result<Saved, Refused> {
        let (customer, changed) = {
            let mut books = self.write();
            let number = live(&books.records, id)?;
            let mut fields = customer(&books.records, number)?.state.fields.clone();
            let changed = merge(&mut fields, &self.tidied(&sent))?;
            let write = Write { writer: writer.clone(), deed: Deed::Updated, sent, changed: changed.clone() };
            books.records.save(number, fields, false, write);
            (customer(&books.records, number)?, changed)
        };
        let first_attempt = self.announce(&customer, EventType::Updated, changed, &writer);
        Ok(Saved { customer, first_attempt })
    }

    pub(crate) fn delete(&self, id: &str, writer: Writer) -> Result<Option<FirstAttempt>, Refused> {
        let deleted = {
            let mut books = self.write();
            let number = live(&books.records, id)?;
            set_gone(&mut books.records, number, true, writer.clone())?
        };
        Ok(self.announce(&deleted, EventType::Deleted, Vec::new(), &writer))
    }

    pub(crate) fn read(&self, id: &str) -> Result<Customer, Refused> {
        let books = self.read_books();
        let number = live(&books.records, id)?;
        customer(&books.records, number)
    }

    /// As the API reads it: a customer that was merged may still be asked for by the id it had.
    pub(crate) fn read_forwarded(&self, id: &str) -> Result<Customer, Refused> {
        let into = id_number(id).and_then(|number| self.read_books().merged.get(&number).copied());
        match into.filter(|_| self.merged_ids_forward) {
            Some(into) => self.read(&id_text(into)),
            None => self.read(id),
        }
    }

    /// The one that goes is announced as deleted; the contract has no other event for it.
    fn merge(&self, id: &str, into: &str) -> Result<(), Refused> {
        {
            let mut books = self.write();
            let (loser, winner) = (live(&books.records, id)?, live(&books.records, into)?);
            if loser == winner {
                return Err(Refused::bad("expected two customers, found one"));
            }
            books.merged.insert(loser, winner);
        }
        self.delete(id, Writer::Person).map(drop)
    }

    fn tidied<'s>(&self, sent: &'s Map<String, Value>) -> Cow<'s, Map<String, Value>> {
        if self.tidies { Cow::Owned(tidied(sent)) } else { Cow::Borrowed(sent) }
    }

    pub(crate) fn list(&self, listing: &Listing) -> Page {
        let lag_ms = if listing.by_time() { self.lag_ms.load(Ordering::Relaxed) } else { 0 };
        listing.run(&self.read_books().records, View::lagging(lag_ms, self.server.wall()))
    }

    fn restore(&self, id: &str) -> Result<(), Refused> {
        let restored = {
            let mut books = self.write();
            let number = known(&books.records, id)?;
            if books.records.live(number).is_some() {
                return Ok(());
            }
            set_gone(&mut books.records, number, false, Writer::Person)?
        };
        self.announce(&restored, EventType::Updated, Vec::new(), &Writer::Person);
        Ok(())
    }

    /// Each event is a delivery of its own: they race each other to the receiver.
    fn announce_creation(&self, customer: &Customer, writer: &Writer, times: u32) -> Option<FirstAttempt> {
        let mut first_attempt = None;
        for _ in 0..times {
            let changed = customer.state.fields.keys().cloned().collect();
            first_attempt = self.announce(customer, EventType::Created, changed, writer);
        }
        first_attempt
    }

    fn announce(
        &self,
        customer: &Customer,
        event_type: EventType,
        changed_fields: Vec<String>,
        writer: &Writer,
    ) -> Option<FirstAttempt> {
        let number = self.next_event.fetch_add(1, Ordering::Relaxed);
        self.server.announce(Arc::new(CustomerEvent {
            event_id: format!("evt-{}-{number}", self.began_ms),
            event_type,
            customer_id: id_text(customer.number),
            occurred_at: stamp::to_text(customer.state.updated_ms),
            changed_fields,
            origin: CustomerEvent::origin_of(writer),
        }))
    }

    fn read_books(&self) -> RwLockReadGuard<'_, Books> {
        self.books.read().expect("no writer panics halfway")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Books> {
        self.books.write().expect("no writer panics halfway")
    }
}

impl Controlled for Customers {
    fn server(&self) -> &Server {
        &self.server
    }

    fn people_do(&self, action: PeopleAction) -> Result<String, Refused> {
        match action {
            PeopleAction::Create { fields, tool, times } => {
                let saved = self.create(fields, None, PeopleAction::writer(tool), times)?;
                Ok(id_text(saved.customer.number))
            }
            PeopleAction::Edit { id, fields, tool } => {
                self.update(&id, fields, PeopleAction::writer(tool))?;
                Ok(id)
            }
            PeopleAction::Delete { id } => {
                self.delete(&id, Writer::Person)?;
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
            PeopleAction::Clone { id } => {
                let fields = self.read(&id)?.state.fields.clone();
                let saved = self.create(fields, None, Writer::Person, 1)?;
                Ok(id_text(saved.customer.number))
            }
            PeopleAction::Merge { id, into } => self.merge(&id, &into).map(|()| into),
        }
    }

    fn set_lag_ms(&self, lag_ms: u64) {
        let lag_ms = lag_ms.min(CHANGES_LAG_MAX_MS);
        self.lag_ms.store(lag_ms, Ordering::Relaxed);
    }

    fn snapshot(&self) -> Vec<RecordView> {
        self.read_books().records.snapshot(id_text)
    }

    fn history(&self, id: &str) -> Option<Vec<WriteEntry>> {
        self.read_books().records.history(id_number(id)?)
    }
}

fn set_gone(records: &mut Records, number: u64, gone: bool, writer: Writer) -> Result<Customer, Refused> {
    let fields = customer(records, number)?.state.fields.clone();
    let write = Write {
        writer,
        deed: if gone { Deed::Deleted } else { Deed::Restored },
        sent: Map::new(),
        changed: Vec::new(),
    };
    records.save(number, fields, gone, write);
    customer(records, number)
}

fn known(records: &Records, id: &str) -> Result<u64, Refused> {
    id_number(id).filter(|number| records.newest(*number).is_some()).ok_or_else(|| Refused::unknown("customer", id))
}

fn live(records: &Records, id: &str) -> Result<u64, Refused> {
    let number = known(records, id)?;
    match records.live(number) {
        Some(_) => Ok(number),
        None => Err(Refused::unknown("customer", id)),
    }
}

fn customer(records: &Records, number: u64) -> Result<Customer, Refused> {
    let state = records.newest(number);
    let state = state.ok_or_else(|| Refused::unknown("customer", &id_text(number)))?;
    Ok(Customer { number, state: state.clone() })
}
