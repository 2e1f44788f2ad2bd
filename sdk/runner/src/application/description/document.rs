//! An application description as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::application::errors::Means;

/// A system, as the sync sees it.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationDocument {
    /// The system's name, as in `crm:101` and `/webhooks/crm`: small letters, digits and `-`.
    pub(super) application: String,
    /// One sentence for people.
    pub(super) about: String,
    /// The URL that its paths stand below. Calls go to no other host.
    pub(super) base_url: String,
    /// Whether the name in `base_url` may lead to an address that is none of the public internet.
    #[serde(default)]
    pub(super) private_network: bool,
    /// What every call is believed by: one of these.
    pub(super) auth: AuthDocument,
    /// What the system promises. It decides how a create is taken up again whose answer was lost.
    pub(super) capabilities: CapabilitiesDocument,
    /// Where an answer holds a record's parts.
    pub(super) record: RecordDocument,
    /// How it is called.
    pub(super) operations: OperationsDocument,
    /// What answers mean that mean something else than their status does.
    #[serde(default)]
    pub(super) errors: ErrorsDocument,
    /// How our own writes come back in its events.
    pub(super) echo: EchoDocument,
    /// Its webhooks, which go to `/webhooks/<application>`; without it, it sends none.
    pub(super) webhook: Option<WebhookDocument>,
    /// What is not exceeded.
    #[serde(default)]
    pub(super) limits: LimitsDocument,
    /// What the system says, as its documentation shows it. `check` reads it as it would be read at work.
    #[serde(default)]
    pub(super) examples: Vec<ExampleDocument>,
}

/// What every call is believed by: one of these.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AuthDocument {
    /// A token, sent as `Authorization: Bearer`.
    pub(super) bearer: Option<String>,
    /// A name and a password, sent as `Authorization: Basic`.
    pub(super) basic: Option<BasicDocument>,
    /// Any header, as for an API key.
    pub(super) header: Option<HeaderDocument>,
    /// A signature over every call.
    pub(super) hmac: Option<HmacDocument>,
    /// Signing in at the system itself.
    pub(super) session: Option<SessionDocument>,
    /// A token server, which gives a bearer token.
    pub(super) oauth2: Option<Oauth2Document>,
}

/// A name and a password.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BasicDocument {
    /// The name, without a `:`.
    pub(super) user: String,
    /// The password.
    pub(super) password: String,
}

/// Any header.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderDocument {
    /// The name of the header.
    pub(super) name: String,
    /// Its value.
    pub(super) value: String,
}

/// A signature over every call, made with a key that is never sent.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct HmacDocument {
    /// The header of the signature.
    #[serde(default = "authorization")]
    pub(super) header: String,
    /// Its value, with `{signature}` in it.
    #[serde(default = "signature")]
    pub(super) value: String,
    /// There is one; it is written so that a second one needs no guess.
    #[expect(dead_code, reason = "there is one algorithm so far")]
    pub(super) algorithm: AlgorithmDocument,
    /// What is signed: `{method}`, `{url}`, `{path}` with the query, `{timestamp}`, `{body}`, and text.
    pub(super) signs: String,
    /// How the signature is written.
    pub(super) encoding: EncodingDocument,
    /// The key.
    pub(super) secret: String,
    /// A header with the time that it is signed at.
    pub(super) timestamp: Option<SigningTimeDocument>,
}

fn signature() -> String {
    "{signature}".to_owned()
}

/// A header with the time that a call is signed at.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SigningTimeDocument {
    /// The header.
    pub(super) header: String,
    /// What it counts.
    pub(super) unit: UnitDocument,
}

/// Signing in: one call for all, and again when the session is not known any more.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SessionDocument {
    /// The path that is posted to.
    pub(super) path: String,
    /// What is posted, as JSON.
    pub(super) body: Value,
    /// What is taken from the answer: names and pointers.
    pub(super) take: BTreeMap<String, String>,
    /// The header of every call after it.
    #[serde(default = "authorization")]
    pub(super) header: String,
    /// What stands before its value.
    #[serde(default)]
    pub(super) prefix: String,
    /// Its value, with places for what was taken.
    pub(super) value: String,
    /// How the value is written, if not as it is.
    pub(super) encoding: Option<EncodingDocument>,
}

fn authorization() -> String {
    "Authorization".to_owned()
}

/// A token that is got from a token server.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Oauth2Document {
    /// Where.
    pub(super) token_url: String,
    /// Who we are.
    pub(super) client_id: String,
    /// Our secret.
    pub(super) client_secret: String,
    /// What the token is got for; without it, it is our own. Another one that the server gives takes its place and is kept.
    pub(super) refresh_token: Option<String>,
    /// What is asked for.
    pub(super) scope: Option<String>,
}

/// What the system promises, not what it usually does.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilitiesDocument {
    /// A field whose value no two records have: a second one is refused.
    pub(super) unique_field: Option<String>,
    /// Whether a create whose path names a field of ours finds the record that is there.
    #[serde(default)]
    pub(super) upsert: bool,
    /// A header with which a create that comes again makes no second record.
    pub(super) idempotency_key: Option<KeyDocument>,
    /// Whether records can be looked for, and how soon one is found.
    pub(super) find: Option<IndexDocument>,
    /// Whether each write has an event of its own, so that one that names our operation tells of nothing else.
    #[serde(default)]
    pub(super) one_event_per_write: bool,
    /// A call is given up after this time: `5s`.
    pub(super) deadline: String,
    /// A request that was given up may be applied for so long: `60s`.
    pub(super) request_life: String,
}

/// An idempotency key.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct KeyDocument {
    /// The header that it is sent in.
    pub(super) header: String,
    /// How long the system remembers a key: `24h`.
    pub(super) ttl: String,
    /// How long before that we no longer trust it: `1h`.
    pub(super) margin: String,
}

/// The lag of a search.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct IndexDocument {
    /// What was written is found after this time at the latest: `3s`.
    pub(super) index_lag: String,
}

/// Where an answer holds a record's parts.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RecordDocument {
    /// Its id, as a pointer.
    pub(super) id: String,
    /// What is another one after every change.
    pub(super) version: Option<String>,
    /// When it was changed last; the first of these that is there.
    pub(super) modified: Vec<String>,
    /// What a number there counts.
    #[serde(default)]
    pub(super) modified_in: UnitDocument,
    /// Where its fields are; the record itself without it.
    #[serde(default)]
    pub(super) fields: String,
    /// Names among the fields that are the system's own bookkeeping.
    #[serde(default)]
    pub(super) leave_out: Vec<String>,
    /// Fields that answers and events call otherwise than writes do: from the name that is sent to the one that is answered.
    #[serde(default)]
    pub(super) renamed: BTreeMap<String, String>,
    /// Fields in a form of their own.
    #[serde(default)]
    pub(super) forms: BTreeMap<String, FormDocument>,
    /// Whether an answer names every field that has a value.
    pub(super) whole: bool,
    /// Where a record says that it is not there any more.
    pub(super) gone: Option<SaysDocument>,
    /// Where an answer says that it is an error, whatever its status.
    pub(super) error: Option<String>,
}

/// A field in a form of its own.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FormDocument {
    /// Where an answer holds it.
    pub(super) at: String,
    /// Where each item of a list there holds it.
    pub(super) each: Option<String>,
    /// What the text is like: `{value}`, perhaps with something before it.
    #[serde(default = "value")]
    pub(super) is: String,
    /// What is sent for it, with `{value}` in it.
    pub(super) sent: Map<String, Value>,
}

fn value() -> String {
    "{value}".to_owned()
}

/// A value at a place.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SaysDocument {
    /// Where, as a pointer.
    pub(super) at: String,
    /// Which value; of a list, any.
    pub(super) is: Value,
}

/// How the system is called.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct OperationsDocument {
    /// Reads one record.
    pub(super) read: ReadDocument,
    /// Makes a record.
    pub(super) create: WriteDocument,
    /// Changes some fields of a record.
    pub(super) update: WriteDocument,
    /// Removes a record. The sync never does: the doctor removes its scratch records with it.
    pub(super) delete: Option<DeleteDocument>,
    /// Finds records by the value of a field.
    pub(super) find: Option<FindDocument>,
    /// Lists what has changed since.
    pub(super) changed: Option<ChangedDocument>,
}

/// A call that reads one record.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ReadDocument {
    /// GET, POST, PUT or PATCH.
    pub(super) method: String,
    /// The path, with `{id}` in it or in the body.
    pub(super) path: String,
    /// The body, if there is one.
    pub(super) body: Option<Value>,
    /// Where the answer holds the record.
    #[serde(default)]
    pub(super) answer: String,
}

/// A call that removes one record.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteDocument {
    /// DELETE, POST, PUT or PATCH.
    pub(super) method: String,
    /// The path, with `{id}` in it or in the body.
    pub(super) path: String,
    /// The body, if there is one.
    pub(super) body: Option<Value>,
}

/// A call that writes.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WriteDocument {
    /// GET, POST, PUT or PATCH.
    pub(super) method: String,
    /// The path.
    pub(super) path: String,
    /// What every body holds.
    #[serde(default = "empty")]
    pub(super) body: Value,
    /// How the body is written.
    #[serde(default)]
    pub(super) encoding: BodyEncodingDocument,
    /// Where in the body the fields go.
    #[serde(default)]
    pub(super) fields: String,
    /// What makes an update be refused if the record has changed since it was read.
    pub(super) precondition: Option<PreconditionDocument>,
    /// Where the answer to a create names the record, if the record in it does not.
    pub(super) id: Option<IdDocument>,
    /// Where the answer holds the record; `nothing`: its status is all that it says.
    #[serde(default)]
    pub(super) answer: String,
}

/// A header that says which version of the record an update was decided by.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PreconditionDocument {
    /// Its name, as in `If-Match`.
    pub(super) header: String,
    /// Its value, with `{version}` in it.
    pub(super) value: String,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum BodyEncodingDocument {
    #[default]
    Json,
    Form,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// Where an answer names the new record: `header` and `after`, or `at`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct IdDocument {
    /// The header that names it, as a path does.
    pub(super) header: Option<String>,
    /// What stands before the id.
    #[serde(default)]
    pub(super) after: String,
    /// Where in the body, as a pointer.
    pub(super) at: Option<String>,
}

/// A call that lists records.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ListDocument {
    /// GET, POST, PUT or PATCH.
    pub(super) method: String,
    /// The path.
    pub(super) path: String,
    /// The query; a pair whose place has no value is left out.
    #[serde(default)]
    pub(super) query: Map<String, Value>,
    /// The body; a key whose place has no value is left out.
    pub(super) body: Option<Value>,
    /// Where the answer holds the records.
    pub(super) records: String,
    /// Whether the answer holds the one record instead of a list, and is that there is none if there is none.
    #[serde(default)]
    pub(super) one: bool,
    /// How it goes on after a page.
    pub(super) next: Option<NextDocument>,
}

/// How a listing goes on: a pointer to a token, or one of the others.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a pointer to a token, or only one of `{ link: next }`, `{ url: /pointer }`, `{ offset: 100 }` and `{ last: 100 }`, the last two perhaps with `first`"
)]
pub(super) enum NextDocument {
    Token(String),
    Other(OtherNextDocument),
}

/// How a listing goes on, other than by a token.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct OtherNextDocument {
    /// A `Link` header with this relation.
    pub(super) link: Option<String>,
    /// Where the answer holds the URL of the next page.
    pub(super) url: Option<String>,
    /// Behind as many records as were listed, while a page holds so many.
    pub(super) offset: Option<usize>,
    /// Behind the last id, while a page holds so many records.
    pub(super) last: Option<usize>,
    /// What stands for the first page.
    pub(super) first: Option<Value>,
}

/// How records are found.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FindDocument {
    /// The fields the system can be asked for; any without it.
    pub(super) fields: Option<Vec<String>>,
    /// Asks for one of them, with `{field}` and `{value}`.
    pub(super) list: ListDocument,
    /// Reads everything, to look for any other.
    pub(super) otherwise: Option<ListDocument>,
}

/// How changes are listed.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedDocument {
    /// In which order.
    pub(super) order: OrderDocument,
    /// How an instant is written; without it, everything is listed each time.
    pub(super) since: Option<SinceDocument>,
    /// How long a change may stay out of the listing: `10s`.
    pub(super) overlap: String,
    /// Asks for what has changed, with `{since}`.
    pub(super) list: ListDocument,
    /// For a listing by time: asks for one stamp by id.
    pub(super) ties: Option<TiesDocument>,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum OrderDocument {
    Time,
    Id,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum SinceDocument {
    Milliseconds,
    Seconds,
    Rfc3339,
}

/// The records with one stamp, by id.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct TiesDocument {
    /// What comes before every id.
    pub(super) first: String,
    /// Asks for them, with `{since}` and `{last}`.
    pub(super) list: ListDocument,
}

/// What answers mean that mean something else than their status does.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorsDocument {
    /// The first that fits decides.
    #[serde(default)]
    pub(super) rules: Vec<RuleDocument>,
    /// Where a refusal names its kind, for the log.
    pub(super) code: Option<String>,
}

/// What an answer means.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RuleDocument {
    /// The status that it is about; any without it.
    #[serde(default)]
    pub(super) status: StatusDocument,
    /// Where something must stand in the answer.
    pub(super) at: Option<String>,
    /// What must stand there; anything but null without it.
    pub(super) is: Option<Value>,
    /// Or a part of the text there, perhaps with `{id}`.
    pub(super) says: Option<String>,
    /// What it means.
    pub(super) means: Means,
    /// How long we are to wait.
    pub(super) wait: Option<WaitDocument>,
}

/// A status, or a list of them.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a status, such as `404`, or a list of them")]
pub(super) enum StatusDocument {
    One(u16),
    Several(Vec<u16>),
}

impl Default for StatusDocument {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// A duration, or where it stands.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a duration, such as `10s`, or where it stands: `{ header: NAME, in: seconds }`, or `at` and `milliseconds`"
)]
pub(super) enum WaitDocument {
    Fixed(String),
    Said(SaidDocument),
}

/// Where a duration stands.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SaidDocument {
    /// In this header.
    pub(super) header: Option<String>,
    /// Or there in the answer.
    pub(super) at: Option<String>,
    /// What the number counts.
    #[serde(rename = "in")]
    pub(super) unit: UnitDocument,
}

/// How our own writes come back in its events.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EchoDocument {
    /// A header that carries the id of our operation.
    pub(super) operation: Option<OperationEchoDocument>,
    /// What all must be in an event for it to be ours.
    #[serde(default)]
    pub(super) actor: Vec<ActorDocument>,
}

/// A header that carries the id of our operation.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct OperationEchoDocument {
    /// The header.
    pub(super) header: String,
    /// Its value, with `{operation}` in it.
    pub(super) value: String,
    /// Where an event gives it back, if it does.
    pub(super) event: Option<String>,
}

/// A part of an event that says who it was.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ActorDocument {
    /// Where, as a pointer.
    pub(super) event: String,
    /// What stands there when it was us.
    pub(super) is: String,
}

/// The webhooks of the system.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookDocument {
    /// How a delivery proves where it comes from.
    pub(super) signature: SignatureDocument,
    /// Whether a delivery is a list of events or one.
    pub(super) body: BodyDocument,
    /// Where an event holds its parts.
    pub(super) event: EventDocument,
    /// How the system is asked what it was told to send; without it, it cannot be asked.
    pub(super) subscriptions: Option<SubscriptionsDocument>,
}

/// How a system is asked what it was told to send.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionsDocument {
    /// Asks for all of them.
    pub(super) list: ListDocument,
    /// Where one of them holds the URL that it sends to; without it, all of them are ours.
    pub(super) url: Option<String>,
    /// Where it names what it sends: an event, or a list of them.
    pub(super) events: String,
    /// The texts there that stand for every event.
    #[serde(default)]
    pub(super) all: Vec<String>,
    /// Where it names the one field whose changes it sends, if it is about one.
    pub(super) field: Option<String>,
    /// Where it says that it is at work; without it, each is.
    pub(super) active: Option<SaysDocument>,
}

/// Whether a delivery is a list of events or one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum BodyDocument {
    Batch,
    Single,
}

/// How a delivery proves where it comes from.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureDocument {
    /// The header of the signature.
    pub(super) header: String,
    /// What stands between the items of that header, if it holds several.
    pub(super) separator: Option<String>,
    /// There is one; it is written so that a second one needs no guess.
    #[expect(dead_code, reason = "there is one algorithm so far")]
    pub(super) algorithm: AlgorithmDocument,
    /// What is signed: `{body}` and, where they are, `{method}`, `{url}`, `{timestamp}`, `{header NAME}`.
    pub(super) signs: String,
    /// How it is written.
    pub(super) encoding: EncodingDocument,
    /// What stands before it.
    #[serde(default)]
    pub(super) prefix: String,
    /// Its key.
    pub(super) secret: String,
    /// The key before that one, still believed.
    pub(super) secret_before: Option<String>,
    /// What a secret begins with that is no part of the key.
    #[serde(default)]
    pub(super) secret_prefix: String,
    /// How the key is written in the secret.
    pub(super) secret_encoding: Option<EncodingDocument>,
    /// The URL as the system signs it.
    pub(super) url: Option<String>,
    /// The time that it was signed at.
    pub(super) timestamp: Option<TimestampDocument>,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum AlgorithmDocument {
    HmacSha256,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum EncodingDocument {
    Base64,
    Hex,
}

/// The time that a delivery was signed at.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct TimestampDocument {
    /// The header.
    pub(super) header: String,
    /// What stands before it.
    #[serde(default)]
    pub(super) prefix: String,
    /// What it counts.
    pub(super) unit: UnitDocument,
    /// How far it may be from our clock: `5m`.
    pub(super) tolerance: String,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum UnitDocument {
    #[default]
    Milliseconds,
    Seconds,
}

/// Where an event holds its parts.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EventDocument {
    /// What together tells one event from every other.
    #[serde(default)]
    pub(super) key: Vec<String>,
    /// The record's id.
    pub(super) record: String,
    /// What happened.
    pub(super) kind: KindDocument,
    /// The field that was changed.
    pub(super) field: Option<String>,
    /// Its new value.
    pub(super) value: Option<String>,
    /// A list of the fields that were changed.
    pub(super) changed: Option<String>,
}

/// What happened.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct KindDocument {
    /// Where an event says it.
    pub(super) at: String,
    /// The texts for a new record.
    #[serde(default)]
    pub(super) created: Vec<String>,
    /// The texts for a changed record.
    #[serde(default)]
    pub(super) updated: Vec<String>,
    /// The texts for a deleted record.
    #[serde(default)]
    pub(super) deleted: Vec<String>,
    /// The texts that are of no interest.
    #[serde(default)]
    pub(super) ignored: Vec<String>,
}

/// What is not exceeded.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsDocument {
    /// Calls at once.
    pub(super) in_flight: Option<usize>,
    /// Bytes of an answer.
    pub(super) response_bytes: Option<usize>,
    /// Bytes of a delivery.
    pub(super) body_bytes: Option<usize>,
    /// Lists and objects within each other.
    pub(super) depth: Option<usize>,
}

/// Something the system says.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleDocument {
    /// Which operation it answers, or a delivery.
    pub(super) of: OfDocument,
    /// Its status.
    #[serde(default = "done")]
    pub(super) status: u16,
    /// Its headers, as far as something is looked for in them.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// Its body.
    #[serde(default)]
    pub(super) body: Value,
    /// What it should be taken for; that it was done without it.
    pub(super) means: Option<Means>,
    /// The ids that should be found in it.
    pub(super) ids: Option<Vec<Value>>,
    /// What should be found in it for the next page.
    pub(super) next: Option<String>,
}

fn done() -> u16 {
    200
}

/// What an example is of.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum OfDocument {
    Read,
    Create,
    Update,
    Delete,
    Find,
    Changed,
    Webhook,
    Subscriptions,
}
