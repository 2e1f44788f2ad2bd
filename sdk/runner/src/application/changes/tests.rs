//! Which changes are listed, against a remote system that lags, moves and is killed.

use std::collections::{BTreeMap, BTreeSet};

use pairline_sdk::Random;
use pairline_sdk::testing::TestRandom;
use tokio::time::Instant;

use super::*;

const OVERLAP: Duration = Duration::from_millis(50);
const LAG: u64 = 40;
const LIMIT: usize = 4;

/// A remote system: records with stamps, each visible only a while later.
#[derive(Default)]
struct Remote {
    now: i64,
    /// Per record every stamp it had, and when a listing shows it.
    history: BTreeMap<u64, Vec<(i64, i64)>>,
}

impl Remote {
    fn edit(&mut self, id: u64, lag: u64) {
        let visible = self.now + i64::try_from(lag).unwrap();
        self.history.entry(id).or_default().push((self.now, visible));
    }

    fn seen(&self, id: u64) -> Option<i64> {
        let newest = self.history[&id].iter().rev().find(|(_, visible)| *visible <= self.now);
        newest.map(|(stamp, _)| *stamp)
    }

    fn list(&self, ask: &Ask, order: Order) -> (Vec<(i64, u64)>, Held) {
        let all = self.history.keys().filter_map(|id| Some((self.seen(*id)?, *id)));
        let mut found: Vec<(i64, u64)> = match ask {
            Ask::Since(since) => all.filter(|(stamp, _)| *stamp >= since.as_millis()).collect(),
            Ask::Token(since, token) => {
                let after: u64 = token.parse().unwrap();
                all.filter(|(stamp, id)| *stamp >= since.as_millis() && *id > after).collect()
            }
            Ask::Ties(at, last) => {
                let after: u64 = last.as_deref().map_or(0, |last| last.parse().unwrap());
                all.filter(|(stamp, id)| *stamp == at.as_millis() && *id > after).collect()
            }
        };
        match order {
            Order::Time => found.sort_unstable(),
            Order::Id => found.sort_unstable_by_key(|(_, id)| *id),
        }
        let more = found.len() > LIMIT;
        found.truncate(LIMIT);
        let last_id = found.last().map(|(_, id)| id.to_string());
        let held = Held {
            stamps: found.iter().map(|(stamp, _)| Timestamp::from_millis(*stamp)).collect(),
            token: last_id.clone().filter(|_| more),
            last_id,
        };
        (found, held)
    }
}

/// Both clocks, when nothing is known of the remote one.
fn clocks(ours: i64) -> Clocks {
    Clocks { ours: Timestamp::from_millis(ours), theirs: Timestamp::default() }
}

/// Runs passes against a system that changes all the time, and is killed now and then; then lets it rest.
fn every_change_is_listed(order: Order, seed: u64, burst: u64) {
    let random = TestRandom::new(seed);
    let mut remote = Remote { now: 1_000, ..Remote::default() };
    let mut listed: BTreeSet<(i64, u64)> = BTreeSet::new();
    let mut cursor = Cursor::default();
    // What is known of the remote clock; a start of the program forgets when it saw it.
    let mut seen = (cursor.newest, remote.now);
    let (mut quiet, mut pages, mut relisted) = (0, 0, 0);
    let live = |remote: &mut Remote, random: &TestRandom| {
        remote.now += i64::try_from(random.below(40)).unwrap();
        for _ in 0..random.below(burst) {
            remote.edit(1 + random.below(200), random.below(LAG));
        }
    };
    for pass in 0..30 {
        let mut page = Page::first(cursor);
        loop {
            if pass < 20 {
                live(&mut remote, &random);
            } else {
                remote.now += 100;
            }
            let asked = Timestamp::from_millis(remote.now);
            let since_seen = Duration::from_millis(u64::try_from(remote.now - seen.1).unwrap());
            let clocks = Clocks { ours: asked, theirs: seen.0.plus(since_seen) };
            let (found, held) = remote.list(&page.ask, order);
            relisted = found.len();
            listed.extend(found);
            pages += 1;
            assert!(pages < 20_000, "the passes do not end");
            let turn = page.turn(cursor, held, order, OVERLAP, clocks).unwrap();
            let newest = turn.next.as_ref().map_or(turn.cursor.newest, |next| next.newest.max(turn.cursor.newest));
            if newest > seen.0 {
                seen = (newest, remote.now);
            }
            assert!(turn.cursor.since >= cursor.since, "a watermark goes back");
            match turn.next {
                // Killed: the page is durable with its cursor, the rest of the pass is forgotten.
                Some(_) if pass < 20 && random.below(6) == 0 => {
                    cursor = turn.cursor;
                    seen = (cursor.newest, remote.now);
                    break;
                }
                Some(next) if order == Order::Id => page = next,
                Some(next) => {
                    cursor = turn.cursor;
                    page = next;
                }
                None => {
                    cursor = turn.cursor;
                    quiet += usize::from(pass >= 20);
                    break;
                }
            }
        }
    }
    assert!(quiet > 1, "no pass ended");
    assert_eq!(relisted, 0, "what has long been listed is listed again");
    for (id, stamps) in &remote.history {
        let (newest, _) = *stamps.last().unwrap();
        assert!(listed.contains(&(newest, *id)), "seed {seed}: {id} at {newest} was never listed");
    }
}

#[test]
fn every_change_is_listed_in_the_order_of_time() {
    for seed in 0..40 {
        every_change_is_listed(Order::Time, seed, 3);
        every_change_is_listed(Order::Time, seed, 12);
    }
}

#[test]
fn every_change_is_listed_in_the_order_of_ids() {
    for seed in 0..40 {
        every_change_is_listed(Order::Id, seed, 3);
        every_change_is_listed(Order::Id, seed, 12);
    }
}

#[test]
fn two_thousand_records_with_one_stamp_are_listed_and_the_listing_ends() {
    let mut remote = Remote { now: 1_000, ..Remote::default() };
    for id in 1..=2_000 {
        remote.edit(id, 0);
    }
    remote.now = 2_000;
    remote.edit(5, 0);
    remote.now = 3_000;
    let (mut listed, mut pages) = (BTreeSet::new(), 0);
    let mut page = Page::first(Cursor::default());
    let cursor = loop {
        let (found, held) = remote.list(&page.ask, Order::Time);
        listed.extend(found);
        pages += 1;
        assert!(pages < 1_000);
        let turn = page.turn(Cursor::default(), held, Order::Time, OVERLAP, clocks(remote.now)).unwrap();
        match turn.next {
            Some(next) => page = next,
            None => break turn.cursor,
        }
    };

    assert_eq!(listed.len(), 2_000);
    assert_eq!(cursor.newest, Timestamp::from_millis(2_000));
}

#[test]
fn a_watermark_is_the_newest_stamp_less_the_overlap_and_never_our_clock() {
    let at = Timestamp::from_millis;
    let held = Held { stamps: vec![at(500), at(900)], ..Held::default() };

    for order in [Order::Time, Order::Id] {
        let turn = Page::first(Cursor::default())
            .turn(Cursor::default(), held.clone(), order, OVERLAP, clocks(99_999))
            .unwrap();
        assert_eq!(turn.cursor, Cursor { since: at(850), newest: at(900) });

        let quiet =
            Page::first(turn.cursor).turn(turn.cursor, Held::default(), order, OVERLAP, clocks(199_999)).unwrap();
        assert_eq!(quiet, Turn { next: None, cursor: turn.cursor });
    }
}

#[test]
fn when_time_has_passed_in_quiet_nothing_is_listed_again() {
    let at = Timestamp::from_millis;
    let start = Instant::now();
    let mut remote = RemoteClock::default();
    remote.saw(at(900), start);
    remote.saw(at(800), start + Duration::from_millis(5));
    let cursor = Cursor { since: at(850), newest: at(900) };

    for order in [Order::Time, Order::Id] {
        for (passed, since) in [(0, 850), (10, 860), (50, 900), (51, 901), (5_000, 901)] {
            let theirs = remote.at_least(start + Duration::from_millis(passed));
            let clocks = Clocks { ours: at(0), theirs };
            let turn = Page::first(cursor).turn(cursor, Held::default(), order, OVERLAP, clocks).unwrap();
            assert_eq!(turn, Turn { next: None, cursor: Cursor { since: at(since), newest: at(900) } });
        }
    }
}

#[test]
fn what_may_have_shown_up_behind_a_page_is_left_to_the_next_pass() {
    let at = Timestamp::from_millis;
    let cursor = Cursor { since: at(960), newest: at(1_000) };
    let held = |stamps: &[i64], token: Option<&str>| Held {
        stamps: stamps.iter().copied().map(at).collect(),
        last_id: Some("9".to_owned()),
        token: token.map(str::to_owned),
    };
    let clocks = |theirs| Clocks { ours: at(0), theirs: at(theirs) };

    let dense = held(&[990, 1_000, 1_005, 1_010], Some("4"));
    let turn = Page::first(cursor).turn(cursor, dense, Order::Time, OVERLAP, clocks(1_000)).unwrap();
    let next = turn.next.unwrap();
    assert_eq!((&next.ask, turn.cursor.since), (&Ask::Since(at(1_010)), at(960)));

    let last = next.turn(cursor, held(&[1_150], None), Order::Time, OVERLAP, clocks(1_200)).unwrap();
    assert_eq!(last, Turn { next: None, cursor: Cursor { since: at(960), newest: at(1_150) } });
}

#[test]
fn a_page_is_never_asked_for_again_from_nearly_the_same_instant() {
    let at = Timestamp::from_millis;
    let cursor = Cursor { since: at(0), newest: at(1_000) };
    let full = |first: i64| Held {
        stamps: vec![at(first), at(1_000), at(1_001)],
        last_id: Some("9".to_owned()),
        token: Some("3".to_owned()),
    };
    let next = |first, theirs| {
        let clocks = Clocks { ours: at(0), theirs: at(theirs) };
        Page::first(cursor).turn(cursor, full(first), Order::Time, OVERLAP, clocks).unwrap().next.unwrap().ask
    };

    // Half a page again is worth it, a whole one is not: time would pass faster than the pages.
    assert_eq!(next(10, 1_050), Ask::Since(at(1_000)));
    assert_eq!(next(10, 1_049), Ask::Since(at(1_001)));
}

#[test]
fn a_stamp_of_another_century_moves_nothing() {
    let at = Timestamp::from_millis;
    let held = Held { stamps: vec![at(900), at(4_000_000_000_000)], ..Held::default() };

    for order in [Order::Time, Order::Id] {
        let turn = Page::first(Cursor::default())
            .turn(Cursor::default(), held.clone(), order, OVERLAP, clocks(1_000))
            .unwrap();
        assert_eq!(turn.cursor, Cursor { since: at(850), newest: at(900) });
    }
}

#[test]
fn a_listing_that_repeats_itself_or_is_not_sorted_is_an_error() {
    let at = Timestamp::from_millis;
    let turn = |ask: Ask, stamps: Vec<Timestamp>, last: &str, order| {
        let held = Held { stamps, last_id: Some(last.to_owned()), token: Some("7".to_owned()) };
        let page = Page { ask, newest: at(0), floor: None, pages: 0 };
        page.turn(Cursor::default(), held, order, OVERLAP, clocks(1_000))
    };

    assert!(turn(Ask::Token(at(0), "7".to_owned()), vec![at(1)], "1", Order::Id).is_err());
    assert!(turn(Ask::Ties(at(5), Some("9".to_owned())), vec![at(5)], "9", Order::Time).is_err());
    assert!(turn(Ask::Since(at(5)), vec![at(7), at(6)], "9", Order::Time).is_err());
    assert!(turn(Ask::Since(at(5)), vec![at(3), at(4)], "9", Order::Time).is_err());
    assert!(Cursor::read(&serde_json::json!("yesterday")).is_err());
    assert!(Cursor::read(&serde_json::json!([0, 0])).is_err());
}
