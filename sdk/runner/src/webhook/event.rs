//! From the events of a delivery to arrivals: which record, what happened, whose hand.
//!
//! Several changes of one record by one hand in one delivery are one arrival: that is how an update of several fields
//! looks in a system that tells of one field at a time, and the echo filter wants to see all of it.

use std::borrow::Cow;
use std::fmt::Write as _;

use pairline_sdk::{Arrival, Delivery, EventFacts, EventKind, Fields, OperationId, RecordId, System, Unreadable};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::application::description::EventShape;
use crate::application::json::id_text;

/// More of an event that cannot be understood is not kept, in bytes.
const LONGEST_KEPT: usize = 16 * 1024;
/// A longer part of a key is no key, in bytes.
const LONGEST_PART: usize = 512;

/// What a delivery holds.
#[derive(Debug, Default, PartialEq)]
pub struct Events {
    /// What is handed on.
    pub delivery: Delivery,
    /// How many events are of no interest.
    pub ignored: u64,
}

/// One event, understood.
struct Event {
    key: Option<String>,
    record: String,
    facts: EventFacts,
}

impl EventShape {
    /// Understands the events of a delivery, each by itself.
    pub fn read(&self, system: &System, events: Vec<Value>) -> Events {
        let mut read = Events::default();
        let mut groups: Vec<Group> = Vec::new();
        for event in events {
            match self.event(&event) {
                Ok(Some(event)) => match groups.iter_mut().rev().find(|group| group.takes(&event)) {
                    Some(group) => group.add(event),
                    None => groups.push(Group::of(event)),
                },
                Ok(None) => read.ignored += 1,
                Err(reason) => {
                    let body = kept(event.to_string());
                    read.delivery.unreadable.push(Unreadable { system: system.clone(), reason, body });
                }
            }
        }
        read.delivery.arrivals = groups.into_iter().map(|group| group.arrival(system)).collect();
        read
    }

    fn event(&self, event: &Value) -> Result<Option<Event>, String> {
        if !event.is_object() {
            return Err("expected an event to be an object, found another kind of JSON".to_owned());
        }
        let kind = self.kind.of(event).and_then(Value::as_str).ok_or("expected an event to say what happened")?;
        let known = self.kinds.iter().find(|(text, _)| text == kind);
        let Some((_, kind)) = known else {
            let known: Vec<&str> = self.kinds.iter().map(|(text, _)| text.as_str()).collect();
            return Err(format!("expected a kind of event that is described ({}), found another", known.join(", ")));
        };
        let Some(kind) = *kind else { return Ok(None) };
        let record = self.record.of(event).and_then(id_text);
        let record = record.ok_or("expected the id of a record as text or as an exact number")?;
        let operation = self.operation.as_ref().and_then(|(at, template)| {
            let id = template.matched(at.of(event)?.as_str()?)?;
            (!id.is_empty()).then(|| OperationId(id.to_owned()))
        });
        let ours =
            operation.is_some() || (!self.actor.is_empty() && self.actor.iter().all(|(at, is)| says(at.of(event), is)));
        let (mut values, mut fields) = (None, Vec::new());
        if kind == EventKind::Updated {
            if let Some(field) = self.field.as_ref().and_then(|at| at.of(event)).and_then(Value::as_str) {
                let field = self.renamed.sent(field);
                fields.push(field.to_owned());
                if let Some(at) = &self.value {
                    values = Some(Fields::from_iter([(field.to_owned(), at.of(event).cloned().unwrap_or_default())]));
                }
            }
            if let Some(Value::Array(names)) = self.changed.as_ref().and_then(|at| at.of(event)) {
                fields.extend(names.iter().filter_map(Value::as_str).map(|name| self.renamed.sent(name).to_owned()));
            }
        }
        let key = self.key_of(event)?;
        let facts = EventFacts { kind, operation, ours, values, fields, of_several: self.of_several };
        Ok(Some(Event { key, record, facts }))
    }

    /// The parts of a key, joined so that no two lists of parts are one key.
    fn key_of(&self, event: &Value) -> Result<Option<String>, String> {
        let mut key = String::new();
        let mut any = false;
        for (index, at) in self.key.iter().enumerate() {
            if index > 0 {
                key.push('/');
            }
            let part = match at.of(event) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
                Some(Value::Number(number)) if !number.is_f64() => Cow::Owned(number.to_string()),
                Some(_) => return Err("expected the key of an event as text or as an exact number".to_owned()),
            };
            if part.len() > LONGEST_PART {
                return Err(format!("expected at most {LONGEST_PART} bytes in a part of an event's key, found more"));
            }
            any = true;
            if part.contains(['/', '~']) {
                key.push_str(&part.replace('~', "~0").replace('/', "~1"));
            } else {
                key.push_str(&part);
            }
        }
        Ok(any.then_some(key))
    }
}

/// Events that are one arrival.
struct Group {
    event: Event,
    /// The keys of those that joined the first.
    more: Vec<String>,
}

impl Group {
    fn of(event: Event) -> Self {
        Self { event, more: Vec::new() }
    }

    fn takes(&self, other: &Event) -> bool {
        let (mine, theirs) = (&self.event.facts, &other.facts);
        if self.event.record != other.record || self.event.key.is_none() || other.key.is_none() {
            return false;
        }
        if self.has(other.key.as_deref()) {
            return true;
        }
        // Two values for one field are two changes; to see only one of them might hide the other.
        let contradicts = theirs.fields.iter().any(|field| mine.fields.contains(field));
        mine.kind == EventKind::Updated
            && theirs.kind == EventKind::Updated
            && mine.ours == theirs.ours
            && mine.operation == theirs.operation
            && mine.values.is_some() == theirs.values.is_some()
            && !theirs.fields.is_empty()
            && !mine.fields.is_empty()
            && !contradicts
    }

    fn has(&self, key: Option<&str>) -> bool {
        self.event.key.as_deref() == key || self.more.iter().any(|known| Some(known.as_str()) == key)
    }

    fn add(&mut self, other: Event) {
        // The same event twice in one delivery.
        if self.has(other.key.as_deref()) {
            return;
        }
        let facts = &mut self.event.facts;
        facts.fields.extend(other.facts.fields);
        if let (Some(values), Some(more)) = (&mut facts.values, other.facts.values) {
            values.extend(more);
        }
        self.more.extend(other.key);
    }

    /// The key of several events is made of all their keys, in their order: the same delivery has the same key again.
    /// A delivery that is cut differently has another one and makes one more hint, which finds nothing to do.
    fn arrival(self, system: &System) -> Arrival {
        let Self { event, more } = self;
        let event_key = event.key.map(|mut key| {
            if !more.is_empty() {
                let mut hash = Sha256::new();
                hash.update(&key);
                for key in &more {
                    hash.update([0]);
                    hash.update(key);
                }
                write!(key, "+{}:", more.len()).expect("a text can always be written to");
                for byte in &hash.finalize()[..16] {
                    write!(key, "{byte:02x}").expect("a text can always be written to");
                }
            }
            key
        });
        Arrival { event_key, facts: Some(event.facts), ..Arrival::look_at(RecordId::new(system, event.record)) }
    }
}

fn says(value: Option<&Value>, is: &str) -> bool {
    match value {
        Some(Value::String(text)) => text == is,
        Some(Value::Number(number)) => number.to_string() == is,
        _ => false,
    }
}

/// As much of a text as is kept.
pub(super) fn kept(mut text: String) -> String {
    if text.len() > LONGEST_KEPT {
        let end = (0..=LONGEST_KEPT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::application::{Description, Environment};

    fn shape(text: &str) -> EventShape {
        Description::parse("a.yaml", text, &Environment::lenient()).0.unwrap().webhook.unwrap().event
    }

    fn crm(events: Value) -> Events {
        let shape = shape(include_str!("../../../../topologies/applications/crm.yaml"));
        shape.read(&System::new("crm"), events.as_array().unwrap().clone())
    }

    fn erp(event: Value) -> Events {
        shape(include_str!("../../../../topologies/applications/erp.yaml")).read(&System::new("erp"), vec![event])
    }

    /// A change of one property, by us unless said otherwise.
    fn change(id: u64, name: &str, value: &str) -> Value {
        json!({
            "eventId": id, "subscriptionId": 2, "portalId": 1, "appId": 4242, "occurredAt": 1_700_000_000_000_i64,
            "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": 101,
            "changeSource": "INTEGRATION", "sourceId": "4242", "propertyName": name, "propertyValue": value,
        })
    }

    fn with(mut event: Value, key: &str, value: Value) -> Value {
        event[key] = value;
        event
    }

    #[test]
    fn changes_of_one_record_by_one_hand_are_one_arrival_with_all_values() {
        let read = crm(json!([change(1, "email", "a@b.test"), change(2, "phone", "")]));

        let [arrival] = read.delivery.arrivals.as_slice() else { panic!("expected one arrival, found {read:?}") };
        assert_eq!(arrival.record.to_string(), "crm:101");
        let facts = arrival.facts.as_ref().unwrap();
        assert_eq!((facts.kind, facts.ours), (EventKind::Updated, true));
        assert_eq!(json!(facts.values), json!({ "email": "a@b.test", "phone": "" }));
        assert_eq!(facts.fields, ["email", "phone"]);
    }

    #[test]
    fn a_delivery_that_comes_again_has_the_same_keys_whatever_the_attempt() {
        let (one, two) = (change(1, "email", "a"), change(2, "phone", "b"));
        let first = crm(json!([one, two]));
        let again =
            crm(json!([with(one.clone(), "attemptNumber", json!(1)), with(two.clone(), "attemptNumber", json!(1))]));
        let fewer = crm(json!([one]));

        let key = |read: &Events| read.delivery.arrivals[0].event_key.clone().unwrap();
        assert_eq!(key(&first), key(&again));
        assert_ne!(key(&first), key(&fewer));
        assert_eq!(key(&fewer), "1700000000000/1/101/contact.propertyChange/email");
        assert!(key(&first).starts_with("1700000000000/1/101/contact.propertyChange/email+1:"), "{}", key(&first));
        assert_eq!(key(&crm(json!([one, one]))), key(&fewer));
    }

    #[test]
    fn a_number_that_is_used_again_is_another_event() {
        let later = with(change(1, "email", "a"), "occurredAt", json!(1_700_000_000_001_i64));
        let other = with(change(1, "email", "a"), "objectId", json!(102));

        let keys = [change(1, "email", "a"), later, other]
            .map(|event| crm(json!([event])).delivery.arrivals[0].event_key.clone().unwrap());

        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
    }

    #[test]
    fn hands_records_and_contradictions_stay_apart() {
        for (other, arrivals) in [
            (with(change(2, "phone", "b"), "sourceId", json!("777")), 2),
            (with(change(2, "phone", "b"), "changeSource", json!("CRM_UI")), 2),
            (with(change(2, "phone", "b"), "objectId", json!(102)), 2),
            (with(change(2, "phone", "b"), "subscriptionType", json!("contact.creation")), 2),
            (change(2, "email", "b"), 2),
            (change(2, "phone", "b"), 1),
        ] {
            let read = crm(json!([change(1, "email", "a"), other]));

            assert_eq!(read.delivery.arrivals.len(), arrivals, "{other}");
        }
    }

    #[test]
    fn our_hand_is_ours_by_kind_and_by_number() {
        let ours = |event: Value| crm(json!([event])).delivery.arrivals[0].facts.as_ref().unwrap().ours;

        assert!(ours(change(1, "email", "a")));
        assert!(ours(with(change(1, "email", "a"), "sourceId", json!(4242))));
        assert!(!ours(with(change(1, "email", "a"), "sourceId", json!("42420"))));
        assert!(!ours(with(change(1, "email", "a"), "changeSource", json!("CRM_UI"))));
        assert!(!ours(with(change(1, "email", "a"), "sourceId", Value::Null)));
    }

    #[test]
    fn an_event_without_values_names_fields_and_our_operation() {
        let event = json!({
            "event_id": "e1", "type": "customer.updated", "customer_id": "WHS-000001",
            "occurred_at": "2026-01-01T00:00:00.000Z", "changed_fields": ["phone", "email"], "origin": "pairline/0199-7",
        });
        let facts = |event: Value| erp(event).delivery.arrivals[0].facts.clone().unwrap();

        let echo = facts(event.clone());
        assert_eq!(echo.operation, Some(OperationId("0199-7".to_owned())));
        assert!(echo.ours && echo.values.is_none());
        assert_eq!(echo.fields, ["phone", "email"]);
        for origin in [json!(null), json!("pairline"), json!("pairline/"), json!("billing-tool"), json!("pairlinex/1")]
        {
            let other = facts(with(event.clone(), "origin", origin.clone()));
            assert_eq!((other.operation, other.ours), (None, false), "{origin}");
        }
        assert_eq!(
            erp(event).delivery.arrivals[0].event_key.as_deref(),
            Some("2026-01-01T00:00:00.000Z/e1/WHS-000001/customer.updated")
        );
    }

    #[test]
    fn a_part_that_cannot_be_understood_does_not_hold_up_the_others() {
        let read = crm(json!([
            change(1, "email", "a"),
            7,
            null,
            {},
            with(change(2, "email", "a"), "objectId", json!(1.5)),
            with(change(3, "email", "a"), "objectId", Value::Null),
            with(change(4, "email", "a"), "subscriptionType", json!("company.creation")),
            with(change(5, "email", "a"), "eventId", json!({ "x": 1 })),
            with(change(6, "email", "a"), "eventId", json!("x".repeat(600))),
            with(change(7, "email", "a"), "objectId", json!(102)),
        ]));

        assert_eq!(read.delivery.arrivals.len(), 2);
        assert_eq!(read.delivery.unreadable.len(), 8);
        for unreadable in &read.delivery.unreadable {
            assert!(unreadable.reason.starts_with("expected "), "{}", unreadable.reason);
        }
    }

    #[test]
    fn ids_beyond_53_bits_are_exact_and_beyond_64_bits_are_no_ids() {
        let id = |text: &str| {
            let event =
                change(1, "email", "a").to_string().replace("\"objectId\":101", &format!("\"objectId\":{text}"));
            let event = crate::application::json::parse(event.as_bytes(), 8).unwrap();
            crm(json!([event])).delivery.arrivals.first().map(|arrival| arrival.record.id.clone())
        };

        assert_eq!(id("9007199254740993").as_deref(), Some("9007199254740993"));
        assert_eq!(id("18446744073709551615").as_deref(), Some("18446744073709551615"));
        assert_eq!(id("18446744073709551616"), None);
        assert_eq!(id("\"101\"").as_deref(), Some("101"));
    }

    #[test]
    fn events_without_keys_are_hints_of_their_own() {
        let mut shape = shape(include_str!("../../../../topologies/applications/erp.yaml"));
        shape.key.clear();
        let event = json!({ "type": "customer.updated", "customer_id": "1", "changed_fields": ["phone"] });

        let read = shape.read(&System::new("erp"), vec![event.clone(), event]);

        assert_eq!(read.delivery.arrivals.len(), 2);
        assert_eq!(read.delivery.arrivals[0].event_key, None);
    }

    #[test]
    fn parts_of_a_key_cannot_run_into_each_other() {
        let key = |id: &str, name: &str| {
            let event = with(change(1, name, "a"), "eventId", json!(id));
            crm(json!([event])).delivery.arrivals[0].event_key.clone().unwrap()
        };

        assert_ne!(key("a/101", "b"), key("a", "b"));
        assert_ne!(key("a~1b", "c"), key("a/b", "c"));
    }
}
