//! What a node says when it cannot finish: what happens next, not where it came from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a node did not finish, as what must happen next.
///
/// `?` on an error of a store or of a read repeats, because both may work a moment later; a malformed record stops,
/// because it will be just as malformed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum NodeError {
    /// The record is looked at again, from the start of its topology, as a new hint.
    #[error("{reason}")]
    Repeat {
        /// One line for the operator; no personal data beyond ids.
        reason: String,
        /// How long to wait; without it the repeater's backoff decides.
        after: Option<Duration>,
        /// Whether this counts towards the most tries a message has. Waiting for a limit, a pause or a call in
        /// flight does not.
        counted: bool,
    },
    /// The message moves to the trash with this reason and is not tried again by itself.
    #[error("{reason}")]
    StopAndFail {
        /// One line for the operator; no personal data beyond ids.
        reason: String,
    },
}

impl NodeError {
    /// Try again by the repeater's backoff; it counts as a try.
    pub fn repeat(reason: impl Into<String>) -> Self {
        Self::Repeat { reason: reason.into(), after: None, counted: true }
    }

    /// Wait for something that will pass by itself; it does not count as a try.
    pub fn wait(reason: impl Into<String>, after: Duration) -> Self {
        Self::Repeat { reason: reason.into(), after: Some(after), counted: false }
    }

    /// Give up: the message goes to the trash.
    pub fn stop(reason: impl Into<String>) -> Self {
        Self::StopAndFail { reason: reason.into() }
    }
}
