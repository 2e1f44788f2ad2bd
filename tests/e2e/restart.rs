//! The program's own manners: how it starts and how it stops.

use pairline_fakes::judge::Scenario;

use super::judged;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_opens_its_port_soon_after_every_kill_and_stops_within_three_seconds() {
    let report = judged(Scenario::Hot, 2).await;

    assert_eq!(report.resources.ready_ms.len(), 3, "{report}");
    assert!(report.resources.ready_ms.iter().all(|ready_ms| *ready_ms < 5_000), "{report}");
    assert!(report.resources.stopped_in_ms.is_some_and(|stopped_ms| stopped_ms <= 3_000), "{report}");
    assert_eq!(report.died, None, "{report}");
}
