//! A hint as it is kept.

use std::collections::BTreeMap;

use crate::{EventFacts, Hint, RecordId, Timestamp, WaitingHint};

/// A record to look at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HintRow {
    pub(super) record: RecordId,
    pub(super) facts: Option<EventFacts>,
    pub(super) received: BTreeMap<String, Timestamp>,
    pub(super) since: Timestamp,
    pub(super) ready_at: Timestamp,
    hops: u32,
    reason: Option<String>,
    correlation_id: String,
    /// What is at work, once news has taken its place here. A crash must not lose it: it would look as if the news were
    /// all that there is to look at.
    unfinished: Option<Box<Self>>,
}

impl HintRow {
    /// A hint that claims nothing.
    pub(super) fn new(record: RecordId, since: Timestamp, ready_at: Timestamp, correlation_id: String) -> Self {
        Self {
            record,
            facts: None,
            received: BTreeMap::new(),
            since,
            ready_at,
            hops: 0,
            reason: None,
            correlation_id,
            unfinished: None,
        }
    }

    /// It, as a worker gets it.
    pub(super) fn hint(&self, number: i64) -> Hint {
        Hint {
            id: number,
            record: self.record.clone(),
            facts: self.facts.clone(),
            received: self.received.clone(),
            others: BTreeMap::new(),
            since: self.since,
            hops: self.hops,
            correlation_id: self.correlation_id.clone(),
        }
    }

    /// It, as an operator sees it.
    pub(super) fn waiting(&self) -> WaitingHint {
        WaitingHint {
            record: self.record.clone(),
            ready_at: self.ready_at,
            since: self.since,
            hops: self.hops,
            reason: self.reason.clone(),
        }
    }

    /// Takes news in. One that waits stands for several events from then on and keeps its place: a record with much
    /// news does not wait longer for it, and a repeat is not hurried. The first news of one that is at work replaces
    /// what is being done, and stands for itself.
    pub(super) fn add_news(&mut self, news: Self, at_work: bool) {
        if at_work && self.unfinished.is_none() {
            let ready_at = self.ready_at.max(news.ready_at);
            let in_hand = std::mem::replace(self, Self { ready_at, ..news });
            self.unfinished = Some(Box::new(in_hand));
        } else {
            self.facts = None;
            self.received.extend(news.received);
        }
    }

    /// A person wants it to be looked at, from this instant and as if it had never been tried.
    pub(super) fn put_back(&mut self, at: Timestamp, at_work: bool) {
        if at_work && self.unfinished.is_none() {
            self.unfinished = Some(Box::new(self.clone()));
        }
        self.facts = None;
        self.hops = 0;
        self.ready_at = self.ready_at.min(at);
    }

    /// What was at work is done. Answers whether something came meanwhile, which waits on.
    pub(super) fn done(&mut self) -> bool {
        self.unfinished.take().is_some()
    }

    /// What was at work is to be looked at again, together with what came meanwhile.
    pub(super) fn again(&mut self, at: Timestamp, reason: String, counted: bool) {
        self.join_unfinished();
        self.facts = None;
        self.ready_at = self.ready_at.max(at);
        self.hops += u32::from(counted);
        self.reason = Some(reason);
    }

    /// What was at work was not finished: if news came meanwhile, the row stands for both.
    pub(super) fn join_unfinished(&mut self) {
        let Some(before) = self.unfinished.take() else { return };
        let news = std::mem::replace(&mut self.received, before.received);
        self.received.extend(news);
        self.facts = None;
        self.since = self.since.min(before.since);
        self.hops = self.hops.max(before.hops);
        self.reason = self.reason.take().or(before.reason);
    }
}
