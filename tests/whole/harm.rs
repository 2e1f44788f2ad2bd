//! Harm: what is wrong after a run, and what the ledger says of it.

use std::collections::BTreeSet;
use std::fmt::Write;

use pairline_fakes::judge::{Audit, Category, Evidence, Finding, Side};
use pairline_sdk::testing::MemoryStore;
use pairline_sdk::{Operation, PairStore, RecordId, System, Timestamp};

use super::bystander::inverse;
use super::time::BEGIN_MS;

/// Findings that are told at length.
const TOLD: usize = 3;

/// What is wrong after a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Harm {
    /// Each kind of it by a name.
    pub(super) kinds: BTreeSet<String>,
    /// Whose records are harmed, as far as that can be said.
    pub(super) people: BTreeSet<u32>,
    /// What exactly.
    pub(super) told: String,
}

impl Harm {
    /// Something is wrong that concerns no single person.
    pub(super) fn find(&mut self, kind: &str, what: impl AsRef<str>) {
        self.kinds.insert(kind.to_owned());
        writeln!(self.told, "{kind}: {}", what.as_ref()).unwrap();
    }

    pub(super) fn is_none(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Adds what an audit has found, with the operations on the records it is about.
    pub(super) async fn add(&mut self, audit: &Audit, evidence: &Evidence, store: &MemoryStore) {
        let findings = audit.findings.iter().filter(|finding| !excused(finding, evidence));
        for (number, finding) in findings.enumerate() {
            self.kinds.insert(finding.category.name().to_owned());
            self.people.insert(finding.person);
            if number < TOLD {
                self.tell(finding, store).await;
            }
        }
    }

    async fn tell(&mut self, finding: &Finding, store: &MemoryStore) {
        let (kind, person) = (finding.category.name(), finding.person);
        writeln!(self.told, "{kind}: person {person}: {}", finding.what).unwrap();
        for line in &finding.story {
            writeln!(self.told, "    {line}").unwrap();
        }
        let mut told = BTreeSet::new();
        for (side, ids) in [(Side::Crm, &finding.crm), (Side::Erp, &finding.erp)] {
            for id in ids {
                let history = store.history(&RecordId::new(&System::new(side.name()), id)).await.unwrap();
                for operation in history.operations {
                    if told.insert(operation.id.clone()) {
                        self.tell_operation(&operation);
                    }
                }
            }
        }
    }

    fn tell_operation(&mut self, operation: &Operation) {
        let sent_ms = operation.sent_at.as_millis() - BEGIN_MS;
        let state = operation.state.name();
        let ended = operation.ended_at.map_or("open".to_owned(), |at| ended_after(operation.sent_at, at));
        let (source, target) = (&operation.source, &operation.target);
        let reason = operation.reason.as_deref().unwrap_or_default();
        writeln!(self.told, "    ledger: at {sent_ms} ms for {source} to {target}: {state}, {ended} {reason}").unwrap();
        for write in operation.writes.iter() {
            let (seen, there, value) = (&write.seen_source, &write.seen_target, &write.value);
            let (field, why) = (&write.field, &write.reason);
            writeln!(self.told, "        {field} ({why:?}): {seen:?}, there {there:?}, sent {value:?}").unwrap();
        }
    }
}

/// A record that was deleted before anybody had seen it cannot be told from one that was never made: if the answer to its
/// create was lost, it is made again. Nobody has seen it if its counterpart never carried its id.
fn excused(finding: &Finding, evidence: &Evidence) -> bool {
    let was_named = |side: Side, id: &str| {
        let counterparts = match side {
            Side::Crm => &finding.erp,
            Side::Erp => &finding.crm,
        };
        let records = counterparts.iter().filter_map(|other| evidence.side(side.other()).get(other));
        let mut writes = records.flat_map(|record| &record.history);
        writes.any(|write| inverse(side.other(), &write.fields) == Some(id))
    };
    // What was edited in the one that was deleted went with it.
    matches!(finding.category, Category::Resurrected | Category::LostEdit)
        && [(Side::Crm, &finding.crm), (Side::Erp, &finding.erp)].into_iter().any(|(side, ids)| {
            let gone = |id: &&String| evidence.side(side).get(*id).is_some_and(|record| record.view.gone);
            let mut unseen = ids.iter().filter(gone).filter(|id| !was_named(side, id));
            ids.len() > 1 && unseen.next().is_some()
        })
}

fn ended_after(sent_at: Timestamp, ended_at: Timestamp) -> String {
    format!("ended after {} ms", ended_at.as_millis() - sent_at.as_millis())
}
