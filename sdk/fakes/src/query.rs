//! Query: the parts of a URL both listings read.

use std::collections::HashMap;

use crate::refused::Refused;

pub(crate) type Query = HashMap<String, String>;

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
