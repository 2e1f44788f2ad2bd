//! Stories are played over the shipped application descriptions, by nodes that are as small as can be.

use std::sync::Arc;

use async_trait::async_trait;
use pairline_runner::project::{Project, Sources};
use pairline_runner::story::{TestFormat, TestReport, test};
use pairline_sdk::message::{HINT, HintPart};
use pairline_sdk::{
    Application, NodeDescription, NodeError, PlatformKind, ProcessAction, ProcessDto, Registry, SettingKind,
};
use serde_json::Value;

use crate::kinds;

const TOPOLOGY: &str = "\
topology: looking
contract: contact
start:
  webhook: { application: crm, events: [contact.creation] }
  next: look
nodes:
  look:
    uses: look
    with: { application: crm }
    next: { there: end, gone: end }
";

/// Reads the record of its hint.
struct Look(NodeDescription, Arc<dyn Application>);

#[async_trait]
impl ProcessAction for Look {
    fn describe(&self) -> &NodeDescription {
        &self.0
    }

    async fn process_action(&self, dto: ProcessDto) -> Result<ProcessDto, NodeError> {
        let hint = dto.need::<HintPart>(HINT)?;
        let found = self.1.read(&hint.record.id).await?;
        Ok(dto.follow(if found.is_some() { "there" } else { "gone" }))
    }
}

fn play(stories: &str) -> TestReport {
    let mut registry = Registry::new();
    let description = NodeDescription::new("look", "Looks.", PlatformKind::Connector)
        .route("there", "")
        .route("gone", "")
        .setting("application", "Where.", SettingKind::Application);
    let described = description.clone();
    registry.register(description, move |with, ports| {
        let application = ports.application(with["application"].as_str().unwrap_or_default())?;
        Ok(Arc::new(Look(described.clone(), application)))
    });
    let mut sources = kinds::surroundings();
    sources.add("looking.yaml", "looking.yaml", TOPOLOGY);
    sources.add("looking.test.yaml", "looking.test.yaml", stories);
    let project = Project::load(&sources, &registry);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(test(&project, &registry, ""))
}

fn failures(stories: &str) -> Vec<String> {
    let report = play(stories);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    report.files.into_iter().flat_map(|file| file.stories).flat_map(|story| story.failures).collect()
}

#[test]
fn a_story_that_goes_as_told_has_passed() {
    let report = play(
        "\
- name: a contact that is there is found
  message: { record: '7', kind: created }
  crm:
    - expect: { method: GET, path: /crm/v3/objects/contacts/7 }
      answer: { json: { id: '7', properties: {} } }
  then: { path: [look], calls: { crm: 1, erp: 0 }, mapping: [] }
",
    );

    assert_eq!((report.passed(), report.failed(), report.exit_code()), (1, 0, 0), "{report:?}");
}

#[test]
fn whatever_goes_another_way_is_said() {
    let failures = failures(
        "\
- name: everything is different
  message: { record: '7', kind: created }
  mapping: [{ crm: '7', erp: 'A' }]
  crm:
    - expect: { method: GET, path: /crm/v3/objects/contacts/8 }
      answer: { json: { id: '8', properties: {} } }
  erp:
    - expect: { method: GET, path: /customers/A }
      answer: { status: 404 }
  then: { path: [look, look], calls: { crm: 2 }, mapping: [], result: trash, reason: because }
",
    );

    let expected = [
        "expected the path",
        "expected the result `trash`, got `repeat`",
        "expected a reason with `because`",
        "crm: expected GET /crm/v3/objects/contacts/8, found GET /crm/v3/objects/contacts/7",
        "erp: expected GET /customers/A, found no such call",
        "expected 2 calls to crm, got 1",
        "expected the mapping [], got [{ crm: 7, erp: A }]",
    ];
    assert_eq!(failures.len(), expected.len(), "{failures:#?}");
    for (failure, expected) in failures.iter().zip(expected) {
        assert!(failure.starts_with(expected), "expected {expected}, found {failure}");
    }
}

#[test]
fn several_messages_have_a_path_each() {
    let failures = failures(
        "\
- name: a contact is there, and then it is not
  messages:
    - { record: '7', kind: updated }
    - { record: '7', kind: deleted }
  crm:
    - expect: { method: GET, path: /crm/v3/objects/contacts/7 }
      answer: { json: { id: '7', properties: {} } }
    - expect: { method: GET, path: /crm/v3/objects/contacts/7 }
      answer: { status: 404 }
  then: { path: [[look], [look]] }
",
    );

    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn a_story_that_cannot_be_read_is_a_finding_and_fails_the_run() {
    let report = play(
        "\
- name: no message, and a word too many
  shop2: []
  then: { calls: { nobody: 1 } }
- message: { record: '7' }
",
    );

    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let known = "known applications: crm, erp, shop";
    let keys = "known keys: name, message, messages, mapping, then";
    assert_eq!(
        found,
        [
            "looking.test.yaml:1:3: key `message` is missing; add `message: { record: <id> }`, or the body of a webhook"
                .to_owned(),
            format!("looking.test.yaml:2:3: no application `shop2`, nor a key of a test; {keys}; {known}"),
            format!("looking.test.yaml:3:20: no application `nobody`; {known}"),
            "looking.test.yaml:4:3: key `name` is missing; add `name: <what it tells>`".to_owned(),
            "looking.test.yaml:4:3: key `then` is missing; add `then: { path: [..] }`".to_owned(),
        ]
    );
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn the_report_reads_as_a_list_of_stories() {
    let report = play(
        "\
- name: this goes well
  message: { record: '7' }
  crm:
    - expect: { method: GET, path: /crm/v3/objects/contacts/7 }
      answer: { status: 404 }
  then: { path: [look] }
- name: this does not
  message: { record: '7' }
  then: { result: repeat, path: [] }
",
    );

    let text = report.render(TestFormat::Text, false);
    let json: Value = serde_json::from_str(&report.render(TestFormat::Json, false)).unwrap();

    assert!(text.contains("✓ this goes well"), "{text}");
    assert!(text.contains("✗ this does not"), "{text}");
    assert!(text.contains("looking.test.yaml:7"), "{text}");
    assert!(text.ends_with("1 passed, 1 failed\n"), "{text}");
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
}

#[test]
fn tests_of_a_topology_there_is_not_are_a_finding() {
    let mut sources = Sources::built_in();
    sources.tests.clear();
    sources.add("crm-to-epr.test.yaml", "crm-to-epr.test.yaml", "[]");
    let registry = kinds::registry();
    let project = Project::load(&sources, &registry);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let report = runtime.block_on(test(&project, &registry, ""));

    assert_eq!(
        report.findings[0].to_string(),
        "crm-to-epr.test.yaml:1:1: no topology `crm-to-epr` for these tests; did you mean `crm-to-erp`?"
    );
}

#[test]
fn a_message_may_be_the_body_of_a_webhook_or_a_fixture_that_holds_one() {
    let bodies = "\
- name: a body
  message:
    - { eventId: 1, objectId: 7, occurredAt: 1, subscriptionType: contact.creation }
  crm:
    - expect: { method: GET, path: /crm/v3/objects/contacts/7 }
      answer: { status: 404 }
  then: { path: [look] }
- name: no such fixture
  message: fixtures/nowhere.json
  then: {}
- name: not what the CRM sends
  message: { objectId: 7 }
  then: {}
";

    let failures = failures(bodies);

    assert_eq!(
        failures,
        [
            "message: no fixture `fixtures/nowhere.json`; there are no fixtures",
            "message: expected a list of events of `crm`",
        ]
    );
}
