//! Audit: compares what is left in both systems, and every write the sync made, with what people did.

mod file;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use self::file::File;
use crate::history::{Deed, WriteEntry, Writer};
use crate::judge::evidence::{Evidence, Record, is_sync};
use crate::judge::ledger::{Entry, Ledger};
use crate::judge::meaning::{Meaning, Side};
use crate::judge::ownership::Ownership;

/// A program that is killed later than this after a write was answered has kept what it was told. What it keeps is on the disk
/// with the next sync; a loss of power takes what is younger.
const KEPT_WITHIN_MS: i64 = 1_000;
/// Findings of one category that get a story; the rest only say what they are.
const STORIES_MAX: usize = 3;
/// A story is cut in the middle when it has more lines.
const STORY_LINES_MAX: usize = 60;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Two records on one side for one person.
    Duplicate,
    /// A live person's record has no counterpart.
    Missing,
    /// The value that should have won does not stand.
    LostEdit,
    /// The sync wrote a field on the side that owns it, other than in a create body.
    Clobbered,
    /// A value of one person is, or was, on another's record.
    Crossed,
    /// The sides of a pair differ.
    Divergent,
    /// The sync made a record for a person whose record had been deleted.
    Resurrected,
    /// A record of a pair does not point at its counterpart.
    WrongInverse,
    /// The sync deleted a record; deletions are not mirrored.
    Deleted,
    /// The sync made a record of nobody.
    Stray,
}

impl Category {
    /// All of them, as they are printed.
    pub const ALL: [Category; 10] = [
        Category::Duplicate,
        Category::Missing,
        Category::LostEdit,
        Category::Clobbered,
        Category::Crossed,
        Category::Divergent,
        Category::Resurrected,
        Category::WrongInverse,
        Category::Deleted,
        Category::Stray,
    ];

    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Category::Duplicate => "duplicate",
            Category::Missing => "missing",
            Category::LostEdit => "lost edit",
            Category::Clobbered => "clobbered",
            Category::Crossed => "crossed",
            Category::Divergent => "divergent",
            Category::Resurrected => "resurrected",
            Category::WrongInverse => "wrong inverse",
            Category::Deleted => "deleted",
            Category::Stray => "stray",
        }
    }

    /// Whether time may still heal it. What was written wrongly stays in the history.
    fn may_heal(self) -> bool {
        matches!(self, Category::Missing | Category::LostEdit | Category::Divergent | Category::WrongInverse)
    }
}

/// What nobody can be blamed for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tolerance {
    /// Edits of a shared field on both sides closer than this are simultaneous: either may win.
    pub simultaneous_ms: i64,
    /// A first create that began before the deletion may land this long after it.
    pub in_flight_ms: i64,
    /// A record whose create was not answered cannot be known when it is deleted this soon: it may be made again.
    pub unseen_ms: i64,
    /// An edit of a shared field made this soon before a write of the sync came may not be in what it had read.
    pub unread_ms: i64,
}

impl Tolerance {
    /// For a program that runs on a healthy network.
    pub const CALM: Tolerance = Tolerance { simultaneous_ms: 1_500, in_flight_ms: 2_000, unseen_ms: 0, unread_ms: 0 };
    /// For a program that is killed, or whose calls are late and whose webhooks are lost.
    pub const STORMY: Tolerance =
        Tolerance { simultaneous_ms: 20_000, in_flight_ms: 20_000, unseen_ms: 4_000, unread_ms: 2_000 };
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What kind.
    pub category: Category,
    /// Whose records; 0 when nobody knows.
    pub person: u32,
    /// That person's contacts.
    pub crm: Vec<String>,
    /// That person's customers.
    pub erp: Vec<String>,
    /// What exactly.
    pub what: String,
    /// The writes of those records, in order of time. Only the first people of a category have it, once each.
    pub story: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] person {}: {}", self.category.name(), self.person, self.what)?;
        write!(f, "\n    crm {:?}  erp {:?}", self.crm, self.erp)?;
        self.story.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// The outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// People in the ledger.
    pub people: usize,
    /// People with one live record on each side.
    pub pairs: usize,
}

impl Audit {
    /// Compares the evidence with the ledger.
    pub fn of(ledger: &Ledger, evidence: &Evidence, ownership: &Ownership, tolerance: Tolerance) -> Self {
        let mut court = Court { evidence, ownership, tolerance, findings: Vec::new(), pairs: 0 };
        let entries = ledger.by_person();
        let mut files: BTreeMap<u32, File<'_>> = BTreeMap::new();
        for (person, entries) in &entries {
            files.insert(*person, File { person: *person, entries, records: [Vec::new(), Vec::new()] });
        }
        court.sort_records(ledger, &mut files);
        for file in files.values() {
            court.look_at(file);
        }
        court.tell_stories(&files);
        Self { findings: court.findings, people: entries.len(), pairs: court.pairs }
    }

    /// Findings of one category.
    pub fn count(&self, category: Category) -> usize {
        self.findings.iter().filter(|finding| finding.category == category).count()
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether there is nothing that more time could heal.
    pub fn is_converged(&self) -> bool {
        !self.findings.iter().any(|finding| finding.category.may_heal())
    }
}

struct Court<'a> {
    evidence: &'a Evidence,
    ownership: &'a Ownership,
    tolerance: Tolerance,
    findings: Vec<Finding>,
    pairs: usize,
}

impl<'a> Court<'a> {
    /// Puts every record into the file of its person.
    fn sort_records(&mut self, ledger: &Ledger, files: &mut BTreeMap<u32, File<'a>>) {
        let made = ledger.0.iter().filter(|entry| entry.deed == Deed::Created);
        let made: HashMap<_, _> = made.map(|entry| ((entry.side, entry.record.as_str()), entry.person)).collect();
        for side in Side::BOTH {
            for (id, record) in self.evidence.side(side) {
                let person = made.get(&(side, id.as_str())).copied().or_else(|| person_of(side, record));
                match person.and_then(|person| files.get_mut(&person)) {
                    Some(file) => file.records[side as usize].push(record),
                    None => self.findings.push(Finding {
                        category: Category::Stray,
                        person: 0,
                        crm: (side == Side::Crm).then(|| id.clone()).into_iter().collect(),
                        erp: (side == Side::Erp).then(|| id.clone()).into_iter().collect(),
                        what: format!("{} {id} was made with nobody's values", side.name()),
                        story: told(&[(side, record)]),
                    }),
                }
            }
        }
    }

    fn look_at(&mut self, file: &File<'_>) {
        self.duplicates(file);
        self.resurrections(file);
        for side in Side::BOTH {
            for record in file.on(side) {
                self.writes(file, side, record);
                self.crossed(file, side, record);
                self.inverse(file, side, record);
            }
        }
        let [crm, erp] = Side::BOTH.map(|side| file.live(side));
        let deleted = file.deletions().next().is_some();
        match (crm.as_slice(), erp.as_slice()) {
            ([crm], [erp]) => {
                self.pairs += 1;
                self.divergent(file, crm, erp);
                for meaning in self.ownership.judged() {
                    self.stands(file, meaning, Side::Crm, crm);
                    self.stands(file, meaning, Side::Erp, erp);
                }
            }
            ([only], []) => self.alone(file, Side::Crm, only, deleted),
            ([], [only]) => self.alone(file, Side::Erp, only, deleted),
            _ => {}
        }
    }

    fn duplicates(&mut self, file: &File<'_>) {
        for side in Side::BOTH {
            let live = file.live(side).len();
            let deleted = file.deletions().any(|entry| entry.side == side);
            let ever = file.on(side).len();
            if live > 1 || (ever > 1 && !deleted) {
                self.find(file, Category::Duplicate, format!("{ever} records on the {} side", side.name()));
            }
        }
    }

    /// A record without a counterpart keeps what its own side's people typed, and is missed on the other side unless
    /// somebody deleted this person.
    fn alone(&mut self, file: &File<'_>, side: Side, record: &Record, deleted: bool) {
        if !deleted {
            let what = format!("{} {} has no counterpart", side.name(), record.view.id);
            self.find(file, Category::Missing, what);
        }
        for meaning in self.ownership.owned(side) {
            self.stands(file, meaning, side, record);
        }
    }

    fn stands(&mut self, file: &File<'_>, meaning: Meaning, side: Side, record: &Record) {
        let expected = file.expected(meaning, self.ownership.rule(meaning), self.tolerance);
        let found = meaning.read(side, &record.view.fields);
        if !expected.is_empty() && !expected.contains(&found.as_deref()) {
            let expected: Vec<_> = expected.into_iter().map(shown).collect();
            let what = format!(
                "{} {} holds {meaning:?} {}, expected {}",
                side.name(),
                record.view.id,
                shown(found.as_deref()),
                expected.join(" or "),
            );
            self.find(file, Category::LostEdit, what);
        }
    }

    fn divergent(&mut self, file: &File<'_>, crm: &Record, erp: &Record) {
        for meaning in self.ownership.judged() {
            let in_crm = meaning.read(Side::Crm, &crm.view.fields);
            let in_erp = meaning.read(Side::Erp, &erp.view.fields);
            if in_crm != in_erp {
                let what = format!("{meaning:?}: crm {}, erp {}", shown(in_crm.as_deref()), shown(in_erp.as_deref()));
                self.find(file, Category::Divergent, what);
            }
        }
    }

    fn writes(&mut self, file: &File<'_>, side: Side, record: &Record) {
        for write in record.history.iter().filter(|write| is_sync(&write.writer)) {
            if write.deed == Deed::Deleted {
                let what = format!("the sync deleted {} {}", side.name(), record.view.id);
                self.find(file, Category::Deleted, what);
            }
            if write.deed != Deed::Updated {
                continue;
            }
            for meaning in self.ownership.owned(side) {
                if meaning.is_in(side, &write.fields) {
                    let changed = meaning.is_among(side, &write.changed);
                    let how = if changed { "changed" } else { "wrote, without a change," };
                    let value = meaning.read(side, &write.fields);
                    let what = format!(
                        "the sync {how} {meaning:?} on its owner's {} {} to {}",
                        side.name(),
                        record.view.id,
                        shown(value.as_deref()),
                    );
                    self.find(file, Category::Clobbered, what);
                }
            }
        }
    }

    fn crossed(&mut self, file: &File<'_>, side: Side, record: &Record) {
        for meaning in Meaning::ALL {
            let written = record.history.iter().filter(|write| is_sync(&write.writer)).map(|write| &write.fields);
            let values = written.chain([&record.view.fields]).filter_map(|fields| meaning.read(side, fields));
            let foreign = values.filter_map(|value| Some((meaning.person_of(&value)?, value)));
            let foreign = foreign.filter(|(person, _)| *person != file.person).map(|(_, value)| value).next();
            if let Some(value) = foreign {
                let what = format!("{} {} was given {meaning:?} {value} of another", side.name(), record.view.id);
                self.find(file, Category::Crossed, what);
            }
        }
    }

    fn resurrections(&mut self, file: &File<'_>) {
        for side in Side::BOTH {
            for record in file.on(side) {
                let Some(made) = record.history.first().filter(|write| made_by_sync(write)) else {
                    continue;
                };
                let before = |deletion: &&&Entry| deletion.at_ms < made.at_ms;
                let Some(deletion) = file.deletions().find(before) else {
                    continue;
                };
                // A first create may have been on its way; a second one has no excuse, unless nobody knew of the first.
                let others = file.on(side).iter().filter(|other| other.view.id != record.view.id);
                let had_one = others
                    .filter(|other| other.view.created_at_ms <= deletion.at_ms)
                    .any(|other| !self.nobody_knew(other, deletion));
                let after_ms = made.at_ms - deletion.at_ms;
                if had_one || after_ms > self.tolerance.in_flight_ms {
                    let what = format!(
                        "{} {} was made {after_ms} ms after {} {} was deleted",
                        side.name(),
                        record.view.id,
                        deletion.side.name(),
                        deletion.record,
                    );
                    self.find(file, Category::Resurrected, what);
                }
            }
        }
    }

    /// Whether a record was deleted before the sync could look for what had become of its create.
    fn nobody_knew(&self, record: &Record, deletion: &Entry) -> bool {
        let told_nobody = |made: &WriteEntry| matches!(&made.writer, Writer::Caller { visit, .. } if !visit.answered);
        let forgotten = |made: &WriteEntry| {
            let kept_at_last_ms = made.at_ms + KEPT_WITHIN_MS;
            self.evidence.killed_at_ms.iter().any(|at_ms| (made.at_ms..=kept_at_last_ms).contains(at_ms))
        };
        let is_unknown = |made: &WriteEntry| made_by_sync(made) && (told_nobody(made) || forgotten(made));
        let unanswered = record.history.first().is_some_and(is_unknown);
        let lived_ms = deletion.at_ms - record.view.created_at_ms;
        unanswered && deletion.record == record.view.id && lived_ms <= self.tolerance.unseen_ms
    }

    fn inverse(&mut self, file: &File<'_>, side: Side, record: &Record) {
        let points_at = side.inverse(&record.view.fields);
        let [other] = file.on(side.other()) else {
            // Nobody to point at, or a duplicate, which is found elsewhere.
            if let (Some(id), []) = (points_at, file.on(side.other())) {
                let what = format!("{} {} points at {id}, which is not there", side.name(), record.view.id);
                self.find(file, Category::WrongInverse, what);
            }
            return;
        };
        let paired = !record.view.gone && !other.view.gone && file.on(side).len() == 1;
        let right = match points_at {
            Some(id) => id == other.view.id,
            // A pair that somebody cut by deleting may never have been finished.
            None => !paired,
        };
        if !right {
            let what = format!(
                "{} {} points at {}, expected {}",
                side.name(),
                record.view.id,
                shown(points_at),
                other.view.id,
            );
            self.find(file, Category::WrongInverse, what);
        }
    }

    fn find(&mut self, file: &File<'_>, category: Category, what: String) {
        self.findings.push(Finding {
            category,
            person: file.person,
            crm: file.ids(Side::Crm),
            erp: file.ids(Side::Erp),
            what,
            story: Vec::new(),
        });
    }

    fn tell_stories(&mut self, files: &BTreeMap<u32, File<'_>>) {
        let mut told_of: HashMap<Category, usize> = HashMap::new();
        let mut told_people = HashSet::new();
        for finding in &mut self.findings {
            let told_so_far = told_of.entry(finding.category).or_default();
            let Some(file) = files.get(&finding.person).filter(|_| *told_so_far < STORIES_MAX) else {
                continue;
            };
            // One story covers all that is wrong with a person.
            if !told_people.insert(finding.person) {
                continue;
            }
            *told_so_far += 1;
            let records = |side: Side| file.on(side).iter().map(move |record| (side, *record));
            finding.story = told(&records(Side::Crm).chain(records(Side::Erp)).collect::<Vec<_>>());
        }
    }
}

/// Whose values a record was made with: what most of them say.
fn person_of(side: Side, record: &Record) -> Option<u32> {
    let made = record.history.first()?;
    let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
    for meaning in Meaning::ALL {
        if let Some(person) = meaning.read(side, &made.fields).and_then(|value| meaning.person_of(&value)) {
            *votes.entry(person).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(person, _)| person)
}

fn made_by_sync(write: &WriteEntry) -> bool {
    write.deed == Deed::Created && is_sync(&write.writer)
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
}

/// The writes of some records in order of time, one line each.
fn told(records: &[(Side, &Record)]) -> Vec<String> {
    let writes =
        records.iter().flat_map(|(side, record)| record.history.iter().map(move |write| (*side, *record, write)));
    let mut writes: Vec<_> = writes.collect();
    writes.sort_by_key(|(_, _, write)| write.at_ms);
    let began_ms = writes.first().map_or(0, |(_, _, write)| write.at_ms);
    let mut lines: Vec<_> = writes
        .into_iter()
        .map(|(side, record, write)| {
            let who = match &write.writer {
                Writer::Caller { origin, .. } => format!("SYNC ({})", origin.as_deref().unwrap_or("no origin")),
                Writer::Person => "person".to_owned(),
                Writer::Tool { name } => format!("tool {name}"),
            };
            format!(
                "{:+7} ms  {} {}  {who} {:?} {} changed {:?}",
                write.at_ms - began_ms,
                side.name(),
                record.view.id,
                write.deed,
                Value::Object(write.fields.clone()),
                write.changed,
            )
        })
        .collect();
    if lines.len() > STORY_LINES_MAX {
        let cut = lines.len() - STORY_LINES_MAX;
        let half = STORY_LINES_MAX / 2;
        lines.splice(half..half + cut, [format!("... {cut} more writes ...")]);
    }
    for (side, record) in records {
        let gone = if record.view.gone { " GONE" } else { "" };
        let fields = Value::Object(record.view.fields.clone());
        lines.push(format!("      now  {} {}{gone} {fields}", side.name(), record.view.id));
    }
    lines
}

#[cfg(test)]
mod tests;
