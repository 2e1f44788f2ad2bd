//! Listing: which customers a caller of `GET /customers` asks for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::erp::customer::{Customer, id_number, id_text};
use crate::query::{self, Query};
use crate::records::{Records, State, View};
use crate::refused::Refused;
use crate::stamp;

const KNOWN: [&str; 5] = ["cursor", "limit", "updated_since", "email", "vat_id"];
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;

#[derive(Debug)]
pub(crate) struct Listing {
    after: u64,
    limit: usize,
    updated_since_ms: Option<i64>,
    wanted: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) data: Vec<Customer>,
    pub(crate) next_cursor: Option<String>,
}

impl Listing {
    pub(crate) fn read(params: &Query) -> Result<Self, Refused> {
        // A filter the ERP does not have must not silently answer every customer.
        if let Some(name) = params.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(Refused::bad(format!("no filter `{name}`; known: {}", KNOWN.join(", "))));
        }
        let text = |name| params.get(name).map(String::as_str);
        let after = match text("cursor") {
            None => 0,
            Some(cursor) => id_number(cursor)
                .ok_or_else(|| Refused::bad(format!("expected a `cursor` we gave, found `{cursor}`")))?,
        };
        let updated_since_ms = match text("updated_since") {
            None => None,
            Some(since) => Some(stamp::parse(since).ok_or_else(|| {
                Refused::bad(format!("expected RFC 3339 or milliseconds in `updated_since`, found `{since}`"))
            })?),
        };
        let wanted = ["email", "vat_id"].into_iter();
        let wanted = wanted.filter_map(|name| Some((name, text(name)?.to_owned())));
        Ok(Self {
            after,
            limit: query::limit(text("limit"), LIMIT_DEFAULT, LIMIT_MAX)?,
            updated_since_ms,
            wanted: wanted.collect(),
        })
    }

    /// Only asking for changes may lag.
    pub(crate) fn by_time(&self) -> bool {
        self.updated_since_ms.is_some()
    }

    pub(crate) fn run(&self, records: &Records, view: View) -> Page {
        let matching = |number: u64| {
            let state = records.seen(number, view)?;
            self.accepts(state).then(|| Customer { number, state: state.clone() })
        };
        let some_more = self.limit + 1;
        let mut data: Vec<_> = match self.candidates(records) {
            Some(numbers) => numbers.into_iter().filter_map(matching).take(some_more).collect(),
            None => records.ids_after(self.after).filter_map(matching).take(some_more).collect(),
        };
        let more = data.len() > self.limit;
        data.truncate(self.limit);
        let last = data.last().filter(|_| more);
        let next_cursor = last.map(|customer| id_text(customer.number));
        Page { data, next_cursor }
    }

    fn accepts(&self, state: &State) -> bool {
        let recent = self.updated_since_ms.is_none_or(|since_ms| state.updated_ms >= since_ms);
        let mut wanted = self.wanted.iter();
        recent && wanted.all(|(name, value)| state.fields.get(*name).and_then(Value::as_str) == Some(value))
    }

    fn candidates(&self, records: &Records) -> Option<BTreeSet<u64>> {
        let beyond = |number: &u64| *number > self.after;
        if let Some((name, value)) = self.wanted.first() {
            let numbers = records.maybe_with(name, value);
            return Some(numbers.filter(beyond).collect());
        }
        let since_ms = self.updated_since_ms?;
        Some(records.changed_since(since_ms).filter(beyond).collect())
    }
}
