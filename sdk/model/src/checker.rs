//! The checker: every state that can be reached, breadth first, so that what is found is found on a shortest way.
//!
//! It knows nothing of creates. A [`Model`] says where it starts, what can happen next, what must not be, and when it is
//! finished.

use std::fmt;

/// What can be checked.
pub trait Model {
    /// A state as it is kept: small, because there are millions.
    type State: Copy + Eq + Digest;
    /// What leads from one state to the next, as a sentence.
    type Event: fmt::Display;

    /// Where it begins.
    fn start(&self) -> Self::State;
    /// Everything that can happen next. What changes nothing may be left out or not.
    fn next(&self, state: &Self::State, out: &mut Vec<(Self::Event, Self::State)>);
    /// What is wrong with a state, if anything.
    fn wrong(&self, state: &Self::State) -> Option<&'static str>;
    /// Whether everything that was to be done is done.
    fn is_finished(&self, state: &Self::State) -> bool;
}

/// A number that spreads well over all bits.
pub trait Digest {
    /// Equal states have equal digests.
    fn digest(&self) -> u64;
}

/// What a check has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// How many different states were reached.
    pub states: usize,
    /// How many ways lead from one of them to another.
    pub edges: usize,
    /// The first thing that is wrong, on a shortest way.
    pub violation: Option<Violation>,
}

/// Something that must not be, and how it came to that.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What is wrong.
    pub what: &'static str,
    /// What happened, in order.
    pub trace: Vec<String>,
}

/// From here nothing leads to a finished state.
pub const STUCK: &str = "nothing that can still happen leads to an end";

/// A state that is not finished, and nothing happens any more.
pub const TERMINAL: &str = "nothing can happen any more and it is not finished";

/// Goes through everything. Stops at the first state that is wrong; else asks of every state whether an end can still
/// be reached from it.
///
/// # Panics
///
/// When there are more than `limit` states: the scenario is too large for what it is meant for.
pub fn check<M: Model>(model: &M, limit: usize) -> Found {
    let mut seen = Seen::new();
    seen.insert(model.start());
    let mut parents: Vec<u32> = vec![0];
    let mut targets: Vec<u32> = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    let mut next = Vec::new();
    if let Some(what) = model.wrong(&seen.states[0]) {
        return Found { states: 1, edges: 0, violation: Some(Violation { what, trace: vec![] }) };
    }
    let mut at = 0;
    while at < seen.states.len() {
        let state = seen.states[at];
        next.clear();
        model.next(&state, &mut next);
        for (_, successor) in &next {
            if *successor == state {
                continue;
            }
            let (index, is_new) = seen.insert(*successor);
            targets.push(index);
            if !is_new {
                continue;
            }
            parents.push(number(at));
            assert!(seen.states.len() <= limit, "more than {limit} states: the scenario is too large");
            if let Some(what) = model.wrong(successor) {
                let trace = trace(model, &seen.states, &parents, index as usize);
                let violation = Some(Violation { what, trace });
                return Found { states: seen.states.len(), edges: targets.len(), violation };
            }
        }
        ends.push(number(targets.len()));
        at += 1;
    }
    let violation = first_stuck(model, &seen.states, &targets, &ends).map(|index| {
        let outgoing = ends[index] - if index == 0 { 0 } else { ends[index - 1] };
        let what = if outgoing == 0 { TERMINAL } else { STUCK };
        Violation { what, trace: trace(model, &seen.states, &parents, index) }
    });
    Found { states: seen.states.len(), edges: targets.len(), violation }
}

/// The first state from which no finished one can be reached: walks all ways backwards from the finished states.
fn first_stuck<M: Model>(model: &M, states: &[M::State], targets: &[u32], ends: &[u32]) -> Option<usize> {
    // Where the ways into a state begin in `sources`; filled from the back, so it ends up at the beginning.
    let mut begins = vec![0_u32; states.len() + 1];
    for target in targets {
        begins[*target as usize] += 1;
    }
    let mut sum = 0;
    for begin in &mut begins {
        sum += *begin;
        *begin = sum;
    }
    let mut sources = vec![0_u32; targets.len()];
    let mut first = 0;
    for (source, end) in ends.iter().enumerate() {
        for target in &targets[first..*end as usize] {
            let begin = &mut begins[*target as usize];
            *begin -= 1;
            sources[*begin as usize] = number(source);
        }
        first = *end as usize;
    }
    let mut ends_well = vec![false; states.len()];
    let mut waiting = Vec::new();
    for (index, state) in states.iter().enumerate() {
        if model.is_finished(state) {
            ends_well[index] = true;
            waiting.push(number(index));
        }
    }
    while let Some(index) = waiting.pop() {
        let (from, to) = (begins[index as usize] as usize, begins[index as usize + 1] as usize);
        for source in &sources[from..to] {
            if !ends_well[*source as usize] {
                ends_well[*source as usize] = true;
                waiting.push(*source);
            }
        }
    }
    ends_well.iter().position(|well| !well)
}

/// The way to a state. Only parents are kept; what happened between two states is found by trying again.
fn trace<M: Model>(model: &M, states: &[M::State], parents: &[u32], mut index: usize) -> Vec<String> {
    let mut told = Vec::new();
    let mut next = Vec::new();
    while index != 0 {
        let parent = parents[index] as usize;
        next.clear();
        model.next(&states[parent], &mut next);
        let event = next.iter().find(|(_, state)| *state == states[index]);
        told.push(event.map_or_else(|| "?".to_owned(), |(event, _)| event.to_string()));
        index = parent;
    }
    told.reverse();
    told
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than four thousand million states and ways")
}

/// The states in the order in which they were found, and a table of their numbers.
struct Seen<S> {
    states: Vec<S>,
    /// Open addressing; zero is an empty place, else the number of a state plus one. At most two thirds full.
    table: Vec<u32>,
}

impl<S: Copy + Eq + Digest> Seen<S> {
    fn new() -> Self {
        Self { states: Vec::new(), table: vec![0; 1 << 10] }
    }

    /// Answers the number of the state, and whether it is new.
    fn insert(&mut self, state: S) -> (u32, bool) {
        if (self.states.len() + 1) * 3 > self.table.len() * 2 {
            self.table = vec![0; self.table.len() * 2];
            for index in 0..self.states.len() {
                let place = self.place(&self.states[index]);
                self.table[place] = number(index) + 1;
            }
        }
        let place = self.place(&state);
        match self.table[place] {
            0 => {
                self.states.push(state);
                let count = number(self.states.len());
                self.table[place] = count;
                (count - 1, true)
            }
            found => (found - 1, false),
        }
    }

    /// Where a state stands, or the empty place where it belongs.
    fn place(&self, state: &S) -> usize {
        let mask = self.table.len() - 1;
        // The table is far smaller than 64 bits can count, and the high bits are the best mixed.
        let mut place = (state.digest() >> 20) as usize & mask;
        loop {
            match self.table[place] {
                0 => return place,
                found if self.states[found as usize - 1] == *state => return place,
                _ => place = (place + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk over numbers, to be broken in every way a model can be.
    struct Numbers {
        ways: &'static [(u32, u32)],
        wrong: Option<u32>,
        finished: &'static [u32],
    }

    impl Digest for u32 {
        fn digest(&self) -> u64 {
            // All in one place, so that the table has to look further.
            7
        }
    }

    impl Model for Numbers {
        type State = u32;
        type Event = String;

        fn start(&self) -> u32 {
            0
        }

        fn next(&self, state: &u32, out: &mut Vec<(String, u32)>) {
            out.extend(
                self.ways.iter().filter(|(from, _)| from == state).map(|(from, to)| (format!("{from}-{to}"), *to)),
            );
        }

        fn wrong(&self, state: &u32) -> Option<&'static str> {
            (Some(*state) == self.wrong).then_some("planted")
        }

        fn is_finished(&self, state: &u32) -> bool {
            self.finished.contains(state)
        }
    }

    fn found(ways: &'static [(u32, u32)], wrong: Option<u32>, finished: &'static [u32]) -> Found {
        check(&Numbers { ways, wrong, finished }, 1_000)
    }

    #[test]
    fn a_sound_model_is_clean_and_counted() {
        let found = found(&[(0, 1), (0, 2), (1, 3), (2, 3), (3, 0), (3, 3)], None, &[3]);

        assert!(found.violation.is_none());
        assert_eq!((found.states, found.edges), (4, 5));
    }

    #[test]
    fn a_wrong_state_is_found_on_the_shortest_way() {
        let ways = &[(0, 1), (1, 2), (2, 9), (0, 5), (5, 9), (9, 9)];

        let violation = found(ways, Some(9), &[9]).violation.unwrap();

        assert_eq!(violation.what, "planted");
        assert_eq!(violation.trace, ["0-5", "5-9"]);
    }

    #[test]
    fn a_start_that_is_wrong_is_found_with_nothing_happening() {
        assert_eq!(found(&[], Some(0), &[0]).violation.unwrap().trace, Vec::<String>::new());
    }

    #[test]
    fn a_dead_end_is_found() {
        let violation = found(&[(0, 1), (0, 2), (2, 4)], None, &[1]).violation.unwrap();

        assert_eq!(violation.what, STUCK);
        assert_eq!(violation.trace, ["0-2"]);
    }

    #[test]
    fn a_state_in_which_nothing_happens_any_more_is_told_from_a_circle() {
        let terminal = found(&[(0, 1), (0, 2)], None, &[1]).violation.unwrap();
        let circle = found(&[(0, 1), (0, 2), (2, 3), (3, 2)], None, &[1]).violation.unwrap();

        assert_eq!(terminal.what, TERMINAL);
        assert_eq!(circle.what, STUCK);
    }

    #[test]
    #[should_panic(expected = "too large")]
    fn a_model_that_is_too_large_is_not_called_clean() {
        let ways: &'static [(u32, u32)] = &[(0, 1), (1, 2), (2, 3)];
        check(&Numbers { ways, wrong: None, finished: &[3] }, 2);
    }

    #[test]
    fn thousands_of_states_with_one_digest_are_kept_apart() {
        let ways: Vec<(u32, u32)> = (0..3_000).map(|n| (n, n + 1)).collect();
        let found = check(&Numbers { ways: Vec::leak(ways), wrong: None, finished: &[3_000] }, 10_000);

        assert_eq!(found.states, 3_001);
        assert!(found.violation.is_none());
    }
}
