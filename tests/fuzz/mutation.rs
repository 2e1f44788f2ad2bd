//! From a seed to an input: a text of the corpus, changed a few times.
//!
//! Bytes and their places are changed by mutatis. What it cannot know is added to it: words that hurt, lists within
//! lists, and pieces of the other texts.

use mutatis::mutators as m;
use mutatis::{Candidates, Mutate, Result, Session};

/// Nothing grows longer than this, in bytes.
const LONGEST: usize = 300_000;
/// More changes at once make noise of a text.
const CHANGES: usize = 6;

/// What has broken parsers before.
const WORDS: &[&str] = &[
    "",
    "null",
    "true",
    "false",
    "~",
    "0",
    "-0",
    "-1",
    "1e3",
    "1e400",
    "1.0",
    "0x10",
    "007",
    "9007199254740993",
    "9007199254740992.0",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e999",
    "NaN",
    "\u{feff}",
    "\0",
    "\r",
    "\r\n",
    "\n",
    "\n\n",
    "\t",
    " ",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{200b}",
    "\u{7f}",
    "\u{fffd}",
    "é",
    "İ",
    "ß",
    "ẞ",
    "ſ",
    "Σ",
    "ς",
    "😀",
    "\\ud800",
    "\\udc00\\ud800",
    "\\u0000",
    "\"",
    "'",
    "\\",
    "/",
    "//",
    "..",
    "../",
    "%2e",
    "%00",
    "?",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "--- ",
    "...",
    "|",
    ">",
    "- ",
    ": ",
    "? ",
    ", ",
    ",",
    ":",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "\"\"",
    "<html>",
    "<!--",
    "${X}",
    "${X:-}",
    "${",
    "{id}",
    "{",
    "~1",
    "~0",
    ";",
    "@",
    "=",
    "\"id\":",
    "\"id\":1,",
    "\"error\":null,",
    "\"archived\":true,",
    "Existing ID: ",
    "secret",
];

/// Makes inputs of the texts of a corpus.
pub(super) struct Mutation<'a> {
    pub(super) corpus: &'a [Vec<u8>],
}

impl Mutation<'_> {
    /// The input of a seed.
    pub(super) fn input(&self, seed: u64) -> Vec<u8> {
        let mut session = Session::new().seed(seed);
        // What comes of the numbers 0 and so on must not be alike.
        let pick = usize::try_from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).unwrap_or_default();
        let mut input = self.corpus[pick % self.corpus.len()].clone();
        for _ in 0..=pick / self.corpus.len() % CHANGES {
            session.mutate_with(&mut Hostile(self.corpus), &mut input).unwrap();
        }
        input.truncate(LONGEST);
        input
    }
}

/// Takes something away.
pub(super) fn shrink(seed: u64, input: &mut Vec<u8>) {
    // An input of which nothing can be taken stays as it is.
    Session::new().seed(seed).shrink(true).mutate_with(&mut Hostile(&[]), input).ok();
}

/// The kinds of change that are not of single bytes; each is as likely as all those together.
const KINDS: u32 = 8;

struct Hostile<'a>(&'a [Vec<u8>]);

impl Mutate<Vec<u8>> for Hostile<'_> {
    fn mutate(&mut self, changes: &mut Candidates<'_>, input: &mut Vec<u8>) -> Result<()> {
        if changes.shrink() {
            return changes.mutation(|context| {
                let (from, to) = stretch(context, input.len());
                input.drain(from..to);
                Ok(())
            });
        }
        changes.mutation_group(KINDS, |context, kind| {
            let rng = context.rng();
            let at = rng.gen_index(input.len() + 1).unwrap_or_default();
            match kind {
                0 | 1 => {
                    let word = rng.choose(WORDS).copied().unwrap_or_default();
                    input.splice(at..at, word.bytes());
                }
                2 => {
                    let word = rng.choose(WORDS).copied().unwrap_or_default();
                    let (from, to) = stretch(context, input.len());
                    input.splice(from..to, word.bytes());
                }
                3 => {
                    let (from, to) = stretch(context, input.len());
                    input.drain(from..to);
                }
                4 => {
                    let (from, to) = stretch(context, input.len());
                    let piece = input[from..to].to_vec();
                    input.splice(at..at, piece);
                }
                5 => {
                    let other = rng.choose(self.0).cloned().unwrap_or_default();
                    let (from, to) = stretch(context, other.len());
                    input.splice(at..at, other[from..to].iter().copied());
                }
                6 => {
                    let times = 1 << (rng.gen_u8() % 9);
                    let open = rng.choose(["[", "{", "{\"a\":", "a: ", "- ", "x", "9", "é"]).unwrap_or_default();
                    input.splice(at..at, open.repeat(times).into_bytes());
                }
                // A line more than once: a key twice, a header twice, a page twice.
                _ => {
                    let start = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |line| line + 1);
                    let end =
                        input[at..].iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| at + end + 1);
                    let line = input[start..end].to_vec();
                    input.splice(start..start, line);
                }
            }
            Ok(())
        })?;
        // One change of a byte, wherever: as many candidates as the text has bytes would leave no room for the others.
        changes.mutation(|context| {
            let mut session = Session::new().seed(context.rng().gen_u64());
            match session.mutate_with(&mut m::vec(m::u8()), input) {
                Err(error) if !error.is_exhausted() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// A stretch of a text, short ones mostly.
fn stretch(context: &mut mutatis::Context, length: usize) -> (usize, usize) {
    let rng = context.rng();
    let from = rng.gen_index(length + 1).unwrap_or_default();
    let most = if rng.gen_bool() { 8 } else { length };
    (from, (from + rng.gen_index(most + 1).unwrap_or_default()).min(length))
}
