//! What answers mean, and how a description says so.

use std::time::Duration;

use super::check::Check;
use super::document::{ErrorsDocument, RuleDocument, StatusDocument, UnitDocument, WaitDocument};
use crate::application::errors::{Errors, Means, Rule, Sign, Text, Wait};

impl Check<'_> {
    pub(super) fn errors(&mut self, written: &ErrorsDocument) -> Errors {
        let mut rules = Vec::with_capacity(written.rules.len());
        for (index, rule) in written.rules.iter().enumerate() {
            let index = index.to_string();
            let path = ["errors", "rules", &index];
            let rule = self.rule(&path, rule);
            if let Some(before) = rules.iter().position(|before| hides(before, &rule)) {
                self.warn(&path, &format!("no answer comes here: rule {} fits all that this one fits", before + 1));
            }
            rules.push(rule);
        }
        Errors { rules, code: self.optional_pointer(&["errors", "code"], written.code.as_ref()) }
    }

    fn rule(&mut self, path: &[&str], written: &RuleDocument) -> Rule {
        let status = match &written.status {
            StatusDocument::One(status) => vec![*status],
            StatusDocument::Several(several) => several.clone(),
        };
        if let Some(none) = status.iter().find(|status| !(100..=599).contains(*status)) {
            self.note(&[path, &["status"]].concat(), format!("expected a status from 100 to 599, found {none}"));
        }
        let means = written.means;
        let sign = self.sign(path, written, means);
        if status.is_empty() && sign.is_none() {
            self.note(path, "expected `status`, `at` or `says`: a rule without them is about every answer");
        }
        if sign.is_none() && status.iter().any(|status| (200..=299).contains(status)) {
            self.note(path, "expected `at` or `says`: every success would be an error");
        }
        let wait = written.wait.as_ref().map(|wait| self.wait(&[path, &["wait"]].concat(), wait, means));
        Rule { status, sign, means, wait }
    }

    fn sign(&mut self, path: &[&str], written: &RuleDocument, means: Means) -> Option<Sign> {
        let at = |last| [path, &[last]].concat();
        let text = match (&written.is, &written.says) {
            (Some(_), Some(_)) => {
                self.note(path, "expected `is` or `says`, found both");
                Text::Any
            }
            (Some(value), None) => {
                if written.at.is_none() {
                    self.note(&at("is"), "expected `at`, which says where this stands");
                }
                Text::Is(value.clone())
            }
            (None, Some(says)) => self.says(&at("says"), says, means),
            (None, None) => {
                written.at.as_ref()?;
                Text::Any
            }
        };
        Some(Sign { at: self.optional_pointer(&at("at"), written.at.as_ref()), text })
    }

    fn says(&mut self, path: &[&str], says: &str, means: Means) -> Text {
        let Some((before, behind)) = says.split_once("{id}") else {
            if says.is_empty() {
                self.note(path, "expected a text, found none");
            }
            return Text::Has(says.to_owned());
        };
        if means != Means::Duplicate {
            self.note(path, "expected no `{id}`: only `means: duplicate` names a record");
        }
        if before.is_empty() {
            self.note(path, "expected a text with `{id}` behind a few words that announce it");
        }
        Text::Id(before.to_owned(), behind.to_owned())
    }

    fn wait(&mut self, path: &[&str], written: &WaitDocument, means: Means) -> Wait {
        if !matches!(means, Means::Throttled | Means::Repeat | Means::Unknown) {
            self.note(path, "expected `wait` with `means: throttled`, `repeat` or `unknown` only");
        }
        let said = match written {
            WaitDocument::Fixed(text) => return Wait::Fixed(self.duration(path, text)),
            WaitDocument::Said(said) => said,
        };
        let unit = match said.unit {
            UnitDocument::Milliseconds => Duration::from_millis(1),
            UnitDocument::Seconds => Duration::from_secs(1),
        };
        let at = |last| [path, &[last]].concat();
        match (&said.header, &said.at) {
            (Some(header), None) => Wait::Header(self.header(&at("header"), header), unit),
            (None, Some(pointer)) => Wait::Body(self.pointer(&at("at"), pointer), unit),
            _ => {
                self.note(path, "expected either `header` or `at`");
                Wait::Fixed(Duration::ZERO)
            }
        }
    }
}

/// Whether no answer that fits a rule comes to it because an earlier one takes them all.
fn hides(before: &Rule, rule: &Rule) -> bool {
    let all_statuses = before.status.is_empty()
        || (!rule.status.is_empty() && rule.status.iter().all(|status| before.status.contains(status)));
    all_statuses && before.sign.as_ref().is_none_or(|sign| rule.sign.as_ref() == Some(sign))
}
