//! Scratch records are taken away again, where the description says how a record is removed.
//!
//! Nobody else's may go. What is removed was named by the answer to a create of this very probe, or was found by the probe's own
//! id in it. That may still be another's: a description can look for the id in the wrong place, and a running program somewhere
//! else can have made a counterpart of it. So each is read once more right before, and must hold the marker that no other record
//! ever did, and no other id than the probe's.

use pairline_sdk::{Application, ReadError, Record, SyncContract};
use serde_json::json;

use super::code;
use super::patient::Patient;
use super::scratch::Scratch;
use crate::application::json;
use crate::cli::printable;

/// Why a scratch record is still there.
pub(super) enum Stays {
    /// It may be somebody's.
    Kept(String),
    /// It could not be removed.
    Failed(String),
    /// It was answered that it is gone, and it is there.
    Missed,
    /// None is to be removed any more.
    Denied(String),
}

impl Scratch<'_> {
    /// Removes a record of this probe, and looks whether it is gone.
    ///
    /// # Errors
    ///
    /// Why it is still there, as far as anybody knows.
    pub(super) async fn remove(&self, id: &str, contracts: &[&SyncContract]) -> Result<(), Stays> {
        let read = || self.application.read(id);
        match self.patiently(read).await {
            Ok(Some(record)) => self.is_scratch(&record, contracts).map_err(Stays::Kept)?,
            // Where a record that was made is not found, that it is not found proves nothing.
            Ok(None) => return Err(Stays::Kept("it is not found when it is read".to_owned())),
            Err(error) => return Err(Stays::Kept(format!("it cannot be read: {error}"))),
        }
        let delete = || self.application.delete(id);
        let mut said = delete().await;
        match said {
            // Nothing gets better by waiting.
            Err(ReadError::Wait { reason, .. }) if reason.contains("credentials") => return Err(Stays::Denied(reason)),
            // What was lost on its way may come again.
            Err(ReadError::Wait { .. } | ReadError::Failed(_)) => said = self.patiently(delete).await,
            Ok(_) | Err(ReadError::Refused(_)) => {}
        }
        match (self.patiently(read).await, said) {
            (Ok(None), _) => Ok(()),
            (Ok(Some(_)), Ok(_)) => Err(Stays::Missed),
            (Ok(Some(_)), Err(error)) => Err(Stays::Failed(error.to_string())),
            (Err(error), _) => Err(Stays::Failed(format!("whether it is gone cannot be read: {error}"))),
        }
    }

    /// Whether a record is a scratch record of this probe, and nothing more than that.
    fn is_scratch(&self, record: &Record, contracts: &[&SyncContract]) -> Result<(), String> {
        let holds = |text: &str| text.to_lowercase().contains(self.marker);
        if !holds(&json!(record.fields).to_string()) {
            return Err(format!("it does not hold `{}`", self.marker));
        }
        let system = &self.application.profile().system;
        let inverse = contracts.iter().filter_map(|contract| contract.inverse_field(system));
        let ids = inverse.filter_map(|field| record.value(field)).map(json::text);
        let mut others = ids.filter(|id| !id.is_empty() && id != "null" && !holds(id));
        others.next().map_or(Ok(()), |other| Err(format!("it has `{other}` for its counterpart by now")))
    }
}

impl Patient<'_> {
    /// Tells what became of the scratch records.
    pub(super) fn removed(&mut self, removed: Vec<(String, Result<(), Stays>)>) {
        let (all, at) = (removed.len(), ["operations", "delete"]);
        for (id, end) in removed {
            let shown = printable(&id);
            // The sync does without: neither makes it go wrong.
            let (message, help) = match end {
                Ok(()) => {
                    self.unmade(&id);
                    continue;
                }
                Err(Stays::Missed) => (
                    format!(
                        "scratch record {shown} could not be removed: it was answered that it is gone, and it is not"
                    ),
                    "look at once whether `operations.delete` is about something else, and at what is missing there",
                ),
                Err(Stays::Failed(reason) | Stays::Denied(reason)) => (
                    format!("scratch record {shown} could not be removed: {}", printable(&reason)),
                    "look at `operations.delete`, and at what our credentials allow",
                ),
                Err(Stays::Kept(reason)) => (
                    format!("scratch record {shown} was not removed: {}", printable(&reason)),
                    "look at it before you delete it by hand: it may be somebody's",
                ),
            };
            self.warning(code::NOT_REMOVED, &at, message, help.to_owned());
        }
        let said = match all - self.made_ids().len() {
            gone if gone == all => format!("{all} made and removed again"),
            gone => format!("{all} made, {gone} removed again"),
        };
        self.note("scratch records", said);
    }
}
