//! What a system looks like: an application description, checked and ready to be used.
//!
//! Everything the program knows about a particular system is here, and it is data.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use pairline_sdk::{CapabilityClass, EventKind, Profile, System};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::document::{
    ApplicationDocument, BodyDocument, ChangedDocument, EncodingDocument, EventDocument, FindDocument, ListDocument,
    OrderDocument, SignatureDocument, SignedDocument, SinceDocument, UnitDocument, WebhookDocument, WriteDocument,
};
use super::environment::Environment;
use super::listing::Order;
use super::pointer::Pointer;
use super::record_shape::RecordShape;
use super::refusals::{Duplicate, Refusals};
use super::template::{BodyTemplate, Template};
use crate::finding::Finding;
use crate::yaml::Tree;

/// The codes of findings in application descriptions.
pub mod code {
    /// An environment variable is missing.
    pub const MISSING_VARIABLE: &str = "PL0401";
    /// A value means nothing here.
    pub const WRONG_DESCRIPTION: &str = "PL0402";
}

/// A system, as its description says.
#[derive(Clone, Debug)]
pub struct Description {
    /// What it is.
    pub about: String,
    /// Its name, and what it promises.
    pub profile: Profile,
    /// The URL its paths stand below, without a slash at the end.
    pub base_url: String,
    /// The token that is sent with every call.
    pub bearer: SecretString,
    /// The header that takes an idempotency key.
    pub key_header: Option<HeaderName>,
    /// Where an answer holds a record's parts.
    pub record: RecordShape,
    /// How it is called.
    pub operations: Operations,
    /// How it refuses.
    pub refusals: Refusals,
    /// The header that carries our operation id.
    pub marker: Option<(HeaderName, Template)>,
    /// Its webhooks, if it sends any.
    pub webhook: Option<Webhook>,
    /// What is not exceeded.
    pub limits: Limits,
}

/// How a system is called.
#[derive(Clone, Debug)]
pub struct Operations {
    /// Reads one record.
    pub read: (Method, Template),
    /// Makes a record.
    pub create: WriteCall,
    /// Changes some fields of a record.
    pub update: WriteCall,
    /// Finds records by the value of a field.
    pub find: Option<Find>,
    /// Lists what changed.
    pub changed: Option<Changed>,
}

/// A call that writes.
#[derive(Clone, Debug)]
pub struct WriteCall {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: Template,
    /// What every body holds.
    pub body: Map<String, Value>,
    /// Where in the body the fields go.
    pub fields: Pointer,
}

/// A call that lists records.
#[derive(Clone, Debug)]
pub struct List {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: Template,
    /// The query; a pair whose place has no value is left out.
    pub query: Vec<(Template, Template)>,
    /// The body.
    pub body: Option<BodyTemplate>,
    /// Where the answer holds the records.
    pub records: Pointer,
    /// Where it holds the token for the next page.
    pub next: Option<Pointer>,
}

/// How records are found.
#[derive(Clone, Debug)]
pub struct Find {
    /// The fields the system can be asked for; none: any.
    pub fields: Option<Vec<String>>,
    /// Asks for one of them.
    pub list: List,
    /// Reads everything, to look for any other.
    pub otherwise: Option<List>,
}

/// How changes are listed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// In which order.
    pub order: Order,
    /// How an instant is written.
    pub since: Since,
    /// How far a pass reaches back behind what was seen.
    pub overlap: Duration,
    /// Asks for what changed since.
    pub list: List,
    /// Asks for one stamp by id, from this id on.
    pub ties: Option<(String, List)>,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Milliseconds since 1970.
    Milliseconds,
    /// RFC 3339.
    Rfc3339,
}

/// A system's webhooks.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// How a delivery proves where it comes from.
    pub signature: SignatureScheme,
    /// Whether a delivery is a list of events, or one.
    pub batch: bool,
    /// Where an event holds its parts.
    pub event: EventShape,
}

/// How a delivery proves where it comes from: by a keyed hash of some of its parts.
#[derive(Clone, Debug)]
pub struct SignatureScheme {
    /// The header with the signature.
    pub header: HeaderName,
    /// What is signed, in this order.
    pub signs: Vec<Signed>,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before it.
    pub prefix: String,
    /// The key.
    pub secret: SecretString,
    /// The URL as it is signed.
    pub url: String,
    /// When the delivery was signed.
    pub timestamp: Option<SignedTime>,
}

/// A part of a delivery that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The HTTP method.
    Method,
    /// The URL.
    Url,
    /// The body, byte by byte.
    Body,
    /// The text of the timestamp's header.
    Timestamp,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Base64.
    Base64,
    /// Hexadecimal.
    Hex,
}

/// When a delivery was signed.
#[derive(Clone, Debug)]
pub struct SignedTime {
    /// The header.
    pub header: HeaderName,
    /// How many milliseconds one of its units is.
    pub unit: i64,
    /// How far it may be from our clock.
    pub tolerance: Duration,
}

/// Where an event holds its parts.
#[derive(Clone, Debug, Default)]
pub struct EventShape {
    /// What together is its key.
    pub key: Vec<Pointer>,
    /// The record's id.
    pub record: Pointer,
    /// What happened.
    pub kind: Pointer,
    /// The texts for what happened; none: an event that is of no interest.
    pub kinds: Vec<(String, Option<EventKind>)>,
    /// The field that changed.
    pub field: Option<Pointer>,
    /// Its new value.
    pub value: Option<Pointer>,
    /// A list of the fields that changed.
    pub changed: Option<Pointer>,
    /// What all must be there for the actor to be us.
    pub actor: Vec<(Pointer, String)>,
    /// Our marker as it comes back, with the operation id in it.
    pub operation: Option<(Pointer, Template)>,
}

/// What is not exceeded with a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub in_flight: usize,
    /// Bytes of an answer.
    pub response_bytes: usize,
    /// Bytes of a delivery.
    pub body_bytes: usize,
    /// Objects and lists within each other, in answers and deliveries.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 32, response_bytes: 8 << 20, body_bytes: 1 << 20, depth: 32 }
    }
}

impl Description {
    /// Reads an application description. There may be one although there are findings, so that the rest can be checked
    /// too; with an error among them it must not be used.
    pub fn parse(file: &str, text: &str, environment: &Environment) -> (Option<Self>, Vec<Finding>) {
        let (tree, mut findings) = Tree::parse(file, text);
        let Some(tree) = tree else { return (None, findings) };
        let (document, more) = tree.read::<ApplicationDocument>();
        findings.extend(more);
        let Some(document) = document else { return (None, findings) };
        let mut check = Check { tree: &tree, environment, findings };
        let description = check.description(document);
        (Some(description), check.findings)
    }

    /// Its name.
    pub fn system(&self) -> &System {
        &self.profile.system
    }

    /// Whether it is called over TLS.
    pub fn is_tls(&self) -> bool {
        self.base_url.starts_with("https:")
    }
}

/// Turns what is written into what is meant, and notes everything that means nothing.
struct Check<'a> {
    tree: &'a Tree,
    environment: &'a Environment,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn note(&mut self, path: &[&str], message: impl Into<String>) {
        self.findings.push(self.tree.error(code::WRONG_DESCRIPTION, path, message));
    }

    fn ok<T: Default>(&mut self, path: &[&str], result: Result<T, String>) -> T {
        result.unwrap_or_else(|message| {
            self.note(path, message);
            T::default()
        })
    }

    fn expanded(&mut self, path: &[&str], text: &str) -> String {
        self.environment.expand(text).unwrap_or_else(|message| {
            let message = format!("{message}; `{}` needs it", path.join("."));
            self.findings.push(self.tree.error(code::MISSING_VARIABLE, path, message));
            String::new()
        })
    }

    fn pointer(&mut self, path: &[&str], text: &str) -> Pointer {
        self.ok(path, Pointer::parse(text))
    }

    fn optional_pointer(&mut self, path: &[&str], text: Option<&String>) -> Option<Pointer> {
        text.map(|text| self.pointer(path, text))
    }

    fn duration(&mut self, path: &[&str], text: &str) -> Duration {
        self.ok(path, duration(text))
    }

    fn method(&mut self, path: &[&str], text: &str) -> Method {
        match text {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            other => {
                self.note(path, format!("expected GET, POST, PUT or PATCH, found `{other}`"));
                Method::GET
            }
        }
    }

    fn header(&mut self, path: &[&str], text: &str) -> HeaderName {
        text.parse().unwrap_or_else(|_| {
            self.note(path, format!("expected the name of a header, found `{text}`"));
            HeaderName::from_static("x-unknown")
        })
    }

    fn template(&mut self, path: &[&str], text: &str, known: &[&str]) -> Template {
        Template::parse(text, known).unwrap_or_else(|message| {
            self.note(path, message);
            Template::parse("", &[]).expect("an empty text has no places")
        })
    }

    fn url_path(&mut self, path: &[&str], text: &str, known: &[&str]) -> Template {
        if !text.starts_with('/') {
            self.note(path, format!("expected a path that begins with `/`, found `{text}`"));
        }
        self.template(path, text, known)
    }

    fn description(&mut self, document: ApplicationDocument) -> Description {
        let name = &document.application;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            self.note(&["application"], format!("expected a name of small letters, digits and `-`, found `{name}`"));
        }
        let base_url = self.base_url(&document.base_url);
        let bearer = self.expanded(&["auth", "bearer"], &document.auth.bearer);
        if HeaderValue::try_from(&bearer).is_err() {
            self.note(&["auth", "bearer"], "expected text that can be sent in a header");
        }
        let (class, index_lag, key_header) = self.capabilities(&document);
        let profile = Profile {
            system: System::new(name),
            class,
            deadline: self.duration(&["capabilities", "deadline"], &document.capabilities.deadline),
            request_life: self.duration(&["capabilities", "request_life"], &document.capabilities.request_life),
            index_lag,
        };
        let limits = Limits {
            in_flight: document.limits.in_flight.unwrap_or(Limits::default().in_flight),
            response_bytes: document.limits.response_bytes.unwrap_or(Limits::default().response_bytes),
            body_bytes: document.limits.body_bytes.unwrap_or(Limits::default().body_bytes),
            depth: document.limits.depth.unwrap_or(Limits::default().depth).min(100),
        };
        for (name, value) in [("in_flight", limits.in_flight), ("depth", limits.depth)] {
            if value == 0 {
                self.note(&["limits", name], "expected at least 1, found 0");
            }
        }
        let marker = self.marker(&document);
        let actor = self.actor(&document);
        Description {
            profile,
            base_url,
            bearer: bearer.into(),
            key_header,
            record: self.record(&document),
            operations: self.operations(&document),
            refusals: self.refusals(&document),
            webhook: document.webhook.as_ref().map(|webhook| self.webhook(webhook, &document, &marker, actor)),
            marker: marker.map(|(name, template, _)| (name, template)),
            limits,
            about: document.about,
        }
    }

    fn base_url(&mut self, text: &str) -> String {
        let url = self.expanded(&["base_url"], text);
        let url = url.trim_end_matches('/').to_owned();
        let proper = reqwest::Url::parse(&url).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        if !proper && !url.is_empty() {
            self.note(&["base_url"], "expected an http or https URL without a query");
        }
        url
    }

    fn capabilities(&mut self, document: &ApplicationDocument) -> (CapabilityClass, Duration, Option<HeaderName>) {
        let written = &document.capabilities;
        let lag =
            written.find.as_ref().map(|find| self.duration(&["capabilities", "find", "index_lag"], &find.index_lag));
        if lag.is_some() && document.operations.find.is_none() {
            self.note(&["capabilities", "find"], "expected an operation `find` for this capability, found none");
        }
        let key = written.idempotency_key.as_ref().map(|key| {
            let at = |last| ["capabilities", "idempotency_key", last];
            let ttl = self.duration(&at("ttl"), &key.ttl);
            let margin = self.duration(&at("margin"), &key.margin);
            if margin >= ttl {
                self.note(&at("margin"), "expected a margin shorter than the key's life");
            }
            (ttl, margin, self.header(&at("header"), &key.header))
        });
        let class = match (&written.unique_field, &key, lag) {
            (Some(_), ..) => CapabilityClass::A,
            (None, Some((ttl, margin, _)), _) => CapabilityClass::B { ttl: *ttl, margin: *margin },
            (None, None, Some(_)) => CapabilityClass::C,
            (None, None, None) => CapabilityClass::D,
        };
        (class, lag.unwrap_or_default(), key.map(|(_, _, header)| header))
    }

    fn record(&mut self, document: &ApplicationDocument) -> RecordShape {
        let written = &document.record;
        let at = |last| ["record", last];
        let modified = written.modified.iter().map(|text| self.pointer(&at("modified"), text)).collect();
        RecordShape {
            id: self.pointer(&at("id"), &written.id),
            version: self.optional_pointer(&at("version"), written.version.as_ref()),
            modified,
            fields: self.pointer(&at("fields"), &written.fields),
            leave_out: written.leave_out.iter().cloned().collect(),
            whole: written.whole,
            gone: written
                .gone
                .as_ref()
                .map(|gone| (self.pointer(&["record", "gone", "at"], &gone.at), gone.is.clone())),
            error: self.optional_pointer(&at("error"), written.error.as_ref()),
        }
    }

    fn operations(&mut self, document: &ApplicationDocument) -> Operations {
        let written = &document.operations;
        let read = ["operations", "read"];
        Operations {
            read: (
                self.method(&[read[0], read[1], "method"], &written.read.method),
                self.url_path(&[read[0], read[1], "path"], &written.read.path, &["id"]),
            ),
            create: self.write("create", &written.create, &[]),
            update: self.write("update", &written.update, &["id"]),
            find: written.find.as_ref().map(|find| self.find(find)),
            changed: written.changed.as_ref().map(|changed| self.changed(changed)),
        }
    }

    fn write(&mut self, name: &str, written: &WriteDocument, known: &[&str]) -> WriteCall {
        let at = |last| ["operations", name, last];
        let call = WriteCall {
            method: self.method(&at("method"), &written.method),
            path: self.url_path(&at("path"), &written.path, known),
            body: written.body.clone(),
            fields: self.pointer(&at("fields"), &written.fields),
        };
        if call.fields.object(&mut Value::Object(call.body.clone())).is_none() {
            self.note(&at("fields"), "expected a place for the fields, found a value of the body there");
        }
        call
    }

    fn list(&mut self, path: &[&str], written: &ListDocument, known: &[&str]) -> List {
        let at = |last| [path, &[last]].concat();
        let query = written.query.iter().map(|(key, value)| {
            let place = [path, &["query", key]].concat();
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (self.template(&place, key, known), self.template(&place, &text, known))
        });
        let query = query.collect();
        let body = written.body.as_ref().map(|body| BodyTemplate::parse(body, known)).transpose();
        List {
            method: self.method(&at("method"), &written.method),
            path: self.url_path(&at("path"), &written.path, known),
            query,
            body: self.ok(&at("body"), body),
            records: self.pointer(&at("records"), &written.records),
            next: self.optional_pointer(&at("next"), written.next.as_ref()),
        }
    }

    fn find(&mut self, written: &FindDocument) -> Find {
        let path = ["operations", "find"];
        let list = self.list(&[path[0], path[1], "list"], &written.list, &["field", "value", "page"]);
        let otherwise = written.otherwise.as_ref();
        let otherwise = otherwise.map(|list| self.list(&[path[0], path[1], "otherwise"], list, &["page"]));
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
        let known: &[&str] = if order == Order::Id { &["since", "page"] } else { &["since"] };
        let since = match written.since {
            SinceDocument::Milliseconds => Since::Milliseconds,
            SinceDocument::Rfc3339 => Since::Rfc3339,
        };
        let list = self.list(&at("list"), &written.list, known);
        if list.next.is_none() {
            self.note(&["operations", "changed", "list"], "expected `next`: where an answer says that there is more");
        }
        Changed { order, since, overlap: self.duration(&at("overlap"), &written.overlap), list, ties }
    }

    fn refusals(&mut self, document: &ApplicationDocument) -> Refusals {
        let written = &document.refusals;
        let duplicate = written.duplicate.as_ref().map(|duplicate| {
            let at = |last| ["refusals", "duplicate", last];
            let (before, behind) = duplicate.says.split_once("{id}").unwrap_or_default();
            if before.is_empty() {
                self.note(&at("says"), "expected a text with `{id}` behind a few words that announce it");
            }
            Duplicate {
                status: duplicate.status,
                at: self.optional_pointer(&at("at"), duplicate.at.as_ref()),
                before: before.to_owned(),
                behind: behind.to_owned(),
            }
        });
        let code = self.optional_pointer(&["refusals", "code"], written.code.as_ref());
        Refusals { gone: written.gone.clone(), duplicate, code }
    }

    fn marker(&mut self, document: &ApplicationDocument) -> Option<(HeaderName, Template, Option<Pointer>)> {
        let written = document.echo.operation.as_ref()?;
        let at = |last| ["echo", "operation", last];
        let value = self.expanded(&at("value"), &written.value);
        if !written.value.contains("{operation}") {
            self.note(&at("value"), "expected `{operation}` in it, so that every write has its own");
        }
        if HeaderValue::try_from(&value).is_err() {
            self.note(&at("value"), "expected text that can be sent in a header");
        }
        let header = self.header(&at("header"), &written.header);
        let template = self.template(&at("value"), &value, &["operation"]);
        Some((header, template, self.optional_pointer(&at("event"), written.event.as_ref())))
    }

    fn actor(&mut self, document: &ApplicationDocument) -> Vec<(Pointer, String)> {
        let mut actor = Vec::new();
        for (index, written) in document.echo.actor.iter().enumerate() {
            let index = index.to_string();
            let is = self.expanded(&["echo", "actor", &index, "is"], &written.is);
            actor.push((self.pointer(&["echo", "actor", &index, "event"], &written.event), is));
        }
        actor
    }

    fn webhook(
        &mut self,
        written: &WebhookDocument,
        document: &ApplicationDocument,
        marker: &Option<(HeaderName, Template, Option<Pointer>)>,
        actor: Vec<(Pointer, String)>,
    ) -> Webhook {
        let operation = marker.as_ref().and_then(|(_, template, event)| Some((event.clone()?, template.clone())));
        if operation.is_none() && actor.is_empty() {
            let message = "expected `actor` or an `operation` that comes back in an event: else no echo is recognized";
            self.findings.push(self.tree.key_warning(code::WRONG_DESCRIPTION, &["echo"], message));
        }
        let event = self.event(&written.event, actor, operation);
        let file = &document.application;
        if event.kinds.iter().all(|(_, kind)| kind.is_none()) {
            self.note(&["webhook", "event", "kind"], format!("expected at least one kind of event of {file}"));
        }
        Webhook { signature: self.signature(&written.signature), batch: written.body == BodyDocument::Batch, event }
    }

    fn event(
        &mut self,
        written: &EventDocument,
        actor: Vec<(Pointer, String)>,
        operation: Option<(Pointer, Template)>,
    ) -> EventShape {
        let at = |last| ["webhook", "event", last];
        let kinds = [
            (&written.kind.created, Some(EventKind::Created)),
            (&written.kind.updated, Some(EventKind::Updated)),
            (&written.kind.deleted, Some(EventKind::Deleted)),
            (&written.kind.ignored, None),
        ];
        let kinds = kinds.into_iter().flat_map(|(texts, kind)| texts.iter().map(move |text| (text.clone(), kind)));
        EventShape {
            key: written.key.iter().map(|text| self.pointer(&at("key"), text)).collect(),
            record: self.pointer(&at("record"), &written.record),
            kind: self.pointer(&["webhook", "event", "kind", "at"], &written.kind.at),
            kinds: kinds.collect(),
            field: self.optional_pointer(&at("field"), written.field.as_ref()),
            value: self.optional_pointer(&at("value"), written.value.as_ref()),
            changed: self.optional_pointer(&at("changed"), written.changed.as_ref()),
            actor,
            operation,
        }
    }

    fn signature(&mut self, written: &SignatureDocument) -> SignatureScheme {
        let at = |last| ["webhook", "signature", last];
        let secret = self.expanded(&at("secret"), &written.secret);
        let url = written.url.as_ref().map(|url| self.expanded(&at("url"), url));
        let signs: Vec<Signed> = written
            .signs
            .iter()
            .map(|part| match part {
                SignedDocument::Method => Signed::Method,
                SignedDocument::Url => Signed::Url,
                SignedDocument::Body => Signed::Body,
                SignedDocument::Timestamp => Signed::Timestamp,
            })
            .collect();
        if !signs.contains(&Signed::Body) {
            self.note(&at("signs"), "expected `body` among what is signed");
        }
        if signs.contains(&Signed::Url) && url.is_none() {
            self.note(&at("url"), "expected the URL as it is signed, found none");
        }
        let timestamp = written.timestamp.as_ref().map(|timestamp| {
            let at = |last| ["webhook", "signature", "timestamp", last];
            SignedTime {
                header: self.header(&at("header"), &timestamp.header),
                unit: if timestamp.unit == UnitDocument::Seconds { 1000 } else { 1 },
                tolerance: self.duration(&at("tolerance"), &timestamp.tolerance),
            }
        });
        if signs.contains(&Signed::Timestamp) != timestamp.is_some() {
            // A time that is not signed proves nothing, and one that is signed must be known.
            self.note(&at("timestamp"), "expected `timestamp` both among what is signed and as a header, or neither");
        }
        SignatureScheme {
            header: self.header(&at("header"), &written.header),
            signs,
            encoding: if written.encoding == EncodingDocument::Hex { Encoding::Hex } else { Encoding::Base64 },
            prefix: written.prefix.clone(),
            secret: secret.into(),
            url: url.unwrap_or_default(),
            timestamp,
        }
    }
}

/// Reads `200ms`, `5s`, `3m`, `24h`.
///
/// # Errors
///
/// One line that says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text[..text.len() - unit.len()].parse::<u32>().ok();
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    match (number, millis) {
        (Some(number), Some(millis)) => Ok(Duration::from_millis(u64::from(number) * millis)),
        _ => Err(format!("expected a duration such as `200ms`, `5s`, `3m` or `24h`, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const CRM: &str = include_str!("../../../../topologies/applications/crm.yaml");
    const ERP: &str = include_str!("../../../../topologies/applications/erp.yaml");

    fn secrets() -> Environment {
        Environment::of([
            ("CRM_TOKEN", "crm-token"),
            ("ERP_TOKEN", "erp-token"),
            ("CRM_CLIENT_SECRET", "client-secret"),
            ("ERP_WEBHOOK_SECRET", "webhook-secret"),
        ])
    }

    fn parse(text: &str) -> Description {
        let (description, findings) = Description::parse("a.yaml", text, &secrets());
        assert!(findings.is_empty(), "{findings:?}");
        description.unwrap()
    }

    fn findings_of(text: &str) -> Vec<String> {
        Description::parse("a.yaml", text, &secrets()).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_shipped_descriptions_say_what_the_reference_systems_promise() {
        let (crm, erp) = (parse(CRM), parse(ERP));

        assert_eq!(crm.profile.system, System::new("crm"));
        assert_eq!(crm.profile.class, CapabilityClass::C);
        assert_eq!(crm.profile.index_lag, Duration::from_secs(3));
        assert_eq!(crm.base_url, "http://127.0.0.1:18081");
        assert_eq!(crm.bearer.expose_secret(), "crm-token");
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(erp.profile.class, CapabilityClass::B { ttl: day, margin: Duration::from_secs(3600) });
        assert_eq!(erp.key_header.unwrap(), "idempotency-key");
        let webhook = crm.webhook.unwrap();
        assert!(webhook.batch);
        assert_eq!(webhook.signature.url, "http://127.0.0.1:18090/webhooks/crm");
        assert_eq!(webhook.event.actor[1].1, "4242");
    }

    #[test]
    fn the_environment_alone_points_them_at_other_servers() {
        let environment = Environment::of([
            ("CRM_TOKEN", "t"),
            ("CRM_CLIENT_SECRET", "s"),
            ("CRM_BASE_URL", "https://crm.test/api/"),
            ("CRM_APP_ID", "99"),
            ("CRM_WEBHOOK_URL", "https://here.test/hook"),
            ("SYNC_ORIGIN", "mine"),
        ]);

        let (crm, findings) = Description::parse("crm.yaml", CRM, &environment);
        let crm = crm.unwrap();

        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(crm.base_url, "https://crm.test/api");
        assert!(crm.is_tls());
        assert_eq!(crm.marker.unwrap().1.fill(&[("operation", "7")]).unwrap(), "mine/7");
        let webhook = crm.webhook.unwrap();
        assert_eq!(
            (webhook.signature.url.as_str(), webhook.event.actor[1].1.as_str()),
            ("https://here.test/hook", "99")
        );
    }

    #[test]
    fn a_missing_secret_is_an_error_that_names_variable_file_and_key() {
        let (_, findings) = Description::parse("topologies/applications/crm.yaml", CRM, &Environment::of([]));

        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("topologies/applications/crm.yaml:7:"), "{}", lines[0]);
        assert!(lines[0].contains("CRM_TOKEN is not set; `auth.bearer` needs it"), "{}", lines[0]);
        assert!(lines[1].contains("CRM_CLIENT_SECRET"), "{}", lines[1]);
        assert!(findings.iter().all(|finding| finding.code == code::MISSING_VARIABLE && finding.is_error()));
        assert!(Description::parse("crm.yaml", CRM, &Environment::lenient()).1.is_empty());
    }

    #[test]
    fn a_secret_is_in_no_debug_output() {
        let shown = format!("{:?}", parse(CRM));

        assert!(!shown.contains("crm-token") && !shown.contains("client-secret"), "{shown}");
    }

    #[test]
    fn what_means_nothing_is_said_at_its_place() {
        for (from, to, message) in [
            ("deadline: 3s", "deadline: 3 seconds", "expected a duration such as"),
            ("method: PATCH", "method: FETCH", "expected GET, POST, PUT or PATCH, found `FETCH`"),
            ("path: \"/customers/{id}\"", "path: \"/customers/{ID}\"", "known places: {id}"),
            ("path: /customers", "path: customers", "begins with `/`"),
            ("version: /updated_at", "version: updated_at", "expected a JSON pointer"),
            ("header: X-Signature", "header: \"X Signature\"", "expected the name of a header"),
            ("pairline}/{operation}", "pairline}", "expected `{operation}`"),
            ("signs: [body]", "signs: [timestamp]", "expected `body` among"),
            ("signs: [body]", "signs: [url, body]", "expected the URL as it is signed"),
            ("signs: [body]", "signs: [body, timestamp]", "or neither"),
            ("order: id", "order: time", "expected `ties`"),
            ("margin: 1h", "margin: 24h", "expected a margin shorter"),
            ("whole: true", "whole: true\n  hole: true", "no key `hole`"),
            ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "ftp://x", "expected an http or https URL"),
        ] {
            let text = ERP.replacen(from, to, 1);
            assert_ne!(text, ERP, "{from}");

            let findings = findings_of(&text);

            assert!(findings.iter().any(|finding| finding.contains(message)), "{to}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.starts_with("a.yaml:")), "{findings:?}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["", "5", "s", "-5s", "5 s", "99999999999s", "5d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
