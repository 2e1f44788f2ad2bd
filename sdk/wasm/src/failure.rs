//! What goes wrong, on its way into a component and out of it.

use std::time::Duration;

use pairline_sdk::NodeError;
use serde_json::{Value, json};

use crate::bindings::pairline::node::types::Failure;

/// The record is looked at again, and that counts.
const COUNTED: u32 = 1;
/// The record is looked at again, and that does not count.
const UNCOUNTED: u32 = 2;
/// The message goes to the trash.
const TRASH: u32 = 3;

/// A reason is not longer than this, in bytes.
const LONGEST_REASON: usize = 1000;

/// What a component is told.
pub(crate) fn told(error: impl Into<NodeError>) -> Failure {
    match error.into() {
        NodeError::Repeat { reason, after, counted } => {
            let detail = after.map(|after| json!({ "after_ms": after.as_millis() as u64 }).to_string());
            Failure { code: if counted { COUNTED } else { UNCOUNTED }, reason, detail }
        }
        NodeError::StopAndFail { reason } => refused(reason),
    }
}

/// What a component is told that asks for what it may not have, or in a way that nobody understands.
pub(crate) fn refused(reason: impl Into<String>) -> Failure {
    Failure { code: TRASH, reason: reason.into(), detail: None }
}

/// What a component says.
pub(crate) fn said(failure: Failure) -> NodeError {
    let reason = shortened(failure.reason);
    let detail = failure.detail.and_then(|detail| serde_json::from_str::<Value>(&detail).ok());
    let after = detail.as_ref().and_then(|detail| detail.get("after_ms")).and_then(Value::as_u64);
    let after = after.map(Duration::from_millis);
    match failure.code {
        COUNTED => NodeError::Repeat { reason, after, counted: true },
        UNCOUNTED => NodeError::Repeat { reason, after, counted: false },
        _ => NodeError::StopAndFail { reason },
    }
}

/// A line of a component, no longer than an operator reads.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > LONGEST_REASON {
        let end = text.floor_char_boundary(LONGEST_REASON);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_port_says_comes_back_as_the_same_if_a_component_passes_it_on() {
        for error in [
            NodeError::repeat("again"),
            NodeError::wait("later", Duration::from_millis(300)),
            NodeError::Repeat { reason: "in doubt".into(), after: Some(Duration::from_secs(5)), counted: true },
            NodeError::stop("never"),
        ] {
            assert_eq!(said(told(error.clone())), error);
        }
    }

    #[test]
    fn a_code_that_nobody_knows_goes_to_the_trash_and_a_long_reason_is_cut_between_letters() {
        let failure = Failure { code: 77, reason: "é".repeat(2000), detail: Some("not JSON".into()) };

        let NodeError::StopAndFail { reason } = said(failure) else { panic!("it is tried again") };

        assert!(reason.len() < 1010 && reason.ends_with("é…"), "{}", reason.len());
    }
}
