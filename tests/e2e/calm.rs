//! Every scenario, with the program left alone.

use pairline_fakes::judge::Scenario;

use super::passes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_edits_on_both_sides_converges() {
    passes(Scenario::Throughput, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_person_announced_eight_times_is_created_once() {
    passes(Scenario::Race, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_on_both_sides_at_once_end_equal_and_never_bounce() {
    passes(Scenario::Pingpong, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_events_is_taken_and_worked_off() {
    let report = passes(Scenario::Burst, 0).await;

    assert_eq!(report.economy.given_up, 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_right_after_a_create_is_not_lost_on_either_side() {
    passes(Scenario::EditAfterCreate, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_again_for_a_deleted_record() {
    passes(Scenario::Deletes, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_edits_of_one_contact_within_a_second_are_merged() {
    let report = passes(Scenario::Hot, 0).await;

    assert!(report.economy.rounds <= Some(50), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_is_healed_once_all_is_well_again() {
    passes(Scenario::Chaos, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_edit_costs_one_write() {
    let report = passes(Scenario::Echo, 0).await;

    assert!(report.economy.writes_per_needed <= 1.0, "{report}");
}
