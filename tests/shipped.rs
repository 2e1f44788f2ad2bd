//! The shipped topologies' own tests, with the real nodes, as `pairline test` plays them.

use pairline_runner::story::{self, TestFormat};

use crate::support::{project, registry};

#[tokio::test]
async fn the_stories_beside_the_shipped_topologies_hold() {
    let report = story::test(project(), &registry(), "").await;

    assert_eq!(report.exit_code(), 0, "{}", report.render(TestFormat::Text, false));
    assert!(report.passed() >= 20, "expected the shipped stories, found {}", report.passed());
}
