//! The probe: one or two scratch records, and what the system makes of them.
//!
//! How uniqueness is found without a heap of records: a second record with all the same values is tried first. Where it is
//! refused, one value after the other is made another one until it is taken: the last one that was changed is what had
//! stood in the way. Whatever is refused makes nothing, so there is at most one more record at the end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pairline_sdk::{Application, Clock, FieldKind, Fields, Outcome, ReadError, Record, SyncContract};
use serde_json::Value;

use super::late::Late;
use super::patient::Patient;
use super::removal::Stays;
use super::report::Lag;
use super::scratch::{Contents, Scratch, Sent};
use super::{Orders, code, letter};
use crate::application::json;
use crate::cli::printable;
use crate::composition::Stores;

/// How often the lag of the search is measured, the create included.
const SAMPLES: usize = 5;
/// Two looks of a measurement are at least this far apart, and at most so much of the time that has passed: then what is
/// measured is right within a few percent, and a system that lags for minutes is not asked a thousand times.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_PER_WAIT: u32 = 50;
/// What may never come is looked for less often: no measurement hangs on it.
const LOOKS_PER_LOST: u32 = 5;
/// How much longer than twice the promise is waited for what was written to be found, and how long at most.
const WAIT_MORE: Duration = Duration::from_secs(5);
const WAIT_AT_MOST: Duration = Duration::from_secs(120);
/// No new measurement begins after this.
const MEASURE_FOR: Duration = Duration::from_secs(60);

/// What became of an attempt to make a record.
enum Answer {
    Made(String),
    /// Nothing was made; whether the description takes that for a duplicate.
    Refused {
        as_duplicate: bool,
    },
    /// Nobody can tell, or it could not be tried.
    Unclear(String),
}

/// What was measured of what keeps second copies away.
#[derive(Default)]
struct Seen {
    /// A second record is refused, or the same one answered, whoever asks.
    fenced: bool,
    /// The same create with the same key is answered with the same record.
    keyed: bool,
    /// What was written is found by our id.
    found: bool,
}

/// Writes scratch records into one system and tells what it made of them.
pub(super) async fn probe(patient: &mut Patient<'_>, ledger: &Stores, orders: &Orders<'_>) {
    let Some(contract) = patient.contracts.first().copied() else {
        patient.note("probe", "no contract is about it, so nobody knows which fields to write");
        return;
    };
    let marker = marker(orders);
    patient.marked(&marker);
    let system = patient.system().clone();
    let contents = Contents::new(contract, &system, &marker, 1, None);
    let probe = Probe { contract, ledger, clock: &*orders.clock, marker: &marker };
    let sent = match probe.scratch(patient).create(&contents).await {
        Ok(sent) => sent,
        Err(reason) => return not_probed(patient, &reason),
    };
    let id = match &sent.outcome {
        Outcome::Committed { record } => record.id.clone(),
        Outcome::Unknown { reason } => {
            let message = format!("nobody knows whether a scratch record was made: {reason}");
            let help = format!("look for `{marker}` in {system} and delete it; then look at `operations.create`");
            patient.error(code::NOT_PROBED, &["operations", "create"], message, help);
            return probe.remove_lost(patient, &contents, sent.at).await;
        }
        Outcome::Failed { reason } | Outcome::Outdated { reason } | Outcome::NotSent { reason, .. } => {
            let reason = reason.clone();
            return not_probed(patient, &reason);
        }
        Outcome::Duplicate { .. } => return not_probed(patient, "it says that it has such a record already"),
        Outcome::Gone => return not_probed(patient, "it says that there is no place for it"),
    };
    patient.made(&id);
    probe.measure(patient, &contents, sent, &id).await;
    probe.remove(patient).await;
}

/// What every scratch record of this probe says of itself, and no other ever did: a key that was used before would be answered
/// with the record of that time.
fn marker(orders: &Orders<'_>) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bits = orders.random.bits() ^ orders.wall.now().as_millis().unsigned_abs();
    let mut marker = "pairline-doctor-".to_owned();
    for _ in 0..8 {
        let letter = LETTERS[usize::try_from(bits % 32).unwrap_or_default()];
        marker.push(char::from(letter));
        bits /= 32;
    }
    marker
}

fn not_probed(patient: &mut Patient<'_>, reason: &str) {
    let message = format!("no scratch record could be made: {}", printable(reason));
    let help = "look at `operations.create`, and at what the system wants in a record that the contract does not write";
    patient.error(code::NOT_PROBED, &["operations", "create"], message, help.to_owned());
}

/// What one probe works with.
struct Probe<'a> {
    contract: &'a SyncContract,
    ledger: &'a Stores,
    clock: &'a dyn Clock,
    marker: &'a str,
}

impl Probe<'_> {
    fn scratch<'s>(&'s self, patient: &'s Patient<'_>) -> Scratch<'s> {
        Scratch {
            application: &patient.application,
            contract: self.contract,
            store: &*self.ledger.pairs,
            clock: self.clock,
            marker: self.marker,
        }
    }

    /// What the system makes of a scratch record that is there, and of another one.
    async fn measure(&self, patient: &mut Patient<'_>, contents: &Contents, sent: Sent, id: &str) {
        let mut seen = Seen::default();
        let mut lags = Vec::new();
        // The clock of the search runs since the create, so it comes first.
        let kept = self.look_at_fields(patient, contents, id).await;
        if let Some((field, value)) = contents.inverse().filter(|(field, _)| kept.contains(*field)) {
            lags.extend(self.lag(patient, field, value, id, sent.at).await);
        }
        let sent = self.repeat(patient, sent, id, &mut seen).await;
        let made = Outcome::Committed { record: Record::new(id, Fields::new()) };
        self.scratch(patient).settle(&sent, &made).await;
        self.second(patient, contents, id, &mut seen).await;
        self.strays(patient, contents, &kept).await;
        let mut late = Late::Unclear("our id does not come back from the system".to_owned());
        if let Some((field, _)) = contents.inverse().filter(|(field, _)| kept.contains(*field)) {
            self.more_lags(patient, &sent, field, id, &mut lags).await;
            if patient.description().binds_updates() {
                let bound = self.scratch(patient).bound(&sent, field, id).await;
                patient.judge_precondition(bound);
            }
            late = self.scratch(patient).late(&sent, field, id).await;
        }
        seen.found = !lags.is_empty();
        let is_searched = contents.inverse().is_some_and(|(field, _)| kept.contains(field) && patient.can_find(field));
        judge_lag(patient, lags, is_searched);
        patient.judge_late(late);
        judge_class(patient, &seen);
    }

    /// Takes away what was made, where that is described: each one, however the rest has ended.
    async fn remove(&self, patient: &mut Patient<'_>) {
        if !patient.description().deletes() {
            return;
        }
        let (mut removed, mut no_more) = (Vec::new(), None);
        for id in patient.made_ids() {
            let end = match no_more.clone() {
                Some(reason) => Err(Stays::Denied(reason)),
                None => self.scratch(patient).remove(id, &patient.contracts).await,
            };
            match &end {
                Err(Stays::Denied(reason)) => no_more = Some(reason.clone()),
                // Whatever was removed, it was not this one: no other is tried.
                Err(Stays::Missed) => no_more = Some("what was removed instead of the first is not known".to_owned()),
                _ => {}
            }
            removed.push((id.clone(), end));
        }
        patient.removed(removed);
    }

    /// Takes away what was made by a create whose answer was lost, if it is found by what it holds. What is applied later stays.
    async fn remove_lost(&self, patient: &mut Patient<'_>, contents: &Contents, sent: Instant) {
        let Some((field, value)) = contents.inverse() else { return };
        if !patient.description().deletes() || !patient.can_find(field) {
            return;
        }
        let patience = patience(patient);
        let mut found = patient.application.find(field, value).await;
        while sent.elapsed() < patience && !found.as_ref().is_ok_and(|found| !found.is_empty()) {
            self.scratch(patient).sleep(LOOK_EVERY.max(sent.elapsed() / LOOKS_PER_LOST)).await;
            found = patient.application.find(field, value).await;
        }
        for record in found.unwrap_or_default() {
            patient.made(&record.id);
        }
        if !patient.made_ids().is_empty() {
            self.remove(patient).await;
        }
    }

    /// Reads the record back and compares it with what was written. Answers the fields that are there under their own name.
    async fn look_at_fields(&self, patient: &mut Patient<'_>, contents: &Contents, id: &str) -> BTreeSet<String> {
        let record = match patient.application.read(id).await {
            Ok(Some(record)) => record,
            Ok(None) => {
                let message = "a record that was just made is gone when it is read".to_owned();
                let help = "look at `operations.create.id`, `operations.read.path` and `record.id`".to_owned();
                patient.error(code::NOT_AS_DESCRIBED, &["operations", "read", "path"], message, help);
                return BTreeSet::new();
            }
            Err(error) => {
                let message = format!("a record that was just made cannot be read: {}", printable(&error.to_string()));
                let help = "look at `operations.read` and `record`".to_owned();
                patient.error(code::NOT_AS_DESCRIBED, &["operations", "read", "path"], message, help);
                return BTreeSet::new();
            }
        };
        let mut kept = BTreeSet::new();
        for (name, sent) in &contents.fields {
            match record.value(name) {
                Some(value) if !value.is_null() => {
                    // With another id the record is somebody's by now, who would miss it.
                    let is_another =
                        contents.inverse().is_some_and(|(field, ours)| field == name && json::text(value) != ours);
                    if !is_another {
                        kept.insert(name.clone());
                    }
                    self.respelled(patient, contents, &record, name, sent, value).await;
                }
                _ => missing(patient, contents, &record, name, sent),
            }
        }
        patient.note("fields", format!("{} of {} come back as they were sent", kept.len(), contents.fields.len()));
        kept
    }

    /// Whether a value that came back is still the value that was sent, as the contract compares them.
    async fn respelled(
        &self,
        patient: &mut Patient<'_>,
        contents: &Contents,
        record: &Record,
        name: &str,
        sent: &Value,
        answered: &Value,
    ) {
        if sent == answered {
            return;
        }
        let system = patient.system().clone();
        // Half a secret would not be known for one any more.
        let secrets = patient.application.secrets().await;
        let shown =
            |value: &Value| printable(&secrets.hidden_in(value.to_string()).chars().take(80).collect::<String>());
        let (ours, theirs) = (shown(sent), shown(answered));
        let same = match self.contract.meaning_of(&system, name) {
            Some(field) => {
                let of = |fields: &Fields| field.canonical(self.contract, &system, fields);
                of(&contents.fields) == of(&record.fields)
            }
            None => json::text(sent) == json::text(answered),
        };
        if same {
            patient.note(
                "spelling",
                format!("`{name}` comes back as {theirs} for {ours}, which the contract takes for the same"),
            );
            return;
        }
        let kind = self.contract.meaning_of(&system, name).map(pairline_sdk::Field::kind);
        let message = format!("`{name}` was sent as {ours} and comes back as {theirs}");
        let help = match kind {
            Some(FieldKind::Text) => {
                format!("give the field of `{name}` the type or the transform in the contract that makes both the same")
            }
            _ => format!(
                "give the field of `{name}` a transform in the contract that makes both the same, as `lowercase` does"
            ),
        };
        patient.warning(code::RESPELLED_VALUE, &["record", "fields"], message, help);
    }

    /// Sends the same create again, where the system has promised that this makes no second record.
    /// Answers what was sent last.
    async fn repeat(&self, patient: &mut Patient<'_>, sent: Sent, id: &str, seen: &mut Seen) -> Sent {
        let is_key = patient.tree().has(&["capabilities", "idempotency_key"]);
        let is_upsert = patient.tree().text(&["capabilities", "upsert"]) == Some("true");
        if !is_key && !is_upsert {
            patient.note("keys", "none are promised, and a header that a system does not know tells nothing");
            return sent;
        }
        let (at, what) = if is_upsert {
            (["capabilities", "upsert"], "an upsert")
        } else {
            (["capabilities", "idempotency_key"], "an idempotency key")
        };
        let again = self.scratch(patient).repeat(&sent).await;
        let (told, sent) = match again {
            Ok(again) => (answer(&Ok(again.outcome.clone())), again),
            Err(reason) => (Answer::Unclear(reason), sent),
        };
        match told {
            Answer::Made(same) if same == id => {
                (seen.keyed, seen.fenced) = (is_key, is_upsert);
                patient.note("keys", format!("the same create sent again is answered with the same record ({what})"));
            }
            Answer::Made(other) => {
                patient.made(&other);
                let message = format!(
                    "the same create sent again made a second record ({other} beside {id}), and {what} is promised"
                );
                let help = format!("take `{}` out, or look at how the system wants it to be sent", at[1]);
                patient.error(code::REPEATED, &at, message, help);
            }
            Answer::Refused { .. } => {
                let message = format!(
                    "the same create sent again is refused, and {what} is promised: it should be answered as before"
                );
                let help =
                    format!("take `{}` out: a lost create could not be told from one that was never made", at[1]);
                patient.error(code::REPEATED, &at, message, help);
            }
            Answer::Unclear(reason) => {
                patient.note("keys", format!("not measured: {}", printable(&reason)));
            }
        }
        sent
    }

    /// Tries to make a second record with values of the first.
    async fn second(&self, patient: &mut Patient<'_>, first: &Contents, id: &str, seen: &mut Seen) {
        if patient.made_ids().len() > 1 {
            patient.note("uniqueness", "not measured: there are two scratch records already");
            return;
        }
        let promised = patient.tree().text(&["capabilities", "unique_field"]).map(str::to_owned);
        let mut number = 2;
        if let Some(field) = promised {
            if !first.fields.contains_key(&field) {
                patient.note("uniqueness", format!("not measured: `{field}` is not written by the contract"));
                return;
            }
            let same = [field.clone()];
            match self.attempt(patient, first, number, &same).await {
                Answer::Made(other) if other != id => {
                    patient.made(&other);
                    let message = format!(
                        "`{field}` is promised to be taken once only, and a second record with the same one was made ({other} beside {id})"
                    );
                    let help = "take `unique_field` out, or make the field unique in the system: a lost create would be made twice".to_owned();
                    patient.error(code::NOT_UNIQUE, &["capabilities", "unique_field"], message, help);
                }
                Answer::Refused { as_duplicate } => {
                    seen.fenced = true;
                    patient.note("uniqueness", format!("a second record with the same `{field}` is refused"));
                    refused_as(patient, as_duplicate);
                }
                Answer::Made(_) => {
                    seen.fenced = true;
                    patient.note(
                        "uniqueness",
                        format!("a create with the same `{field}` is answered with the first record"),
                    );
                }
                Answer::Unclear(reason) => patient.note("uniqueness", format!("not measured: {}", printable(&reason))),
            }
            return;
        }
        let mut same = first.names();
        let mut as_duplicate = None;
        let mut changed: Option<String> = None;
        loop {
            match self.attempt(patient, first, number, &same).await {
                Answer::Refused { as_duplicate: is } => as_duplicate = Some(is),
                Answer::Made(other) if other == id => {
                    seen.fenced = true;
                    patient
                        .note("uniqueness", "a second create with the same values is answered with the first record");
                    return;
                }
                Answer::Made(other) => {
                    patient.made(&other);
                    break;
                }
                Answer::Unclear(reason) => {
                    patient.note("uniqueness", format!("not measured: {}", printable(&reason)));
                    return;
                }
            }
            if same.is_empty() {
                changed = None;
                break;
            }
            // The field for our id comes last: where that is unique, it is the one to promise.
            changed = Some(same.remove(0));
            number += 1;
        }
        match (as_duplicate, changed) {
            (None, _) => patient.note("uniqueness", "a second record with all the same values is made"),
            (Some(is_duplicate), Some(field)) => {
                seen.fenced = true;
                patient.note("uniqueness", format!("a second record with the same `{field}` is refused; if it always is, and every record has one, `capabilities.unique_field: {field}` makes this class A"));
                refused_as(patient, is_duplicate);
            }
            (Some(_), None) => patient.note("uniqueness", "no second record was made at all, whatever was in it"),
        }
    }

    async fn attempt(&self, patient: &Patient<'_>, first: &Contents, number: usize, same: &[String]) -> Answer {
        let contents = Contents::new(self.contract, patient.system(), self.marker, number, Some((first, same)));
        let scratch = self.scratch(patient);
        let sent = scratch.create(&contents).await;
        if let Ok(sent) = &sent {
            scratch.settle(sent, &sent.outcome).await;
        }
        answer(&sent.map(|sent| sent.outcome))
    }

    /// Whether there are more records with the first one's id than were made: a request that came late, or came twice.
    async fn strays(&self, patient: &mut Patient<'_>, contents: &Contents, kept: &BTreeSet<String>) {
        let Some((field, value)) = contents.inverse().filter(|(field, _)| kept.contains(*field)) else { return };
        if !patient.can_find(field) {
            return;
        }
        let Ok(records) = patient.application.find(field, value).await else { return };
        let strays: Vec<String> =
            records.into_iter().map(|record| record.id).filter(|id| !patient.made_ids().contains(id)).collect();
        for id in &strays {
            patient.made(id);
        }
        if !strays.is_empty() {
            let message = format!("there are records that no create was answered with: {}", strays.join(", "));
            let help = "a refused or repeated create has made one all the same: look at `errors`, which must say `unknown` then".to_owned();
            patient.error(code::STRAY, &["operations", "create"], message, help);
        }
    }

    /// How long after it was sent a value is found; nothing when it is not, or cannot be asked for.
    async fn lag(&self, patient: &Patient<'_>, field: &str, value: &str, id: &str, sent: Instant) -> Option<Duration> {
        if !patient.can_find(field) {
            return None;
        }
        let patience = patience(patient);
        let scratch = self.scratch(patient);
        while sent.elapsed() < patience {
            let asked = Instant::now();
            let wait = match patient.application.find(field, value).await {
                // It was found when it was asked for; the answer came later.
                Ok(records) if records.iter().any(|record| record.id == id) => return Some(asked.duration_since(sent)),
                Ok(_) | Err(ReadError::Failed(_)) => {
                    LOOK_EVERY.max(sent.elapsed() / LOOKS_PER_WAIT).max(asked.elapsed())
                }
                Err(ReadError::Wait { after, .. }) => after,
                Err(ReadError::Refused(_)) => return None,
            };
            scratch.sleep(wait).await;
        }
        None
    }

    /// Measures the lag some more, by changing the field of the first record.
    async fn more_lags(&self, patient: &mut Patient<'_>, sent: &Sent, field: &str, id: &str, lags: &mut Vec<Duration>) {
        let began = Instant::now();
        while !lags.is_empty() && lags.len() < SAMPLES && began.elapsed() < MEASURE_FOR {
            let value = format!("{}-lag{}", self.marker, lags.len());
            let at = match self.scratch(patient).rename(sent, field, &value).await {
                Ok(at) => at,
                Err(reason) => {
                    patient.note("updates", format!("a scratch record could not be changed: {}", printable(&reason)));
                    return;
                }
            };
            let Some(lag) = self.lag(patient, field, &value, id, at).await else { return };
            lags.push(lag);
        }
    }
}

/// How long is waited at most for what was written to be found.
fn patience(patient: &Patient<'_>) -> Duration {
    (patient.description().profile.index_lag * 2 + WAIT_MORE).min(WAIT_AT_MOST)
}

fn answer(outcome: &Result<Outcome, String>) -> Answer {
    match outcome {
        Ok(Outcome::Committed { record }) => Answer::Made(record.id.clone()),
        Ok(Outcome::Duplicate { .. }) => Answer::Refused { as_duplicate: true },
        Ok(Outcome::Failed { .. } | Outcome::Outdated { .. } | Outcome::Gone) => {
            Answer::Refused { as_duplicate: false }
        }
        Ok(Outcome::Unknown { reason } | Outcome::NotSent { reason, .. }) | Err(reason) => {
            Answer::Unclear(reason.clone())
        }
    }
}

/// A field that is not there under its name: it was forgotten, or has another one.
fn missing(patient: &mut Patient<'_>, contents: &Contents, record: &Record, name: &str, sent: &Value) {
    let is_telling = !sent.is_boolean();
    let mut others = record.fields.iter().filter(|(other, value)| {
        is_telling && !contents.fields.contains_key(*other) && json::text(value) == json::text(sent)
    });
    if let Some((other, _)) = others.next() {
        let other = printable(other);
        let message = format!("`{name}` is answered as `{other}`");
        let help = format!("write `renamed: {{ {name}: {other} }}` below `record`");
        patient.error(code::RENAMED_FIELD, &["record", "renamed"], message, help);
        return;
    }
    let message = format!("`{name}` was sent and is not there when the record is read");
    let whole = patient.tree().text(&["record", "whole"]) == Some("true");
    if whole {
        let help = format!("make the field in the system, or give `{name}` its right name in the contract");
        patient.error(code::IGNORED_FIELD, &["record"], message, help);
    } else {
        let help = "it was ignored, or its answers leave it out: `whole` is false".to_owned();
        patient.warning(code::IGNORED_FIELD, &["record", "whole"], message, help);
    }
}

/// A second record that is refused in a way that says no more than that.
fn refused_as(patient: &mut Patient<'_>, duplicate: bool) {
    if !duplicate {
        let message = "a second record is refused, and the description takes that for any refusal".to_owned();
        let help = "add a rule for it to `errors.rules` with `means: duplicate`: a lost create that was applied would end in the trash otherwise".to_owned();
        patient.warning(code::UNCLEAR_REFUSAL, &["errors", "rules"], message, help);
    }
}

fn judge_lag(patient: &mut Patient<'_>, samples: Vec<Duration>, is_searched: bool) {
    let is_promised = patient.tree().has(&["capabilities", "find"]);
    let promised = is_promised.then(|| patient.description().profile.index_lag);
    let Some(lag) = Lag::of(samples, promised) else {
        if is_promised && is_searched {
            let message = "what was written is not found by our id at all".to_owned();
            let help =
                "compare `operations.find.list` with how the system searches; take `find` out until it does".to_owned();
            patient.error(code::NOT_FOUND, &["capabilities", "find"], message, help);
        } else if !is_promised {
            patient.note("index lag", "it is not searched, so there is none to measure");
        } else {
            patient
                .note("index lag", "not measured: our id does not come back from the system, or cannot be asked for");
        }
        return;
    };
    let Lag { median_ms, worst_ms, samples, .. } = lag;
    let measured = format!("{median_ms} ms in the middle of {samples} measurements, {worst_ms} ms at worst");
    match promised {
        Some(promised) if u128::from(worst_ms) > promised.as_millis() => {
            let message =
                format!("at most {} ms of index lag are promised; measured: {measured}", promised.as_millis());
            // A few measurements do not show the worst there is.
            let help =
                format!("write at least `{}s`, and more if its documentation says so", (2 * worst_ms).div_ceil(1000));
            patient.error(code::INDEX_LAG, &["capabilities", "find", "index_lag"], message, help);
        }
        Some(promised) => patient.note("index lag", format!("{measured}; {} ms are promised", promised.as_millis())),
        None => patient.note(
            "index lag",
            format!(
                "{measured}; `capabilities.find: {{ index_lag: {}s }}` promises it",
                (2 * worst_ms).div_ceil(1000).max(1)
            ),
        ),
    }
    patient.lagged(lag);
}

fn judge_class(patient: &mut Patient<'_>, seen: &Seen) {
    let class = match seen {
        Seen { fenced: true, .. } => 'A',
        Seen { keyed: true, .. } => 'B',
        Seen { found: true, .. } => 'C',
        Seen { .. } => 'D',
    };
    patient.measured(class);
    let promised = letter(patient.description().profile.class);
    let said = match class.cmp(&promised) {
        std::cmp::Ordering::Equal => format!("{class}, as promised"),
        std::cmp::Ordering::Less => format!("{class}, better than the {promised} that is promised"),
        std::cmp::Ordering::Greater => format!("{class}, and {promised} is promised: that makes second copies"),
    };
    patient.note("measured class", said);
}
