//! What every [`Engine`] must do.
//!
//! A new engine writes a [`StoreUnderTest`], an [`EngineUnderTest`] and one line:
//!
//! ```ignore
//! pairline_sdk::engine_suite!(block_on, MyEngineUnderTest::make());
//! ```
//!
//! No test waits for something not to happen. Where a hint must not come, another one is sent after it, and comes first.

#![expect(missing_docs, reason = "the name of a test is its sentence")]
#![expect(clippy::unwrap_used, reason = "these are tests, in a library for the sake of those who run them")]

mod desk;
mod hints;
mod inbox;
mod lanes;
mod news;
mod pauses;
mod repeats;
mod runs;
mod trash;

use std::sync::Arc;
use std::time::Duration;

use super::store_suite::StoreUnderTest;
use crate::Engine;

/// A record settles this long between two hand-outs. The engine under test is made with it.
pub const SETTLE: Duration = Duration::from_millis(200);

/// An engine on the store whose pairs make its lanes, and what a test does to both.
pub trait EngineUnderTest: StoreUnderTest {
    /// The engine. Nobody else holds it when the program dies.
    fn engine(&self) -> Arc<dyn Engine>;
}

/// Makes a module of tests of everything in [`engine_suite`](self): one test per behaviour.
///
/// `$block_on` runs a future to its end on the runtime the engine needs; `$make` is a future of an empty engine.
#[macro_export]
macro_rules! engine_suite {
    ($block_on:expr, $make:expr) => {
        $crate::engine_suite!(@list tests $block_on, $make;);
    };
    // A test that is missing here is never used, which the compiler says.
    (@list $($then:tt)*) => {
        $crate::engine_suite!(@$($then)*
            inbox {
                an_event_key_is_taken_once
                a_key_belongs_to_its_application
                what_is_settled_at_the_door_is_taken_once_and_makes_no_hint
                a_delivery_taken_many_times_at_once_is_taken_once
                a_cursor_is_kept_with_what_it_found
                old_event_keys_are_forgotten_in_batches
                events_are_listed_by_record
                of_many_events_the_newest_are_listed
                an_idle_engine_is_healthy_and_empty
            }
            hints {
                a_hint_carries_what_its_one_event_claims
                a_hint_merged_from_several_events_claims_nothing
                a_hint_of_our_own_claims_nothing
                news_during_work_stays_waiting_and_stands_for_itself
                more_news_during_work_is_merged
                news_during_work_that_is_to_be_repeated_joins_what_was_not_finished
                a_burst_of_events_becomes_two_looks
            }
            lanes {
                a_record_settles_and_others_do_not_wait_for_it
                both_records_of_a_pair_share_a_lane_and_know_of_each_other
                different_records_are_at_work_together
                no_more_than_the_limit_is_at_work
                hints_are_handed_out_oldest_first
            }
            repeats {
                a_repeat_comes_back_at_its_time_and_is_counted
                a_repeat_that_does_not_count_keeps_its_hops
                news_does_not_hurry_a_repeat
                the_hint_of_a_record_tells_why_it_waits
                news_during_a_repeat_is_counted_from_the_start
            }
            trash {
                what_cannot_be_delivered_waits_in_the_trash
                the_same_trash_is_one_item_that_counts
                an_approved_item_comes_back_as_a_hint_once
                news_during_work_on_an_approved_item_is_not_lost_after_a_restart
                an_approved_item_hurries_a_repeat_that_is_counted_from_the_start
                an_item_approved_during_work_on_its_record_is_another_look
                a_rejected_item_is_gone_for_good
                a_records_trash_is_found_with_what_was_decided
                a_worker_that_panics_stops_one_record
                what_cannot_be_read_is_kept_as_text
                a_long_text_is_cut_between_characters
            }
            pauses {
                a_paused_system_takes_hints_and_hands_none_out
                a_pause_survives_a_restart
            }
            runs {
                stop_waits_for_what_is_at_work
                an_engine_runs_again_after_a_stop
                only_one_runs_an_engine
                a_run_that_was_stopped_is_over_only_when_its_workers_are
                a_crash_hands_out_again_what_was_not_finished
                news_does_not_hide_what_a_crash_left_unfinished
            }
        );
    };
    (@names $($file:ident { $($name:ident)* })*) => {
        $(pub use $file::{$($name),*};)*
    };
    (@tests $block_on:expr, $make:expr; $($file:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                $block_on(async { $crate::testing::engine_suite::$name($make.await).await });
            }
        )*)*
    };
}

engine_suite!(@list names);
