//! How long after it was sent a request is applied that was given up meanwhile.
//!
//! A create whose answer was lost is not sent again before `request_life` has passed, and that promise is somebody's guess as a
//! rule. Here an update is given up while the system is at work on it, and the record is read until it is there. A system under
//! load may take longer, so what is seen is the least that must be promised, and never the most.

use std::time::{Duration, Instant};

use pairline_sdk::{Application, Outcome};
use serde_json::Value;

use super::code;
use super::patient::Patient;
use super::scratch::{Scratch, Sent};
use crate::cli::printable;

/// So often it is tried to give up a request neither before it has left nor after it was answered.
const TRIES: u32 = 6;
/// Who answers faster is not caught at work: a request would be given up before it has left.
const AT_WORK: Duration = Duration::from_millis(50);
/// No request is given up sooner.
const SOONEST: Duration = Duration::from_millis(5);
/// How long it is waited for at most.
const WAIT_AT_MOST: Duration = Duration::from_secs(5);
/// Two looks are at least this far apart.
const LOOK_EVERY: Duration = Duration::from_millis(10);

fn shown(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// What became of a request that was given up.
pub(super) enum Late {
    /// It was applied this long after it was sent.
    After(Duration),
    /// It was not, as long as it was waited for.
    NotWithin(Duration),
    /// It answers faster than anybody gives up.
    TooFast,
    /// It could not be seen.
    Unclear(String),
}

impl Scratch<'_> {
    /// Gives up an update and waits for it.
    pub(super) async fn late(&self, sent: &Sent, field: &str, id: &str) -> Late {
        let usual = match self.set(sent, field, &self.late_value(0), None).await {
            Ok(set) if matches!(set.outcome, Outcome::Committed { .. }) => set.took,
            Ok(_) => return Late::Unclear("the scratch record could not be changed".to_owned()),
            Err(reason) => return Late::Unclear(reason),
        };
        if usual < AT_WORK {
            return Late::TooFast;
        }
        let mut patience = usual / 2;
        for number in 1..=TRIES {
            let value = self.late_value(number);
            let set = match self.give_up(sent, field, &value, patience).await {
                Ok(set) => set,
                Err(reason) => return Late::Unclear(reason),
            };
            match &set.outcome {
                Outcome::Committed { .. } if patience > SOONEST => patience = (patience / 2).max(SOONEST),
                Outcome::Committed { .. } => return Late::TooFast,
                Outcome::NotSent { reason, .. } => return Late::Unclear(reason.clone()),
                Outcome::Unknown { .. } => return self.wait_for(field, &value, id, set.at).await,
                _ => return Late::Unclear("the scratch record could not be changed".to_owned()),
            }
        }
        Late::TooFast
    }

    fn late_value(&self, number: u32) -> String {
        format!("{}-late{number}", self.marker)
    }

    async fn wait_for(&self, field: &str, value: &str, id: &str, sent: Instant) -> Late {
        loop {
            let waited = sent.elapsed();
            match self.patiently(|| self.application.read(id)).await {
                Ok(Some(record)) if record.value(field).and_then(Value::as_str) == Some(value) => {
                    return Late::After(waited);
                }
                Ok(_) => {}
                Err(error) => return Late::Unclear(error.to_string()),
            }
            if waited > WAIT_AT_MOST {
                return Late::NotWithin(WAIT_AT_MOST);
            }
            self.sleep(LOOK_EVERY.max(waited / 20)).await;
        }
    }
}

impl Patient<'_> {
    /// Tells what became of it.
    pub(super) fn judge_late(&mut self, late: Late) {
        let promised = self.description().profile.request_life;
        let said = match late {
            Late::After(after) if after > promised => {
                let message = format!(
                    "an update that was given up was applied {} after it was sent, and `request_life` promises {}",
                    shown(after),
                    shown(promised)
                );
                let help = format!("write at least `{}s`: under load it takes longer", (after * 4).as_secs() + 1);
                return self.error(code::LATE, &["capabilities", "request_life"], message, help);
            }
            Late::After(after) => format!(
                "an update that was given up was applied {} after it was sent; under load it may be more, and {} are promised",
                shown(after),
                shown(promised)
            ),
            Late::NotWithin(waited) => {
                format!("an update that was given up was not applied within {}", shown(waited))
            }
            Late::TooFast => "it answers too fast for one to be given up".to_owned(),
            Late::Unclear(reason) => format!("not measured: {}", printable(&reason)),
        };
        self.note("late requests", said);
    }
}
