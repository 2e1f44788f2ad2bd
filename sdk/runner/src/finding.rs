//! A finding: one thing that is wrong in a text, where, and what would have been right.

pub mod code;

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

/// Longer lines are not shown, in bytes.
const LONGEST_EXCERPT: usize = 4096;

/// Whether a program may start with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may not.
    Error,
    /// It may.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A stretch of one line of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// How many characters.
    pub length: usize,
}

/// A text and what to call it in findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// What to call it: usually a path.
    pub file: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

impl SourceText {
    /// A text under a name.
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: Arc::from(file), text: Arc::from(text) }
    }
}

/// One thing that is wrong in a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Finding {
    /// What kind of thing: one of [`code`].
    pub code: &'static str,
    /// Whether a program may start with it.
    pub severity: Severity,
    /// The text it is in.
    pub file: String,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What would have been right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Another place that has to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Related>,
    /// The line before, if there is one, and the line.
    #[serde(skip)]
    excerpt: String,
}

/// Another place that has to do with a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Related {
    /// The text it is in.
    pub file: String,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What it has to do with it.
    pub message: String,
}

impl Finding {
    /// An error at a place of a text.
    pub fn error(code: &'static str, source: &SourceText, place: Place, message: impl Into<String>) -> Self {
        let before = place.line.saturating_sub(2);
        let shown = if place.line > 1 { 2 } else { 1 };
        let excerpt: Vec<&str> = source.text.lines().skip(before).take(shown).collect();
        let excerpt = excerpt.join("\n");
        Self {
            code,
            severity: Severity::Error,
            file: source.file.to_string(),
            place,
            message: message.into(),
            help: None,
            related: None,
            // A text in one enormous line would otherwise be kept once per finding.
            excerpt: if excerpt.len() > LONGEST_EXCERPT { String::new() } else { excerpt },
        }
    }

    /// A warning at a place of a text.
    pub fn warning(code: &'static str, source: &SourceText, place: Place, message: impl Into<String>) -> Self {
        Self::error(code, source, place, message).only_a_warning()
    }

    /// The same, and a program may start with it.
    #[must_use]
    pub fn only_a_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Says what would have been right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at another place that has to do with it.
    #[must_use]
    pub fn related(mut self, file: &str, place: Place, message: impl Into<String>) -> Self {
        self.related = Some(Related { file: file.to_owned(), place, message: message.into() });
        self
    }

    /// Whether a program may not start with it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Several lines for a person: the message, the line with a mark under the place, and the help.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str()).id(self.code);
        let mut main = if self.place.line == 0 || self.excerpt.is_empty() {
            Group::with_title(title).element(Origin::path(self.file.as_str()))
        } else {
            let first = self.place.line.saturating_sub(1).max(1);
            let mark = AnnotationKind::Primary.span(self.span());
            Group::with_title(title).element(
                Snippet::source(self.excerpt.as_str())
                    .line_start(first)
                    .path(self.file.as_str())
                    .fold(false)
                    .annotation(mark),
            )
        };
        if let Some(related) = &self.related {
            let Place { line, column, .. } = related.place;
            main = main.element(Level::NOTE.message(format!("{} ({}:{line}:{column})", related.message, related.file)));
        }
        if let Some(help) = &self.help {
            main = main.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[main])
    }

    /// The place as bytes of the excerpt.
    fn span(&self) -> std::ops::Range<usize> {
        let line_start = if self.place.line > 1 { self.excerpt.find('\n').map_or(0, |end| end + 1) } else { 0 };
        let line = &self.excerpt[line_start..];
        let byte_of = |characters: usize| line.char_indices().nth(characters).map_or(line.len(), |(byte, _)| byte);
        let column = self.place.column.saturating_sub(1);
        let (start, end) = (byte_of(column), byte_of(column + self.place.length.max(1)));
        line_start + start..line_start + end
    }
}

/// One line: `file:line:column: message; help`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, .. } = self.place;
        match line {
            0 => write!(f, "{}: {}", self.file, self.message)?,
            _ => write!(f, "{}:{line}:{column}: {}", self.file, self.message)?,
        }
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Errors before warnings would tear a file apart, so findings are in the order of the text, each once.
pub fn in_order(findings: &mut Vec<Finding>) {
    findings.sort_by(|one, other| {
        (&one.file, one.place, one.severity, one.code).cmp(&(&other.file, other.place, other.severity, other.code))
    });
    findings.dedup();
}

/// What a mistyped word may have meant: ``did you mean `update`?``, or else the words there are.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    // A third of the letters may be wrong, one in any case.
    let near = |candidate: &str| strsim::osa_distance(word, candidate) <= (word.chars().count() / 3).max(1);
    match known.iter().copied().min_by_key(|candidate| strsim::osa_distance(word, candidate)) {
        Some(best) if near(best) => format!("did you mean `{best}`?"),
        Some(_) => format!("known {what}: {}", known.join(", ")),
        None => format!("there are no {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        let source = SourceText::new("a.yaml", "resolve:\n  next: { found: updte, missing: create }\n");
        Finding::error(code::UNKNOWN_FOLLOWER, &source, Place { line: 2, column: 18, length: 5 }, "no node `updte`")
            .help("did you mean `update`?")
    }

    #[test]
    fn a_finding_shows_the_line_the_place_and_the_way_out() {
        let shown = finding().render(false);

        let expected = "\
error[PL0203]: no node `updte`
 --> a.yaml:2:18
  |
1 | resolve:
2 |   next: { found: updte, missing: create }
  |                  ^^^^^
  |
  = help: did you mean `update`?";
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_line_names_file_line_and_column() {
        assert_eq!(finding().to_string(), "a.yaml:2:18: no node `updte`; did you mean `update`?");
    }

    #[test]
    fn there_is_colour_only_when_asked() {
        assert!(!finding().render(false).contains('\u{1b}'));
        assert!(finding().render(true).contains('\u{1b}'));
    }

    #[test]
    fn a_place_at_the_end_of_a_line_or_beyond_is_shown_all_the_same() {
        let source = SourceText::new("a.yaml", "příliš: žluťoučký\n");
        for column in [9, 17, 18, 400] {
            let finding =
                Finding::warning(code::WRONG_VALUE, &source, Place { line: 1, column, length: 9 }, "not a horse");

            assert!(finding.render(false).contains("žluťoučký"));
        }
    }

    #[test]
    fn json_has_the_place_beside_the_message() {
        let json = serde_json::to_value(finding()).unwrap();

        assert_eq!(json["line"], 2);
        assert_eq!(json["severity"], "error");
        assert_eq!(json["help"], "did you mean `update`?");
    }

    #[test]
    fn a_word_that_is_nothing_like_the_others_gets_the_list() {
        assert_eq!(suggest("presist", ["persist", "fetch"], "kinds"), "did you mean `persist`?");
        assert_eq!(suggest("zzz", ["persist", "fetch"], "kinds"), "known kinds: fetch, persist");
    }
}
