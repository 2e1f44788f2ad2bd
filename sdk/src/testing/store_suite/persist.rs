//! The pair that a create has made.

use futures_util::future::join_all;
use serde_json::json;

use super::StoreUnderTest;
use super::samples::{adoption, committed, create, fields, unknown, update};
use super::story::Story;
use crate::testing::contact::{contact, crm, customer, erp};
use crate::{Adopted, Adoption, Agreement, Look, OperationState, Persisted, Record, Reserve};

pub async fn a_known_answer_survives_a_crash_before_persist(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;
    drop(story);

    let test = test.restart().await;
    let story = Story(test.store());

    let operation = story.pending("1").await;
    assert_eq!((operation.state, operation.target_id.as_deref()), (OperationState::Committed, Some("9")));
    assert!(matches!(story.0.persist(&operation.id).await.unwrap(), Persisted::Recorded(_)));
}

pub async fn persist_maps_both_directions(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;

    assert_eq!(story.found("1").await, pair);
    let Look::Found(back) = story.0.look(&customer("9"), &crm()).await.unwrap() else {
        panic!("expected that the mapping is found from the other side");
    };
    assert_eq!(*back, pair);
    let Reserve::Taken(Look::Found(taken)) = story.0.reserve(&create("1")).await.unwrap() else {
        panic!("expected that a mapped record needs no create");
    };
    assert_eq!(taken.id, pair.id);
}

pub async fn what_a_create_made_is_the_base_of_both_sides(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;

    let (source, made) = (pair.side(&crm()), pair.side(&erp()));
    // Empty is nothing, and what was not in the body is not ours to know.
    assert_eq!(*source.base, fields(json!({ "firstname": "Ada" })));
    assert_eq!(*made.base, fields(json!({ "name": "Ada" })));
    assert_eq!((source.created_by_us, made.created_by_us), (false, true));
    assert_eq!((source.inverse_written, made.inverse_written), (false, true));
    assert!(source.newest.is_none() && made.newest.is_some());
    assert_eq!((pair.created_by.as_str(), pair.contract.as_str()), ("crm-to-erp", "contact"));
    assert_eq!((pair.agreement, pair.open.is_none(), pair.is_active()), (Agreement::Known, true, true));
}

pub async fn persisting_twice_finds_the_pair(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    story.settle(&intent, committed("9")).await;

    let answers = join_all((0..4).map(|_| story.0.persist(&intent.operation().id))).await;

    let recorded = answers.iter().filter(|answer| matches!(answer, Ok(Persisted::Recorded(_)))).count();
    let already = answers.iter().filter(|answer| matches!(answer, Ok(Persisted::Already(_)))).count();
    assert_eq!((recorded, already), (1, 3));
    assert_eq!(story.0.pairs(None, 10).await.unwrap().len(), 1);
}

pub async fn there_is_nothing_to_persist_without_an_answer(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let intent = story.reserve("1").await;
    let operation = &intent.operation().id;

    assert_eq!(story.0.persist(operation).await.unwrap(), Persisted::Nothing);
    story.settle(&intent, unknown()).await;
    assert_eq!(story.0.persist(operation).await.unwrap(), Persisted::Nothing);
    assert_eq!(story.0.pairs(None, 10).await.unwrap(), Vec::new());
}

pub async fn an_update_has_made_nothing_to_persist(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.update(&update(&pair, "Grace"), pair.revision).await;
    story.settle(&intent, committed("9")).await;

    assert_eq!(story.0.persist(&intent.operation().id).await.unwrap(), Persisted::Nothing);
}

pub async fn a_create_that_made_a_record_of_another_pair_is_a_question(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    let pair = story.pair("1", "9").await;
    let intent = story.reserve("2").await;
    story.settle(&intent, committed("9")).await;

    let persisted = story.0.persist(&intent.operation().id).await.unwrap();

    let cases = story.open_cases().await;
    assert_eq!(persisted, Persisted::Conflict(cases[0].id));
    assert_eq!(cases[0].records, [customer("9"), contact("1"), contact("2")]);
    assert_eq!(story.0.pairs(None, 10).await.unwrap(), [pair]);
}

pub async fn a_create_whose_two_records_are_paired_with_others_is_a_question(test: impl StoreUnderTest) {
    let story = Story::begin(&test).await;
    story.pair("2", "10").await;
    let intent = story.reserve("1").await;
    // Somebody links the record to another one, while its create is under way.
    let record = Record::new("1", fields(json!({ "firstname": "Ada" })));
    let linked = Adoption { record, system: crm(), names: customer("9"), ..adoption("9", "1", true) };
    assert!(matches!(story.0.adopt(&linked).await.unwrap(), Adopted::Paired(_)));
    story.settle(&intent, committed("10")).await;
    let pairs = story.0.pairs(None, 10).await.unwrap();

    let persisted = story.0.persist(&intent.operation().id).await.unwrap();

    let cases = story.open_cases().await;
    assert_eq!(persisted, Persisted::Conflict(cases[0].id));
    assert_eq!(cases[0].records, [customer("10"), customer("9"), contact("2"), contact("1")]);
    assert_eq!(story.0.pairs(None, 10).await.unwrap(), pairs);
}
