//! Every scenario, with three kills at moments the seed decides.

use pairline_fakes::judge::Scenario;

use super::passes;

const KILLS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_edits_survives_kills() {
    passes(Scenario::Throughput, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_of_announcements_survives_kills() {
    passes(Scenario::Race, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_on_both_sides_at_once_survive_kills() {
    passes(Scenario::Pingpong, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_survives_kills() {
    passes(Scenario::Burst, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_right_after_a_create_survive_kills() {
    passes(Scenario::EditAfterCreate, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_survive_kills() {
    passes(Scenario::Deletes, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_contact_survives_kills() {
    passes(Scenario::Hot, KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_survives_kills() {
    passes(Scenario::Chaos, KILLS).await;
}
