//! An application description as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::application::errors::Means;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationDocument {
    pub(super) application: String,
    pub(super) about: String,
    pub(super) base_url: String,
    #[serde(default)]
    pub(super) private_network: bool,
    pub(super) auth: AuthDocument,
    pub(super) capabilities: CapabilitiesDocument,
    pub(super) record: RecordDocument,
    pub(super) operations: OperationsDocument,
    #[serde(default)]
    pub(super) errors: ErrorsDocument,
    pub(super) echo: EchoDocument,
    pub(super) webhook: Option<WebhookDocument>,
    #[serde(default)]
    pub(super) limits: LimitsDocument,
    #[serde(default)]
    pub(super) examples: Vec<ExampleDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthDocument {
    pub(super) bearer: Option<String>,
    pub(super) basic: Option<BasicDocument>,
    pub(super) header: Option<HeaderDocument>,
    pub(super) session: Option<SessionDocument>,
    pub(super) oauth2: Option<Oauth2Document>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicDocument {
    pub(super) user: String,
    pub(super) password: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderDocument {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionDocument {
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) take: BTreeMap<String, String>,
    #[serde(default = "authorization")]
    pub(super) header: String,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) value: String,
    pub(super) encoding: Option<EncodingDocument>,
}

fn authorization() -> String {
    "Authorization".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Oauth2Document {
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh_token: Option<String>,
    pub(super) scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilitiesDocument {
    pub(super) unique_field: Option<String>,
    #[serde(default)]
    pub(super) upsert: bool,
    pub(super) idempotency_key: Option<KeyDocument>,
    pub(super) find: Option<IndexDocument>,
    pub(super) deadline: String,
    pub(super) request_life: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyDocument {
    pub(super) header: String,
    pub(super) ttl: String,
    pub(super) margin: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexDocument {
    pub(super) index_lag: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordDocument {
    pub(super) id: String,
    pub(super) version: Option<String>,
    pub(super) modified: Vec<String>,
    #[serde(default)]
    pub(super) modified_in: UnitDocument,
    #[serde(default)]
    pub(super) fields: String,
    #[serde(default)]
    pub(super) leave_out: Vec<String>,
    #[serde(default)]
    pub(super) renamed: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) forms: BTreeMap<String, FormDocument>,
    pub(super) whole: bool,
    pub(super) gone: Option<SaysDocument>,
    pub(super) error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormDocument {
    pub(super) at: String,
    pub(super) each: Option<String>,
    #[serde(default = "value")]
    pub(super) is: String,
    pub(super) sent: Map<String, Value>,
}

fn value() -> String {
    "{value}".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaysDocument {
    pub(super) at: String,
    pub(super) is: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationsDocument {
    pub(super) read: ReadDocument,
    pub(super) create: WriteDocument,
    pub(super) update: WriteDocument,
    pub(super) find: Option<FindDocument>,
    pub(super) changed: Option<ChangedDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadDocument {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    #[serde(default)]
    pub(super) answer: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteDocument {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(default = "empty")]
    pub(super) body: Value,
    #[serde(default)]
    pub(super) encoding: BodyEncodingDocument,
    #[serde(default)]
    pub(super) fields: String,
    pub(super) id: Option<IdDocument>,
    #[serde(default)]
    pub(super) answer: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BodyEncodingDocument {
    #[default]
    Json,
    Form,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdDocument {
    pub(super) header: Option<String>,
    #[serde(default)]
    pub(super) after: String,
    pub(super) at: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListDocument {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: Map<String, Value>,
    pub(super) body: Option<Value>,
    pub(super) records: String,
    pub(super) next: Option<NextDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a pointer to a token, or only one of `{ link: next }`, `{ url: /pointer }`, `{ offset: 100 }` and `{ last: 100 }`, the last two perhaps with `first`"
)]
pub(super) enum NextDocument {
    Token(String),
    Other(OtherNextDocument),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherNextDocument {
    pub(super) link: Option<String>,
    pub(super) url: Option<String>,
    pub(super) offset: Option<usize>,
    pub(super) last: Option<usize>,
    pub(super) first: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FindDocument {
    pub(super) fields: Option<Vec<String>>,
    pub(super) list: ListDocument,
    pub(super) otherwise: Option<ListDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedDocument {
    pub(super) order: OrderDocument,
    pub(super) since: SinceDocument,
    pub(super) overlap: String,
    pub(super) list: ListDocument,
    pub(super) ties: Option<TiesDocument>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OrderDocument {
    Time,
    Id,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SinceDocument {
    Milliseconds,
    Seconds,
    Rfc3339,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TiesDocument {
    pub(super) first: String,
    pub(super) list: ListDocument,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorsDocument {
    #[serde(default)]
    pub(super) rules: Vec<RuleDocument>,
    pub(super) code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleDocument {
    #[serde(default)]
    pub(super) status: StatusDocument,
    pub(super) at: Option<String>,
    pub(super) is: Option<Value>,
    pub(super) says: Option<String>,
    pub(super) means: Means,
    pub(super) wait: Option<WaitDocument>,
}

#[derive(Debug, Deserialize)]
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

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a duration, such as `10s`, or where it stands: `{ header: NAME, in: seconds }`"
)]
pub(super) enum WaitDocument {
    Fixed(String),
    Said(SaidDocument),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidDocument {
    pub(super) header: Option<String>,
    pub(super) at: Option<String>,
    #[serde(rename = "in")]
    pub(super) unit: UnitDocument,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EchoDocument {
    pub(super) operation: Option<OperationEchoDocument>,
    #[serde(default)]
    pub(super) actor: Vec<ActorDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationEchoDocument {
    pub(super) header: String,
    pub(super) value: String,
    pub(super) event: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActorDocument {
    pub(super) event: String,
    pub(super) is: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookDocument {
    pub(super) signature: SignatureDocument,
    pub(super) body: BodyDocument,
    pub(super) event: EventDocument,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BodyDocument {
    Batch,
    Single,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureDocument {
    pub(super) header: String,
    pub(super) separator: Option<String>,
    /// There is one; it is written so that a second one needs no guess.
    #[expect(dead_code, reason = "there is one algorithm so far")]
    pub(super) algorithm: AlgorithmDocument,
    pub(super) signs: String,
    pub(super) encoding: EncodingDocument,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) secret: String,
    pub(super) secret_before: Option<String>,
    #[serde(default)]
    pub(super) secret_prefix: String,
    pub(super) secret_encoding: Option<EncodingDocument>,
    pub(super) url: Option<String>,
    pub(super) timestamp: Option<TimestampDocument>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AlgorithmDocument {
    HmacSha256,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EncodingDocument {
    Base64,
    Hex,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimestampDocument {
    pub(super) header: String,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) unit: UnitDocument,
    pub(super) tolerance: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UnitDocument {
    #[default]
    Milliseconds,
    Seconds,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventDocument {
    #[serde(default)]
    pub(super) key: Vec<String>,
    pub(super) record: String,
    pub(super) kind: KindDocument,
    pub(super) field: Option<String>,
    pub(super) value: Option<String>,
    pub(super) changed: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindDocument {
    pub(super) at: String,
    #[serde(default)]
    pub(super) created: Vec<String>,
    #[serde(default)]
    pub(super) updated: Vec<String>,
    #[serde(default)]
    pub(super) deleted: Vec<String>,
    #[serde(default)]
    pub(super) ignored: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsDocument {
    pub(super) in_flight: Option<usize>,
    pub(super) response_bytes: Option<usize>,
    pub(super) body_bytes: Option<usize>,
    pub(super) depth: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleDocument {
    pub(super) of: OfDocument,
    #[serde(default = "done")]
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: Value,
    pub(super) means: Option<Means>,
    pub(super) ids: Option<Vec<Value>>,
    pub(super) next: Option<String>,
}

fn done() -> u16 {
    200
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OfDocument {
    Read,
    Create,
    Update,
    Find,
    Changed,
    Webhook,
}
