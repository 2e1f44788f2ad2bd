//! One page of a listing.

use pairline_sdk::ReadError;
use serde_json::Value;

use super::HttpApplication;
use crate::application::description::List;
use crate::application::json;
use crate::application::template::Values;

impl HttpApplication {
    /// One page of a listing, and the token for the next.
    pub(super) async fn page(
        &self,
        list: &List,
        values: &Values<'_>,
    ) -> Result<(Vec<Value>, Option<String>), ReadError> {
        let refused = |reason: &str| ReadError::Refused(self.said(reason));
        let mut path = list.path.fill_path(values).ok_or_else(|| refused("the path of a listing cannot be filled"))?;
        let mut separator = if path.contains('?') { '&' } else { '?' };
        for (name, value) in &list.query {
            let before = path.len();
            path.push(separator);
            let filled = name.fill_escaped(&mut path, values).and_then(|()| {
                path.push('=');
                value.fill_escaped(&mut path, values)
            });
            match filled {
                Some(()) => separator = '&',
                None => path.truncate(before),
            }
        }
        let body = list.body.as_ref().and_then(|body| body.fill(values)).map(|body| body.to_string());
        let answer = self.get(list.method.clone(), &path, body).await?;
        let answer = answer.ok_or_else(|| refused("has no such listing (status 404)"))?;
        let next = list.next.as_ref().and_then(|next| next.of(&answer.json)).and_then(json::plain_text);
        let next = next.filter(|next| !next.is_empty());
        match list.records.take(answer.json) {
            Some(Value::Array(records)) => Ok((records, next)),
            _ => Err(ReadError::Failed(self.said("expected a list of records, found none"))),
        }
    }
}
