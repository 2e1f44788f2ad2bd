//! Deck: which moment is next, and how often the program is to come there first.

use std::collections::BTreeMap;
use std::fmt;

use fastrand::Rng;

use super::Mark;

/// After so many moments comes a kill by chance.
const CHANCE_AFTER: usize = 4;
/// The program comes to a moment at most so many times more than the last time it was killed there.
const TIMES_MORE: u32 = 6;

/// A moment, and the time at which it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) variable: String,
    pub(super) moment: String,
    count: u32,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.moment, self.count)
    }
}

/// Every moment comes before any comes again, but for those that were never reached, which come more often. A moment
/// that was not reached is ordered at its first time the next time: some come once in a life.
pub(super) struct Deck {
    marks: Vec<Mark>,
    left: Vec<Mark>,
    /// The moment whose lead was ordered last.
    led: Option<Mark>,
    /// Of each that was ever reached, where; zero when it was missed since.
    counts: BTreeMap<String, u32>,
    drawn: usize,
    rng: Rng,
}

impl Deck {
    pub(super) fn new(marks: &[Mark], rng: Rng) -> Self {
        Self { marks: marks.to_vec(), left: Vec::new(), led: None, counts: BTreeMap::new(), drawn: 0, rng }
    }

    /// Nothing is a kill by chance.
    pub(super) fn next(&mut self) -> Option<Order> {
        if let Some(mark) = self.led.take() {
            return Some(self.order(mark.variable, mark.name));
        }
        self.drawn += 1;
        if self.drawn.is_multiple_of(CHANCE_AFTER + 1) {
            return None;
        }
        if self.left.is_empty() {
            let never: Vec<Mark> =
                self.marks.iter().filter(|mark| !self.counts.contains_key(&mark.name)).cloned().collect();
            self.left = if never.is_empty() { self.marks.clone() } else { never };
            self.rng.shuffle(&mut self.left);
        }
        let mark = self.left.pop()?;
        if let Some(lead) = mark.lead.clone() {
            let variable = mark.variable.clone();
            self.led = Some(mark);
            return Some(Order { variable, moment: lead, count: 1 });
        }
        Some(self.order(mark.variable, mark.name))
    }

    fn order(&mut self, variable: String, moment: String) -> Order {
        let before = self.counts.get_mut(&moment).map(std::mem::take).unwrap_or_default();
        let count = if before == 0 { 1 } else { before + self.rng.u32(0..=TIMES_MORE) };
        Order { variable, moment, count }
    }

    pub(super) fn reached(&mut self, order: &Order) {
        self.counts.insert(order.moment.clone(), order.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str) -> Mark {
        Mark { variable: "V".to_owned(), name: name.to_owned(), lead: None }
    }

    fn drawn(deck: &mut Deck, times: usize) -> Vec<String> {
        (0..times).map(|_| deck.next().map_or("by chance".to_owned(), |order| order.to_string())).collect()
    }

    #[test]
    fn every_moment_comes_before_any_comes_again_and_then_a_kill_by_chance() {
        let mut deck = Deck::new(&["a", "b", "c", "d"].map(mark), Rng::with_seed(1));

        let mut first = drawn(&mut deck, 5);

        assert_eq!(first.pop().as_deref(), Some("by chance"));
        first.sort_unstable();
        assert_eq!(first, ["a:1", "b:1", "c:1", "d:1"]);
    }

    #[test]
    fn a_moment_that_was_reached_is_ordered_later_and_at_its_first_time_when_it_was_missed() {
        let mut deck = Deck::new(&[mark("a")], Rng::with_seed(1));
        deck.reached(&Order { variable: "V".to_owned(), moment: "a".to_owned(), count: 3 });

        let (later, missed) = (deck.next().unwrap(), deck.next().unwrap());

        assert!((3..=3 + TIMES_MORE).contains(&later.count), "{later}");
        assert_eq!(missed.count, 1);
    }

    #[test]
    fn what_was_never_reached_comes_again_first_and_behind_its_lead() {
        let led = Mark { lead: Some("a".to_owned()), ..mark("b") };
        let mut deck = Deck::new(&[mark("a"), led], Rng::with_seed(1));
        deck.reached(&Order { variable: "V".to_owned(), moment: "a".to_owned(), count: 1 });

        assert_eq!(drawn(&mut deck, 4), ["a:1", "b:1", "a:1", "b:1"]);
    }
}
