//! A write to one side of a pair.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::StoreUnderTest;
use super::samples::{again, committed, failed, fields, not_sent, note, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Begin, Clock, InverseWrite, OperationState, Outcome, Rebase, Record, Resend};

pub async fn of_many_updates_at_once_exactly_one_begins(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let wanted = update(&pair, "Grace");

    let answers = join_all((0..16).map(|_| story.0.begin(&wanted, pair.revision))).await;

    let won: Vec<_> = answers
        .iter()
        .filter_map(|answer| match answer {
            Ok(Begin::Won(intent)) => Some(intent.operation()),
            Ok(Begin::Busy(_) | Begin::Stale) => None,
            Err(error) => panic!("expected an answer, found {error}"),
        })
        .collect();
    assert_eq!(won.len(), 1);
    let found = story.found("1").await;
    assert_eq!(found.open.as_deref(), Some(won[0]));
    assert_eq!(found.side(&erp()).newest.as_ref(), Some(&won[0].id));
    assert_eq!((&won[0].source, won[0].target_record()), (&contact("1"), Some(customer("9"))));
    assert_eq!(story.0.begin(&wanted, found.revision).await.unwrap(), Begin::Busy(won[0].id.clone()));
}

pub async fn an_update_of_an_older_revision_is_stale(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&intent, committed("9")).await;

    assert_eq!(story.0.begin(&update(&pair, "Eve"), pair.revision).await.unwrap(), Begin::Stale);
    let now = story.found("1").await;
    assert!(now.revision > pair.revision);
    story.update(&update(&now, "Eve"), now.revision).await;
}

pub async fn an_update_that_has_ended_leaves_older_decisions_stale_whatever_its_end(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    story.pair("1", "9").await;
    for outcome in [committed("9"), failed(), not_sent(), Outcome::Gone] {
        let before = story.found("1").await;
        let intent = story.update(&update(&before, "Grace"), before.revision).await;
        story.settle(&intent, outcome.clone()).await;

        let answer = story.0.begin(&update(&before, "Eve"), before.revision).await.unwrap();

        assert_eq!(answer, Begin::Stale, "after {outcome:?}");
        assert_eq!(story.found("1").await.side(&erp()).newest.as_ref(), Some(&intent.operation().id));
    }
}

pub async fn an_open_update_is_the_newest_on_its_record_after_a_crash_too(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let open = story.update(&update(&pair, "Grace"), pair.revision).await.operation().id.clone();
    drop(story);
    let test = test.restart().await;

    let story = Story(test.store());
    let found = story.found("1").await;
    assert_eq!(found.side(&erp()).newest.as_ref(), Some(&open));
    assert_eq!(story.0.begin(&update(&found, "Eve"), found.revision).await.unwrap(), Begin::Busy(open.clone()));

    let mut redo = update(&found, "Eve");
    redo.supersedes = Some(open);
    let newer = story.update(&redo, found.revision).await.operation().id.clone();
    assert_eq!(story.found("1").await.side(&erp()).newest.as_ref(), Some(&newer));
}

pub async fn a_committed_update_moves_the_base_of_its_own_fields_alone(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let mut wanted = update(&pair, "Grace Brewster Murray Hopper");
    wanted.inverse = Some(InverseWrite { field: "crm_id".into(), id: "1".into() });
    wanted.rebase = vec![(crm(), fields(json!({ "phone": "+1" })))];
    wanted.notes = vec![note()];
    let intent = story.update(&wanted, pair.revision).await;

    // The target cut the name, and carries a field that somebody else has changed.
    let answer = Record::new("9", fields(json!({ "name": "Grace Brewster", "grade": "A" })));
    story.settle(&intent, Outcome::Committed { record: answer }).await;

    let found = story.found("1").await;
    assert_eq!(*found.side(&erp()).base, fields(json!({ "name": "Grace Brewster" })));
    let seen = json!({ "firstname": "Grace Brewster Murray Hopper", "phone": "+1" });
    assert_eq!(Value::Object((*found.side(&crm()).base).clone()), seen);
    assert!(found.open.is_none() && found.side(&erp()).inverse_written);
    assert_eq!(story.0.history(&contact("1")).await.unwrap().notes, vec![(test.clock().now(), note())]);
}

pub async fn an_update_that_failed_leaves_the_base_and_frees_the_pair(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    for outcome in [failed(), not_sent(), Outcome::Gone] {
        let found = story.found("1").await;
        let intent = story.update(&update(&pair, "Grace"), found.revision).await;
        story.settle(&intent, outcome).await;
        let found = story.found("1").await;
        assert_eq!(found.side(&erp()).base, pair.side(&erp()).base);
        assert_eq!(found.open, None);
    }
}

pub async fn an_update_of_unknown_outcome_holds_its_pair_until_it_is_superseded(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let lost = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&lost, unknown()).await;
    let held = story.found("1").await;
    assert_eq!(held.open.as_ref().map(|open| open.state), Some(OperationState::Unknown));
    assert!(matches!(story.0.begin(&update(&held, "Eve"), held.revision).await.unwrap(), Begin::Busy(_)));
    assert_eq!(
        story.0.resend(&lost.operation().id, again(1)).await.unwrap(),
        Resend::Moved,
        "only creates are sent again"
    );

    let mut redo = update(&held, "Grace");
    redo.supersedes = Some(lost.operation().id.clone());
    let again = story.update(&redo, held.revision).await;

    assert_eq!(story.found("1").await.open.as_deref(), Some(again.operation()));
    // Its answer comes after all: what was read since has replaced it.
    assert_eq!(story.settle(&lost, committed("9")).await.state, OperationState::Superseded);
    assert_eq!(story.found("1").await.side(&erp()).base, pair.side(&erp()).base);
}

pub async fn a_stale_decision_does_not_end_the_update_it_would_replace(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let old = story.pair("1", "9").await;
    let intent = story.update(&update(&old, "Grace"), old.revision).await;
    story.settle(&intent, failed()).await;
    let pair = story.found("1").await;
    let lost = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&lost, unknown()).await;
    let held = story.found("1").await;
    let supersedes = Some(lost.operation().id.clone());
    let (pair, revision) = (old.id, old.revision);
    let mut redo = update(&held, "Eve");
    redo.supersedes = supersedes.clone();
    let (changes, inverse_seen, notes) = (Vec::new(), Vec::new(), Vec::new());
    let rebase = Rebase { pair, revision, changes, inverse_seen, supersedes, notes };

    assert_eq!(story.0.begin(&redo, revision).await.unwrap(), Begin::Stale);
    assert!(!story.0.rebase(&rebase).await.unwrap());

    assert_eq!(story.found("1").await, held);
}
