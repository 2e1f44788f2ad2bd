//! The hundred rows: what goes wrong, and how far the code is with it.

use super::rows::Proof::{BlackBox, Fuzz, Kill, Model, Property, Simulation, Unit};

/// How far the code is with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// What should happen does, and a test shows it.
    Tested,
    /// A part of it does, and a test shows that part.
    Part,
    /// What it takes is not built, or nothing shows it yet.
    Pending,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A world in memory, driven by a seed or a list.
    Simulation,
    /// All orders of a small world.
    Model,
    /// A program that dies in the midst.
    Kill,
    /// Many values made by chance.
    Property,
    /// Texts nobody should send.
    Fuzz,
    /// The program, or a part of it, over a socket.
    BlackBox,
    /// One part by itself.
    Unit,
}

/// One way in which two systems drift apart.
pub(super) struct Row {
    pub(super) number: u8,
    pub(super) failure: &'static str,
    pub(super) state: State,
    pub(super) proof: &'static [Proof],
    /// What is missing, where something is.
    pub(super) missing: &'static str,
    /// Tests of other names that show it too.
    pub(super) also: &'static [&'static str],
}

const fn tested(number: u8, failure: &'static str, proof: &'static [Proof], also: &'static [&'static str]) -> Row {
    Row { number, failure, state: State::Tested, proof, missing: "", also }
}

const fn part(
    number: u8,
    failure: &'static str,
    proof: &'static [Proof],
    missing: &'static str,
    also: &'static [&'static str],
) -> Row {
    Row { number, failure, state: State::Part, proof, missing, also }
}

const fn pending(number: u8, failure: &'static str, missing: &'static str) -> Row {
    Row { number, failure, state: State::Pending, proof: &[], missing, also: &[] }
}

const SIMULATED: &str =
    "tests/simulation.rs::any_order_of_deeds_mishaps_and_kills_ends_with_both_sides_equal_and_no_second_record";
const BORN_IN_CRM: &str = "tests/search.rs::a_create_from_the_crm_makes_one_record_whatever_is_killed_lost_or_late";
const BORN_IN_ERP: &str = "tests/search.rs::a_create_from_the_erp_makes_one_record_whatever_is_killed_lost_or_late";
const OWNED: &str = "tests/search.rs::one_owned_field_three_edits_and_two_kills_always_converge";
const SHARED: &str = "tests/search.rs::one_shared_field_three_edits_and_two_kills_always_converge";
const STOPPED: &str = "tests/steps.rs::every_story_ends_the_same_when_stopped_before_and_after_every_step";
const KILLED: &str = "tests/e2e/kills.rs::killed_at_every_moment_it_doubles_nothing_and_loses_nothing";
const CHAOS: &str = "tests/e2e/killed.rs::chaos_survives_kills";

/// All of them, in order.
pub(super) const ROWS: [Row; 100] = [
    // Delivery and order.
    tested(
        1,
        "the same event is delivered many times",
        &[BlackBox],
        &["sdk/src/testing/engine_suite/inbox.rs::a_delivery_taken_many_times_at_once_is_taken_once"],
    ),
    tested(
        2,
        "one happening is announced under several event ids",
        &[Simulation],
        &["tests/e2e/calm.rs::a_new_person_announced_eight_times_is_created_once"],
    ),
    tested(3, "events arrive out of order", &[Simulation], &[SIMULATED]),
    part(
        4,
        "events are lost, or the sender stops sending them",
        &[BlackBox],
        "whether our subscription still stands at the sender is not watched, and it is not made again",
        &["tests/e2e/calm.rs::whatever_goes_wrong_is_healed_once_all_is_well_again"],
    ),
    tested(5, "news of a create and of an edit arrive together", &[Model], &[SIMULATED, BORN_IN_CRM]),
    tested(6, "one event of a batch cannot be read", &[BlackBox], &[]),
    tested(
        7,
        "the program dies right after it has thanked for an event",
        &[Kill],
        &[
            "sdk/runner/tests/wire/deliveries.rs::nothing_is_acknowledged_before_it_is_durable",
            "tests/e2e/killed.rs::a_burst_survives_kills",
        ],
    ),
    tested(8, "something is taken out of the trash after newer values have arrived", &[BlackBox], &[]),
    tested(
        9,
        "one record is refused for ever",
        &[Simulation],
        &["sdk/src/testing/engine_suite/trash.rs::what_cannot_be_delivered_waits_in_the_trash"],
    ),
    part(
        10,
        "the trash fills up",
        &[Unit],
        "what cannot be read is not grouped, not compressed, and no volume of it raises an alarm",
        &["sdk/src/testing/engine_suite/trash.rs::the_same_trash_is_one_item_that_counts"],
    ),
    tested(
        11,
        "a delivery is huge",
        &[BlackBox],
        &["sdk/runner/src/application/json.rs::a_hundred_thousand_brackets_do_not_reach_the_end_of_the_stack"],
    ),
    tested(
        12,
        "a delivery is no JSON, or JSON that machines read differently",
        &[BlackBox, Fuzz],
        &["tests/bad_input/webhooks.rs::a_bad_delivery_is_refused_in_words_and_a_good_one_still_works"],
    ),
    // Creates.
    tested(13, "a create is applied and its answer lost", &[Simulation], &[BORN_IN_CRM, BORN_IN_ERP]),
    tested(14, "a create lands after it was given up and looked for", &[Simulation], &[BORN_IN_ERP, SIMULATED]),
    tested(15, "the program dies between a create and its mapping", &[Kill], &[STOPPED, BORN_IN_CRM]),
    tested(16, "the program dies before the inverse id is written back", &[Kill], &[STOPPED]),
    tested(
        17,
        "two workers create for one record at once",
        &[Model],
        &["sdk/src/testing/store_suite/reservations.rs::of_many_reservations_at_once_exactly_one_wins"],
    ),
    tested(
        18,
        "a second process, or an owner that was only asleep, creates too",
        &[BlackBox, Kill, Simulation],
        &["sdk/store/tests/sqlite/database.rs::a_second_runner_is_refused_and_told_who_has_it"],
    ),
    pending(
        19,
        "one person is made in both systems at once",
        "nothing is matched by its values: both get a counterpart, and no case for a likely duplicate is opened",
    ),
    tested(
        20,
        "an idempotency key expires",
        &[Unit],
        &["sdk/src/ledger.rs::a_key_belongs_to_the_record_and_its_incarnation_and_to_no_event"],
    ),
    tested(
        21,
        "a key is used again with another body",
        &[Simulation],
        &["sdk/src/testing/store_suite/resends.rs::a_create_is_sent_again_with_the_same_bytes_and_key"],
    ),
    pending(
        22,
        "a key answers with the same stored failure for ever",
        "an unclear answer keeps its key until it expires; a lookup and a new key before that are not built",
    ),
    tested(
        23,
        "a system has no idempotency keys",
        &[Unit],
        &[
            "nodes/src/create.rs::a_system_that_can_promise_nothing_is_left_to_a_person",
            "sdk/runner/src/application/description.rs::the_shipped_descriptions_say_what_the_reference_systems_promise",
        ],
    ),
    tested(
        24,
        "a search does not show yet what was just made",
        &[Simulation],
        &["nodes/src/create.rs::without_a_key_nothing_is_sent_again_until_the_first_request_can_no_longer_land"],
    ),
    tested(
        25,
        "a create is refused, and the record in the way is named in a sentence",
        &[Simulation],
        &[
            "sdk/runner/src/application/errors.rs::the_id_of_a_duplicate_is_read_from_the_sentence_and_from_nowhere_else",
        ],
    ),
    part(
        26,
        "the record in the way is archived",
        &[Simulation],
        "it becomes a case for a person; a policy that restores it is not built",
        &[],
    ),
    tested(27, "a create is answered without an id", &[BlackBox], &[CHAOS]),
    pending(28, "a batch create succeeds in part", "records are made singly; there are no batch calls"),
    part(
        29,
        "a reservation is left behind by a crash",
        &[Kill],
        "a start takes it up again; between two starts nothing goes through reservations whose hint went to the trash",
        &["sdk/src/testing/store_suite/upkeep.rs::recovery_marks_what_an_earlier_start_left_and_names_its_records"],
    ),
    pending(30, "a record needs another one first", "contracts know one kind of record; there are no dependencies"),
    pending(31, "another tool uses the external id already", "nothing probes a system before the first start"),
    // Identity.
    pending(32, "two records are merged into one with a new id", "there are no aliases and no merge events"),
    pending(33, "a merge looks like a deletion", "no description can say how the survivor of a merge is found"),
    pending(34, "both records of a merge had counterparts", "there are no merges, so no state for their conflict"),
    part(
        35,
        "a merge is undone, and the inverse id copied",
        &[Simulation],
        "the copied id is not believed; a new record gets no counterpart before a person has taken the id off it",
        &["sdk/src/testing/store_suite/adoptions.rs::a_record_that_names_a_paired_record_is_a_copy"],
    ),
    part(
        36,
        "a record is cloned with its inverse id",
        &[Simulation],
        "the clone is a case, and gets a counterpart only after a person has taken the id off it",
        &["tests/bad_input/commands.rs::a_case_is_listed_closed_and_opened_again_while_its_cause_is_there"],
    ),
    tested(
        37,
        "a record is deleted and restored",
        &[Simulation],
        &["sdk/src/testing/store_suite/activity.rs::a_pair_comes_back_only_with_the_record_that_was_gone"],
    ),
    part(
        38,
        "a record is deleted for good on one side",
        &[Simulation],
        "a deletion is never mirrored; other policies, a question to a person and a brake on many of them are not built",
        &["tests/e2e/calm.rs::nothing_is_made_again_for_a_deleted_record"],
    ),
    part(
        39,
        "the counterpart is gone when it is to be written",
        &[Simulation],
        "it is not made again; whether it was merged into another record is not looked for",
        &["nodes/src/update.rs::a_pair_whose_other_record_is_gone_takes_the_gone_route"],
    ),
    pending(40, "a person asks to be forgotten", "there is no command that erases a person's values"),
    tested(41, "an e-mail address changes", &[Simulation], &[]),
    part(
        42,
        "two records of one side belong to one of the other",
        &[Simulation],
        "it is a case; a contract cannot say how many may belong together",
        &["nodes/src/resolve.rs::two_records_with_one_inverse_id_are_a_case_and_never_a_guess"],
    ),
    tested(
        43,
        "two records claim one counterpart and write it in turn",
        &[Simulation],
        &["sdk/src/testing/store_suite/adoptions.rs::another_record_than_the_create_answered_is_a_copy"],
    ),
    // Fields.
    tested(
        44,
        "our own write comes back as news",
        &[Simulation],
        &["tests/e2e/calm.rs::a_single_edit_costs_one_write"],
    ),
    tested(
        45,
        "our own write is announced before it is answered",
        &[Simulation],
        &["tests/e2e/killed.rs::a_race_of_announcements_survives_kills"],
    ),
    part(
        46,
        "a third tool carries our writes round",
        &[Simulation],
        "it makes no loop; nothing counts how often a field goes to and fro, raises an alarm, or finds a ring of topologies",
        &["tests/e2e/calm.rs::edits_on_both_sides_at_once_end_equal_and_never_bounce"],
    ),
    tested(47, "the mark of our writes is stripped", &[Simulation], &[]),
    tested(
        48,
        "a person's edit carries our old mark",
        &[Simulation],
        &["nodes/src/echo_filter.rs::an_edit_that_carries_our_old_marker_is_not_an_echo"],
    ),
    tested(49, "a value returns to what it was before", &[Simulation], &[OWNED]),
    tested(50, "an edit beside our own write is taken for ours", &[Simulation], &[]),
    tested(
        51,
        "a system writes values its own way",
        &[Simulation],
        &["nodes/src/converge/tests.rs::an_answer_that_was_rounded_is_not_sent_again"],
    ),
    tested(52, "a workflow changes other fields after our write", &[Simulation], &[SIMULATED]),
    part(
        53,
        "both sides edit one field at once",
        &[Simulation, Property],
        "an edit on the side that does not own the field is not kept when the owner's edit goes over before its news is \
         worked on: the owner's value is written without a look at what it replaces",
        &[SHARED, "sdk/src/sync_contract/field.rs::a_merge_policy_does_not_depend_on_who_is_named_first"],
    ),
    tested(
        54,
        "a field is edited on the side that does not own it",
        &[Simulation],
        &["sdk/src/owner_guard.rs::a_field_is_never_written_on_the_system_that_owns_it"],
    ),
    part(
        55,
        "clocks disagree or jump",
        &[Simulation],
        "within a run time only goes forward, whatever the wall clock is set to; a jump between two starts still counts: \
         one ahead ends waits early, and one back prolongs them",
        &[
            "sdk/runner/src/application/changes/tests.rs::a_watermark_is_the_newest_stamp_less_the_overlap_and_never_our_clock",
        ],
    ),
    part(
        56,
        "a field is empty, null, or not there",
        &[Simulation],
        "all three are one: an owner's answer that leaves a field out empties it, and `record.whole: false` in \
         a description is read and changes nothing",
        &["nodes/src/converge/tests.rs::an_emptied_field_of_the_owner_empties_the_other_side"],
    ),
    part(
        57,
        "a value changes its type on the way",
        &[Property],
        "there are no dates, currencies and picklists yet, and a value of the wrong type is carried as it stands",
        &["sdk/src/sync_contract/value.rs::decimals_compare_by_value_and_never_round"],
    ),
    pending(58, "a field is renamed or removed in a system", "no picture of a system's fields is kept to compare with"),
    pending(
        59,
        "a system asks for a new field",
        "a refusal goes to the trash with its status and code, because its sentence may hold values: no field is named",
    ),
    part(
        60,
        "a write overwrites an edit it has not seen",
        &[Simulation],
        "only fields that differ are sent; a write is not tied to the version that was read, where a system offers that",
        &["nodes/src/update.rs::only_the_fields_that_differ_are_sent"],
    ),
    tested(61, "a list changes its order", &[Simulation], &[]),
    // Limits and outages.
    tested(
        62,
        "a system asks for a pause of a certain time",
        &[Unit],
        &["sdk/runner/src/application/limiter.rs::a_429_pauses_everybody_for_exactly_as_long_as_it_says"],
    ),
    part(
        63,
        "a system asks for a pause and does not say how long",
        &[Unit],
        "no work gives way to other work",
        &["sdk/runner/src/application/errors/tests/documented.rs::what_hubspot_answers"],
    ),
    part(
        64,
        "others use the same quota",
        &[Simulation],
        "the rate follows what is left; no share of it can be set aside",
        &[],
    ),
    pending(65, "the search has a smaller limit than the rest", "an application has one limit for all its calls"),
    tested(66, "one system is down for hours", &[Unit], &[]),
    tested(
        67,
        "a system answers a byte at a time",
        &[BlackBox],
        &["sdk/runner/tests/wire/calls.rs::the_deadline_of_a_write_counts_from_its_intent"],
    ),
    part(
        68,
        "our credentials expire or are revoked",
        &[Unit, BlackBox],
        "a refresh token that is another one after each use would be lost with the program",
        &[
            "sdk/runner/src/application/limiter.rs::refused_credentials_pause_for_half_a_minute_and_say_so",
            "sdk/runner/src/application/http/tests/library.rs::one_login_is_enough_until_the_session_is_over",
        ],
    ),
    pending(69, "a first fill holds up live edits", "there is no backfill, and hints have no priority"),
    tested(
        70,
        "everything is edited at once",
        &[Simulation],
        &["tests/e2e/calm.rs::fifty_edits_of_one_contact_within_a_second_are_merged"],
    ),
    tested(
        71,
        "more records have one stamp than a listing shows",
        &[Simulation],
        &[
            "sdk/runner/src/application/changes/tests.rs::two_thousand_records_with_one_stamp_are_listed_and_the_listing_ends",
        ],
    ),
    tested(
        72,
        "records change while they are listed",
        &[Simulation],
        &["sdk/src/testing/engine_suite/inbox.rs::a_cursor_is_kept_with_what_it_found"],
    ),
    tested(73, "a listing shows again what it has shown", &[BlackBox], &[]),
    // Storage and process.
    tested(74, "the disk is full", &[BlackBox], &[]),
    tested(75, "another program has locked the database", &[Unit], &[]),
    tested(
        76,
        "a power failure takes back what was confirmed",
        &[Kill],
        &[
            "tests/power/mod.rs::a_disk_that_only_says_it_has_synced_is_found_out",
            "tests/power/mod.rs::a_new_data_folder_is_on_the_disk_before_a_webhook_is_acknowledged",
        ],
    ),
    part(
        77,
        "a page of the database is damaged",
        &[BlackBox],
        "a start notices a damaged schema; pages are not checked in the background and rows have no checksums",
        &[],
    ),
    tested(78, "the mapping is lost", &[Simulation, BlackBox], &[]),
    part(
        79,
        "an old backup is restored",
        &[BlackBox],
        "records of which one names the other find each other again; a create that was on its way when the program \
         stopped, and lands after the first listing of the older copy, could be made again",
        &[],
    ),
    tested(80, "two runners are started on one database", &[BlackBox], &[]),
    pending(81, "two installations work on one account", "nothing is left in a system to know an installation by"),
    tested(82, "the program is killed anywhere", &[Kill, Model], &[STOPPED, OWNED, SHARED, KILLED, CHAOS, SIMULATED]),
    part(
        83,
        "the program is replaced with work in flight",
        &[BlackBox, Unit],
        "there is one version of the schema so far, so no older one to be brought up to date",
        &[],
    ),
    part(
        84,
        "a topology is edited with work in flight",
        &[BlackBox],
        "topologies are read at a start, and what waits walks the new one from its beginning; nothing is tied to a version",
        &[],
    ),
    part(
        85,
        "a node panics, loops or leaks",
        &[Unit],
        "a panic stops one record; nothing bounds the time and memory of a node, and there are no components yet",
        &["sdk/src/testing/engine_suite/trash.rs::a_worker_that_panics_stops_one_record"],
    ),
    tested(86, "a node has time or chance of its own", &[Simulation], &[]),
    tested(
        87,
        "a commit lets go of a record that is at work",
        &[Unit],
        &["sdk/src/testing/engine_suite/hints.rs::news_during_work_stays_waiting_and_stands_for_itself"],
    ),
    tested(88, "recovery takes finished work for lost work", &[Kill], &[STOPPED]),
    // Security.
    tested(
        89,
        "a delivery is forged",
        &[BlackBox],
        &["tests/bad_input/webhooks.rs::a_bad_delivery_is_refused_in_words_and_a_good_one_still_works"],
    ),
    tested(
        90,
        "a delivery is recorded and sent again",
        &[BlackBox],
        &["sdk/runner/src/webhook/signature.rs::a_delivery_from_another_time_is_not_believed_however_it_is_signed"],
    ),
    tested(
        91,
        "the signature is lost on the way",
        &[BlackBox],
        &["sdk/runner/src/webhook/signature.rs::what_is_missing_or_malformed_is_not_believed"],
    ),
    part(
        92,
        "a secret is replaced",
        &[BlackBox],
        "two keys of a signature are believed at a time; a token of ours is replaced by a restart with the new one",
        &["sdk/runner/src/webhook/signature.rs::every_way_to_sign_is_checked_as_its_sender_signs"],
    ),
    tested(
        93,
        "a URL, an id or a redirection leads a call elsewhere",
        &[BlackBox],
        &[
            "sdk/runner/src/application/template.rs::places_are_filled_and_stay_one_part_of_the_path",
            "sdk/runner/tests/wire/hosts.rs::a_redirection_is_an_answer_and_nobody_is_called_there",
            "sdk/runner/tests/wire/hosts.rs::a_name_that_turns_private_is_refused_before_the_next_connection",
            "sdk/runner/tests/wire/hosts.rs::what_is_filled_into_a_path_or_stands_at_its_beginning_leads_no_call_to_another_host",
        ],
    ),
    tested(
        94,
        "secrets or persons are in the log",
        &[BlackBox],
        &[
            "sdk/runner/src/application/description.rs::a_secret_is_in_no_debug_output",
            "tests/canary.rs::a_thousand_mistakes_of_a_system_bring_no_secret_into_a_reason_a_log_line_or_a_metric",
            "tests/canary.rs::no_delivery_brings_a_secret_into_an_answer_a_log_line_a_metric_or_the_trash",
            "tests/canary.rs::the_program_and_its_commands_show_no_secret_that_a_system_repeats",
        ],
    ),
    tested(
        95,
        "YAML is made to be too much",
        &[BlackBox, Fuzz],
        &["sdk/runner/src/yaml.rs::every_limit_is_a_finding_with_its_number"],
    ),
    part(
        96,
        "somebody else administers the program",
        &[BlackBox],
        "nothing can be changed over the network and by default nothing is reached; tokens and roles come with an interface",
        &[],
    ),
    part(
        97,
        "values are code somewhere",
        &[BlackBox],
        "they are inert in SQL, in the log and on the terminal; there is no export and no page to show it for",
        &[],
    ),
    tested(98, "a system answers to do harm", &[BlackBox, Fuzz], &[]),
    part(
        99,
        "a dependency is not what it was",
        &[Unit],
        "every dependency is pinned with its checksum; advisories and licences are not checked",
        &[],
    ),
    part(
        100,
        "the sync itself runs away",
        &[BlackBox],
        "a person can pause it while events are still taken; nothing pauses it by itself",
        &[],
    ),
];
