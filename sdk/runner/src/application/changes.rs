//! Which changes are still to be listed: cursors and pages of a changed-since listing, without any I/O.
//!
//! What makes this hard: a listing lags behind (a record shows up a while after its stamp), records move while it is
//! paged, and thousands of records may carry one stamp. The remote system's clock is the only one that counts: it shows
//! at least the newest stamp that was seen *before* a page was asked for, and moves on as fast as time does. So
//! everything older than that by the overlap was visible to that page, and nothing else is taken for listed. When all
//! is quiet, nothing is in doubt any more and a pass lists nothing.

mod remote_clock;

use std::time::Duration;

use pairline_sdk::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use remote_clock::RemoteClock;

/// A stamp further ahead of our clock is data and no clock; it must not move a watermark.
const AHEAD_AT_MOST: Duration = Duration::from_secs(24 * 3600);
/// More pages than this in one pass are a listing that does not end.
const PAGES_AT_MOST: u32 = 1_000_000;

/// In which order a listing answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Oldest change first.
    Time,
    /// By id, with a token for the next page.
    Id,
}

/// Where a pass begins. Stored by the engine as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    /// Everything that was modified before this has been listed.
    pub(crate) since: Timestamp,
    /// The newest stamp seen so far: the remote clock shows at least this.
    pub(crate) newest: Timestamp,
}

/// Where a pass goes on. Kept by the caller between two pages of one pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// What to ask for.
    pub(crate) ask: Ask,
    /// The newest stamp seen so far, in this pass too.
    newest: Timestamp,
    /// The next pass begins no later.
    floor: Option<Timestamp>,
    /// How many pages there were before.
    pages: u32,
}

/// What to ask a listing for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// What was modified at this instant or later.
    Since(Timestamp),
    /// The same by id, with the token for the page.
    Token(Timestamp, String),
    /// What was modified at exactly this instant, with ids after this one.
    Ties(Timestamp, Option<String>),
}

/// What a page held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The stamp of each record, in order.
    pub(crate) stamps: Vec<Timestamp>,
    /// The id of the last one.
    pub(crate) last_id: Option<String>,
    /// The token for the next page, when there is one.
    pub(crate) token: Option<String>,
}

/// What clocks showed before a page was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    /// Ours. It decides nothing but that a stamp is no stamp.
    pub(crate) ours: Timestamp,
    /// The remote system's shows at least this.
    pub(crate) theirs: Timestamp,
}

/// How a pass goes on after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The next page, if there is one.
    pub(crate) next: Option<Page>,
    /// Where the next pass begins, once this page is durable.
    pub(crate) cursor: Cursor,
}

impl Cursor {
    /// Reads a stored cursor; null is the beginning of time.
    ///
    /// # Errors
    ///
    /// One line when it is something else.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        if value.is_null() {
            return Ok(Self::default());
        }
        if !value.is_object() {
            // Serde would take a list for it, number by number.
            return Err("this is no cursor of ours: expected an object".to_owned());
        }
        Self::deserialize(value).map_err(|error| format!("this is no cursor of ours: {error}"))
    }
}

impl Page {
    /// The first page of a pass.
    pub(crate) fn first(cursor: Cursor) -> Self {
        Self { ask: Ask::Since(cursor.since), newest: cursor.newest, floor: None, pages: 0 }
    }

    /// Decides what comes after this page.
    ///
    /// # Errors
    ///
    /// One line when the listing does not keep its order or does not end.
    pub(crate) fn turn(
        mut self,
        cursor: Cursor,
        held: Held,
        order: Order,
        overlap: Duration,
        clocks: Clocks,
    ) -> Result<Turn, String> {
        self.pages += 1;
        if self.pages > PAGES_AT_MOST {
            return Err(format!("the listing of changes did not end after {PAGES_AT_MOST} pages"));
        }
        let latest = clocks.ours.plus(AHEAD_AT_MOST);
        let newest_held = held.stamps.iter().copied().filter(|stamp| *stamp <= latest).max().unwrap_or_default();
        match order {
            Order::Id => {
                let visible = self.newest.max(newest_held).max(clocks.theirs).minus(overlap);
                self.newest = self.newest.max(newest_held);
                self.turn_by_id(cursor, held.token, visible)
            }
            Order::Time => {
                self.newest = self.newest.max(newest_held);
                let visible = self.newest.max(clocks.theirs).minus(overlap);
                self.turn_by_time(cursor, &held, visible)
            }
        }
    }

    fn turn_by_id(mut self, cursor: Cursor, token: Option<String>, visible: Timestamp) -> Result<Turn, String> {
        // A record that moves while the pass goes on has a stamp later than the first page: the next pass begins there.
        let floor = *self.floor.get_or_insert(visible);
        match token {
            None => {
                let since = floor.min(just_after(self.newest)).max(cursor.since);
                let cursor = Cursor { since, newest: self.newest };
                Ok(Turn { next: None, cursor })
            }
            Some(token) if matches!(&self.ask, Ask::Token(_, before) if *before == token) => {
                Err("the listing of changes answers the same page again".to_owned())
            }
            Some(token) => {
                self.ask = Ask::Token(cursor.since, token);
                Ok(Turn { next: Some(self), cursor })
            }
        }
    }

    fn turn_by_time(mut self, cursor: Cursor, held: &Held, visible: Timestamp) -> Result<Turn, String> {
        if !held.stamps.is_sorted() && matches!(self.ask, Ask::Since(_)) {
            return Err("the listing of changes is not in the order of time".to_owned());
        }
        let more = held.token.is_some();
        let (listed, ask) = match (&self.ask, held.stamps.last()) {
            (Ask::Since(since), Some(&last)) if more => {
                if last < *since {
                    return Err("the listing of changes answers older changes than it was asked for".to_owned());
                }
                if last == *since {
                    (last, Some(Ask::Ties(last, None)))
                } else if visible < last && visible >= held.stamps[held.stamps.len() / 2] {
                    (visible, Some(Ask::Since(visible)))
                } else {
                    // So many changes in so little time that going back to what is certain would not get on.
                    (last, Some(Ask::Since(last)))
                }
            }
            (Ask::Ties(at, before), Some(_)) if more => {
                if held.last_id.is_none() || held.last_id == *before {
                    return Err("the listing of changes answers the same page again".to_owned());
                }
                (*at, Some(Ask::Ties(*at, held.last_id.clone())))
            }
            (Ask::Ties(at, _), _) => {
                let after = just_after(*at);
                (after, Some(Ask::Since(after)))
            }
            // Everything there is was listed, up to what is not visible yet.
            _ => (just_after(self.newest), None),
        };
        let doubtful = listed.min(visible).max(cursor.since);
        if visible < listed && ask.is_some() {
            // What becomes visible behind us is for the next pass.
            self.floor = Some(self.floor.map_or(doubtful, |floor| floor.min(doubtful)));
        }
        let since = self.floor.map_or(doubtful, |floor| floor.min(doubtful));
        let cursor = Cursor { since, newest: self.newest };
        let next = ask.map(|ask| Self { ask, ..self });
        Ok(Turn { next, cursor })
    }
}

fn just_after(stamp: Timestamp) -> Timestamp {
    stamp.plus(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
