//! Shrinking: leaves out of a play whatever its harm does not need, until what is left can be read.

use std::collections::BTreeSet;
use std::fmt::Write;

use pairline_fakes::judge::Side;
use pairline_fakes::{Faults, Mishap};

use super::harm::Harm;
use super::play::{Play, Size};

/// How often the harmed are tried alone before anything else is left out.
const ALONE_RUNS: u64 = 1_000;

/// More people than this are not alone.
const ALONE_PEOPLE_MAX: usize = 3;

/// A short story with the same kind of harm.
pub(super) struct Shrunk {
    pub(super) play: Play,
    pub(super) harm: Harm,
    /// How much there was of it.
    pub(super) was: Size,
    /// How many plays were tried.
    pub(super) runs: usize,
}

/// How a play that was tried has ended badly.
pub(super) struct Bad {
    pub(super) harm: Harm,
    /// What went wrong with calls and deliveries.
    pub(super) mishaps: BTreeSet<(Side, Mishap)>,
}

/// Tries plays until the budget is spent, and keeps the shortest that ends in the same kind of harm.
struct Search<R> {
    run: R,
    kind: String,
    runs: usize,
    runs_max: usize,
    best: Play,
    harm: Harm,
}

/// Shrinks a play that has ended badly, within so many runs.
pub(super) fn shrink(play: &Play, bad: Bad, runs_max: usize, run: impl FnMut(&Play) -> Option<Bad>) -> Shrunk {
    let kind = bad.harm.kinds.first().cloned().unwrap_or_default();
    let mut best = play.clone();
    // From here on what goes wrong is a list, and no chance.
    best.only = Some(bad.mishaps);
    let was = best.size();
    let mut search = Search { run, kind, runs: 0, runs_max, best: play.clone(), harm: bad.harm };
    if !search.accepts(best) {
        // The list is not all there is to it; then chance stays in.
        search.best.only = None;
    }
    search.alone();
    loop {
        let before = search.best.size();
        search.people();
        search.parts(
            |play| play.only.iter().flatten().cloned().collect(),
            |play, kept| {
                play.only = Some(kept.into_iter().collect());
            },
        );
        search.parts(|play| play.troubles.clone(), |play, kept| play.troubles = kept);
        search.parts(|play| play.deeds.clone(), |play, kept| play.deeds = kept);
        search.plainer();
        if search.best.size() == before || search.runs >= search.runs_max {
            let Search { best, harm, runs, .. } = search;
            return Shrunk { play: best, harm, was, runs };
        }
    }
}

impl<R: FnMut(&Play) -> Option<Bad>> Search<R> {
    /// Keeps a play if its harm is of the same kind.
    fn accepts(&mut self, play: Play) -> bool {
        if self.runs >= self.runs_max {
            return false;
        }
        self.runs += 1;
        match (self.run)(&play) {
            Some(bad) if bad.harm.kinds.contains(&self.kind) => {
                (self.best, self.harm) = (play, bad.harm);
                // What did not go wrong any more is not a part of the story.
                self.best.only = Some(bad.mishaps);
                true
            }
            _ => false,
        }
    }

    /// Much of what is found is two things that meet on their way, which they do no more as soon as anything is left out.
    /// So those who are harmed are tried alone first, at other times: such plays are short.
    fn alone(&mut self) {
        let people = self.harm.people.clone();
        if people.is_empty() || people.len() > ALONE_PEOPLE_MAX {
            return;
        }
        for chance in 0..ALONE_RUNS {
            let play = self.best.alone(&people, chance);
            // These are as short as a few of the others.
            self.runs_max += 1;
            if self.accepts(play) {
                return;
            }
        }
    }

    /// Leaves out whole people: most have nothing to do with it.
    fn people(&mut self) {
        let of = |play: &Play| play.deeds.iter().map(|deed| deed.person).collect::<BTreeSet<_>>().into_iter().collect();
        self.parts(of, |play, kept: Vec<u32>| play.deeds.retain(|deed| kept.contains(&deed.person)));
    }

    /// Leaves out parts: first all of them, then halves, quarters and so on, down to single ones.
    fn parts<T: Clone>(&mut self, of: impl Fn(&Play) -> Vec<T>, with: impl Fn(&mut Play, Vec<T>)) {
        let mut chunk = of(&self.best).len();
        while chunk > 0 {
            let (mut from, mut shorter) = (0, false);
            loop {
                let parts = of(&self.best);
                if from >= parts.len() {
                    break;
                }
                let until = (from + chunk).min(parts.len());
                let mut play = self.best.clone();
                with(&mut play, [&parts[..from], &parts[until..]].concat());
                if self.accepts(play) {
                    shorter = true;
                } else {
                    from = until;
                }
                if self.runs >= self.runs_max {
                    return;
                }
            }
            // What is left is tried again in pieces of this size as long as that helps.
            if !shorter || chunk > 1 {
                chunk /= 2;
            }
        }
    }

    /// Makes what is left plainer: fewer fields, one event, nothing at random.
    fn plainer(&mut self) {
        let mut at = 0;
        while at < self.best.deeds.len() {
            let mut play = self.best.clone();
            let Some(plainer) = play.deeds[at].plainer() else {
                at += 1;
                continue;
            };
            play.deeds[at] = plainer;
            if !self.accepts(play) {
                at += 1;
            }
        }
        if self.best.only.as_ref().is_some_and(BTreeSet::is_empty) {
            let latency_to_ms = self.best.faults.latency_from_ms;
            let mut play = self.best.clone();
            play.faults = Faults { latency_from_ms: latency_to_ms, latency_to_ms, ..Faults::default() };
            if play.faults != self.best.faults {
                self.accepts(play);
            }
        }
    }
}

impl Shrunk {
    /// The story, and what is wrong at its end.
    pub(super) fn told(&self) -> String {
        let (kind, seed) = (self.play.kind.name(), self.play.seed);
        let kinds: Vec<&str> = self.harm.kinds.iter().map(String::as_str).collect();
        let (now, was, runs) = (self.play.size(), self.was, self.runs);
        let mut told = String::new();
        writeln!(told, "{kind} seed {seed}: {}", kinds.join(", ")).unwrap();
        writeln!(told, "  {was} became {now}, after {runs} runs:").unwrap();
        for line in self.play.story() {
            writeln!(told, "  {line}").unwrap();
        }
        told + &self.harm.told
    }
}
