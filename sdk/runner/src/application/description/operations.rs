//! How a system is called, and how its description says so.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::check::Check;
use super::delete::DeleteCall;
use super::document::{
    BodyEncodingDocument, ChangedDocument, FindDocument, IdDocument, ListDocument, OperationsDocument, OrderDocument,
    PreconditionDocument, SinceDocument, WriteDocument,
};
use super::paging::Next;
use crate::application::changes::Order;
use crate::application::json;
use crate::application::pointer::Pointer;
use crate::application::template::{ANY_FIELD, BodyTemplate, Template, lacks_quotes, unquoted};

/// What `answer` says of a call whose status is all that it is answered.
const NOTHING: &str = "nothing";

/// How a system is called.
#[derive(Clone, Debug)]
pub(crate) struct Operations {
    /// Reads one record.
    pub(crate) read: ReadCall,
    /// Makes a record.
    pub(crate) create: WriteCall,
    /// Changes some fields of a record.
    pub(crate) update: WriteCall,
    /// Removes a record.
    pub(crate) delete: Option<DeleteCall>,
    /// Finds records by the value of a field.
    pub(crate) find: Option<Find>,
    /// Lists what changed.
    pub(crate) changed: Option<Changed>,
}

/// A call that reads one record.
#[derive(Clone, Debug)]
pub(crate) struct ReadCall {
    /// The HTTP method.
    pub(crate) method: Method,
    /// The path.
    pub(crate) path: Template,
    /// The body.
    pub(crate) body: Option<BodyTemplate>,
    /// Where the answer holds the record.
    pub(crate) answer: Pointer,
}

/// A call that writes.
#[derive(Clone, Debug)]
pub(crate) struct WriteCall {
    /// The HTTP method.
    pub(crate) method: Method,
    /// The path.
    pub(crate) path: Template,
    /// What every body holds.
    pub(crate) body: BodyTemplate,
    /// Whether the body is sent as a form, and not as JSON.
    pub(crate) is_form: bool,
    /// Where in the body the fields go.
    pub(crate) fields: Pointer,
    /// Fields whose values stand in the path and not in the body.
    pub(crate) in_path: Vec<String>,
    /// A header by which the system knows which version of the record was read, and refuses to change another one.
    pub(crate) precondition: Option<(HeaderName, Template)>,
    /// Where the answer names the record, if the record in it does not.
    pub(crate) id: Option<IdPlace>,
    /// Where the answer holds the record; nothing: its status is all that it says.
    pub(crate) answer: Option<Pointer>,
}

impl WriteCall {
    /// Whether it says which version of the record it was decided by.
    pub(crate) fn is_bound(&self) -> bool {
        self.precondition.is_some() || self.body.has("version")
    }
}

/// Where an answer names a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdPlace {
    /// A header.
    Header(IdHeader),
    /// Its body.
    Body(Pointer),
}

impl IdPlace {
    /// The id that an answer names.
    pub(crate) fn read(&self, headers: &HeaderMap, body: &Value) -> Option<String> {
        match self {
            Self::Header(header) => header.read(headers),
            Self::Body(at) => at.of(body).and_then(json::id_text),
        }
    }
}

/// A header that names a record, as a path of it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdHeader {
    /// The header.
    name: HeaderName,
    /// What stands before the id.
    after: String,
}

impl IdHeader {
    /// The id in the headers of an answer: what stands behind the last of its marks, up to the next part of the path.
    fn read(&self, headers: &HeaderMap) -> Option<String> {
        let text = headers.get(&self.name)?.to_str().ok()?;
        let (_, behind) = text.rsplit_once(&*self.after)?;
        let id = behind.split(['/', '?', '#']).next()?;
        // What is escaped would be another text in a path of ours.
        (json::is_id(id) && !id.contains('%')).then(|| id.to_owned())
    }
}

/// A call that lists records.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// The HTTP method.
    pub(crate) method: Method,
    /// The path.
    pub(crate) path: Template,
    /// The query; a pair whose place has no value is left out.
    pub(crate) query: Vec<(Template, Template)>,
    /// The body.
    pub(crate) body: Option<BodyTemplate>,
    /// Where the answer holds the records.
    pub(crate) records: Pointer,
    /// Whether it holds the one record instead of a list, as where a record is read by a unique value.
    pub(crate) one: bool,
    /// How it goes on.
    pub(crate) next: Option<Next>,
}

impl List {
    /// Whether it has this place anywhere.
    fn has(&self, place: &str) -> bool {
        self.path.has(place)
            || self.query.iter().any(|(name, value)| name.has(place) || value.has(place))
            || self.body.as_ref().is_some_and(|body| body.has(place))
    }
}

/// How records are found.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    /// The fields the system can be asked for; none: any.
    pub(crate) fields: Option<Vec<String>>,
    /// Asks for one of them.
    pub(crate) list: List,
    /// Reads everything, to look for any other.
    pub(crate) otherwise: Option<List>,
}

/// How changes are listed.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// In which order.
    pub(crate) order: Order,
    /// How an instant is written; nothing: it cannot be asked since when, and lists everything.
    pub(crate) since: Option<Since>,
    /// How far a pass reaches back behind what was seen.
    pub(crate) overlap: Duration,
    /// Asks for what changed since.
    pub(crate) list: List,
    /// Asks for one stamp by id, from this id on.
    pub(crate) ties: Option<(String, List)>,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// Milliseconds since 1970.
    Milliseconds,
    /// Seconds since 1970.
    Seconds,
    /// RFC 3339.
    Rfc3339,
}

impl Check<'_> {
    pub(super) fn operations(&mut self, written: &OperationsDocument) -> Operations {
        let at = |last| ["operations", "read", last];
        let read = ReadCall {
            method: self.method(&at("method"), &written.read.method),
            path: self.url_path(&at("path"), &written.read.path, &["id"]),
            body: self.body(&at("body"), written.read.body.as_ref(), &["id"]),
            answer: self.pointer(&at("answer"), &written.read.answer),
        };
        let is_there = read.path.has("id") || read.body.as_ref().is_some_and(|body| body.has("id"));
        self.needs(&["operations", "read"], "id", is_there);
        let update = self.write("update", &written.update, &["id", "version"]);
        if update.is_bound() && !self.has(&["record", "version"]) {
            self.note(&["operations", "update"], "expected `record.version`, which `{version}` is taken from");
        }
        Operations {
            read,
            create: self.write("create", &written.create, &[]),
            update,
            delete: written.delete.as_ref().map(|delete| self.delete(delete)),
            find: written.find.as_ref().map(|find| self.find(find)),
            changed: written.changed.as_ref().map(|changed| self.changed(changed)),
        }
    }

    fn write(&mut self, name: &str, written: &WriteDocument, known: &[&str]) -> WriteCall {
        let at = |last| ["operations", name, last];
        let in_path: &[&str] = if known.contains(&"id") { &["id", ANY_FIELD] } else { &[ANY_FIELD] };
        let path = self.url_path(&at("path"), &written.path, in_path);
        let body = self.body(&at("body"), Some(&written.body), known);
        if known.contains(&"id") {
            let is_there = path.has("id") || body.as_ref().is_some_and(|body| body.has("id"));
            self.needs(&["operations", name], "id", is_there);
        }
        let answer = written.answer != NOTHING;
        let call = WriteCall {
            method: self.method(&at("method"), &written.method),
            in_path: path.fields(),
            precondition: written.precondition.as_ref().map(|written| self.precondition(name, written)),
            path,
            body: body.unwrap_or(BodyTemplate::Value(Value::Null)),
            is_form: written.encoding == BodyEncodingDocument::Form,
            fields: self.pointer(&at("fields"), &written.fields),
            id: written.id.as_ref().map(|id| self.id_place(name, id)),
            answer: answer.then(|| self.pointer(&at("answer"), &written.answer)),
        };
        if call.fields.object(&mut written.body.clone()).is_none() {
            self.note(&at("fields"), "expected a place for the fields, found a value of the body there");
        }
        if name == "create" && call.answer.is_none() && call.id.is_none() {
            self.note(&at("answer"), "expected `id`, too: something must tell which record was made");
        }
        call
    }

    fn precondition(&mut self, name: &str, written: &PreconditionDocument) -> (HeaderName, Template) {
        let at = |last| ["operations", name, "precondition", last];
        if name == "create" {
            self.note(
                &["operations", name, "precondition"],
                "expected it where a record is changed: a new one was not read",
            );
        }
        let (header, value) =
            (self.header(&at("header"), &written.header), self.template(&at("value"), &written.value, &["version"]));
        self.needs(&at("value"), "version", value.has("version"));
        (header, value)
    }

    fn id_place(&mut self, name: &str, written: &IdDocument) -> IdPlace {
        let at = |last| ["operations", name, "id", last];
        let whole = ["operations", name, "id"];
        if name != "create" {
            self.note(&whole, "expected `id` where a record is made: any other is known by its own");
        }
        let header = match (&written.header, &written.at) {
            (Some(header), None) => header,
            (None, Some(pointer)) => return IdPlace::Body(self.pointer(&at("at"), pointer)),
            _ => {
                self.note(&whole, "expected either `header` and `after`, or `at`");
                return IdPlace::Body(Pointer::default());
            }
        };
        if written.after.is_empty() {
            self.note(&at("after"), "expected what stands before the id, as in `/people/`, found nothing");
        }
        IdPlace::Header(IdHeader { name: self.header(&at("header"), header), after: written.after.clone() })
    }

    pub(super) fn body(&mut self, path: &[&str], written: Option<&Value>, known: &[&str]) -> Option<BodyTemplate> {
        let body = written.map(|body| BodyTemplate::parse(body, known)).transpose();
        self.ok(path, body)
    }

    /// A call that has no use for what it is about would be about something else each time.
    pub(super) fn needs(&mut self, path: &[&str], place: &str, is_there: bool) {
        if !is_there {
            self.note(path, format!("expected `{{{place}}}` somewhere in it, found a call that is always the same"));
        }
    }

    pub(super) fn list(&mut self, path: &[&str], written: &ListDocument, known: &[&str]) -> List {
        let at = |last| [path, &[last]].concat();
        let query = written.query.iter().map(|(key, value)| {
            let place = [path, &["query", key]].concat();
            let text = match unquoted(value) {
                Some(name) => {
                    self.note(&place, lacks_quotes(name));
                    format!("{{{name}}}").into()
                }
                None => json::text(value),
            };
            (self.template(&place, key, known), self.template(&place, &text, known))
        });
        let query = query.collect();
        let list = List {
            method: self.method(&at("method"), &written.method),
            path: self.url_path(&at("path"), &written.path, known),
            query,
            body: self.body(&at("body"), written.body.as_ref(), known),
            records: self.pointer(&at("records"), &written.records),
            one: written.one,
            next: written.next.as_ref().map(|next| self.next(&at("next"), next)),
        };
        if list.one && (list.next.is_some() || path.last() != Some(&"list") || path.get(1) != Some(&"find")) {
            self.note(&at("one"), "expected it in `find.list` only, and without `next`: what changes is a list");
        }
        let by_place = matches!(list.next, Some(Next::Token(_) | Next::Offset(_) | Next::Last(_)));
        // A listing by time goes on from the last stamp instead.
        if by_place && known.contains(&"page") {
            self.needs(path, "page", list.has("page"));
        }
        list
    }

    fn find(&mut self, written: &FindDocument) -> Find {
        let at = |last| ["operations", "find", last];
        let list = self.list(&at("list"), &written.list, &["field", "value", "page"]);
        self.needs(&at("list"), "value", list.has("value"));
        let otherwise = written.otherwise.as_ref();
        let otherwise = otherwise.map(|list| self.list(&at("otherwise"), list, &["page"]));
        Find { fields: written.fields.clone(), list, otherwise }
    }

    fn changed(&mut self, written: &ChangedDocument) -> Changed {
        let at = |last| ["operations", "changed", last];
        let order = match written.order {
            OrderDocument::Time => Order::Time,
            OrderDocument::Id => Order::Id,
        };
        let ties = written.ties.as_ref().map(|ties| {
            let path = ["operations", "changed", "ties", "list"];
            (ties.first.clone(), self.list(&path, &ties.list, &["since", "last"]))
        });
        if order == Order::Time && ties.is_none() {
            self.note(&at("order"), "expected `ties` for a listing by time: many records may have one stamp");
        }
        if order == Order::Time && written.since.is_none() {
            self.note(&at("order"), "expected `since` for a listing by time: it goes on from the last stamp");
        }
        let known: &[&str] = match (order, written.since) {
            (Order::Id, Some(_)) => &["since", "page"],
            (Order::Id, None) => &["page"],
            (Order::Time, _) => &["since"],
        };
        let since = written.since.map(|since| match since {
            SinceDocument::Milliseconds => Since::Milliseconds,
            SinceDocument::Seconds => Since::Seconds,
            SinceDocument::Rfc3339 => Since::Rfc3339,
        });
        let list = self.list(&at("list"), &written.list, known);
        self.needs(&at("list"), "since", since.is_none() || list.has("since"));
        if list.next.is_none() {
            self.note(&at("list"), "expected `next`: where an answer says that there is more");
        }
        Changed { order, since, overlap: self.duration(&at("overlap"), &written.overlap), list, ties }
    }
}
