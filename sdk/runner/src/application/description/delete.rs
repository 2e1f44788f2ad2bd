//! How a record is removed, and how a description says so.

use axum::http::Method;

use super::check::Check;
use super::document::DeleteDocument;
use crate::application::template::{BodyTemplate, Template};

/// A call that removes one record.
#[derive(Clone, Debug)]
pub(crate) struct DeleteCall {
    /// The HTTP method.
    pub(crate) method: Method,
    /// The path.
    pub(crate) path: Template,
    /// The body.
    pub(crate) body: Option<BodyTemplate>,
}

impl Check<'_> {
    pub(super) fn delete(&mut self, written: &DeleteDocument) -> DeleteCall {
        let at = |last| ["operations", "delete", last];
        let methods = [Method::DELETE, Method::POST, Method::PUT, Method::PATCH];
        let delete = DeleteCall {
            method: self.method_among(&at("method"), &written.method, &methods),
            path: self.url_path(&at("path"), &written.path, &["id"]),
            body: self.body(&at("body"), written.body.as_ref(), &["id"]),
        };
        let is_there = delete.path.has("id") || delete.body.as_ref().is_some_and(|body| body.has("id"));
        self.needs(&["operations", "delete"], "id", is_there);
        delete
    }
}
