//! Query: the parts of a URL both listings read.

use std::collections::HashMap;

use crate::refused::Refused;

pub(crate) type Query = HashMap<String, String>;

/// The same in their order, where a name may stand more than once.
pub(crate) type Pairs = Vec<(String, String)>;

/// What was said last under a name.
pub(crate) fn one<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(said, _)| said == name).map(|(_, value)| value.as_str())
}

/// Everything that was said under a name, one by one or with commas.
pub(crate) fn all(pairs: &Pairs, name: &str) -> Vec<String> {
    let said = pairs.iter().filter(|(said, _)| said == name).flat_map(|(_, value)| value.split(','));
    said.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// A yes or no; no when nothing was said.
pub(crate) fn flag(pairs: &Pairs, name: &str) -> Result<bool, Refused> {
    match one(pairs, name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Refused::bad(format!("expected `true` or `false` for `{name}`, found `{other}`"))),
    }
}

/// A page size between 1 and `max`; a larger one is refused rather than cut, so that a caller notices.
pub(crate) fn limit(text: Option<&str>, default: usize, max: usize) -> Result<usize, Refused> {
    let Some(text) = text else {
        return Ok(default);
    };
    match text.parse() {
        Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(Refused::bad(format!("expected a `limit` from 1 to {max}, found `{text}`"))),
    }
}
