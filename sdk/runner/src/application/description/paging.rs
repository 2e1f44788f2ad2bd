//! How a listing goes on, and how a description says so.

use serde_json::Value;

use super::check::Check;
use super::document::{NextDocument, OtherNextDocument};
use crate::application::json;
use crate::application::pointer::Pointer;

/// How a listing goes on after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The answer holds a token for the next page; none on the last one.
    Token(Pointer),
    /// A `Link` header with this relation names the URL of the next page.
    Link(String),
    /// The answer holds the URL of the next page; none on the last one.
    Url(Pointer),
    /// It goes on behind as many records as were listed, while a page holds `full` of them.
    Offset(Full),
    /// It goes on behind the last id, while a page holds `full` records.
    Last(Full),
}

/// A page that may not be the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// So many records it holds.
    pub(crate) full: usize,
    /// What stands for the first page.
    pub(crate) first: Option<String>,
}

impl Next {
    /// What stands in the place of a token when the first page is asked for.
    pub(crate) fn first(&self) -> Option<&str> {
        match self {
            Self::Offset(full) | Self::Last(full) => full.first.as_deref(),
            Self::Token(_) | Self::Link(_) | Self::Url(_) => None,
        }
    }
}

impl Check<'_> {
    pub(super) fn next(&mut self, path: &[&str], written: &NextDocument) -> Next {
        let at = |last| [path, &[last]].concat();
        let other = match written {
            NextDocument::Token(pointer) => return Next::Token(self.pointer(path, pointer)),
            NextDocument::Other(other) => other,
        };
        if other.first.is_some() && other.offset.is_none() && other.last.is_none() {
            self.note(&at("first"), "expected `first` with `offset` or `last` only");
        }
        match other {
            OtherNextDocument { link: Some(relation), url: None, offset: None, last: None, .. } => {
                Next::Link(relation.clone())
            }
            OtherNextDocument { link: None, url: Some(pointer), offset: None, last: None, .. } => {
                Next::Url(self.pointer(&at("url"), pointer))
            }
            OtherNextDocument { link: None, url: None, offset: Some(full), last: None, first } => {
                Next::Offset(self.full(&at("offset"), *full, first))
            }
            OtherNextDocument { link: None, url: None, offset: None, last: Some(full), first } => {
                Next::Last(self.full(&at("last"), *full, first))
            }
            _ => {
                self.note(path, "expected only one of `link`, `url`, `offset`, `last`");
                Next::Token(Pointer::default())
            }
        }
    }

    fn full(&mut self, path: &[&str], full: usize, first: &Option<Value>) -> Full {
        if full == 0 {
            self.note(path, "expected how many records a page holds, found 0");
        }
        Full { full, first: first.as_ref().map(|first| json::text(first).into_owned()) }
    }
}
