//! Search: filters, sorts and pages over contacts as they were a moment ago.
//!
//! A group with an exact value or a time bound starts from an index; any other group looks at every contact.
//! `after` is an offset, as HubSpot's is: a contact that moves while a caller pages can be skipped, and a caller
//! that relies on the listing has to overlap its pages in time.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::crm::contact::Contact;
use crate::crm::filter::{Filter, FilterBody, Subject, text_of};
use crate::crm::selection::Selection;
use crate::crm::token;
use crate::records::{Records, State, View};
use crate::refused::Refused;

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 200;

/// Where the words of a `query` are looked for.
const SEARCHED: [&str; 6] = ["firstname", "lastname", "email", "phone", "mobilephone", "company"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SearchBody {
    #[serde(default)]
    filter_groups: Vec<GroupBody>,
    #[serde(default)]
    sorts: Vec<Value>,
    limit: Option<Value>,
    after: Option<Value>,
    query: Option<String>,
    #[serde(default)]
    properties: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    filters: Vec<FilterBody>,
}

#[derive(Debug)]
pub(crate) struct Search {
    groups: Vec<Vec<Filter>>,
    query: Option<String>,
    /// What is to be shown of each contact.
    pub(crate) selection: Selection,
    sorts: Vec<Sort>,
    limit: usize,
    offset: usize,
}

#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) total: usize,
    pub(crate) page: Vec<Contact>,
    pub(crate) next_after: Option<u64>,
}

#[derive(Debug)]
struct Sort {
    subject: Subject,
    descending: bool,
}

impl Search {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refused> {
        let body: SearchBody =
            serde_json::from_slice(body).map_err(|error| Refused::bad(format!("expected a search, found {error}")))?;
        let mut groups = Vec::with_capacity(body.filter_groups.len());
        for group in body.filter_groups {
            let filters: Result<_, _> = group.filters.into_iter().map(Filter::read).collect();
            groups.push(filters?);
        }
        let sorts: Result<_, _> = body.sorts.iter().map(Sort::read).collect();
        let limit = body.limit.as_ref().map(text_of).transpose()?;
        let offset = match body.after.as_ref().map(text_of).transpose()? {
            None => 0,
            Some(after) => {
                after.parse().map_err(|_| Refused::bad(format!("expected an `after` we gave, found `{after}`")))?
            }
        };
        Ok(Self {
            groups,
            query: body.query.filter(|words| !words.trim().is_empty()),
            selection: Selection::new(body.properties, Vec::new()),
            sorts: sorts?,
            limit: crate::query::limit(limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?,
            offset,
        })
    }

    /// Whether this is how a caller asks for changes.
    pub(crate) fn by_time(&self) -> bool {
        let mut filters = self.groups.iter().flatten();
        filters.any(|filter| filter.subject == Subject::Modified)
            || self.sorts.iter().any(|sort| sort.subject == Subject::Modified)
    }

    pub(crate) fn run(&self, records: &Records, view: View) -> Found {
        let matching = |id: u64| {
            let state = records.seen(id, view)?;
            self.accepts(id, state).then_some((id, state))
        };
        let mut found: Vec<(u64, &Arc<State>)> = match self.candidates(records) {
            Some(candidates) => candidates.into_iter().filter_map(matching).collect(),
            None => records.ids_after(0).filter_map(matching).collect(),
        };
        found.sort_by(|left, right| self.order(*left, *right));
        let total = found.len();
        let page = found.into_iter().skip(self.offset).take(self.limit);
        let page: Vec<_> = page.map(|(id, state)| Contact { id, state: state.clone() }).collect();
        let reached = self.offset.saturating_add(page.len());
        let next_after = (reached < total && !page.is_empty()).then_some(reached as u64);
        Found { total, page, next_after }
    }

    fn accepts(&self, id: u64, state: &State) -> bool {
        let texts = || SEARCHED.into_iter().filter_map(|name| state.fields.get(name)?.as_str());
        if self.query.as_ref().is_some_and(|words| !token::hold_all(texts(), words)) {
            return false;
        }
        let mut groups = self.groups.iter();
        self.groups.is_empty() || groups.any(|filters| filters.iter().all(|filter| filter.accepts(id, state)))
    }

    /// Ids among which all matches are, or nothing when every contact may match.
    fn candidates(&self, records: &Records) -> Option<Vec<u64>> {
        let mut candidates = Vec::new();
        for filters in &self.groups {
            let narrowed: Option<Vec<u64>> =
                filters.iter().filter_map(|filter| filter.candidates(records)).min_by_key(Vec::len);
            candidates.extend(narrowed?);
        }
        // One group's candidates are distinct, and a change listing comes in the order it will be sorted by.
        if self.groups.len() > 1 {
            candidates.sort_unstable();
            candidates.dedup();
        }
        (!self.groups.is_empty()).then_some(candidates)
    }

    /// Contacts that are equal by every sort stay in the order of their ids.
    fn order(&self, left: (u64, &Arc<State>), right: (u64, &Arc<State>)) -> Ordering {
        for sort in &self.sorts {
            let order = match (sort.subject.held(left.0, left.1), sort.subject.held(right.0, right.1)) {
                (Some(left), Some(right)) => {
                    let order = left.compare(&right);
                    if sort.descending { order.reverse() } else { order }
                }
                // A contact without the property comes last, whichever way the others go.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        left.0.cmp(&right.0)
    }
}

impl Sort {
    /// `{"propertyName","direction"}`, or the short form: a name, with `-` in front to turn it around.
    fn read(body: &Value) -> Result<Self, Refused> {
        let (name, descending) = match body {
            Value::String(name) => match name.strip_prefix('-') {
                Some(name) => (Some(name), true),
                None => (Some(name.as_str()), false),
            },
            _ => {
                let direction = body.get("direction").and_then(Value::as_str);
                let descending = match direction.unwrap_or("ASCENDING") {
                    "ASCENDING" => false,
                    "DESCENDING" => true,
                    other => {
                        return Err(Refused::bad(format!("no sort direction `{other}`; known: ASCENDING, DESCENDING")));
                    }
                };
                (body.get("propertyName").and_then(Value::as_str), descending)
            }
        };
        let name = name.ok_or_else(|| Refused::bad(format!("expected `propertyName` in a sort, found {body}")))?;
        Ok(Self { subject: Subject::named(name), descending })
    }
}
