//! What `check` and `graph` answer.

use serde_json::json;

use crate::finding::{Finding, Place, Severity};
use crate::project::Project;
use crate::topology::{GraphFormat, render};

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckFormat {
    /// For a person at a terminal.
    #[default]
    Text,
    /// One line per finding: `file:line:column: message`.
    Line,
    /// One JSON document.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
}

/// What a check has found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// How many files were looked at.
    pub files: usize,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

/// What is wrong with a project.
pub fn check(project: &Project) -> CheckReport {
    CheckReport { files: project.files, findings: project.findings.clone() }
}

/// A project's topologies, or the one of this name, drawn.
///
/// # Errors
///
/// One line when there is no such topology, or none without errors.
pub fn graph(project: &Project, topology: Option<&str>, format: GraphFormat) -> Result<String, String> {
    let graphs: Vec<_> =
        project.topologies.iter().filter(|graph| topology.is_none_or(|name| graph.name == name)).collect();
    if graphs.is_empty() {
        let known: Vec<&str> = project.topologies.iter().map(|graph| graph.name.as_str()).collect();
        let known = if known.is_empty() { "none is without errors".to_owned() } else { known.join(", ") };
        return Err(format!("no topology `{}`; known topologies: {known}", topology.unwrap_or("*")));
    }
    Ok(render(&graphs, format))
}

impl CheckReport {
    /// How many errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }

    /// How many warnings.
    pub fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }

    /// What a command ends with: 0, or 1 when there is something to report.
    pub fn exit_code(&self, deny_warnings: bool) -> u8 {
        u8::from(self.errors() > 0 || (deny_warnings && self.warnings() > 0))
    }

    /// The report as text, ready to be printed.
    pub fn render(&self, format: CheckFormat, colour: bool) -> String {
        match format {
            CheckFormat::Text => {
                let findings: String = self.findings.iter().map(|finding| finding.render(colour) + "\n\n").collect();
                format!("{findings}{}\n", self.summary())
            }
            CheckFormat::Line => self.findings.iter().map(|finding| format!("{finding}\n")).collect(),
            CheckFormat::Json => {
                let report = json!({
                    "files": self.files,
                    "errors": self.errors(),
                    "warnings": self.warnings(),
                    "findings": self.findings,
                });
                format!("{report:#}\n")
            }
            CheckFormat::Github => self.findings.iter().map(annotation).collect(),
        }
    }

    fn summary(&self) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (files, errors) = (count(self.files, "file"), count(self.errors(), "error"));
        format!("{files}, {errors}, {}", count(self.warnings(), "warning"))
    }
}

fn annotation(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let Place { line, column, .. } = finding.place;
    let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    let message = format!("{}{help}", finding.message).replace('%', "%25").replace('\n', "%0A");
    format!("::{level} file={},line={line},col={column},title={}::{message}\n", finding.file, finding.code)
}
