//! From what is written to what is meant: every value is looked at, and a finding stops nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use pairline_sdk::{CapabilityClass, Profile, System};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::document::{
    ApplicationDocument, EchoDocument, FormDocument, LimitsDocument, OperationEchoDocument, RecordDocument,
    SaysDocument, UnitDocument,
};
use super::{Description, Limits, code, written_secrets};
use crate::application::environment::Environment;
use crate::application::form::{Form, VALUE};
use crate::application::pointer::Pointer;
use crate::application::record_shape::{RecordShape, Renamed, Says};
use crate::application::secrets::Secrets;
use crate::application::template::{BodyTemplate, Template};
use crate::finding::{Finding, suggest};
use crate::units::duration;
use crate::yaml::Tree;

/// The JSON reader gives up at 128 levels, whatever a description says.
const DEEPEST: usize = 100;

/// Turns what is written into what is meant, and notes everything that means nothing.
pub(super) struct Check<'a> {
    tree: &'a Tree,
    pub(super) environment: &'a Environment,
    findings: Vec<Finding>,
}

/// How our own writes are known again.
#[derive(Default)]
pub(super) struct Echo {
    /// The header that carries our operation id.
    marker: Option<(HeaderName, Template)>,
    /// Our marker as it comes back in an event.
    pub(super) operation: Option<(Pointer, Template)>,
    /// Whether one event may tell of several writes.
    pub(super) of_several: bool,
    /// What all must be in an event for the actor to be us.
    pub(super) actor: Vec<(Pointer, String)>,
}

/// What a text is instead of the URL that a system's paths stand below; nothing if it is one. A token that was put there
/// by mistake, or the password within a URL, is not repeated.
pub(super) fn no_base_url(text: &str) -> Option<String> {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| text.starts_with(scheme));
    match (reqwest::Url::parse(text), scheme) {
        // Nobody would send them, and they would be shown wherever the address is.
        (Ok(url), Some(_)) if !url.username().is_empty() || url.password().is_some() => {
            Some("one with a user or a password".to_owned())
        }
        (Ok(url), Some(_)) if url.query().is_none() && url.fragment().is_none() => None,
        (Ok(_), Some(_)) => Some("one with a `?` or a `#`".to_owned()),
        (Err(error), Some(scheme)) => Some(format!("`{scheme}` before something that is no address ({error})")),
        (_, None) if is_address(text) => Some(format!("`{text}`, which lacks `http://`")),
        (_, None) => Some("a text that does not begin with `http://` or `https://`".to_owned()),
    }
}

/// Whether a system can have this name, as it stands in `crm:101` and in the paths of webhooks.
///
/// # Errors
///
/// One line that says what a name looks like.
pub(crate) fn system_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!("expected a name of small letters, digits and `-`, found `{name}`"))
}

/// `localhost:18081`: nothing that anybody keeps secret.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let is_port = |port: &str| port.len() <= 5 && port.parse::<u16>().is_ok();
    text.split_once(':').is_some_and(|(host, port)| !host.is_empty() && host.chars().all(plain) && is_port(port))
}

impl<'a> Check<'a> {
    /// Adds to the findings that there are already.
    pub(super) fn new(tree: &'a Tree, environment: &'a Environment, findings: Vec<Finding>) -> Self {
        Self { tree, environment, findings }
    }

    /// The description, and every finding.
    pub(super) fn description(mut self, mut document: ApplicationDocument) -> (Description, Vec<Finding>) {
        let examples = std::mem::take(&mut document.examples);
        let description = self.whole(document);
        self.examples(&description, &examples);
        (description, self.findings)
    }
}

impl Check<'_> {
    pub(super) fn note(&mut self, path: &[&str], message: impl Into<String>) {
        self.findings.push(self.tree.error(code::WRONG_DESCRIPTION, path, message));
    }

    pub(super) fn warn(&mut self, path: &[&str], message: &str) {
        self.findings.push(self.tree.key_warning(code::WRONG_DESCRIPTION, path, message));
    }

    /// Whether there is something that it must not be used with.
    pub(super) fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// Whether a key is written.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.tree.has(path)
    }

    /// A pointer finds nothing in an example, where there are these places; both are shown.
    pub(super) fn finds_nothing(&mut self, path: &[&str], what: &str, known: &[String], example: &[&str]) {
        let written = (0..=path.len()).rev().find_map(|depth| self.tree.text(&path[..depth])).unwrap_or_default();
        let at = if written.is_empty() { String::new() } else { format!(" at `{written}`") };
        let message = format!("expected {what}{at} in the example, found none");
        let last = |pointer: &str| pointer.rsplit('/').next().unwrap_or_default().to_lowercase();
        let is_deeper = |known: &str| known.strip_prefix(written).is_some_and(|rest| rest.starts_with('/'));
        let is_near = |known: &&String| last(known) == last(written) || (!written.is_empty() && is_deeper(known));
        let mut namesakes = known.iter().filter(is_near);
        let help = match (namesakes.next(), namesakes.next()) {
            (Some(one), None) => format!("did you mean `{one}`?"),
            _ => suggest(written, known.iter().map(String::as_str), "places in it"),
        };
        let finding = self.tree.error(code::WRONG_EXAMPLE, path, message).help(help);
        let is_known = |known: &Finding| known.place == finding.place && known.code == finding.code;
        if self.findings.iter().any(is_known) {
            // Every example would tell of the same pointer.
            return;
        }
        self.findings.push(finding.related(&self.tree.source().file, self.tree.place(example), "the example is here"));
    }

    pub(super) fn ok<T: Default>(&mut self, path: &[&str], result: Result<T, String>) -> T {
        result.unwrap_or_else(|message| {
            self.note(path, message);
            T::default()
        })
    }

    pub(super) fn expanded(&mut self, path: &[&str], text: &str) -> String {
        self.environment.expand(text).unwrap_or_else(|message| {
            let message = format!("{message}; `{}` needs it", path.join("."));
            self.findings.push(self.tree.error(code::MISSING_VARIABLE, path, message));
            String::new()
        })
    }

    pub(super) fn pointer(&mut self, path: &[&str], text: &str) -> Pointer {
        self.ok(path, Pointer::parse(text))
    }

    pub(super) fn optional_pointer(&mut self, path: &[&str], text: Option<&String>) -> Option<Pointer> {
        text.map(|text| self.pointer(path, text))
    }

    pub(super) fn duration(&mut self, path: &[&str], text: &str) -> Duration {
        self.ok(path, duration(text))
    }

    pub(super) fn method(&mut self, path: &[&str], text: &str) -> Method {
        self.method_among(path, text, &[Method::GET, Method::POST, Method::PUT, Method::PATCH])
    }

    /// One of these; the first of them where it is none.
    pub(super) fn method_among(&mut self, path: &[&str], text: &str, known: &[Method; 4]) -> Method {
        let method = known.iter().find(|method| method.as_str() == text);
        let [first, second, third, last] = known;
        method
            .unwrap_or_else(|| {
                self.note(path, format!("expected {first}, {second}, {third} or {last}, found `{text}`"));
                first
            })
            .clone()
    }

    pub(super) fn header(&mut self, path: &[&str], text: &str) -> HeaderName {
        text.parse().unwrap_or_else(|_| {
            self.note(path, format!("expected the name of a header, found `{text}`"));
            HeaderName::from_static("x-unknown")
        })
    }

    pub(super) fn template(&mut self, path: &[&str], text: &str, known: &[&str]) -> Template {
        Template::parse(text, known).unwrap_or_else(|message| {
            let no_variables = "expected text without variables, which are for `base_url` and what is secret";
            self.note(path, if text.contains("${") { format!("{no_variables}; found `{text}`") } else { message });
            Template::mistaken(text)
        })
    }

    pub(super) fn url_path(&mut self, path: &[&str], text: &str, known: &[&str]) -> Template {
        if !text.starts_with('/') && !text.starts_with("${") {
            self.note(path, format!("expected a path that begins with `/`, found `{text}`"));
        }
        self.template(path, text, known)
    }

    fn whole(&mut self, document: ApplicationDocument) -> Description {
        let name = &document.application;
        self.ok(&["application"], system_name(name));
        let base_url = self.base_url(&document.base_url);
        let auth = self.auth(name, &document.auth);
        let written = written_secrets(self.tree, self.environment);
        let secrets = Secrets::new(written.iter().map(|one| one.value.expose_secret().to_owned()));
        let (class, index_lag, key_header) = self.capabilities(&document);
        let profile = Profile {
            system: System::new(name),
            class,
            deadline: self.duration(&["capabilities", "deadline"], &document.capabilities.deadline),
            request_life: self.duration(&["capabilities", "request_life"], &document.capabilities.request_life),
            index_lag,
        };
        let limits = self.limits(&document.limits);
        let mut echo = self.echo(&document.echo);
        echo.of_several = !document.capabilities.one_event_per_write;
        if document.capabilities.one_event_per_write && echo.operation.is_none() {
            let message =
                "expected `echo.operation.event`, too: what it says is used for an event that names our write";
            self.note(&["capabilities", "one_event_per_write"], message);
        }
        let operations = self.operations(&document.operations);
        let errors = self.errors(&document.errors);
        Description {
            profile,
            base_url,
            private_network: document.private_network,
            auth,
            secrets,
            key_header,
            record: self.record(&document.record),
            wanted: BTreeSet::new(),
            operations,
            errors,
            marker: echo.marker.take(),
            webhook: document
                .webhook
                .as_ref()
                .map(|webhook| self.webhook(webhook, name, echo, &document.record.renamed)),
            limits,
            about: document.about,
        }
    }

    fn base_url(&mut self, text: &str) -> String {
        let url = self.expanded(&["base_url"], text);
        self.url(&["base_url"], text, url.trim_end_matches('/'))
    }

    /// A URL that a text has become.
    pub(super) fn url(&mut self, path: &[&str], text: &str, url: &str) -> String {
        // The name of a variable stands for its value where that is not known, and with it for the scheme.
        let is_unknown = self.environment.is_lenient() && text.starts_with("${") && !text.contains(":-");
        let url = if is_unknown { format!("http://{}", url.to_lowercase()) } else { url.to_owned() };
        if let Some(found) = no_base_url(&url).filter(|_| !url.is_empty()) {
            let from = self.comes_from(text);
            self.note(path, format!("expected an http or https URL without a query, found {found}{from}"));
        }
        url
    }

    /// Which variable to look at when a text means nothing.
    pub(super) fn comes_from(&self, text: &str) -> String {
        let variables = self.environment.sources(text);
        if variables.is_empty() { String::new() } else { format!("; it comes from {}", variables.join(" and ")) }
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
        if written.upsert && !document.operations.create.path.contains("{field ") {
            self.note(
                &["capabilities", "upsert"],
                "expected a create whose path names the record by a field of ours, as in `/people/by-crm-id/{field crm_id}`",
            );
        }
        let fenced = written.upsert || written.unique_field.is_some();
        let class = match (fenced, &key, lag) {
            (true, ..) => CapabilityClass::A,
            (false, Some((ttl, margin, _)), _) => CapabilityClass::B { ttl: *ttl, margin: *margin },
            (false, None, Some(_)) => CapabilityClass::C,
            (false, None, None) => CapabilityClass::D,
        };
        (class, lag.unwrap_or_default(), key.map(|(_, _, header)| header))
    }

    fn limits(&mut self, written: &LimitsDocument) -> Limits {
        let usual = Limits::default();
        let limits = Limits {
            in_flight: written.in_flight.unwrap_or(usual.in_flight),
            response_bytes: written.response_bytes.unwrap_or(usual.response_bytes),
            body_bytes: written.body_bytes.unwrap_or(usual.body_bytes),
            depth: written.depth.unwrap_or(usual.depth).min(DEEPEST),
        };
        for (name, value) in [("in_flight", limits.in_flight), ("depth", limits.depth)] {
            if value == 0 {
                self.note(&["limits", name], "expected at least 1, found 0");
            }
        }
        limits
    }

    fn record(&mut self, written: &RecordDocument) -> RecordShape {
        let at = |last| ["record", last];
        let modified = written.modified.iter().map(|text| self.pointer(&at("modified"), text)).collect();
        RecordShape {
            id: self.pointer(&at("id"), &written.id),
            version: self.optional_pointer(&at("version"), written.version.as_ref()),
            modified,
            in_seconds: written.modified_in == UnitDocument::Seconds,
            fields: self.pointer(&at("fields"), &written.fields),
            leave_out: written.leave_out.iter().cloned().collect(),
            renamed: Renamed::new(&written.renamed),
            forms: written.forms.iter().map(|(name, form)| self.form(name, form)).collect(),
            whole: written.whole,
            gone: written.gone.as_ref().map(|gone| self.said_at(&at("gone"), gone)),
            error: self.optional_pointer(&at("error"), written.error.as_ref()),
        }
    }

    pub(super) fn said_at(&mut self, path: &[&str], written: &SaysDocument) -> Says {
        Says { at: self.pointer(&[path, &["at"]].concat(), &written.at), is: written.is.clone() }
    }

    fn form(&mut self, name: &str, written: &FormDocument) -> Form {
        let at = |last| ["record", "forms", name, last];
        if !written.is.contains("{value}") {
            self.note(&at("is"), "expected `{value}` in it, and perhaps a text before it");
        }
        let sent = BodyTemplate::parse(&Value::Object(written.sent.clone()), &[VALUE]);
        let sent = sent.map_err(|message| self.note(&at("sent"), message));
        Form {
            name: name.to_owned(),
            at: self.pointer(&at("at"), &written.at),
            each: self.optional_pointer(&at("each"), written.each.as_ref()),
            is: self.template(&at("is"), &written.is, &[VALUE]),
            sent: sent.unwrap_or(BodyTemplate::Value(Value::Null)),
        }
    }

    fn echo(&mut self, written: &EchoDocument) -> Echo {
        let mut echo = Echo::default();
        if let Some(operation) = &written.operation {
            let (header, template) = self.marker(operation);
            let event = self.optional_pointer(&["echo", "operation", "event"], operation.event.as_ref());
            echo.operation = event.map(|event| (event, template.clone()));
            echo.marker = Some((header, template));
        }
        for (index, part) in written.actor.iter().enumerate() {
            let index = index.to_string();
            let at = |last| ["echo", "actor", &index, last];
            let is = self.expanded(&at("is"), &part.is);
            echo.actor.push((self.pointer(&at("event"), &part.event), is));
        }
        echo
    }

    fn marker(&mut self, written: &OperationEchoDocument) -> (HeaderName, Template) {
        let at = |last| ["echo", "operation", last];
        let value = self.expanded(&at("value"), &written.value);
        if !written.value.contains("{operation}") {
            self.note(&at("value"), "expected `{operation}` in it, so that every write has its own");
        }
        if HeaderValue::try_from(&value).is_err() {
            self.note(&at("value"), "expected text that can be sent in a header");
        }
        let header = self.header(&at("header"), &written.header);
        let template = Template::parse(&value, &["operation"]).unwrap_or_else(|message| {
            // What a variable holds may be a secret that was put into the wrong one.
            let from = self.comes_from(&written.value);
            let unnamed = || format!("expected no place but `{{operation}}` and every brace closed{from}");
            self.note(&at("value"), if from.is_empty() { message } else { unnamed() });
            Template::parse("", &[]).expect("an empty text has no places")
        });
        (header, template)
    }
}
