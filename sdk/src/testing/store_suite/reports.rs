//! What a person can ask: cases, pairs, the story of a record, counts.

use std::sync::Arc;
use std::time::Duration;

use super::StoreUnderTest;
use super::samples::{adoption, committed, failed, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Adopted, Case, CaseId, CaseKind, Clock, Look, Operation, Rebase, Timestamp, Update};

pub async fn the_same_question_is_open_once(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let question = |kind, record: &str| Case {
        id: CaseId(0),
        kind,
        records: vec![contact(record), customer("9")],
        detail: "look for it".into(),
        opened_at: Timestamp::default(),
    };
    let first = story.0.open_case(&question(CaseKind::Ambiguous, "1")).await.unwrap();

    assert_eq!(story.0.open_case(&question(CaseKind::Ambiguous, "1")).await.unwrap(), first);
    let other_kind = story.0.open_case(&question(CaseKind::Field, "1")).await.unwrap();
    let other_record = story.0.open_case(&question(CaseKind::Ambiguous, "2")).await.unwrap();
    let open: Vec<CaseId> = story.open_cases().await.iter().map(|case| case.id).collect();
    assert_eq!(open, [first, other_kind, other_record]);
    assert_eq!(
        story.open_cases().await[0],
        Case { id: first, opened_at: test.clock().now(), ..question(CaseKind::Ambiguous, "1") }
    );
    assert_eq!(story.0.cases(1).await.unwrap().len(), 1);

    assert!(story.0.close_case(first).await.unwrap());
    assert!(!story.0.close_case(first).await.unwrap());
    assert_ne!(story.0.open_case(&question(CaseKind::Ambiguous, "1")).await.unwrap(), first);
}

pub async fn pairs_are_listed_in_the_order_they_were_made(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let mut made = Vec::new();
    for id in ["3", "1", "2"] {
        made.push(story.pair(id, id).await);
    }

    assert_eq!(story.0.pairs(None, 10).await.unwrap(), made);
    assert_eq!(story.0.pairs(None, 2).await.unwrap(), made[..2]);
    assert_eq!(story.0.pairs(Some(made[1].id), 2).await.unwrap(), made[2..]);
}

pub async fn many_records_are_looked_up_in_their_order(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    story.reserve("2").await;

    let looks = story.0.look_many(&[contact("2"), contact("3"), contact("1"), contact("1")], &erp()).await.unwrap();

    assert_eq!(looks.len(), 4);
    assert!(matches!(&looks[0], Look::Pending(_)));
    assert_eq!(looks[1], Look::Missing);
    assert_eq!(looks[2], Look::Found(Arc::new(pair)));
    assert_eq!(looks[3], looks[2]);
    assert_eq!(story.0.look_many(&[], &erp()).await.unwrap(), Vec::new());
}

pub async fn a_record_has_its_whole_story(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let refused = story.reserve("1").await;
    story.settle(&refused, failed()).await;
    test.clock().advance(Duration::from_secs(1));
    let pair = story.pair("1", "9").await;
    test.clock().advance(Duration::from_secs(1));
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.0.adopt(&adoption("8", "1", true)).await.unwrap();
    story.pair("2", "10").await;

    let history = story.0.history(&contact("1")).await.unwrap();

    assert_eq!(history.pair, Some(story.found("1").await));
    let ids: Vec<_> = history.operations.iter().map(|operation| &operation.id).collect();
    let born = pair.side(&erp()).newest.as_ref().expect("it was created by an operation");
    assert_eq!(ids, [&refused.operation().id, born, &intent.operation().id]);
    assert_eq!(history.cases.len(), 1);
    let other = story.0.history(&customer("9")).await.unwrap();
    assert_eq!(other.pair, history.pair);
    assert!(other.operations.contains(intent.operation()));
    // A create that nobody has mapped belongs to both of its ends.
    let lonely = story.reserve("3").await;
    story.settle(&lonely, committed("11")).await;
    let of_source = story.0.history(&contact("3")).await.unwrap();
    assert_eq!(of_source.reservation.map(|reservation| reservation.operation.id), Some(lonely.operation().id.clone()));
    assert_eq!(story.0.history(&customer("11")).await.unwrap().operations, of_source.operations);
}

pub async fn the_newest_operations_on_a_pair_are_few_of_either_direction(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let mut pair = story.pair("1", "9").await;
    let strangers = story.pair("2", "10").await;
    story.settle(&story.update(&update(&strangers, "Ada"), strangers.revision).await, failed()).await;
    let mut newest_first = vec![pair.side(&erp()).newest.clone().expect("it was created by an operation")];
    for name in ["Grace", "Edsger", "Barbara"] {
        let intent = story.update(&update(&pair, name), pair.revision).await;
        story.settle(&intent, failed()).await;
        newest_first.insert(0, intent.operation().id.clone());
        pair = story.found("1").await;
    }
    let back = Update { target: crm(), ..update(&pair, "Ada") };
    newest_first.insert(0, story.update(&back, pair.revision).await.operation().id.clone());
    let ids = |operations: Vec<Operation>| operations.into_iter().map(|operation| operation.id).collect::<Vec<_>>();

    let one_each = ids(story.0.recent(&pair, 1).await.unwrap());
    let all = ids(story.0.recent(&pair, 10).await.unwrap());

    assert_eq!(one_each, newest_first[..2]);
    assert_eq!(all, newest_first);
}

pub async fn what_the_store_holds_is_counted(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let oldest = test.clock().now();
    let lost = story.reserve("3").await;
    story.settle(&lost, unknown()).await;
    test.clock().advance(Duration::from_secs(1));
    let pair = story.pair("1", "9").await;
    story.pair("2", "10").await;
    story.0.deactivate(&contact("2")).await.unwrap();
    assert!(matches!(story.0.adopt(&adoption("8", "1", true)).await.unwrap(), Adopted::Copy(_)));
    let refused = story.reserve("4").await;
    story.settle(&refused, failed()).await;

    let counts = story.0.counts().await.unwrap();

    assert_eq!((counts.pairs_active, counts.pairs_inactive, counts.inverse_pending), (1, 1, 1));
    assert_eq!((counts.reservations_open, counts.reservation_oldest), (1, Some(oldest)));
    assert_eq!((counts.operations_unknown, counts.cases_open), (1, 1));
    let seen = Rebase {
        pair: pair.id,
        revision: pair.revision,
        changes: Vec::new(),
        inverse_seen: vec![crm()],
        supersedes: None,
        notes: Vec::new(),
    };
    assert!(story.0.rebase(&seen).await.unwrap());
    assert_eq!(story.0.counts().await.unwrap().inverse_pending, 0);
}
