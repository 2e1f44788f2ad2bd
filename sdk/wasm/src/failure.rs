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

/// A component that waits for something is not asked again before that, and is asked again after an hour at the latest.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

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
    let after = after.map(|millis| Duration::from_millis(millis).clamp(SHORTEST_WAIT, LONGEST_WAIT));
    match failure.code {
        COUNTED => NodeError::Repeat { reason, after, counted: true },
        UNCOUNTED => NodeError::Repeat { reason, after, counted: false },
        _ => NodeError::StopAndFail { reason },
    }
}

/// A line of a component, no longer than an operator reads.
pub(crate) fn shortened(text: String) -> String {
    let mut text = one_line(text);
    if text.len() > LONGEST_REASON {
        let end = text.floor_char_boundary(LONGEST_REASON);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A text as one line: a component begins no line of the log by itself, and moves no cursor.
pub(crate) fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
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
    fn a_wait_is_neither_for_ever_nor_none_and_a_reason_is_one_line() {
        let waits = |millis: &str| {
            let detail = Some(format!(r#"{{"after_ms":{millis}}}"#));
            match said(Failure { code: UNCOUNTED, reason: "a\nb\u{1b}[31m".into(), detail }) {
                NodeError::Repeat { after, reason, .. } => (after, reason),
                NodeError::StopAndFail { .. } => panic!("it is not tried again"),
            }
        };

        assert_eq!(waits("1000000000000000").0, Some(LONGEST_WAIT));
        assert_eq!(waits("0"), (Some(SHORTEST_WAIT), "a\\nb\\u{1b}[31m".to_owned()));
    }

    #[test]
    fn a_code_that_nobody_knows_goes_to_the_trash_and_a_long_reason_is_cut_between_letters() {
        let failure = Failure { code: 77, reason: "é".repeat(2000), detail: Some("not JSON".into()) };

        let NodeError::StopAndFail { reason } = said(failure) else { panic!("it is tried again") };

        assert!(reason.len() < 1010 && reason.ends_with("é…"), "{}", reason.len());
    }
}
