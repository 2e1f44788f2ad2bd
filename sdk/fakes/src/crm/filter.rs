//! A filter: one condition of a search, and where to look for contacts that meet it.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

use crate::crm::token;
use crate::records::{Records, State};
use crate::refused::Refused;
use crate::stamp;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FilterBody {
    property_name: String,
    operator: String,
    value: Option<Value>,
    high_value: Option<Value>,
    values: Option<Vec<Value>>,
}

#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) subject: Subject,
    operator: Operator,
    operands: Vec<Operand>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Id,
    Created,
    Modified,
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Eq,
    Neq,
    In,
    NotIn,
    Between,
    ContainsToken,
    NotContainsToken,
    Has,
    HasNot,
    Gt,
    Gte,
    Lt,
    Lte,
}

#[derive(Debug, PartialEq)]
enum Operand {
    Number(i64),
    Text(String),
}

/// What a contact has to compare with.
pub(crate) enum Held<'a> {
    Number(i64),
    Text(&'a str),
}

impl Filter {
    pub(crate) fn read(body: FilterBody) -> Result<Self, Refused> {
        let subject = Subject::named(&body.property_name);
        let operator = Operator::read(&body.operator)?;
        let mut sent = match (body.values, body.value) {
            (Some(values), _) => values,
            (None, Some(Value::Array(values))) => values,
            (None, Some(value)) => vec![value],
            (None, None) => Vec::new(),
        };
        if operator == Operator::Between {
            sent.extend(body.high_value);
        }
        let expected = match operator {
            Operator::Has | Operator::HasNot => 0..=usize::MAX,
            Operator::In | Operator::NotIn => 1..=usize::MAX,
            Operator::Between => 2..=2,
            _ => 1..=1,
        };
        if !expected.contains(&sent.len()) {
            return Err(Refused::bad(format!(
                "expected a `value` for {} on `{}`, found {}",
                body.operator,
                body.property_name,
                sent.len()
            )));
        }
        let is_of_tokens = matches!(operator, Operator::ContainsToken | Operator::NotContainsToken);
        if is_of_tokens && !matches!(subject, Subject::Text(_)) {
            return Err(Refused::bad(format!("{} is for texts, and `{}` is none", body.operator, body.property_name)));
        }
        let operands: Result<_, _> = sent.iter().map(|value| subject.operand(value)).collect();
        Ok(Self { subject, operator, operands: operands? })
    }

    pub(crate) fn accepts(&self, id: u64, state: &State) -> bool {
        let held = self.subject.held(id, state);
        let against = |operand: Option<&Operand>, accepted: fn(Ordering) -> bool| match (&held, operand) {
            (Some(held), Some(operand)) => accepted(held.compare(&operand.held())),
            _ => false,
        };
        let ordered = |accepted| against(self.operands.first(), accepted);
        match self.operator {
            Operator::Has => held.is_some(),
            Operator::HasNot => held.is_none(),
            Operator::Eq | Operator::In => self.names(&held),
            // A contact without the property differs from every value.
            Operator::Neq | Operator::NotIn => !self.names(&held),
            Operator::Between => ordered(Ordering::is_ge) && against(self.operands.get(1), Ordering::is_le),
            Operator::ContainsToken => self.tells(&held),
            Operator::NotContainsToken => !self.tells(&held),
            Operator::Gt => ordered(Ordering::is_gt),
            Operator::Gte => ordered(Ordering::is_ge),
            Operator::Lt => ordered(Ordering::is_lt),
            Operator::Lte => ordered(Ordering::is_le),
        }
    }

    fn names(&self, held: &Option<Held<'_>>) -> bool {
        self.operands.iter().any(|operand| match (held, operand) {
            (Some(Held::Number(held)), Operand::Number(operand)) => held == operand,
            (Some(Held::Text(held)), Operand::Text(operand)) => held == operand,
            _ => false,
        })
    }

    fn tells(&self, held: &Option<Held<'_>>) -> bool {
        let pattern = self.operands.first().and_then(Operand::text).unwrap_or_default();
        matches!(held, Some(Held::Text(text)) if token::contains(text, pattern))
    }

    /// Ids among which all matches are, each once, or nothing when no index knows.
    pub(crate) fn candidates(&self, records: &Records) -> Option<Vec<u64>> {
        match (&self.subject, self.operator) {
            (Subject::Text(name), Operator::Eq | Operator::In) => {
                let texts = self.operands.iter().filter_map(Operand::text);
                let mut ids: Vec<_> = texts.flat_map(|text| records.maybe_with(name, text)).collect();
                ids.sort_unstable();
                ids.dedup();
                Some(ids)
            }
            (Subject::Id, Operator::Eq | Operator::In) => {
                let ids = self.operands.iter().filter_map(Operand::number);
                let mut ids: Vec<_> = ids.filter_map(|id| u64::try_from(id).ok()).collect();
                ids.sort_unstable();
                ids.dedup();
                Some(ids)
            }
            (Subject::Modified, Operator::Eq | Operator::Gt | Operator::Gte | Operator::Between) => {
                let since_ms = self.operands.first().and_then(Operand::number)?;
                Some(records.changed_since(since_ms).collect())
            }
            _ => None,
        }
    }
}

impl Subject {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "hs_object_id" => Subject::Id,
            "createdate" => Subject::Created,
            "lastmodifieddate" => Subject::Modified,
            _ => Subject::Text(name.to_owned()),
        }
    }

    pub(crate) fn held<'a>(&self, id: u64, state: &'a State) -> Option<Held<'a>> {
        match self {
            Subject::Id => i64::try_from(id).ok().map(Held::Number),
            Subject::Created => Some(Held::Number(state.created_ms)),
            Subject::Modified => Some(Held::Number(state.updated_ms)),
            Subject::Text(name) => state.fields.get(name).and_then(Value::as_str).map(Held::Text),
        }
    }

    fn operand(&self, sent: &Value) -> Result<Operand, Refused> {
        let text = text_of(sent)?;
        let number = match self {
            Subject::Text(_) => return Ok(Operand::Text(text)),
            Subject::Id => text.parse().ok(),
            Subject::Created | Subject::Modified => stamp::parse(&text),
        };
        number
            .map(Operand::Number)
            .ok_or_else(|| Refused::bad(format!("expected an id, milliseconds or RFC 3339 text, found `{text}`")))
    }
}

impl Operator {
    fn read(name: &str) -> Result<Self, Refused> {
        Ok(match name {
            "EQ" => Operator::Eq,
            "NEQ" => Operator::Neq,
            "IN" => Operator::In,
            "NOT_IN" => Operator::NotIn,
            "BETWEEN" => Operator::Between,
            "CONTAINS_TOKEN" => Operator::ContainsToken,
            "NOT_CONTAINS_TOKEN" => Operator::NotContainsToken,
            "HAS_PROPERTY" => Operator::Has,
            "NOT_HAS_PROPERTY" => Operator::HasNot,
            "GT" => Operator::Gt,
            "GTE" => Operator::Gte,
            "LT" => Operator::Lt,
            "LTE" => Operator::Lte,
            _ => {
                return Err(Refused::bad(format!(
                    "no operator `{name}`; known: EQ, NEQ, IN, NOT_IN, HAS_PROPERTY, NOT_HAS_PROPERTY, GT, GTE, LT, LTE, \
                     BETWEEN, CONTAINS_TOKEN, NOT_CONTAINS_TOKEN"
                )));
            }
        })
    }
}

impl Operand {
    fn held(&self) -> Held<'_> {
        match self {
            Operand::Number(number) => Held::Number(*number),
            Operand::Text(text) => Held::Text(text),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Operand::Text(text) => Some(text),
            Operand::Number(_) => None,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Operand::Number(number) => Some(*number),
            Operand::Text(_) => None,
        }
    }
}

impl Held<'_> {
    /// Texts that are both numbers compare as numbers: a credit limit of 900 is below one of 1000.
    pub(crate) fn compare(&self, other: &Held<'_>) -> Ordering {
        match (self, other) {
            (Held::Number(left), Held::Number(right)) => left.cmp(right),
            (Held::Text(left), Held::Text(right)) => match (left.parse::<f64>(), right.parse::<f64>()) {
                (Ok(left), Ok(right)) => left.total_cmp(&right),
                _ => left.cmp(right),
            },
            (Held::Number(_), Held::Text(_)) => Ordering::Less,
            (Held::Text(_), Held::Number(_)) => Ordering::Greater,
        }
    }
}

pub(crate) fn text_of(value: &Value) -> Result<String, Refused> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => Err(Refused::bad(format!("expected a text or a number, found {other}"))),
    }
}
