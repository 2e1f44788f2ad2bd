//! Whether an update that is bound to the version that was read is done for that version, and for no other.
//!
//! A precondition that is ignored loses the edits it was to keep. One that never holds is worse: each update that is bound to it
//! is read and tried again, and ends in the trash.

use pairline_sdk::{Application, Outcome};

use super::code;
use super::patient::Patient;
use super::scratch::{Scratch, Sent, not_made};
use crate::cli::printable;

/// What became of updates that were bound to a version.
pub(super) enum Bound {
    /// They were done for the version that was read, and for no other.
    Kept,
    /// An older version would have done as well.
    Ignored,
    /// The version that was read just before is refused.
    NeverHolds(String),
    /// An outdated one is refused for good, so that nothing is read and decided anew.
    ForGood(String),
    /// What was read has no version.
    Nameless,
    /// An update does not change the version.
    Standing,
    /// It could not be seen.
    Unclear(String),
}

impl Scratch<'_> {
    /// Changes a scratch record by the version it has, and once more by the same.
    pub(super) async fn bound(&self, sent: &Sent, field: &str, id: &str) -> Bound {
        let version = || async {
            let record = self.patiently(|| self.application.read(id)).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(record.and_then(|record| record.version))
        };
        let value = |number: u32| format!("{}-version{number}", self.marker);
        let first = match version().await {
            Ok(Some(first)) => first,
            Ok(None) => return Bound::Nameless,
            Err(reason) => return Bound::Unclear(reason),
        };
        let set = async |number| self.set(sent, field, &value(number), Some(&first)).await.map(|set| set.outcome);
        // Whether anything was sent is no verdict on what would have become of it: that is unclear, too.
        match set(1).await {
            Ok(Outcome::Committed { .. }) => {}
            Ok(Outcome::Outdated { reason } | Outcome::Failed { reason }) => return Bound::NeverHolds(reason),
            Ok(outcome) => return Bound::Unclear(not_made(&outcome)),
            Err(reason) => return Bound::Unclear(reason),
        }
        match version().await {
            Ok(second) if second.as_ref() == Some(&first) => return Bound::Standing,
            Ok(_) => {}
            Err(reason) => return Bound::Unclear(reason),
        }
        match set(2).await {
            Ok(Outcome::Committed { .. }) => Bound::Ignored,
            Ok(Outcome::Outdated { .. }) => Bound::Kept,
            Ok(Outcome::Failed { reason }) => Bound::ForGood(reason),
            Ok(outcome) => Bound::Unclear(not_made(&outcome)),
            Err(reason) => Bound::Unclear(reason),
        }
    }
}

impl Patient<'_> {
    /// Tells what became of them.
    pub(super) fn judge_precondition(&mut self, bound: Bound) {
        let (header, body) = (["operations", "update", "precondition"], ["operations", "update", "body"]);
        let at = if self.tree().has(&header) { header } else { body };
        let (message, help) = match bound {
            Bound::Kept => {
                return self.note("versions", "an update is done for the version that was read, and for no other");
            }
            Bound::Unclear(reason) => return self.note("versions", format!("not measured: {}", printable(&reason))),
            Bound::Ignored => (
                "an update that was bound to an outdated version was done: edits in between would be lost".to_owned(),
                "look at how the system wants the version to be sent, or take it out",
            ),
            Bound::NeverHolds(reason) => (
                format!(
                    "an update by the version just read is refused, so none would ever be made: {}",
                    printable(&reason)
                ),
                "compare what is sent with what the system calls its version, and look at `record.version`",
            ),
            Bound::ForGood(reason) => (
                format!("an outdated version is refused, and it would not be tried again: {}", printable(&reason)),
                "add a rule to `errors.rules` that takes this refusal for `means: outdated`",
            ),
            Bound::Nameless => (
                "a record that is read has no version, so no update is bound to one".to_owned(),
                "look at `record.version`",
            ),
            Bound::Standing => (
                "an update does not change the version: two edits look the same".to_owned(),
                "take something for `record.version` that is another one after every write",
            ),
        };
        self.error(code::PRECONDITION, &at, message, help.to_owned());
    }
}
