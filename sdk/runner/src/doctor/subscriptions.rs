//! What a system was told to send, beside the events that its description names.
//!
//! What it answers may hold the keys of its webhooks: nothing of an answer is said but where its URLs lead.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;
use serde_json::Value;

use super::code;
use super::patient::Patient;
use super::webhook::origin;
use crate::application::description::{Missed, Subscription, Subscriptions};

/// An event that the description names: the path of its key, and its text.
type Event = ([String; 5], String);

/// What is sent to us: for each URL, without what says nothing of where it leads, its subscriptions.
type Ours = BTreeMap<String, Vec<Subscription>>;

/// Where a URL leads: neither what follows a `?` nor what stands before an `@` makes a difference.
fn leads_to(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/')))
}

impl Patient<'_> {
    /// Whether it was told to send what is waited for.
    pub(super) async fn look_at_subscriptions(&mut self, answers: bool) {
        let Some(webhook) = &self.description().webhook else { return };
        let signed = webhook.signature.url.clone();
        let Some(subscriptions) = webhook.subscriptions.clone() else {
            let events: Vec<String> = self.events().into_iter().map(|(_, event)| event).collect();
            let said = format!("cannot be asked for: look in its settings for {}", events.join(", "));
            return self.note("subscriptions", said);
        };
        if !answers {
            return self.note("subscriptions", "not asked for: it does not answer as described");
        }
        let entries = match self.application.subscriptions(&subscriptions).await {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("what it was told to send cannot be read: {error}");
                let help = "ask it the same by hand, with the same credentials: they may lack the right to this alone";
                let at = ["webhook", "subscriptions", "list"];
                return self.error(code::NOT_AS_DESCRIBED, &at, message, help.to_owned());
            }
        };
        match self.sorted(&subscriptions, &entries, leads_to(&signed)) {
            Ok((ours, elsewhere)) => {
                self.judge_subscriptions(&ours);
                if !elsewhere.is_empty() {
                    let places: Vec<String> = elsewhere.into_iter().collect();
                    self.note("elsewhere", format!("it sends to others, too: {}", places.join(", ")));
                }
            }
            Err(Missed { key, what }) => {
                let message = format!("expected {what} in each subscription, found one without");
                let help = "compare the pointer with what it answers when it is asked by hand".to_owned();
                let at = [&["webhook", "subscriptions"], key].concat();
                self.error(code::NOT_AS_DESCRIBED, &at, message, help);
            }
        }
    }

    /// Every event that the description waits for.
    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for kind in ["created", "updated", "deleted"] {
            let path = ["webhook", "event", "kind", kind];
            for index in 0..self.tree().items(&path) {
                let path = ["webhook", "event", "kind", kind, &index.to_string()].map(str::to_owned);
                let event = self.tree().text(&path.each_ref().map(String::as_str)).map(str::to_owned);
                events.extend(event.map(|event| (path, event)));
            }
        }
        events
    }

    /// What is sent to us, and where the others lead.
    fn sorted(
        &self,
        subscriptions: &Subscriptions,
        entries: &[Value],
        signed: Option<String>,
    ) -> Result<(Ours, BTreeSet<String>), Missed> {
        let by_path = format!("/webhooks/{}", self.system());
        let is_ours = |address: &str| signed.as_deref().map_or(address.ends_with(&by_path), |signed| signed == address);
        let (mut ours, mut elsewhere) = (Ours::new(), BTreeSet::new());
        for entry in entries {
            let url = subscriptions.url_of(entry)?;
            let address = url.and_then(leads_to).unwrap_or_default();
            match url.filter(|_| !is_ours(&address)) {
                // A path may be as secret as a key.
                Some(url) if signed.as_deref().is_some_and(|signed| origin(signed) == origin(url)) => {
                    elsewhere.insert(format!("{} by another path", origin(url)));
                }
                Some(url) => {
                    elsewhere.insert(origin(url));
                }
                None => ours.entry(address).or_default().push(subscriptions.read(entry)?),
            }
        }
        Ok((ours, elsewhere))
    }

    /// Whether every event comes, and comes once.
    fn judge_subscriptions(&mut self, ours: &Ours) {
        let events = self.events();
        let mut come = Vec::new();
        for (path, event) in &events {
            let at = path.each_ref().map(String::as_str);
            let all: Vec<_> = ours.values().flatten().filter(|one| one.is_of(event)).collect();
            let active: Vec<_> = all.iter().copied().filter(|one| one.is_active).collect();
            if active.is_empty() {
                let message = match all.is_empty() {
                    true => format!("no webhook will come for `{event}`: nothing that is sent here is about it"),
                    false => format!("no webhook will come for `{event}`: what is about it is switched off"),
                };
                let help = "subscribe to it in the settings of the system, for the URL of this program".to_owned();
                self.error(code::NOT_SUBSCRIBED, &at, message, help);
                continue;
            }
            if self.judge_fields(&at, event, &active) {
                come.push(event.as_str());
            }
            for (address, subscriptions) in ours {
                let active: Vec<_> = subscriptions.iter().filter(|one| one.is_active && one.is_of(event)).collect();
                if is_twice(&active) {
                    let to = if address.is_empty() { String::new() } else { format!(" to {}", origin(address)) };
                    let message =
                        format!("`{event}` is sent{to} by {} subscriptions: it comes more than once", active.len());
                    let help = "leave one of them: what comes again is known and does no harm, but is work".to_owned();
                    self.warning(code::SUBSCRIBED_TWICE, &at, message, help);
                }
            }
        }
        if come.len() == events.len() {
            let places: BTreeSet<String> = ours.keys().filter(|url| !url.is_empty()).map(|url| origin(url)).collect();
            let to: String = places.iter().map(|place| format!(" to {place}")).collect::<Vec<_>>().join(" and");
            self.note("subscriptions", format!("it sends{to} what is waited for: {}", come.join(", ")));
        }
    }

    /// Whether there is a webhook for each field that a contract has, where each is subscribed to by itself.
    fn judge_fields(&mut self, at: &[&str; 5], event: &str, active: &[&Subscription]) -> bool {
        let told: Option<BTreeSet<&str>> = active.iter().map(|one| one.field.as_deref()).collect();
        let Some(told) = told else { return true };
        let system = self.system();
        let wanted: BTreeSet<String> = self
            .contracts
            .iter()
            .flat_map(|contract| contract.fields().iter().flat_map(|field| field.names(contract, system)))
            .map(|name| self.description().answered(name).to_owned())
            .collect();
        let untold: Vec<String> =
            wanted.iter().filter(|name| !told.contains(name.as_str())).map(|name| format!("`{name}`")).collect();
        if !untold.is_empty() {
            let message =
                format!("no webhook will come for `{event}` of {}: others are subscribed to", untold.join(", "));
            let help = "subscribe to each field of the contract in the settings of the system".to_owned();
            self.error(code::NOT_SUBSCRIBED, at, message, help);
        }
        untold.is_empty()
    }
}

/// Whether two of them send the same: about one field, or one of them about every field.
fn is_twice(active: &[&Subscription]) -> bool {
    let same = |one: &Subscription, other: &Subscription| match (&one.field, &other.field) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    active.iter().enumerate().any(|(index, one)| active[..index].iter().any(|other| same(one, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_known_by_where_it_leads() {
        let ours = leads_to("https://sync.example.org/webhooks/crm");

        for same in [
            "https://ada:secret@sync.example.org/webhooks/crm?key=secret#x",
            "https://SYNC.example.org:443/webhooks/crm/",
        ] {
            assert_eq!(leads_to(same), ours, "{same}");
        }
        for other in
            ["http://sync.example.org/webhooks/crm", "https://sync.example.org/crm", "https://a.test/webhooks/crm"]
        {
            assert_ne!(leads_to(other), ours, "{other}");
        }
        assert_eq!(leads_to("somewhere"), None);
    }
}
