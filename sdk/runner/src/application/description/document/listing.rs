//! A call that lists something, and how it goes on, as it is written.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A call that lists records.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct ListDocument {
    /// GET, POST, PUT or PATCH.
    pub(crate) method: String,
    /// The path.
    pub(crate) path: String,
    /// The query; a pair whose place has no value is left out.
    #[serde(default)]
    pub(crate) query: Map<String, Value>,
    /// The body; a key whose place has no value is left out.
    pub(crate) body: Option<Value>,
    /// Where the answer holds the records.
    pub(crate) records: String,
    /// Whether the answer holds the one record instead of a list, and is that there is none if there is none.
    #[serde(default)]
    pub(crate) one: bool,
    /// How it goes on after a page.
    pub(crate) next: Option<NextDocument>,
}

/// How a listing goes on: a pointer to a token, or one of the others.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a pointer to a token, or only one of `{ link: next }`, `{ url: /pointer }`, `{ offset: 100 }` and `{ last: 100 }`, the last two perhaps with `first`"
)]
pub(crate) enum NextDocument {
    Token(String),
    Other(OtherNextDocument),
}

/// How a listing goes on, other than by a token.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OtherNextDocument {
    /// A `Link` header with this relation.
    pub(crate) link: Option<String>,
    /// Where the answer holds the URL of the next page.
    pub(crate) url: Option<String>,
    /// Behind as many records as were listed, while a page holds so many.
    pub(crate) offset: Option<usize>,
    /// Behind the last id, while a page holds so many records.
    pub(crate) last: Option<usize>,
    /// What stands for the first page.
    pub(crate) first: Option<Value>,
}
