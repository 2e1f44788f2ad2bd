//! One page of a listing, and how the listing goes on.

use axum::http::HeaderMap;
use axum::http::header::LINK;
use pairline_sdk::ReadError;
use reqwest::Url;
use serde_json::Value;

use super::HttpApplication;
use super::read::Body;
use crate::application::description::{Full, List, Next};
use crate::application::json;
use crate::application::pointer::Pointer;
use crate::application::template::Values;

impl HttpApplication {
    /// One page of a listing, and the token for the next. Where a listing goes on by URLs, the token is the path of the next
    /// one below the base URL.
    pub(super) async fn page(
        &self,
        list: &List,
        values: &Values<'_>,
    ) -> Result<(Vec<Value>, Option<String>), ReadError> {
        let refused = |reason: &str| ReadError::Refused(self.said(reason));
        let token = values.iter().find(|(name, _)| *name == "page").map(|(_, token)| *token);
        let first = list.next.as_ref().and_then(Next::first).filter(|_| token.is_none());
        let mut values = values.to_vec();
        values.extend(first.map(|first| ("page", first)));
        let path = match (&list.next, token) {
            (Some(Next::Link(_) | Next::Url(_)), Some(path)) => path.to_owned(),
            _ => filled(list, &values).ok_or_else(|| refused("the path of a listing cannot be filled"))?,
        };
        let body = list.body.as_ref().and_then(|body| body.fill(&values)).map(|body| body.to_string());
        let answer = self.get(list.method.clone(), &path, body).await?;
        let answer = match answer {
            Some(answer) => answer,
            // It was asked for one record, and there is none.
            None if list.one => return Ok((Vec::new(), None)),
            None => return Err(refused("has no such listing (status 404)")),
        };
        let next = self.next_token(list, &path, token.or(first), &answer)?;
        match list.records.take(answer.json) {
            Some(record) if list.one => Ok((vec![record], None)),
            Some(Value::Array(records)) => Ok((records, next)),
            _ => Err(ReadError::Failed(self.said("expected a list of records, found none"))),
        }
    }

    /// The token for the page behind this one, which was asked for by a path and perhaps a token.
    fn next_token(
        &self,
        list: &List,
        path: &str,
        token: Option<&str>,
        answer: &Body,
    ) -> Result<Option<String>, ReadError> {
        let text = |at: &Pointer| at.of(&answer.json).and_then(json::plain_text).filter(|text| !text.is_empty());
        let records = list.records.of(&answer.json).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_full = |page: &Full| records.len() >= page.full;
        match &list.next {
            Some(Next::Token(at)) => Ok(text(at)),
            Some(Next::Url(at)) => text(at).map(|url| self.below(path, &url)).transpose(),
            Some(Next::Link(relation)) => {
                linked(&answer.headers, relation).map(|url| self.below(path, &url)).transpose()
            }
            Some(Next::Offset(page)) if is_full(page) => {
                let before: usize = token.and_then(|token| token.parse().ok()).unwrap_or_default();
                Ok(Some((before + records.len()).to_string()))
            }
            Some(Next::Last(page)) if is_full(page) => {
                let last = records.last().and_then(|record| self.description.record.id_in(record));
                last.map(Some).ok_or_else(|| ReadError::Failed(self.said("expected a record, found no id")))
            }
            Some(Next::Offset(_) | Next::Last(_)) | None => Ok(None),
        }
    }

    /// The path of a URL that an answer names, which must be below the base URL: our credentials go along.
    fn below(&self, from: &str, url: &str) -> Result<String, ReadError> {
        let base = &self.description.base_url;
        let joined = Url::parse(&[base, from].concat()).and_then(|from| from.join(url));
        let (Ok(base), Ok(joined)) = (Url::parse(base), joined) else {
            return Err(ReadError::Failed(self.said("expected the URL of the next page, found something else")));
        };
        let is_ours = base.origin() == joined.origin() && joined.username().is_empty() && joined.password().is_none();
        let within = joined.path().strip_prefix(base.path().trim_end_matches('/')).filter(|path| path.starts_with('/'));
        let Some(path) = within.filter(|_| is_ours) else {
            let reason = "expected the next page below the base URL, found it elsewhere";
            return Err(ReadError::Refused(self.said(reason)));
        };
        Ok(joined.query().map_or_else(|| path.to_owned(), |query| [path, "?", query].concat()))
    }
}

/// The path and query of a listing; a pair of the query whose place has no value is left out.
fn filled(list: &List, values: &Values<'_>) -> Option<String> {
    let mut path = list.path.fill_path(values)?;
    let mut separator = if path.contains('?') { '&' } else { '?' };
    for (name, value) in &list.query {
        let before = path.len();
        path.push(separator);
        let filled = name.fill_query(&mut path, values).and_then(|()| {
            path.push('=');
            value.fill_query(&mut path, values)
        });
        match filled {
            Some(()) => separator = '&',
            None => path.truncate(before),
        }
    }
    Some(path)
}

/// The URL that a `Link` header has for a relation.
pub(in crate::application) fn linked(headers: &HeaderMap, relation: &str) -> Option<String> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(links_of).find_map(|(url, parameters)| {
        let is_it = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split(' ').any(|word| word.eq_ignore_ascii_case(relation))
        };
        parameters.split(';').any(is_it).then(|| url.to_owned())
    })
}

/// The links of a header: each URL, which may hold commas, and its parameters.
fn links_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once('<')?;
        let (url, behind) = behind.split_once('>')?;
        let mut quoted = false;
        let end = behind.find(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (parameters, behind) = behind.split_at(end.unwrap_or(behind.len()));
        rest = behind;
        Some((url, parameters))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_link_is_known_by_its_relation() {
        let headers = |text| HeaderMap::from_iter([(LINK, HeaderValue::from_static(text))]);
        let two = headers(r#"</a?x=1,2>; rel="prev", </b>; title="a, b"; rel="last next""#);

        assert_eq!(linked(&two, "next").as_deref(), Some("/b"));
        assert_eq!(linked(&two, "prev").as_deref(), Some("/a?x=1,2"));
        assert_eq!(linked(&two, "first"), None);
        for none in ["", "next", "</b; rel=next", "</b>", "</b>; rel"] {
            assert_eq!(linked(&headers(none), "next"), None, "{none}");
        }
    }
}
