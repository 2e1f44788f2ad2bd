//! What happens between two states, as a person would tell it.

use std::fmt;

use crate::state::CRM;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The worker, if it is one's doing.
    pub(crate) worker: Option<u8>,
    /// The sentence; `{R}` is the record it is about, `{O}` the one of the other system.
    pub(crate) text: &'static str,
    pub(crate) system: u8,
    pub(crate) slot: u8,
    pub(crate) other: u8,
}

fn name(system: u8, slot: u8) -> String {
    format!("{}-{}", if system == CRM { "crm" } else { "erp" }, slot + 1)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(worker) = self.worker {
            write!(f, "worker {} ", worker + 1)?;
        }
        let told = self.text.replace("{R}", &name(self.system, self.slot));
        f.write_str(&told.replace("{O}", &name(1 - self.system, self.other)))
    }
}
