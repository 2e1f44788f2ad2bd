//! What a system was told to send, and how a description says where to read that.

use serde_json::Value;

use super::check::Check;
use super::document::SubscriptionsDocument;
use super::operations::List;
use crate::application::pointer::Pointer;
use crate::application::record_shape::Says;

/// How a system is asked what it was told to send.
#[derive(Clone, Debug)]
pub(crate) struct Subscriptions {
    /// Asks for all of them.
    pub(crate) list: List,
    /// Where one of them holds the URL that it sends to; nothing: all of them are ours.
    url: Option<Pointer>,
    /// Where it names what it sends.
    events: Pointer,
    /// The texts there that stand for every event.
    all: Vec<String>,
    /// Where it names the one field whose changes it sends.
    pub(crate) field: Option<Pointer>,
    /// Where it says that it is at work.
    active: Option<Says>,
}

/// Something that a system was told to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The events; nothing: every event.
    events: Option<Vec<String>>,
    /// The one field that it is about.
    pub(crate) field: Option<String>,
    /// Whether it is at work.
    pub(crate) is_active: bool,
}

impl Subscription {
    /// Whether it is about an event.
    pub(crate) fn is_of(&self, event: &str) -> bool {
        self.events.as_ref().is_none_or(|events| events.iter().any(|known| known == event))
    }
}

/// Where nothing was found: the key below `webhook.subscriptions`, and what should have been there. Never what is there
/// instead, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    /// The key of the pointer.
    pub(crate) key: &'static [&'static str],
    /// What should have been there.
    pub(crate) what: &'static str,
}

impl Subscriptions {
    /// The URL that one of a listing sends to; nothing where none has its own.
    ///
    /// # Errors
    ///
    /// The pointer that finds none.
    pub(crate) fn url_of<'a>(&self, entry: &'a Value) -> Result<Option<&'a str>, Missed> {
        let missed = Missed { key: &["url"], what: "a URL" };
        self.url.as_ref().map(|at| at.of(entry).and_then(Value::as_str).ok_or(missed)).transpose()
    }

    /// One of a listing.
    ///
    /// # Errors
    ///
    /// The first pointer that finds nothing it can read.
    pub(crate) fn read(&self, entry: &Value) -> Result<Subscription, Missed> {
        let events = self.events.of(entry).and_then(texts);
        let events = events.ok_or(Missed { key: &["events"], what: "an event, or a list of events" })?;
        let is_every = events.iter().any(|event| self.all.contains(event));
        let is_active = self.active.as_ref().map_or(Some(true), |active| active.is_in(entry));
        Ok(Subscription {
            events: (!is_every).then_some(events),
            // One that is about no single field says so by leaving it out.
            field: self.field.as_ref().and_then(|at| at.of(entry)).and_then(Value::as_str).map(str::to_owned),
            is_active: is_active.ok_or(Missed { key: &["active", "at"], what: "a word for whether it is at work" })?,
        })
    }
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

impl Check<'_> {
    pub(super) fn subscriptions(&mut self, written: &SubscriptionsDocument) -> Subscriptions {
        let at = |last| ["webhook", "subscriptions", last];
        Subscriptions {
            list: self.list(&at("list"), &written.list, &["page"]),
            url: self.optional_pointer(&at("url"), written.url.as_ref()),
            events: self.pointer(&at("events"), &written.events),
            all: written.all.clone(),
            field: self.optional_pointer(&at("field"), written.field.as_ref()),
            active: written.active.as_ref().map(|active| self.said_at(&at("active"), active)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    fn subscriptions() -> Subscriptions {
        let stripe = include_str!("../../../../../topologies/library/stripe.yaml");
        let (description, _) =
            super::super::Description::parse("a.yaml", stripe, &crate::application::Environment::lenient());
        let described = description.unwrap().webhook.unwrap().subscriptions.unwrap();
        Subscriptions { field: Some(at("/field")), ..described }
    }

    #[test]
    fn a_subscription_is_read_whatever_it_names_its_events_by() {
        let of = |events: Value| {
            let entry = json!({ "url": "https://a.test", "status": "enabled", "enabled_events": events });
            let read = subscriptions().read(&entry);
            read.map(|read| ["customer.created", "customer.updated"].map(|event| read.is_of(event)))
        };

        assert_eq!(of(json!(["customer.created"])), Ok([true, false]));
        assert_eq!(of(json!("customer.updated")), Ok([false, true]));
        assert_eq!(of(json!(["invoice.paid", "*"])), Ok([true, true]));
        assert_eq!(of(json!([])), Ok([false, false]));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_key_and_never_by_what_is_there() {
        let whole = json!({ "url": "https://a.test", "status": "enabled", "enabled_events": ["*"], "field": null });
        let without = |name: &str, other: Value| {
            let mut entry = whole.clone();
            entry[name] = other;
            entry
        };

        let read = subscriptions().read(&whole).unwrap();
        assert_eq!((read.field, read.is_active), (None, true));
        assert_eq!(subscriptions().url_of(&whole), Ok(Some("https://a.test")));
        assert!(!subscriptions().read(&without("status", json!("disabled"))).unwrap().is_active);
        for other in [json!(null), json!(7), json!([7]), json!({ "whsec_secret": 1 })] {
            let missed = subscriptions().read(&without("enabled_events", other)).unwrap_err();
            assert_eq!(missed.key, ["events"]);
        }
        assert_eq!(subscriptions().url_of(&without("url", json!(null))).unwrap_err().key, ["url"]);
        let mut unsaid = whole.clone();
        unsaid.as_object_mut().unwrap().shift_remove("status");
        assert_eq!(subscriptions().read(&unsaid).unwrap_err().key, ["active", "at"]);
    }
}
