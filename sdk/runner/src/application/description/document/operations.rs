//! How a system is called, as it is written.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ListDocument;

/// How the system is called.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationsDocument {
    /// Reads one record.
    pub(crate) read: ReadDocument,
    /// Makes a record.
    pub(crate) create: WriteDocument,
    /// Changes some fields of a record.
    pub(crate) update: WriteDocument,
    /// Removes a record. The sync never does: the doctor removes its scratch records with it.
    pub(crate) delete: Option<DeleteDocument>,
    /// Finds records by the value of a field.
    pub(crate) find: Option<FindDocument>,
    /// Lists what has changed since.
    pub(crate) changed: Option<ChangedDocument>,
}

/// A call that reads one record.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadDocument {
    /// GET, POST, PUT or PATCH.
    pub(crate) method: String,
    /// The path, with `{id}` in it or in the body.
    pub(crate) path: String,
    /// The body, if there is one.
    pub(crate) body: Option<Value>,
    /// Where the answer holds the record.
    #[serde(default)]
    pub(crate) answer: String,
}

/// A call that removes one record.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteDocument {
    /// DELETE, POST, PUT or PATCH.
    pub(crate) method: String,
    /// The path, with `{id}` in it or in the body.
    pub(crate) path: String,
    /// The body, if there is one.
    pub(crate) body: Option<Value>,
}

/// A call that writes.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteDocument {
    /// GET, POST, PUT or PATCH.
    pub(crate) method: String,
    /// The path.
    pub(crate) path: String,
    /// What every body holds.
    #[serde(default = "empty")]
    pub(crate) body: Value,
    /// How the body is written.
    #[serde(default)]
    pub(crate) encoding: BodyEncodingDocument,
    /// Where in the body the fields go.
    #[serde(default)]
    pub(crate) fields: String,
    /// What makes an update be refused if the record has changed since it was read.
    pub(crate) precondition: Option<PreconditionDocument>,
    /// Where the answer to a create names the record, if the record in it does not.
    pub(crate) id: Option<IdDocument>,
    /// Where the answer holds the record; `nothing`: its status is all that it says.
    #[serde(default)]
    pub(crate) answer: String,
}

/// A header that says which version of the record an update was decided by.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct PreconditionDocument {
    /// Its name, as in `If-Match`.
    pub(crate) header: String,
    /// Its value, with `{version}` in it.
    pub(crate) value: String,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BodyEncodingDocument {
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
pub(crate) struct IdDocument {
    /// The header that names it, as a path does.
    pub(crate) header: Option<String>,
    /// What stands before the id.
    #[serde(default)]
    pub(crate) after: String,
    /// Where in the body, as a pointer.
    pub(crate) at: Option<String>,
}

/// How records are found.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct FindDocument {
    /// The fields the system can be asked for; any without it.
    pub(crate) fields: Option<Vec<String>>,
    /// Asks for one of them, with `{field}` and `{value}`.
    pub(crate) list: ListDocument,
    /// Reads everything, to look for any other.
    pub(crate) otherwise: Option<ListDocument>,
}

/// How changes are listed.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedDocument {
    /// In which order.
    pub(crate) order: OrderDocument,
    /// How an instant is written; without it, everything is listed each time.
    pub(crate) since: Option<SinceDocument>,
    /// How long a change may stay out of the listing: `10s`.
    pub(crate) overlap: String,
    /// Asks for what has changed, with `{since}`.
    pub(crate) list: ListDocument,
    /// For a listing by time: asks for one stamp by id.
    pub(crate) ties: Option<TiesDocument>,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OrderDocument {
    Time,
    Id,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SinceDocument {
    Milliseconds,
    Seconds,
    Rfc3339,
}

/// The records with one stamp, by id.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct TiesDocument {
    /// What comes before every id.
    pub(crate) first: String,
    /// Asks for them, with `{since}` and `{last}`.
    pub(crate) list: ListDocument,
}
