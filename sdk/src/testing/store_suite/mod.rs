//! What every [`PairStore`] must do. A store that passes is safe under the shipped nodes.
//!
//! A new store writes a [`StoreUnderTest`] and one line:
//!
//! ```ignore
//! pairline_sdk::store_suite!(block_on, MyStoreUnderTest::make());
//! ```

#![expect(missing_docs, reason = "the name of a test is its sentence")]
#![expect(clippy::unwrap_used, reason = "these are tests, in a library for the sake of those who run them")]

mod activity;
mod adoptions;
mod echoes;
mod outcomes;
mod persist;
mod rebases;
mod reports;
mod resends;
mod reservations;
mod samples;
mod story;
mod updates;
mod upkeep;

use std::future::Future;
use std::sync::Arc;

use super::TestClock;
use crate::PairStore;

/// A store, and what a test does to it.
pub trait StoreUnderTest: Sized + Send {
    /// The store.
    fn store(&self) -> Arc<dyn PairStore>;

    /// The clock it reads.
    fn clock(&self) -> &TestClock;

    /// The program dies here, without a goodbye, and starts again on what is durable. Nobody else holds the store.
    fn restart(self) -> impl Future<Output = Self> + Send;
}

/// Makes a module of tests of everything in [`store_suite`](self): one test per behaviour.
///
/// `$block_on` runs a future to its end on the runtime the store needs; `$make` is a future of an empty store.
#[macro_export]
macro_rules! store_suite {
    ($block_on:expr, $make:expr) => {
        $crate::store_suite!(@list tests $block_on, $make;);
    };
    // A test that is missing here is never used, which the compiler says.
    (@list $($then:tt)*) => {
        $crate::store_suite!(@$($then)*
            reservations {
                a_record_nobody_has_seen_is_missing
                a_reserved_create_is_pending_for_everybody_else
                a_record_that_stood_nowhere_is_found_once_it_stands_somewhere
                of_many_reservations_at_once_exactly_one_wins
                nothing_is_reserved_until_creates_are_allowed
                a_refused_create_makes_room_for_a_new_incarnation_with_a_new_key
                a_create_that_was_not_sent_keeps_its_reservation
            }
            persist {
                a_known_answer_survives_a_crash_before_persist
                persist_maps_both_directions
                what_a_create_made_is_the_base_of_both_sides
                persisting_twice_finds_the_pair
                there_is_nothing_to_persist_without_an_answer
                an_update_has_made_nothing_to_persist
                a_create_that_made_a_record_of_another_pair_is_a_question
                a_create_whose_two_records_are_paired_with_others_is_a_question
            }
            resends {
                a_create_is_sent_again_with_the_same_bytes_and_key
                of_two_who_send_a_create_again_one_is_late
                a_create_whose_answer_may_still_come_is_not_sent_again
                a_refused_repeat_says_nothing_of_the_attempt_before_it
                a_refused_repeat_ends_a_create_of_which_nothing_was_found
                a_late_word_of_an_earlier_attempt_is_heard_only_if_it_has_made_the_record
                a_create_is_not_sent_again_later_than_its_key_is_good_for
                what_a_repeat_is_answered_may_be_newer_than_what_was_agreed
            }
            outcomes {
                an_outcome_that_is_known_is_not_changed_by_a_later_guess
                an_unknown_outcome_becomes_known_when_the_answer_comes_late
                one_create_with_two_answers_opens_a_case_and_keeps_the_first
                settling_twice_changes_nothing
            }
            adoptions {
                a_record_that_names_an_open_create_is_its_outcome
                the_answer_of_an_adopted_create_agrees_when_it_comes
                another_record_than_the_create_answered_is_a_copy
                a_record_that_names_a_paired_record_is_a_copy
                a_paired_record_that_names_another_one_is_a_copy
                a_record_that_names_its_own_counterpart_is_paired
                a_record_that_names_a_stranger_is_verified_first
                a_record_that_names_one_that_is_gone_stays_alone
            }
            updates {
                of_many_updates_at_once_exactly_one_begins
                an_update_of_an_older_revision_is_stale
                an_update_that_has_ended_leaves_older_decisions_stale_whatever_its_end
                an_open_update_is_the_newest_on_its_record_after_a_crash_too
                a_committed_update_moves_the_base_of_its_own_fields_alone
                an_update_that_failed_leaves_the_base_and_frees_the_pair
                an_update_of_unknown_outcome_holds_its_pair_until_it_is_superseded
                a_stale_decision_does_not_end_the_update_it_would_replace
            }
            rebases {
                what_agreed_is_taken_into_the_base_once
                nothing_is_taken_as_agreed_over_an_open_operation
            }
            activity {
                a_pair_with_a_record_gone_is_inactive_from_both_sides
                a_pair_comes_back_only_with_the_record_that_was_gone
                nothing_is_created_for_a_record_that_is_gone
                a_create_that_ends_after_its_source_is_gone_makes_an_inactive_pair
            }
            echoes {
                an_event_that_names_the_newest_operation_is_an_echo
                an_event_that_names_an_update_of_unknown_outcome_settles_it
                an_event_with_the_values_we_left_is_an_echo_of_our_own_hand_alone
                an_event_of_a_create_under_way_waits_for_its_answer
            }
            upkeep {
                recovery_marks_what_an_earlier_start_left_and_names_its_records
                pruning_keeps_what_is_open_reserved_or_newest
            }
            reports {
                the_same_question_is_open_once
                pairs_are_listed_in_the_order_they_were_made
                many_records_are_looked_up_in_their_order
                a_record_has_its_whole_story
                the_newest_operations_on_a_pair_are_few_of_either_direction
                what_the_store_holds_is_counted
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
                $block_on(async { $crate::testing::store_suite::$name($make.await).await });
            }
        )*)*
    };
}

store_suite!(@list names);
