//! What a system looks like: an application description, checked and ready to be used.
//!
//! Everything the program knows about a particular system is here, and it is data. Nothing in this room calls a system;
//! it looks at a text and at variables of the environment.

mod auth;
mod check;
mod delete;
mod document;
mod errors;
mod examples;
mod operations;
mod paging;
#[cfg(test)]
mod schema;
mod signature;
mod subscriptions;
mod webhook;
mod written_secrets;

use std::collections::BTreeSet;

use axum::http::HeaderName;
use pairline_sdk::{Profile, Record, System, Write};
use secrecy::ExposeSecret;

use super::environment::Environment;
use super::errors::Errors;
use super::record_shape::RecordShape;
use super::secrets::{HIDDEN, Secrets};
use super::template::Template;
use super::transport::Call;
use crate::finding::Finding;
use crate::yaml::Tree;
pub(super) use auth::{Auth, Credentials, HmacAuth, Oauth2, Refresh, SessionAuth};
use check::Check;
pub(crate) use check::system_name;
use document::ApplicationDocument;
pub(super) use operations::{Changed, List, Operations, Since, WriteCall};
pub(super) use paging::{Full, Next};
pub use signature::{Encoding, SignatureScheme, Signed, SignedHeader, SignedTime};
pub(crate) use subscriptions::{Missed, Subscription, Subscriptions};
pub use webhook::{EventShape, Webhook};
pub(crate) use written_secrets::{WrittenSecret, written_secrets};

/// The codes of findings in application descriptions.
pub mod code {
    /// An environment variable is missing.
    pub const MISSING_VARIABLE: &str = "PL0401";
    /// A value means nothing here.
    pub const WRONG_DESCRIPTION: &str = "PL0402";
    /// A pointer finds nothing in an example of what the system says.
    pub const WRONG_EXAMPLE: &str = "PL0403";
}

/// A system, as its description says.
#[derive(Clone, Debug)]
pub struct Description {
    /// What it is.
    pub about: String,
    /// Its name, and what it promises.
    pub profile: Profile,
    /// The URL its paths stand below, without a slash at the end.
    pub(super) base_url: String,
    /// Whether the name in it may lead to an address that is none of the public internet.
    pub(super) private_network: bool,
    /// What may not be repeated of all this.
    pub(crate) secrets: Secrets,
    /// What its calls are believed by.
    pub(super) auth: Credentials,
    /// The header that takes an idempotency key.
    pub(super) key_header: Option<HeaderName>,
    /// Where an answer holds a record's parts.
    pub(super) record: RecordShape,
    /// The fields that are wanted of every record.
    pub(super) wanted: BTreeSet<String>,
    /// How it is called.
    pub(super) operations: Operations,
    /// What its answers mean.
    pub(super) errors: Errors,
    /// The header that carries our operation id.
    pub(super) marker: Option<(HeaderName, Template)>,
    /// Its webhooks, if it sends any.
    pub(crate) webhook: Option<Webhook>,
    /// What is not exceeded.
    pub(crate) limits: Limits,
}

/// What is not exceeded with a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Calls at once.
    pub(crate) in_flight: usize,
    /// Bytes of an answer.
    pub(crate) response_bytes: usize,
    /// Bytes of a delivery.
    pub(crate) body_bytes: usize,
    /// Objects and lists within each other, in answers and deliveries.
    pub(crate) depth: usize,
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
        let (description, findings) = Check::new(&tree, environment, findings).description(document);
        (Some(description), findings)
    }

    /// Its name.
    pub fn system(&self) -> &System {
        &self.profile.system
    }

    /// The URL its paths stand below.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether this token is sent with its calls.
    pub(crate) fn sends(&self, token: &str) -> bool {
        self.auth.sends(token)
    }

    /// Names fields that are wanted of every record that is read. Where a system does not name every field that has a value,
    /// an answer without one of them says nothing of it, and must not be taken for a value that was emptied.
    pub(crate) fn want<'n>(&mut self, fields: impl IntoIterator<Item = &'n str>) {
        self.wanted.extend(fields.into_iter().map(str::to_owned));
    }

    /// A wanted field of which a record says nothing.
    pub(super) fn untold(&self, record: &Record) -> Option<&str> {
        let is_formed = |name: &str| self.record.forms.iter().any(|form| form.name == name);
        let mut untold = self.wanted.iter().filter(|name| !record.fields.contains_key(*name) && !is_formed(name));
        untold.next().filter(|_| !self.record.whole).map(String::as_str)
    }

    /// Whether a field is not read.
    pub(crate) fn leaves_out(&self, field: &str) -> bool {
        let answered = self.answered(field);
        let outer = answered.split('.').next().unwrap_or(answered);
        self.record.leave_out.contains(outer) && !self.record.forms.iter().any(|form| form.name == field)
    }

    /// What a field is called in answers and events.
    pub(crate) fn answered<'a>(&'a self, field: &'a str) -> &'a str {
        self.record.renamed.answered(field)
    }

    /// Whether it can be asked what has changed.
    pub(crate) fn lists_changes(&self) -> bool {
        self.operations.changed.is_some()
    }

    /// The fields that can be looked for, where this one cannot be.
    pub(crate) fn cannot_find_by(&self, field: &str) -> Option<&[String]> {
        let find = self.operations.find.as_ref()?;
        let known = find.fields.as_deref().filter(|_| find.otherwise.is_none())?;
        (!known.iter().any(|known| known == field)).then_some(known)
    }

    /// Whether a call signs in: what is in it and what it is answered are secrets from the first byte to the last.
    pub(crate) fn is_sign_in(&self, call: &Call) -> bool {
        match &self.auth.kind {
            Auth::Header { .. } | Auth::Hmac(_) => false,
            // Other calls may go to the same place.
            Auth::Session(session) => call.body.as_deref() == Some(session.body.expose_secret().as_bytes()),
            Auth::Oauth2(oauth2) => call.url == oauth2.url,
        }
    }

    /// The headers of a write that are its own: what it is believed by, and what tells it from every other, each as a word.
    pub(crate) fn headers_of(&self, write: &Write) -> Vec<(String, String)> {
        let (call, is_create) = match write {
            Write::Create { .. } => (&self.operations.create, true),
            Write::Update { .. } => (&self.operations.update, false),
        };
        let kind = if call.is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut headers = vec![self.credential_as_shown(), ("content-type".to_owned(), kind.to_owned())];
        let marker = self.marker.iter().filter_map(|(name, template)| {
            Some((name.to_string(), template.fill(&[("operation", "(the id of the operation)")])?))
        });
        headers.extend(marker);
        let key = self.key_header.iter().filter(|_| is_create);
        headers.extend(key.map(|name| (name.to_string(), "(the key of the create)".to_owned())));
        headers
    }

    /// Whether signing in may bring a token that is to be kept.
    pub(crate) fn keeps_a_token(&self) -> bool {
        self.auth.kind.kept_token().is_some()
    }

    /// The headers that a record is removed with, each as a word.
    pub(crate) fn headers_of_delete(&self) -> Vec<(String, String)> {
        let has_body = self.operations.delete.as_ref().is_some_and(|delete| delete.body.is_some());
        let kind = has_body.then(|| ("content-type".to_owned(), "application/json".to_owned()));
        [self.credential_as_shown()].into_iter().chain(kind).collect()
    }

    /// The header that every call is believed by, without what it says.
    fn credential_as_shown(&self) -> (String, String) {
        let header = match &self.auth.kind {
            Auth::Header { name, .. } => name.as_str(),
            Auth::Hmac(hmac) => hmac.header.as_str(),
            Auth::Session(session) => session.header.as_str(),
            Auth::Oauth2(_) => "authorization",
        };
        (header.to_owned(), HIDDEN.to_owned())
    }

    /// Whether an update says which version of the record it was decided by.
    pub(crate) fn binds_updates(&self) -> bool {
        self.operations.update.is_bound()
    }

    /// Whether it says how a record is removed.
    pub(crate) fn deletes(&self) -> bool {
        self.operations.delete.is_some()
    }

    /// What to look at when its credentials are refused: variables, or a key of the description.
    pub(crate) fn credentials_are_from(&self) -> &str {
        self.auth.is_from()
    }

    /// Whether its webhooks are signed with this secret; nothing when it sends none.
    pub(crate) fn is_signed_with(&self, secret: &str) -> Option<bool> {
        let keys = self.webhook.as_ref().map(|webhook| &webhook.signature.keys);
        keys.map(|keys| keys.iter().any(|key| key.expose_secret() == secret.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pairline_sdk::CapabilityClass;

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
        assert!(crm.sends("crm-token"));
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
    fn a_url_that_is_all_variable_is_not_missed_where_variables_are_unknown() {
        let text = ERP.replacen("${ERP_BASE_URL:-http://127.0.0.1:18082}", "${ERP_BASE_URL}", 1);

        let (_, findings) = Description::parse("a.yaml", &text, &Environment::lenient());

        assert!(findings.is_empty(), "{findings:?}");
        assert!(!Description::parse("a.yaml", &text, &Environment::of([("ERP_BASE_URL", "erp")])).1.is_empty());
        let oauth2 = r#"oauth2: { token_url: "${TOKEN_URL}", client_id: us, client_secret: "${ERP_TOKEN}" }"#;
        let text = ERP.replacen(r#"bearer: "${ERP_TOKEN}""#, oauth2, 1);
        assert_ne!(text, ERP);
        assert_eq!(Description::parse("a.yaml", &text, &Environment::lenient()).1, []);
        let secrets = [("ERP_TOKEN", "t"), ("ERP_WEBHOOK_SECRET", "s"), ("TOKEN_URL", "token")];
        let findings = Description::parse("a.yaml", &text, &Environment::of(secrets)).1;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().contains("it comes from TOKEN_URL"), "{findings:?}");
    }

    #[test]
    fn a_call_that_is_always_the_same_is_no_call_for_a_record() {
        for (from, to, place) in [
            (r#"read: { method: GET, path: "/customers/{id}" }"#, "read: { method: GET, path: /customers }", "{id}"),
            (r#"update: { method: PATCH, path: "/customers/{id}" }"#, "update: { method: PATCH, path: /x }", "{id}"),
            (r#"limit: 500, cursor: "{page}" }"#, "limit: 500 }", "{page}"),
            (r#"updated_since: "{since}", "#, "", "{since}"),
            (r#""{field}": "{value}", "#, "", "{value}"),
        ] {
            let text = ERP.replacen(from, to, 1);
            assert_ne!(text, ERP, "{from}");

            let findings = findings_of(&text);

            assert!(findings.iter().any(|finding| finding.contains(place)), "{to}: {findings:?}");
        }
    }

    #[test]
    fn an_update_cannot_be_bound_to_a_version_that_no_record_has() {
        let bound = r#"update: { precondition: { header: If-Match, value: "{version}" }, "#;
        let text = ERP.replacen("update: { ", bound, 1);
        let without = text.replacen("  version: /updated_at\n", "", 1);

        assert_eq!(findings_of(&text), [] as [&str; 0]);
        assert!(findings_of(&without).iter().any(|finding| finding.contains("expected `record.version`")));
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
            ("event: /origin", "", "expected `echo.operation.event`, too"),
            (
                "method: PATCH,",
                "precondition: { header: If-Match, value: v1 }, method: PATCH,",
                "expected `{version}` somewhere",
            ),
            (
                "method: POST, path: /customers }",
                "method: POST, path: /customers, precondition: { header: If-Match, value: \"{version}\" } }",
                "where a record is changed",
            ),
            ("header: X-Signature", "header: \"X Signature\"", "expected the name of a header"),
            ("pairline}/{operation}", "pairline}", "expected `{operation}`"),
            ("${ERP_WEBHOOK_SECRET}", "\"\"", "expected a secret"),
            ("\"{body}\"", "\"{timestamp}\"", "expected `{body}` among"),
            ("\"{body}\"", "\"{url}{body}\"", "expected the URL as it is signed"),
            ("\"{body}\"", "\"{body}{timestamp}\"", "or neither"),
            ("\"{body}\"", "\"{body}{id}\"", "known places: {method}, {url}, {body}, {timestamp}, {header NAME}"),
            ("\"{body}\"", "\"{body\"", "expected a `}`"),
            ("prefix: \"sha256=\"", "separator: \"\"", "expected what stands between the items"),
            ("prefix: \"sha256=\"", "secret_prefix: whsec_", "expected `whsec_` and then any text"),
            ("prefix: \"sha256=\"", "secret_encoding: hex", "expected `` and then hex"),
            ("path: /customers }", "path: /customers, id: { header: Location, after: \"\" } }", "before the id"),
            ("\"{field}\": \"{value}\"", "\"{field}\": {value}", "a place stands in quotes, as in `\"{value}\"`"),
            ("path: /customers }", "path: \"${X}/customers\" }", "expected text without variables"),
            ("order: id", "order: time", "expected `ties`"),
            ("    since: rfc3339\n", "", "known places: {page}"),
            ("order: id\n    since: rfc3339", "order: time", "expected `since` for a listing by time"),
            ("margin: 1h", "margin: 24h", "expected a margin shorter"),
            ("whole: true", "whole: true\n  hole: true", "no key `hole`"),
            ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "ftp://x", "expected an http or https URL"),
            ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "http://x/?a=b", "found one with a `?`"),
            ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "http://a:b@x", "found one with a user or a password"),
            ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "http://x:port", "found `http://` before something"),
            ("${ERP_BASE_URL:-http://127.0.0.1:18082}", "erp.test:80", "found `erp.test:80`, which lacks"),
        ] {
            let text = ERP.replacen(from, to, 1);
            assert_ne!(text, ERP, "{from}");

            let findings = findings_of(&text);

            assert!(findings.iter().any(|finding| finding.contains(message)), "{to}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.starts_with("a.yaml:")), "{findings:?}");
        }
    }
}
