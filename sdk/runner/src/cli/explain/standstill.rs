//! Why a record is not in step: what waits for it, what could not be delivered, and what is held back.

use pairline_sdk::{Creates, History, ListQuery, RecordId, System, Timestamp, TrashItem, TrashState, WaitingHint};
use serde_json::{Value, json};

use crate::cli::output::{counted, instant, printable};
use crate::cli::{Context, Exit, trash, typed};
use crate::composition::Stores;

/// Items of the trash shown of a record, at most.
const TRASH: usize = 20;

/// What stands between a record and its counterpart.
pub(super) struct Standstill {
    paused: Vec<(System, String)>,
    waiting: Vec<WaitingHint>,
    trash: Vec<TrashItem>,
    /// Why nothing is created for the record, if it needs a counterpart.
    held: Option<String>,
    now: Timestamp,
}

impl Standstill {
    /// Of the records of a pair, or of one without a counterpart.
    pub(super) async fn of(stores: &Stores, records: &[RecordId], history: &History) -> Result<Self, Exit> {
        let (mut waiting, mut trash) = (Vec::new(), Vec::new());
        for record in records {
            let query = ListQuery::WaitingOf(record.clone());
            let listed = stores.engine.list(query, 1).await.map_err(Exit::store)?;
            waiting.extend(listed.into_waiting().unwrap_or_default());
            let query = ListQuery::TrashOf(record.clone());
            let listed = stores.engine.list(query, TRASH).await.map_err(Exit::store)?;
            trash.extend(listed.into_trash().unwrap_or_default());
        }
        // What still needs a person comes first.
        trash.sort_by_key(|item: &TrashItem| item.state != TrashState::Open);
        let held = match stores.pairs.creates().await.map_err(Exit::store)? {
            Creates::Held(reason) if history.pair.is_none() && !is_being_made(history) => Some(reason),
            _ => None,
        };
        let paused = stores.engine.health().await.map_err(Exit::store)?.paused;
        Ok(Self { paused, waiting, trash, held, now: Context::machine().0.now() })
    }

    /// Whether anything is known of the record by this alone.
    pub(super) fn knows_it(&self) -> bool {
        !self.waiting.is_empty() || !self.trash.is_empty()
    }

    /// Whether nothing here says why the record stands alone.
    fn is_silent(&self) -> bool {
        !self.knows_it() && self.held.is_none()
    }

    /// What is held back, also of a record nothing is known of.
    pub(super) fn held(&self) -> String {
        let Some(reason) = &self.held else { return String::new() };
        format!(
            "held: creates are held back: {}\n  next: pairline creates allow --yes, once the records are linked or may be created\n",
            printable(reason)
        )
    }

    /// As a person reads it.
    pub(super) fn text(&self, history: &History) -> String {
        let mut text: String = self.waiting.iter().map(|hint| self.waits(hint)).collect();
        text += &self.held();
        text += &self.trash.iter().map(item).collect::<String>();
        if history.pair.is_none() && history.reservation.is_none() && history.cases.is_empty() && self.is_silent() {
            // Nothing durable is left of a walk that has ended without a failure.
            text += "ended: nothing of it waits, is in the trash or is a case: a node has ended its way without a counterpart\n  \
                     next: its next event, with PAIRLINE_LOG=info,pairline_runner=debug, logs the nodes it comes through and what the last one says\n";
        }
        text
    }

    fn paused(&self, hint: &WaitingHint) -> Option<&str> {
        let found = self.paused.iter().find(|(system, _)| *system == hint.record.system);
        found.map(|(_, reason)| reason.as_str())
    }

    fn waits(&self, hint: &WaitingHint) -> String {
        let system = &hint.record.system;
        let tries = match hint.hops {
            0 => String::new(),
            hops => format!(" after {}", counted(u64::from(hops), "try", "tries")),
        };
        let why = match (self.paused(hint), &hint.reason) {
            (Some(paused), _) => format!("the {system} is paused: {}", printable(paused)),
            (None, Some(reason)) => {
                format!("{}; next try{tries} at {}", printable(reason), instant(hint.ready_at))
            }
            (None, None) if hint.ready_at > self.now => format!("it is looked at again at {}", instant(hint.ready_at)),
            (None, None) => "in the queue, until its turn comes while `pairline run` is at work".to_owned(),
        };
        let next = match self.paused(hint) {
            Some(_) => format!("  next: pairline resume --application {}\n", typed::word(system.as_str())),
            None => String::new(),
        };
        format!("waits: {why} ({}, since {})\n{next}", hint.record, instant(hint.since))
    }

    pub(super) fn waiting_json(&self) -> Vec<Value> {
        let hint = |hint: &WaitingHint| {
            json!({
                "record": hint.record.to_string(),
                "since": instant(hint.since),
                "ready_at": instant(hint.ready_at),
                "tries": hint.hops,
                "reason": hint.reason,
                "paused": self.paused(hint),
            })
        };
        self.waiting.iter().map(hint).collect()
    }

    pub(super) fn trash_json(&self) -> Vec<Value> {
        self.trash.iter().map(trash::as_json).collect()
    }

    pub(super) fn held_json(&self) -> Value {
        json!(self.held)
    }
}

/// Whether a create of the record's counterpart is under way, or nobody knows what has become of it.
fn is_being_made(history: &History) -> bool {
    history.reservation.as_ref().is_some_and(|reserved| reserved.operation.state.is_open())
}

fn item(item: &TrashItem) -> String {
    let record = item.record.as_ref().map(ToString::to_string).unwrap_or_default();
    let times = counted(item.count, "time", "times");
    format!(
        "trash {}, {}: {} ({record}, {times}, last at {})\n  {}\n",
        item.id.0,
        item.state.name(),
        printable(&item.reason),
        instant(item.at),
        trash::next(item)
    )
}
