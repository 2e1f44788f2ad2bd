//! What the tests of the topologies have shown.

use serde::Serialize;

use crate::finding::Finding;

/// What all tests have shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TestReport {
    /// By file.
    pub files: Vec<FileReport>,
    /// How many tests were not asked for.
    pub left_out: usize,
    /// What is wrong with the texts of the tests, or of the project they test.
    pub findings: Vec<Finding>,
}

/// What the tests of one file have shown.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// The file.
    pub file: String,
    /// The topology they test.
    pub topology: String,
    /// The tests.
    pub stories: Vec<StoryReport>,
}

/// What one test has shown.
#[derive(Clone, Debug, Serialize)]
pub struct StoryReport {
    /// What it tells.
    pub name: String,
    /// The line it begins in.
    pub line: usize,
    /// How long it took.
    pub milliseconds: u64,
    /// What was not as expected; nothing: it has passed.
    pub failures: Vec<String>,
}

/// How a test report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestFormat {
    /// For a person at a terminal.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

impl StoryReport {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl TestReport {
    fn stories(&self) -> impl Iterator<Item = &StoryReport> {
        self.files.iter().flat_map(|file| &file.stories)
    }

    /// How many tests have passed.
    pub fn passed(&self) -> usize {
        self.stories().filter(|story| story.passed()).count()
    }

    /// How many tests have failed.
    pub fn failed(&self) -> usize {
        self.stories().count() - self.passed()
    }

    /// Whether no test was asked for by its name, and nothing is wrong that says why.
    pub fn is_empty(&self) -> bool {
        self.stories().next().is_none() && !self.findings.iter().any(Finding::is_error)
    }

    /// What a command ends with: 0, or 1 when a test failed or could not be read.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.failed() > 0 || self.findings.iter().any(Finding::is_error))
    }

    /// The report as text, ready to be printed.
    pub fn render(&self, format: TestFormat, colour: bool) -> String {
        match format {
            TestFormat::Text => self.text(colour),
            TestFormat::Json => {
                let report = serde_json::json!({
                    "passed": self.passed(),
                    "failed": self.failed(),
                    "files": self.files,
                    "findings": self.findings,
                });
                format!("{report:#}\n")
            }
        }
    }

    fn text(&self, colour: bool) -> String {
        let (good, bad, plain) = if colour { ("\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m") } else { ("", "", "") };
        let width = self.stories().map(|story| story.name.chars().count()).max().unwrap_or_default();
        let mut lines = Vec::new();
        for finding in &self.findings {
            lines.push(finding.render(colour));
            lines.push(String::new());
        }
        for file in &self.files {
            lines.push(file.file.clone());
            for StoryReport { name, line, milliseconds, failures } in &file.stories {
                if failures.is_empty() {
                    lines.push(format!("  {good}✓{plain} {name:width$}  {milliseconds:>4} ms"));
                    continue;
                }
                lines.push(format!("  {bad}✗{plain} {name}"));
                lines.extend(failures.iter().flat_map(|failure| failure.lines()).map(|line| format!("      {line}")));
                lines.push(format!("      {}:{line}", file.file));
            }
        }
        lines.push(format!("{} passed, {} failed", self.passed(), self.failed()));
        lines.join("\n") + "\n"
    }
}
