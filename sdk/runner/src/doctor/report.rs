//! What was found, as a person reads it and as a program does.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::secrets::Secrets;
use crate::finding::Finding;

/// Something that was seen and asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is about, in a word or two.
    pub about: String,
    /// What was seen.
    pub said: String,
}

/// How long what was written was not found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// What the description promises, in milliseconds; nothing where it promises none.
    pub promised_ms: Option<u64>,
    /// Half of the measurements were at most this, in milliseconds.
    pub median_ms: u64,
    /// The longest of them, in milliseconds.
    pub worst_ms: u64,
    /// How often it was measured.
    pub samples: usize,
}

impl Lag {
    /// Of some measurements; nothing of none.
    pub(super) fn of(mut samples: Vec<Duration>, promised: Option<Duration>) -> Option<Self> {
        samples.sort_unstable();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (median, worst) = (samples.get(samples.len() / 2)?, samples.last()?);
        Some(Self {
            promised_ms: promised.map(ms),
            median_ms: ms(*median),
            worst_ms: ms(*worst),
            samples: samples.len(),
        })
    }
}

/// What was seen of one system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Its name.
    pub application: String,
    /// Its description.
    pub file: String,
    /// Scheme, host and port of where it is; empty when it was not asked.
    pub address: String,
    /// The class that its description promises.
    pub promised: Option<char>,
    /// The class that was measured.
    pub measured: Option<char>,
    /// How long what was written was not found.
    pub index_lag: Option<Lag>,
    /// The ids of scratch records that are still there.
    pub made: Vec<String>,
    /// The ids of those that were made and are gone again.
    pub removed: Vec<String>,
    /// What all of them hold in their texts.
    pub marker: Option<String>,
    /// What was seen and asks for nothing.
    pub facts: Vec<Fact>,
}

/// What was seen of all systems, and what is to be done.
pub struct Diagnosis {
    /// The systems, in the order of the project.
    pub applications: Vec<Examined>,
    /// What is wrong, in the order of the files.
    pub findings: Vec<Finding>,
    pub(super) secrets: Secrets,
}

impl Diagnosis {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self { applications: Vec::new(), findings: Vec::new(), secrets }
    }

    pub(super) fn take(&mut self, examined: Examined, findings: Vec<Finding>) {
        self.applications.push(examined);
        self.findings.extend(findings);
    }

    /// What a command ends with: 0, or 1 when there is something to report.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.findings.is_empty())
    }

    fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let (all, errors) = (self.findings.len(), self.errors());
        let mut document = json!({
            "applications": self.applications,
            "errors": errors,
            "warnings": all - errors,
            "findings": self.findings,
        });
        // A value that holds a secret would be one that a system has answered.
        self.secrets.hide_in(&mut document);
        document
    }

    /// For a person.
    pub fn text(&self, colour: bool) -> String {
        let mut text: String = self.applications.iter().map(told).collect();
        text.extend(self.findings.iter().map(|finding| finding.render(colour) + "\n\n"));
        for examined in self.applications.iter().filter(|examined| !examined.made.is_empty()) {
            text += &to_delete(examined);
        }
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (systems, errors) = (self.applications.len(), self.errors());
        text += &format!(
            "{}, {}, {}\n",
            count(systems, "application"),
            count(errors, "error"),
            count(self.findings.len() - errors, "warning")
        );
        self.secrets.hidden_in(&text)
    }
}

fn told(examined: &Examined) -> String {
    let wide = examined.facts.iter().map(|fact| fact.about.len()).max().unwrap_or_default();
    let mut text = format!("{} ({})\n", examined.application, examined.file);
    for fact in &examined.facts {
        text += &format!("  {:wide$}  {}\n", fact.about, fact.said);
    }
    text + "\n"
}

fn to_delete(examined: &Examined) -> String {
    let marker = examined.marker.as_deref().unwrap_or_default();
    let records: Vec<String> = examined.made.iter().map(|id| format!("{}:{id}", examined.application)).collect();
    format!(
        "delete by hand, before the program runs again and makes counterparts: {} (`{marker}` is in their texts)\n\n",
        records.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_told_by_its_median_and_its_worst() {
        let ms = Duration::from_millis;

        assert_eq!(Lag::of(Vec::new(), None), None);
        let lag = Lag::of(vec![ms(30), ms(10), ms(500)], Some(ms(100)));
        assert_eq!(lag, Some(Lag { promised_ms: Some(100), median_ms: 30, worst_ms: 500, samples: 3 }));
    }
}
