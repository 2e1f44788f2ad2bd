//! Whether a description understands what its system is known to say: answers and deliveries, as its documentation shows them.
//!
//! An answer is read as it would be at work. Where something is not found, the finding stands at the pointer that misses it.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use pairline_sdk::{EventKind, Timestamp};
use serde_json::Value;

use super::check::Check;
use super::document::{ExampleDocument, OfDocument};
use super::{Description, List, Missed, Next, Subscriptions, Webhook};
use crate::application::errors::{Meaning, Means};
use crate::application::http::linked;
use crate::application::json;
use crate::application::pointer::Pointer;
use crate::application::transport::Answer;

/// An example, where it stands, and what it is held against.
struct Case<'a> {
    description: &'a Description,
    written: &'a ExampleDocument,
    path: [&'a str; 2],
}

/// What was understood of an example; no meaning: that it was done.
#[derive(Default)]
struct Understood {
    means: Option<Means>,
    ids: Vec<String>,
    next: Option<String>,
}

/// There is a finding, and no more to understand.
struct Noted;

type Look<T = ()> = Result<T, Noted>;

impl Check<'_> {
    /// Looks at every example. They say nothing of a description that is wrong in itself.
    pub(super) fn examples(&mut self, description: &Description, examples: &[ExampleDocument]) {
        if self.has_errors() {
            return;
        }
        for (index, written) in examples.iter().enumerate() {
            let case = Case { description, written, path: ["examples", &index.to_string()] };
            let understood = match (written.of, &description.webhook) {
                (OfDocument::Webhook, None) => Err(self.wrong(&case, "of", "expected a `webhook` for it, found none")),
                (OfDocument::Webhook, Some(webhook)) => self.delivery(&case, webhook),
                (OfDocument::Delete, _) if !description.deletes() => {
                    Err(self.wrong(&case, "of", "expected an operation `delete` for it, found none"))
                }
                _ => self.answer(&case),
            };
            if let Ok(understood) = understood {
                self.as_expected(&case, &understood);
            }
        }
    }

    fn wrong(&mut self, case: &Case<'_>, key: &str, message: impl Into<String>) -> Noted {
        self.note(&[&case.path, &[key][..]].concat(), message);
        Noted
    }

    /// Something was looked for in an example, in the part that a pointer starts from, and is not there.
    fn missed(&mut self, case: &Case<'_>, key: &[&str], within: &Value, what: &str) -> Noted {
        let mut known = Vec::new();
        Pointer::all_in(within, &mut known);
        self.finds_nothing(key, what, &known, &case.path);
        Noted
    }

    fn answer(&mut self, case: &Case<'_>) -> Look<Understood> {
        let body = match &case.written.body {
            Value::Null => Bytes::new(),
            Value::String(text) => Bytes::from(text.clone()),
            json => Bytes::from(json.to_string()),
        };
        let answer = Answer { status: case.written.status, headers: self.headers(case), body };
        let (means, id) = match case.description.errors.meaning(&answer, Timestamp::from_millis(0)) {
            Meaning::Done => return self.done(case, &answer),
            Meaning::Duplicate(id) => (Means::Duplicate, id),
            Meaning::Gone => (Means::Gone, None),
            Meaning::Repeat(_) => (Means::Repeat, None),
            Meaning::Outdated => (Means::Outdated, None),
            Meaning::Throttled(_) => (Means::Throttled, None),
            Meaning::Denied => (Means::Denied, None),
            Meaning::Refused => (Means::Refused, None),
            Meaning::Broken(_) => (Means::Unknown, None),
        };
        Ok(Understood { means: Some(means), ids: id.into_iter().collect(), next: None })
    }

    fn headers(&mut self, case: &Case<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &case.written.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            } else {
                self.wrong(case, "headers", format!("expected the name and the value of a header, found `{name}`"));
            }
        }
        headers
    }

    fn done(&mut self, case: &Case<'_>, answer: &Answer) -> Look<Understood> {
        let operations = &case.description.operations;
        let body = &case.written.body;
        let mut understood = Understood::default();
        match case.written.of {
            OfDocument::Read if operations.read.answer.is_past_a_list(body) => understood.means = Some(Means::Gone),
            OfDocument::Read => match operations.read.answer.of(body) {
                Some(record) => understood.means = self.whole_record(case, record, &mut understood.ids)?,
                None => return Err(self.missed(case, &["operations", "read", "answer"], body, "a record")),
            },
            OfDocument::Delete => {}
            OfDocument::Find => {
                let list = operations.find.as_ref().map(|find| &find.list);
                understood = self.records(case, "find", list, &answer.headers)?;
            }
            OfDocument::Changed => {
                let list = operations.changed.as_ref().map(|changed| &changed.list);
                understood = self.records(case, "changed", list, &answer.headers)?;
            }
            OfDocument::Subscriptions => {
                let webhook = case.description.webhook.as_ref();
                let Some(subscriptions) = webhook.and_then(|webhook| webhook.subscriptions.as_ref()) else {
                    return Err(self.wrong(case, "of", "expected `webhook.subscriptions` for it, found none"));
                };
                let at = ["webhook", "subscriptions", "list"];
                understood.next = self.listing(case, &at, &subscriptions.list, &answer.headers, |check, entry| {
                    check.subscription(case, subscriptions, entry)
                })?;
                let listed = subscriptions.list.records.of(body).and_then(Value::as_array);
                if let (Some(field), Some(listed)) = (&subscriptions.field, listed) {
                    self.in_one_of(case, &["webhook", "subscriptions", "field"], field, listed);
                }
            }
            OfDocument::Create | OfDocument::Update | OfDocument::Webhook => {
                understood = self.named_record(case, answer)?;
            }
        }
        Ok(understood)
    }

    /// A record as a read or a listing answers it.
    fn whole_record(&mut self, case: &Case<'_>, record: &Value, ids: &mut Vec<String>) -> Look<Option<Means>> {
        let shape = &case.description.record;
        if shape.is_error(record) {
            return Ok(Some(Means::Unknown));
        }
        let Some(id) = shape.id_in(record) else {
            return Err(self.missed(case, &["record", "id"], record, "an id"));
        };
        ids.push(id);
        if shape.is_gone(record) {
            return Ok(Some(Means::Gone));
        }
        if shape.version.as_ref().is_some_and(|at| at.of(record).and_then(json::plain_text).is_none()) {
            self.missed(case, &["record", "version"], record, "a version");
        }
        if shape.modified_at(record).is_none() {
            self.missed(case, &["record", "modified", "0"], record, "an instant");
        }
        if !shape.fields.of(record).is_some_and(Value::is_object) {
            self.missed(case, &["record", "fields"], record, "an object");
        }
        Ok(None)
    }

    /// What a write is answered: of the record it need hold no more than the id.
    fn named_record(&mut self, case: &Case<'_>, answer: &Answer) -> Look<Understood> {
        let (name, call) = match case.written.of {
            OfDocument::Create => ("create", &case.description.operations.create),
            _ => ("update", &case.description.operations.update),
        };
        let (shape, body) = (&case.description.record, &case.written.body);
        let held = call.answer.as_ref().and_then(|at| at.of(body));
        if held.is_some_and(|held| shape.is_error(held)) {
            return Ok(Understood { means: Some(Means::Unknown), ..Understood::default() });
        }
        let named = call.id.as_ref().and_then(|id| id.read(&answer.headers, body));
        let id = held.and_then(|held| shape.id_in(held)).or(named);
        let needs_id = name == "create" || call.answer.is_some();
        if id.is_none() && needs_id {
            let at = |last| ["operations", name, last];
            let id_of = ["operations", name, "id"];
            return Err(match (held, &call.id) {
                (_, Some(_)) if self.has(&[&id_of[..], &["after"]].concat()) => self.wrong(
                    case,
                    "headers",
                    "expected the header that names the record, as `id` of its operation says",
                ),
                (_, Some(_)) => self.missed(case, &[&id_of[..], &["at"]].concat(), body, "an id"),
                (None, None) => self.missed(case, &at("answer"), body, "a record"),
                (Some(held), None) => self.missed(case, &["record", "id"], held, "an id"),
            });
        }
        let is_gone = name == "update" && held.is_some_and(|held| shape.is_gone(held));
        Ok(Understood { means: is_gone.then_some(Means::Gone), ids: id.into_iter().collect(), next: None })
    }

    /// A listing of records.
    fn records(&mut self, case: &Case<'_>, name: &str, list: Option<&List>, headers: &HeaderMap) -> Look<Understood> {
        let Some(list) = list else {
            return Err(self.wrong(case, "of", format!("expected an operation `{name}` for it, found none")));
        };
        let mut ids = Vec::new();
        let next = self.listing(case, &["operations", name, "list"], list, headers, |check, record| {
            check.whole_record(case, record, &mut ids).map(drop)
        })?;
        Ok(Understood { ids, next, means: None })
    }

    /// Reads each of a listing, and how it goes on.
    fn listing(
        &mut self,
        case: &Case<'_>,
        path: &[&str],
        list: &List,
        headers: &HeaderMap,
        mut read: impl FnMut(&mut Self, &Value) -> Look,
    ) -> Look<Option<String>> {
        let body = &case.written.body;
        let at = |last| [path, &[last]].concat();
        let listed = match list.records.of(body) {
            Some(record) if list.one => std::slice::from_ref(record),
            Some(Value::Array(listed)) => listed,
            _ => return Err(self.missed(case, &at("records"), body, "a list of records")),
        };
        for one in listed {
            read(self, one)?;
        }
        let key = at("next");
        let mut found = None;
        match &list.next {
            Some(Next::Token(next) | Next::Url(next)) => {
                found = next.of(body).and_then(json::plain_text).filter(|text| !text.is_empty());
                // That there is none proves nothing, unless there should be one.
                if found.is_none() && case.written.next.is_some() {
                    self.missed(case, &[&key[..], &["url"]].concat(), body, "the next page");
                }
            }
            Some(Next::Link(relation)) => {
                found = linked(headers, relation);
                if found.is_none() && case.written.next.is_some() {
                    self.wrong(case, "headers", format!("expected a header `Link` with the relation `{relation}`"));
                }
            }
            _ if case.written.next.is_some() => {
                self.wrong(case, "next", "expected none: no answer says how this listing goes on");
            }
            _ => {}
        }
        Ok(found)
    }

    /// Something that the system was told to send.
    fn subscription(&mut self, case: &Case<'_>, subscriptions: &Subscriptions, entry: &Value) -> Look {
        let read = subscriptions.url_of(entry).and_then(|_| subscriptions.read(entry));
        let missed =
            |Missed { key, what }| self.missed(case, &[&["webhook", "subscriptions"], key].concat(), entry, what);
        read.map(drop).map_err(missed)
    }

    fn delivery(&mut self, case: &Case<'_>, webhook: &Webhook) -> Look<Understood> {
        let events = match (&case.written.body, webhook.batch) {
            (Value::Array(events), true) => events.clone(),
            (event, false) => vec![event.clone()],
            (_, true) => return Err(self.wrong(case, "body", "expected a list of events, as `webhook.body` says")),
        };
        let shape = &webhook.event;
        let at = |last| ["webhook", "event", last];
        for event in &events {
            if !shape.kind.of(event).is_some_and(Value::is_string) {
                return Err(self.missed(
                    case,
                    &["webhook", "event", "kind", "at"],
                    event,
                    "a text that says what happened",
                ));
            }
            if shape.record.of(event).and_then(json::id_text).is_none() {
                return Err(self.missed(case, &at("record"), event, "an id"));
            }
        }
        let read = shape.read(case.description.system(), events.clone());
        for unreadable in read.delivery.unreadable {
            self.wrong(case, "body", unreadable.reason);
        }
        for (index, key) in shape.key.iter().enumerate() {
            self.in_one_of(case, &["webhook", "event", "key", &index.to_string()], key, &events);
        }
        let is_update = |event: &&Value| {
            let kind = shape.kind.of(event).and_then(Value::as_str);
            shape.kinds.iter().any(|(text, of)| Some(&**text) == kind && *of == Some(EventKind::Updated))
        };
        let updates: Vec<Value> = events.iter().filter(is_update).cloned().collect();
        for (key, pointer) in [("field", &shape.field), ("value", &shape.value), ("changed", &shape.changed)] {
            pointer.iter().for_each(|pointer| self.in_one_of(case, &at(key), pointer, &updates));
        }
        let ids = read.delivery.arrivals.into_iter().map(|arrival| arrival.record.id).collect();
        Ok(Understood { ids, ..Understood::default() })
    }

    /// If there are events, a pointer finds something in one of them.
    fn in_one_of(&mut self, case: &Case<'_>, key: &[&str], pointer: &Pointer, events: &[Value]) {
        if let Some(first) = events.first()
            && !events.iter().any(|event| pointer.of(event).is_some())
        {
            self.missed(case, key, first, "something");
        }
    }

    fn as_expected(&mut self, case: &Case<'_>, understood: &Understood) {
        let written = case.written;
        if understood.means != written.means {
            let name = |means: Option<Means>| means.map_or("success".to_owned(), |means| format!("`{means}`"));
            let key = if written.means.is_some() { "means" } else { "status" };
            let (expected, found) = (name(written.means), name(understood.means));
            self.wrong(case, key, format!("expected an answer that means {expected}, found one that means {found}"));
            return;
        }
        if let Some(ids) = &written.ids {
            let expected: Vec<String> = ids.iter().map(|id| json::text(id).into_owned()).collect();
            if expected != understood.ids {
                let listed = |ids: &[String]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
                let message = format!("expected the ids {}, found {}", listed(&expected), listed(&understood.ids));
                self.wrong(case, "ids", message);
            }
        }
        if let (Some(expected), Some(found)) = (&written.next, &understood.next)
            && found != expected
        {
            self.wrong(case, "next", format!("expected `{expected}`, found `{found}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;
    use crate::application::Environment;
    use crate::finding::Finding;

    const CRM: &str = include_str!("../../../../../topologies/applications/crm.yaml");
    const TRYTON: &str = include_str!("../../../../../topologies/library/tryton.yaml");
    const SHIPPED: [(&str, &str); 7] = [
        ("crm", CRM),
        ("tryton", TRYTON),
        ("erp", include_str!("../../../../../topologies/applications/erp.yaml")),
        ("hubspot", include_str!("../../../../../topologies/library/hubspot.yaml")),
        ("directus", include_str!("../../../../../topologies/library/directus.yaml")),
        ("stripe", include_str!("../../../../../topologies/library/stripe.yaml")),
        ("salesforce", include_str!("../../../../../topologies/library/salesforce.yaml")),
    ];

    fn findings(text: &str) -> Vec<Finding> {
        Description::parse("a.yaml", text, &Environment::lenient()).1
    }

    fn shipped(name: &str) -> &'static str {
        SHIPPED.iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn the_shipped_descriptions_understand_what_their_systems_say() {
        for (name, text) in SHIPPED {
            assert_eq!(findings(text), [], "{name}");
            for of in ["read", "create", "changed"] {
                let is_there = text.contains(&format!("  - of: {of}\n"));
                // Nothing in a customer of Stripe tells when it was changed.
                assert!(is_there || (name, of) == ("stripe", "changed"), "{name} has no example of {of}");
            }
        }
    }

    #[test]
    fn a_pointer_that_finds_nothing_is_found_where_it_stands_with_what_would_have_been_right() {
        for (name, from, to, message, help) in [
            ("crm", "id: /id", "id: /vid", "expected an id at `/vid`", "did you mean `/id`?"),
            ("crm", "version: /updatedAt", "version: /updated_at", "expected a version", "did you mean `/updatedAt`?"),
            (
                "crm",
                "modified: [/properties/lastmodifieddate, /updatedAt]",
                "modified: [/properties/hs_lastmodifieddate]",
                "expected an instant",
                "did you mean `/properties/lastmodifieddate`?",
            ),
            ("crm", "fields: /properties\n  leave", "fields: /property\n  leave", "expected an object", "known places"),
            (
                "crm",
                "records: /results\n      next: /paging/next/after\n    # More",
                "records: /result\n      next: /paging/next/after\n    # More",
                "expected a list of records",
                "did you mean `/results`?",
            ),
            (
                "crm",
                "next: /paging/next/after\n    # More",
                "next: /paging/next\n    # More",
                "expected the next page",
                "did you mean `/paging/next/after`?",
            ),
            ("crm", "record: /objectId", "record: /objectid", "expected an id", "did you mean `/objectId`?"),
            ("crm", "at: /subscriptionType", "at: /type", "expected a text that says what happened", "known places"),
            ("crm", "key: [/occurredAt, ", "key: [/occuredAt, ", "expected something", "did you mean `/occurredAt`?"),
            ("crm", "value: /propertyValue", "value: /value", "expected something at `/value`", "known places"),
            ("erp", "changed: /changed_fields", "changed: /fields", "expected something at `/fields`", "known places"),
            (
                "directus",
                "\"/items/contacts/{id}\", answer: /data }\n  create",
                "\"/items/contacts/{id}\", answer: /item }\n  create",
                "expected a record at `/item`",
                "known places",
            ),
            (
                "directus",
                "path: /items/contacts, answer: /data",
                "path: /items/contacts, answer: /item",
                "expected a record",
                "known places",
            ),
            ("salesforce", "id: { at: /id }", "id: { at: /Id }", "expected an id at `/Id`", "did you mean `/id`?"),
            (
                "salesforce",
                "next: { url: /nextRecordsUrl }",
                "next: { url: /nextRecords }",
                "expected the next page",
                "did you mean",
            ),
        ] {
            let text = shipped(name).replacen(from, to, 1);
            assert_ne!(text, shipped(name), "{from}");
            let line = text[..text.find(to).unwrap()].lines().count();

            let found = findings(&text);

            let finding = found.iter().find(|finding| finding.message.starts_with(message));
            let finding = finding.unwrap_or_else(|| panic!("{to}: {found:?}"));
            assert!(finding.is_error() && finding.code == code::WRONG_EXAMPLE, "{finding:?}");
            assert!(finding.place.line.abs_diff(line) < 2, "{to}: line {line}: {finding}");
            assert!(finding.help.as_ref().unwrap().starts_with(help), "{to}: {finding}");
            assert!(finding.related.as_ref().unwrap().place.line > finding.place.line, "{finding:?}");
        }
    }

    #[test]
    fn an_example_that_means_something_else_than_it_should_is_a_finding() {
        for (name, from, to, message) in [
            ("crm", "    - { status: 409, means: duplicate }", "    - { status: 409, means: refused }", None),
            (
                "crm",
                "says: \"Existing ID: {id}\"",
                "says: \"Existing Id: {id}\"",
                Some("expected the ids 101, found none"),
            ),
            (
                "hubspot",
                "status: 404, means: gone",
                "status: 410, means: gone",
                Some("means `gone`, found one that means `refused`"),
            ),
            (
                "hubspot",
                "gone: { at: /archived, is: true }",
                "gone: { at: /archived, is: 1 }",
                Some("means `gone`, found one that means success"),
            ),
            (
                "tryton",
                "gone: { at: /active, is: [0, false] }",
                "gone: { at: /active, is: true }",
                Some("means success, found one that means `gone`"),
            ),
            (
                "tryton",
                "says: \"that don't exist\"",
                "says: \"gone\"",
                Some("means `gone`, found one that means `refused`"),
            ),
            ("tryton", "ids: [7]", "ids: [8]", Some("expected the ids 8, found 7")),
            (
                "salesforce",
                "status: 300, means: duplicate",
                "status: 301, means: duplicate",
                Some("found one that means `unknown`"),
            ),
            (
                "hubspot",
                "updated: [contact.propertyChange]",
                "updated: [contact.changed]",
                Some("expected a kind of event that is described"),
            ),
            ("stripe", "  body: single", "  body: batch", Some("expected a list of events")),
            ("stripe", "next: WzE2ODA4OTM5OTNd", "next: other", Some("expected `other`, found `WzE2ODA4OTM5OTNd`")),
            ("directus", "  - of: find\n", "  - of: webhook\n", Some("expected a `webhook` for it, found none")),
        ] {
            let text = shipped(name).replacen(from, to, 1);
            assert_ne!(text, shipped(name), "{from}");

            let found = findings(&text);

            let says =
                |message| found.iter().any(|finding| finding.message.contains(message) && finding.place.line > 1);
            assert!(message.is_none_or(says), "{to}: {found:?}");
            assert_eq!(found.is_empty(), message.is_none(), "{to}: {found:?}");
        }
    }

    #[test]
    fn examples_say_nothing_of_a_description_that_is_wrong_in_itself() {
        let text = CRM.replacen("id: /id", "id: id", 1);

        let found = findings(&text);

        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("expected a JSON pointer"), "{found:?}");
    }

    #[test]
    fn a_header_that_should_name_the_record_is_missed() {
        let text = shipped("erp").replacen(
            "create: { method: POST, path: /customers }",
            "create: { method: POST, path: /customers, id: { header: Location, after: /customers/ }, answer: nothing }",
            1,
        );
        let named = text.replacen(
            "    status: 201\n",
            "    status: 201\n    headers: { Location: /customers/WHS-000001 }\n",
            1,
        );

        assert!(
            findings(&text)[0].message.contains("expected the header that names the record"),
            "{:?}",
            findings(&text)
        );
        assert_eq!(findings(&named), []);
    }
}
