//! Ledger: what went wrong against what harm it did, for people and for programs, and the one line it comes down to.

use serde_json::{Map, Value, json};

use crate::cli::typed;
use crate::composition::{ChaosOutcome, PlayedSystem, Unjudged};

/// Single findings that are shown; JSON has them all.
const FINDINGS_SHOWN: usize = 8;
/// The columns of the table.
const FAULT_COLUMN: usize = 36;
const COUNT_COLUMN: usize = 9;
const GAP: &str = "    ";

/// What is told of a run.
pub(super) struct Ledger<'a> {
    pub(super) outcome: &'a ChaosOutcome,
    pub(super) unjudged: &'a [Unjudged],
    pub(super) played: &'a [PlayedSystem; 2],
    pub(super) seed: u64,
    /// Where the topologies come from.
    pub(super) origin: &'a str,
    /// This program with these texts, as it can be typed.
    pub(super) program: &'a str,
    /// The options that make the same kind of trouble again.
    pub(super) options: &'a str,
}

impl Ledger<'_> {
    /// Whether there is nothing to report.
    pub(super) fn is_clean(&self) -> bool {
        self.outcome.quiet && self.found().is_empty()
    }

    /// The harm that was found, in words.
    fn found(&self) -> Vec<String> {
        let found = self.outcome.harm.iter().filter(|harm| harm.found > 0);
        found.map(|harm| counted(harm.found, harm.one, harm.many)).collect()
    }

    /// Everything that went wrong, kills left out.
    fn faults(&self) -> u64 {
        self.outcome.faults.iter().flat_map(|fault| fault.happened).sum()
    }

    fn again(&self) -> String {
        format!("{} chaos {}", self.program, self.options)
    }

    /// The last line. It says what was measured and no more: that nothing was found is not that nothing is there.
    pub(super) fn verdict(&self) -> String {
        let found = self.found().join(", ");
        let faults = counted(self.faults(), "fault", "faults");
        let kills = counted(u64::from(self.outcome.kills), "kill", "kills");
        let again = format!("the same kind of trouble, not the exact run: {}", self.again());
        match (self.outcome.quiet, found.is_empty()) {
            (true, true) => format!("{faults}, {kills}: no harm found (seed {})", self.seed),
            (true, false) => format!("HARM: {found} after {faults} and {kills}; {again}"),
            (false, true) => format!("NOT QUIET in time after {faults} and {kills}, no harm found so far; {again}"),
            (false, false) => format!("NOT QUIET in time after {faults} and {kills}, so far {found}; {again}"),
        }
    }

    pub(super) fn text(&self, colour: bool) -> String {
        let work = self.outcome.work;
        let mut text = format!(
            "chaos over {}: {}, seed {}\n\n",
            self.origin,
            counted(work.people as u64, "person", "people"),
            self.seed
        );
        text += &self.table();
        text += &format!(
            "\n{}, {} ({}), {}\n",
            counted(work.creates as u64, "person made", "people made"),
            counted(work.edits as u64, "edit", "edits"),
            counted(work.conflicts as u64, "field edited on both sides at once", "fields edited on both sides at once"),
            counted(work.deletes as u64, "record deleted", "records deleted"),
        );
        text += &format!(
            "{} made, {} needed one by one; the last one {:.1} s after the trouble\n",
            counted(work.writes_made, "write", "writes"),
            grouped(work.writes_needed),
            work.last_write_after_ms as f64 / 1000.0
        );
        for unjudged in self.unjudged {
            text += &format!("not judged: {}: {}\n", unjudged.field, unjudged.why);
        }
        text += &self.evidence();
        let verdict = self.verdict();
        let colours = if self.is_clean() { "\x1b[1;32m" } else { "\x1b[1;31m" };
        text + "\n" + &if colour { format!("{colours}{verdict}\x1b[0m\n") } else { format!("{verdict}\n") }
    }

    /// Faults on the left, harm on the right.
    fn table(&self) -> String {
        let faults = self.outcome.faults.iter().map(|fault| (fault.about, fault.happened.iter().sum()));
        let kills = ("kills (SIGKILL)", u64::from(self.outcome.kills));
        let left: Vec<(&str, u64)> = faults.chain([kills]).collect();
        let right: Vec<(&str, u64)> = self.outcome.harm.iter().map(|harm| (harm.many, harm.found)).collect();
        let cell = |cell: Option<&(&str, u64)>| match cell {
            Some((name, count)) => format!("{name:<FAULT_COLUMN$}{:>COUNT_COLUMN$}", grouped(*count)),
            None => " ".repeat(FAULT_COLUMN + COUNT_COLUMN),
        };
        let mut table = format!(
            "{:<FAULT_COLUMN$}{:>COUNT_COLUMN$}{GAP}{:<FAULT_COLUMN$}{:>COUNT_COLUMN$}\n",
            "what went wrong", "times", "what harm it did", "found"
        );
        for number in 0..left.len().max(right.len()) {
            let line = format!("{}{GAP}{}", cell(left.get(number)), cell(right.get(number)));
            table += line.trim_end();
            table.push('\n');
        }
        table
    }

    /// What there is to look at.
    fn evidence(&self) -> String {
        let outcome = self.outcome;
        let mut text = String::new();
        if !outcome.findings.is_empty() {
            text.push('\n');
        }
        for finding in outcome.findings.iter().take(FINDINGS_SHOWN) {
            text += &format!("{finding}\n");
        }
        if let Some(more) = outcome.findings.len().checked_sub(FINDINGS_SHOWN).filter(|more| *more > 0) {
            text += &format!("and {}; --json tells them all\n", counted(more as u64, "more finding", "more findings"));
        }
        if let Some(data) = &outcome.data {
            let data = typed::word(&data.to_string_lossy());
            text += &format!("\nkept: {} --data-dir {data} explain RECORD\n", self.program);
        }
        if let Some(log) = &outcome.log {
            text += &format!("log:  {}\n", typed::word(&log.to_string_lossy()));
        }
        text
    }

    pub(super) fn json(&self, asked: Value) -> Value {
        let outcome = self.outcome;
        let faults = outcome.faults.iter().map(|fault| {
            let sides =
                self.played.iter().zip(fault.happened).map(|(system, times)| (system.name.to_owned(), times.into()));
            (fault.name.clone(), Value::Object(sides.collect()))
        });
        let harm = outcome.harm.iter().map(|harm| (harm.name.to_owned(), harm.found.into()));
        json!({
            "verdict": self.verdict(),
            "clean": self.is_clean(),
            "quiet": outcome.quiet,
            "asked": asked,
            "faults": Map::from_iter(faults),
            "faults_total": self.faults(),
            "kills": outcome.kills,
            "harm": Map::from_iter(harm),
            "findings": outcome.findings,
            "work": outcome.work,
            "not_judged": self.unjudged,
            "data_dir": outcome.data,
            "log": outcome.log,
            "again": self.again(),
        })
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with a comma between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::composition::{ChaosWork, Fault, Harm};

    fn outcome(duplicates: u64, lost: u64) -> ChaosOutcome {
        let fault = |name: &str, about, happened| Fault { name: name.to_owned(), about, happened };
        ChaosOutcome {
            faults: vec![
                fault("delivery_doubled", "webhooks sent twice", [700, 500]),
                fault("rate_limit", "calls over the rate limit", [40, 0]),
            ],
            kills: 3,
            harm: vec![
                Harm { name: "duplicate", one: "duplicate", many: "duplicates", found: duplicates },
                Harm { name: "lost_edit", one: "lost edit", many: "lost edits", found: lost },
                Harm { name: "crossed", one: "crossed value", many: "crossed values", found: 0 },
            ],
            quiet: true,
            work: ChaosWork { people: 200, edits: 1, writes_made: 1_210, writes_needed: 1_100, ..ChaosWork::default() },
            ..ChaosOutcome::default()
        }
    }

    fn told<T>(outcome: &ChaosOutcome, tell: impl FnOnce(&Ledger<'_>) -> T) -> T {
        let system = |name| PlayedSystem { name, variables: BTreeMap::new(), address: "", token: "", secret: "" };
        let unjudged = [Unjudged { field: "vat_id".to_owned(), why: "the contract does not name it".to_owned() }];
        tell(&Ledger {
            outcome,
            unjudged: &unjudged,
            played: &[system("crm"), system("erp")],
            seed: 7,
            origin: "the built-in topologies",
            program: "pairline",
            options: "--seed 7",
        })
    }

    #[test]
    fn without_harm_the_last_line_says_what_was_measured_and_no_more() {
        let outcome = outcome(0, 0);

        assert!(told(&outcome, |ledger| ledger.is_clean()));
        assert_eq!(told(&outcome, |ledger| ledger.verdict()), "1,240 faults, 3 kills: no harm found (seed 7)");
    }

    #[test]
    fn harm_is_named_and_counted_and_the_seed_promises_no_exact_run() {
        let outcome = outcome(1, 2);

        assert!(!told(&outcome, |ledger| ledger.is_clean()));
        assert_eq!(
            told(&outcome, |ledger| ledger.verdict()),
            "HARM: 1 duplicate, 2 lost edits after 1,240 faults and 3 kills; \
             the same kind of trouble, not the exact run: pairline chaos --seed 7"
        );
    }

    #[test]
    fn a_run_that_never_became_quiet_is_not_called_harmless() {
        for (lost, told_so_far) in [(0, "no harm found so far"), (1, "so far 1 lost edit;")] {
            let outcome = ChaosOutcome { quiet: false, ..outcome(0, lost) };

            assert!(!told(&outcome, |ledger| ledger.is_clean()));
            let verdict = told(&outcome, |ledger| ledger.verdict());
            assert!(verdict.starts_with("NOT QUIET in time after 1,240 faults and 3 kills, "), "{verdict}");
            assert!(verdict.contains(told_so_far), "{verdict}");
        }
    }

    #[test]
    fn the_text_has_its_columns_below_each_other_and_ends_with_the_verdict() {
        let outcome = outcome(0, 2);

        let text = told(&outcome, |ledger| ledger.text(false));

        let lines: Vec<&str> = text.lines().collect();
        let table: Vec<&&str> = lines.iter().filter(|line| line.contains(GAP)).take(4).collect();
        assert!(table[0].starts_with("what went wrong") && table[0].ends_with("    found"), "{text}");
        assert!(table[1].starts_with("webhooks sent twice") && table[1].contains("1,200    duplicates"), "{text}");
        assert!(table[2].contains("40    lost edits") && table[2].ends_with(" 2"), "{text}");
        assert!(table.windows(2).all(|lines| lines[0].len() == lines[1].len()), "{text}");
        assert!(text.contains("1,210 writes made, 1,100 needed one by one"), "{text}");
        assert!(text.contains("not judged: vat_id: the contract does not name it"), "{text}");
        assert!(lines.last().unwrap().starts_with("HARM: 2 lost edits"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        assert!(told(&outcome, |ledger| ledger.text(true)).contains("\x1b[1;31mHARM"));
    }

    #[test]
    fn a_program_reads_every_count_by_its_name() {
        let json = told(&outcome(1, 0), |ledger| ledger.json(json!({ "seed": 7 })));

        assert_eq!(json["faults"]["delivery_doubled"], json!({ "crm": 700, "erp": 500 }));
        assert_eq!((&json["faults_total"], &json["kills"]), (&json!(1240), &json!(3)));
        assert_eq!(json["harm"], json!({ "duplicate": 1, "lost_edit": 0, "crossed": 0 }));
        assert_eq!((&json["clean"], &json["quiet"]), (&json!(false), &json!(true)));
        assert!(json["verdict"].as_str().unwrap().starts_with("HARM: 1 duplicate after"));
        assert_eq!(json["not_judged"][0]["field"], "vat_id");
    }

    #[test]
    fn thousands_are_kept_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
